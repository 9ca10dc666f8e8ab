#include "kept_products.h"
#include "linear_finish.h"

/* Kept columns only: of every `columns` columns of a row, `kept` are stored, each with its place
 * among them. A block holds, run of columns after run and kept column after kept column, the eight
 * rows' values and then their places: eight fields of log2(columns) bits, so as many bytes.
 *
 * The activation of a place is loaded for each row by itself, where the other layouts load one for
 * eight rows. That pays where the bytes of the weights do. Sums are those of the whole rows, whose
 * other products are zero; so they are exact alike. */

void art_linear_nm(const struct art_linear_work *work)
{
    const struct art_matrix *const matrix = work->matrix;
    const bool is_w4 = matrix->form == ART_MATRIX_W4_CHANNEL;
    const uint32_t bits = art_place_bits(matrix->columns);
    const uint32_t block_bytes =
        art_kept_block_bytes(matrix->depth, is_w4, matrix->kept, matrix->columns);
    for (uint32_t block = work->first_block; block < work->last_block; block++) {
        const uint8_t *const values = (const uint8_t *)matrix->codes + block * block_bytes;
        for (uint32_t token = 0; token < work->tokens; token++) {
            const int8_t *const x = work->src->codes + token * matrix->depth;
            const struct art_int_lanes sums = art_kept_products(matrix, bits, values, x);
            struct art_float_lanes totals;
#define CONVERT(i) totals.lane[i] = (float)sums.lane[i];
            ART_EACH_LANE(CONVERT)
#undef CONVERT
            art_finish(work, block, token, totals);
        }
    }
}
