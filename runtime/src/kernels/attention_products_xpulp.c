#include "attention_products.h"

#include <stdbool.h>

#include "code_grid.h"
#include "lanes.h"
#include "xpulp_exp.h"
#include "xpulp_quotient.h"

typedef int32_t __attribute__((may_alias)) four_codes;

static int32_t dot_bytes(const int8_t *query, const int8_t *key, uint32_t dim)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < dim; i++) {
        sum += query[i] * key[i];
    }
    return sum;
}

static int32_t dot_words(const int8_t *query, const int8_t *key, uint32_t words)
{
    int32_t sum = 0, one, two;
    __asm__ volatile(
        XP_LOOP("%[words]", 3)           /**/
        XP_LW("%[one]", "%[query]", "4") /**/
        XP_LW("%[two]", "%[key]", "4")   /**/
        XP_SDOT("%[sum]", "%[one]", "%[two]") XP_END(3)
        : [query] "+r"(query), [key] "+r"(key), [sum] "+r"(sum), [one] "=&r"(one), [two] "=&r"(two)
        : [words] "r"(words)
        : "memory");
    return sum;
}

/* Dot products of a query with four keys that stand stride bytes apart: its load is shared. */
static struct art_int_lanes dot_four(const int8_t *query, const int8_t *key, uint32_t stride,
                                     uint32_t words)
{
    struct art_int_lanes sums;
    const int8_t *key1 = key + stride;
    const int8_t *key2 = key1 + stride;
    const int8_t *key3 = key2 + stride;
    int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
    int32_t four, one, two;
    __asm__ volatile(XP_LOOP("%[words]", 9)                  /**/
                     XP_LW("%[four]", "%[query]", "4")       /**/
                     XP_LW("%[one]", "%[key]", "4")          /**/
                     XP_LW("%[two]", "%[key1]", "4")         /**/
                     XP_SDOT("%[sum0]", "%[four]", "%[one]") /**/
                     XP_LW("%[one]", "%[key2]", "4")         /**/
                     XP_SDOT("%[sum1]", "%[four]", "%[two]") /**/
                     XP_LW("%[two]", "%[key3]", "4")         /**/
                     XP_SDOT("%[sum2]", "%[four]", "%[one]") /**/
                     XP_SDOT("%[sum3]", "%[four]", "%[two]") XP_END(9)
                     : [query] "+r"(query), [key] "+r"(key), [key1] "+r"(key1), [key2] "+r"(key2),
                       [key3] "+r"(key3), [sum0] "+r"(sum0), [sum1] "+r"(sum1), [sum2] "+r"(sum2),
                       [sum3] "+r"(sum3), [four] "=&r"(four), [one] "=&r"(one), [two] "=&r"(two)
                     : [words] "r"(words)
                     : "memory");
    sums.lane[0] = sum0;
    sums.lane[1] = sum1;
    sums.lane[2] = sum2;
    sums.lane[3] = sum3;
    return sums;
}

/* A score and where the next ones are. */
struct scoring {
    const float *scale;
    float *score;
    uint32_t step;
    float factor;
    float largest;
};

static inline void finish(struct scoring *scoring, int32_t sum)
{
    const float value = ((float)sum * scoring->factor) * *scoring->scale;
    *scoring->score = value;
    scoring->largest = xp_float_max(value, scoring->largest);
    scoring->scale += scoring->step;
    scoring->score += scoring->step;
}

/* Heads of four elements: a key is one word. */
static float score_words(const struct art_key_run *keys, const int8_t *query, float factor,
                         float *scores, float before)
{
    const int8_t *key = keys->codes;
    const float *scale = keys->scales;
    const uint32_t stride = keys->step * 4;
    const four_codes four = *(const four_codes *)(const void *)query;
    float largest = before, value, by;
    if (keys->count == 0) {
        return before;
    }
    __asm__ volatile(
        XP_LOOP("%[count]", 8)                        /**/
        XP_LW_BY("%[value]", "%[key]", "%[stride]")   /**/
        XP_LW_BY("%[by]", "%[scale]", "%[stride]")    /**/
        XP_DOT("%[value]", "%[value]", "%[four]")     /**/
        "fcvt.s.w %[value], %[value]\n\t"             /**/
        "fmul.s %[value], %[value], %[factor]\n\t"    /**/
        "fmul.s %[value], %[value], %[by]\n\t"        /**/
        XP_SW_BY("%[value]", "%[score]", "%[stride]") /**/
        "fmax.s %[largest], %[largest], %[value]\n\t" XP_END(8)
        : [key] "+r"(key), [scale] "+r"(scale), [score] "+r"(scores), [largest] "+r"(largest),
          [value] "=&r"(value), [by] "=&r"(by)
        : [count] "r"(keys->count), [stride] "r"(stride), [four] "r"(four), [factor] "r"(factor)
        : "memory");
    return largest;
}

