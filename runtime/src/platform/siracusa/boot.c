/* The fabric controller: starts the cluster, then moves what goes to and comes from L3. */
#include "bus.h"
#include "chip.h"
#include "fabric.h"
#include "memory_map.h"

#include "aretusa/generate.h"

uint32_t siracusa_cores_of_request(void)
{
    const struct art_request *request = (const void *)siracusa_request;
    const bool is_sound = request->magic == ART_REQUEST_MAGIC && request->cores >= 1 &&
                          request->cores <= ART_CORES_MAX;

    return is_sound ? request->cores : 1;
}

static void start_cluster(void)
{
    siracusa_write32(CLUSTER_CACHE, UINT32_MAX);
    for (uint32_t core = 0; core < ART_CORES_MAX; core++) {
        siracusa_write32(CLUSTER_ENTRY(core), (uint32_t)(uintptr_t)siracusa_start);
    }
    /* Core 0 prepares what the others need, and starts them. */
    siracusa_write32(CLUSTER_START, 1);
}

_Noreturn void siracusa_fabric_main(void)
{
    siracusa_write32(CHIP_FABRIC_CACHE, UINT32_MAX);
#if ART_L3_BYTES > 0
    siracusa_fc_start();
#endif
    start_cluster();
    while (true) {
#if ART_L3_BYTES > 0
        (void)siracusa_fc_step();
#else
        siracusa_idle();
#endif
    }
}
