#include "aretusa/neureka.h"

#include "neureka/registers.h"

static uint32_t tiles(uint32_t count, uint32_t size)
{
    return (count + size - 1) / size;
}

/* Size of the last tile, 1 .. size. */
static uint32_t last(uint32_t count, uint32_t size)
{
    return (count - 1) % size + 1;
}

static uint32_t halves(uint32_t upper, uint32_t lower)
{
    return upper << 16 | lower;
}

static uint32_t flag(const struct art_neureka_shape *shape, uint32_t which, uint32_t bit)
{
    return (shape->flags & which) != 0 ? 1u << bit : 0;
}

static uint32_t config(const struct art_neureka_shape *shape)
{
    return (shape->bits - 1u) | (uint32_t)shape->mode << NEUREKA_MODE_SHIFT | NEUREKA_CONFIG_FIXED |
           flag(shape, ART_NEUREKA_WEIGHT_MEMORY, NEUREKA_WEIGHT_MEMORY_BIT) |
           flag(shape, ART_NEUREKA_PREFETCH, NEUREKA_PREFETCH_BIT) |
           flag(shape, ART_NEUREKA_SIGNED, NEUREKA_SIGNED_BIT);
}

static void set_tiles(const struct art_neureka_shape *shape, uint32_t in_size, uint32_t border,
                      uint32_t *registers)
{
    const uint32_t rows = last(shape->out_rows, NEUREKA_TILE_PIXELS);
    const uint32_t cols = last(shape->out_cols, NEUREKA_TILE_PIXELS);
    registers[NEUREKA_LAST_CHANNELS] =
        halves(last(shape->out_channels, NEUREKA_TILE_OUT), last(shape->in_channels, in_size));
    registers[NEUREKA_LAST_OUTPUT] = halves(rows, cols);
    registers[NEUREKA_LAST_INPUT] = halves(rows + border, cols + border);
    registers[NEUREKA_CHANNEL_TILES] =
        halves(tiles(shape->out_channels, NEUREKA_TILE_OUT), tiles(shape->in_channels, in_size));
    registers[NEUREKA_PIXEL_TILES] = halves(tiles(shape->out_rows, NEUREKA_TILE_PIXELS),
                                            tiles(shape->out_cols, NEUREKA_TILE_PIXELS));
}

void art_neureka_job(const struct art_neureka_shape *shape, uint32_t weights, uint32_t inputs,
                     uint32_t outputs, uint32_t registers[ART_NEUREKA_REGISTERS])
{
    const bool is_1x1 = shape->mode == ART_NEUREKA_1X1;
    const uint32_t in_size = is_1x1 ? NEUREKA_TILE_1X1 : NEUREKA_TILE_3X3;
    const uint32_t words = is_1x1 ? 1 : shape->bits; /* of one output channel and input tile */
    for (uint32_t i = 0; i < ART_NEUREKA_REGISTERS; i++) {
        registers[i] = 0;
    }
    registers[NEUREKA_WEIGHTS] = weights;
    registers[NEUREKA_INPUT] = inputs;
    registers[NEUREKA_OUTPUT] = outputs;
    registers[NEUREKA_INPUT_PIXEL_STRIDE] = shape->in_pixel_bytes;
    registers[NEUREKA_INPUT_ROW_STRIDE] = shape->in_row_bytes;
    registers[NEUREKA_OUTPUT_BEAT_STRIDE] = NEUREKA_BEAT_BYTES;
    registers[NEUREKA_OUTPUT_PIXEL_STRIDE] = shape->out_pixel_bytes;
    registers[NEUREKA_OUTPUT_ROW_STRIDE] = shape->out_row_bytes;
    registers[NEUREKA_WEIGHT_WORD_STRIDE] = NEUREKA_WORD_BYTES;
    registers[NEUREKA_WEIGHT_CHANNEL_STRIDE] =
        NEUREKA_WORD_BYTES * words * tiles(shape->in_channels, in_size);
    set_tiles(shape, in_size, is_1x1 ? 0 : NEUREKA_BORDER, registers);
    if ((shape->flags & ART_NEUREKA_FROM_0) == 0) {
        registers[NEUREKA_WEIGHT_OFFSET] = 0u - (1u << (shape->bits - 1));
    }
    registers[NEUREKA_CONFIG] = config(shape);
}
