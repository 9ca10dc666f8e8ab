#include "aretusa/neureka.h"

#include "neureka/registers.h"

/* Tiles along one dimension. */
struct cut {
    uint32_t tiles;
    uint32_t last; /* size of the last tile, 1 .. size */
};

/* Inlined with a constant size, so that nothing is divided: core 0 makes an image for each job. */
static inline struct cut cut(uint32_t count, uint32_t size)
{
    const uint32_t whole = (count - 1) / size;

    return (struct cut){.tiles = whole + 1, .last = count - whole * size};
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

void art_neureka_job(const struct art_neureka_shape *shape,
                     uint32_t registers[ART_NEUREKA_REGISTERS])
{
    const bool is_1x1 = shape->mode == ART_NEUREKA_1X1;
    const uint32_t words = is_1x1 ? 1 : shape->bits; /* of one output channel and input tile */
    const uint32_t border = is_1x1 ? 0 : NEUREKA_BORDER;
    const bool is_from_0 = (shape->flags & ART_NEUREKA_FROM_0) != 0;
    const struct cut in = is_1x1 ? cut(shape->in_channels, NEUREKA_TILE_1X1)
                                 : cut(shape->in_channels, NEUREKA_TILE_3X3);
    const struct cut out = cut(shape->out_channels, NEUREKA_TILE_OUT);
    const struct cut rows = cut(shape->out_rows, NEUREKA_TILE_PIXELS);
    const struct cut cols = cut(shape->out_cols, NEUREKA_TILE_PIXELS);

    registers[NEUREKA_SCALE] = 0;
    registers[NEUREKA_SHIFT] = 0;
    registers[NEUREKA_BIAS] = 0;
    registers[NEUREKA_INPUT_PIXEL_STRIDE] = shape->in_pixel_bytes;
    registers[NEUREKA_INPUT_ROW_STRIDE] = shape->in_row_bytes;
    registers[NEUREKA_INPUT_STRIDE_2] = 0;
    registers[NEUREKA_OUTPUT_BEAT_STRIDE] = NEUREKA_BEAT_BYTES;
    registers[NEUREKA_OUTPUT_PIXEL_STRIDE] = shape->out_pixel_bytes;
    registers[NEUREKA_OUTPUT_ROW_STRIDE] = shape->out_row_bytes;
    registers[NEUREKA_WEIGHT_WORD_STRIDE] = NEUREKA_WORD_BYTES;
    registers[NEUREKA_WEIGHT_CHANNEL_STRIDE] = NEUREKA_WORD_BYTES * words * in.tiles;
    registers[NEUREKA_WEIGHT_STRIDE_2] = 0;
    registers[NEUREKA_LAST_CHANNELS] = halves(out.last, in.last);
    registers[NEUREKA_LAST_OUTPUT] = halves(rows.last, cols.last);
    registers[NEUREKA_LAST_INPUT] = halves(rows.last + border, cols.last + border);
    registers[NEUREKA_CHANNEL_TILES] = halves(out.tiles, in.tiles);
    registers[NEUREKA_PIXEL_TILES] = halves(rows.tiles, cols.tiles);
    registers[NEUREKA_PADDING] = 0;
    registers[NEUREKA_WEIGHT_OFFSET] = is_from_0 ? 0 : 0u - (1u << (shape->bits - 1));
    registers[NEUREKA_FILTER_MASK] = 0;
    registers[NEUREKA_CONFIG] = config(shape);
}
