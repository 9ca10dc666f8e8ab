#include "attention_products_4bit.h"

#include <stdbool.h>

#include "float_bits.h"
#include "kv_cache.h"
#include "lanes.h"
#include "xpulp.h"

/* Words take two steps each: codes of lower halves of bytes, moved up, with the first four elements
 * of the query, and what remains of the bytes with the other four. All products are sixteen times
 * those of the codes. */
#define UPPER_HALVES 0xf0f0f0f0u

static int32_t rest_of_row(const int8_t *query, const int8_t *key, uint32_t dim)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < dim % 8; i++) {
        sum += query[i] * (i < 4 ? (int8_t)((uint32_t)key[i] << 4) : key[i - 4] & ~15);
    }
    return sum;
}

/* Heads of any size, and any place of the query. */
static int32_t dot_bytes(const int8_t *query, const int8_t *key, uint32_t dim)
{
    const int8_t *const end = query + dim / 8 * 8;
    int32_t sum = 0;
    for (; query != end; query += 8, key += 4) {
        for (uint32_t i = 0; i < 4; i++) {
            sum += query[i] * (int8_t)((uint32_t)key[i] << 4) + query[4 + i] * (key[i] & ~15);
        }
    }
    return sum + rest_of_row(query, key, dim);
}

/* Four elements of a query with the lower halves of a key's last word. */
static int32_t add_half(const int8_t *query, const int8_t *key, int32_t sum)
{
    const uint32_t four = *(const art_cache_word *)(const void *)query;
    uint32_t one = *(const art_cache_word *)(const void *)key;
    __asm__(XP_LEFT_4("%[one]", "%[one]") XP_SDOT("%[sum]", "%[four]", "%[one]")
            : [sum] "+r"(sum), [one] "+r"(one)
            : [four] "r"(four));
    return sum;
}

static int32_t dot_words(const int8_t *query, const int8_t *key, uint32_t words, bool has_half)
{
    int32_t sum = 0, four, next, one, two;
    if (words > 0) {
        __asm__ volatile(
            XP_LOOP("%[words]", 7)                 /**/
            XP_LW("%[one]", "%[key]", "4")         /**/
            XP_LW("%[four]", "%[query]", "4")      /**/
            XP_LW("%[next]", "%[query]", "4")      /**/
            XP_LEFT_4("%[two]", "%[one]")          /**/
            "and %[one], %[one], %[halves]\n\t"    /**/
            XP_SDOT("%[sum]", "%[four]", "%[two]") /**/
            XP_SDOT("%[sum]", "%[next]", "%[one]") XP_END(7)
            : [query] "+r"(query), [key] "+r"(key), [sum] "+r"(sum), [four] "=&r"(four),
              [next] "=&r"(next), [one] "=&r"(one), [two] "=&r"(two)
            : [words] "r"(words), [halves] "r"(UPPER_HALVES)
            : "memory");
    }
    return has_half ? add_half(query, key, sum) : sum;
}

/* A word of a key times eight elements of the query. */
#define ADD_WORD(sum, word)                                                                        \
    XP_LEFT_4("%[low]", word)                                                                      \
    "and " word ", " word ", %[halves]\n\t" XP_SDOT(sum, "%[four]", "%[low]")                      \
        XP_SDOT(sum, "%[next]", word)

/* Dot products of a query with four keys that stand stride bytes apart: its loads are shared. */
static struct art_int_lanes dot_four(const int8_t *query, const int8_t *key, uint32_t stride,
                                     uint32_t words)
{
    struct art_int_lanes sums;
    const int8_t *key1 = key + stride;
    const int8_t *key2 = key1 + stride;
    const int8_t *key3 = key2 + stride;
    int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
    int32_t four, next, one, two, low;
    if (words > 0) {
        __asm__ volatile(
            XP_LOOP("%[words]", 22)           /**/
            XP_LW("%[one]", "%[key]", "4")    /**/
            XP_LW("%[two]", "%[key1]", "4")   /**/
            XP_LW("%[four]", "%[query]", "4") /**/
            XP_LW("%[next]", "%[query]", "4") /**/
            ADD_WORD("%[sum0]", "%[one]")     /**/
            XP_LW("%[one]", "%[key2]", "4")   /**/
            ADD_WORD("%[sum1]", "%[two]")     /**/
            XP_LW("%[two]", "%[key3]", "4")   /**/
            ADD_WORD("%[sum2]", "%[one]")     /**/
            ADD_WORD("%[sum3]", "%[two]") XP_END(22)
            : [query] "+r"(query), [key] "+r"(key), [key1] "+r"(key1), [key2] "+r"(key2),
              [key3] "+r"(key3), [sum0] "+r"(sum0), [sum1] "+r"(sum1), [sum2] "+r"(sum2),
              [sum3] "+r"(sum3), [four] "=&r"(four), [next] "=&r"(next), [one] "=&r"(one),
              [two] "=&r"(two), [low] "=&r"(low)
            : [words] "r"(words), [halves] "r"(UPPER_HALVES)
            : "memory");
    }
    sums.lane[0] = sum0;
    sums.lane[1] = sum1;
    sums.lane[2] = sum2;
    sums.lane[3] = sum3;
    return sums;
}

static struct art_int_lanes add_halves(const int8_t *query, const int8_t *key, uint32_t stride,
                                       struct art_int_lanes sums)
{
    sums.lane[0] = add_half(query, key, sums.lane[0]);
    sums.lane[1] = add_half(query, key + stride, sums.lane[1]);
    sums.lane[2] = add_half(query, key + 2 * stride, sums.lane[2]);
    sums.lane[3] = add_half(query, key + 3 * stride, sums.lane[3]);
    return sums;
}

