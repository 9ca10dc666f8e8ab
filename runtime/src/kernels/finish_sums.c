#include "aretusa/kernels.h"

/* One token's sums, rows first .. last - 1. */
static void finish(const struct art_sums *sums, const int32_t *pixel, float token_scale,
                   const float *residual, float *out, uint32_t first, uint32_t last)
{
    const int32_t *const corrections = sums->corrections;
    const float *const scales = sums->scales;
    const float *const bias = sums->bias;

    for (uint32_t row = first; row < last; row++) {
        const uint32_t correction = corrections ? (uint32_t)corrections[row] : 0;
        const int32_t sum = (int32_t)((uint32_t)pixel[row] + correction);
        float value = ((float)sum * token_scale) * scales[row];

        if (bias) {
            value += bias[row];
        }
        out[row] = residual ? residual[row] + value : value;
    }
}

void art_finish_sums(const struct art_team *team, const struct art_sums *sums,
                     const float *token_scales, uint32_t tokens, uint32_t stride,
                     const float *residual, float *out)
{
    const uint32_t first = sums->rows * team->core / team->cores;
    const uint32_t last = sums->rows * (team->core + 1) / team->cores;

    for (uint32_t token = 0; token < tokens; token++) {
        const uint32_t pixel = sums->pixels ? sums->pixels[token] : token;
        const uint32_t at = token * stride;

        finish(sums, sums->sums + pixel * sums->rows, token_scales[token],
               residual ? residual + at : 0, out + at, first, last);
    }
}
