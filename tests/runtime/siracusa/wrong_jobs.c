/* What the bus has to refuse of N-EUREKA and of the other units; the text that it must print stands
 * in test_sequences.py. */
#include <stddef.h>

#include "aretusa/neureka.h"
#include "memory_map.h"
#include "neureka/registers.h"
#include "platform/siracusa/bus.h"
#include "platform/siracusa/registers.h"
#include "sequences.h"

static void job_without_acquire(void)
{
    siracusa_write32(ENGINE_JOB(0), 0);
}

static void make_job(uint32_t *registers)
{
    const struct art_neureka_shape shape = {
        .mode = ART_NEUREKA_1X1,
        .bits = 8,
        .flags = ART_NEUREKA_WEIGHT_MEMORY | ART_NEUREKA_PREFETCH | ART_NEUREKA_SIGNED,
        .out_channels = 32,
        .in_channels = 32,
        .out_rows = 1,
        .out_cols = 1,
        .out_pixel_bytes = 128,
    };

    art_neureka_job(&shape, registers);
    registers[NEUREKA_WEIGHTS] = 0;
    registers[NEUREKA_INPUT] = 0;
    registers[NEUREKA_OUTPUT] = 256;
}

static void give_job(const uint32_t *registers)
{
    (void)siracusa_read32(ENGINE_ACQUIRE);
    for (uint32_t i = 0; i < ART_NEUREKA_REGISTERS; i++) {
        siracusa_write32(ENGINE_JOB(i), registers[i]);
    }
    siracusa_write32(ENGINE_COMMIT, 0);
}

/* A job with some bits of a register changed. */
static void give_changed(uint32_t which, uint32_t flip)
{
    uint32_t registers[ART_NEUREKA_REGISTERS];

    make_job(registers);
    registers[which] ^= flip;
    give_job(registers);
}

static void third_job(void)
{
    give_changed(0, 0);
    give_changed(0, 0);
    give_changed(0, 0);
}

static void acquired_twice(void)
{
    (void)siracusa_read32(ENGINE_ACQUIRE);
    (void)siracusa_read32(ENGINE_ACQUIRE);
}

static void register_missing(void)
{
    uint32_t registers[ART_NEUREKA_REGISTERS];

    make_job(registers);
    (void)siracusa_read32(ENGINE_ACQUIRE);
    for (uint32_t i = 0; i + 1 < ART_NEUREKA_REGISTERS; i++) {
        siracusa_write32(ENGINE_JOB(i), registers[i]);
    }
    siracusa_write32(ENGINE_COMMIT, 0);
}

static void never_committed(void)
{
    (void)siracusa_read32(ENGINE_ACQUIRE);
}

static void cleared_while_busy(void)
{
    give_changed(0, 0);
    siracusa_write32(ENGINE_SOFT_CLEAR, 0);
}

static void prefetch_from_l1(void)
{
    give_changed(NEUREKA_CONFIG, 1u << NEUREKA_WEIGHT_MEMORY_BIT);
}

static void stride_2(void)
{
    give_changed(NEUREKA_CONFIG, 1u << 8);
}

static void rounding(void)
{
    give_changed(NEUREKA_CONFIG, 1u << 11);
}

static void filter_mask(void)
{
    give_changed(NEUREKA_FILTER_MASK, 1);
}

static void outputs_behind_l1(void)
{
    give_changed(NEUREKA_OUTPUT, ART_L1_BYTES);
}

static void weights_behind_sram(void)
{
    give_changed(NEUREKA_WEIGHTS, ART_SRAM_BASE - ART_MRAM_BASE + ART_SRAM_BYTES);
}

static void sleep_forever(void)
{
    siracusa_write32(EVENTS_MASK_SET, 1u << EVENT_ENGINE);
    (void)siracusa_wait32(EVENTS_WAIT_AND_CLEAR);
}

static void hyperbus_from_core(void)
{
    siracusa_write32(HYPERBUS_ADDRESS, 0);
}

static void unknown_register(void)
{
    (void)siracusa_read32(0x10203000u);
}

#define SEQUENCE(name) {#name, name}

const struct wrong_sequence wrong_jobs[] = {
    SEQUENCE(job_without_acquire),
    SEQUENCE(third_job),
    SEQUENCE(acquired_twice),
    SEQUENCE(register_missing),
    SEQUENCE(never_committed),
    SEQUENCE(cleared_while_busy),
    SEQUENCE(prefetch_from_l1),
    SEQUENCE(stride_2),
    SEQUENCE(rounding),
    SEQUENCE(filter_mask),
    SEQUENCE(outputs_behind_l1),
    SEQUENCE(weights_behind_sram),
    SEQUENCE(sleep_forever),
    SEQUENCE(hyperbus_from_core),
    SEQUENCE(unknown_register),
    {NULL, NULL},
};
