/* The engine's part of a linear layer, unit after unit. */
#ifndef ARETUSA_LINEAR_UNITS_H
#define ARETUSA_LINEAR_UNITS_H

#include <stdbool.h>

#include "aretusa/engine.h"

enum { LINEAR_TAPS = 9 };

/* One call of art_linear_planned. */
struct linear_call {
    const struct art_linear_plan *plan;
    const struct art_rows *src;
    uint32_t tokens;
    const float *residual;
    uint8_t *scratch;
    float *out;
    uint32_t group_tokens;
    uint32_t page_rows; /* of a page that is not the last; all rows where they are resident */
    uint32_t unit_rows;
    uint32_t groups; /* of the depth */
};

/* Rows are counted from the engine's first one. */
struct linear_unit {
    uint32_t number; /* number % 2 is its buffer */
    uint32_t page;
    uint32_t row;
    uint32_t rows;
    uint32_t token;
    uint32_t tokens;
    uint32_t group; /* of the depth */
};

static inline uint32_t linear_least(uint32_t one, uint32_t other)
{
    return one < other ? one : other;
}

/* Channels of the 3 x 3 pixels that so many codes fill. */
static inline uint32_t linear_channels(uint32_t length)
{
    return (length + LINEAR_TAPS - 1) / LINEAR_TAPS;
}

/* Whether a place has such an array. */
static inline bool linear_has(const struct art_engine_place *place, enum art_engine_array array)
{
    switch (array) {
    case ART_ENGINE_MINIMUMS:
        return (place->flags & ART_ENGINE_HAS_MINIMUMS) != 0;
    case ART_ENGINE_BIAS:
        return (place->flags & ART_ENGINE_HAS_BIAS) != 0;
    case ART_ENGINE_CORRECTIONS:
        return (place->flags & ART_ENGINE_UNSIGNED) != 0;
    default:
        return true;
    }
}

/* Columns of a group that is not the last. */
static inline uint32_t linear_group_length(const struct art_engine_place *engine)
{
    return engine->group == 0 ? engine->depth : linear_least(engine->group, engine->depth);
}

/* Columns of the unit's group. */
static inline uint32_t linear_unit_length(const struct art_engine_place *engine,
                                          const struct linear_unit *unit)
{
    const uint32_t length = linear_group_length(engine);

    return linear_least(length, engine->depth - unit->group * length);
}

/* The codes of the unit's first token and group. */
static inline const int8_t *linear_codes(const struct linear_call *call,
                                         const struct linear_unit *unit)
{
    const struct art_engine_place *engine = call->plan->engine;

    return call->src->codes + unit->token * engine->depth +
           unit->group * linear_group_length(engine);
}

/* Bytes of a row's codes of so many columns. */
uint32_t linear_codes_bytes(const struct art_engine_place *engine, uint32_t length);

/* Where a unit's codes start, from the first byte of its page. */
uint32_t linear_codes_offset(const struct linear_call *call, const struct linear_unit *unit);

/* The first unit. */
struct linear_unit linear_first_unit(const struct linear_call *call);

/* The unit after this one; false behind the last. */
bool linear_next_unit(const struct linear_call *call, const struct linear_unit *unit,
                      struct linear_unit *next);

/* Whether it is the first unit of its page. */
bool linear_starts_page(const struct linear_call *call, const struct linear_unit *unit);

/* From one buffer of sums to the other. */
static inline uint32_t linear_sums_step(const struct art_linear_plan *plan)
{
    return (plan->sums_bytes + ART_ALIGN_BYTES - 1) / ART_ALIGN_BYTES * ART_ALIGN_BYTES;
}

/* Where a unit's sums lie. */
int32_t *linear_sums(const struct linear_call *call, const struct linear_unit *unit);

/* Where the terms of the depth's groups are added up. */
float *linear_totals(const struct linear_call *call);

/* Where a unit's arranged inputs lie. */
int8_t *linear_inputs(const struct linear_call *call, const struct linear_unit *unit);

/* Whether the engine reads the inputs of such a group from their buffer. */
static inline bool linear_is_arranged(const struct art_engine_place *engine, uint32_t tokens)
{
    return (engine->flags & ART_ENGINE_UNSIGNED) != 0 ||
           (engine->mode == ART_NEUREKA_3X3 && tokens > 1);
}

/* Put the inputs of a unit that reads them from its buffer there, if they are not there yet. Every
 * core does a share. */
void linear_arrange(const struct art_team *team, const struct linear_call *call,
                    const struct linear_unit *unit);

/* Queue the jobs of a unit; its codes lie at `codes`. Returns the last job's number. */
uint32_t linear_submit(const struct linear_call *call, const struct linear_unit *unit,
                       const struct art_place *codes);

/* Results of a unit's sums; its page lies at `page`, which is not read for resident codes. */
void linear_finish(const struct art_team *team, const struct linear_call *call,
                   const struct linear_unit *unit, const struct art_place *page);

/* Whether it is one token whose jobs the compiler has prepared. */
static inline bool linear_is_one_token(const struct linear_call *call)
{
    return call->tokens == 1 && call->plan->engine->prepared != 0;
}

/* All units of such a call, and the cluster's part while the first one runs. */
void linear_one_token(const struct art_team *team, const struct linear_call *call);

/* The cluster's part: tile after tile. */
void linear_tiles(const struct art_team *team, const struct linear_call *call);

#endif
