/* Runs scenarios on one hart of QEMU's virt machine. Prints the CRC-32C of the results of each. */
#include "aretusa/image.h"
#include "scenario.h"

#define UART ((volatile uint8_t *)0x10000000)
#define FINISHER ((volatile uint32_t *)0x00100000)
#define BLOB 0x84000000u

enum { FINISHER_PASS = 0x5555, FINISHER_FAIL = 0x3333 };

_Noreturn void hart_main(void);
_Noreturn void hart_trapped(void);

void art_platform_barrier(const struct art_team *team)
{
    (void)team;
}

_Noreturn void art_platform_exit(enum art_exit code)
{
    *FINISHER = (uint32_t)code << 16 | FINISHER_FAIL;
    for (;;) {
    }
}

_Noreturn void hart_trapped(void)
{
    art_platform_exit(ART_EXIT_TRAP);
}

static void print_word(uint32_t word)
{
    for (uint32_t shift = 32; shift > 0; shift -= 4) {
        *UART = (uint8_t)"0123456789abcdef"[word >> (shift - 4) & 15u];
    }
    *UART = '\n';
}

_Noreturn void hart_main(void)
{
    static const struct art_team team = {.core = 0, .cores = 1};
    uint8_t *blob = (uint8_t *)BLOB;
    uint32_t at = 0;

    do {
        const struct scenario *scenario = (const struct scenario *)(void *)(blob + at);
        uint8_t *memories[ART_MEMORY_COUNT];

        for (uint32_t i = 0; i < ART_MEMORY_COUNT; i++) {
            memories[i] = blob + scenario->memories[i].offset;
        }
        run_scenario(&team, blob, scenario, memories);
        print_word(art_crc32c(0, memories[ART_MEMORY_L2] + scenario->results.offset,
                              scenario->results.bytes));
        at = scenario->next;
    } while (at != 0);
    *FINISHER = FINISHER_PASS;
    for (;;) {
    }
}
