#include "head_row.h"
#include "kv_cache.h"
#include "l1_copies.h"

uint32_t art_cache_append_scratch_bytes(const struct art_heads_shape *shape)
{
    const uint32_t rows = shape->heads * shape->tokens;
    return art_cache_codes_bytes(rows, art_cache_row_bytes(shape->dim, shape->form)) +
           art_cache_scales_bytes(rows);
}

static void copy_to_cache(const struct art_heads_shape *shape, uint32_t context,
                          const int8_t *codes, const float *scales, const struct art_place *cache)
{
    const uint32_t row_bytes[2] = {art_cache_row_bytes(shape->dim, shape->form),
                                   art_cache_scales_bytes(1)};
    const uint32_t codes_bytes = art_cache_codes_bytes(shape->heads * context, row_bytes[0]);
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

/* Two words of int8 codes make one of 4-bit codes. */
static void pack(const float *row, uint32_t words, art_cache_word *packed)
{
    const art_cache_word *codes = (const art_cache_word *)(const void *)row;
    for (const art_cache_word *const end = packed + words; packed != end; packed++, codes += 2) {
        *packed = (codes[0] & 0x0f0f0f0fu) | (codes[1] & 0x0f0f0f0fu) << 4;
    }
}

/* Codes are made where the row is, and there is room for zeros behind them: a row of two elements
 * has eight bytes. */
static float append_4bit(const struct art_head_transform *transform, uint32_t dim,
                         uint32_t position, float *row, int8_t *packed)
{
    int8_t *const codes = (int8_t *)(void *)row;
    const uint32_t words = (dim + 7) / 8;
    const float scale = art_head_row(transform, dim, position, 7.0f, row, codes);
    for (uint32_t i = dim; i < 8 * words; i++) {
        codes[i] = 0;
    }
    pack(row, words, (art_cache_word *)(void *)packed);
    return scale;
}

void art_cache_append(const struct art_team *team, const struct art_heads_shape *shape,
                      const struct art_head_transform *transform, uint32_t context, float *src,
                      const struct art_place *cache, void *scratch)
{
    const uint32_t rows = shape->tokens * shape->heads;
    const uint32_t dim = shape->dim;
    const uint32_t row_bytes = art_cache_row_bytes(dim, shape->form);
    int8_t *const codes = scratch;
    float *const scales = (float *)(void *)(codes + art_cache_codes_bytes(rows, row_bytes));
    for (uint32_t row = team->core; row < rows; row += team->cores) {
        const uint32_t token = row / shape->heads;
        const uint32_t position = shape->position + token;
        const uint32_t slot = row % shape->heads * shape->tokens + token;
        float *const from = src + row * dim;
        int8_t *const to = codes + slot * row_bytes;
        scales[slot] = shape->form == ART_CACHE_4BIT
                           ? append_4bit(transform, dim, position, from, to)
                           : art_head_row(transform, dim, position, 127.0f, from, to);
    }
    art_platform_barrier(team);
    if (team->core == 0) {
        copy_to_cache(shape, context, codes, scales, cache);
    }
}
