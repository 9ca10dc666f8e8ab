/* Copies between L1 and another memory that a kernel gives and awaits as a group. Core 0 only. */
#ifndef ARETUSA_KERNELS_L1_COPIES_H
#define ARETUSA_KERNELS_L1_COPIES_H

#include "aretusa/places.h"
#include "aretusa/transfer.h"

/* The group: the last copy given to each queue. Starts as {0}. */
struct art_copies {
    bool is_given[ART_QUEUE_COUNT];
    uint32_t last[ART_QUEUE_COUNT];
};

/* Rows that are copied together: so far apart at the place, and in L1. */
struct art_copy_rows {
    uint32_t count;
    uint32_t bytes;
    uint32_t stride_bytes;
    uint32_t l1_stride_bytes;
};

/* Give the copy of bytes at a place to an address in L1. */
void art_copy_in(struct art_copies *copies, struct art_place from, void *to, uint32_t bytes);

/* The same with rows, in one transfer if a unit can do that. */
void art_copy_rows_in(struct art_copies *copies, struct art_place from, void *to,
                      const struct art_copy_rows *rows);
void art_copy_rows_out(struct art_copies *copies, const void *from, struct art_place to,
                       const struct art_copy_rows *rows);

/* Return when all copies of the group are done. */
void art_copies_wait(const struct art_copies *copies);

/* The place so many bytes further on. */
static inline struct art_place art_place_after(struct art_place place, uint32_t bytes)
{
    place.offset_bytes += bytes;
    return place;
}

#endif
