/* The halving tree of docs/arithmetic.md, shared over cores.
 *
 * Lane l owns the elements l, l + 8, l + 16, ... of a row. Halving a row of 2^n >= 8 elements down
 * to 8 never mixes lanes, so each lane is a tree of its own, and the last three steps join the
 * lanes. Lane l belongs to core l mod cores: the sum is the same for any number of cores. */
#ifndef ARETUSA_KERNELS_TREE_SUM_H
#define ARETUSA_KERNELS_TREE_SUM_H

#include <stdint.h>

enum { ART_LANES = 8 };

/* Elements that a lane owns in a row of count. */
static inline uint32_t art_lane_count(uint32_t count, uint32_t lane)
{
    return (count + ART_LANES - 1 - lane) / ART_LANES;
}

/* The halving tree of count values, which are used up. Zeros that would pad to a power of two are
 * never added: they cannot change a sum. */
static inline float art_tree_sum(float *values, uint32_t count)
{
    uint32_t width = 1;
    while (width < count) {
        width *= 2;
    }
    for (; width > 1; width /= 2) {
        const uint32_t half = width / 2;
        for (uint32_t i = half; i < count; i++) {
            values[i - half] += values[i];
        }
        count = half;
    }
    return count > 0 ? values[0] : 0.0f;
}

/* The last three steps of the tree. */
static inline float art_join_lanes(const float *lanes)
{
    const float even = (lanes[0] + lanes[4]) + (lanes[2] + lanes[6]);
    const float odd = (lanes[1] + lanes[5]) + (lanes[3] + lanes[7]);
    return even + odd;
}

#endif
