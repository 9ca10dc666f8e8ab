#include "aretusa/kernels.h"
#include "share.h"

/* This core's rows of one token. */
struct run {
    const int32_t *sums;
    const int32_t *corrections; /* null when there are none */
    const float *scales;
    const float *bias;     /* alike */
    const float *residual; /* alike */
    float *out;
    uint32_t count;
    float token_scale;
};

static float scaled(const struct run *run, uint32_t row)
{
    return ((float)run->sums[row] * run->token_scale) * run->scales[row];
}

/* Of most layers. */
static void finish_plain(const struct run *run)
{
    for (uint32_t row = 0; row < run->count; row++) {
        run->out[row] = scaled(run, row);
    }
}

static void finish_with_residual(const struct run *run)
{
    for (uint32_t row = 0; row < run->count; row++) {
        run->out[row] = run->residual[row] + scaled(run, row);
    }
}

static void finish_any(const struct run *run)
{
    for (uint32_t row = 0; row < run->count; row++) {
        const uint32_t correction = run->corrections ? (uint32_t)run->corrections[row] : 0;
        const int32_t sum = (int32_t)((uint32_t)run->sums[row] + correction);
        float value = ((float)sum * run->token_scale) * run->scales[row];

        if (run->bias) {
            value += run->bias[row];
        }
        run->out[row] = run->residual ? run->residual[row] + value : value;
    }
}

static void finish(const struct run *run)
{
    if (run->corrections || run->bias) {
        finish_any(run);
    } else if (run->residual) {
        finish_with_residual(run);
    } else {
        finish_plain(run);
    }
}

void art_finish_sums(const struct art_team *team, const struct art_sums *sums,
                     const float *token_scales, uint32_t tokens, uint32_t stride,
                     const float *residual, float *out)
{
    const uint32_t first = art_share(sums->rows, team->core, team->cores);
    const uint32_t last = art_share(sums->rows, team->core + 1, team->cores);

    for (uint32_t token = 0; token < tokens; token++) {
        const uint32_t pixel = sums->pixels ? sums->pixels[token] : token;
        const uint32_t at = token * stride + first;
        const struct run run = {
            .sums = sums->sums + pixel * sums->rows + first,
            .corrections = sums->corrections ? sums->corrections + first : 0,
            .scales = sums->scales + first,
            .bias = sums->bias ? sums->bias + first : 0,
            .residual = residual ? residual + at : 0,
            .out = out + at,
            .count = last - first,
            .token_scale = token_scales[token],
        };

        finish(&run);
    }
}
