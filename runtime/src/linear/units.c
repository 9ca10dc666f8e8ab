#include "units.h"

#include "neureka/registers.h"

static uint32_t tiles(uint32_t count, uint32_t size)
{
    return (count + size - 1) / size;
}

static uint32_t align(uint32_t bytes)
{
    return tiles(bytes, ART_ALIGN_BYTES) * ART_ALIGN_BYTES;
}

uint32_t linear_codes_bytes(const struct art_engine_place *engine, uint32_t length)
{
    if (engine->mode == ART_NEUREKA_1X1) {
        return tiles(length, NEUREKA_TILE_1X1) * NEUREKA_WORD_BYTES;
    }
    return tiles(linear_channels(length), NEUREKA_TILE_3X3) * engine->bits * NEUREKA_WORD_BYTES;
}

uint32_t art_engine_groups(const struct art_engine_place *place)
{
    return place->group == 0 ? 1 : tiles(place->depth, linear_group_length(place));
}

uint32_t art_engine_row_bytes(const struct art_engine_place *place)
{
    const uint32_t length = linear_group_length(place);
    const uint32_t before = (art_engine_groups(place) - 1);

    return before * linear_codes_bytes(place, length) +
           linear_codes_bytes(place, place->depth - before * length);
}

uint32_t art_engine_page_channels(const struct art_engine_place *place, uint32_t rows)
{
    return align(rows * art_engine_row_bytes(place));
}

uint32_t art_engine_array_bytes(const struct art_engine_place *place, enum art_engine_array array,
                                uint32_t rows)
{
    if (!linear_has(place, array)) {
        return 0;
    }
    if (place->group == 0 || array >= ART_ENGINE_BIAS) {
        return 4 * rows;
    }
    return tiles(rows * art_engine_groups(place), 2) * 4;
}

uint32_t art_engine_channel_arrays(const struct art_engine_place *place)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < ART_ENGINE_ARRAYS; i++) {
        count += art_engine_array_bytes(place, (enum art_engine_array)i, 1) > 0 ? 1 : 0;
    }
    return count;
}

uint32_t art_linear_group_tokens(const struct art_linear_plan *plan, uint32_t tokens)
{
    if (plan->engine->mode == ART_NEUREKA_1X1) {
        return linear_least(tokens, ART_ENGINE_PIXEL_TOKENS);
    }
    return plan->input_bytes == 0 ? 1 : linear_least(tokens, ART_ENGINE_GRID_TOKENS);
}

uint32_t art_linear_group_pixels(const struct art_linear_plan *plan, uint32_t group_tokens)
{
    if (plan->engine->mode == ART_NEUREKA_1X1 || group_tokens == 1) {
        return group_tokens;
    }
    return group_tokens == 2 ? 4 : 16;
}

uint32_t art_linear_unit_rows(const struct art_linear_plan *plan, uint32_t tokens)
{
    const struct art_engine_place *engine = plan->engine;
    const uint32_t page = engine->memory == ART_MEMORY_L3 ? plan->slice_rows : engine->rows;
    const uint32_t band = engine->group == 0 ? engine->rows : engine->band_rows;
    const uint32_t run = linear_least(linear_least(page, band), engine->rows);
    const uint32_t most = linear_least(plan->block_rows, run);
    const uint32_t pixels = art_linear_group_pixels(plan, art_linear_group_tokens(plan, tokens));

    if (most * 4 * pixels <= plan->sums_bytes) {
        return most;
    }
    return plan->sums_bytes / (4 * pixels) / ART_ENGINE_UNIT_ROWS * ART_ENGINE_UNIT_ROWS;
}

uint32_t art_linear_group_input_bytes(const struct art_linear_plan *plan, uint32_t group_tokens)
{
    const struct art_engine_place *engine = plan->engine;
    const uint32_t image = LINEAR_TAPS * linear_channels(linear_group_length(engine));

    if (!linear_is_arranged(engine, group_tokens)) {
        return 0;
    }
    if (engine->mode == ART_NEUREKA_1X1) {
        return engine->depth * group_tokens;
    }
    return group_tokens > 2 ? ART_ENGINE_GRID_TOKENS * image : group_tokens * image;
}

