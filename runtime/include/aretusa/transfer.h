/* Copies between memories that run beside the cores: MCHAN between L1 and the on-chip memories, the
 * uDMA between L3 and the others. Core 0 gives and awaits them.
 *
 * Where there is no such unit, software plays it (runtime/src/transfer/software_transfers.c): some
 * transfers run at once, the others as late as they may. Whoever reads too early, or gives a
 * transfer whose target is still in use, gets wrong bits. */
#ifndef ARETUSA_TRANSFER_H
#define ARETUSA_TRANSFER_H

#include <stdint.h>

#include "aretusa/platform.h"

/* A queue runs its transfers in order; the queues run beside each other. */
enum art_queue {
    ART_QUEUE_DMA = 0,      /* between L1 and L2, SRAM or MRAM */
    ART_QUEUE_OFF_CHIP = 1, /* from or to L3, what the next kernel waits for */
    ART_QUEUE_PAGES = 2,    /* from L3 to the SRAM, behind everything else on the same link */
    ART_QUEUE_COUNT = 3
};

enum { ART_TRANSFER_QUEUE = 16 }; /* transfers that a queue holds; giving one more waits */

/* Offsets are from the first byte of their memory. Between L1 and another memory on the chip, bytes
 * that follow one another in L1 may be runs in the other one. */
struct art_transfer {
    uint8_t from_memory; /* enum art_memory */
    uint8_t to_memory;
    uint32_t from_bytes;
    uint32_t to_bytes;
    uint32_t bytes;        /* of all runs */
    uint32_t run_bytes;    /* of one; 0 if there is only one */
    uint32_t stride_bytes; /* from one run to the next */
};

/* Bytes from the first one to the last one, at the end in that memory. */
static inline uint32_t art_transfer_reach(const struct art_transfer *transfer, uint32_t memory)
{
    if (transfer->run_bytes == 0 || memory == ART_MEMORY_L1) {
        return transfer->bytes;
    }
    return (transfer->bytes / transfer->run_bytes - 1) * transfer->stride_bytes +
           transfer->run_bytes;
}

/* The queue of a transfer that a kernel waits for. */
enum art_queue art_transfer_queue(const struct art_transfer *transfer);

/* Give a transfer; returns its number in its queue, counted from 1. Core 0 only. */
uint32_t art_transfer_submit(enum art_queue queue, const struct art_transfer *transfer);

/* Return when that transfer, and all before it in its queue, are done. Core 0 only. */
void art_transfer_wait(enum art_queue queue, uint32_t number);

#endif
