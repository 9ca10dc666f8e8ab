/* Cases of the kernels whose operands lie at places and reach L1 by transfers. */
#ifndef ARETUSA_TESTS_PLACED_CASES_H
#define ARETUSA_TESTS_PLACED_CASES_H

#include "cases.h"

/* A binary32 parameter. */
float float_param(const struct test_case *test, uint32_t index);

void run_cache_append(const struct art_team *team, const struct test_case *test,
                      void *const *arrays);
void run_attention(const struct art_team *team, const struct test_case *test, void *const *arrays);
void run_steps(const struct art_team *team, const struct test_case *test, void *const *arrays);
void run_embed(const struct art_team *team, const struct test_case *test, void *const *arrays);
void run_scratch_bytes(const struct test_case *test, void *const *arrays);

#endif
