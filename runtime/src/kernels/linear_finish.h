/* From integer sums to results: the float part of art_linear. */
#ifndef ARETUSA_KERNELS_LINEAR_FINISH_H
#define ARETUSA_KERNELS_LINEAR_FINISH_H

#include "float_bits.h"
#include "lanes.h"
#include "linear_parts.h"

/* The scales and minimums, or zero points, of one group of one block. */
struct art_group {
    const uint16_t *scales;   /* null for channel forms, which are one group of the whole depth */
    const uint16_t *minimums; /* null for none */
    bool has_zeros;           /* minimums are int16 zero points */
};

ART_INLINE struct art_group art_first_group(const struct art_linear_work *work, uint32_t block)
{
    const struct art_matrix *const matrix = work->matrix;
    const uint32_t at = block * work->groups * ART_BLOCK_ROWS;
    return (struct art_group){matrix->group ? (const uint16_t *)matrix->scales + at : 0,
                              matrix->minimums ? matrix->minimums + at : 0, matrix->has_zeros};
}

ART_INLINE struct art_group art_next_group(struct art_group group)
{
    group.scales = group.scales ? group.scales + ART_BLOCK_ROWS : 0;
    group.minimums = group.minimums ? group.minimums + ART_BLOCK_ROWS : 0;
    return group;
}

/* What the terms are added to: -0 plus anything is that thing, so the first term enters unchanged.
 */
ART_INLINE struct art_float_lanes art_no_terms(void)
{
    struct art_float_lanes totals;
#define ART_CLEAR(i) totals.lane[i] = -0.0f;
    ART_EACH_LANE(ART_CLEAR)
#undef ART_CLEAR
    return totals;
}

/* totals + the terms of one group, sums * scale + code_sum * minimum or (sums - code_sum * zero
 * point) * scale, all of it shrunk by 2^112, which spares a multiplication for each scale. Without
 * scales: the sums themselves. Sums less the share of a zero point stay below 2^24.
 *
 * Shrinking changes no bit. A shrunk scale is a multiple of 2^-136, so a product with an integer or
 * a sum that is subnormal needs no rounding, just as its counterpart, which is a small multiple of
 * 2^-24; and what is normal is rounded alike. Nothing overflows: terms stay below 2^38. */
ART_INLINE struct art_float_lanes art_add_terms(struct art_float_lanes totals,
                                                struct art_int_lanes sums, int32_t code_sum,
                                                struct art_group group)
{
#define ART_TERM(i) ((float)sums.lane[i] * art_shrunk_half(group.scales[i]))
    if (!group.scales) {
#define ART_CONVERT(i) totals.lane[i] = (float)sums.lane[i];
        ART_EACH_LANE(ART_CONVERT)
#undef ART_CONVERT
    } else if (group.minimums && group.has_zeros) {
        const int16_t *const zeros = (const int16_t *)group.minimums;
#define ART_ADD_TERM(i)                                                                            \
    totals.lane[i] +=                                                                              \
        (float)(sums.lane[i] - zeros[i] * code_sum) * art_shrunk_half(group.scales[i]);
        ART_EACH_LANE(ART_ADD_TERM)
#undef ART_ADD_TERM
    } else if (group.minimums) {
        const float codes = (float)code_sum;
#define ART_ADD_TERM(i) totals.lane[i] += ART_TERM(i) + codes * art_shrunk_half(group.minimums[i]);
        ART_EACH_LANE(ART_ADD_TERM)
#undef ART_ADD_TERM
    } else {
#define ART_ADD_TERM(i) totals.lane[i] += ART_TERM(i);
        ART_EACH_LANE(ART_ADD_TERM)
#undef ART_ADD_TERM
    }
#undef ART_TERM
    return totals;
}

/* Hand a block's terms over. The copy lets totals itself live in registers. */
ART_INLINE void art_finish(const struct art_linear_work *work, uint32_t block, uint32_t token,
                           struct art_float_lanes totals)
{
    struct art_float_lanes terms;
#define ART_COPY(i) terms.lane[i] = totals.lane[i];
    ART_EACH_LANE(ART_COPY)
#undef ART_COPY
    art_finish_block(work, block, token, &terms);
}

#endif
