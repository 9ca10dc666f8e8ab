#include "attention_products.h"
#include "exp.h"
#include "float_bits.h"
#include "tree_sum.h"

/* The work is cut into items: one token with one key-value head, that is `repeat` rows of scores.
 * As many items as have room for their scores in SCORES_BYTES go through the four phases together;
 * a barrier stands between two phases. Positions belong to lanes as in tree_sum.h. */
enum { SCORES_BYTES = 32768, COLUMNS = 8 };

struct scratch {
    float *scores;  /* [rows][context]: scores, then weights times value scales, then their codes */
    float *largest; /* [rows][8] score of a lane */
    float *totals;  /* [rows][8] sum of the weights of a lane */
    float *scaled;  /* [rows][8] largest weight times value scale of a lane */
    float *lane_sum; /* [8][lane_context] room for the tree */
};

struct pass {
    const struct art_team *team;
    const struct art_attention_shape *shape;
    const struct art_cache *cache;
    struct scratch scratch;
    uint32_t repeat;       /* query heads per key-value head */
    uint32_t lane_context; /* positions of a lane */
    uint32_t first_item;
    uint32_t items;
};

/* One row of scores: which token, which heads, how many positions it sees. */
struct row {
    uint32_t token;
    uint32_t head;
    uint32_t kv_head;
    uint32_t positions;
};

static uint32_t items_at_once(const struct art_attention_shape *shape)
{
    const uint32_t repeat = shape->heads / shape->kv_heads;
    const uint32_t room = SCORES_BYTES / (repeat * shape->context * (uint32_t)sizeof(float));
    const uint32_t all = shape->tokens * shape->kv_heads;
    const uint32_t at_least_one = room > 0 ? room : 1;
    return at_least_one < all ? at_least_one : all;
}

uint32_t art_attention_scratch_bytes(const struct art_attention_shape *shape)
{
    const uint32_t rows = items_at_once(shape) * (shape->heads / shape->kv_heads);
    const uint32_t lane_context = (shape->context + ART_LANES - 1) / ART_LANES;
    const uint32_t floats = rows * (shape->context + 3 * ART_LANES) + ART_LANES * lane_context;
    return floats * (uint32_t)sizeof(float);
}

static struct scratch cut_scratch(float *room, uint32_t rows, uint32_t context)
{
    struct scratch scratch;
    scratch.scores = room;
    scratch.largest = scratch.scores + rows * context;
    scratch.totals = scratch.largest + rows * ART_LANES;
    scratch.scaled = scratch.totals + rows * ART_LANES;
    scratch.lane_sum = scratch.scaled + rows * ART_LANES;
    return scratch;
}

static struct row row_of(const struct pass *pass, uint32_t index)
{
    const uint32_t item = pass->first_item + index / pass->repeat;
    struct row row;
    row.token = item / pass->shape->kv_heads;
    row.kv_head = item % pass->shape->kv_heads;
    row.head = row.kv_head * pass->repeat + index % pass->repeat;
    row.positions = pass->shape->position + row.token + 1;
    return row;
}

static float largest_of(const float *lanes)
{
    float largest = lanes[0];
    for (uint32_t lane = 1; lane < ART_LANES; lane++) {
        largest = lanes[lane] > largest ? lanes[lane] : largest;
    }
    return largest;
}

/* Phase 1: scores of a lane's positions and the largest of them. */
static void score(const struct pass *pass, const int8_t *query_codes, const float *query_scales,
                  uint32_t index, uint32_t lane)
{
    const struct art_attention_shape *const shape = pass->shape;
    const struct row row = row_of(pass, index);
    const uint32_t head = row.token * shape->heads + row.head;
    const uint32_t slot = row.kv_head * shape->context;
    const uint32_t stride = ART_LANES * shape->dim;
    const int8_t *const query = query_codes + head * shape->dim;
    const int8_t *key = pass->cache->key_codes + (slot + lane) * shape->dim;
    const float *const scales = pass->cache->key_scales + slot;
    const float factor = query_scales[head] * shape->inverse_sqrt_dim;
    float *const scores = pass->scratch.scores + index * shape->context;
    float largest = -0x1.fffffep127f;
    for (uint32_t position = lane; position < row.positions;) {
        int32_t sums[4];
        uint32_t count = 1;
        if (position + 3 * ART_LANES < row.positions) {
            art_dot_four(query, key, stride, shape->dim, sums);
            count = 4;
        } else {
            sums[0] = art_dot_one(query, key, shape->dim);
        }
        for (uint32_t i = 0; i < count; i++, position += ART_LANES, key += stride) {
            const float value = ((float)sums[i] * factor) * scales[position];
            scores[position] = value;
            largest = value > largest ? value : largest;
        }
    }
    pass->scratch.largest[index * ART_LANES + lane] = largest;
}

