/* One head's row: norm, rotation, codes. */
#ifndef ARETUSA_KERNELS_HEAD_ROW_H
#define ARETUSA_KERNELS_HEAD_ROW_H

#include "aretusa/kernels.h"

/* Transform row [dim] in place as for a token at position. */
void art_transform_head(const struct art_head_transform *transform, uint32_t dim, uint32_t position,
                        float *row);

/* Transform row [dim] in place as for a token at position and write its codes, of magnitudes up to
 * code_max, which may be where the row is; returns their scale. */
float art_head_row(const struct art_head_transform *transform, uint32_t dim, uint32_t position,
                   float code_max, float *row, int8_t *codes);

#endif
