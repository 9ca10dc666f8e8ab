#include "attention_rows.h"
#include "attention_steps.h"
#include "exp.h"
#include "kv_cache.h"
#include "tree_sum.h"

/* Room of one core for the halving of a row, or a part of it. */
static uint32_t tree_room(const struct art_attention_shape *shape)
{
    return art_tree_room(shape->context, ART_LANES);
}

static uint32_t tile_bytes(const struct art_attention_shape *shape)
{
    const uint32_t keys = art_cache_row_bytes(shape->dim, shape->key_form);
    const uint32_t values = art_cache_row_bytes(shape->dim, shape->value_form);
    return shape->tile_positions * ((keys > values ? keys : values) + (uint32_t)sizeof(float));
}

/* Words of the scratch before the tiles. */
static uint32_t words_of(const struct art_attention_shape *shape, uint32_t rows)
{
    const uint32_t trees = ART_CORES_MAX * tree_room(shape);
    const uint32_t sums = rows * shape->dim;
    return rows * (shape->context + 3 * ART_LANES + 1) + ART_EXP_STEPS +
           (sums > trees ? sums : trees);
}

uint32_t art_attention_scratch_bytes(const struct art_attention_shape *shape)
{
    const uint32_t all = shape->tokens * shape->kv_heads;
    const uint32_t rows =
        art_smaller(art_attention_room(shape), all) * (shape->heads / shape->kv_heads);
    return words_of(shape, rows) * (uint32_t)sizeof(float) + 2 * tile_bytes(shape);
}

static void cut_scratch(struct attention *attention, float *room)
{
    const struct art_attention_shape *const shape = attention->call.shape;
    struct attention_call *const call = &attention->call;
    struct attention_scratch *const scratch = &attention->scratch;
    const uint32_t rows = call->pass_heads * call->pass_tokens * attention->repeat;
    scratch->scores = room;
    scratch->largest = scratch->scores + rows * shape->context;
    scratch->totals = scratch->largest + rows * ART_LANES;
    scratch->scaled = scratch->totals + rows * ART_LANES;
    scratch->factors = scratch->scaled + rows * ART_LANES;
    scratch->powers = scratch->factors + rows;
    scratch->tree = scratch->powers + ART_EXP_STEPS;
    scratch->sums = (int32_t *)(void *)scratch->tree;
    call->tiles[0] = (uint8_t *)(room + words_of(shape, rows));
    call->tiles[1] = call->tiles[0] + call->tile_bytes;
}

static void run_step(const struct art_team *team, const struct attention *attention,
                     const struct attention_step *step)
{
    switch (step->part) {
    case STEP_KEYS:
        art_attention_keys(team, attention, step);
        break;
    case STEP_VALUE_SCALES:
        art_attention_value_scales(team, attention, step);
        break;
    default:
        art_attention_values(team, attention, step);
        break;
    }
}

/* A barrier stands before each step: its tile has landed, and nobody reads the other tile any more,
 * so that core 0 can have that filled for the next step. */
static void run(const struct art_team *team, struct attention *attention)
{
    struct attention_call *const call = &attention->call;
    struct attention_step steps[2];
    struct art_copies copies = {0};
    uint32_t now = 0;
    bool is_last = false;
    art_attention_first_step(call, &steps[0]);
    if (team->core == 0) {
        art_attention_load(call, &steps[0], &copies);
    }
    while (!is_last) {
        struct attention_step *const next = &steps[1 - now];
        is_last = !art_attention_next_step(call, &steps[now], next);
        if (team->core == 0) {
            art_copies_wait(&copies);
        }
        art_platform_barrier(team);
        if (team->core == 0 && !is_last) {
            art_attention_load(call, next, &copies);
        }
        run_step(team, attention, &steps[now]);
        now = 1 - now;
    }
}

void art_attention(const struct art_team *team, const struct art_attention_shape *shape,
                   const int8_t *query_codes, const float *query_scales,
                   const struct art_place *keys, const struct art_place *values, void *scratch,
                   float *out)
{
    struct attention attention = {
        .call = {.shape = shape, .keys = *keys, .values = *values, .tile_bytes = tile_bytes(shape)},
        .query_codes = query_codes,
        .query_scales = query_scales,
        .out = out,
        .repeat = shape->heads / shape->kv_heads,
        .tree_room = tree_room(shape),
    };
    art_attention_cut(&attention.call);
    cut_scratch(&attention, scratch);
    art_exp_copy_table(team, attention.scratch.powers);
    run(team, &attention);
}
