#include "aretusa/stream.h"

#include <stddef.h>

#include "aretusa/transfer.h"

/* The last transfer of what is on its way to a slot. */
struct landing {
    enum art_queue queue;
    uint32_t number;
};

/* A pass over a plan. The tables of a plan may be far from core 0: what it needs of a matrix is
 * kept here while the tiles of that matrix are given. */
struct pass {
    struct art_ring ring;
    const struct art_stream_plan *plan;
    uint32_t layer; /* the cursor: what is entered next */
    uint32_t load;
    uint32_t rows; /* of the weight that is entered, and how many of them are given */
    uint32_t row;
    uint32_t load_rows;                    /* that one slot takes */
    const struct art_engine_place *engine; /* the weight; null if it is the matrix */
    struct art_matrix_place matrix;
    uint32_t from[ART_PART_COUNT]; /* where the rest of each part starts in the matrix's memory */
    struct art_matrix_layout tile; /* of tile_rows rows */
    uint32_t tile_rows;
    uint32_t given;
    uint32_t awaited;
    uint32_t released;
    uint32_t give_slot; /* given and awaited loads go through the slots in turns */
    uint32_t await_slot;
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

static void enter_matrix(struct pass *pass, const struct art_matrix_place *matrix)
{
    pass->matrix = *matrix;
    pass->rows = pass->matrix.rows;
    pass->tile_rows = 0;

    const struct art_matrix_layout whole = art_matrix_layout(&pass->matrix, pass->rows);

    for (uint32_t part = 0; part < ART_PART_COUNT; part++) {
        pass->from[part] = pass->matrix.offset_bytes + whole.offset[part];
    }
}

/* The weight of a load in a row of its table; one that is not streamed has no rows here. */
static void enter(struct pass *pass, const struct art_load *load, uint32_t table_row)
{
    pass->row = 0;
    pass->load_rows = load->rows;
    pass->engine = NULL;
    if (load->matrices) {
        enter_matrix(pass, &load->matrices[table_row]);
    } else {
        pass->engine = &load->engines[table_row];
        pass->rows = pass->engine->memory == ART_MEMORY_L3 ? pass->engine->rows : 0;
    }
}

/* Move the cursor to rows that are streamed; false behind the last ones. */
static bool find_rows(struct pass *pass)
{
    while (pass->row == pass->rows) {
        if (pass->layer == pass->plan->layer_count) {
            return false;
        }
        const struct art_layer *layer = &pass->plan->layers[pass->layer];
        const struct art_load_list *list = &pass->plan->kinds[layer->kind];

        if (pass->load == list->count) {
            pass->layer++;
            pass->load = 0;
        } else {
            enter(pass, &list->loads[pass->load], layer->row);
            pass->load++;
        }
    }
    return true;
}

static uint32_t slot_offset(const struct pass *pass, uint32_t slot)
{
    return pass->ring.offset_bytes + slot * pass->ring.slot_bytes;
}

static uint32_t slot_after(const struct pass *pass, uint32_t slot)
{
    return slot + 1 == pass->ring.slots ? 0 : slot + 1;
}

/* Give one transfer to the slot of the load that is being given, `at` bytes into the slot. */
static void give_part(struct pass *pass, struct art_transfer part, uint32_t at)
{
    struct landing *landing = &pass->landings[pass->give_slot];

    check(at <= pass->ring.slot_bytes && part.bytes <= pass->ring.slot_bytes - at);
    part.to_memory = pass->ring.memory;
    part.to_bytes = slot_offset(pass, pass->give_slot) + at;
    landing->queue =
        pass == &passes[ART_STREAM_PAGES] ? ART_QUEUE_PAGES : art_transfer_queue(&part);
    landing->number = art_transfer_submit(landing->queue, &part);
}

/* The next rows of the matrix: a multiple of ART_BLOCK_ROWS, or the last ones. */
static void give_tile(struct pass *pass, uint32_t rows)
{
    if (rows != pass->tile_rows) {
        pass->tile = art_matrix_layout(&pass->matrix, rows);
        pass->tile_rows = rows;
    }
    for (uint32_t part = 0; part < ART_PART_COUNT; part++) {
        if (pass->tile.bytes[part] > 0) {
            const struct art_transfer transfer = {
                .from_memory = pass->matrix.memory,
                .from_bytes = pass->from[part],
                .bytes = pass->tile.bytes[part],
            };
            give_part(pass, transfer, pass->tile.offset[part]);
            pass->from[part] += pass->tile.bytes[part];
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
    while (pass->given - pass->released < pass->ring.slots && find_rows(pass)) {
        const uint32_t rows = least(pass->load_rows, pass->rows - pass->row);

        check(rows > 0);
        if (pass->engine) {
            give_page(pass, pass->engine, pass->row, rows);
        } else {
            give_tile(pass, rows);
        }
        pass->row += rows;
        pass->given++;
        pass->give_slot = slot_after(pass, pass->give_slot);
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
    pass->rows = 0;
    pass->row = 0;
    pass->given = 0;
    pass->awaited = 0;
    pass->released = 0;
    pass->give_slot = 0;
    pass->await_slot = 0;
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

    const struct landing *landing = &pass->landings[pass->await_slot];
    const struct art_place slot = {
        .memory = pass->ring.memory,
        .offset_bytes = slot_offset(pass, pass->await_slot),
    };

    art_transfer_wait(landing->queue, landing->number);
    pass->awaited++;
    pass->await_slot = slot_after(pass, pass->await_slot);
    return slot;
}

void art_stream_release(enum art_stream stream)
{
    struct pass *pass = &passes[stream];

    check(pass->released < pass->awaited);
    pass->released++;
    fill_ring(pass);
}
