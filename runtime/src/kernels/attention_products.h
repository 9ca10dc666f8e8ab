/* What attention does to one position after the other: the loops in which the time goes.
 *
 * The cores of a row take every step-th position of it: runs start at their first one. */
#ifndef ARETUSA_KERNELS_ATTENTION_PRODUCTS_H
#define ARETUSA_KERNELS_ATTENTION_PRODUCTS_H

#include "elements.h"

enum { ART_MIX_COLUMNS = 4 };

/* A 12-bit code in the place of a weight. */
typedef int32_t __attribute__((may_alias)) art_code;

/* Keys of a run of positions. */
struct art_key_run {
    const int8_t *codes;
    const float *scales;
    uint32_t count;
    uint32_t step; /* positions from one to the next */
    uint32_t dim;
};

/* Scores: ((float)(query . key) * factor) * scale of the key. Returns the largest one of them and
 * of what was found before. */
typedef float art_score(const struct art_key_run *keys, const int8_t *query, float factor,
                        float *scores, float before);
art_score art_score_run;

/* The largest of eight. */
float art_largest_of_lanes(const float *lanes);

/* Scores become weights: e^(score - largest), of scores that are not above the largest, with a
 * table of powers as art_exp_by. */
void art_weigh_run(float *scores, uint32_t count, uint32_t step, float largest,
                   const float *powers);

/* Weights are multiplied by the scales of their values. Returns the largest product and what was
 * found before. */
float art_scale_run(float *weights, const float *scales, uint32_t count, uint32_t step,
                    float before);

/* Products become codes. */
void art_encode_run(float *weights, uint32_t count, uint32_t step, struct art_row_scale unit);

/* Sums of code * value over the positions for some columns, at most four, of values
 * [positions][dim]; added to the sums. */
void art_mix_run(const art_code *codes, const int8_t *values, uint32_t positions, uint32_t dim,
                 uint32_t columns, int32_t *sums);

#endif
