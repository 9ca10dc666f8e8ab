/* art_exp with fewer instructions: the same operations on the same numbers, but that a product
 * which is exact is fused, and that the power of two is added to the exponent. */
#ifndef ARETUSA_KERNELS_XPULP_EXP_H
#define ARETUSA_KERNELS_XPULP_EXP_H

#include "exp.h"
#include "float_bits.h"
#include "xpulp.h"

/* e^x for -87 <= x <= 88, with a table as art_exp_by. */
static inline float xp_exp_within_limits(const float *powers, float x)
{
    const float to_integer = 0x1.8p23f;
    const float rounded = x * XP_FLOAT(ART_EXP_PER_STEP) + to_integer;
    const uint32_t steps = art_bits_of_float(rounded); /* in the low bits */
    const float k = rounded - to_integer;
    const float r = xp_subtract_product(k, ART_EXP_STEP_HIGH, x) - k * XP_FLOAT(ART_EXP_STEP_LOW);
    const float tail = r + (r * r) * (0.5f + r * XP_FLOAT(ART_EXP_SIXTH));
    float table;
    __asm__(XP_LW_AT("%0", "%1", "%2")
            : "=r"(table)
            : "r"(powers), "r"(steps << 2 & 4u * (ART_EXP_STEPS - 1))
            : "memory");
    const uint32_t mantissa = art_bits_of_float(table + table * tail);
    /* What to_integer's bits add is shifted out. */
    return art_float_of_bits(mantissa + (steps >> 5 << 23));
}

#endif
