#include "attention_products.h"

int32_t art_dot_one(const int8_t *query, const int8_t *key, uint32_t dim)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < dim; i++) {
        sum += query[i] * key[i];
    }
    return sum;
}

void art_dot_four(const int8_t *query, const int8_t *keys, uint32_t stride, uint32_t dim,
                  int32_t *sums)
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

int32_t art_mix_column(const float *codes, const int8_t *values, uint32_t positions, uint32_t dim)
{
    int32_t sum = 0;
    for (uint32_t position = 0; position < positions; position++, values += dim) {
        sum += (int32_t)codes[position] * *values;
    }
    return sum;
}

/* Most codes of a long context are zero. */
void art_mix_columns(const float *codes, const int8_t *values, uint32_t positions, uint32_t dim,
                     int32_t *sums)
{
#define LOAD(i) int32_t sum##i = sums[i];
#define ADD(i) sum##i += code * values[i];
#define STORE(i) sums[i] = sum##i;
    ART_EACH_LANE(LOAD)
    const float *const end = codes + positions;
    for (; codes != end; codes++, values += dim) {
        const int32_t code = (int32_t)*codes;
        if (code != 0) {
            ART_EACH_LANE(ADD)
        }
    }
    ART_EACH_LANE(STORE)
#undef LOAD
#undef ADD
#undef STORE
}
