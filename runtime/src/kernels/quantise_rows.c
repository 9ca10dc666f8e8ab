#include "quantise_rows.h"

#include "float_bits.h"
#include "tree_sum.h"

/* Runs of 32 elements are dealt to the cores round robin across the rows: a core's first run of the
 * next row stands where its last one of this row left off. */

uint32_t art_quantise_scratch_bytes(uint32_t tokens, uint32_t depth)
{
    const uint32_t lane_elements = (depth + ART_LANES - 1) / ART_LANES;
    return (2 * tokens + lane_elements) * ART_LANES * (uint32_t)sizeof(float);
}

int32_t art_quantise_run(const float *values, uint32_t count, float scale, int8_t *codes)
{
    const float *const end = values + count;
    int32_t sum = 0;
    if (!(scale > 0.0f)) {
        for (uint32_t i = 0; i < count; i++) {
            codes[i] = 0;
        }
        return 0;
    }
    for (; values != end; values++, codes++) {
        const int32_t code = art_round(*values / scale);
        *codes = (int8_t)code;
        sum += code;
    }
    return sum;
}

static uint32_t run_length(uint32_t depth, uint32_t run)
{
    const uint32_t left = depth - run * ART_SUM_RUN;
    return left < ART_SUM_RUN ? left : ART_SUM_RUN;
}

static float larger(float largest, const float *values, uint32_t count)
{
    const float *const end = values + count;
    for (; values != end; values++) {
        const float magnitude = art_magnitude(*values);
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}

static void find_maxima(const struct art_team *team, const struct art_row_source *source,
                        float *maxima)
{
    const uint32_t runs = (source->depth + ART_SUM_RUN - 1) / ART_SUM_RUN;
    float room[ART_SUM_RUN];
    uint32_t run = team->core;
    for (uint32_t row = 0; row < source->rows; row++) {
        float largest = 0.0f;
        for (; run < runs; run += team->cores) {
            const uint32_t first = run * ART_SUM_RUN;
            const uint32_t count = run_length(source->depth, run);
            const float *const values =
                source->first_pass(source->context, row, first, count, room);
            largest = larger(largest, values, count);
        }
        run -= runs;
        maxima[row * ART_CORES_MAX + team->core] = largest;
    }
}

static float row_scale(const struct art_team *team, const float *maxima)
{
    float largest = maxima[0];
    for (uint32_t core = 1; core < team->cores; core++) {
        largest = maxima[core] > largest ? maxima[core] : largest;
    }
    return art_scale_of(largest, 127.0f);
}

static void write_codes(const struct art_team *team, const struct art_row_source *source,
                        const float *maxima, const struct art_rows *out)
{
    const uint32_t depth = source->depth;
    const uint32_t runs = (depth + ART_SUM_RUN - 1) / ART_SUM_RUN;
    float room[ART_SUM_RUN];
    uint32_t run = team->core;
    for (uint32_t row = 0; row < source->rows; row++) {
        const float scale = row_scale(team, maxima + row * ART_CORES_MAX);
        for (; run < runs; run += team->cores) {
            const uint32_t first = run * ART_SUM_RUN;
            const uint32_t count = run_length(depth, run);
            const float *const values =
                source->second_pass(source->context, row, first, count, room);
            out->sums[row * runs + run] =
                art_quantise_run(values, count, scale, out->codes + row * depth + first);
        }
        run -= runs;
        if (row % team->cores == team->core) {
            out->scales[row] = scale;
        }
    }
}

void art_quantise_rows(const struct art_team *team, const struct art_row_source *source,
                       float *maxima, const struct art_rows *out)
{
    find_maxima(team, source, maxima);
    art_platform_barrier(team);
    write_codes(team, source, maxima, out);
}
