/* What the row kernels do to one element after the other, and single operations that the chip's
 * cores have better ways for than C. */
#ifndef ARETUSA_KERNELS_ELEMENTS_H
#define ARETUSA_KERNELS_ELEMENTS_H

#include <stdint.h>

/* What a row is divided by, and one over it; both 0 for a row of zeros. */
struct art_row_scale {
    float scale;
    float inverse;
};

/* a / b, rounded correctly. */
float art_quotient(float a, float b);

/* The square root of a number that is not negative, rounded correctly. */
float art_root(float value);

/* largest / code_max, or 0 where that is not a normal number: such a row has only zero codes. */
struct art_row_scale art_row_scale(float largest, float code_max);

/* The largest magnitude of count values and of what was found before. */
float art_largest(const float *values, uint32_t count, float before);

/* The codes of count values, round(value / scale); returns their sum. */
int32_t art_quantise_run(const float *values, uint32_t count, struct art_row_scale scale,
                         int8_t *codes);

/* out = (src * inverse) * weight. */
void art_normalise_run(const float *src, const float *weight, uint32_t count, float inverse,
                       float *out);

/* gate = gate / (1 + e^-gate) * up, with a table of powers as art_exp_by. */
void art_gate_run(float *gate, const float *up, uint32_t count, const float *powers);

#endif