uint32_t art_linear_scratch_bytes(const struct art_linear_plan *plan)
{
    if (!plan->engine) {
        return 0;
    }
    const uint32_t totals = plan->engine->group == 0 ? 0 : align(plan->sums_bytes);

    return 2 * (align(plan->sums_bytes) + align(plan->input_bytes)) + totals;
}

int32_t *linear_sums(const struct linear_call *call, const struct linear_unit *unit)
{
    return (int32_t *)(void *)(call->scratch + unit->number % 2 * align(call->plan->sums_bytes));
}

int8_t *linear_inputs(const struct linear_call *call, const struct linear_unit *unit)
{
    uint8_t *first = call->scratch + 2 * align(call->plan->sums_bytes);

    return (int8_t *)(first + unit->number % 2 * align(call->plan->input_bytes));
}

float *linear_totals(const struct linear_call *call)
{
    const struct art_linear_plan *plan = call->plan;

    return (float *)(void *)(call->scratch +
                             2 * (align(plan->sums_bytes) + align(plan->input_bytes)));
}

/* Rows that are left of a page of which the first ones, up to `row`, are done. */
static uint32_t rows_left(const struct linear_call *call, uint32_t page, uint32_t row)
{
    return linear_least(page + call->page_rows, call->plan->engine->rows) - row;
}

/* Rows of the matrix before the band that a row lies in; a page is a run of whole bands. */
static uint32_t band_start(const struct art_engine_place *engine, uint32_t row)
{
    return engine->group == 0 ? 0 : row / engine->band_rows * engine->band_rows;
}

/* One past the last row of the band. */
static uint32_t band_end(const struct art_engine_place *engine, uint32_t start)
{
    return engine->group == 0 ? engine->rows
                              : linear_least(start + engine->band_rows, engine->rows);
}

uint32_t linear_codes_offset(const struct linear_call *call, const struct linear_unit *unit)
{
    const struct art_engine_place *engine = call->plan->engine;
    const uint32_t length = linear_group_length(engine);

    if (unit->row == unit->page && unit->group == 0) {
        return 0;
    }
    if (engine->group == 0) {
        return (unit->row - unit->page) * linear_codes_bytes(engine, length);
    }
    const uint32_t start = band_start(engine, unit->row);
    const uint32_t rows = band_end(engine, start) - start;

    return (start - unit->page) * art_engine_row_bytes(engine) +
           unit->group * rows * linear_codes_bytes(engine, length) +
           (unit->row - start) * linear_codes_bytes(engine, linear_unit_length(engine, unit));
}

static void set_rows(const struct linear_call *call, struct linear_unit *unit)
{
    const struct art_engine_place *engine = call->plan->engine;
    const uint32_t band = band_end(engine, band_start(engine, unit->row)) - unit->row;
    const uint32_t left = linear_least(band, rows_left(call, unit->page, unit->row));

    unit->rows = linear_least(call->unit_rows, left);
    unit->token = 0;
    unit->tokens = linear_least(call->group_tokens, call->tokens);
}

struct linear_unit linear_first_unit(const struct linear_call *call)
{
    struct linear_unit unit = {.number = 0, .page = 0, .row = 0, .group = 0};

    set_rows(call, &unit);
    return unit;
}

/* Most calls for one token have one unit. */
static bool is_last(const struct linear_call *call, const struct linear_unit *unit)
{
    return unit->row + unit->rows == call->plan->engine->rows &&
           unit->token + unit->tokens == call->tokens && unit->group + 1 == call->groups;
}

bool linear_next_unit(const struct linear_call *call, const struct linear_unit *unit,
                      struct linear_unit *next)
{
    if (is_last(call, unit)) {
        return false;
    }
    *next = *unit;
    next->number++;
    next->group++;
    if (next->group < call->groups) {
        return true;
    }
    next->group = 0;
    next->token += unit->tokens;
    if (next->token < call->tokens) {
        next->tokens = linear_least(call->group_tokens, call->tokens - next->token);
        return true;
    }
    next->row += unit->rows;
    if (rows_left(call, next->page, next->row) == 0) {
        next->page = next->row;
    }
    set_rows(call, next);
    return true;
}

bool linear_starts_page(const struct linear_call *call, const struct linear_unit *unit)
{
    return call->plan->engine->memory == ART_MEMORY_L3 && unit->row == unit->page &&
           unit->token == 0 && unit->group == 0;
}
