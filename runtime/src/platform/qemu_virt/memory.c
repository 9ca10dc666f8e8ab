/* The program's side of the emulated chip: its memories lie at the chip's own addresses, everything
 * else is a call of the monitor (program.S). */
#include "aretusa/generate.h"
#include "memory_map.h"

static const struct {
    uint32_t base;
    uint32_t bytes;
} windows[ART_MEMORY_COUNT] = {
    [ART_MEMORY_L1] = {ART_L1_BASE, ART_L1_BYTES},
    [ART_MEMORY_L2] = {ART_L2_BASE, ART_L2_BYTES},
    [ART_MEMORY_SRAM] = {ART_SRAM_BASE, ART_SRAM_BYTES},
    [ART_MEMORY_MRAM] = {ART_MRAM_BASE, ART_MRAM_BYTES},
    [ART_MEMORY_L3] = {ART_L3_BASE, ART_L3_BYTES},
};

void *art_platform_memory(enum art_memory memory)
{
    return (void *)(uintptr_t)windows[memory].base;
}

uint32_t art_platform_memory_bytes(enum art_memory memory)
{
    return windows[memory].bytes;
}

const void *art_platform_request(uint32_t *bytes)
{
    *bytes = ART_REQUEST_BYTES;
    return (const void *)(uintptr_t)ART_REQUEST_BASE;
}

uint64_t art_platform_counter(void)
{
    uint32_t high = 0;
    uint32_t low = 0;
    uint32_t again = 0;

    do {
        __asm__ volatile("csrr %0, instreth" : "=r"(high));
        __asm__ volatile("csrr %0, instret" : "=r"(low));
        __asm__ volatile("csrr %0, instreth" : "=r"(again));
    } while (high != again);
    return (uint64_t)high << 32 | low;
}

/* The machine ends with core 0; the others sleep until then. Written in assembly. */
_Noreturn void virt_finish(enum art_exit code);

/* Entered by program.S. */
_Noreturn void virt_program_main(uint32_t core, uint32_t cores);

_Noreturn void virt_program_main(uint32_t core, uint32_t cores)
{
    const struct art_team team = {.core = core, .cores = cores};

    virt_finish(art_program(&team));
}
