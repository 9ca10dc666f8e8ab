#include "attention_products.h"

#include <stdbool.h>

#include "code_grid.h"
#include "exp.h"
#include "lanes.h"

static int32_t dot_one(const int8_t *query, const int8_t *key, uint32_t dim)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < dim; i++) {
        sum += query[i] * key[i];
    }
    return sum;
}

/* The same with four keys that stand stride bytes apart: the query's load is shared. A function of
 * its own has all registers for its loop. */
ART_OUT_OF_LINE void dot_four(const int8_t *query, const int8_t *keys, uint32_t stride,
                              uint32_t dim, int32_t *sums)
{
    const int8_t *key1 = keys + stride;
    const int8_t *key2 = key1 + stride;
    const int8_t *key3 = key2 + stride;
    int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
    const int8_t *const end = query + dim;
    const int8_t *const fours = query + dim / 4 * 4;
#define ADD(i)                                                                                     \
    sum0 += query[i] * keys[i];                                                                    \
    sum1 += query[i] * key1[i];                                                                    \
    sum2 += query[i] * key2[i];                                                                    \
    sum3 += query[i] * key3[i];                                                                    \
    ART_KEEP_LOADS_HERE();
#define ADVANCE(n) query += (n), keys += (n), key1 += (n), key2 += (n), key3 += (n)
    for (; query != fours; ADVANCE(4)) {
        ADD(0)
        ADD(1)
        ADD(2)
        ADD(3)
    }
    for (; query != end; ADVANCE(1)) {
        ADD(0)
    }
#undef ADD
#undef ADVANCE
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

float art_score_run(const struct art_key_run *keys, const int8_t *query, float factor,
                    float *scores, float before)
{
    const uint32_t step = keys->step;
    const uint32_t stride = step * keys->dim;
    const int8_t *key = keys->codes;
    const float *scale = keys->scales;
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
            const float value = ((float)sums[i] * factor) * *scale;
            *scores = value;
            largest = value > largest ? value : largest;
        }
    }
    return largest;
}

float art_largest_of_lanes(const float *lanes)
{
    float largest = lanes[0];
    for (uint32_t lane = 1; lane < 8; lane++) {
        largest = lanes[lane] > largest ? lanes[lane] : largest;
    }
    return largest;
}

void art_weigh_run(float *scores, uint32_t count, uint32_t step, float largest, const float *powers)
{
    for (; count > 0; count--, scores += step) {
        *scores = art_exp_by(powers, *scores - largest);
    }
}

float art_scale_run(float *weights, const float *scales, uint32_t count, uint32_t step,
                    float before)
{
    float largest = before;
    for (; count > 0; count--, weights += step, scales += step) {
        const float scaled = *weights * *scales;
        *weights = scaled;
        largest = scaled > largest ? scaled : largest;
    }
    return largest;
}

void art_encode_run(float *weights, uint32_t count, uint32_t step, struct art_row_scale unit)
{
    const bool is_zero = !(unit.scale > 0.0f);
    for (; count > 0; count--, weights += step) {
        art_code *const code = (art_code *)(void *)weights;
        *code = is_zero ? 0 : art_code_4095(*weights, unit);
    }
}

static void mix_column(const art_code *codes, const int8_t *values, uint32_t positions,
                       uint32_t dim, int32_t *sum)
{
    int32_t found = *sum;
    for (; positions > 0; positions--, codes++, values += dim) {
        found += *codes * *values;
    }
    *sum = found;
}

/* Most codes of a long context are zero. */
void art_mix_run(const art_code *codes, const int8_t *values, uint32_t positions, uint32_t dim,
                 uint32_t columns, int32_t *sums)
{
    if (columns < ART_MIX_COLUMNS) {
        for (uint32_t i = 0; i < columns; i++) {
            mix_column(codes, values + i, positions, dim, sums + i);
        }
        return;
    }
    int32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
    const art_code *const end = codes + positions;
    for (; codes != end; codes++, values += dim) {
        const int32_t code = *codes;
        if (code != 0) {
            sum0 += code * values[0];
            sum1 += code * values[1];
            sum2 += code * values[2];
            sum3 += code * values[3];
        }
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}
