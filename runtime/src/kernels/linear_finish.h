/* From integer sums to results: the float part of art_linear. */
#ifndef ARETUSA_KERNELS_LINEAR_FINISH_H
#define ARETUSA_KERNELS_LINEAR_FINISH_H

#include "float_bits.h"
#include "lanes.h"
#include "linear_parts.h"

/* totals[lane] += sums[lane] * scale + code_sum * minimum, of one group of one block. The scales
 * and minimums of the group start at index at. */
static inline void art_add_group(const struct art_matrix *matrix, uint32_t at, const int32_t *sums,
                                 int32_t code_sum, float *totals)
{
    const uint16_t *const scales = (const uint16_t *)matrix->scales + at;
    for (uint32_t lane = 0; lane < ART_BLOCK_ROWS; lane++) {
        float term = (float)sums[lane] * art_widen_half(scales[lane]);
        if (matrix->minimums) {
            term = term + (float)code_sum * art_widen_half(matrix->minimums[at + lane]);
        }
        totals[lane] += term;
    }
}

/* Bias, residual and store for the rows of a block that exist. */
static inline void art_finish_block(const struct art_linear_work *work, uint32_t block,
                                    uint32_t token, const float *values)
{
    const uint32_t first = block * ART_BLOCK_ROWS;
    const uint32_t left = work->matrix->rows - first;
    const uint32_t lanes = left < ART_BLOCK_ROWS ? left : ART_BLOCK_ROWS;
    const uint32_t at = token * work->matrix->rows + first;
    for (uint32_t lane = 0; lane < lanes; lane++) {
        float value = values[lane];
        if (work->matrix->bias) {
            value = value + work->matrix->bias[first + lane];
        }
        work->out[at + lane] = work->residual ? work->residual[at + lane] + value : value;
    }
}

#endif
