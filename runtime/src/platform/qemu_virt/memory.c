/* The chip's memories and the request block, as windows of the board's RAM. */
#include "aretusa/generate.h"
#include "memory_map.h"
#include "virt.h"

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
