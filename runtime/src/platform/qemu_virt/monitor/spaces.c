/* An address space per hart, in the two-level page tables of RISC-V's Sv32: the regions that all
 * share and the hart's own stack. */
#include "memory_map.h"
#include "virt.h"

enum {
    ENTRIES = 1024,
    VALID = 1,
    USER = 16,
    USED = 0xc0, /* accessed and dirty, so that nothing has to be written back */
    ROOT_SHIFT = 22,
    PAGE_SHIFT = 12
};

#define SATP_SV32 0x80000000u

static uint32_t tables[ART_TABLE_COUNT][ENTRIES] __attribute__((aligned(MONITOR_PAGE_BYTES)));
static uint32_t table_count;
static uint32_t *roots[ART_STACK_COUNT];

static uint32_t *new_table(void)
{
    if (table_count == ART_TABLE_COUNT) {
        monitor_print_text("\naretusa fault: the page tables are too few\n");
        monitor_end(ART_EXIT_ASSERT);
    }
    table_count++;
    return tables[table_count - 1];
}

static uint32_t *copy_table(const uint32_t *table)
{
    uint32_t *copy = new_table();

    for (uint32_t i = 0; i < ENTRIES; i++) {
        copy[i] = table[i];
    }
    return copy;
}

/* An entry holds the page's address shifted right by two, its low ten bits are flags. */
static uint32_t entry_of(const void *table)
{
    return (uint32_t)(uintptr_t)table >> 2 | VALID;
}

static uint32_t *table_of(uint32_t entry)
{
    return (uint32_t *)(uintptr_t)((entry & ~1023u) << 2);
}

static void map(uint32_t *root, const struct monitor_region *region)
{
    for (uint32_t offset = 0; offset < region->bytes; offset += MONITOR_PAGE_BYTES) {
        const uint32_t address = region->base + offset;
        uint32_t *entry = &root[address >> ROOT_SHIFT];

        if (*entry == 0) {
            *entry = entry_of(new_table());
        }
        table_of(*entry)[address >> PAGE_SHIFT & (ENTRIES - 1)] =
            (region->ram + offset) >> 2 | VALID | USER | USED | region->rights;
    }
}

static uint32_t *build_root(const uint32_t *shared, uint32_t hart)
{
    const struct monitor_region stack = monitor_stack(hart);
    uint32_t *root = copy_table(shared);
    uint32_t *entry = &root[stack.base >> ROOT_SHIFT];

    if (*entry != 0) {
        *entry = entry_of(copy_table(table_of(*entry)));
    }
    map(root, &stack);
    return root;
}

void monitor_build_spaces(uint32_t harts)
{
    uint32_t *shared = new_table();

    for (uint32_t i = 0; i < monitor_region_count(); i++) {
        const struct monitor_region region = monitor_shared_region(i);

        map(shared, &region);
    }
    for (uint32_t hart = 0; hart < harts; hart++) {
        roots[hart] = build_root(shared, hart);
    }
}

uint32_t monitor_space(uint32_t hart)
{
    return SATP_SV32 | (uint32_t)(uintptr_t)roots[hart] >> PAGE_SHIFT;
}
