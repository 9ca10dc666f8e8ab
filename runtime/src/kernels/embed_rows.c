#include "embed_rows.h"

#include "float_bits.h"
#include "neureka/registers.h"

enum { TAPS = 9, GROUP_1X1 = 4 };

static int32_t block_code(const struct art_matrix *block, uint32_t lane, uint32_t k)
{
    if (block->form == ART_MATRIX_W8_CHANNEL || block->form == ART_MATRIX_W8_GROUP) {
        const int8_t *const codes = block->codes;
        return codes[k * ART_BLOCK_ROWS + lane];
    }
    const uint32_t *const codes = block->codes;
    const uint32_t nibble = codes[k] >> (4 * (lane / 2) + 16 * (lane % 2)) & 15u;
    return (int32_t)nibble - (int32_t)block->zero;
}

void art_embed_block_run(const struct art_matrix *block, uint32_t lane, uint32_t first,
                         uint32_t last, float *out)
{
    float scale;
    float minimum = 0.0f;
    if (block->group == 0) {
        scale = ((const float *)block->scales)[lane];
    } else {
        const uint32_t at = first / block->group * ART_BLOCK_ROWS + lane;
        scale = art_widen_half(((const uint16_t *)block->scales)[at]);
        minimum = block->minimums ? art_widen_half(block->minimums[at]) : 0.0f;
    }
    for (uint32_t k = first; k < last; k++) {
        const float value = (float)block_code(block, lane, k) * scale;
        out[k] = block->minimums ? value + minimum : value;
    }
}

/* Tap t of channel c is column t * channels + c; it is bit 28 * t + c mod 28 of each plane of its
 * tile. */
static uint32_t stored_3x3(const struct art_engine_place *place, const uint8_t *codes, uint32_t k)
{
    const uint32_t channels = (place->depth + TAPS - 1) / TAPS;
    const uint32_t channel = k % channels;
    const uint32_t bit = NEUREKA_TILE_3X3 * (k / channels) + channel % NEUREKA_TILE_3X3;
    const uint32_t tile_bytes = place->bits * NEUREKA_WORD_BYTES;
    const uint8_t *byte = codes + channel / NEUREKA_TILE_3X3 * tile_bytes + bit / 8;
    uint32_t stored = 0;
    for (uint32_t plane = 0; plane < place->bits; plane++, byte += NEUREKA_WORD_BYTES) {
        stored |= (uint32_t)(*byte >> bit % 8 & 1) << plane;
    }
    return stored;
}

/* Bit b of channel 4 g + j is bit 4 b + j of the g-th 32 bits. */
static uint32_t stored_1x1(const struct art_engine_place *place, const uint8_t *codes, uint32_t k)
{
    const uint8_t *const group = codes + k / GROUP_1X1 * 4;
    uint32_t stored = 0;
    for (uint32_t plane = 0; plane < place->bits; plane++) {
        const uint32_t bit = GROUP_1X1 * plane + k % GROUP_1X1;
        stored |= (uint32_t)(group[bit / 8] >> bit % 8 & 1) << plane;
    }
    return stored;
}

void art_embed_engine_run(const struct art_engine_place *place, const uint8_t *codes, float scale,
                          uint32_t first, uint32_t last, float *out)
{
    const int32_t zero = 1 << (place->bits - 1);
    for (uint32_t k = first; k < last; k++) {
        const uint32_t stored = place->mode == ART_NEUREKA_1X1 ? stored_1x1(place, codes, k)
                                                               : stored_3x3(place, codes, k);
        out[k] = (float)((int32_t)stored - zero) * scale;
    }
}
