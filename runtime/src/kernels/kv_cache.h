/* Where the rows of a key or value cache lie; append's scratch is a cache of its tokens alone. */
#ifndef ARETUSA_KERNELS_KV_CACHE_H
#define ARETUSA_KERNELS_KV_CACHE_H

#include <stdint.h>

/* Bytes of the codes of so many rows, after which their scales start. */
static inline uint32_t art_cache_codes_bytes(uint32_t rows, uint32_t dim)
{
    return (rows * dim + 3) / 4 * 4;
}

static inline uint32_t art_cache_scales_bytes(uint32_t rows)
{
    return rows * (uint32_t)sizeof(float);
}

#endif
