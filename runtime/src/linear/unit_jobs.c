#include <stddef.h>

#include "aretusa/network.h"
#include "units.h"

enum { GRID_COLS = 6, GRID_OUT = 4, PIXEL_COLS = 6 };

/* An address of L1 or of the weight memory as the engine counts it. */
static uint32_t l1_offset(const void *address)
{
    const uint8_t *first = art_platform_memory(ART_MEMORY_L1);

    return (uint32_t)((const uint8_t *)address - first);
}

static uint32_t weight_offset(const struct art_place *codes)
{
    switch (codes->memory) {
    case ART_MEMORY_MRAM:
        return codes->offset_bytes;
    case ART_MEMORY_SRAM:
        return art_network.sram_weights_offset + codes->offset_bytes;
    default:
        art_platform_exit(ART_EXIT_ASSERT);
    }
}

/* What the shapes of a unit's jobs share. */
static struct art_neureka_shape shape_of(const struct art_engine_place *engine,
                                         const struct linear_unit *unit)
{
    const bool is_unsigned = (engine->flags & ART_ENGINE_UNSIGNED) != 0;
    const bool is_1x1 = engine->mode == ART_NEUREKA_1X1;
    const uint32_t sign = is_unsigned ? 0 : ART_NEUREKA_SIGNED;
    const uint32_t from = (engine->flags & ART_ENGINE_FROM_0) != 0 ? ART_NEUREKA_FROM_0 : 0;
    const uint32_t length = linear_unit_length(engine, unit);
    const uint32_t channels = is_1x1 ? length : linear_channels(length);

    return (struct art_neureka_shape){
        .mode = engine->mode,
        .bits = engine->bits,
        .flags = (uint8_t)(ART_NEUREKA_WEIGHT_MEMORY | ART_NEUREKA_PREFETCH | sign | from),
        .out_channels = unit->rows,
        .in_channels = channels,
        .in_pixel_bytes = is_1x1 ? engine->depth : channels,
        .out_pixel_bytes = 4 * unit->rows,
    };
}

/* The outputs that the engine makes of an image in_cols pixels wide. */
static void set_size(struct art_neureka_shape *shape, uint32_t in_cols, uint32_t out_rows,
                     uint32_t out_cols)
{
    shape->out_rows = out_rows;
    shape->out_cols = out_cols;
    shape->in_row_bytes = in_cols * shape->in_pixel_bytes;
    shape->out_row_bytes = out_cols * shape->out_pixel_bytes;
}

static uint32_t submit(const struct art_neureka_shape *shape, uint32_t weights,
                       const int8_t *inputs, const int32_t *sums)
{
    uint32_t registers[ART_NEUREKA_REGISTERS];

    art_neureka_job(shape, weights, l1_offset(inputs), l1_offset(sums), registers);
    return art_engine_submit(registers);
}

/* One token is an image of 3 x 3 pixels; more stand in a grid of 3 x 6 or 6 x 6. */
static uint32_t submit_3x3(struct art_neureka_shape *shape, uint32_t tokens, uint32_t weights,
                           const int8_t *inputs, const int32_t *sums)
{
    if (tokens == 1) {
        set_size(shape, 3, 1, 1);
    } else {
        set_size(shape, GRID_COLS, tokens == 2 ? 1 : GRID_OUT, GRID_OUT);
    }
    return submit(shape, weights, inputs, sums);
}

/* Tokens are pixels, in full rows of six and then a row of the rest: no pixel is wasted, and
 * nothing behind the last token is read. */
static uint32_t submit_1x1(struct art_neureka_shape *shape, uint32_t tokens, uint32_t weights,
                           const int8_t *inputs, const int32_t *sums)
{
    const uint32_t rest = tokens % PIXEL_COLS;
    const uint32_t full = tokens - rest;
    uint32_t job = 0;

    if (full > 0) {
        set_size(shape, PIXEL_COLS, full / PIXEL_COLS, PIXEL_COLS);
        job = submit(shape, weights, inputs, sums);
    }
    if (rest > 0) {
        set_size(shape, rest, 1, rest);
        job = submit(shape, weights, inputs + full * shape->in_pixel_bytes,
                     sums + full * shape->out_channels);
    }
    return job;
}

uint32_t linear_submit(const struct linear_call *call, const struct linear_unit *unit,
                       const struct art_place *codes)
{
    const struct art_engine_place *engine = call->plan->engine;
    const uint32_t column = unit->group * linear_group_length(engine);
    const int8_t *inputs = linear_is_arranged(engine, unit->tokens)
                               ? linear_inputs(call, unit)
                               : call->src->codes + unit->token * engine->depth + column;
    const uint32_t weights = weight_offset(codes) + linear_codes_offset(call, unit);
    struct art_neureka_shape shape = shape_of(engine, unit);

    if (engine->mode == ART_NEUREKA_1X1) {
        return submit_1x1(&shape, unit->tokens, weights, inputs, linear_sums(call, unit));
    }
    return submit_3x3(&shape, unit->tokens, weights, inputs, linear_sums(call, unit));
}
