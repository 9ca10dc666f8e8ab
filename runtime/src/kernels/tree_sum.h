/* The halving tree of docs/arithmetic.md, shared over cores.
 *
 * Lane l owns the elements l, l + 8, l + 16, ... of a row. Halving a row of 2^n >= 8 elements down
 * to 8 never mixes lanes, so each lane is a tree of its own, and the last three steps join the
 * lanes. Which core sums up a lane does not matter: the sum is the same for any number of cores.
 * Zeros that would pad to a power of two are never added: they cannot change a sum. */
#ifndef ARETUSA_KERNELS_TREE_SUM_H
#define ARETUSA_KERNELS_TREE_SUM_H

#include <stdint.h>

enum { ART_LANES = 8 };

/* Elements that a lane owns in a row of count. */
static inline uint32_t art_lane_count(uint32_t count, uint32_t lane)
{
    return (count + ART_LANES - 1 - lane) / ART_LANES;
}

/* The smallest power of two that is no smaller than both. */
static inline uint32_t art_tree_width(uint32_t count, uint32_t least)
{
    uint32_t width = least;
    while (width < count) {
        width *= 2;
    }
    return width;
}

/* Floats of room that the halving of so many values down to `lanes` takes. */
static inline uint32_t art_tree_room(uint32_t count, uint32_t lanes)
{
    const uint32_t eighth = art_tree_width(count, 8) / 8;
    return eighth > lanes ? eighth : lanes;
}

/* Values that stand `step` apart, halved down to `lanes` (1, 2, 4 or 8) sums, which are left at the
 * start of the room. The room may be the values themselves if step is 1. */
void art_tree_halve(const float *values, uint32_t step, uint32_t count, uint32_t lanes,
                    float *room);

/* The sum of a lane's values, which are used up; 0 if there are none. */
static inline float art_lane_sum(float *values, uint32_t count)
{
    if (count == 0) {
        return 0.0f;
    }
    art_tree_halve(values, 1, count, 1, values);
    return values[0];
}

/* The last three steps of the tree. */
static inline float art_join_lanes(const float *lanes)
{
    const float even = (lanes[0] + lanes[4]) + (lanes[2] + lanes[6]);
    const float odd = (lanes[1] + lanes[5]) + (lanes[3] + lanes[7]);
    return even + odd;
}

#endif
