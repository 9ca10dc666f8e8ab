/* What the row-quantising kernels share: two passes over the rows, one for the largest magnitude
 * and one for the codes. */
#ifndef ARETUSA_KERNELS_QUANTISE_ROWS_H
#define ARETUSA_KERNELS_QUANTISE_ROWS_H

#include "aretusa/kernels.h"

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

/* Quantise all rows; maxima is shared room for 8 floats per row. Crosses one barrier. */
void art_quantise_rows(const struct art_team *team, const struct art_row_source *source,
                       float *maxima, const struct art_rows *out);

/* The codes of count values, divided by scale; returns their sum. */
int32_t art_quantise_run(const float *values, uint32_t count, float scale, int8_t *codes);

#endif
