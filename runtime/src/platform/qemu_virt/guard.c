/* Physical memory protection: each region with its rights, everything else denied, locked so that
 * it holds in machine mode. */
#include "memory_map.h"
#include "virt.h"

enum {
    PMP_READ = 1,
    PMP_WRITE = 2,
    PMP_EXECUTE = 4,
    PMP_NAPOT = 0x18,
    PMP_LOCK = 0x80,
    PMP_ENTRIES = 16,
    NEAR_BYTES = 4096
};

struct region {
    const char *name;
    uint32_t base;
    uint32_t guard_bytes; /* a power of two; 0 for a memory that the build does not have */
    uint32_t rights;
};

#define RIGHTS_OF(writable) ((writable) ? PMP_READ | PMP_WRITE : PMP_READ)

static const struct region regions[] = {
    {"code", ART_TEXT_BASE, ART_TEXT_BYTES, PMP_READ | PMP_EXECUTE},
    {"constants", ART_RODATA_BASE, ART_RODATA_BYTES, PMP_READ},
    {"data", ART_DATA_BASE, ART_DATA_BYTES, PMP_READ | PMP_WRITE},
    {"l1", ART_L1_BASE, ART_L1_GUARD_BYTES, RIGHTS_OF(ART_L1_WRITABLE)},
    {"l2", ART_L2_BASE, ART_L2_GUARD_BYTES, RIGHTS_OF(ART_L2_WRITABLE)},
    {"sram", ART_SRAM_BASE, ART_SRAM_GUARD_BYTES, RIGHTS_OF(ART_SRAM_WRITABLE)},
    {"mram", ART_MRAM_BASE, ART_MRAM_GUARD_BYTES, RIGHTS_OF(ART_MRAM_WRITABLE)},
    {"l3", ART_L3_BASE, ART_L3_GUARD_BYTES, RIGHTS_OF(ART_L3_WRITABLE)},
    {"request", ART_REQUEST_BASE, ART_REQUEST_BYTES, PMP_READ},
    {"console", VIRT_UART_BASE, VIRT_UART_BYTES, PMP_READ | PMP_WRITE},
    {"event lines", VIRT_CLINT_BASE, VIRT_CLINT_BYTES, PMP_READ | PMP_WRITE},
    {"finisher", VIRT_FINISHER_BASE, VIRT_FINISHER_BYTES, PMP_READ | PMP_WRITE},
};

enum { REGIONS = sizeof regions / sizeof regions[0], STACK_ENTRY = REGIONS };

_Static_assert(STACK_ENTRY < PMP_ENTRIES - 1,
               "regions, one stack and the entry that denies the rest");

/* A misaligned entry would silently cover another range. */
#define IS_GUARDABLE(base, bytes)                                                                  \
    (((bytes) & ((bytes) - 1)) == 0 && ((bytes) == 0 || ((base) & ((bytes) - 1)) == 0))

_Static_assert(IS_GUARDABLE(ART_TEXT_BASE, ART_TEXT_BYTES), "code");
_Static_assert(IS_GUARDABLE(ART_RODATA_BASE, ART_RODATA_BYTES), "constants");
_Static_assert(IS_GUARDABLE(ART_DATA_BASE, ART_DATA_BYTES), "data");
_Static_assert(IS_GUARDABLE(ART_STACK_BASE, ART_STACK_BYTES), "stacks");
_Static_assert(IS_GUARDABLE(ART_REQUEST_BASE, ART_REQUEST_BYTES), "request");
_Static_assert(IS_GUARDABLE(ART_L1_BASE, ART_L1_GUARD_BYTES), "l1");
_Static_assert(IS_GUARDABLE(ART_L2_BASE, ART_L2_GUARD_BYTES), "l2");
_Static_assert(IS_GUARDABLE(ART_SRAM_BASE, ART_SRAM_GUARD_BYTES), "sram");
_Static_assert(IS_GUARDABLE(ART_MRAM_BASE, ART_MRAM_GUARD_BYTES), "mram");
_Static_assert(IS_GUARDABLE(ART_L3_BASE, ART_L3_GUARD_BYTES), "l3");

static struct region stack_region(uint32_t hart)
{
    return (struct region){"stack", virt_stack_base(hart), ART_STACK_BYTES, PMP_READ | PMP_WRITE};
}

void virt_guard_install(uint32_t hart)
{
    uint32_t addresses[PMP_ENTRIES] = {0};
    uint32_t configuration[PMP_ENTRIES / 4] = {0};

    for (uint32_t i = 0; i <= STACK_ENTRY; i++) {
        const struct region region = i < REGIONS ? regions[i] : stack_region(hart);

        if (region.guard_bytes != 0) {
            addresses[i] = (region.base | (region.guard_bytes / 2 - 1)) >> 2;
            configuration[i / 4] |= (PMP_LOCK | PMP_NAPOT | region.rights) << (i % 4 * 8);
        }
    }
    addresses[PMP_ENTRIES - 1] = UINT32_MAX;
    configuration[PMP_ENTRIES / 4 - 1] |= (uint32_t)(PMP_LOCK | PMP_NAPOT) << 24;
    virt_pmp_write(addresses, configuration);
}

/* Say where an address is relative to a region. Returns false if it is not near. */
static bool explain(const struct region *region, uint32_t address)
{
    const uint32_t offset = address - region->base;

    if (region->guard_bytes == 0) {
        return false;
    }
    if (offset < region->guard_bytes) {
        virt_print_text(", in ");
    } else if (offset - region->guard_bytes < NEAR_BYTES) {
        virt_print_text(", past the end of ");
    } else if (region->base - address <= NEAR_BYTES) {
        virt_print_text(", below ");
    } else {
        return false;
    }
    virt_print_text(region->name);
    return true;
}

void virt_guard_explain(uint32_t hart, uint32_t address)
{
    const struct region own_stack = stack_region(hart);

    if (explain(&own_stack, address)) {
        return;
    }
    for (uint32_t i = 0; i < REGIONS; i++) {
        if (explain(&regions[i], address)) {
            return;
        }
    }
}
