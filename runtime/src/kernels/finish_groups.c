#include "aretusa/kernels.h"
#include "float_bits.h"

struct part {
    uint32_t first;
    uint32_t last; /* one past */
};

/* This core's rows. */
static struct part part_of(const struct art_team *team, uint32_t rows)
{
    return (struct part){rows * team->core / team->cores, rows * (team->core + 1) / team->cores};
}

static void add(const struct art_group_sums *sums, const int32_t *pixel, struct part part,
                float *totals)
{
    const uint32_t groups = sums->groups;
    const uint16_t *scale = sums->scales + part.first * groups;
    const bool is_first = sums->is_first;

    for (uint32_t row = part.first; row < part.last; row++, scale += groups) {
        const float term = (float)pixel[row] * art_shrunk_half(*scale);

        totals[row] = is_first ? term : totals[row] + term;
    }
}

static void add_with_minimums(const struct art_group_sums *sums, const int32_t *pixel,
                              float code_sum, struct part part, float *totals)
{
    const uint32_t groups = sums->groups;
    const uint16_t *scale = sums->scales + part.first * groups;
    const uint16_t *minimum = sums->minimums + part.first * groups;
    const bool is_first = sums->is_first;

    for (uint32_t row = part.first; row < part.last; row++, scale += groups, minimum += groups) {
        const float term =
            (float)pixel[row] * art_shrunk_half(*scale) + code_sum * art_shrunk_half(*minimum);

        totals[row] = is_first ? term : totals[row] + term;
    }
}

static void add_with_zeros(const struct art_group_sums *sums, const int32_t *pixel,
                           int32_t code_sum, struct part part, float *totals)
{
    const uint32_t groups = sums->groups;
    const uint16_t *scale = sums->scales + part.first * groups;
    const int16_t *zero = (const int16_t *)sums->minimums + part.first * groups;
    const bool is_first = sums->is_first;

    for (uint32_t row = part.first; row < part.last; row++, scale += groups, zero += groups) {
        const float term = (float)(pixel[row] - *zero * code_sum) * art_shrunk_half(*scale);

        totals[row] = is_first ? term : totals[row] + term;
    }
}

void art_add_group_sums(const struct art_team *team, const struct art_group_sums *sums,
                        uint32_t tokens, float *totals)
{
    const struct part part = part_of(team, sums->rows);

    for (uint32_t token = 0; token < tokens; token++, totals += sums->rows) {
        const uint32_t at = sums->pixels ? sums->pixels[token] : token;
        const int32_t *pixel = sums->sums + at * sums->rows;

        if (!sums->minimums) {
            add(sums, pixel, part, totals);
            continue;
        }
        const int32_t *runs = sums->code_sums + token * sums->code_runs_stride;
        int32_t code_sum = 0;

        for (uint32_t run = 0; run < sums->code_runs; run++) {
            code_sum += runs[run];
        }
        if (sums->has_zeros) {
            add_with_zeros(sums, pixel, code_sum, part, totals);
        } else {
            add_with_minimums(sums, pixel, (float)code_sum, part, totals);
        }
    }
}

static void finish(const struct art_totals *totals, const float *total, float token_scale,
                   const float *residual, float *out, struct part part)
{
    for (uint32_t row = part.first; row < part.last; row++) {
        float value = (total[row] * ART_UNSHRINK) * token_scale;

        if (totals->bias) {
            value += totals->bias[row];
        }
        out[row] = residual ? residual[row] + value : value;
    }
}

void art_finish_totals(const struct art_team *team, const struct art_totals *totals,
                       const float *token_scales, uint32_t tokens, uint32_t stride,
                       const float *residual, float *out)
{
    const struct part part = part_of(team, totals->rows);

    for (uint32_t token = 0; token < tokens; token++) {
        const uint32_t at = token * stride;

        finish(totals, totals->totals + token * totals->rows, token_scales[token],
               residual ? residual + at : 0, out + at, part);
    }
}
