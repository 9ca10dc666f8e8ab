#include "code_grid.h"
#include "float_bits.h"
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

/* Codes are made where the row is. There is room for zeros behind them: a row of two elements has
 * eight bytes. Two words of codes make one of 4-bit codes, each moved by an offset modulo 16. */
static void pack(int8_t *codes, uint32_t dim, uint32_t offset, art_cache_word *packed)
{
    const uint32_t words = (dim + 7) / 8, lower = 0x0f0f0f0fu, add = 0x01010101u * offset;
    const art_cache_word *pair = (const art_cache_word *)(const void *)codes;
    for (uint32_t i = dim; i < 8 * words; i++) {
        codes[i] = 0;
    }
    for (const art_cache_word *const end = packed + words; packed != end; packed++, pair += 2) {
        const uint32_t first = ((pair[0] & lower) + add) & lower;
        *packed = first | (((pair[1] & lower) + add) & lower) << 4;
    }
}

static float append_value(const struct art_head_transform *transform, uint32_t dim,
                          uint32_t position, float *row, art_cache_word *packed)
{
    int8_t *const codes = (int8_t *)(void *)row;
    const float scale = art_head_row(transform, dim, position, 7.0f, row, codes);
    pack(codes, dim, 0, packed);
    return scale;
}

/* A scale of 20 significant bits for codes of a span of at most 15. */
static struct art_row_scale span_scale(float span)
{
    const float scale = art_row_scale(span, 14.0f).scale;
    const float moved = scale * 17.0f;
    const float shortened = moved - (moved - scale);
    if (!(scale > 0.0f)) {
        return (struct art_row_scale){0.0f, 0.0f};
    }
    return (struct art_row_scale){shortened, art_quotient(1.0f, shortened)};
}

static float append_key(const struct art_head_transform *transform, uint32_t dim, uint32_t position,
                        float *row, art_cache_word *packed)
{
    int8_t *const codes = (int8_t *)(void *)row;
    float lowest = 0.0f, highest = 0.0f;
    art_transform_head(transform, dim, position, row);
    for (uint32_t i = 0; i < dim; i++) {
        lowest = row[i] < lowest ? row[i] : lowest;
        highest = row[i] > highest ? row[i] : highest;
    }
    const struct art_row_scale unit = span_scale(highest - lowest);
    (void)art_quantise_run(row, dim, unit, codes);
    const int32_t zero = unit.scale > 0.0f ? -art_code_127(lowest, unit) : 0;
    const uint32_t stored = (uint32_t)(zero + 8) & 15; /* less 8, modulo 16 */
    pack(codes, dim, stored, packed);
    return art_float_of_bits(art_bits_of_float(unit.scale) | stored);
}

static float append_row(const struct art_heads_shape *shape,
                        const struct art_head_transform *transform, uint32_t position, float *row,
                        int8_t *to)
{
    art_cache_word *const packed = (art_cache_word *)(void *)to;
    switch (shape->form) {
    case ART_CACHE_4BIT:
        return append_value(transform, shape->dim, position, row, packed);
    case ART_CACHE_4BIT_ZEROS:
        return append_key(transform, shape->dim, position, row, packed);
    default:
        return art_head_row(transform, shape->dim, position, 127.0f, row, to);
    }
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
        scales[slot] =
            append_row(shape, transform, position, src + row * dim, codes + slot * row_bytes);
    }
    art_platform_barrier(team);
    if (team->core == 0) {
        copy_to_cache(shape, context, codes, scales, cache);
    }
}
