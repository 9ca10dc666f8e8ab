#include "l1_copies.h"

static struct art_place place_of(const void *address)
{
    const uint8_t *const first = art_platform_memory(ART_MEMORY_L1);
    return (struct art_place){.memory = ART_MEMORY_L1,
                              .offset_bytes = (uint32_t)((const uint8_t *)address - first)};
}

static void give(struct art_copies *copies, struct art_place from, struct art_place to,
                 uint32_t bytes)
{
    const struct art_transfer transfer = {.from_memory = from.memory,
                                          .to_memory = to.memory,
                                          .from_bytes = from.offset_bytes,
                                          .to_bytes = to.offset_bytes,
                                          .bytes = bytes};
    const enum art_queue queue = art_transfer_queue(&transfer);
    copies->last[queue] = art_transfer_submit(queue, &transfer);
    copies->is_given[queue] = true;
}

void art_copy_in(struct art_copies *copies, struct art_place from, void *to, uint32_t bytes)
{
    give(copies, from, place_of(to), bytes);
}

void art_copy_out(struct art_copies *copies, const void *from, struct art_place to, uint32_t bytes)
{
    give(copies, place_of(from), to, bytes);
}

void art_copies_wait(const struct art_copies *copies)
{
    for (uint32_t queue = 0; queue < ART_QUEUE_COUNT; queue++) {
        if (copies->is_given[queue]) {
            art_transfer_wait((enum art_queue)queue, copies->last[queue]);
        }
    }
}
