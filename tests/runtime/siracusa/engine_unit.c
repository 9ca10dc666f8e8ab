#include <inttypes.h>
#include <string.h>

#include "aretusa/neureka.h"
#include "aretusa/platform.h"
#include "memory_map.h"
#include "neureka/registers.h"
#include "platform/siracusa/registers.h"
#include "units.h"

enum { CONTEXTS = 2, NOBODY = -1 };
enum { STRIDE_2_BIT = 8, ROUNDING_BIT = 11 };
enum { COMMIT = 0x00, ACQUIRE = 0x04, STATUS = 0x0C, CLEAR = 0x14, JOB = 0x20 };

/* Job n is in context n % CONTEXTS. */
static struct {
    uint32_t registers[CONTEXTS][ART_NEUREKA_REGISTERS];
    uint32_t written; /* registers of the job that is being given, a bit each */
    uint32_t given;
    uint32_t done;
    bool is_acquired;
    uint32_t scratch[ART_NEUREKA_SCRATCH_BYTES / 4];
} engine;

static uint32_t acquire(void)
{
    if (engine.is_acquired) {
        refuse("N-EUREKA is acquired twice for one job");
    }
    if (engine.given - engine.done >= CONTEXTS) {
        refuse("N-EUREKA is asked for a third job");
    }
    engine.is_acquired = true;
    engine.written = 0;
    return engine.given & 0xFF;
}

/* A context is in use from the moment that it is acquired. */
static uint32_t status(void)
{
    uint32_t value = 0;

    for (uint32_t job = engine.done; job != engine.given + engine.is_acquired; job++) {
        value |= job % CONTEXTS == 0 ? ENGINE_CONTEXT_0 : ENGINE_CONTEXT_1;
    }
    bus_poll(engine_unit_work);
    return value;
}

uint32_t engine_unit_read(uint32_t offset)
{
    switch (offset) {
    case ACQUIRE:
        return acquire();
    case STATUS:
        return status();
    default:
        refuse("a read of N-EUREKA's register %" PRIx32, offset);
    }
}

/* What the model refuses with fewer words. */
static void check_config(const uint32_t *registers)
{
    const uint32_t config = registers[NEUREKA_CONFIG];
    const bool is_from_l1 = (config >> NEUREKA_WEIGHT_MEMORY_BIT & 1) == 0;

    if ((config >> NEUREKA_PREFETCH_BIT & 1) != 0 && is_from_l1) {
        refuse("N-EUREKA never ends a job with prefetch and weights in L1");
    }
    if ((config >> STRIDE_2_BIT & 1) != 0) {
        refuse("N-EUREKA's stride 2 is not to be trusted");
    }
    if ((config >> ROUNDING_BIT & 1) != 0) {
        refuse("N-EUREKA's rounding is not to be trusted");
    }
    if (registers[NEUREKA_FILTER_MASK] != 0) {
        refuse("N-EUREKA's filter mask is not to be trusted");
    }
}

static bool run(const uint32_t *registers, uint32_t channels)
{
    const struct art_neureka_memories memories = {
        .l1 = unit_memory(ART_MEMORY_L1),
        .l1_bytes = ART_L1_BYTES,
        .mram = unit_memory(ART_MEMORY_MRAM),
        .mram_bytes = ART_SRAM_BASE - ART_MRAM_BASE,
        .sram = unit_memory(ART_MEMORY_SRAM),
        .sram_bytes = ART_SRAM_BYTES,
    };
    const struct art_neureka_share share = {
        .first_channel = 0,
        .last_channel = channels,
        .step = 1,
        .scratch = engine.scratch,
    };

    return art_neureka_model_run(registers, &memories, &share);
}

static void commit(uint32_t value)
{
    const uint32_t all = (1u << ART_NEUREKA_REGISTERS) - 1;
    const uint32_t *registers = engine.registers[engine.given % CONTEXTS];

    if (!engine.is_acquired || value != 0) {
        refuse("N-EUREKA's job is started without being acquired");
    }
    if (engine.written != all) {
        refuse("N-EUREKA's job lacks registers: %06" PRIx32 " were written", engine.written);
    }
    check_config(registers);
    if (!run(registers, 0)) {
        refuse("N-EUREKA's job at %08" PRIx32 " is none, or leaves its memories",
               registers[NEUREKA_OUTPUT]);
    }
    engine.is_acquired = false;
    engine.given++;
}

void engine_unit_write(uint32_t offset, uint32_t value)
{
    const uint32_t number = (offset - JOB) / 4;

    if (offset == COMMIT) {
        commit(value);
    } else if (offset == CLEAR) {
        if (engine.given != engine.done || engine.is_acquired) {
            refuse("N-EUREKA is cleared while it has jobs");
        }
    } else if (offset < JOB || number >= ART_NEUREKA_REGISTERS) {
        refuse("a write to N-EUREKA's register %" PRIx32, offset);
    } else if (!engine.is_acquired) {
        refuse("a write to N-EUREKA's register %" PRIx32 " of a job that was not acquired", offset);
    } else {
        engine.registers[engine.given % CONTEXTS][number] = value;
        engine.written |= 1u << number;
    }
}

bool engine_unit_work(void)
{
    const uint32_t *registers = engine.registers[engine.done % CONTEXTS];
    const uint32_t tiles = registers[NEUREKA_CHANNEL_TILES] >> 16;

    if (engine.done == engine.given) {
        return false;
    }
    if (!run(registers,
             (tiles - 1) * NEUREKA_TILE_OUT + (registers[NEUREKA_LAST_CHANNELS] >> 16))) {
        refuse("N-EUREKA's job does not run");
    }
    engine.done++;
    events_pull(EVENT_ENGINE);
    return true;
}

void engine_unit_end(void)
{
    if (engine.is_acquired) {
        refuse("N-EUREKA's last job was never started");
    }
}
