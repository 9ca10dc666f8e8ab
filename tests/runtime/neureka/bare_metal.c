/* Runs the jobs of a blob on one hart of QEMU's virt machine. Prints for each job the CRC-32C of
 * its L1 and the instructions it took. */
#include "aretusa/image.h"
#include "jobs.h"

#define UART ((volatile uint8_t *)0x10000000)
#define FINISHER ((volatile uint32_t *)0x00100000)
#define BLOB 0x84000000u

enum { FINISHER_PASS = 0x5555, FINISHER_FAIL = 0x3333, TRAPPED = 47 };

_Noreturn void hart_main(void);
_Noreturn void hart_trapped(void);

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
    uint8_t *const bytes = (uint8_t *)BLOB;
    const struct test_blob *const blob = (const struct test_blob *)BLOB;
    for (uint32_t i = 0; i < blob->count; i++) {
        const struct test_job *const job = &blob->jobs[i];
        const uint32_t before = instructions();
        const bool is_done = run_test_job(bytes, job);
        const uint32_t after = instructions();
        const uint32_t crc = art_crc32c(0, bytes + job->l1.offset, job->l1.bytes);
        print_word(is_done ? crc : 0, ' ');
        print_word(after - before, '\n');
    }
    *FINISHER = FINISHER_PASS;
    for (;;) {
    }
}
