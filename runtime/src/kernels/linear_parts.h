/* The parts of art_linear. */
#ifndef ARETUSA_KERNELS_LINEAR_PARTS_H
#define ARETUSA_KERNELS_LINEAR_PARTS_H

#include "aretusa/kernels.h"
#include "lanes.h"

/* One call of art_linear, and the blocks of it that belong to this core. */
struct art_linear_work {
    const struct art_matrix *matrix;
    const struct art_rows *src;
    const float *residual;
    float *out;
    uint32_t tokens;
    uint32_t stride; /* from a token's results to the next one's */
    uint32_t first_block;
    uint32_t last_block; /* one past */
    uint32_t runs;       /* sums of a row of src */
    uint32_t length;     /* of a group; the depth for channel forms */
    uint32_t groups;
};

void art_linear_w8(const struct art_linear_work *work);
void art_linear_nm(const struct art_linear_work *work); /* only some columns are stored */
void art_linear_w4(const struct art_linear_work *work);

/* From a block's terms (shrunk as in linear_finish.h unless the scales are per channel) to results:
 * apply scale, bias and residual, and store the rows of the block that exist. */
void art_finish_block(const struct art_linear_work *work, uint32_t block, uint32_t token,
                      const struct art_float_lanes *terms);

#endif
