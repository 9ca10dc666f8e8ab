/* Test cases as data: one kernel call each, with its arrays in a blob that Python wrote. */
#ifndef ARETUSA_TESTS_CASES_H
#define ARETUSA_TESTS_CASES_H

#include <stdint.h>

#include "aretusa/platform.h"

enum { CASE_PARAMS = 18, CASE_ARRAYS = 10 };

enum case_kernel {
    CASE_EMBED = 1,
    CASE_LINEAR = 2,
    CASE_RMSNORM_QUANTISE = 3,
    CASE_QUANTISE = 4,
    CASE_SILU_MUL_QUANTISE = 5,
    CASE_HEADS_QUANTISE = 6,
    CASE_CACHE_APPEND = 7,
    CASE_ATTENTION = 8,
    CASE_SAMPLE = 9,
    CASE_CRC32C = 10,
    CASE_CHECK_IMAGE = 11,
    CASE_SCRATCH_BYTES = 12,
    CASE_FUNCTIONS = 13,
    CASE_STEPS = 14
};

struct test_case {
    uint32_t kernel;
    uint32_t output_mask; /* which arrays hold results */
    uint32_t params[CASE_PARAMS];
    uint32_t offsets[CASE_ARRAYS];       /* from the start of the blob */
    uint32_t bytes[CASE_ARRAYS];         /* 0: a null pointer */
    uint32_t memories[ART_MEMORY_COUNT]; /* 1 + the array that is the memory, 0: there is none */
};

/* A blob: the number of cases, three zero words, the cases, the arrays. */
struct test_blob {
    uint32_t count;
    uint32_t zero[3];
    struct test_case cases[];
};

/* Set up the memories of a case; before any core calls run_case. */
void prepare_memories(const struct test_case *test, void *const *arrays);

/* Call the kernel of a case; called by every core. */
void run_case(const struct art_team *team, const struct test_case *test, void *const *arrays);

#endif
