#include "linear_parts.h"

void art_linear(const struct art_team *team, const struct art_matrix *matrix,
                const struct art_rows *src, uint32_t tokens, const float *residual, float *out)
{
    art_linear_part(team, matrix, src, tokens, matrix->rows, residual, out);
}

void art_linear_part(const struct art_team *team, const struct art_matrix *matrix,
                     const struct art_rows *src, uint32_t tokens, uint32_t stride,
                     const float *residual, float *out)
{
    const uint32_t blocks = (matrix->rows + ART_BLOCK_ROWS - 1) / ART_BLOCK_ROWS;
    struct art_linear_work work = {.matrix = matrix,
                                   .src = src,
                                   .residual = residual,
                                   .out = out,
                                   .tokens = tokens,
                                   .stride = stride,
                                   .first_block = blocks * team->core / team->cores,
                                   .last_block = blocks * (team->core + 1) / team->cores};
    work.runs = (matrix->depth + ART_SUM_RUN - 1) / ART_SUM_RUN;
    work.length = matrix->group ? matrix->group : matrix->depth;
    work.groups = (matrix->depth + work.length - 1) / work.length;
    if (matrix->columns) {
        art_linear_nm(&work);
    } else if (matrix->form == ART_MATRIX_W8_CHANNEL || matrix->form == ART_MATRIX_W8_GROUP) {
        art_linear_w8(&work);
    } else {
        art_linear_w4(&work);
    }
}
