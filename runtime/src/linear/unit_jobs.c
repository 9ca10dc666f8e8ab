#include "aretusa/network.h"
#include "neureka/registers.h"
#include "units.h"

enum { GRID_COLS = 6, GRID_OUT = 4, PIXEL_COLS = 6 };

/* Where a unit's job reads and writes, as the engine counts it. */
struct addresses {
    uint32_t weights; /* in the weight memory */
    uint32_t inputs;  /* in L1 */
    uint32_t sums;    /* alike */
};

static uint32_t weight_offset(const struct art_place *codes)
{
    if (codes->memory == ART_MEMORY_MRAM) {
        return codes->offset_bytes;
    }
    if (codes->memory != ART_MEMORY_SRAM) {
        art_platform_exit(ART_EXIT_ASSERT);
    }
    return art_network.sram_weights_offset + codes->offset_bytes;
}

static struct addresses addresses_of(const struct linear_call *call, const struct linear_unit *unit,
                                     const struct art_place *codes)
{
    const struct art_engine_place *engine = call->plan->engine;
    const int8_t *first = art_platform_memory(ART_MEMORY_L1);
    const int8_t *inputs = linear_is_arranged(engine, unit->tokens) ? linear_inputs(call, unit)
                                                                    : linear_codes(call, unit);

    return (struct addresses){
        .weights = weight_offset(codes) + linear_codes_offset(call, unit),
        .inputs = (uint32_t)(inputs - first),
        .sums = (uint32_t)((const int8_t *)linear_sums(call, unit) - first),
    };
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

/* A job whose image is in_cols pixels wide and whose outputs are so many. */
static uint32_t submit_image(const struct art_neureka_shape *common, uint32_t in_cols,
                             uint32_t out_rows, uint32_t out_cols,
                             const struct addresses *addresses)
{
    uint32_t registers[ART_NEUREKA_REGISTERS];
    struct art_neureka_shape shape = *common;

    shape.out_rows = out_rows;
    shape.out_cols = out_cols;
    shape.in_row_bytes = in_cols * shape.in_pixel_bytes;
    shape.out_row_bytes = out_cols * shape.out_pixel_bytes;
    art_neureka_job(&shape, registers);
    registers[NEUREKA_WEIGHTS] = addresses->weights;
    registers[NEUREKA_INPUT] = addresses->inputs;
    registers[NEUREKA_OUTPUT] = addresses->sums;
    return art_engine_submit(registers);
}

/* One token is an image of 3 x 3 pixels; more stand in a grid of 3 x 6 or 6 x 6. */
static uint32_t submit_3x3(const struct art_neureka_shape *shape, uint32_t tokens,
                           const struct addresses *addresses)
{
    if (tokens == 1) {
        return submit_image(shape, 3, 1, 1, addresses);
    }
    return submit_image(shape, GRID_COLS, tokens == 2 ? 1 : GRID_OUT, GRID_OUT, addresses);
}

/* Tokens are pixels, in full rows of six and then a row of the rest: no pixel is wasted, and
 * nothing behind the last token is read. */
static uint32_t submit_1x1(const struct art_neureka_shape *shape, uint32_t tokens,
                           const struct addresses *addresses)
{
    const uint32_t rest = tokens % PIXEL_COLS;
    const uint32_t full = tokens - rest;
    const struct addresses behind = {
        .weights = addresses->weights,
        .inputs = addresses->inputs + full * shape->in_pixel_bytes,
        .sums = addresses->sums + full * shape->out_pixel_bytes,
    };
    uint32_t job = 0;

    if (full > 0) {
        job = submit_image(shape, PIXEL_COLS, full / PIXEL_COLS, PIXEL_COLS, addresses);
    }
    if (rest > 0) {
        job = submit_image(shape, rest, 1, rest, &behind);
    }
    return job;
}

uint32_t linear_submit(const struct linear_call *call, const struct linear_unit *unit,
                       const struct art_place *codes)
{
    const struct addresses addresses = addresses_of(call, unit, codes);
    const struct art_neureka_shape shape = shape_of(call->plan->engine, unit);

    if (call->plan->engine->mode == ART_NEUREKA_1X1) {
        return submit_1x1(&shape, unit->tokens, &addresses);
    }
    return submit_3x3(&shape, unit->tokens, &addresses);
}
