/* Correctly rounded quotients without the divider, which all cores share: Newton's rule with fused
 * multiplications. Why the bits are those of a division: docs/arithmetic.md, section 11. */
#ifndef ARETUSA_KERNELS_XPULP_QUOTIENT_H
#define ARETUSA_KERNELS_XPULP_QUOTIENT_H

#include <stdbool.h>

#include "float_bits.h"
#include "xpulp.h"

/* 1 / b to a bit more than half a unit in the last place, for 2^-126 <= b < 2^126. */
static inline float xp_reciprocal(float b)
{
    float y = art_float_of_bits(0x7ef311c3u - art_bits_of_float(b));
    y = xp_multiply_add(y, xp_subtract_product(b, y, 1.0f), y);
    y = xp_multiply_add(y, xp_subtract_product(b, y, 1.0f), y);
    return xp_multiply_add(y, xp_subtract_product(b, y, 1.0f), y);
}

/* The largest mantissas, some of whose reciprocals miss by too much. */
#define XP_HARD_MANTISSA 0x7fff80u

/* a / b, if neither the quotient nor a * 2^-48 is subnormal and nothing overflows. */
static inline float xp_quotient(float a, float b)
{
    if ((art_bits_of_float(b) & XP_HARD_MANTISSA) == XP_HARD_MANTISSA) {
        return a / b;
    }
    const float y = xp_reciprocal(b);
    float q = a * y;
    q = xp_multiply_add(xp_subtract_product(q, b, a), y, q);
    return xp_multiply_add(xp_subtract_product(q, b, a), y, q);
}

/* Whether a positive number lies in 2^-60 .. 2^60. */
static inline bool xp_is_moderate(float value)
{
    return art_bits_of_float(value) - 0x21800000u < 0x3c000000u;
}

#endif
