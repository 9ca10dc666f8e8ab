/* The integer products of attention. Each is a function of its own, which has all registers for its
 * loop. */
#ifndef ARETUSA_KERNELS_ATTENTION_PRODUCTS_H
#define ARETUSA_KERNELS_ATTENTION_PRODUCTS_H

#include "lanes.h"

/* Dot product of a query with a key. */
int32_t art_dot_one(const int8_t *query, const int8_t *key, uint32_t dim);

/* The same with four keys that stand stride bytes apart: the query's load is shared. */
void art_dot_four(const int8_t *query, const int8_t *keys, uint32_t stride, uint32_t dim,
                  int32_t *sums);

/* Sum over the positions of code * value for one column of values [positions][dim]. */
int32_t art_mix_column(const float *codes, const int8_t *values, uint32_t positions, uint32_t dim);

/* The same for eight columns, added to their sums. */
void art_mix_columns(const float *codes, const int8_t *values, uint32_t positions, uint32_t dim,
                     int32_t *sums);

#endif
