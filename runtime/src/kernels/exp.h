/* e^x: a table of powers of two times a polynomial, as docs/arithmetic.md spells it. */
#ifndef ARETUSA_KERNELS_EXP_H
#define ARETUSA_KERNELS_EXP_H

#include "aretusa/kernels.h"
#include "float_bits.h"

#define ART_EXP_PER_STEP 0x1.715476p+5f /* 32 / ln 2 */
#define ART_EXP_STEP_HIGH 0x1.62cp-6f   /* ln 2 / 32 in two parts */
#define ART_EXP_STEP_LOW 0x1.217f7ep-17f
#define ART_EXP_SIXTH 0x1.555556p-3f

/* 2^(i / 32), rounded to binary32. */
extern const float art_exp_table[ART_EXP_STEPS];

/* The table may lie far from the cores: each copies a share of it to a room of ART_EXP_STEPS in
 * L1. */
static inline void art_exp_copy_table(const struct art_team *team, float *room)
{
    for (uint32_t i = team->core; i < ART_EXP_STEPS; i += team->cores) {
        room[i] = art_exp_table[i];
    }
}

/* e^x with the table or a copy of it. */
static inline float art_exp_by(const float *powers, float x)
{
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    const int32_t steps = art_round(x * ART_EXP_PER_STEP);
    const float k = (float)steps;
    const float r = (x - k * ART_EXP_STEP_HIGH) - k * ART_EXP_STEP_LOW;
    const float tail = r + (r * r) * (0.5f + r * ART_EXP_SIXTH);
    const float table = powers[(uint32_t)steps % ART_EXP_STEPS];
    /* A NaN gives an arbitrary steps; its quotient wraps here instead of overflowing. */
    const uint32_t exponent = (uint32_t)(steps >> 5) + 127u;
    return (table + table * tail) * art_float_of_bits(exponent << 23);
}

static inline float art_exp(float x)
{
    return art_exp_by(art_exp_table, x);
}

#endif
