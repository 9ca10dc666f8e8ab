/* The parts of art_linear. */
#ifndef ARETUSA_KERNELS_LINEAR_PARTS_H
#define ARETUSA_KERNELS_LINEAR_PARTS_H

#include "aretusa/kernels.h"

/* One call of art_linear, and the blocks of it that belong to this core. */
struct art_linear_work {
    const struct art_matrix *matrix;
    const struct art_rows *src;
    const float *residual;
    float *out;
    uint32_t tokens;
    uint32_t first_block;
    uint32_t last_block; /* one past */
    uint32_t runs;       /* sums of a row of src */
    uint32_t length;     /* of a group; the depth for channel forms */
    uint32_t groups;
};

void art_linear_w8(const struct art_linear_work *work);
void art_linear_w4(const struct art_linear_work *work);

#endif
