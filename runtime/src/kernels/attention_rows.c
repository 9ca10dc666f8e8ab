#include "attention_rows.h"

#include "attention_products.h"
#include "attention_products_4bit.h"
#include "tree_sum.h"

/* Below every score. */
#define LEAST (-0x1.fffffep127f)

/* A row of scores of one query head, or a part of it: the positions part, part + parts, ... */
struct row {
    uint32_t index; /* in the pass */
    uint32_t head;  /* of the keys and values */
    uint32_t token;
    uint32_t repetition;
    uint32_t part;
    uint32_t positions; /* that its token sees */
    uint32_t in_tile;   /* of these, those in the step's tile */
};

enum { ITEM_POSITIONS = 20 };

/* How the rows of some heads are shared. Items are parts of rows, row by row. */
struct shares {
    uint32_t parts; /* of a row: 1, 2, 4 or 8 */
    uint32_t shift; /* 2^shift = parts */
    uint32_t items;
};

/* As many parts as keep the cores least busy, if a row has so many positions; beside them an item
 * takes about as long as ITEM_POSITIONS do. */
static struct shares share_rows(const struct art_team *team, uint32_t rows, uint32_t positions)
{
    struct shares best = {.parts = 1, .shift = 0, .items = rows};
    uint32_t least = UINT32_MAX;
    if (rows >= 4 * team->cores) {
        return best;
    }
    for (uint32_t shift = 0; 1u << shift <= ART_LANES; shift++) {
        const uint32_t items = rows << shift;
        const uint32_t turns = (items + team->cores - 1) / team->cores;
        const uint32_t length = turns * ((positions >> shift) + ITEM_POSITIONS);
        if (length < least) {
            least = length;
            best = (struct shares){.parts = 1u << shift, .shift = shift, .items = items};
        }
    }
    return best;
}

static uint32_t head_rows(const struct attention *attention, const struct attention_step *step)
{
    return step->pass_tokens * attention->repeat;
}

/* Rows further on; the heads' rows follow one another. */
static void move(const struct attention *attention, const struct attention_step *step,
                 struct row *row, uint32_t rows)
{
    row->index += rows;
    row->repetition += rows;
    while (row->repetition >= attention->repeat) {
        row->repetition -= attention->repeat;
        row->token++;
        if (row->token == step->pass_token + step->pass_tokens) {
            row->token = step->pass_token;
            row->head++;
        }
    }
    row->positions = attention->call.shape->position + row->token + 1;
    const uint32_t last = art_smaller(row->positions, step->end);
    row->in_tile = last > step->position ? last - step->position : 0;
}

static struct row row_at(const struct attention *attention, const struct attention_step *step,
                         const struct shares *shares, uint32_t head, uint32_t item)
{
    struct row row = {.index = (head - step->pass_head) * head_rows(attention, step),
                      .head = head,
                      .token = step->pass_token,
                      .part = item & (shares->parts - 1)};
    move(attention, step, &row, item >> shares->shift);
    return row;
}

/* From one item of a core to its next one. */
static void next_row(const struct art_team *team, const struct attention *attention,
                     const struct attention_step *step, const struct shares *shares,
                     struct row *row)
{
    const uint32_t part = row->part + team->cores;
    row->part = part & (shares->parts - 1);
    move(attention, step, row, part >> shares->shift);
}

/* Row of the queries and of the results. */
static uint32_t query_of(const struct attention *attention, const struct row *row)
{
    const uint32_t heads = attention->call.shape->heads;
    return row->token * heads + row->head * attention->repeat + row->repetition;
}

/* Positions of a part. */
static uint32_t part_count(uint32_t positions, const struct shares *shares, uint32_t part)
{
    return positions > part ? ((positions - part - 1) >> shares->shift) + 1 : 0;
}

static float *scores_of(const struct attention *attention, const struct row *row)
{
    return attention->scratch.scores + row->index * attention->call.shape->context;
}

