#include "attention_rows.h"

#include "attention_products.h"
#include "exp.h"
#include "float_bits.h"
#include "tree_sum.h"

enum { COLUMNS = 8 };

/* The rows of scores of one kv head, in their order. */
struct row {
    uint32_t index; /* in the pass */
    uint32_t last;  /* the index after that of the head's last row */
    uint32_t token;
    uint32_t repetition;
    uint32_t positions; /* that its token sees */
    uint32_t in_tile;   /* of these, those in the step's tile */
};

static void see(const struct attention *attention, const struct attention_step *step,
                struct row *row)
{
    row->positions = attention->call.shape->position + row->token + 1;
    const uint32_t last = art_smaller(row->positions, step->end);
    row->in_tile = last > step->position ? last - step->position : 0;
}

static struct row first_row(const struct attention *attention, const struct attention_step *step,
                            uint32_t head)
{
    const uint32_t rows = step->pass_tokens * attention->repeat;
    struct row row = {.index = (head - step->pass_head) * rows, .token = step->pass_token};
    row.last = row.index + rows;
    see(attention, step, &row);
    return row;
}

static void next_row(const struct attention *attention, const struct attention_step *step,
                     struct row *row)
{
    row->index++;
    row->repetition++;
    if (row->repetition == attention->repeat) {
        row->repetition = 0;
        row->token++;
        see(attention, step, row);
    }
}

/* Row of the queries and of the results. */
static uint32_t query_of(const struct attention *attention, const struct row *row, uint32_t head)
{
    const uint32_t heads = attention->call.shape->heads;
    return row->token * heads + head * attention->repeat + row->repetition;
}

static float largest_of(const float *lanes)
{
    float largest = lanes[0];
    for (uint32_t lane = 1; lane < ART_LANES; lane++) {
        largest = lanes[lane] > largest ? lanes[lane] : largest;
    }
    return largest;
}

/* Keys of a lane's positions in the tile. */
struct lane_keys {
    const int8_t *codes; /* of the lane's first position */
    const float *scales; /* of the tile's first position */
    uint32_t lane;
    uint32_t dim;
};

static float score_row(const struct lane_keys *keys, uint32_t positions, const int8_t *query,
                       float factor, float *scores, float largest)
{
    const uint32_t stride = ART_LANES * keys->dim;
    const int8_t *key = keys->codes;
    for (uint32_t position = keys->lane; position < positions;) {
        int32_t sums[4];
        uint32_t count = 1;
        if (position + 3 * ART_LANES < positions) {
            art_dot_four(query, key, stride, keys->dim, sums);
            count = 4;
        } else {
            sums[0] = art_dot_one(query, key, keys->dim);
        }
        for (uint32_t i = 0; i < count; i++, position += ART_LANES, key += stride) {
            const float value = ((float)sums[i] * factor) * keys->scales[position];
            scores[position] = value;
            largest = value > largest ? value : largest;
        }
    }
    return largest;
}

/* Scores of a lane's positions in the tile, and the largest of them so far. */
static void score(const struct attention *attention, const struct attention_step *step,
                  uint32_t head, uint32_t lane)
{
    const struct art_attention_shape *const shape = attention->call.shape;
    const int8_t *const tile = art_attention_tile(&attention->call, step, head);
    const void *const scales = tile + step->stride * shape->dim;
    const struct lane_keys keys = {
        .codes = tile + lane * shape->dim, .scales = scales, .lane = lane, .dim = shape->dim};
    for (struct row row = first_row(attention, step, head); row.index < row.last;
         next_row(attention, step, &row)) {
        const uint32_t query = query_of(attention, &row, head);
        float *const scores = attention->scratch.scores + row.index * shape->context;
        float *const largest = attention->scratch.largest + row.index * ART_LANES + lane;
        *largest =
            score_row(&keys, row.in_tile, attention->query_codes + query * shape->dim,
                      attention->query_scales[query] * shape->inverse_sqrt_dim,
                      scores + step->position, step->position > 0 ? *largest : -0x1.fffffep127f);
    }
}

/* Softmax weights of all positions of a lane and their sum, from the scores of all lanes; those in
 * the tile times the value scales. */
static void weigh(const struct attention *attention, const struct attention_step *step,
                  uint32_t head, uint32_t lane)
{
    const float *const value_scales = art_attention_tile(&attention->call, step, head);
    float *const weights = attention->scratch.lane_sum + lane * attention->lane_context;
    for (struct row row = first_row(attention, step, head); row.index < row.last;
         next_row(attention, step, &row)) {
        const float largest = largest_of(attention->scratch.largest + row.index * ART_LANES);
        float *const scores =
            attention->scratch.scores + row.index * attention->call.shape->context;
        float largest_scaled = 0.0f;
        uint32_t count = 0;
        uint32_t position = lane;
        for (; position < row.in_tile; position += ART_LANES) {
            const float weight = art_exp(scores[position] - largest);
            const float scaled = weight * value_scales[position];
            weights[count++] = weight;
            scores[position] = scaled;
            largest_scaled = scaled > largest_scaled ? scaled : largest_scaled;
        }
        for (; position < row.positions; position += ART_LANES) {
            const float weight = art_exp(scores[position] - largest);
            weights[count++] = weight;
            scores[position] = weight;
        }
        attention->scratch.totals[row.index * ART_LANES + lane] = art_tree_sum(weights, count);
        attention->scratch.scaled[row.index * ART_LANES + lane] = largest_scaled;
    }
}

