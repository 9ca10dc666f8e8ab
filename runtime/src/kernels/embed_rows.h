/* Rows of an embedding table that have reached L1, as numbers. */
#ifndef ARETUSA_KERNELS_EMBED_ROWS_H
#define ARETUSA_KERNELS_EMBED_ROWS_H

#include "aretusa/engine.h"
#include "aretusa/kernels.h"

/* Elements first .. last - 1 of a row of a block of eight; they share one scale. */
void art_embed_block_run(const struct art_matrix *block, uint32_t lane, uint32_t first,
                         uint32_t last, float *out);

/* Elements first .. last - 1 of a row in the engine's layout, whose codes and scale are given. */
void art_embed_engine_run(const struct art_engine_place *place, const uint8_t *codes, float scale,
                          uint32_t first, uint32_t last, float *out);

#endif
