/* A core of the cluster: the barrier, the cycle counter, the end. */
#include "bus.h"
#include "chip.h"
#include "engine_registers.h"
#include "events.h"
#include "memory_map.h"
#include "sections.h"
#include "transfers.h"

#include "aretusa/generate.h"

#define TIMER_START 0x80000003u /* both counters as one of 64 bits, from 0 */

struct window {
    uint32_t base;
    uint32_t bytes;
};

/* Asked for every pointer. */
static const SIRACUSA_L1_CONSTANT struct window windows[ART_MEMORY_COUNT] = {
    [ART_MEMORY_L1] = {ART_L1_BASE, ART_L1_BYTES},
    [ART_MEMORY_L2] = {ART_L2_BASE, ART_L2_BYTES},
    [ART_MEMORY_SRAM] = {ART_SRAM_BASE, ART_SRAM_BYTES},
    [ART_MEMORY_MRAM] = {ART_MRAM_BASE, ART_MRAM_BYTES},
    [ART_MEMORY_L3] = {0, ART_L3_BYTES}, /* no address of the cores leads there */
};

#ifdef ART_FIXED_MEMORIES
void *siracusa_memory(enum art_memory memory)
#else
void *art_platform_memory(enum art_memory memory)
#endif
{
    return (void *)(uintptr_t)windows[memory].base;
}

uint32_t art_platform_memory_bytes(enum art_memory memory)
{
    return windows[memory].bytes;
}

const void *art_platform_request(uint32_t *bytes)
{
    *bytes = (uint32_t)(siracusa_request_end - siracusa_request);
    return siracusa_request;
}

/* The event unit stops the clock of a core until the last one has arrived. */
void art_platform_barrier(const struct art_team *team)
{
    if (team->cores > 1) {
        (void)siracusa_wait32(BARRIER_ARRIVE_AND_WAIT);
    }
}

/* The cores' own counters stand still with their clocks; the timer counts for all of them. */
uint64_t art_platform_counter(void)
{
    uint32_t high = 0;
    uint32_t low = 0;
    uint32_t again = 0;

    do {
        high = siracusa_read32(CLUSTER_TIMER + 12);
        low = siracusa_read32(CLUSTER_TIMER + 8);
        again = siracusa_read32(CLUSTER_TIMER + 12);
    } while (high != again);
    return (uint64_t)high << 32 | low;
}

_Noreturn void art_platform_exit(enum art_exit code)
{
    siracusa_record_close();
    siracusa_write32(CHIP_STATUS, 0x80000000u | (uint32_t)code);
    while (true) {
        siracusa_idle();
    }
}

static void start_workers(uint32_t cores)
{
    const uint32_t all = (1u << cores) - 1;

    siracusa_write32(CLUSTER_TIMER, TIMER_START);
    siracusa_write32(BARRIER_CORES, all);
    siracusa_write32(BARRIER_WAKES, all);
    siracusa_engine_start();
    siracusa_transfers_start();
    siracusa_write32(CLUSTER_START, all);
}

_Noreturn void siracusa_core_main(uint32_t core)
{
    const struct art_team team = {.core = core, .cores = siracusa_cores_of_request()};

    if (core == 0) {
        start_workers(team.cores);
    }
    siracusa_write32(EVENTS_MASK_SET, 1u << BARRIER_EVENT);

    const enum art_exit code = art_program(&team);

    /* The machine ends with core 0; what the others were doing is done. */
    art_platform_barrier(&team);
    if (core == 0) {
        art_platform_exit(code);
    }
    while (true) {
        siracusa_idle();
    }
}