static bool are_words(const struct art_key_run *keys, const int8_t *query)
{
    return (((uintptr_t)keys->codes | (uintptr_t)query | keys->dim) & 3) == 0;
}

float art_score_run(const struct art_key_run *keys, const int8_t *query, float factor,
                    float *scores, float before)
{
    const uint32_t dim = keys->dim;
    const uint32_t stride = keys->step * dim;
    const int8_t *key = keys->codes;
    struct scoring scoring = {keys->scales, scores, keys->step, factor, before};
    uint32_t left = keys->count;
    if (!are_words(keys, query)) {
        for (; left > 0; left--, key += stride) {
            finish(&scoring, dot_bytes(query, key, dim));
        }
        return scoring.largest;
    }
    if (dim == 4) {
        return score_words(keys, query, factor, scores, before);
    }
    for (; left >= 4; left -= 4, key += 4 * stride) {
        const struct art_int_lanes sums = dot_four(query, key, stride, dim / 4);
        finish(&scoring, sums.lane[0]);
        finish(&scoring, sums.lane[1]);
        finish(&scoring, sums.lane[2]);
        finish(&scoring, sums.lane[3]);
    }
    for (; left > 0; left--, key += stride) {
        finish(&scoring, dot_words(query, key, dim / 4));
    }
    return scoring.largest;
}

float art_largest_of_lanes(const float *lanes)
{
    const float one = xp_float_max(xp_float_max(lanes[0], lanes[1]), lanes[2]);
    const float two = xp_float_max(xp_float_max(lanes[3], lanes[4]), lanes[5]);
    return xp_float_max(xp_float_max(one, two), xp_float_max(lanes[6], lanes[7]));
}

/* xp_exp_within_limits step by step, in a loop of the hardware. */
void art_weigh_run(float *scores, uint32_t count, uint32_t step, float largest, const float *powers)
{
    const uint32_t stride = step * 4;
    float x, steps, k, power;
    if (count == 0) {
        return;
    }
    __asm__ volatile(
        XP_LOOP("%[count]", 23)                                                                /**/
        "lw %[x], 0(%[scores])\n\t"                                                            /**/
        "fsub.s %[x], %[x], %[largest]\n\t"                                                    /**/
        "fmax.s %[x], %[x], %[least]\n\t"                                                      /**/
        "fmul.s %[steps], %[x], %[per_step]\n\t"                                               /**/
        "fadd.s %[steps], %[steps], %[integer]\n\t"                                            /**/
        "fsub.s %[k], %[steps], %[integer]\n\t"                                                /**/
        "slli %[power], %[steps], 27\n\t"                                                      /**/
        "srli %[power], %[power], 25\n\t"                                                      /**/
        XP_LW_AT("%[power]", "%[powers]", "%[power]") "fnmsub.s %[x], %[k], %[high], %[x]\n\t" /**/
                                                      "fmul.s %[k], %[k], %[low]\n\t"          /**/
                                                      "fsub.s %[x], %[x], %[k]\n\t"     /* r */
                                                      "fmul.s %[k], %[x], %[sixth]\n\t" /**/
                                                      "fadd.s %[k], %[k], %[half]\n\t"  /**/
                                                      "fmul.s t0, %[x], %[x]\n\t"       /**/
                                                      "fmul.s %[k], t0, %[k]\n\t"       /**/
                                                      "fadd.s %[x], %[x], %[k]\n\t"     /* tail */
                                                      "fmul.s %[x], %[power], %[x]\n\t" /**/
                                                      "fadd.s %[x], %[power], %[x]\n\t" /**/
                                                      "srli %[steps], %[steps], 5\n\t"  /**/
                                                      "slli %[steps], %[steps], 23\n\t" /**/
                                                      "add %[x], %[x], %[steps]\n\t"    /**/
        XP_SW_BY("%[x]", "%[scores]", "%[stride]") XP_END(23)
        : [scores] "+r"(scores), [x] "=&r"(x), [steps] "=&r"(steps), [k] "=&r"(k),
          [power] "=&r"(power)
        : [count] "r"(count), [stride] "r"(stride), [powers] "r"(powers), [largest] "r"(largest),
          [least] "r"(-87.0f), [per_step] "r"(XP_FLOAT(ART_EXP_PER_STEP)), [integer] "r"(0x1.8p23f),
          [high] "r"(ART_EXP_STEP_HIGH), [low] "r"(XP_FLOAT(ART_EXP_STEP_LOW)),
          [sixth] "r"(XP_FLOAT(ART_EXP_SIXTH)), [half] "r"(0.5f)
        : "t0", "memory");
}

