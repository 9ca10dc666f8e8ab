/* What the row-quantising kernels share: two passes over a row that is computed twice, since that
 * is cheaper than room for it. */
#ifndef ARETUSA_KERNELS_QUANTISE_ROWS_H
#define ARETUSA_KERNELS_QUANTISE_ROWS_H

#include "aretusa/kernels.h"

/* Where the rows come from: fill writes the elements first .. first + count - 1 of a row, count
 * <= 32. It is called for rows in ascending order, twice. */
struct art_row_source {
    void (*fill)(void *context, uint32_t row, uint32_t first, uint32_t count, float *values);
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
