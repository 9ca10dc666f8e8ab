#include "elements.h"

#include "code_grid.h"
#include "exp.h"
#include "float_bits.h"
#include "lanes.h"
#include "xpulp_exp.h"
#include "xpulp_quotient.h"

/* Code that stands there once is fetched once. */
ART_OUT_OF_LINE float quotient(float a, float b)
{
    return xp_is_moderate(a) && xp_is_moderate(b) ? xp_quotient(a, b) : a / b;
}

float art_quotient(float a, float b)
{
    return quotient(a, b);
}

float art_root(float value)
{
    return xp_square_root(value);
}

struct art_row_scale art_row_scale(float largest, float code_max)
{
    const float scale = quotient(largest, code_max);
    if (scale < ART_SCALE_MIN) {
        return (struct art_row_scale){0.0f, 0.0f};
    }
    return (struct art_row_scale){scale, quotient(1.0f, scale)};
}

/* Magnitudes are ordered as their bits are. The next value is loaded before this one is used. */
float art_largest(const float *values, uint32_t count, float before)
{
    if (count == 0) {
        return before;
    }
    uint32_t largest = art_bits_of_float(before);
    uint32_t value = art_bits_of_float(*values++);
    const uint32_t mask = 0x7fffffff;
    const uint32_t left = count - 1;
    if (left > 0) {
        uint32_t magnitude;
        __asm__ volatile(XP_LOOP("%[left]", 3)                     /**/
                         "and %[magnitude], %[value], %[mask]\n\t" /**/
                         XP_LW("%[value]", "%[values]", "4")       /**/
                         XP_MAX("%[largest]", "%[largest]", "%[magnitude]") XP_END(3)
                         : [values] "+r"(values), [value] "+r"(value), [largest] "+r"(largest),
                           [magnitude] "=&r"(magnitude)
                         : [mask] "r"(mask), [left] "r"(left)
                         : "memory");
    }
    value &= mask;
    return art_float_of_bits(value > largest ? value : largest);
}

/* What art_code_127 does; a tie leaves the loop to divide. Codes are summed up with the bits of the
 * grid's 12288 above them. */
static int32_t quantise_all_but_last(const float *values, uint32_t count,
                                     struct art_row_scale scale, int8_t *codes)
{
    const float grid = ART_GRID_127, to_integer = 0x1.8p23f;
    const uint32_t base = 0x46400000u;
    uint32_t sum = 0, bits;
    float value = *values++;
    __asm__ volatile(XP_LOOP("%[count]", 7)                               /**/
                     "fmadd.s %[bits], %[value], %[inverse], %[grid]\n\t" /**/
                     "slli t0, %[bits], 22\n\t"                           /**/
                     "beqz t0, 1f\n\t"                                    /**/
                     "2:\n\t" XP_LW("%[value]", "%[values]", "4")         /**/
                     "srai %[bits], %[bits], 10\n\t"                      /**/
                     XP_SB("%[bits]", "%[codes]", "1")                    /**/
                     "add %[sum], %[sum], %[bits]\n\t" XP_END(7)          /**/
                     "j 3f\n\t"                                           /**/
                     "1: fdiv.s %[bits], %[value], %[scale]\n\t"          /**/
                     "fadd.s %[bits], %[bits], %[to_integer]\n\t"         /**/
                     "slli %[bits], %[bits], 10\n\t"                      /**/
                     "add %[bits], %[bits], %[base]\n\t"                  /**/
                     "j 2b\n"                                             /**/
                     "3:"
                     : [values] "+r"(values), [codes] "+r"(codes), [value] "+r"(value),
                       [sum] "+r"(sum), [bits] "=&r"(bits)
                     : [count] "r"(count), [inverse] "r"(scale.inverse), [scale] "r"(scale.scale),
                       [grid] "r"(grid), [to_integer] "r"(to_integer), [base] "r"(base)
                     : "t0", "memory");
    return (int32_t)(sum - count * (base >> ART_FRACTION_127));
}

int32_t art_quantise_run(const float *values, uint32_t count, struct art_row_scale scale,
                         int8_t *codes)
{
    const uint32_t last = count - 1;
    int32_t sum = 0;
    if (!(scale.scale > 0.0f)) {
        for (uint32_t i = 0; i < count; i++) {
            codes[i] = 0;
        }
        return 0;
    }
    if (last > 0) {
        sum = quantise_all_but_last(values, last, scale, codes);
    }
    const int32_t code = art_code_127(values[last], scale);
    codes[last] = (int8_t)code;
    return sum + code;
}

void art_normalise_run(const float *src, const float *weight, uint32_t count, float inverse,
                       float *out)
{
    float value, factor;
    __asm__ volatile(XP_LOOP("%[count]", 5)                      /**/
                     XP_LW("%[value]", "%[src]", "4")            /**/
                     XP_LW("%[factor]", "%[weight]", "4")        /**/
                     "fmul.s %[value], %[value], %[inverse]\n\t" /**/
                     "fmul.s %[value], %[value], %[factor]\n\t"  /**/
                     XP_SW("%[value]", "%[out]", "4") XP_END(5)
                     : [src] "+r"(src), [weight] "+r"(weight), [out] "+r"(out),
                       [value] "=&r"(value), [factor] "=&r"(factor)
                     : [inverse] "r"(inverse), [count] "r"(count)
                     : "memory");
}

/* 2^-60 <= |gate| < 87: there the exponential needs no limits, and its sum with 1 fits
 * xp_reciprocal. */
static inline bool is_common(float gate)
{
    return art_bits_of_float(art_magnitude(gate)) - 0x21800000u < 0x42ae0000u - 0x21800000u;
}

void art_gate_run(float *gate, const float *up, uint32_t count, const float *powers)
{
    for (const float *const end = gate + count; gate != end; gate++, up++) {
        const float value = *gate;
        const float factor = *up;
        const float divided = is_common(value)
                                  ? xp_quotient(value, 1.0f + xp_exp_within_limits(powers, -value))
                                  : value / (1.0f + art_exp_by(powers, -value));
        *gate = divided * factor;
    }
}
