/* Choosing the next token from logits; integers decide, so every machine chooses the same. */
#ifndef ARETUSA_SAMPLE_H
#define ARETUSA_SAMPLE_H

#include <stdint.h>

struct art_sampler {
    float temperature; /* 0: greedy */
    float top_p;
    uint64_t state;
};

/* Greedy: the lowest index of the largest logit. Otherwise weight w_i = trunc(2^24 *
 * exp((logit_i - max) * (1 / temperature))); keep the tokens with w_i >= t for the largest t whose
 * kept mass is at least top_p (rounded up to 1 / 65536) of the whole; draw among them by index
 * order, with one step of splitmix64 on state. A temperature that is not positive, or whose inverse
 * is infinite, is greedy. count is 1 .. 2^22: the mass stays below 2^46, its product with 65536
 * below 2^62. Uses about 2.2 KiB of stack. */
int32_t art_sample(struct art_sampler *sampler, const float *logits, uint32_t count);

#endif
