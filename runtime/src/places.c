#include "aretusa/places.h"

static uint32_t align_to(uint32_t bytes, uint32_t alignment)
{
    return (bytes + alignment - 1) / alignment * alignment;
}

static uint8_t *byte_at(uint32_t memory, uint32_t offset_bytes)
{
    return (uint8_t *)art_platform_memory((enum art_memory)memory) + offset_bytes;
}

static uint32_t codes_bytes(const struct art_matrix_place *place, uint32_t stored, bool is_w4)
{
    if (place->columns != 0) {
        return stored / ART_BLOCK_ROWS *
               art_kept_block_bytes(place->depth, is_w4, place->kept, place->columns);
    }
    return is_w4 ? stored / 2 * place->depth : stored * place->depth;
}

struct art_matrix_layout art_matrix_layout(const struct art_matrix_place *place, uint32_t rows)
{
    const uint32_t stored = align_to(rows, ART_BLOCK_ROWS);
    const uint32_t groups =
        place->group == 0 ? 1 : (place->depth + place->group - 1) / place->group;
    const bool is_w4 = place->form == ART_MATRIX_W4_CHANNEL || place->form == ART_MATRIX_W4_GROUP;
    const uint32_t scales_bytes = place->group == 0 ? 4 * stored : 2 * stored * groups;
    struct art_matrix_layout layout = {
        .bytes = {
            [ART_PART_CODES] = codes_bytes(place, stored, is_w4),
            [ART_PART_SCALES] = scales_bytes,
            [ART_PART_MINIMUMS] = (place->parts & ART_HAS_MINIMUMS) != 0 ? scales_bytes : 0,
            [ART_PART_BIAS] = (place->parts & ART_HAS_BIAS) != 0 ? 4 * stored : 0,
        }};
    uint32_t end = 0;

    for (uint32_t part = 0; part < ART_PART_COUNT; part++) {
        layout.offset[part] = align_to(end, ART_ALIGN_BYTES);
        end = layout.offset[part] + layout.bytes[part];
    }
    return layout;
}

struct art_matrix art_matrix_at(const struct art_matrix_place *place)
{
    const struct art_matrix_layout layout = art_matrix_layout(place, place->rows);
    const uint8_t *base = byte_at(place->memory, place->offset_bytes);
    const void *minimums = base + layout.offset[ART_PART_MINIMUMS];
    const void *bias = base + layout.offset[ART_PART_BIAS];

    return (struct art_matrix){
        .codes = base,
        .scales = base + layout.offset[ART_PART_SCALES],
        .minimums = layout.bytes[ART_PART_MINIMUMS] > 0 ? minimums : NULL,
        .bias = layout.bytes[ART_PART_BIAS] > 0 ? bias : NULL,
        .rows = place->rows,
        .depth = place->depth,
        .group = place->group,
        .form = (enum art_matrix_form)place->form,
        .zero = place->zero,
        .has_zeros = (place->parts & ART_HAS_ZEROS) != 0,
        .kept = place->kept,
        .columns = place->columns,
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
