#include "l1_copies.h"

static struct art_place place_of(const void *address)
{
    const uint8_t *const first = art_platform_memory(ART_MEMORY_L1);
    return (struct art_place){.memory = ART_MEMORY_L1,
                              .offset_bytes = (uint32_t)((const uint8_t *)address - first)};
}

static void give(struct art_copies *copies, const struct art_transfer *transfer)
{
    const enum art_queue queue = art_transfer_queue(transfer);
    copies->last[queue] = art_transfer_submit(queue, transfer);
    copies->is_given[queue] = true;
}

static struct art_transfer transfer_of(struct art_place from, struct art_place to, uint32_t bytes)
{
    return (struct art_transfer){.from_memory = from.memory,
                                 .to_memory = to.memory,
                                 .from_bytes = from.offset_bytes,
                                 .to_bytes = to.offset_bytes,
                                 .bytes = bytes};
}

void art_copy_in(struct art_copies *copies, struct art_place from, void *to, uint32_t bytes)
{
    const struct art_transfer transfer = transfer_of(from, place_of(to), bytes);
    give(copies, &transfer);
}

/* MCHAN takes rows that follow one another in L1 as one transfer; the uDMA takes them one by one.
 */
static void give_rows(struct art_copies *copies, const struct art_copy_rows *rows,
                      struct art_transfer transfer, uint32_t from_stride, uint32_t to_stride)
{
    const bool is_dma = art_transfer_queue(&transfer) == ART_QUEUE_DMA;
    if (is_dma && rows->count > 1 && rows->l1_stride_bytes == rows->bytes) {
        transfer.bytes *= rows->count;
        transfer.run_bytes = rows->bytes;
        transfer.stride_bytes = rows->stride_bytes;
        give(copies, &transfer);
        return;
    }
    for (uint32_t row = 0; row < rows->count; row++) {
        give(copies, &transfer);
        transfer.from_bytes += from_stride;
        transfer.to_bytes += to_stride;
    }
}

void art_copy_rows_in(struct art_copies *copies, struct art_place from, void *to,
                      const struct art_copy_rows *rows)
{
    give_rows(copies, rows, transfer_of(from, place_of(to), rows->bytes), rows->stride_bytes,
              rows->l1_stride_bytes);
}

void art_copy_rows_out(struct art_copies *copies, const void *from, struct art_place to,
                       const struct art_copy_rows *rows)
{
    give_rows(copies, rows, transfer_of(place_of(from), to, rows->bytes), rows->l1_stride_bytes,
              rows->stride_bytes);
}

void art_copies_wait(const struct art_copies *copies)
{
    for (uint32_t queue = 0; queue < ART_QUEUE_COUNT; queue++) {
        if (copies->is_given[queue]) {
            art_transfer_wait((enum art_queue)queue, copies->last[queue]);
        }
    }
}
