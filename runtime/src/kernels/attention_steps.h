/* How the keys and values of a call of attention pass through its scratch.
 *
 * An item is one token with one kv head: `repeat` rows of scores. A pass is as many items as have
 * room for their scores: all tokens of some kv heads, or some tokens of one. A pass takes steps: a
 * tile of keys at a time, then of value scales, then of values. A tile holds some positions of one
 * head, or all positions of several. */
#ifndef ARETUSA_KERNELS_ATTENTION_STEPS_H
#define ARETUSA_KERNELS_ATTENTION_STEPS_H

#include "aretusa/kernels.h"
#include "aretusa/places.h"
#include "l1_copies.h"

enum step_part { STEP_KEYS = 0, STEP_VALUE_SCALES = 1, STEP_VALUES = 2, STEP_PARTS = 3 };

struct attention_call {
    const struct art_attention_shape *shape;
    struct art_place keys;
    struct art_place values;
    uint8_t *tiles[2];
    uint32_t tile_bytes;
    uint32_t key_bytes; /* codes of one key */
    uint32_t value_bytes;
    uint32_t pass_heads; /* kv heads of a pass, the last one may have fewer */
    uint32_t pass_tokens;
    uint32_t position_bytes[STEP_PARTS]; /* that one position of one head takes in a tile */
    uint32_t room[STEP_PARTS];           /* positions for which a tile has room */
    uint32_t fitting[STEP_PARTS];        /* heads of which a tile holds all positions, or 1 */
};

/* Heads are kv heads throughout. */
struct attention_step {
    uint32_t pass_head; /* first head of the pass */
    uint32_t pass_heads;
    uint32_t pass_token;
    uint32_t pass_tokens;
    uint32_t visible; /* positions that the pass's last token sees */
    enum step_part part;
    uint32_t head; /* first head of the step */
    uint32_t heads;
    uint32_t position; /* first position of the step, a multiple of 8 */
    uint32_t end;      /* the position after the last one */
    uint32_t stride;   /* positions for which a head has room in the tile */
    uint32_t tile;     /* 0 or 1 */
};

static inline uint32_t art_smaller(uint32_t one, uint32_t two)
{
    return one < two ? one : two;
}

/* Items of which the scores have room, at least one. */
uint32_t art_attention_room(const struct art_attention_shape *shape);

/* Share the scores' room and the tiles: sets what follows tile_bytes but for fitting, which
 * depends on the pass. */
void art_attention_cut(struct attention_call *call);

void art_attention_first_step(struct attention_call *call, struct attention_step *step);

/* The step after that one; false if that was the last. */
bool art_attention_next_step(struct attention_call *call, const struct attention_step *step,
                             struct attention_step *next);

/* Codes of a head in a step's tile of keys or values: those of all heads come first. */
static inline int8_t *art_attention_codes(const struct attention_call *call,
                                          const struct attention_step *step, uint32_t head)
{
    const uint32_t row_bytes = step->part == STEP_KEYS ? call->key_bytes : call->value_bytes;
    uint8_t *const tile = call->tiles[step->tile];
    return (int8_t *)tile + (head - step->head) * step->stride * row_bytes;
}

/* Scales of a head in a step's tile of keys or value scales: behind the codes of all heads. */
static inline float *art_attention_scales(const struct attention_call *call,
                                          const struct attention_step *step, uint32_t head)
{
    const uint32_t row_bytes = step->part == STEP_KEYS ? call->key_bytes : 0;
    uint8_t *const scales = call->tiles[step->tile] + step->heads * step->stride * row_bytes;
    return (float *)(void *)scales + (head - step->head) * step->stride;
}

/* Whether a step is the last one of its part of the pass. */
bool art_attention_ends_part(const struct attention_step *step);

/* Give the copies that fill a step's tile. Core 0 only. */
void art_attention_load(const struct attention_call *call, const struct attention_step *step,
                        struct art_copies *copies);

#endif
