/* Where the chip's memories are, for art_platform_memory() of aretusa/platform.h: a place that is
 * known when compiling becomes an address, without code of its own. */
#ifndef ARETUSA_SIRACUSA_FIXED_MEMORIES_H
#define ARETUSA_SIRACUSA_FIXED_MEMORIES_H

#include "memory_map.h"

/* The same for a memory that is known when running only. */
void *siracusa_memory(enum art_memory memory);

static inline void *art_platform_memory(enum art_memory memory)
{
    static const uint32_t bases[ART_MEMORY_COUNT] = {
        [ART_MEMORY_L1] = ART_L1_BASE,
        [ART_MEMORY_L2] = ART_L2_BASE,
        [ART_MEMORY_SRAM] = ART_SRAM_BASE,
        [ART_MEMORY_MRAM] = ART_MRAM_BASE,
        [ART_MEMORY_L3] = 0, /* no address of the cores leads there */
    };

    return __builtin_constant_p(memory) ? (void *)(uintptr_t)bases[memory]
                                        : siracusa_memory(memory);
}

#endif
