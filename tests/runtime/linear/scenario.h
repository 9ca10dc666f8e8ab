/* Scenarios in one block of bytes, which a file or QEMU's loader brings: memories, tables, and the
 * linear layers that run on them, one after the other. All offsets are from the first byte of the
 * block, and multiples of 16, where nothing else is said. */
#ifndef LINEAR_SCENARIO_H
#define LINEAR_SCENARIO_H

#include <stdint.h>

#include "aretusa/stream.h"

#define NO_OFFSET 0xFFFFFFFFu

enum { SCENARIO_OPS_MAX = 16, SCENARIO_KINDS_MAX = 4, SCENARIO_JOBS_MAX = 64 };

/* How the streams are used. */
enum scenario_use {
    USE_AS_MEANT = 0,
    RELEASE_TOO_EARLY = 1, /* of tiles, before the cores read them */
    NEVER_AWAIT = 2,       /* tiles, before the cores read them */
    AWAIT_PAST_THE_END = 3,
    AWAIT_WHILE_ALL_ARE_TAKEN = 4,
    RELEASE_WHAT_WAS_NOT_AWAITED = 5,
    BEGIN_TWICE = 6
};

struct scenario_span {
    uint32_t offset;
    uint32_t bytes;
};

/* A linear layer of a kind. The tables have a row for each layer of the kind. */
struct scenario_op {
    uint32_t kind;
    uint32_t matrices; /* index of the table's first row, NO_OFFSET for none */
    uint32_t engines;
    uint32_t rows;
    uint32_t depth;
    uint32_t tile_rows;
    uint32_t slice_rows;
    uint32_t block_rows;
    uint32_t sums_bytes;
    uint32_t input_bytes;
    uint32_t src;     /* in L1 */
    uint32_t scratch; /* in L1 */
};

/* One run of an op; in the order of the layers and their ops, pass after pass. Offsets in L2. */
struct scenario_call {
    uint32_t tokens;
    uint32_t src; /* is copied to the op's place in L1 first */
    uint32_t src_bytes;
    uint32_t residual;
    uint32_t out;
};

struct scenario {
    uint32_t next; /* the scenario after this one, 0 behind the last */
    uint32_t use;  /* enum scenario_use */
    struct scenario_span memories[ART_MEMORY_COUNT];
    struct art_ring rings[ART_STREAM_COUNT];
    uint32_t op_count;
    uint32_t layer_count;
    uint32_t passes;
    uint32_t ops;
    uint32_t layers;
    uint32_t matrices;
    uint32_t engines;
    uint32_t calls;
    uint32_t jobs; /* struct art_engine_job */
    uint32_t job_count;
    struct scenario_span results; /* in L2 */
};

/* Run a scenario on the memories; called by every core. */
void run_scenario(const struct art_team *team, const uint8_t *blob, const struct scenario *scenario,
                  uint8_t *const memories[ART_MEMORY_COUNT]);

#endif
