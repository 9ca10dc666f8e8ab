/* The loops of attention_products.h over 4-bit codes, as kernels.h lays them out. Rows start at
 * whole words, and so does every key and value. */
#ifndef ARETUSA_KERNELS_ATTENTION_PRODUCTS_4BIT_H
#define ARETUSA_KERNELS_ATTENTION_PRODUCTS_4BIT_H

#include "attention_products.h"

/* art_score_run of keys with zero points: the sum of query * key is that of query * code less the
 * zero point times the sum of the query. Sums of sixteen times the products stay below 2^23 for
 * dims up to 512. */
art_score art_score_run_4bit;

/* art_mix_run of the columns first .. first + columns - 1, first being a multiple of 4. `values`
 * is the first position's row, row_bytes the way to the next one. */
void art_mix_run_4bit(const art_code *codes, const int8_t *values, uint32_t positions,
                      uint32_t row_bytes, uint32_t first, uint32_t columns, int32_t *sums);

#endif
