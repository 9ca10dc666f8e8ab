/* Weights on their way to the cores or to the engine: they pass through a ring of slots, in the
 * order in which the layers use them, as far ahead as slots are free.
 *
 * Tiles are blocks of rows of matrices for the cluster; every one of them passes through the ring
 * in L1, wherever the matrix lies. Pages are rows of matrices for N-EUREKA that lie in L3; they
 * pass through the ring in the SRAM. Core 0 alone moves a stream on. The same sequence is
 * compiler/aretusa/schedule/streams.py.
 *
 * The slot of a tile holds a packed matrix of the tile's rows (art_matrix_layout); the slot of a
 * page is described at art_engine_page_channels. A load that does not fit its slot, a load awaited
 * after the last or while every slot is taken, and a pass begun before the last one was released
 * end the program with ART_EXIT_ASSERT. */
#ifndef ARETUSA_STREAM_H
#define ARETUSA_STREAM_H

#include <stdint.h>

#include "aretusa/engine.h"
#include "aretusa/places.h"

enum { ART_RING_SLOTS_MAX = 16 };

enum art_stream { ART_STREAM_TILES = 0, ART_STREAM_PAGES = 1, ART_STREAM_COUNT = 2 };

struct art_ring {
    uint8_t memory; /* enum art_memory */
    uint8_t slots;  /* 1 .. ART_RING_SLOTS_MAX; 0 where nothing is streamed */
    uint32_t offset_bytes;
    uint32_t slot_bytes; /* a multiple of ART_ALIGN_BYTES */
};

/* One role in the layers of a kind: a row of its table per layer. Exactly one pointer is set. */
struct art_load {
    const struct art_matrix_place *matrices;
    const struct art_engine_place
        *engines;  /* rows of the table that do not lie in L3 are skipped */
    uint32_t rows; /* that one slot takes: a multiple of ART_BLOCK_ROWS, for pages of 32 */
};

/* What the layers of one kind stream, in the order of use. */
struct art_load_list {
    const struct art_load *loads;
    uint32_t count;
};

/* Kind of a layer, and its row in the tables of that kind. */
struct art_layer {
    uint16_t kind;
    uint16_t row;
};

/* The whole sequence of one pass over the layers. */
struct art_stream_plan {
    const struct art_load_list *kinds;
    const struct art_layer *layers;
    uint32_t layer_count;
};

/* Start a pass: fill the ring. All slots of the pass before must have been awaited and released.
 * Core 0 only. */
void art_stream_begin(enum art_stream stream, const struct art_ring *ring,
                      const struct art_stream_plan *plan);

/* Slots of the ring of this pass. Any core, after a barrier behind art_stream_begin. */
uint32_t art_stream_slots(enum art_stream stream);

/* Wait until the next load has landed; returns its slot. What was awaited before and not released
 * stays where it is, so that with one slot it must have been released. Core 0 only: it hands the
 * place to the others through memory that it does not write again before they have read it. */
struct art_place art_stream_await(enum art_stream stream);

/* The slot awaited first of those not released is free: the next load goes there. Core 0 only, when
 * no core and no job of the engine reads that slot any more. */
void art_stream_release(enum art_stream stream);

#endif
