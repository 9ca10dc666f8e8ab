/* N-EUREKA as the program uses it: two jobs at most are in its queue, and core 0 gives and awaits
 * them. Where there is no engine, software plays it: a queued job runs as late as it may, so that
 * whoever reads results too early, or overwrites inputs too early, gets wrong bits. */
#ifndef ARETUSA_ENGINE_H
#define ARETUSA_ENGINE_H

#include <stdint.h>

#include "aretusa/kernels.h"
#include "aretusa/neureka.h"
#include "aretusa/places.h"
#include "aretusa/platform.h"

enum { ART_ENGINE_QUEUE = 2 };

/* Queue a job; waits for room. Returns its number. Core 0 only. */
uint32_t art_engine_submit(const uint32_t registers[ART_NEUREKA_REGISTERS]);

/* Return when that job, and all before it, are done. Core 0 only. */
void art_engine_wait(uint32_t job);

/* The rows of a matrix that run on the engine. */
struct art_engine_place {
    uint8_t mode; /* enum art_neureka_mode */
    uint8_t bits;
    uint8_t has_bias;
    uint32_t rows;
    uint32_t depth;
    uint32_t weights_offset; /* of the codes, in the engine's layout, from the MRAM's first byte */
    struct art_place channels; /* float scales[rows], then float bias[rows] if there is one */
};

/* A linear layer, some or all of whose rows run on the engine. */
struct art_engine_linear {
    const struct art_engine_place *engine;
    const struct art_matrix
        *rest;             /* the rows after those, for the cluster; null when there are none */
    uint32_t rows;         /* of the whole layer */
    uint32_t group_tokens; /* tokens whose sums the scratch holds, twice */
};

/* Bytes of the scratch in L1. */
uint32_t art_linear_engine_scratch_bytes(uint32_t rows, uint32_t group_tokens);

/* out[t][r] = residual[t][r] + (matrix * rows of src + bias)[t][r], as art_linear; src, scratch and
 * nothing else must lie in L1. Called by every core; crosses barriers. */
void art_linear_engine(const struct art_team *team, const struct art_engine_linear *linear,
                       const struct art_rows *src, uint32_t tokens, const float *residual,
                       void *scratch, float *out);

#endif