/* The values of the parts that there are not. */
static void clear_parts(float *values, uint32_t parts, float value)
{
    for (uint32_t part = parts; part < ART_LANES; part++) {
        values[part] = value;
    }
}

static void score(const struct attention *attention, const struct attention_step *step,
                  const struct shares *shares, const struct row *row)
{
    const struct art_attention_shape *const shape = attention->call.shape;
    const int8_t *const codes = art_attention_codes(&attention->call, step, row->head);
    const float *const scales = art_attention_scales(&attention->call, step, row->head);
    const struct art_key_run keys = {.codes = codes + row->part * attention->call.key_bytes,
                                     .scales = scales + row->part,
                                     .count = part_count(row->in_tile, shares, row->part),
                                     .step = shares->parts,
                                     .dim = shape->dim};
    art_score *const score_run =
        shape->key_form == ART_CACHE_4BIT_ZEROS ? art_score_run_4bit : art_score_run;
    const uint32_t query = query_of(attention, row);
    float *const largest = attention->scratch.largest + row->index * ART_LANES;
    if (step->position == 0 && row->part == 0) {
        clear_parts(largest, shares->parts, LEAST);
    }
    largest[row->part] = score_run(&keys, attention->query_codes + query * shape->dim,
                                   attention->query_scales[query] * shape->inverse_sqrt_dim,
                                   scores_of(attention, row) + step->position + row->part,
                                   step->position > 0 ? largest[row->part] : LEAST);
}

/* Softmax weights of all positions of a part, and the sums of its lanes. */
static void weigh(const struct art_team *team, const struct attention *attention,
                  const struct shares *shares, const struct row *row)
{
    float *const room = attention->scratch.tree + team->core * attention->tree_room;
    float *const totals = attention->scratch.totals + row->index * ART_LANES;
    float *const scores = scores_of(attention, row) + row->part;
    const uint32_t count = part_count(row->positions, shares, row->part);
    const uint32_t lanes = ART_LANES >> shares->shift;
    art_weigh_run(scores, count, shares->parts,
                  art_largest_of_lanes(attention->scratch.largest + row->index * ART_LANES),
                  attention->scratch.powers);
    art_tree_halve(scores, shares->parts, count, lanes, room);
    for (uint32_t lane = 0; lane < lanes; lane++) {
        totals[row->part + (lane << shares->shift)] = room[lane];
    }
    if (row->part == 0) {
        clear_parts(attention->scratch.scaled + row->index * ART_LANES, shares->parts, 0.0f);
    }
}

/* A part's weights in the tile times the value scales. */
static void scale(const struct attention *attention, const struct attention_step *step,
                  const struct shares *shares, const struct row *row)
{
    const float *const scales = art_attention_scales(&attention->call, step, row->head);
    float *const largest = attention->scratch.scaled + row->index * ART_LANES + row->part;
    *largest = art_scale_run(scores_of(attention, row) + step->position + row->part,
                             scales + row->part, part_count(row->in_tile, shares, row->part),
                             shares->parts, step->position > 0 ? *largest : 0.0f);
}

/* 12-bit codes of all positions of a part, in the place of the weights; with the first part the
 * row's factor. The unit is `step` in docs/arithmetic.md. */
static void encode(const struct attention *attention, const struct shares *shares,
                   const struct row *row)
{
    const float *const scaled = attention->scratch.scaled + row->index * ART_LANES;
    const struct art_row_scale unit = art_row_scale(art_largest_of_lanes(scaled), 4095.0f);
    art_encode_run(scores_of(attention, row) + row->part,
                   part_count(row->positions, shares, row->part), shares->parts, unit);
    if (row->part == 0) {
        const float *const totals = attention->scratch.totals + row->index * ART_LANES;
        attention->scratch.factors[row->index] = art_quotient(unit.scale, art_join_lanes(totals));
    }
}

/* Four columns of a row's sums, or those that are left, from first on; the row's result with its
 * last tile. */
