#include "linear_finish.h"

/* 8-bit weights: a multiply-accumulate takes the load of a weight, a multiplication and an
 * addition. The activation's load is shared by the eight rows of a block; two tokens share the
 * weight's load.
 *
 * No sum overflows: a product is at most 128 * 127, so depths up to 132104 fit 31 bits. */

#define DECLARE(i) int32_t a##i = 0;
#define DECLARE_TWO(i) int32_t a##i = 0, b##i = 0;
#define MULTIPLY_ADD(i) a##i += column[i] * code;
#define MULTIPLY_ADD_TWO(i)                                                                        \
    {                                                                                              \
        const int32_t weight = column[i];                                                          \
        a##i += weight * code;                                                                     \
        b##i += weight * other;                                                                    \
        ART_KEEP_LOADS_HERE();                                                                     \
    }
#define MULTIPLY_FIRST(i) int32_t a##i = weights[i] * x[0];
#define STORE(i) sums.lane[i] = a##i;
#define STORE_TWO(i)                                                                               \
    sums[0].lane[i] = a##i;                                                                        \
    sums[1].lane[i] = b##i;
#define ADD_COLUMN(k)                                                                              \
    {                                                                                              \
        const int8_t *const column = weights + (k) * ART_BLOCK_ROWS;                               \
        const int32_t code = x[k];                                                                 \
        ART_EACH_LANE(MULTIPLY_ADD)                                                                \
        ART_KEEP_LOADS_HERE();                                                                     \
    }
#define ADD_COLUMN_TWO(k)                                                                          \
    {                                                                                              \
        const int8_t *const column = weights + (k) * ART_BLOCK_ROWS;                               \
        const int32_t code = x[k];                                                                 \
        const int32_t other = y[k];                                                                \
        ART_EACH_LANE(MULTIPLY_ADD_TWO)                                                            \
    }

/* Dot products of a run of columns of a block with one token's codes: two columns, of which the
 * first needs no zeros to add to, and six times five, which fit the 512 bytes of instruction cache
 * that a core has to itself. */
ART_INLINE struct art_int_lanes dot_run(const int8_t *weights, const int8_t *x)
{
    struct art_int_lanes sums;
    const int8_t *const end = x + ART_SUM_RUN - 2;
    ART_EACH_LANE(MULTIPLY_FIRST)
    ART_KEEP_LOADS_HERE();
    ADD_COLUMN(1)
    for (; x != end; x += 5, weights += 5 * ART_BLOCK_ROWS) {
        ADD_COLUMN(2)
        ADD_COLUMN(3)
        ADD_COLUMN(4)
        ADD_COLUMN(5)
        ADD_COLUMN(6)
    }
    ART_EACH_LANE(STORE)
    return sums;
}

/* Dot products of any number of columns. */
ART_INLINE struct art_int_lanes dot_one(const int8_t *weights, const int8_t *x, uint32_t count)
{
    struct art_int_lanes sums;
    ART_EACH_LANE(DECLARE)
    const int8_t *const end = x + count;
    const int8_t *const fours = x + count / 4 * 4;
    for (; x != fours; x += 4, weights += 4 * ART_BLOCK_ROWS) {
        ADD_COLUMN(0)
        ADD_COLUMN(1)
        ADD_COLUMN(2)
        ADD_COLUMN(3)
    }
    for (; x != end; x++, weights += ART_BLOCK_ROWS) {
        ADD_COLUMN(0)
    }
    ART_EACH_LANE(STORE)
    return sums;
}

/* The same with the codes of two tokens. */
ART_OUT_OF_LINE void dot_two(const int8_t *weights, const int8_t *x, const int8_t *y,
                             uint32_t count, struct art_int_lanes *sums)
{
    ART_EACH_LANE(DECLARE_TWO)
    const int8_t *const end = x + count;
    const int8_t *const twos = x + count / 2 * 2;
    for (; x != twos; x += 2, y += 2, weights += 2 * ART_BLOCK_ROWS) {
        ADD_COLUMN_TWO(0)
        ADD_COLUMN_TWO(1)
    }
    if (x != end) {
        ADD_COLUMN_TWO(0)
    }
    ART_EACH_LANE(STORE_TWO)
}

