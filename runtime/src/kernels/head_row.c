#include "head_row.h"

#include "elements.h"
#include "tree_sum.h"

static void normalise(const struct art_head_transform *transform, uint32_t dim, float *row)
{
    float squares[ART_HEAD_DIM_MAX / ART_LANES];
    float lane_sums[ART_LANES];
    for (uint32_t lane = 0; lane < ART_LANES; lane++) {
        const uint32_t count = art_lane_count(dim, lane);
        for (uint32_t i = 0; i < count; i++) {
            squares[i] = row[i * ART_LANES + lane] * row[i * ART_LANES + lane];
        }
        lane_sums[lane] = art_lane_sum(squares, count);
    }
    const float mean = art_quotient(art_join_lanes(lane_sums), (float)dim);
    const float inverse = art_quotient(1.0f, art_root(mean + transform->norm_eps));
    art_normalise_run(row, transform->norm_weight, dim, inverse, row);
}

static void rotate(const float *cosine, const float *sine, uint32_t half, float *row)
{
    for (uint32_t i = 0; i < half; i++) {
        const float lower = row[i];
        const float upper = row[half + i];
        row[i] = lower * cosine[i] - upper * sine[i];
        row[half + i] = upper * cosine[i] + lower * sine[i];
    }
}

void art_transform_head(const struct art_head_transform *transform, uint32_t dim, uint32_t position,
                        float *row)
{
    if (transform->norm_weight) {
        normalise(transform, dim, row);
    }
    if (transform->rope_cosine) {
        const uint32_t half = dim / 2;
        rotate(transform->rope_cosine + position * half, transform->rope_sine + position * half,
               half, row);
    }
}

float art_head_row(const struct art_head_transform *transform, uint32_t dim, uint32_t position,
                   float code_max, float *row, int8_t *codes)
{
    art_transform_head(transform, dim, position, row);
    const struct art_row_scale scale = art_row_scale(art_largest(row, dim, 0.0f), code_max);
    (void)art_quantise_run(row, dim, scale, codes);
    return scale.scale;
}
