/* Runs the cases of a blob by a team of cores that take turns on one hart of QEMU's virt machine.
 *
 * A core goes on until it comes to a barrier or to the end; then the next one has its turn. So
 * between two barriers the cores follow one another, and mix_plugin.c, which is told by reads of
 * counters where a case and where a turn ends, counts each by itself. Results are not looked at. */
#include <stdint.h>

#include "aretusa/kernels.h"
#include "aretusa/transfer.h"
#include "cases.h"

#define FINISHER ((volatile uint32_t *)0x00100000)
#define BLOB 0x84000000u
#define READ_COUNTER(name)                                                                         \
    do {                                                                                           \
        uint32_t count;                                                                            \
        __asm__ volatile("csrr %0, " #name : "=r"(count) : : "memory");                            \
    } while (0)
#define START_OR_END_CASE() READ_COUNTER(minstret)
#define END_TURN() READ_COUNTER(mcycle)
#define PAUSE_OR_RESUME() READ_COUNTER(instret)

enum { CASE_FINISH_SUMS = 100, CASE_ADD_GROUP_SUMS = 101, CASE_FINISH_TOTALS = 102 };
enum { FINISHER_PASS = 0x5555, FINISHER_FAIL = 0x3333, TRAPPED = 47 };
enum { STACK_WORDS = 4096, SAVED_WORDS = 28 };

static struct {
    const struct test_case *test;
    void *arrays[CASE_ARRAYS];
    struct art_team teams[ART_CORES_MAX];
    void *stacks[ART_CORES_MAX]; /* pointers of the cores that do not have their turn */
    void *starter;               /* pointer of hart_main */
    uint32_t core;               /* whose turn it is */
    uint32_t ended;
} turns;

static uint32_t stacks[ART_CORES_MAX][STACK_WORDS] __attribute__((aligned(16)));

_Noreturn void hart_main(void);
_Noreturn void hart_trapped(void);
void mix_switch(void **own, void *other);
uint32_t __real_art_transfer_submit(enum art_queue queue, const struct art_transfer *transfer);
uint32_t __wrap_art_transfer_submit(enum art_queue queue, const struct art_transfer *transfer);
void __real_art_transfer_wait(enum art_queue queue, uint32_t number);
void __wrap_art_transfer_wait(enum art_queue queue, uint32_t number);

/* On the chip transfers run beside the cores. */
uint32_t __wrap_art_transfer_submit(enum art_queue queue, const struct art_transfer *transfer)
{
    PAUSE_OR_RESUME();
    const uint32_t number = __real_art_transfer_submit(queue, transfer);
    PAUSE_OR_RESUME();
    return number;
}

void __wrap_art_transfer_wait(enum art_queue queue, uint32_t number)
{
    PAUSE_OR_RESUME();
    __real_art_transfer_wait(queue, number);
    PAUSE_OR_RESUME();
}

static _Noreturn void stop(uint32_t word)
{
    *FINISHER = word;
    for (;;) {
    }
}

_Noreturn void hart_trapped(void)
{
    stop((uint32_t)TRAPPED << 16 | FINISHER_FAIL);
}

_Noreturn void art_platform_exit(enum art_exit code)
{
    stop((uint32_t)code << 16 | FINISHER_FAIL);
}

static void next_core(void)
{
    const uint32_t own = turns.core;
    END_TURN();
    turns.core = (own + 1) % turns.teams[0].cores;
    if (turns.core != own) {
        mix_switch(&turns.stacks[own], turns.stacks[turns.core]);
    }
}

void art_platform_barrier(const struct art_team *team)
{
    (void)team;
    next_core();
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

static _Noreturn void core_main(void)
{
    const uint32_t own = turns.core;
    run_any(&turns.teams[own], turns.test, turns.arrays);
    turns.ended++;
    if (turns.ended < turns.teams[0].cores) {
        next_core();
    }
    END_TURN();
    mix_switch(&turns.stacks[own], turns.starter);
    stop(FINISHER_FAIL);
}

static void run_team(uint32_t cores)
{
    turns.core = 0;
    turns.ended = 0;
    for (uint32_t core = 0; core < cores; core++) {
        uint32_t *const first = &stacks[core][STACK_WORDS - SAVED_WORDS];
        turns.teams[core] = (struct art_team){.core = core, .cores = cores};
        first[0] = (uint32_t)core_main;
        turns.stacks[core] = first;
    }
    START_OR_END_CASE();
    mix_switch(&turns.starter, turns.stacks[0]);
    START_OR_END_CASE();
}

_Noreturn void hart_main(void)
{
    const struct test_blob *const blob = (const struct test_blob *)BLOB;
    for (uint32_t i = 0; i < blob->count; i++) {
        turns.test = &blob->cases[i];
        for (uint32_t a = 0; a < CASE_ARRAYS; a++) {
            const struct test_case *const test = turns.test;
            turns.arrays[a] = test->bytes[a] > 0 ? (void *)(BLOB + test->offsets[a]) : (void *)0;
        }
        prepare_memories(turns.test, turns.arrays);
        run_team(blob->zero[0]);
    }
    stop(FINISHER_PASS);
}
