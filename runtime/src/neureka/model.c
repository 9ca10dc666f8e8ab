#include "neureka/model.h"

#include <stddef.h>

#include "neureka/registers.h"

static bool is_known(const uint32_t *registers)
{
    static const uint8_t zero[] = {NEUREKA_SCALE,          NEUREKA_SHIFT,           NEUREKA_BIAS,
                                   NEUREKA_INPUT_STRIDE_2, NEUREKA_WEIGHT_STRIDE_2, NEUREKA_PADDING,
                                   NEUREKA_FILTER_MASK};
    for (size_t i = 0; i < sizeof zero; i++) {
        if (registers[zero[i]] != 0) {
            return false;
        }
    }
    const uint32_t free_bits =
        (uint32_t)NEUREKA_BITS_MASK | (uint32_t)ART_NEUREKA_1X1 << NEUREKA_MODE_SHIFT |
        1u << NEUREKA_WEIGHT_MEMORY_BIT | 1u << NEUREKA_PREFETCH_BIT | 1u << NEUREKA_SIGNED_BIT;
    return (registers[NEUREKA_CONFIG] & ~free_bits) == NEUREKA_CONFIG_FIXED &&
           registers[NEUREKA_OUTPUT_BEAT_STRIDE] == NEUREKA_BEAT_BYTES &&
           registers[NEUREKA_WEIGHT_WORD_STRIDE] == NEUREKA_WORD_BYTES;
}

/* Tiles in one half of `counts`, the last one as long as that half of `lasts`; 0 if impossible. */
static uint32_t count(uint32_t counts, uint32_t lasts, uint32_t half, uint32_t size)
{
    const uint32_t tiles = counts >> half & 0xFFFFu;
    const uint32_t last = lasts >> half & 0xFFFFu;
    return tiles == 0 || last == 0 || last > size ? 0 : (tiles - 1) * size + last;
}

/* The sizes; false if one is impossible. */
static bool decode(const uint32_t *registers, struct neureka_job *job)
{
    const uint32_t config = registers[NEUREKA_CONFIG];
    const uint32_t channel_tiles = registers[NEUREKA_CHANNEL_TILES];
    const uint32_t pixel_tiles = registers[NEUREKA_PIXEL_TILES];
    const uint32_t last_channels = registers[NEUREKA_LAST_CHANNELS];
    const uint32_t last_output = registers[NEUREKA_LAST_OUTPUT];
    job->is_1x1 = (config >> NEUREKA_MODE_SHIFT & 3u) == ART_NEUREKA_1X1;
    job->sign = (config >> NEUREKA_SIGNED_BIT & 1u) != 0 ? 128 : 0;
    job->bits = (config & NEUREKA_BITS_MASK) + 1;
    job->in_tiles = channel_tiles & 0xFFFFu;
    job->out_channels = count(channel_tiles, last_channels, 16, NEUREKA_TILE_OUT);
    job->in_channels =
        count(channel_tiles, last_channels, 0, job->is_1x1 ? NEUREKA_TILE_1X1 : NEUREKA_TILE_3X3);
    job->out_rows = count(pixel_tiles, last_output, 16, NEUREKA_TILE_PIXELS);
    job->out_cols = count(pixel_tiles, last_output, 0, NEUREKA_TILE_PIXELS);
    job->in_pixel_bytes = registers[NEUREKA_INPUT_PIXEL_STRIDE];
    job->in_row_bytes = registers[NEUREKA_INPUT_ROW_STRIDE];
    job->out_pixel_bytes = registers[NEUREKA_OUTPUT_PIXEL_STRIDE];
    job->out_row_bytes = registers[NEUREKA_OUTPUT_ROW_STRIDE];
    job->channel_bytes = registers[NEUREKA_WEIGHT_CHANNEL_STRIDE];
    job->weight_offset = registers[NEUREKA_WEIGHT_OFFSET];
    const uint32_t words = (job->is_1x1 ? 1 : job->bits) * job->in_tiles;
    return job->out_channels > 0 && job->in_channels > 0 && job->out_rows > 0 &&
           job->out_cols > 0 && job->channel_bytes == words * NEUREKA_WORD_BYTES &&
           (job->weight_offset == 0 || job->weight_offset == 0u - (1u << (job->bits - 1)));
}

static bool fits(uint64_t first, uint64_t bytes, uint64_t size)
{
    return first <= size && bytes <= size - first;
}

/* Bytes of rows x cols pixels, the last one being pixel_bytes long. */
static uint64_t extent(uint64_t rows, uint64_t row_bytes, uint64_t cols, uint64_t col_bytes,
                       uint64_t pixel_bytes)
{
    return (rows - 1) * row_bytes + (cols - 1) * col_bytes + pixel_bytes;
}

static const uint8_t *weights(const uint32_t *registers, uint64_t bytes,
                              const struct art_neureka_memories *memories)
{
    const uint32_t first = registers[NEUREKA_WEIGHTS];
    if ((registers[NEUREKA_CONFIG] >> NEUREKA_WEIGHT_MEMORY_BIT & 1u) == 0) {
        const uint32_t offset = first & NEUREKA_L1_MASK;
        return fits(offset, bytes, memories->l1_bytes) ? memories->l1 + offset : NULL;
    }
    if (first < memories->mram_bytes) {
        return fits(first, bytes, memories->mram_bytes) ? memories->mram + first : NULL;
    }
    const uint32_t offset = first - memories->mram_bytes;
    return fits(offset, bytes, memories->sram_bytes) ? memories->sram + offset : NULL;
}

/* The addresses; false if one leaves its memory. */
static bool locate(const uint32_t *registers, const struct art_neureka_memories *memories,
                   struct neureka_job *job)
{
    const uint32_t border = job->is_1x1 ? 0 : NEUREKA_BORDER;
    const uint32_t input = registers[NEUREKA_INPUT] & NEUREKA_L1_MASK;
    const uint32_t output = registers[NEUREKA_OUTPUT] & NEUREKA_L1_MASK;
    const uint64_t input_bytes =
        extent(job->out_rows + border, job->in_row_bytes, job->out_cols + border,
               job->in_pixel_bytes, job->in_channels);
    const uint64_t output_bytes =
        extent(job->out_rows, job->out_row_bytes, job->out_cols, job->out_pixel_bytes,
               (uint64_t)job->out_channels * sizeof(int32_t));
    const uint32_t alignment = output | job->out_row_bytes | job->out_pixel_bytes;
    job->weights = weights(registers, (uint64_t)job->out_channels * job->channel_bytes, memories);
    job->inputs = memories->l1 + input;
    job->outputs = memories->l1 + output;
    return job->weights != NULL && fits(input, input_bytes, memories->l1_bytes) &&
           fits(output, output_bytes, memories->l1_bytes) && alignment % sizeof(int32_t) == 0 &&
           registers[NEUREKA_WEIGHTS] % NEUREKA_WORD_BYTES == 0;
}

bool art_neureka_model_run(const uint32_t registers[ART_NEUREKA_REGISTERS],
                           const struct art_neureka_memories *memories,
                           const struct art_neureka_share *share)
{
    struct neureka_job job;
    if (!is_known(registers) || !decode(registers, &job) || !locate(registers, memories, &job) ||
        share->first_channel > share->last_channel || share->last_channel > job.out_channels ||
        share->step == 0) {
        return false;
    }
    if (job.is_1x1) {
        neureka_run_1x1(&job, share);
    } else {
        neureka_run_3x3(&job, share);
    }
    return true;
}
