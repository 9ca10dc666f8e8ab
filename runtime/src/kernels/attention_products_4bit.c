#include "attention_products_4bit.h"

#include "float_bits.h"
#include "kv_cache.h"
#include "lanes.h"

/* Sixteen times the codes of a byte. */
#define LOWER_16(byte) ((int8_t)((uint32_t)(byte) << 4))
#define UPPER_16(byte) ((byte) & ~15)

/* Sixteen times the products with the codes behind the whole words of a row. */
static int32_t rest_of_row(const int8_t *query, const int8_t *key, uint32_t dim)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < dim % 8; i++) {
        sum += query[i] * (i < 4 ? LOWER_16(key[i]) : UPPER_16(key[i - 4]));
    }
    return sum;
}

/* Sixteen times the dot products with four keys that stand stride bytes apart: the query's loads
 * are shared. A function of its own has all registers for its loop. */
ART_OUT_OF_LINE void dot_four(const int8_t *query, const int8_t *keys, uint32_t stride,
                              uint32_t dim, int32_t *sums)
{
    const int8_t *key1 = keys + stride;
    const int8_t *key2 = key1 + stride;
    const int8_t *key3 = key2 + stride;
    int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
    const int8_t *const end = query + dim / 8 * 8;
#define ADD_KEY(sum, byte) sum += lower * LOWER_16(byte) + upper * UPPER_16(byte);
#define ADD(i)                                                                                     \
    {                                                                                              \
        const int32_t lower = query[i], upper = query[4 + (i)];                                    \
        ADD_KEY(sum0, keys[i])                                                                     \
        ADD_KEY(sum1, key1[i])                                                                     \
        ADD_KEY(sum2, key2[i])                                                                     \
        ADD_KEY(sum3, key3[i])                                                                     \
        ART_KEEP_LOADS_HERE();                                                                     \
    }
    for (; query != end; query += 8, keys += 4, key1 += 4, key2 += 4, key3 += 4) {
        ADD(0)
        ADD(1)
        ADD(2)
        ADD(3)
    }
#undef ADD
#undef ADD_KEY
    sums[0] = sum0 + rest_of_row(query, keys, dim);
    sums[1] = sum1 + rest_of_row(query, key1, dim);
    sums[2] = sum2 + rest_of_row(query, key2, dim);
    sums[3] = sum3 + rest_of_row(query, key3, dim);
}

static int32_t dot_one(const int8_t *query, const int8_t *key, uint32_t dim)
{
    const int8_t *const end = query + dim / 8 * 8;
    int32_t sum = 0;
    for (; query != end; query += 8, key += 4) {
        for (uint32_t i = 0; i < 4; i++) {
            sum += query[i] * LOWER_16(key[i]) + query[4 + i] * UPPER_16(key[i]);
        }
    }
    return sum + rest_of_row(query, key, dim);
}

static int32_t sum_of(const int8_t *query, uint32_t dim)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < dim; i++) {
        sum += query[i];
    }
    return sum;
}

float art_score_run_4bit(const struct art_key_run *keys, const int8_t *query, float factor,
                         float *scores, float before)
{
    const uint32_t step = keys->step;
    const uint32_t stride = step * art_cache_row_bytes(keys->dim, ART_CACHE_4BIT_ZEROS);
    const int8_t *key = keys->codes;
    const art_cache_word *scale = (const art_cache_word *)(const void *)keys->scales;
    const int32_t query_sum = sum_of(query, keys->dim);
    float largest = before;
    for (uint32_t left = keys->count; left > 0;) {
        int32_t sums[4];
        uint32_t count = 1;
        if (left >= 4) {
            dot_four(query, key, stride, keys->dim, sums);
            count = 4;
        } else {
            sums[0] = dot_one(query, key, keys->dim);
        }
        left -= count;
        key += count * stride;
        for (uint32_t i = 0; i < count; i++, scale += step, scores += step) {
            const int32_t sum = (sums[i] >> 4) - art_cache_code(*scale, 0) * query_sum;
            const float value = ((float)sum * factor) * art_float_of_bits(*scale & ~15u);
            *scores = value;
            largest = value > largest ? value : largest;
        }
    }
    return largest;
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

/* Most codes of a long context are zero. */
void art_mix_run_4bit(const art_code *codes, const int8_t *values, uint32_t positions,
                      uint32_t row_bytes, uint32_t first, uint32_t columns, int32_t *sums)
{
    const int8_t *row = values + first / 8 * 4;
    const uint32_t bit = first & 4;
    if (columns < ART_MIX_COLUMNS) {
        for (uint32_t i = 0; i < columns; i++) {
            mix_column(codes, row + i, positions, row_bytes, bit, sums + i);
        }
        return;
    }
    int32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
    const art_code *const end = codes + positions;
    for (; codes != end; codes++, row += row_bytes) {
        const int32_t code = *codes;
        if (code != 0) {
            const uint32_t word = *(const art_cache_word *)(const void *)row >> bit;
            sum0 += code * art_cache_code(word, 0);
            sum1 += code * art_cache_code(word, 8);
            sum2 += code * art_cache_code(word, 16);
            sum3 += code * art_cache_code(word, 24);
        }
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}
