#include <stddef.h>

#include "units.h"

/* The pixel of each token of a grid. */
static const uint8_t grid_pixels[ART_ENGINE_GRID_TOKENS] = {0, 3, 12, 15};

static const uint8_t *pixels_of(const struct art_engine_place *engine)
{
    return engine->mode == ART_NEUREKA_3X3 ? grid_pixels : NULL;
}

/* The arrays of a unit's rows; null where there is none. */
struct arrays {
    const void *first[ART_ENGINE_ARRAYS];
};

static struct arrays arrays_of(const struct linear_call *call, const struct linear_unit *unit,
                               const struct art_place *page)
{
    const struct art_engine_place *engine = call->plan->engine;
    const uint32_t rows = linear_least(call->page_rows, engine->rows - unit->page);
    struct art_place place = engine->channels;
    struct arrays arrays = {{NULL}};

    if (engine->memory == ART_MEMORY_L3) {
        place = *page;
        place.offset_bytes += art_engine_page_channels(engine, rows);
    }
    const uint8_t *at = art_at(&place);

    for (uint32_t i = 0; i < ART_ENGINE_ARRAYS; i++) {
        const enum art_engine_array array = (enum art_engine_array)i;

        if (linear_has(engine, array)) {
            arrays.first[i] = at + art_engine_array_bytes(engine, array, unit->row - unit->page);
            at += art_engine_array_bytes(engine, array, rows);
        }
    }
    return arrays;
}

static void finish_whole(const struct art_team *team, const struct linear_call *call,
                         const struct linear_unit *unit, const struct arrays *arrays,
                         const float *residual, float *out)
{
    const struct art_sums sums = {
        .sums = linear_sums(call, unit),
        .pixels = pixels_of(call->plan->engine),
        .scales = arrays->first[ART_ENGINE_SCALES],
        .bias = arrays->first[ART_ENGINE_BIAS],
        .corrections = arrays->first[ART_ENGINE_CORRECTIONS],
        .rows = unit->rows,
    };

    art_finish_sums(team, &sums, call->src->scales + unit->token, unit->tokens, call->plan->rows,
                    residual, out);
}

/* Where the numbers of the unit's group start among those of its first row. */
static const uint16_t *of_group(const void *array, const struct linear_unit *unit)
{
    return array ? (const uint16_t *)array + unit->group : NULL;
}

static void add_group(const struct art_team *team, const struct linear_call *call,
                      const struct linear_unit *unit, const struct arrays *arrays)
{
    const struct art_engine_place *engine = call->plan->engine;
    const uint32_t runs = (engine->depth + ART_SUM_RUN - 1) / ART_SUM_RUN;
    const uint32_t length = linear_unit_length(engine, unit);
    const struct art_group_sums sums = {
        .sums = linear_sums(call, unit),
        .pixels = pixels_of(engine),
        .scales = of_group(arrays->first[ART_ENGINE_SCALES], unit),
        .minimums = of_group(arrays->first[ART_ENGINE_MINIMUMS], unit),
        .code_sums = call->src->sums + unit->token * runs +
                     unit->group * (linear_group_length(engine) / ART_SUM_RUN),
        .code_runs = (length + ART_SUM_RUN - 1) / ART_SUM_RUN,
        .code_runs_stride = runs,
        .rows = unit->rows,
        .groups = call->groups,
        .has_zeros = (engine->flags & ART_ENGINE_HAS_ZEROS) != 0,
        .is_first = unit->group == 0,
    };

    art_add_group_sums(team, &sums, unit->tokens, linear_totals(call));
}

void linear_finish(const struct art_team *team, const struct linear_call *call,
                   const struct linear_unit *unit, const struct art_place *page)
{
    const uint32_t at = unit->token * call->plan->rows + unit->row;
    const float *residual = call->residual ? call->residual + at : NULL;
    const struct arrays arrays = arrays_of(call, unit, page);

    if (call->plan->engine->group == 0) {
        finish_whole(team, call, unit, &arrays, residual, call->out + at);
        return;
    }
    add_group(team, call, unit, &arrays);
    if (unit->group + 1 == call->groups) {
        const struct art_totals totals = {
            .totals = linear_totals(call),
            .bias = arrays.first[ART_ENGINE_BIAS],
            .rows = unit->rows,
        };
        art_finish_totals(team, &totals, call->src->scales + unit->token, unit->tokens,
                          call->plan->rows, residual, call->out + at);
    }
}
