/* What the sequences share. */
#ifndef ARETUSA_TEST_SEQUENCES_H
#define ARETUSA_TEST_SEQUENCES_H

#include <stdbool.h>

#include "aretusa/transfer.h"

/* Fill every memory at random; what is there is what is expected. */
void expect_nothing_yet(void);

/* What a memory must hold at the end. */
uint8_t *expected_bytes(enum art_memory memory);

/* Give a transfer; from now on its result is expected. */
uint32_t give(enum art_queue queue, struct art_transfer transfer);

/* End the program with 1 if a byte of any memory differs. */
void check_memories(void);

uint32_t random_below(uint32_t count);

/* Whether there is such a sequence, which was run. */
bool run_right_sequence(const char *name);

/* What the bus has to refuse; the last one has no name. */
struct wrong_sequence {
    const char *name;
    void (*run)(void);
};

extern const struct wrong_sequence wrong_copies[];
extern const struct wrong_sequence wrong_jobs[];

#endif
