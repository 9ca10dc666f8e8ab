#include "engine_registers.h"

#include "aretusa/engine.h"
#include "bus.h"
#include "events.h"
#include "registers.h"
#include "sections.h"

enum { SOFT_CLEAR_ACCESSES = 10 }; /* as long as pulp-platform/pulp-nnx util/hwpe.c waits */

/* Only core 0 touches it. Jobs run in order, so what is not in a context any more is done. */
static SIRACUSA_L1 struct {
    uint32_t submitted;
    uint32_t done;
} engine;

static bool is_done(uint32_t job)
{
    if ((int32_t)(engine.done - job) < 0) {
        const uint32_t status = siracusa_read32(ENGINE_STATUS);

        engine.done = engine.submitted - (status & ENGINE_CONTEXT_0 ? 1 : 0) -
                      (status & ENGINE_CONTEXT_1 ? 1 : 0);
    }
    return (int32_t)(engine.done - job) >= 0;
}

void siracusa_engine_start(void)
{
    siracusa_write32(CLUSTER_SHARED_MEMORY, siracusa_read32(CLUSTER_SHARED_MEMORY) |
                                                CLUSTER_ENGINE_FIRST | CLUSTER_ENGINE_CLOCK |
                                                CLUSTER_STALL_CYCLES);
    siracusa_write32(ENGINE_SOFT_CLEAR, 0);
    for (uint32_t i = 0; i < SOFT_CLEAR_ACCESSES; i++) {
        (void)siracusa_read32(ENGINE_STATUS);
    }
}

uint32_t art_engine_submit(const uint32_t registers[ART_NEUREKA_REGISTERS])
{
    if (engine.submitted - engine.done >= ART_ENGINE_QUEUE) {
        art_engine_wait(engine.submitted + 1 - ART_ENGINE_QUEUE);
    }
    while ((int32_t)siracusa_read32(ENGINE_ACQUIRE) < 0) {
    }
    for (uint32_t i = 0; i < ART_NEUREKA_REGISTERS; i += 4) {
        siracusa_write32(ENGINE_JOB(i), registers[i]);
        siracusa_write32(ENGINE_JOB(i + 1), registers[i + 1]);
        siracusa_write32(ENGINE_JOB(i + 2), registers[i + 2]);
        siracusa_write32(ENGINE_JOB(i + 3), registers[i + 3]);
    }
    engine.submitted++;
    siracusa_write32(ENGINE_COMMIT, 0);
    return engine.submitted;
}

void art_engine_wait(uint32_t job)
{
    while (!is_done(job)) {
        siracusa_sleep(EVENT_ENGINE);
    }
}
