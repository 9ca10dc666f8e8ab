#include "aretusa/places.h"

static uint32_t align_to(uint32_t bytes, uint32_t alignment)
{
    return (bytes + alignment - 1) / alignment * alignment;
}

static uint8_t *byte_at(uint32_t memory, uint32_t offset_bytes)
{
    return (uint8_t *)art_platform_memory((enum art_memory)memory) + offset_bytes;
}

void *art_at(const struct art_place *place)
{
    return byte_at(place->memory, place->offset_bytes);
}

struct art_matrix art_matrix_at(const struct art_matrix_place *place)
{
    const uint32_t rows = align_to(place->rows, ART_BLOCK_ROWS);
    const uint32_t groups =
        place->group == 0 ? 1 : (place->depth + place->group - 1) / place->group;
    const bool is_w4 = place->form == ART_MATRIX_W4_CHANNEL || place->form == ART_MATRIX_W4_GROUP;
    const bool has_minimums = (place->parts & ART_HAS_MINIMUMS) != 0;
    const bool has_bias = (place->parts & ART_HAS_BIAS) != 0;
    const uint32_t codes_bytes = is_w4 ? rows / 2 * place->depth : rows * place->depth;
    const uint32_t scales_bytes = place->group == 0 ? 4 * rows : 2 * rows * groups;
    const uint32_t scales_offset = align_to(codes_bytes, ART_ALIGN_BYTES);
    const uint32_t minimums_offset = align_to(scales_offset + scales_bytes, ART_ALIGN_BYTES);
    const uint32_t bias_offset =
        align_to(minimums_offset + (has_minimums ? scales_bytes : 0), ART_ALIGN_BYTES);
    const uint8_t *base = byte_at(place->memory, place->offset_bytes);

    return (struct art_matrix){
        .codes = base,
        .scales = base + scales_offset,
        .minimums = has_minimums ? (const uint16_t *)(const void *)(base + minimums_offset) : NULL,
        .bias = has_bias ? (const float *)(const void *)(base + bias_offset) : NULL,
        .rows = place->rows,
        .depth = place->depth,
        .group = place->group,
        .form = (enum art_matrix_form)place->form,
        .zero = place->zero,
    };
}

struct art_rows art_rows_at(const struct art_place *place, uint32_t rows, uint32_t depth)
{
    uint8_t *codes = byte_at(place->memory, place->offset_bytes);
    uint8_t *scales = codes + align_to(rows * depth, 4);

    return (struct art_rows){
        .codes = (int8_t *)codes,
        .scales = (float *)(void *)scales,
        .sums = (int32_t *)(void *)(scales + 4 * rows),
    };
}

int8_t *art_cache_codes_at(const struct art_place *place)
{
    return (int8_t *)byte_at(place->memory, place->offset_bytes);
}

float *art_cache_scales_at(const struct art_place *place, uint32_t heads, uint32_t context,
                           uint32_t dim)
{
    uint8_t *scales =
        byte_at(place->memory, place->offset_bytes) + align_to(heads * context * dim, 4);

    return (float *)(void *)scales;
}
