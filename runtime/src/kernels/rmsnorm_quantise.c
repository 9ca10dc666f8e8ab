#include "quantise_rows.h"
#include "tree_sum.h"

struct norm_rows {
    const struct art_norm_shape *shape;
    const float *src;
    const float *weight;
    const float *lane_sums; /* [tokens][8] sums of squares */
    uint32_t row;           /* whose inverse is known */
    float inverse;
};

static void sum_squares(const struct art_team *team, const struct art_norm_shape *shape,
                        const float *src, float *squares, float *lane_sums)
{
    const uint32_t lane_elements = (shape->depth + ART_LANES - 1) / ART_LANES;
    for (uint32_t lane = team->core; lane < ART_LANES; lane += team->cores) {
        const uint32_t count = art_lane_count(shape->depth, lane);
        float *const room = squares + lane * lane_elements;
        for (uint32_t token = 0; token < shape->tokens; token++) {
            const float *const x = src + token * shape->depth + lane;
            for (uint32_t i = 0; i < count; i++) {
                room[i] = x[i * ART_LANES] * x[i * ART_LANES];
            }
            lane_sums[token * ART_LANES + lane] = art_lane_sum(room, count);
        }
    }
}

/* Computed twice, since that is cheaper than room for the rows. */
static const float *fill(void *context, uint32_t row, uint32_t first, uint32_t count, float *room)
{
    struct norm_rows *const rows = context;
    const struct art_norm_shape *const shape = rows->shape;
    if (row != rows->row) {
        const float sum = art_join_lanes(rows->lane_sums + row * ART_LANES);
        const float mean = art_quotient(sum, (float)shape->depth);
        rows->inverse = art_quotient(1.0f, art_root(mean + shape->eps));
        rows->row = row;
    }
    art_normalise_run(rows->src + row * shape->depth + first, rows->weight + first, count,
                      rows->inverse, room);
    return room;
}

void art_rmsnorm_quantise(const struct art_team *team, const struct art_norm_shape *shape,
                          const float *src, const float *weight, void *scratch,
                          const struct art_rows *out)
{
    float *const lane_sums = (float *)scratch + shape->tokens * ART_CORES_MAX;
    float *const squares = lane_sums + shape->tokens * ART_LANES;
    sum_squares(team, shape, src, squares, lane_sums);
    art_platform_barrier(team);
    struct norm_rows rows = {
        .shape = shape, .src = src, .weight = weight, .lane_sums = lane_sums, .row = UINT32_MAX};
    const struct art_row_source source = {.first_pass = fill,
                                          .second_pass = fill,
                                          .context = &rows,
                                          .rows = shape->tokens,
                                          .depth = shape->depth};
    art_quantise_rows(team, &source, scratch, out);
}