/* A later tile: a lane's weights in it times the value scales. */
static void scale(const struct attention *attention, const struct attention_step *step,
                  uint32_t head, uint32_t lane)
{
    const float *const value_scales = art_attention_tile(&attention->call, step, head);
    for (struct row row = first_row(attention, step, head); row.index < row.last;
         next_row(attention, step, &row)) {
        float *const weights =
            attention->scratch.scores + row.index * attention->call.shape->context + step->position;
        float *const lane_largest = attention->scratch.scaled + row.index * ART_LANES + lane;
        float largest = *lane_largest;
        for (uint32_t position = lane; position < row.in_tile; position += ART_LANES) {
            weights[position] *= value_scales[position];
            largest = weights[position] > largest ? weights[position] : largest;
        }
        *lane_largest = largest;
    }
}

/* What one code of a row is worth: `step` in docs/arithmetic.md. */
static float code_unit(const struct attention *attention, uint32_t row)
{
    return art_scale_of(largest_of(attention->scratch.scaled + row * ART_LANES), 4095.0f);
}

/* 12-bit codes of all positions of a lane, kept as floats in their place; with lane 0 the rows'
 * factors. */
static void encode(const struct attention *attention, const struct attention_step *step,
                   uint32_t head, uint32_t lane)
{
    for (struct row row = first_row(attention, step, head); row.index < row.last;
         next_row(attention, step, &row)) {
        const float unit = code_unit(attention, row.index);
        float *const scores =
            attention->scratch.scores + row.index * attention->call.shape->context;
        for (uint32_t position = lane; position < row.positions; position += ART_LANES) {
            scores[position] = unit > 0.0f ? (float)art_round(scores[position] / unit) : 0.0f;
        }
        if (lane == 0) {
            const float *const totals = attention->scratch.totals + row.index * ART_LANES;
            attention->scratch.factors[row.index] = unit / art_join_lanes(totals);
        }
    }
}

/* Fewer than eight columns. */
static void mix_rest(const float *codes, const int8_t *values, uint32_t positions, uint32_t dim,
                     uint32_t columns, int32_t *sums)
{
    for (uint32_t i = 0; i < columns; i++) {
        sums[i] += art_mix_column(codes, values + i, positions, dim);
    }
}

/* Eight columns of a row's sums, or those that are left, from first on; the row's result with its
 * last tile. */
static void mix(const struct attention *attention, const struct attention_step *step,
                uint32_t index, uint32_t first)
{
    const struct art_attention_shape *const shape = attention->call.shape;
    const uint32_t dim = shape->dim;
    const uint32_t item = index / attention->repeat;
    const uint32_t head = step->pass_head + item / step->pass_tokens;
    const uint32_t columns = art_smaller(COLUMNS, dim - first);
    const int8_t *const tile = art_attention_tile(&attention->call, step, head);
    const float *const codes = attention->scratch.scores + index * shape->context + step->position;
    int32_t *const sums = attention->scratch.sums + index * dim + first;
    struct row row = {.token = step->pass_token + item % step->pass_tokens,
                      .repetition = index % attention->repeat};
    see(attention, step, &row);
    if (row.in_tile == 0) {
        return;
    }
    const uint32_t new_sums = step->position == 0 ? columns : 0;
    for (uint32_t i = 0; i < new_sums; i++) {
        sums[i] = 0;
    }
    if (columns == COLUMNS) {
        art_mix_columns(codes, tile + first, row.in_tile, dim, sums);
    } else {
        mix_rest(codes, tile + first, row.in_tile, dim, columns, sums);
    }
    if (row.positions <= step->end) {
        const float factor = attention->scratch.factors[index];
        float *const target = attention->out + query_of(attention, &row, head) * dim + first;
        for (uint32_t i = 0; i < columns; i++) {
            target[i] = (float)sums[i] * factor;
        }
    }
}

void art_attention_keys(const struct art_team *team, const struct attention *attention,
                        const struct attention_step *step)
{
    for (uint32_t lane = team->core; lane < ART_LANES; lane += team->cores) {
        for (uint32_t head = step->head; head < step->head + step->heads; head++) {
            score(attention, step, head, lane);
        }
    }
}

void art_attention_value_scales(const struct art_team *team, const struct attention *attention,
                                const struct attention_step *step)
{
    for (uint32_t lane = team->core; lane < ART_LANES; lane += team->cores) {
        for (uint32_t head = step->head; head < step->head + step->heads; head++) {
            if (step->position == 0) {
                weigh(attention, step, head, lane);
            } else {
                scale(attention, step, head, lane);
            }
        }
    }
    if (!art_attention_ends_part(step)) {
        return;
    }
    art_platform_barrier(team); /* the unit of a row's codes comes from all its lanes */
    for (uint32_t lane = team->core; lane < ART_LANES; lane += team->cores) {
        for (uint32_t head = step->pass_head; head < step->head + step->heads; head++) {
            encode(attention, step, head, lane);
        }
    }
}

/* Columns are dealt to the cores in steps of eight, round robin over the rows of the step. */
void art_attention_values(const struct art_team *team, const struct attention *attention,
                          const struct attention_step *step)
{
    const uint32_t groups = (attention->call.shape->dim + COLUMNS - 1) / COLUMNS;
    const uint32_t head_rows = step->pass_tokens * attention->repeat;
    const uint32_t first = (step->head - step->pass_head) * head_rows * groups;
    const uint32_t last = first + step->heads * head_rows * groups;
    for (uint32_t at = first + team->core; at < last; at += team->cores) {
        mix(attention, step, at / groups, at % groups * COLUMNS);
    }
}
