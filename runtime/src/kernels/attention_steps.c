#include "attention_steps.h"

#include "kv_cache.h"

uint32_t art_attention_room(const struct art_attention_shape *shape)
{
    const uint32_t repeat = shape->heads / shape->kv_heads;
    const uint32_t items = shape->scores_bytes / art_cache_scales_bytes(repeat * shape->context);
    return items > 0 ? items : 1;
}

static void measure_positions(struct attention_call *call)
{
    const uint32_t scale = (uint32_t)sizeof(float);
    const uint32_t dim = call->shape->dim;
    call->key_bytes = art_cache_row_bytes(dim, call->shape->key_form);
    call->value_bytes = art_cache_row_bytes(dim, call->shape->value_form);
    call->position_bytes[STEP_KEYS] = call->key_bytes + scale;
    call->position_bytes[STEP_VALUE_SCALES] = scale;
    call->position_bytes[STEP_VALUES] = call->value_bytes;
    for (uint32_t part = 0; part < STEP_PARTS; part++) {
        call->room[part] = call->tile_bytes / call->position_bytes[part] / 8 * 8;
    }
}

/* A head is loaded anew for every pass that has some of its tokens. */
void art_attention_cut(struct attention_call *call)
{
    const struct art_attention_shape *const shape = call->shape;
    const uint32_t room = art_attention_room(shape);
    call->pass_tokens = art_smaller(room, shape->tokens);
    call->pass_heads = art_smaller(room / call->pass_tokens, shape->kv_heads);
    if (call->pass_tokens < shape->tokens) {
        call->pass_heads = 1;
    }
    measure_positions(call);
}

/* Positions of a head in a tile that holds them all: where a head starts is a multiple of four
 * bytes. */
static uint32_t all_positions(const struct attention_call *call, const struct attention_step *step)
{
    return call->shape->dim % 4 == 0 ? step->visible : (step->visible + 3) / 4 * 4;
}

/* From position and head of a step: how far it reaches. */
static void fill_tile(const struct attention_call *call, struct attention_step *step)
{
    const uint32_t room = call->room[step->part];
    const uint32_t heads_left = step->pass_head + step->pass_heads - step->head;
    step->heads = art_smaller(call->fitting[step->part], heads_left);
    step->stride = art_smaller(room, all_positions(call, step) - step->position);
    step->end = art_smaller(step->position + step->stride, step->visible);
}

static void start_pass(struct attention_call *call, struct attention_step *step)
{
    const struct art_attention_shape *const shape = call->shape;
    step->pass_heads = art_smaller(call->pass_heads, shape->kv_heads - step->pass_head);
    step->pass_tokens = art_smaller(call->pass_tokens, shape->tokens - step->pass_token);
    step->visible = shape->position + step->pass_token + step->pass_tokens;
    step->part = STEP_KEYS;
    step->head = step->pass_head;
    step->position = 0;
    for (uint32_t part = 0; part < STEP_PARTS; part++) {
        uint32_t heads = 0;
        uint32_t left = call->room[part];
        for (; heads < step->pass_heads && left >= all_positions(call, step); heads++) {
            left -= all_positions(call, step);
        }
        call->fitting[part] = heads > 0 ? heads : 1;
    }
    fill_tile(call, step);
}

void art_attention_first_step(struct attention_call *call, struct attention_step *step)
{
    step->tile = 0;
    step->pass_head = 0;
    step->pass_token = 0;
    start_pass(call, step);
}

bool art_attention_ends_part(const struct attention_step *step)
{
    return step->end == step->visible &&
           step->head + step->heads == step->pass_head + step->pass_heads;
}

static bool next_pass(struct attention_call *call, struct attention_step *step)
{
    step->pass_token += step->pass_tokens;
    if (step->pass_token == call->shape->tokens) {
        step->pass_token = 0;
        step->pass_head += step->pass_heads;
    }
    if (step->pass_head == call->shape->kv_heads) {
        return false;
    }
    start_pass(call, step);
    return true;
}

/* What steps of one pass share. */
static void copy_pass(const struct attention_step *step, struct attention_step *next)
{
    next->pass_head = step->pass_head;
    next->pass_heads = step->pass_heads;
    next->pass_token = step->pass_token;
    next->pass_tokens = step->pass_tokens;
    next->visible = step->visible;
    next->tile = 1 - step->tile;
    next->part = step->part;
}

bool art_attention_next_step(struct attention_call *call, const struct attention_step *step,
                             struct attention_step *next)
{
    copy_pass(step, next);
    next->head = step->head;
    next->position = 0;
    if (art_attention_ends_part(step)) {
        if (step->part == STEP_VALUES) {
            return next_pass(call, next);
        }
        next->part++;
        next->head = step->pass_head;
    } else if (step->end == step->visible) {
        next->head += step->heads;
    } else {
        next->position = step->end;
    }
    fill_tile(call, next);
    return true;
}

/* Rows of the step's positions and heads, from the part of a cache that starts there. */
static void load_rows(const struct attention_call *call, const struct attention_step *step,
                      struct art_place start, uint32_t row_bytes, void *to,
                      struct art_copies *copies)
{
    const uint32_t context = call->shape->context;
    const struct art_copy_rows rows = {.count = step->heads,
                                       .bytes = (step->end - step->position) * row_bytes,
                                       .stride_bytes = context * row_bytes,
                                       .l1_stride_bytes = step->stride * row_bytes};
    const uint32_t first = step->head * context + step->position;
    art_copy_rows_in(copies, art_place_after(start, first * row_bytes), to, &rows);
}

void art_attention_load(const struct attention_call *call, const struct attention_step *step,
                        struct art_copies *copies)
{
    const struct art_attention_shape *const shape = call->shape;
    const bool are_keys = step->part == STEP_KEYS;
    const struct art_place cache = are_keys ? call->keys : call->values;
    const uint32_t row_bytes = are_keys ? call->key_bytes : call->value_bytes;
    if (step->part != STEP_VALUE_SCALES) {
        load_rows(call, step, cache, row_bytes, art_attention_codes(call, step, step->head),
                  copies);
    }
    if (step->part != STEP_VALUES) {
        const uint32_t codes = art_cache_codes_bytes(shape->kv_heads * shape->context, row_bytes);
        load_rows(call, step, art_place_after(cache, codes), art_cache_scales_bytes(1),
                  art_attention_scales(call, step, step->head), copies);
    }
}