static void mix(const struct attention *attention, const struct attention_step *step,
                const struct row *row, uint32_t first)
{
    const uint32_t dim = attention->call.shape->dim;
    const uint32_t columns = art_smaller(ART_MIX_COLUMNS, dim - first);
    const int8_t *const values = art_attention_codes(&attention->call, step, row->head);
    const art_code *const codes = (const void *)(scores_of(attention, row) + step->position);
    int32_t *const sums = attention->scratch.sums + row->index * dim + first;
    const uint32_t new_sums = step->position == 0 ? columns : 0;
    if (row->in_tile == 0) {
        return;
    }
    for (uint32_t i = 0; i < new_sums; i++) {
        sums[i] = 0;
    }
    if (attention->call.shape->value_form == ART_CACHE_4BIT) {
        art_mix_run_4bit(codes, values, row->in_tile, attention->call.value_bytes, first, columns,
                         sums);
    } else {
        art_mix_run(codes, values + first, row->in_tile, dim, columns, sums);
    }
    if (row->positions <= step->end) {
        const float factor = attention->scratch.factors[row->index];
        float *const target = attention->out + query_of(attention, row) * dim + first;
        for (uint32_t i = 0; i < columns; i++) {
            target[i] = (float)sums[i] * factor;
        }
    }
}

void art_attention_keys(const struct art_team *team, const struct attention *attention,
                        const struct attention_step *step)
{
    const struct shares shares =
        share_rows(team, step->heads * head_rows(attention, step), step->visible);
    struct row row = row_at(attention, step, &shares, step->head, team->core);
    for (uint32_t item = team->core; item < shares.items; item += team->cores) {
        score(attention, step, &shares, &row);
        next_row(team, attention, step, &shares, &row);
    }
}

static void encode_pass(const struct art_team *team, const struct attention *attention,
                        const struct attention_step *step)
{
    const struct shares shares =
        share_rows(team, step->pass_heads * head_rows(attention, step), step->visible);
    struct row row = row_at(attention, step, &shares, step->pass_head, team->core);
    for (uint32_t item = team->core; item < shares.items; item += team->cores) {
        encode(attention, &shares, &row);
        next_row(team, attention, step, &shares, &row);
    }
}

void art_attention_value_scales(const struct art_team *team, const struct attention *attention,
                                const struct attention_step *step)
{
    const struct shares shares =
        share_rows(team, step->heads * head_rows(attention, step), step->visible);
    struct row row = row_at(attention, step, &shares, step->head, team->core);
    for (uint32_t item = team->core; item < shares.items; item += team->cores) {
        if (step->position == 0) {
            weigh(team, attention, &shares, &row);
        }
        scale(attention, step, &shares, &row);
        next_row(team, attention, step, &shares, &row);
    }
    if (art_attention_ends_part(step)) {
        art_platform_barrier(team); /* the unit of a row's codes comes from all its parts */
        encode_pass(team, attention, step);
    }
}

/* Groups of four columns are dealt to the cores round robin over the rows of the step. */
void art_attention_values(const struct art_team *team, const struct attention *attention,
                          const struct attention_step *step)
{
    static const struct shares whole_rows = {.parts = 1, .shift = 0};
    const uint32_t dim = attention->call.shape->dim;
    const uint32_t groups = (dim + ART_MIX_COLUMNS - 1) / ART_MIX_COLUMNS;
    const uint32_t items = step->heads * head_rows(attention, step) * groups;
    uint32_t group = team->core;
    struct row row = row_at(attention, step, &whole_rows, step->head, 0);
    for (uint32_t item = team->core; item < items; item += team->cores) {
        uint32_t rows = 0;
        for (; group >= groups; group -= groups) {
            rows++;
        }
        move(attention, step, &row, rows);
        mix(attention, step, &row, group * ART_MIX_COLUMNS);
        group += team->cores;
    }
}
