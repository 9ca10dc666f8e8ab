#include "aretusa/stream.h"

#include <stddef.h>

#include "aretusa/transfer.h"

/* The last transfer of what is on its way to a slot. */
struct landing {
    enum art_queue queue;
    uint32_t number;
};

/* A pass over a plan. Loads are counted from its start: load n goes to slot n % slots. */
struct pass {
    struct art_ring ring;
    const struct art_stream_plan *plan;
    uint32_t layer; /* the cursor: what is given next */
    uint32_t load;
    uint32_t row;
    uint32_t given;
    uint32_t awaited;
    uint32_t released;
    struct landing landings[ART_RING_SLOTS_MAX];
};

static struct pass passes[ART_STREAM_COUNT];

static void check(bool is_right)
{
    if (!is_right) {
        art_platform_exit(ART_EXIT_ASSERT);
    }
}

static uint32_t least(uint32_t one, uint32_t other)
{
    return one < other ? one : other;
}

/* Rows of a load that are streamed. */
static uint32_t streamed_rows(const struct art_load *load, uint32_t row)
{
    if (load->matrices) {
        return load->matrices[row].rows;
    }
    return load->engines[row].memory == ART_MEMORY_L3 ? load->engines[row].rows : 0;
}

/* Move the cursor to the next rows that are streamed; null behind the last ones. */
static const struct art_load *find_next(struct pass *pass)
{
    while (pass->layer < pass->plan->layer_count) {
        const struct art_layer *layer = &pass->plan->layers[pass->layer];
        const struct art_load_list *list = &pass->plan->kinds[layer->kind];

        if (pass->load == list->count) {
            pass->layer++;
            pass->load = 0;
        } else if (pass->row < streamed_rows(&list->loads[pass->load], layer->row)) {
            return &list->loads[pass->load];
        } else {
            pass->load++;
            pass->row = 0;
        }
    }
    return NULL;
}

static uint32_t slot_offset(const struct pass *pass, uint32_t load)
{
    return pass->ring.offset_bytes + load % pass->ring.slots * pass->ring.slot_bytes;
}

/* Give one transfer to the slot of the load that is being given, `at` bytes into the slot. */
static void give_part(struct pass *pass, struct art_transfer part, uint32_t at)
{
    struct landing *landing = &pass->landings[pass->given % pass->ring.slots];

    check(at <= pass->ring.slot_bytes && part.bytes <= pass->ring.slot_bytes - at);
    part.to_memory = pass->ring.memory;
    part.to_bytes = slot_offset(pass, pass->given) + at;
    landing->queue =
        pass == &passes[ART_STREAM_PAGES] ? ART_QUEUE_PAGES : art_transfer_queue(&part);
    landing->number = art_transfer_submit(landing->queue, &part);
}

/* Some rows of a matrix; first is a multiple of ART_BLOCK_ROWS. */
static void give_tile(struct pass *pass, const struct art_matrix_place *matrix, uint32_t first,
                      uint32_t rows)
{
    const struct art_matrix_layout whole = art_matrix_layout(matrix, matrix->rows);
    const struct art_matrix_layout before = art_matrix_layout(matrix, first);
    const struct art_matrix_layout tile = art_matrix_layout(matrix, rows);

    for (uint32_t part = 0; part < ART_PART_COUNT; part++) {
        if (tile.bytes[part] > 0) {
            const struct art_transfer transfer = {
                .from_memory = matrix->memory,
                .from_bytes = matrix->offset_bytes + whole.offset[part] + before.bytes[part],
                .bytes = tile.bytes[part],
            };
            give_part(pass, transfer, tile.offset[part]);
        }
    }
}

static void give_page(struct pass *pass, const struct art_engine_place *engine, uint32_t first,
                      uint32_t rows)
{
    const uint32_t row_bytes = art_engine_row_bytes(engine);
    uint32_t from = engine->channels.offset_bytes;
    uint32_t to = art_engine_page_channels(engine, rows);
    struct art_transfer transfer = {
        .from_memory = ART_MEMORY_L3,
        .from_bytes = engine->offset_bytes + first * row_bytes,
        .bytes = rows * row_bytes,
    };

    give_part(pass, transfer, 0);
    for (uint32_t i = 0; i < ART_ENGINE_ARRAYS; i++) {
        const enum art_engine_array array = (enum art_engine_array)i;

        transfer.from_bytes = from + art_engine_array_bytes(engine, array, first);
        transfer.bytes = art_engine_array_bytes(engine, array, rows);
        if (transfer.bytes > 0) {
            give_part(pass, transfer, to);
        }
        from += art_engine_array_bytes(engine, array, engine->rows);
        to += transfer.bytes;
    }
}

/* Give loads as long as there are some and slots are free. */
static void fill_ring(struct pass *pass)
{
    while (pass->given - pass->released < pass->ring.slots) {
        const struct art_load *load = find_next(pass);

        if (!load) {
            return;
        }
        const uint32_t row = pass->plan->layers[pass->layer].row;
        const uint32_t rows = least(load->rows, streamed_rows(load, row) - pass->row);

        check(rows > 0);
        if (load->matrices) {
            give_tile(pass, &load->matrices[row], pass->row, rows);
        } else {
            give_page(pass, &load->engines[row], pass->row, rows);
        }
        pass->row += rows;
        pass->given++;
    }
}

void art_stream_begin(enum art_stream stream, const struct art_ring *ring,
                      const struct art_stream_plan *plan)
{
    struct pass *pass = &passes[stream];

    check(pass->given == pass->released && ring->slots <= ART_RING_SLOTS_MAX);
    pass->ring = *ring;
    pass->plan = plan;
    pass->layer = 0;
    pass->load = 0;
    pass->row = 0;
    pass->given = 0;
    pass->awaited = 0;
    pass->released = 0;
    fill_ring(pass);
}

uint32_t art_stream_slots(enum art_stream stream)
{
    return passes[stream].ring.slots;
}

struct art_place art_stream_await(enum art_stream stream)
{
    struct pass *pass = &passes[stream];

    check(pass->awaited < pass->given);

    const struct landing *landing = &pass->landings[pass->awaited % pass->ring.slots];
    const struct art_place slot = {
        .memory = pass->ring.memory,
        .offset_bytes = slot_offset(pass, pass->awaited),
    };

    art_transfer_wait(landing->queue, landing->number);
    pass->awaited++;
    return slot;
}

void art_stream_release(enum art_stream stream)
{
    struct pass *pass = &passes[stream];

    check(pass->released < pass->awaited);
    pass->released++;
    fill_ring(pass);
}
