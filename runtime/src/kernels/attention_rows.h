/* What attention computes in one step, shared by the cores: rows of scores, or several cores a row,
 * then columns of the results. */
#ifndef ARETUSA_KERNELS_ATTENTION_ROWS_H
#define ARETUSA_KERNELS_ATTENTION_ROWS_H

#include "attention_steps.h"

/* Rows are those of the pass: [kv head][token][query head of the kv head]. Of a row there are up to
 * eight parts; those that there are not have a value that changes nothing. */
struct attention_scratch {
    float *scores;  /* [rows][context]: scores, then weights, then times value scales, then codes */
    float *largest; /* [rows][8] score of a part */
    float *totals;  /* [rows][8] sum of the weights of a lane */
    float *scaled;  /* [rows][8] largest weight times value scale of a part */
    float *factors; /* [rows] by which the sums become results */
    float *powers;  /* [ART_EXP_STEPS] the table of exponentials */
    float *tree;    /* [8][tree_room] room for the sums of the cores */
    int32_t *sums;  /* [rows][dim] over the tiles of values; tree is done with by then */
};

struct attention {
    struct attention_call call;
    const int8_t *query_codes;
    const float *query_scales;
    float *out;
    struct attention_scratch scratch;
    uint32_t repeat;    /* query heads per kv head */
    uint32_t tree_room; /* floats */
};

/* Scores of the tile's keys. */
void art_attention_keys(const struct art_team *team, const struct attention *attention,
                        const struct attention_step *step);

/* Softmax weights times the tile's value scales; with the last tile the codes of the whole pass.
 * Crosses a barrier there. */
void art_attention_value_scales(const struct art_team *team, const struct attention *attention,
                                const struct attention_step *step);

/* Sums over the tile's values, and the results of rows whose last tile it is. */
void art_attention_values(const struct art_team *team, const struct attention *attention,
                          const struct attention_step *step);

#endif
