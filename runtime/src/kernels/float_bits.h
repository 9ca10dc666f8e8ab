/* Rounding and number formats without libm. */
#ifndef ARETUSA_KERNELS_FLOAT_BITS_H
#define ARETUSA_KERNELS_FLOAT_BITS_H

#include <stdint.h>

/* The smallest normal binary32 number: a scale below it counts as zero. */
#define ART_SCALE_MIN 0x1p-126f

union art_float_bits {
    float value;
    uint32_t bits;
};

static inline uint32_t art_bits_of_float(float value)
{
    const union art_float_bits both = {.value = value};
    return both.bits;
}

static inline float art_float_of_bits(uint32_t bits)
{
    const union art_float_bits both = {.bits = bits};
    return both.value;
}

static inline float art_magnitude(float value)
{
    return __builtin_fabsf(value); /* one instruction, never a call */
}

/* The nearest integer, ties to even, for |value| < 2^22. 1.5 * 2^23 is added: there the spacing of
 * binary32 is one, so the addition itself rounds and the low bits are the integer. Any other value
 * gives some integer. */
static inline int32_t art_round(float value)
{
    return (int32_t)(art_bits_of_float(value + 0x1.8p23f) - 0x4b400000u);
}

/* 2^112 undoes the shrinking of art_shrunk_half. */
#define ART_UNSHRINK 0x1p112f

/* A finite binary16 number times 2^-112, exact: there its 15 low bits mean the same in binary32,
 * subnormals included. The sign is carried along by sign extension. */
static inline float art_shrunk_half(uint16_t half)
{
    return art_float_of_bits((uint32_t)(int16_t)half << 13 & 0x8fffe000u);
}

/* binary16 to binary32, exact for every finite number. */
static inline float art_widen_half(uint16_t half)
{
    return art_shrunk_half(half) * ART_UNSHRINK;
}

#endif
