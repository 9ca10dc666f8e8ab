/* What the row-quantising kernels share: two passes over the rows, one for the largest magnitude
 * and one for the codes. */
#ifndef ARETUSA_KERNELS_QUANTISE_ROWS_H
#define ARETUSA_KERNELS_QUANTISE_ROWS_H

#include "aretusa/kernels.h"
#include "elements.h"

/* Tells where the elements first .. first + count - 1 of a row are, count <= 32; room is a place
 * for them if they have none. */
typedef const float *art_run_values(void *context, uint32_t row, uint32_t first, uint32_t count,
                                    float *room);

/* Where the rows come from. Each core asks for its runs, of rows in ascending order, and past a
 * barrier for the same runs again. */
struct art_row_source {
    art_run_values *first_pass;
    art_run_values *second_pass;
    void *context;
    uint32_t rows;
    uint32_t depth;
};

/* Quantise all rows. The room is what art_quantise_scratch_bytes says: first 8 floats per row for
 * the cores' maxima, then 8 per row that are left alone, then the rest. Crosses a barrier, and
 * another one where runs are divided. */
void art_quantise_rows(const struct art_team *team, const struct art_row_source *source,
                       float *room, const struct art_rows *out);

#endif
