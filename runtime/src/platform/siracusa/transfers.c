#include "transfers.h"

#include "memory_map.h"
#include "queues.h"
#include "sections.h"

SIRACUSA_L1 struct siracusa_window siracusa_windows[ART_MEMORY_COUNT];

static void set_window(enum art_memory memory, uint32_t base, uint32_t bytes)
{
    siracusa_windows[memory] = (struct siracusa_window){.base = base, .bytes = bytes};
}

void siracusa_transfers_start(void)
{
    set_window(ART_MEMORY_L1, ART_L1_BASE, ART_L1_BYTES);
    set_window(ART_MEMORY_L2, ART_L2_BASE, ART_L2_BYTES);
    set_window(ART_MEMORY_SRAM, ART_SRAM_BASE, ART_SRAM_BYTES);
    set_window(ART_MEMORY_MRAM, ART_MRAM_BASE, ART_MRAM_BYTES);
    set_window(ART_MEMORY_L3, 0, ART_L3_BYTES);
}

enum art_queue art_transfer_queue(const struct art_transfer *transfer)
{
    const bool is_off_chip =
        transfer->from_memory == ART_MEMORY_L3 || transfer->to_memory == ART_MEMORY_L3;

    return is_off_chip ? ART_QUEUE_OFF_CHIP : ART_QUEUE_DMA;
}

uint32_t art_transfer_submit(enum art_queue queue, const struct art_transfer *transfer)
{
    return queue == ART_QUEUE_DMA ? siracusa_copies_submit(transfer)
                                  : siracusa_requests_submit(queue, transfer);
}

void art_transfer_wait(enum art_queue queue, uint32_t number)
{
    if (queue == ART_QUEUE_DMA) {
        siracusa_copies_wait(number);
    } else {
        siracusa_requests_wait(queue, number);
    }
}
