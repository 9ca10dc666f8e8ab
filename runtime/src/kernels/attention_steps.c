#include "attention_steps.h"

#include "kv_cache.h"

uint32_t art_attention_room(const struct art_attention_shape *shape)
{
    const uint32_t repeat = shape->heads / shape->kv_heads;
    const uint32_t items = shape->scores_bytes / art_cache_scales_bytes(repeat * shape->context);
    return items > 0 ? items : 1;
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
}

/* Bytes that one position of one head takes in a tile. */
static uint32_t position_bytes(const struct attention_call *call, enum step_part part)
{
    const uint32_t scale = (uint32_t)sizeof(float);
    switch (part) {
    case STEP_KEYS:
        return call->shape->dim + scale;
    case STEP_VALUE_SCALES:
        return scale;
    default:
        return call->shape->dim;
    }
}

/* From position and head of a step: how far it reaches. */
static void fill_tile(const struct attention_call *call, struct attention_step *step)
{
    const uint32_t width = position_bytes(call, step->part);
    const uint32_t room = call->tile_bytes / width / 8 * 8;
    const uint32_t all = (step->visible + 7) / 8 * 8;
    const uint32_t heads_left = step->pass_head + step->pass_heads - step->head;
    step->heads = all <= room ? art_smaller(room / all, heads_left) : 1;
    step->stride = art_smaller(room, all - step->position);
    step->head_bytes = step->stride * width;
    step->end = art_smaller(step->position + step->stride, step->visible);
}

static void start_pass(const struct attention_call *call, struct attention_step *step)
{
    const struct art_attention_shape *const shape = call->shape;
    step->pass_heads = art_smaller(call->pass_heads, shape->kv_heads - step->pass_head);
    step->pass_tokens = art_smaller(call->pass_tokens, shape->tokens - step->pass_token);
    step->visible = shape->position + step->pass_token + step->pass_tokens;
    step->part = STEP_KEYS;
    step->head = step->pass_head;
    step->position = 0;
    fill_tile(call, step);
}

struct attention_step art_attention_first_step(const struct attention_call *call)
{
    struct attention_step step = {0};
    start_pass(call, &step);
    return step;
}

bool art_attention_ends_part(const struct attention_step *step)
{
    return step->end == step->visible &&
           step->head + step->heads == step->pass_head + step->pass_heads;
}

static bool next_pass(const struct attention_call *call, struct attention_step *step)
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

bool art_attention_next_step(const struct attention_call *call, struct attention_step *step)
{
    step->tile = 1 - step->tile;
    if (art_attention_ends_part(step)) {
        if (step->part == STEP_VALUES) {
            return next_pass(call, step);
        }
        step->part++;
        step->head = step->pass_head;
        step->position = 0;
    } else if (step->end == step->visible) {
        step->head += step->heads;
        step->position = 0;
    } else {
        step->position = step->end;
    }
    fill_tile(call, step);
    return true;
}

/* Codes of a step's positions of one head. */
static void load_codes(const struct attention_call *call, const struct attention_step *step,
                       struct art_place cache, uint32_t head, struct art_copies *copies)
{
    const uint32_t dim = call->shape->dim;
    const uint32_t row = head * call->shape->context + step->position;
    art_copy_in(copies, art_place_after(cache, row * dim), art_attention_tile(call, step, head),
                (step->end - step->position) * dim);
}

static void load_scales(const struct attention_call *call, const struct attention_step *step,
                        struct art_place cache, uint32_t head, void *to, struct art_copies *copies)
{
    const struct art_attention_shape *const shape = call->shape;
    const uint32_t row = head * shape->context + step->position;
    const uint32_t codes = art_cache_codes_bytes(shape->kv_heads * shape->context, shape->dim);
    art_copy_in(copies, art_place_after(cache, codes + art_cache_scales_bytes(row)), to,
                art_cache_scales_bytes(step->end - step->position));
}

void art_attention_load(const struct attention_call *call, const struct attention_step *step,
                        struct art_copies *copies)
{
    for (uint32_t head = step->head; head < step->head + step->heads; head++) {
        uint8_t *const tile = art_attention_tile(call, step, head);
        switch (step->part) {
        case STEP_KEYS:
            load_codes(call, step, call->keys, head, copies);
            load_scales(call, step, call->keys, head, tile + step->stride * call->shape->dim,
                        copies);
            break;
        case STEP_VALUE_SCALES:
            load_scales(call, step, call->values, head, tile, copies);
            break;
        default:
            load_codes(call, step, call->values, head, copies);
            break;
        }
    }
}
