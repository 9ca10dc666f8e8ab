/* The queues of aretusa/transfer.h on the chip: MCHAN's own, and those that the fabric controller
 * works off. */
#ifndef ARETUSA_SIRACUSA_QUEUES_H
#define ARETUSA_SIRACUSA_QUEUES_H

#include "aretusa/transfer.h"

/* What the build uses of a memory: the chip's address of its first byte, and its size. */
struct siracusa_window {
    uint32_t base;
    uint32_t bytes;
};

/* Of each memory; filled by siracusa_transfers_start. In L1, for the cores of the cluster. For L3
 * the base is the address that the HyperBus sends: the board's HyperRAM has none of the chip. */
extern struct siracusa_window siracusa_windows[ART_MEMORY_COUNT];

static inline bool siracusa_is_end_inside(uint32_t memory, uint32_t offset_bytes, uint32_t bytes)
{
    const uint32_t size = siracusa_windows[memory].bytes;

    return offset_bytes <= size && bytes <= size - offset_bytes;
}

/* Whether both ends of a transfer lie in their memories. */
static inline bool siracusa_is_inside(const struct art_transfer *transfer)
{
    return siracusa_is_end_inside(transfer->from_memory, transfer->from_bytes,
                                  art_transfer_reach(transfer, transfer->from_memory)) &&
           siracusa_is_end_inside(transfer->to_memory, transfer->to_bytes,
                                  art_transfer_reach(transfer, transfer->to_memory));
}

/* ART_QUEUE_DMA. Core 0 only. */
uint32_t siracusa_copies_submit(const struct art_transfer *transfer);
void siracusa_copies_wait(uint32_t number);

/* ART_QUEUE_OFF_CHIP and ART_QUEUE_PAGES. Core 0 only. */
uint32_t siracusa_requests_submit(enum art_queue queue, const struct art_transfer *transfer);
void siracusa_requests_wait(enum art_queue queue, uint32_t number);

#endif