/* A token on its way along a block. */
struct walk {
    const int8_t *x;
    const int32_t *runs; /* sums of the codes ahead */
    struct art_float_lanes totals;
};

ART_INLINE struct walk start_walk(const struct art_linear_work *work, uint32_t token)
{
    struct walk walk;
    walk.x = work->src->codes + token * work->matrix->depth;
    walk.runs = work->src->sums + token * work->runs;
    walk.totals = art_no_terms();
    return walk;
}

ART_INLINE struct walk end_group(struct walk walk, struct art_int_lanes sums,
                                 struct art_group group, uint32_t count)
{
    int32_t code_sum = 0;
    if (group.minimums) {
        for (uint32_t i = 0; i * ART_SUM_RUN < count; i++) {
            code_sum += walk.runs[i];
        }
        walk.runs += count / ART_SUM_RUN;
    }
    walk.x += count;
    walk.totals = art_add_terms(walk.totals, sums, code_sum, group);
    return walk;
}

static const int8_t *codes_of(const struct art_linear_work *work, uint32_t block)
{
    return (const int8_t *)work->matrix->codes + block * work->matrix->depth * ART_BLOCK_ROWS;
}

ART_OUT_OF_LINE void block_one(const struct art_linear_work *work, uint32_t block, uint32_t token)
{
    const int8_t *weights = codes_of(work, block);
    struct art_group group = art_first_group(work, block);
    struct walk walk = start_walk(work, token);
    for (uint32_t left = work->matrix->depth; left > 0;) {
        const uint32_t count = left < work->length ? left : work->length;
        walk = end_group(walk, dot_one(weights, walk.x, count), group, count);
        group = art_next_group(group);
        weights += count * ART_BLOCK_ROWS;
        left -= count;
    }
    art_finish(work, block, token, walk.totals);
}

/* The same for groups of one run: sums never wait in memory. */
ART_OUT_OF_LINE void block_of_runs(const struct art_linear_work *work, uint32_t block,
                                   uint32_t token)
{
    const int8_t *weights = codes_of(work, block);
    struct art_group group = art_first_group(work, block);
    struct walk walk = start_walk(work, token);
    const uint32_t rest = work->matrix->depth % ART_SUM_RUN;
    const int8_t *const end = walk.x + work->matrix->depth - rest;
    while (walk.x != end) {
        walk = end_group(walk, dot_run(weights, walk.x), group, ART_SUM_RUN);
        group = art_next_group(group);
        weights += ART_SUM_RUN * ART_BLOCK_ROWS;
    }
    if (rest > 0) {
        walk = end_group(walk, dot_one(weights, walk.x, rest), group, rest);
    }
    art_finish(work, block, token, walk.totals);
}

ART_OUT_OF_LINE void block_two(const struct art_linear_work *work, uint32_t block, uint32_t token)
{
    const int8_t *weights = codes_of(work, block);
    struct art_group group = art_first_group(work, block);
    struct walk one = start_walk(work, token);
    struct walk two = start_walk(work, token + 1);
    struct art_int_lanes sums[2];
    for (uint32_t left = work->matrix->depth; left > 0;) {
        const uint32_t count = left < work->length ? left : work->length;
        dot_two(weights, one.x, two.x, count, sums);
        one = end_group(one, sums[0], group, count);
        two = end_group(two, sums[1], group, count);
        group = art_next_group(group);
        weights += count * ART_BLOCK_ROWS;
        left -= count;
    }
    art_finish(work, block, token, one.totals);
    art_finish(work, block, token + 1, two.totals);
}

void art_linear_w8(const struct art_linear_work *work)
{
    for (uint32_t block = work->first_block; block < work->last_block; block++) {
        uint32_t token = 0;
        for (; token + 2 <= work->tokens; token += 2) {
            block_two(work, block, token);
        }
        if (token < work->tokens && work->length == ART_SUM_RUN) {
            block_of_runs(work, block, token);
        } else if (token < work->tokens) {
            block_one(work, block, token);
        }
    }
}
