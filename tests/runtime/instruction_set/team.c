/* Runs the cases of a blob by a team of cores of the machine of machine.h, and tells it where a
 * case starts and ends. */
#include <stdint.h>

#include "aretusa/kernels.h"
#include "aretusa/transfer.h"
#include "cases.h"

#define WORD(address) (*(volatile uint32_t *)(address))
#define FINISHER 0x00100000u
#define BARRIER 0x00100100u
#define MARK 0x00100200u
#define BLOB 0x84000000u

enum { MARK_START = 1, MARK_END = 2, MARK_PAUSE = 3, MARK_RESUME = 4 };
enum { FINISHER_PASS = 0x5555, FINISHER_FAIL = 0x3333 };
enum { CASE_FINISH_SUMS = 100, CASE_ADD_GROUP_SUMS = 101, CASE_FINISH_TOTALS = 102 };

_Noreturn void core_main(uint32_t core);
uint32_t __real_art_transfer_submit(enum art_queue queue, const struct art_transfer *transfer);
uint32_t __wrap_art_transfer_submit(enum art_queue queue, const struct art_transfer *transfer);
void __real_art_transfer_wait(enum art_queue queue, uint32_t number);
void __wrap_art_transfer_wait(enum art_queue queue, uint32_t number);

/* On the chip transfers run beside the cores. */
uint32_t __wrap_art_transfer_submit(enum art_queue queue, const struct art_transfer *transfer)
{
    WORD(MARK) = MARK_PAUSE;
    const uint32_t number = __real_art_transfer_submit(queue, transfer);
    WORD(MARK) = MARK_RESUME;
    return number;
}

void __wrap_art_transfer_wait(enum art_queue queue, uint32_t number)
{
    WORD(MARK) = MARK_PAUSE;
    __real_art_transfer_wait(queue, number);
    WORD(MARK) = MARK_RESUME;
}

static _Noreturn void stop(uint32_t word)
{
    WORD(FINISHER) = word;
    for (;;) {
    }
}

_Noreturn void art_platform_exit(enum art_exit code)
{
    stop((uint32_t)code << 16 | FINISHER_FAIL);
}

static void meet(void)
{
    __asm__ volatile("" : : : "memory");
    (void)WORD(BARRIER);
    __asm__ volatile("" : : : "memory");
}

void art_platform_barrier(const struct art_team *team)
{
    (void)team;
    meet();
}

/* Arrays: sums, scales, bias, scales of the tokens, residual, out. */
static void finish_sums(const struct art_team *team, const struct test_case *test,
                        void *const *arrays)
{
    const uint32_t rows = test->params[0];
    const struct art_sums sums = {
        .sums = arrays[0], .scales = arrays[1], .bias = arrays[2], .rows = rows};
    art_finish_sums(team, &sums, arrays[3], test->params[1], rows, arrays[4], arrays[5]);
}

/* Arrays: sums, scales, minimums, sums of the codes, totals. */
static void add_group_sums(const struct art_team *team, const struct test_case *test,
                           void *const *arrays)
{
    const struct art_group_sums sums = {.sums = arrays[0],
                                        .scales = arrays[1],
                                        .minimums = arrays[2],
                                        .code_sums = arrays[3],
                                        .code_runs = test->params[3],
                                        .code_runs_stride = test->params[3],
                                        .rows = test->params[0],
                                        .groups = test->params[2]};
    art_add_group_sums(team, &sums, test->params[1], arrays[4]);
}

/* Arrays: totals, bias, scales of the tokens, residual, out. */
static void finish_totals(const struct art_team *team, const struct test_case *test,
                          void *const *arrays)
{
    const uint32_t rows = test->params[0];
    const struct art_totals totals = {.totals = arrays[0], .bias = arrays[1], .rows = rows};
    art_finish_totals(team, &totals, arrays[2], test->params[1], rows, arrays[3], arrays[4]);
}

/* The finishes are no cases of the kernels' own tests. */
static void run_any(const struct art_team *team, const struct test_case *test, void *const *arrays)
{
    switch (test->kernel) {
    case CASE_FINISH_SUMS:
        finish_sums(team, test, arrays);
        break;
    case CASE_ADD_GROUP_SUMS:
        add_group_sums(team, test, arrays);
        break;
    case CASE_FINISH_TOTALS:
        finish_totals(team, test, arrays);
        break;
    default:
        run_case(team, test, arrays);
    }
}

_Noreturn void core_main(uint32_t core)
{
    const struct test_blob *const blob = (const struct test_blob *)BLOB;
    const struct art_team team = {.core = core, .cores = blob->zero[0]};
    for (uint32_t i = 0; i < blob->count; i++) {
        const struct test_case *const test = &blob->cases[i];
        void *arrays[CASE_ARRAYS];
        for (uint32_t a = 0; a < CASE_ARRAYS; a++) {
            arrays[a] = test->bytes[a] > 0 ? (void *)(BLOB + test->offsets[a]) : (void *)0;
        }
        if (core == 0) {
            prepare_memories(test, arrays);
            WORD(MARK) = MARK_START;
        }
        meet();
        run_any(&team, test, arrays);
        meet();
        if (core == 0) {
            WORD(MARK) = MARK_END;
        }
        meet();
    }
    meet();
    if (core == 0) {
        stop(FINISHER_PASS);
    }
    for (;;) {
        meet();
    }
}
