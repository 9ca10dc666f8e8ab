/* Where the rows of a key or value cache lie; append's scratch is a cache of its tokens alone. */
#ifndef ARETUSA_KERNELS_KV_CACHE_H
#define ARETUSA_KERNELS_KV_CACHE_H

#include "aretusa/kernels.h"

/* Eight 4-bit codes. */
typedef uint32_t __attribute__((may_alias)) art_cache_word;

/* Bytes of the codes of a row. */
static inline uint32_t art_cache_row_bytes(uint32_t dim, enum art_cache_form form)
{
    return form == ART_CACHE_8BIT ? dim : (dim + 7) / 8 * (uint32_t)sizeof(art_cache_word);
}

/* Bytes of the codes of so many rows, after which their scales start. */
static inline uint32_t art_cache_codes_bytes(uint32_t rows, uint32_t row_bytes)
{
    return (rows * row_bytes + 3) / 4 * 4;
}

/* Four bits from a bit of a word on, with their sign. */
static inline int32_t art_cache_code(uint32_t word, uint32_t bit)
{
    return (int32_t)(word << (28 - bit)) >> 28;
}

static inline uint32_t art_cache_scales_bytes(uint32_t rows)
{
    return rows * (uint32_t)sizeof(float);
}

#endif
