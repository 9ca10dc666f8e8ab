#include "linear_finish.h"

/* sums[lane] = the dot products of one group; codes point at its first column. */
static void dot_group(const uint32_t *codes, uint32_t zero, const int8_t *x, uint32_t count,
                      int32_t *sums)
{
    for (uint32_t lane = 0; lane < ART_BLOCK_ROWS; lane++) {
        const uint32_t shift = 4 * (lane / 2) + 16 * (lane % 2);
        sums[lane] = 0;
        for (uint32_t k = 0; k < count; k++) {
            sums[lane] += ((int32_t)(codes[k] >> shift & 15u) - (int32_t)zero) * x[k];
        }
    }
}

static int32_t sum_runs(const int32_t *sums, uint32_t count)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i * ART_SUM_RUN < count; i++) {
        sum += sums[i];
    }
    return sum;
}

static void block_of_token(const struct art_linear_work *work, uint32_t block, uint32_t token)
{
    const struct art_matrix *const matrix = work->matrix;
    const uint32_t depth = matrix->depth;
    const uint32_t length = matrix->group ? matrix->group : depth;
    const uint32_t groups = (depth + length - 1) / length;
    const uint32_t runs = (depth + ART_SUM_RUN - 1) / ART_SUM_RUN;
    const uint32_t *const codes = (const uint32_t *)matrix->codes + block * depth;
    const int8_t *const x = work->src->codes + token * depth;
    const float scale = work->src->scales[token];
    /* -0 plus anything is that thing, so the first term enters unchanged. */
    float values[ART_BLOCK_ROWS] = {-0.0f, -0.0f, -0.0f, -0.0f, -0.0f, -0.0f, -0.0f, -0.0f};
    int32_t sums[ART_BLOCK_ROWS];
    for (uint32_t group = 0; group < groups; group++) {
        const uint32_t first = group * length;
        const uint32_t count = depth - first < length ? depth - first : length;
        dot_group(codes + first, matrix->zero, x + first, count, sums);
        if (matrix->group) {
            const int32_t *const run = work->src->sums + token * runs + first / ART_SUM_RUN;
            art_add_group(matrix, (block * groups + group) * ART_BLOCK_ROWS, sums,
                          sum_runs(run, count), values);
        }
    }
    for (uint32_t lane = 0; lane < ART_BLOCK_ROWS; lane++) {
        const float *const scales = matrix->scales;
        values[lane] = matrix->group
                           ? values[lane] * scale
                           : ((float)sums[lane] * scale) * scales[block * ART_BLOCK_ROWS + lane];
    }
    art_finish_block(work, block, token, values);
}

void art_linear_w4(const struct art_linear_work *work)
{
    for (uint32_t block = work->first_block; block < work->last_block; block++) {
        for (uint32_t token = 0; token < work->tokens; token++) {
            block_of_token(work, block, token);
        }
    }
}
