/* The correctly rounded square root in integers: the same on cores with and without the
 * instruction, and never a call into libm. */
#ifndef ARETUSA_KERNELS_SQUARE_ROOT_H
#define ARETUSA_KERNELS_SQUARE_ROOT_H

#include "float_bits.h"

/* Square root of a value that is not negative; infinity and NaN stay what they are. */
static inline float art_square_root(float value)
{
    if (value == 0.0f || !(value <= 0x1.fffffep127f)) {
        return value;
    }
    const uint32_t scaled_bits =
        art_bits_of_float(value * (value < ART_SCALE_MIN ? 0x1p24f : 1.0f));
    const int32_t exponent = (int32_t)(scaled_bits >> 23) - 127 - (value < ART_SCALE_MIN ? 24 : 0);
    /* value = mantissa * 2^(even exponent - 23); the root of mantissa has one integer digit. */
    uint32_t mantissa = (scaled_bits & 0x7fffffu) | 0x800000u;
    mantissa <<= (uint32_t)exponent & 1u;
    /* 25 binary digits of the root, by the rule of the schoolbook: 24 to keep and one to round by.
     * The radicand's digits come in pairs from the top of mantissa, then zeros. */
    uint32_t digits = mantissa << 7; /* 25 digits before the point's 23: top pair first */
    uint32_t rest = 0;
    uint32_t root = 0;
    for (uint32_t i = 0; i < 25; i++) {
        rest = rest << 2 | digits >> 30;
        digits <<= 2;
        const uint32_t trial = root << 2 | 1u;
        const uint32_t fits = rest >= trial;
        rest -= fits ? trial : 0;
        root = root << 1 | fits;
    }
    /* A tie is impossible: a root of 25 digits that ends in 1 has a square of 49 or 50 digits. */
    const uint32_t rounded = (root >> 1) + (root & 1u);
    const uint32_t half_exponent = (uint32_t)((exponent >> 1) + 126);
    return art_float_of_bits((half_exponent << 23) + rounded);
}

#endif
