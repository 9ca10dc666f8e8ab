#include "head_row.h"

void art_heads_quantise(const struct art_team *team, const struct art_heads_shape *shape,
                        const struct art_head_transform *transform, float *src, int8_t *codes,
                        float *scales)
{
    const uint32_t rows = shape->tokens * shape->heads;
    for (uint32_t row = team->core; row < rows; row += team->cores) {
        const uint32_t position = shape->position + row / shape->heads;
        scales[row] = art_head_row(transform, shape->dim, position, 127.0f, src + row * shape->dim,
                                   codes + row * shape->dim);
    }
}
