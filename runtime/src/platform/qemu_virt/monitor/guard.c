/* The regions of the address spaces: which pages the program may touch, and what they are called.
 * Everything else is out of bounds. */
#include "memory_map.h"
#include "virt.h"

enum { NEAR_BYTES = 4096, CAUSE_LOAD = 13 };

/* Code, constants and data, of the sizes that the linker found. */
struct program_part {
    uint32_t base;
    uint32_t bytes;
};

extern const struct program_part art_program_parts[3];

/* A memory begins with its image. */
#define IMAGE(memory)                                                                              \
    ART_##memory##_BASE, ART_##memory##_READ_ONLY_BYTES, ART_##memory##_RAM, RIGHT_READ
#define REST(memory)                                                                               \
    ART_##memory##_BASE + ART_##memory##_READ_ONLY_BYTES,                                          \
        ART_##memory##_BYTES - ART_##memory##_READ_ONLY_BYTES,                                     \
        ART_##memory##_RAM + ART_##memory##_READ_ONLY_BYTES, RIGHT_READ | RIGHT_WRITE

static const struct monitor_region memories[] = {
    {"l1 image", IMAGE(L1)},
    {"l1", REST(L1)},
    {"l2 image", IMAGE(L2)},
    {"l2", REST(L2)},
    {"sram image", IMAGE(SRAM)},
    {"sram", REST(SRAM)},
    {"mram image", IMAGE(MRAM)},
    {"mram", REST(MRAM)},
    {"l3 image", IMAGE(L3)},
    {"l3", REST(L3)},
    {"request", ART_REQUEST_BASE, ART_REQUEST_BYTES, ART_REQUEST_RAM, RIGHT_READ},
};

enum { PARTS = 3, MEMORIES = sizeof memories / sizeof memories[0] };

/* A page table would silently drop the odd bits. */
#define IS_PAGED(name)                                                                             \
    (((ART_##name##_BASE | ART_##name##_BYTES | ART_##name##_RAM) & (MONITOR_PAGE_BYTES - 1)) == 0)

_Static_assert(IS_PAGED(PROGRAM), "program");
_Static_assert(IS_PAGED(STACK), "stacks");
_Static_assert(IS_PAGED(REQUEST), "request");
_Static_assert(IS_PAGED(L1) && ART_L1_READ_ONLY_BYTES % MONITOR_PAGE_BYTES == 0, "l1");
_Static_assert(IS_PAGED(L2) && ART_L2_READ_ONLY_BYTES % MONITOR_PAGE_BYTES == 0, "l2");
_Static_assert(IS_PAGED(SRAM) && ART_SRAM_READ_ONLY_BYTES % MONITOR_PAGE_BYTES == 0, "sram");
_Static_assert(IS_PAGED(MRAM) && ART_MRAM_READ_ONLY_BYTES % MONITOR_PAGE_BYTES == 0, "mram");
_Static_assert(IS_PAGED(L3) && ART_L3_READ_ONLY_BYTES % MONITOR_PAGE_BYTES == 0, "l3");

uint32_t monitor_region_count(void)
{
    return PARTS + MEMORIES;
}

struct monitor_region monitor_shared_region(uint32_t index)
{
    static const char *const names[PARTS] = {"code", "constants", "data"};
    static const uint8_t rights[PARTS] = {RIGHT_READ | RIGHT_EXECUTE, RIGHT_READ,
                                          RIGHT_READ | RIGHT_WRITE};

    if (index >= PARTS) {
        return memories[index - PARTS];
    }

    const struct program_part part = art_program_parts[index];

    return (struct monitor_region){
        names[index],  part.base, part.bytes, part.base - ART_PROGRAM_BASE + ART_PROGRAM_RAM,
        rights[index],
    };
}

/* The first hart's stack is the last, so that each overflow meets a stack that is not mapped. */
struct monitor_region monitor_stack(uint32_t hart)
{
    const uint32_t offset = (ART_STACK_COUNT - 1 - hart) * ART_STACK_BYTES;

    return (struct monitor_region){
        "stack",
        ART_STACK_BASE + offset,
        ART_STACK_BYTES,
        ART_STACK_RAM + offset,
        RIGHT_READ | RIGHT_WRITE,
    };
}

static bool holds(const struct monitor_region *region, uint32_t address)
{
    return address - region->base < region->bytes;
}

/* The region that an address lies in; one without bytes if there is none. */
static struct monitor_region region_of(uint32_t hart, uint32_t address)
{
    struct monitor_region region = monitor_stack(hart);

    for (uint32_t i = 0; !holds(&region, address); i++) {
        if (i == monitor_region_count()) {
            return (struct monitor_region){0};
        }
        region = monitor_shared_region(i);
    }
    return region;
}

/* start.S has moved the program's pc to what follows the call. */
static uint32_t pc_of_call(void)
{
    uint32_t pc = 0;

    __asm__("csrr %0, mepc" : "=r"(pc));
    return pc - 4;
}

/* Regions that touch in the program's addresses touch in RAM, too. */
const void *monitor_readable(const void *address, uint32_t bytes)
{
    const uint32_t start = (uint32_t)(uintptr_t)address;
    const struct monitor_region first = region_of(monitor_hart(), start);
    uint32_t done = 0;

    while (done < bytes) {
        const struct monitor_region region = region_of(monitor_hart(), start + done);

        if (region.bytes == 0) {
            monitor_trap(CAUSE_LOAD, pc_of_call(), start + done);
        }
        done = region.base + region.bytes - start;
    }
    return (const void *)(uintptr_t)(first.ram + (start - first.base));
}

/* Say where an address is relative to a region, if it is near. */
static void explain(const struct monitor_region *region, uint32_t address)
{
    if (region->bytes == 0) {
        return;
    }
    if (holds(region, address)) {
        monitor_print_text(", in ");
    } else if (address - (region->base + region->bytes) < NEAR_BYTES) {
        monitor_print_text(", past the end of ");
    } else if (region->base - address <= NEAR_BYTES) {
        monitor_print_text(", below ");
    } else {
        return;
    }
    monitor_print_text(region->name);
}

void monitor_explain(uint32_t hart, uint32_t address)
{
    const struct monitor_region stack = monitor_stack(hart);
    const struct monitor_region inside = region_of(hart, address);

    if (inside.bytes != 0) {
        explain(&inside, address);
        return;
    }
    explain(&stack, address);
    for (uint32_t i = 0; i < monitor_region_count(); i++) {
        const struct monitor_region region = monitor_shared_region(i);

        explain(&region, address);
    }
}
