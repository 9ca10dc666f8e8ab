/* Runs the cases of a blob on one hart of QEMU's virt machine. Prints for each case the CRC-32C of
 * its results and the instructions it took. */
#include <stdint.h>

#include "aretusa/image.h"
#include "cases.h"

#define UART ((volatile uint8_t *)0x10000000)
#define FINISHER ((volatile uint32_t *)0x00100000)
#define BLOB 0x84000000u

enum { FINISHER_PASS = 0x5555, FINISHER_FAIL = 0x3333, TRAPPED = 47 };

_Noreturn void hart_main(void);
_Noreturn void hart_trapped(void);

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

_Noreturn void hart_trapped(void)
{
    *FINISHER = (uint32_t)TRAPPED << 16 | FINISHER_FAIL;
    for (;;) {
    }
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
        print_word(after - before, '\n');
    }
    *FINISHER = FINISHER_PASS;
    for (;;) {
    }
}