float art_scale_run(float *weights, const float *scales, uint32_t count, uint32_t step,
                    float before)
{
    const uint32_t stride = step * 4;
    float largest = before, value, by;
    if (count == 0) {
        return before;
    }
    __asm__ volatile(XP_LOOP("%[count]", 5)                          /**/
                     XP_LW_BY("%[by]", "%[scales]", "%[stride]")     /**/
                     "lw %[value], 0(%[weights])\n\t"                /**/
                     "fmul.s %[value], %[value], %[by]\n\t"          /**/
                     XP_SW_BY("%[value]", "%[weights]", "%[stride]") /**/
                     "fmax.s %[largest], %[largest], %[value]\n\t" XP_END(5)
                     : [weights] "+r"(weights), [scales] "+r"(scales), [largest] "+r"(largest),
                       [value] "=&r"(value), [by] "=&r"(by)
                     : [count] "r"(count), [stride] "r"(stride)
                     : "memory");
    return largest;
}

/* What art_code_4095 does; a tie leaves the loop to divide. */
static void encode(float *weights, uint32_t count, uint32_t stride, struct art_row_scale unit)
{
    const float grid = ART_GRID_4095, to_integer = 0x1.8p23f;
    const uint32_t mask = ART_MASK_4095;
    uint32_t bits, tie;
    float value;
    __asm__ volatile(
        XP_LOOP("%[count]", 7)                               /**/
        "lw %[value], 0(%[weights])\n\t"                     /**/
        "fmadd.s %[bits], %[value], %[inverse], %[grid]\n\t" /**/
        "andi %[tie], %[bits], 511\n\t"                      /**/
        "beqz %[tie], 1f\n\t"                                /**/
        "srli %[bits], %[bits], 9\n\t"                       /**/
        "2: and %[bits], %[bits], %[mask]\n\t"               /**/
        XP_SW_BY("%[bits]", "%[weights]", "%[stride]")
            XP_END(7) "j 3f\n\t"                                   /**/
                      "1: fdiv.s %[bits], %[value], %[scale]\n\t"  /**/
                      "fadd.s %[bits], %[bits], %[to_integer]\n\t" /**/
                      "j 2b\n"                                     /**/
                      "3:"
        : [weights] "+r"(weights), [value] "=&r"(value), [bits] "=&r"(bits), [tie] "=&r"(tie)
        : [count] "r"(count), [stride] "r"(stride), [inverse] "r"(unit.inverse),
          [scale] "r"(unit.scale), [grid] "r"(grid), [mask] "r"(mask), [to_integer] "r"(to_integer)
        : "memory");
}

void art_encode_run(float *weights, uint32_t count, uint32_t step, struct art_row_scale unit)
{
    if (count > 0 && unit.scale > 0.0f) {
        encode(weights, count, step * 4, unit);
        return;
    }
    for (; count > 0; count--, weights += step) {
        *(art_code *)(void *)weights = 0;
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
    int32_t code, one, two;
    __asm__ volatile(XP_LOOP("%[positions]", 11)            /**/
                     XP_LW("%[code]", "%[codes]", "4")      /**/
                     "lb %[one], 0(%[values])\n\t"          /**/
                     "beqz %[code], 1f\n\t"                 /**/
                     "lb %[two], 1(%[values])\n\t"          /**/
                     XP_MAC("%[sum0]", "%[code]", "%[one]") /**/
                     "lb %[one], 2(%[values])\n\t"          /**/
                     XP_MAC("%[sum1]", "%[code]", "%[two]") /**/
                     "lb %[two], 3(%[values])\n\t"          /**/
                     XP_MAC("%[sum2]", "%[code]", "%[one]") /**/
                     XP_MAC("%[sum3]", "%[code]", "%[two]") /**/
                     "1: add %[values], %[values], %[dim]\n\t" XP_END(11)
                     : [codes] "+r"(codes), [values] "+r"(values), [sum0] "+r"(sum0),
                       [sum1] "+r"(sum1), [sum2] "+r"(sum2), [sum3] "+r"(sum3), [code] "=&r"(code),
                       [one] "=&r"(one), [two] "=&r"(two)
                     : [positions] "r"(positions), [dim] "r"(dim)
                     : "memory");
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}
