#include "linear_finish.h"

/* 4-bit weights: one multiplication serves two rows.
 *
 * A word holds eight unsigned nibbles of one column, four in each half: the nibble at bit 4 p of
 * the lower half (row 2 p) and of the upper half (row 2 p + 1) make pair p. With the other nibbles
 * masked off, a pair times an activation code is two products 16 bits apart, and pairs are added up
 * in 32 bits that wrap: pair p = lower sum + 2^16 * upper sum modulo 2^32.
 *
 * Pair 0 needs neither shift nor mask. The whole word is pair 0 + 16 pair 1 + 256 pair 2 + 4096
 * pair 3, so once a run of columns is added up the other pairs are taken away again, modulo 2^32.
 *
 * After a run of at most 32 columns, 8 * (sum of the activation codes) is taken from both halves of
 * each pair. Each sum is then one of products (nibble - 8) * code, at most 32 * 8 * 127 = 32512 <
 * 2^15 in magnitude, so the halves can be told apart: the lower one by sign extension, the upper
 * one by what is left. Sums over the depth fit 31 bits for depths up to 2^31 / (15 * 127). */

#define PAIR_MASK 0x000f000fu

struct pairs {
    uint32_t p0; /* with all the others in it until a run ends */
    uint32_t p1;
    uint32_t p2;
    uint32_t p3;
};

/* gcc would collect the loads and products of several columns first, run out of registers and spill
 * them. This pins the sums between columns and costs no instruction. */
#define PIN(a, b, c, d) __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d) : : "memory")

/* Column k of a run. */
#define ADD_COLUMN(k)                                                                              \
    {                                                                                              \
        const uint32_t code = (uint32_t)x[k];                                                      \
        p0 += words[k] * code;                                                                     \
        p1 += (words[k] >> 4 & PAIR_MASK) * code;                                                  \
        p2 += (words[k] >> 8 & PAIR_MASK) * code;                                                  \
        p3 += (words[k] >> 12 & PAIR_MASK) * code;                                                 \
        PIN(p0, p1, p2, p3);                                                                       \
    }

/* The pairs of a whole run. */
ART_INLINE struct pairs dot_run(const uint32_t *words, const int8_t *x)
{
    uint32_t p0 = 0, p1 = 0, p2 = 0, p3 = 0;
    const int8_t *const end = x + ART_SUM_RUN;
    for (; x != end; x += 8, words += 8) {
        ADD_COLUMN(0)
        ADD_COLUMN(1)
        ADD_COLUMN(2)
        ADD_COLUMN(3)
        ADD_COLUMN(4)
        ADD_COLUMN(5)
        ADD_COLUMN(6)
        ADD_COLUMN(7)
    }
    return (struct pairs){p0, p1, p2, p3};
}

/* Column k of a run for two tokens, which share the load and the taking apart of the word. */
#define ADD_COLUMN_TWO(k)                                                                          \
    {                                                                                              \
        const uint32_t code = (uint32_t)x[k];                                                      \
        const uint32_t other = (uint32_t)y[k];                                                     \
        const uint32_t word = words[k];                                                            \
        const uint32_t w1 = word >> 4 & PAIR_MASK;                                                 \
        const uint32_t w2 = word >> 8 & PAIR_MASK;                                                 \
        const uint32_t w3 = word >> 12 & PAIR_MASK;                                                \
        p0 += word * code;                                                                         \
        p1 += w1 * code;                                                                           \
        p2 += w2 * code;                                                                           \
        p3 += w3 * code;                                                                           \
        q0 += word * other;                                                                        \
        q1 += w1 * other;                                                                          \
        q2 += w2 * other;                                                                          \
        q3 += w3 * other;                                                                          \
        PIN(p0, p1, p2, p3);                                                                       \
        PIN(q0, q1, q2, q3);                                                                       \
    }

/* The pairs of a whole run for two tokens. */
ART_OUT_OF_LINE void dot_two(const uint32_t *words, const int8_t *x, const int8_t *y,
                             struct pairs *pairs)
{
    uint32_t p0 = 0, p1 = 0, p2 = 0, p3 = 0;
    uint32_t q0 = 0, q1 = 0, q2 = 0, q3 = 0;
    const int8_t *const end = x + ART_SUM_RUN;
    for (; x != end; x += 4, y += 4, words += 4) {
        ADD_COLUMN_TWO(0)
        ADD_COLUMN_TWO(1)
        ADD_COLUMN_TWO(2)
        ADD_COLUMN_TWO(3)
    }
    pairs[0] = (struct pairs){p0, p1, p2, p3};
    pairs[1] = (struct pairs){q0, q1, q2, q3};
}

/* The pairs of the last, short run of a row. */
static struct pairs dot_rest(const uint32_t *words, const int8_t *x, uint32_t count)
{
    uint32_t p0 = 0, p1 = 0, p2 = 0, p3 = 0;
    for (uint32_t i = 0; i < count; i++, x++, words++) {
        ADD_COLUMN(0)
    }
    return (struct pairs){p0, p1, p2, p3};
}

#undef ADD_COLUMN
#undef ADD_COLUMN_TWO

