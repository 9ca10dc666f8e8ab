#include "aretusa/kernels.h"

static float finish(const struct art_sums *sums, float token_scale, uint32_t token, uint32_t row)
{
    const float sum = (float)sums->sums[token * sums->rows + row];
    const float value = (sum * token_scale) * sums->scales[row];

    return sums->bias ? value + sums->bias[row] : value;
}

void art_finish_sums(const struct art_team *team, const struct art_sums *sums,
                     const float *token_scales, uint32_t tokens, uint32_t stride,
                     const float *residual, float *out)
{
    const uint32_t first = sums->rows * team->core / team->cores;
    const uint32_t last = sums->rows * (team->core + 1) / team->cores;

    for (uint32_t token = 0; token < tokens; token++) {
        for (uint32_t row = first; row < last; row++) {
            const uint32_t at = token * stride + row;
            const float value = finish(sums, token_scales[token], token, row);

            out[at] = residual ? residual[at] + value : value;
        }
    }
}