/* Phase 2: softmax weights, their sum, and the weights times the value scales. */
static void weigh(const struct pass *pass, uint32_t index, uint32_t lane)
{
    const uint32_t context = pass->shape->context;
    const struct row row = row_of(pass, index);
    const float *const value_scales = pass->cache->value_scales + row.kv_head * context;
    const float largest = largest_of(pass->scratch.largest + index * ART_LANES);
    float *const scores = pass->scratch.scores + index * context;
    float *const weights = pass->scratch.lane_sum + lane * pass->lane_context;
    float largest_scaled = 0.0f;
    uint32_t count = 0;
    for (uint32_t position = lane; position < row.positions; position += ART_LANES) {
        const float weight = art_exp(scores[position] - largest);
        const float scaled = weight * value_scales[position];
        weights[count++] = weight;
        scores[position] = scaled;
        largest_scaled = scaled > largest_scaled ? scaled : largest_scaled;
    }
    pass->scratch.totals[index * ART_LANES + lane] = art_tree_sum(weights, count);
    pass->scratch.scaled[index * ART_LANES + lane] = largest_scaled;
}

static float step_of(const struct pass *pass, uint32_t index)
{
    return art_scale_of(largest_of(pass->scratch.scaled + index * ART_LANES), 4095.0f);
}

/* Phase 3: 12-bit codes, kept as floats in their place. */
static void encode(const struct pass *pass, uint32_t index, uint32_t lane)
{
    const struct row row = row_of(pass, index);
    const float step = step_of(pass, index);
    float *const scores = pass->scratch.scores + index * pass->shape->context;
    for (uint32_t position = lane; position < row.positions; position += ART_LANES) {
        scores[position] = step > 0.0f ? (float)art_round(scores[position] / step) : 0.0f;
    }
}

/* Phase 4: eight columns of a row's result, or those that are left, from first on. */
static void mix(const struct pass *pass, uint32_t index, uint32_t first, float *out)
{
    const struct art_attention_shape *const shape = pass->shape;
    const struct row row = row_of(pass, index);
    const float *const codes = pass->scratch.scores + index * shape->context;
    const float total = art_join_lanes(pass->scratch.totals + index * ART_LANES);
    const float factor = step_of(pass, index) / total;
    const int8_t *const values =
        pass->cache->value_codes + row.kv_head * shape->context * shape->dim + first;
    float *const target = out + (row.token * shape->heads + row.head) * shape->dim + first;
    if (first + COLUMNS <= shape->dim) {
        const struct art_int_lanes sums = art_mix_columns(codes, values, row.positions, shape->dim);
        for (uint32_t i = 0; i < COLUMNS; i++) {
            target[i] = (float)sums.lane[i] * factor;
        }
        return;
    }
    for (uint32_t i = 0; first + i < shape->dim; i++) {
        target[i] = (float)art_mix_column(codes, values + i, row.positions, shape->dim) * factor;
    }
}

/* Columns are dealt to the cores in steps of eight, round robin over all rows. */
static void mix_all(const struct pass *pass, float *out)
{
    const uint32_t dim = pass->shape->dim;
    const uint32_t steps = (dim + COLUMNS - 1) / COLUMNS;
    const uint32_t all = pass->items * pass->repeat * steps;
    for (uint32_t at = pass->team->core; at < all; at += pass->team->cores) {
        mix(pass, at / steps, at % steps * COLUMNS, out);
    }
}

static void run_pass(const struct pass *pass, const int8_t *query_codes, const float *query_scales,
                     float *out)
{
    const struct art_team *const team = pass->team;
    const uint32_t rows = pass->items * pass->repeat;
    for (uint32_t lane = team->core; lane < ART_LANES; lane += team->cores) {
        for (uint32_t row = 0; row < rows; row++) {
            score(pass, query_codes, query_scales, row, lane);
        }
    }
    art_platform_barrier(team);
    for (uint32_t lane = team->core; lane < ART_LANES; lane += team->cores) {
        for (uint32_t row = 0; row < rows; row++) {
            weigh(pass, row, lane);
        }
    }
    art_platform_barrier(team);
    for (uint32_t lane = team->core; lane < ART_LANES; lane += team->cores) {
        for (uint32_t row = 0; row < rows; row++) {
            encode(pass, row, lane);
        }
    }
    art_platform_barrier(team);
    mix_all(pass, out);
}

void art_attention(const struct art_team *team, const struct art_attention_shape *shape,
                   const int8_t *query_codes, const float *query_scales,
                   const struct art_cache *cache, void *scratch, float *out)
{
    const uint32_t at_once = items_at_once(shape);
    const uint32_t all = shape->tokens * shape->kv_heads;
    struct pass pass = {.team = team, .shape = shape, .cache = cache};
    pass.repeat = shape->heads / shape->kv_heads;
    pass.lane_context = (shape->context + ART_LANES - 1) / ART_LANES;
    pass.scratch = cut_scratch(scratch, at_once * pass.repeat, shape->context);
    for (uint32_t first = 0; first < all; first += at_once) {
        if (first > 0) {
            art_platform_barrier(team); /* the scores of the last pass are still being read */
        }
        pass.first_item = first;
        pass.items = all - first < at_once ? all - first : at_once;
        run_pass(&pass, query_codes, query_scales, out);
    }
}
