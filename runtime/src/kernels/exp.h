/* e^x: a table of powers of two times a polynomial, as docs/arithmetic.md spells it. */
#ifndef ARETUSA_KERNELS_EXP_H
#define ARETUSA_KERNELS_EXP_H

#include "aretusa/kernels.h"
#include "float_bits.h"

/* 2^(i / 32), rounded to binary32. */
extern const float art_exp_table[ART_EXP_STEPS];

static inline float art_exp(float x)
{
    const float inverse_step = 0x1.715476p+5f; /* 32 / ln 2 */
    const float step_high = 0x1.62cp-6f;       /* ln 2 / 32 in two parts */
    const float step_low = 0x1.217f7ep-17f;
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    const int32_t steps = art_round(x * inverse_step);
    const float k = (float)steps;
    const float r = (x - k * step_high) - k * step_low;
    const float tail = r + (r * r) * (0.5f + r * 0x1.555556p-3f);
    const float table = art_exp_table[(uint32_t)steps % ART_EXP_STEPS];
    /* A NaN gives an arbitrary steps; its quotient wraps here instead of overflowing. */
    const uint32_t exponent = (uint32_t)(steps >> 5) + 127u;
    return (table + table * tail) * art_float_of_bits(exponent << 23);
}

#endif
