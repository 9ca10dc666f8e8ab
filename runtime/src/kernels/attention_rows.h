/* What attention computes in one step, shared by the cores: by lanes as in tree_sum.h, then by
 * columns of the results. */
#ifndef ARETUSA_KERNELS_ATTENTION_ROWS_H
#define ARETUSA_KERNELS_ATTENTION_ROWS_H

#include "attention_steps.h"

/* Rows are those of the pass: [kv head][token][query head of the kv head]. */
struct attention_scratch {
    float *scores;  /* [rows][context]: scores, then weights, then times value scales, then codes */
    float *largest; /* [rows][8] score of a lane */
    float *totals;  /* [rows][8] sum of the weights of a lane */
    float *scaled;  /* [rows][8] largest weight times value scale of a lane */
    float *factors; /* [rows] by which the sums become results */
    float *lane_sum; /* [8][lane_context] room for the tree */
    int32_t *sums;   /* [rows][dim] over the tiles of values; lane_sum is done with by then */
};

struct attention {
    struct attention_call call;
    const int8_t *query_codes;
    const float *query_scales;
    float *out;
    struct attention_scratch scratch;
    uint32_t repeat;       /* query heads per kv head */
    uint32_t lane_context; /* positions of a lane */
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
