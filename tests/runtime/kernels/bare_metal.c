/* Runs the cases of a blob on one hart of QEMU's virt machine. Prints for each case the CRC-32C of
 * its results and the instructions it took. */
#include <stdint.h>

#include "aretusa/image.h"
#include "aretusa/transfer.h"
#include "cases.h"

#define UART ((volatile uint8_t *)0x10000000)
#define FINISHER ((volatile uint32_t *)0x00100000)
#define BLOB 0x84000000u

enum { FINISHER_PASS = 0x5555, FINISHER_FAIL = 0x3333, TRAPPED = 47 };

_Noreturn void hart_main(void);
_Noreturn void hart_trapped(void);

/* On the chip transfers run beside the cores: what software takes for them is not counted. */
static uint32_t taken_by_transfers;

uint32_t __real_art_transfer_submit(enum art_queue queue, const struct art_transfer *transfer);
uint32_t __wrap_art_transfer_submit(enum art_queue queue, const struct art_transfer *transfer);
void __real_art_transfer_wait(enum art_queue queue, uint32_t number);
void __wrap_art_transfer_wait(enum art_queue queue, uint32_t number);

void art_platform_barrier(const struct art_team *team)
{
    (void)team;
}

static void print_word(uint32_t word, char end)
{
    for (uint32_t shift = 32; shift > 0; shift -= 4) {
        *UART = (uint8_t)"0123456789abcdef"[word >> (shift - 4) & 15u];
    }
    *UART = (uint8_t)end;
}

static uint32_t instructions(void)
{
    uint32_t count;
    __asm__ volatile("csrr %0, minstret" : "=r"(count)::"memory");
    return count;
}

uint32_t __wrap_art_transfer_submit(enum art_queue queue, const struct art_transfer *transfer)
{
    const uint32_t before = instructions();
    const uint32_t number = __real_art_transfer_submit(queue, transfer);
    taken_by_transfers += instructions() - before;
    return number;
}

void __wrap_art_transfer_wait(enum art_queue queue, uint32_t number)
{
    const uint32_t before = instructions();
    __real_art_transfer_wait(queue, number);
    taken_by_transfers += instructions() - before;
}

static _Noreturn void fail(uint32_t code)
{
    *FINISHER = code << 16 | FINISHER_FAIL;
    for (;;) {
    }
}

_Noreturn void hart_trapped(void)
{
    fail(TRAPPED);
}

_Noreturn void art_platform_exit(enum art_exit code)
{
    fail(code);
}

_Noreturn void hart_main(void)
{
    const struct test_blob *const blob = (const struct test_blob *)BLOB;
    const struct art_team team = {.core = 0, .cores = 1};
    for (uint32_t i = 0; i < blob->count; i++) {
        const struct test_case *const test = &blob->cases[i];
        void *arrays[CASE_ARRAYS];
        for (uint32_t a = 0; a < CASE_ARRAYS; a++) {
            arrays[a] = test->bytes[a] > 0 ? (void *)(BLOB + test->offsets[a]) : (void *)0;
        }
        prepare_memories(test, arrays);
        taken_by_transfers = 0;
        const uint32_t before = instructions();
        run_case(&team, test, arrays);
        const uint32_t after = instructions();
        uint32_t crc = 0;
        for (uint32_t a = 0; a < CASE_ARRAYS; a++) {
            if (test->output_mask >> a & 1u) {
                crc = art_crc32c(crc, arrays[a], test->bytes[a]);
            }
        }
        print_word(crc, ' ');
        print_word(after - before - taken_by_transfers, '\n');
    }
    *FINISHER = FINISHER_PASS;
    for (;;) {
    }
}
