/* The token loop: from a request to text. */
#ifndef ARETUSA_GENERATE_H
#define ARETUSA_GENERATE_H

#include <stdint.h>

#include "aretusa/platform.h"

#define ART_REQUEST_MAGIC 0x51545241u /* "ARTQ" */

enum art_request_flag {
    ART_REQUEST_RECORD = 1,     /* write tagged records: tokens, statistics */
    ART_REQUEST_LOGITS = 2,     /* also the logits of every position */
    ART_REQUEST_PROFILE = 4,    /* also instructions per kernel */
    ART_REQUEST_IGNORE_STOP = 8 /* do not stop at a stop token */
};

/* What the host asks for. Followed by segment_count segments, each a uint32 kind (0: text in which
 * special tokens are not recognised, 1: text in which they are, 2: little-endian int32 token ids), a
 * uint32 length in bytes and the bytes, padded to 4. */
struct art_request {
    uint32_t magic;
    uint32_t flags;
    uint32_t max_new_tokens;
    uint32_t chunk;      /* tokens per prefill step, 1 .. chunk_max */
    float temperature;   /* 0: greedy */
    float top_p;         /* 0 < top_p <= 1 */
    uint32_t seed_low;
    uint32_t seed_high;
    uint32_t segment_count;
};

/* Why a run ended. */
enum art_stop {
    ART_STOP_END_TOKEN = 1,
    ART_STOP_CONTEXT_FULL = 2,
    ART_STOP_TOKEN_BUDGET = 3,
    ART_STOP_PROMPT_TOO_LONG = 4,
    ART_STOP_BAD_TOKEN = 5
};

/* Tags of the run's records. */
enum art_record {
    ART_RECORD_PROMPT = 1,  /* int32 ids of the whole prompt */
    ART_RECORD_TOKEN = 2,   /* int32 id, uint32 position, uint64 instructions of this step */
    ART_RECORD_LOGITS = 3,  /* uint32 position, then vocabulary floats */
    ART_RECORD_STOP = 4,    /* uint32 enum art_stop, uint32 prompt tokens, uint32 new tokens,
                             * uint32 0, uint64 boot, uint64 prefill instructions */
    ART_RECORD_PROFILE = 5  /* per kernel row: uint64 instructions, uint64 calls */
};

/* The whole program, entered by every core once. Returns on every core with the same code. */
enum art_exit art_program(const struct art_team *team);

#endif
