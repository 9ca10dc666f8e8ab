/* A decoded job, and the two ways to run it. */
#ifndef ARETUSA_NEUREKA_MODEL_H
#define ARETUSA_NEUREKA_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "aretusa/neureka.h"

struct neureka_job {
    const uint8_t *weights;
    const uint8_t *inputs;
    uint8_t *outputs;
    uint32_t bits;
    uint32_t out_channels;
    uint32_t in_channels;
    uint32_t in_tiles;
    uint32_t out_rows;
    uint32_t out_cols;
    uint32_t in_pixel_bytes;
    uint32_t in_row_bytes;
    uint32_t out_pixel_bytes;
    uint32_t out_row_bytes;
    uint32_t channel_bytes; /* weights of one output channel */
    uint32_t weight_offset; /* modulo 2^32 */
    int32_t sign;           /* weight of the inputs' uppermost bit if that is negative, else 0 */
    bool is_1x1;
};

/* The 32 weight codes of one word. */
union neureka_codes {
    uint32_t words[8];
    uint8_t bytes[32];
};

/* First byte of the pixel's channels. */
static inline const uint8_t *neureka_input(const struct neureka_job *job, uint32_t row,
                                           uint32_t col)
{
    return job->inputs + row * job->in_row_bytes + col * job->in_pixel_bytes;
}

/* The pixel's results. */
static inline int32_t *neureka_output(const struct neureka_job *job, uint32_t row, uint32_t col)
{
    uint8_t *const first = job->outputs + row * job->out_row_bytes + col * job->out_pixel_bytes;
    return (int32_t *)(void *)first;
}

/* The number that an input stands for. */
static inline int32_t neureka_value(uint8_t code, int32_t sign)
{
    return (code ^ sign) - sign;
}

/* Sums wrap at 32 bits, as the engine's do. */
static inline void neureka_add(int32_t *sum, uint32_t term)
{
    *sum = (int32_t)((uint32_t)*sum + term);
}

void neureka_run_3x3(const struct neureka_job *job, const struct art_neureka_share *share);
void neureka_run_1x1(const struct neureka_job *job, const struct art_neureka_share *share);

#endif