/* A score and where the next ones are. */
struct scoring {
    const art_cache_word *scale;
    float *score;
    uint32_t step;
    int32_t query_sum;
    float factor;
    float largest;
};

static inline void finish(struct scoring *scoring, int32_t sum)
{
    const uint32_t scale = *scoring->scale;
    const int32_t whole = (sum >> 4) - art_cache_code(scale, 0) * scoring->query_sum;
    const float value = ((float)whole * scoring->factor) * art_float_of_bits(scale & ~15u);
    *scoring->score = value;
    scoring->largest = xp_float_max(value, scoring->largest);
    scoring->scale += scoring->step;
    scoring->score += scoring->step;
}

static int32_t sum_bytes(const int8_t *query, uint32_t dim)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < dim; i++) {
        sum += query[i];
    }
    return sum;
}

static int32_t sum_words(const int8_t *query, uint32_t words)
{
    int32_t sum = 0, four;
    __asm__ volatile(XP_LOOP("%[words]", 2)            /**/
                     XP_LW("%[four]", "%[query]", "4") /**/
                     XP_SDOT("%[sum]", "%[four]", "%[ones]") XP_END(2)
                     : [query] "+r"(query), [sum] "+r"(sum), [four] "=&r"(four)
                     : [words] "r"(words), [ones] "r"(0x01010101)
                     : "memory");
    return sum;
}

float art_score_run_4bit(const struct art_key_run *keys, const int8_t *query, float factor,
                         float *scores, float before)
{
    const uint32_t dim = keys->dim;
    const uint32_t words = dim / 8;
    const bool has_half = (dim & 4) != 0;
    const uint32_t stride = keys->step * art_cache_row_bytes(dim, ART_CACHE_4BIT_ZEROS);
    const int8_t *key = keys->codes;
    const bool are_words = (((uintptr_t)query | dim) & 3) == 0;
    struct scoring scoring = {.scale = (const art_cache_word *)(const void *)keys->scales,
                              .score = scores,
                              .step = keys->step,
                              .query_sum =
                                  are_words ? sum_words(query, dim / 4) : sum_bytes(query, dim),
                              .factor = factor,
                              .largest = before};
    uint32_t left = keys->count;
    if (!are_words) {
        for (; left > 0; left--, key += stride) {
            finish(&scoring, dot_bytes(query, key, dim));
        }
        return scoring.largest;
    }
    for (; left >= 4; left -= 4, key += 4 * stride) {
        struct art_int_lanes sums = dot_four(query, key, stride, words);
        if (has_half) {
            sums = add_halves(query + 8 * words, key + 4 * words, stride, sums);
        }
        finish(&scoring, sums.lane[0]);
        finish(&scoring, sums.lane[1]);
        finish(&scoring, sums.lane[2]);
        finish(&scoring, sums.lane[3]);
    }
    for (; left > 0; left--, key += stride) {
        finish(&scoring, dot_words(query, key, words, has_half));
    }
    return scoring.largest;
}

static void mix_column(const art_code *codes, const int8_t *values, uint32_t positions,
                       uint32_t row_bytes, uint32_t bit, int32_t *sum)
{
    int32_t found = *sum;
    for (; positions > 0; positions--, codes++, values += row_bytes) {
        found += *codes * art_cache_code((uint8_t)*values, bit);
    }
    *sum = found;
}

/* Four codes of a word from this bit on. */
#define MIX(bit0, bit1, bit2, bit3)                                                                \
    __asm__ volatile(XP_LOOP("%[positions]", 11)                /**/                               \
                     XP_LW("%[code]", "%[codes]", "4")          /**/                               \
                     XP_LW_BY("%[word]", "%[row]", "%[stride]") /**/                               \
                     "beqz %[code], 1f\n\t"                     /**/                               \
                     XP_NIBBLE("%[one]", "%[word]", bit0)       /**/                               \
                     XP_MAC("%[sum0]", "%[code]", "%[one]")     /**/                               \
                     XP_NIBBLE("%[one]", "%[word]", bit1)       /**/                               \
                     XP_MAC("%[sum1]", "%[code]", "%[one]")     /**/                               \
                     XP_NIBBLE("%[one]", "%[word]", bit2)       /**/                               \
                     XP_MAC("%[sum2]", "%[code]", "%[one]")     /**/                               \
                     XP_NIBBLE("%[one]", "%[word]", bit3)       /**/                               \
                     "1:\n\t" XP_MAC("%[sum3]", "%[code]", "%[one]") XP_END(11)                    \
                     : [codes] "+r"(codes), [row] "+r"(row), [sum0] "+r"(sum0), [sum1] "+r"(sum1), \
                       [sum2] "+r"(sum2), [sum3] "+r"(sum3), [code] "=&r"(code),                   \
                       [word] "=&r"(word), [one] "=&r"(one)                                        \
                     : [positions] "r"(positions), [stride] "r"(row_bytes)                         \
                     : "memory")

/* Most codes of a long context are zero: then only the last product is made, which is zero too. */
void art_mix_run_4bit(const art_code *codes, const int8_t *values, uint32_t positions,
                      uint32_t row_bytes, uint32_t first, uint32_t columns, int32_t *sums)
{
    const int8_t *row = values + first / 8 * 4;
    const bool is_upper = (first & 4) != 0;
    if (columns < ART_MIX_COLUMNS) {
        for (uint32_t i = 0; i < columns; i++) {
            mix_column(codes, row + i, positions, row_bytes, first & 4, sums + i);
        }
        return;
    }
    int32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
    int32_t code, word, one = 0;
    if (is_upper) {
        MIX(4, 12, 20, 28);
    } else {
        MIX(0, 8, 16, 24);
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}
