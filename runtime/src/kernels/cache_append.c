#include "head_row.h"

void art_cache_append(const struct art_team *team, const struct art_heads_shape *shape,
                      const struct art_head_transform *transform, uint32_t context, float *src,
                      int8_t *codes, float *scales)
{
    const uint32_t rows = shape->tokens * shape->heads;
    for (uint32_t row = team->core; row < rows; row += team->cores) {
        const uint32_t position = shape->position + row / shape->heads;
        const uint32_t slot = row % shape->heads * context + position;
        scales[slot] = art_head_row(transform, shape->dim, position, src + row * shape->dim,
                                    codes + slot * shape->dim);
    }
}
