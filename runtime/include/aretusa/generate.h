/* The token loop: from a request to text. */
#ifndef ARETUSA_GENERATE_H
#define ARETUSA_GENERATE_H

#include <stdint.h>

#include "aretusa/platform.h"

#define ART_REQUEST_MAGIC 0x51545241u /* "ARTQ" */

enum art_request_flag {
    ART_REQUEST_RECORD = 1,      /* write tagged records: tokens, statistics */
    ART_REQUEST_LOGITS = 2,      /* also the logits of every position */
    ART_REQUEST_PROFILE = 4,     /* also instructions per kernel, in a program built for it */
    ART_REQUEST_IGNORE_STOP = 8, /* do not stop at a stop token */
    ART_REQUEST_FLAGS = 15       /* all of them */
};

/* What the host asks for. Followed by segment_count segments, each a uint32 enum art_segment, a
 * uint32 length in bytes and the bytes, padded to 4. All words little endian. */
struct art_request {
    uint32_t magic;
    uint32_t bytes; /* of this struct and all segments */
    uint32_t cores; /* that shall run, 1 .. ART_CORES_MAX */
    uint32_t flags;
    uint32_t max_new_tokens; /* 0: only run the prompt */
    uint32_t chunk;          /* tokens per prefill step, 1 .. chunk_max; 0: chunk_max */
    float temperature;       /* 0: greedy; at most 100 */
    float top_p;             /* 0 < top_p <= 1 */
    uint32_t seed_low;
    uint32_t seed_high;
    uint32_t segment_count;
};

/* A segment is token ids, or text with options or-ed together. */
enum art_segment {
    ART_SEGMENT_TEXT = 0,    /* UTF-8 */
    ART_SEGMENT_SPECIAL = 1, /* text in which special tokens are recognised */
    ART_SEGMENT_IDS = 2,     /* int32 token ids */
    ART_SEGMENT_BEGIN = 4    /* text; first the ids that the model wants before a text */
};

/* Why a run ended; if several reasons hold, the order is end token, budget, context.
 *
 * The cache has context positions and the last chosen token needs none, so a prompt of p tokens is
 * followed by at most context - p + 1 new ones. The end token is recorded and counted, not printed.
 */
enum art_stop {
    ART_STOP_END_TOKEN = 1,
    ART_STOP_CONTEXT_FULL = 2,
    ART_STOP_TOKEN_BUDGET = 3,
    ART_STOP_PROMPT_TOO_LONG = 4, /* before any computation */
    ART_STOP_BAD_TOKEN = 5        /* before any computation: empty prompt, or an id out of range */
};

/* Tags of the run's records. In the file each record is its tag, its length in bytes and its
 * payload, a multiple of 4 bytes. */
enum art_record {
    ART_RECORD_PROMPT = 1, /* int32 ids of the whole prompt */
    ART_RECORD_TOKEN = 2,  /* int32 id, uint32 position, uint64 instructions of this step */
    ART_RECORD_LOGITS = 3, /* uint32 position, then vocabulary floats */
    ART_RECORD_STOP = 4,   /* uint32 enum art_stop, uint32 prompt tokens, uint32 new tokens,
                            * uint32 0, uint64 boot, uint64 prefill instructions */
    ART_RECORD_PROFILE = 5 /* so far, behind each token and at the end; per kernel row: uint64
                            * instructions, uint64 calls */
};

/* A step is what leads to one token: art_network_forward of the token before, head and choice; the
 * prefill counts the forwards of the prompt, and the first step is only head and choice. Boot is
 * everything before the prefill: checksums and prompt. */

/* Bytes at the start of the network's workspace that the token loop keeps for itself, on every
 * platform; then follow context + 1 tokens of 4 bytes, and what is left is the tokenizer's scratch.
 */
enum { ART_SESSION_BYTES = 512 };

/* The whole program, entered by every core once. Returns on every core with the same code. */
enum art_exit art_program(const struct art_team *team);

#endif