/* The sums of a run with zero point 8. */
ART_INLINE struct art_int_lanes separate(struct pairs sums, int32_t code_sum)
{
    struct art_int_lanes lanes;
    const uint32_t eights = (uint32_t)code_sum * 8u;
    const uint32_t both = eights + (eights << 16);
    const uint32_t p0 = sums.p0 - (sums.p1 + (sums.p2 + sums.p3 * 16u) * 16u) * 16u;
#define SEPARATE(p, pair)                                                                          \
    {                                                                                              \
        const uint32_t centred = (pair) - both;                                                    \
        const int32_t lower = (int16_t)centred;                                                    \
        lanes.lane[2 * (p)] = lower;                                                               \
        lanes.lane[2 * (p) + 1] = (int32_t)(centred - (uint32_t)lower) >> 16;                      \
    }
    SEPARATE(0, p0)
    SEPARATE(1, sums.p1)
    SEPARATE(2, sums.p2)
    SEPARATE(3, sums.p3)
#undef SEPARATE
    return lanes;
}

/* A token on its way along a block: its sums so far of the group, and its terms so far. */
struct walk {
    const int8_t *x;
    const int32_t *run; /* sum of the codes of the run ahead */
    struct art_int_lanes sums;
    int32_t code_sum;
    struct art_float_lanes totals;
};

#define CLEAR(i) walk.sums.lane[i] = 0;
#define ADD(i) walk.sums.lane[i] += more.lane[i];
#define ADD_OFFSET(i) walk.sums.lane[i] += offset;

ART_INLINE struct walk start_walk(const struct art_linear_work *work, uint32_t token)
{
    struct walk walk;
    walk.x = work->src->codes + token * work->matrix->depth;
    walk.run = work->src->sums + token * work->runs;
    walk.code_sum = 0;
    walk.totals = art_no_terms();
    ART_EACH_LANE(CLEAR)
    return walk;
}

ART_INLINE struct walk end_run(struct walk walk, struct pairs pairs, uint32_t count)
{
    const struct art_int_lanes more = separate(pairs, *walk.run);
    ART_EACH_LANE(ADD)
    walk.code_sum += *walk.run;
    walk.run++;
    walk.x += count;
    return walk;
}

ART_INLINE struct walk end_group(struct walk walk, struct art_group group, uint32_t zero)
{
    if (zero == 0) {
        const int32_t offset = 8 * walk.code_sum;
        ART_EACH_LANE(ADD_OFFSET)
    }
    walk.totals = art_add_terms(walk.totals, walk.sums, walk.code_sum, group);
    walk.code_sum = 0;
    ART_EACH_LANE(CLEAR)
    return walk;
}

static const uint32_t *codes_of(const struct art_linear_work *work, uint32_t block)
{
    return (const uint32_t *)work->matrix->codes + block * work->matrix->depth;
}

static void block_one(const struct art_linear_work *work, uint32_t block, uint32_t token)
{
    const uint32_t depth = work->matrix->depth;
    const uint32_t *words = codes_of(work, block);
    struct art_group group = art_first_group(work, block);
    struct walk walk = start_walk(work, token);
    uint32_t group_left = work->length;
    for (uint32_t left = depth; left > 0;) {
        const uint32_t count = left < ART_SUM_RUN ? left : ART_SUM_RUN;
        const struct pairs pairs =
            count < ART_SUM_RUN ? dot_rest(words, walk.x, count) : dot_run(words, walk.x);
        walk = end_run(walk, pairs, count);
        words += count;
        left -= count;
        group_left -= count;
        if (group_left == 0 || left == 0) {
            walk = end_group(walk, group, work->matrix->zero);
            group = art_next_group(group);
            group_left = work->length;
        }
    }
    art_finish(work, block, token, walk.totals);
}

static void block_two(const struct art_linear_work *work, uint32_t block, uint32_t token)
{
    const uint32_t *words = codes_of(work, block);
    struct art_group group = art_first_group(work, block);
    struct walk one = start_walk(work, token);
    struct walk two = start_walk(work, token + 1);
    struct pairs pairs[2];
    uint32_t group_left = work->length;
    for (uint32_t left = work->matrix->depth; left > 0;) {
        const uint32_t count = left < ART_SUM_RUN ? left : ART_SUM_RUN;
        if (count < ART_SUM_RUN) {
            pairs[0] = dot_rest(words, one.x, count);
            pairs[1] = dot_rest(words, two.x, count);
        } else {
            dot_two(words, one.x, two.x, pairs);
        }
        one = end_run(one, pairs[0], count);
        two = end_run(two, pairs[1], count);
        words += count;
        left -= count;
        group_left -= count;
        if (group_left == 0 || left == 0) {
            one = end_group(one, group, work->matrix->zero);
            two = end_group(two, group, work->matrix->zero);
            group = art_next_group(group);
            group_left = work->length;
        }
    }
    art_finish(work, block, token, one.totals);
    art_finish(work, block, token + 1, two.totals);
}

void art_linear_w4(const struct art_linear_work *work)
{
    for (uint32_t block = work->first_block; block < work->last_block; block++) {
        uint32_t token = 0;
        for (; token + 2 <= work->tokens; token += 2) {
            block_two(work, block, token);
        }
        if (token < work->tokens) {
            block_one(work, block, token);
        }
    }
}
