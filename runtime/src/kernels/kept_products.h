/* Products of a block of which only some columns are stored, as linear_nm.c describes it. */
#ifndef ARETUSA_KERNELS_KEPT_PRODUCTS_H
#define ARETUSA_KERNELS_KEPT_PRODUCTS_H

#include "aretusa/kernels.h"
#include "lanes.h"

/* Dot products of a block's eight rows with one token's codes; bits are those of a place. */
struct art_int_lanes art_kept_products(const struct art_matrix *matrix, uint32_t bits,
                                       const uint8_t *values, const int8_t *x);

#endif
