#include "head_row.h"
#include "kv_cache.h"
#include "l1_copies.h"

uint32_t art_cache_append_scratch_bytes(const struct art_heads_shape *shape)
{
    const uint32_t rows = shape->heads * shape->tokens;
    return art_cache_codes_bytes(rows, shape->dim) + art_cache_scales_bytes(rows);
}

static void copy_to_cache(const struct art_heads_shape *shape, uint32_t context,
                          const int8_t *codes, const float *scales, const struct art_place *cache)
{
    const uint32_t row_bytes[2] = {shape->dim, art_cache_scales_bytes(1)};
    const uint32_t codes_bytes = art_cache_codes_bytes(shape->heads * context, shape->dim);
    struct art_copies copies = {0};
    for (uint32_t part = 0; part < 2; part++) { /* codes, then scales */
        const struct art_copy_rows rows = {.count = shape->heads,
                                           .bytes = shape->tokens * row_bytes[part],
                                           .stride_bytes = context * row_bytes[part],
                                           .l1_stride_bytes = shape->tokens * row_bytes[part]};
        const uint32_t start = part == 0 ? 0 : codes_bytes;
        art_copy_rows_out(&copies, part == 0 ? (const void *)codes : scales,
                          art_place_after(*cache, start + shape->position * row_bytes[part]),
                          &rows);
    }
    art_copies_wait(&copies);
}

void art_cache_append(const struct art_team *team, const struct art_heads_shape *shape,
                      const struct art_head_transform *transform, uint32_t context, float *src,
                      const struct art_place *cache, void *scratch)
{
    const uint32_t rows = shape->tokens * shape->heads;
    int8_t *const codes = scratch;
    float *const scales = (float *)(void *)(codes + art_cache_codes_bytes(rows, shape->dim));
    for (uint32_t row = team->core; row < rows; row += team->cores) {
        const uint32_t token = row / shape->heads;
        const uint32_t slot = row % shape->heads * shape->tokens + token;
        scales[slot] = art_head_row(transform, shape->dim, shape->position + token,
                                    src + row * shape->dim, codes + slot * shape->dim);
    }
    art_platform_barrier(team);
    if (team->core == 0) {
        copy_to_cache(shape, context, codes, scales, cache);
    }
}
