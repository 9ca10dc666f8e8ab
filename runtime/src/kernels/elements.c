#include "elements.h"

#include "code_grid.h"
#include "exp.h"
#include "float_bits.h"
#include "square_root.h"

float art_quotient(float a, float b)
{
    return a / b;
}

float art_root(float value)
{
    return art_square_root(value);
}

struct art_row_scale art_row_scale(float largest, float code_max)
{
    const float scale = largest / code_max;
    if (scale < ART_SCALE_MIN) {
        return (struct art_row_scale){0.0f, 0.0f};
    }
    return (struct art_row_scale){scale, 1.0f / scale};
}

float art_largest(const float *values, uint32_t count, float before)
{
    const float *const end = values + count;
    float largest = before;
    for (; values != end; values++) {
        const float magnitude = art_magnitude(*values);
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}

int32_t art_quantise_run(const float *values, uint32_t count, struct art_row_scale scale,
                         int8_t *codes)
{
    const float *const end = values + count;
    int32_t sum = 0;
    if (!(scale.scale > 0.0f)) {
        for (uint32_t i = 0; i < count; i++) {
            codes[i] = 0;
        }
        return 0;
    }
    for (; values != end; values++, codes++) {
        const int32_t code = art_code_127(*values, scale);
        *codes = (int8_t)code;
        sum += code;
    }
    return sum;
}

void art_normalise_run(const float *src, const float *weight, uint32_t count, float inverse,
                       float *out)
{
    for (uint32_t i = 0; i < count; i++) {
        out[i] = (src[i] * inverse) * weight[i];
    }
}

void art_gate_run(float *gate, const float *up, uint32_t count, const float *powers)
{
    for (uint32_t i = 0; i < count; i++) {
        gate[i] = gate[i] / (1.0f + art_exp_by(powers, -gate[i])) * up[i];
    }
}
