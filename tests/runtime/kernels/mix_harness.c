/* Runs the cases of a blob as each core of a team in turn, on one hart of QEMU's virt machine.
 *
 * Barriers do nothing, so a core may read what another has not written yet: each case is run
 * `warm_ups` times before it is counted, after which the buffers hold what the kernel leaves there.
 * Results are not looked at. mix_plugin.c counts between two reads of minstret, and a read of
 * mcycle at each barrier parts the phases. */
#include <stdint.h>

#include "aretusa/kernels.h"
#include "cases.h"

#define FINISHER ((volatile uint32_t *)0x00100000)
#define BLOB 0x84000000u

enum { CASE_FINISH_SUMS = 100 };
enum { FINISHER_PASS = 0x5555, FINISHER_FAIL = 0x3333, TRAPPED = 47 };

_Noreturn void hart_main(void);
_Noreturn void hart_trapped(void);

void art_platform_barrier(const struct art_team *team)
{
    uint32_t cycle;
    (void)team;
    __asm__ volatile("csrr %0, mcycle" : "=r"(cycle)::"memory");
}

static void mark(void)
{
    uint32_t count;
    __asm__ volatile("csrr %0, minstret" : "=r"(count)::"memory");
}

/* art_finish_sums is no case of the kernels' own tests: it has the arrays sums, scales, bias,
 * scales of the tokens, residual, out. */
static void run_any(const struct art_team *team, const struct test_case *test, void *const *arrays)
{
    if (test->kernel != CASE_FINISH_SUMS) {
        run_case(team, test, arrays);
        return;
    }
    const uint32_t rows = test->params[0];
    const struct art_sums sums = {
        .sums = arrays[0], .scales = arrays[1], .bias = arrays[2], .rows = rows};
    art_finish_sums(team, &sums, arrays[3], test->params[1], rows, arrays[4], arrays[5]);
}

_Noreturn void hart_trapped(void)
{
    *FINISHER = (uint32_t)TRAPPED << 16 | FINISHER_FAIL;
    for (;;) {
    }
}

static void run_all_cores(const struct test_case *test, void *const *arrays, uint32_t cores,
                          uint32_t is_counted)
{
    for (uint32_t core = 0; core < cores; core++) {
        const struct art_team team = {.core = core, .cores = cores};
        if (is_counted) {
            mark();
        }
        run_any(&team, test, arrays);
        if (is_counted) {
            mark();
        }
    }
}

_Noreturn void hart_main(void)
{
    const struct test_blob *const blob = (const struct test_blob *)BLOB;
    const uint32_t cores = blob->zero[0];
    const uint32_t warm_ups = blob->zero[1];
    for (uint32_t i = 0; i < blob->count; i++) {
        const struct test_case *const test = &blob->cases[i];
        void *arrays[CASE_ARRAYS];
        for (uint32_t a = 0; a < CASE_ARRAYS; a++) {
            arrays[a] = test->bytes[a] > 0 ? (void *)(BLOB + test->offsets[a]) : (void *)0;
        }
        for (uint32_t again = 0; again <= warm_ups; again++) {
            run_all_cores(test, arrays, cores, again == warm_ups);
        }
    }
    *FINISHER = FINISHER_PASS;
    for (;;) {
    }
}
