/* What the bus has to refuse of MCHAN and of the queues; the text that it must print stands in
 * test_sequences.py. */
#include <stddef.h>

#include "memory_map.h"
#include "platform/siracusa/mchan.h"
#include "sequences.h"

static const struct mchan_copy small = {
    .l1 = ART_L1_BASE,
    .external = ART_L2_BASE,
    .bytes = 64,
    .is_into_l1 = true,
};

static uint32_t start(struct mchan_copy copy)
{
    const uint32_t id = 1u << mchan_allocate(MCHAN_PORT_OF_CORE);

    mchan_start(MCHAN_PORT_OF_CORE, &copy);
    return id;
}

static void finish(uint32_t ids)
{
    while (mchan_busy(MCHAN_PORT_OF_CORE, ids) != 0) {
    }
    mchan_free(MCHAN_PORT_OF_CORE, ids);
}

static void copy_without_id(void)
{
    mchan_start(MCHAN_PORT_OF_CORE, &small);
}

static void copy_after_freed_id(void)
{
    finish(start(small));
    mchan_start(MCHAN_PORT_OF_CORE, &small);
}

static void free_busy(void)
{
    mchan_free(MCHAN_PORT_OF_CORE, start(small));
}

static void free_twice(void)
{
    const uint32_t id = start(small);

    finish(id);
    mchan_free(MCHAN_PORT_OF_CORE, id);
}

static void free_unused(void)
{
    mchan_free(MCHAN_PORT_OF_CORE, 1u << mchan_allocate(MCHAN_PORT_OF_CORE));
}

static void never_freed(void)
{
    const uint32_t id = start(small);

    while (mchan_busy(MCHAN_PORT_OF_CORE, id) != 0) {
    }
}

static void ids_exhausted(void)
{
    for (uint32_t i = 0; i <= MCHAN_IDS; i++) {
        (void)start(small);
    }
}

static void incomplete(void)
{
    (void)mchan_allocate(MCHAN_PORT_OF_CORE);
    siracusa_write32(MCHAN_COMMAND(MCHAN_PORT_OF_CORE), mchan_command(MCHAN_PORT_OF_CORE, &small));
    siracusa_write32(MCHAN_COMMAND(MCHAN_PORT_OF_CORE), small.l1);
    (void)mchan_busy(MCHAN_PORT_OF_CORE, 1);
}

static void strided_with_three_words(void)
{
    (void)mchan_allocate(MCHAN_PORT_OF_CORE);
    siracusa_write32(MCHAN_COMMAND(MCHAN_PORT_OF_CORE),
                     mchan_command(MCHAN_PORT_OF_CORE, &small) | MCHAN_STRIDED);
    siracusa_write32(MCHAN_COMMAND(MCHAN_PORT_OF_CORE), small.l1);
    siracusa_write32(MCHAN_COMMAND(MCHAN_PORT_OF_CORE), small.external);
    (void)mchan_allocate(MCHAN_PORT_OF_CORE);
}

static void plain_with_five_words(void)
{
    (void)start(small);
    siracusa_write32(MCHAN_COMMAND(MCHAN_PORT_OF_CORE), 16);
    siracusa_write32(MCHAN_COMMAND(MCHAN_PORT_OF_CORE), 64);
}

static void copy_too_long(void)
{
    struct mchan_copy copy = small;

    copy.bytes = MCHAN_BYTES_MAX + 1;
    (void)start(copy);
}

static void copy_outside_of_l1(void)
{
    struct mchan_copy copy = small;

    copy.l1 = ART_SRAM_BASE;
    (void)start(copy);
}

static void copy_of_peripherals(void)
{
    struct mchan_copy copy = small;

    copy.external = ENGINE_BASE;
    (void)start(copy);
}

static void copy_behind_the_plan(void)
{
    struct mchan_copy copy = small;

    copy.l1 = ART_L1_BASE + ART_L1_BYTES - 32;
    (void)start(copy);
}

static void copy_into_mram(void)
{
    struct mchan_copy copy = small;

    copy.external = ART_MRAM_BASE;
    copy.is_into_l1 = false;
    (void)start(copy);
}

static void race(void)
{
    struct mchan_copy copy = small;
    const uint32_t id = start(copy);

    copy.external += 4096;
    copy.is_into_l1 = false;
    finish(id | start(copy));
}

static void port_of_another(void)
{
    (void)mchan_allocate(MCHAN_PORT_OF_FABRIC);
}

static void transfer_of_l2_alone(void)
{
    const struct art_transfer transfer = {
        .from_memory = ART_MEMORY_L2,
        .to_memory = ART_MEMORY_SRAM,
        .bytes = 4,
    };

    (void)art_transfer_submit(ART_QUEUE_DMA, &transfer);
}

static void runs_behind_l2(void)
{
    const struct art_transfer transfer = {
        .from_memory = ART_MEMORY_L2,
        .to_memory = ART_MEMORY_L1,
        .bytes = 8,
        .run_bytes = 4,
        .stride_bytes = ART_L2_BYTES - 3,
    };

    (void)art_transfer_submit(ART_QUEUE_DMA, &transfer);
}

static void request_of_runs(void)
{
    const struct art_transfer transfer = {
        .from_memory = ART_MEMORY_L3,
        .to_memory = ART_MEMORY_L1,
        .bytes = 8,
        .run_bytes = 4,
        .stride_bytes = 8,
    };

    (void)art_transfer_submit(ART_QUEUE_OFF_CHIP, &transfer);
}

static void request_for_l2(void)
{
    const struct art_transfer transfer = {
        .from_memory = ART_MEMORY_L3,
        .to_memory = ART_MEMORY_L2,
        .bytes = 4,
    };

    (void)art_transfer_submit(ART_QUEUE_OFF_CHIP, &transfer);
}

static void request_behind_l3(void)
{
    const struct art_transfer transfer = {
        .from_memory = ART_MEMORY_L3,
        .to_memory = ART_MEMORY_L1,
        .from_bytes = ART_L3_BYTES - 3,
        .bytes = 4,
    };

    (void)art_transfer_submit(ART_QUEUE_OFF_CHIP, &transfer);
}

#define SEQUENCE(name) {#name, name}

const struct wrong_sequence wrong_copies[] = {
    SEQUENCE(copy_without_id),
    SEQUENCE(copy_after_freed_id),
    SEQUENCE(free_busy),
    SEQUENCE(free_twice),
    SEQUENCE(free_unused),
    SEQUENCE(never_freed),
    SEQUENCE(ids_exhausted),
    SEQUENCE(incomplete),
    SEQUENCE(strided_with_three_words),
    SEQUENCE(plain_with_five_words),
    SEQUENCE(copy_too_long),
    SEQUENCE(copy_outside_of_l1),
    SEQUENCE(copy_of_peripherals),
    SEQUENCE(copy_behind_the_plan),
    SEQUENCE(copy_into_mram),
    SEQUENCE(race),
    SEQUENCE(port_of_another),
    SEQUENCE(transfer_of_l2_alone),
    SEQUENCE(runs_behind_l2),
    SEQUENCE(request_of_runs),
    SEQUENCE(request_for_l2),
    SEQUENCE(request_behind_l3),
    {NULL, NULL},
};
