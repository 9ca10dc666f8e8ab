#include "fabric.h"

#include "bus.h"
#include "events.h"
#include "hyperbus.h"
#include "l3_image.h"
#include "mailbox.h"
#include "mchan.h"
#include "memory_map.h"
#include "sections.h"

/* A request goes in chunks: between two of them the link turns to what a kernel waits for. One
 * chunk is read from L3 while the one before it moves on. */
enum { CHUNK_BYTES = 1024, CHUNKS = 2, CORE_0 = 1 };
enum { WINDOW_BYTES = CHUNK_BYTES + 2 * HYPERBUS_ALIGN_BYTES };

/* Some bytes of a request; the whole words that hold them in L3 lie in a window in L2. */
struct chunk {
    struct art_transfer part;
    uint8_t queue; /* entry of the mailbox */
    bool is_last;  /* of its request */
    bool is_write; /* to L3 */
};

/* How far the requests of a queue have been cut into chunks. */
struct cursor {
    uint32_t number; /* requests that were cut up */
    uint32_t at_bytes;
};

/* The uDMA reaches L2 only, so what goes to L1 stops there. MCHAN has one end in L1, so what goes
 * to the SRAM stops there, too. */
static uint32_t windows[CHUNKS][WINDOW_BYTES / 4];
static SIRACUSA_L1 uint32_t l1_window[CHUNK_BYTES / 4];

static struct cursor cursors[SIRACUSA_REQUEST_QUEUES];
static struct chunk chunks[CHUNKS]; /* chunk n is entry n % CHUNKS */
static uint32_t started;
static uint32_t landed;

static uint32_t l3_offset(const struct chunk *chunk)
{
    return chunk->is_write ? chunk->part.to_bytes : chunk->part.from_bytes;
}

/* The whole words in L3 that hold a chunk. */
static uint32_t first_word(const struct chunk *chunk)
{
    return l3_offset(chunk) / HYPERBUS_ALIGN_BYTES * HYPERBUS_ALIGN_BYTES;
}

static uint32_t word_bytes(const struct chunk *chunk)
{
    const uint32_t end = l3_offset(chunk) + chunk->part.bytes + HYPERBUS_ALIGN_BYTES - 1;

    return end / HYPERBUS_ALIGN_BYTES * HYPERBUS_ALIGN_BYTES - first_word(chunk);
}

static void copy(uint32_t l1, uint32_t external, uint32_t bytes, bool is_into_l1)
{
    const struct mchan_copy command = {
        .l1 = l1,
        .external = external,
        .bytes = bytes,
        .is_into_l1 = is_into_l1,
    };
    const uint32_t id = 1u << mchan_allocate(MCHAN_PORT_OF_FABRIC);

    mchan_start(MCHAN_PORT_OF_FABRIC, &command);
    while (mchan_busy(MCHAN_PORT_OF_FABRIC, id) != 0) {
    }
    mchan_free(MCHAN_PORT_OF_FABRIC, id);
}

/* The end of a transfer that is on the chip. */
static uint32_t base_of(uint32_t memory)
{
    return memory == ART_MEMORY_L1 ? ART_L1_BASE : ART_SRAM_BASE;
}

static uint32_t window_of(uint32_t number)
{
    return siracusa_address(windows[number % CHUNKS]);
}

/* From the window in L2 to where a chunk belongs. */
static void deliver(const struct chunk *chunk, uint32_t window)
{
    const uint32_t bytes = chunk->part.bytes;
    const uint32_t from = window + l3_offset(chunk) - first_word(chunk);
    const uint32_t to = base_of(chunk->part.to_memory) + chunk->part.to_bytes;

    if (chunk->part.to_memory == ART_MEMORY_L1) {
        copy(to, from, bytes, true);
    } else {
        copy(siracusa_address(l1_window), from, bytes, true);
        copy(siracusa_address(l1_window), to, bytes, false);
    }
}

/* From L1 to the window, into the words that lie in L3. */
static void collect(const struct chunk *chunk, uint32_t window)
{
    const uint32_t bytes = chunk->part.bytes;
    const uint32_t from = base_of(chunk->part.from_memory) + chunk->part.from_bytes;

    if (word_bytes(chunk) != bytes) {
        hyperbus_read(window, first_word(chunk), word_bytes(chunk));
        while (hyperbus_pending() > 0) {
        }
    }
    copy(from, window + l3_offset(chunk) - first_word(chunk), bytes, false);
}

static void finish(const struct chunk *chunk)
{
    if (chunk->is_last) {
        siracusa_mailbox[chunk->queue].done++;
        siracusa_write32(EVENTS_PULL(EVENT_OFF_CHIP), CORE_0);
    }
}

/* The oldest chunk is through the HyperBus when fewer transactions than chunks are left. */
static bool land(void)
{
    const struct chunk *chunk = &chunks[landed % CHUNKS];

    if (started == landed || hyperbus_pending() >= started - landed) {
        return false;
    }
    if (!chunk->is_write) {
        deliver(chunk, window_of(landed));
    }
    landed++;
    finish(chunk);
    return true;
}

/* Cut the next chunk off the oldest request of a queue; false if there is none. */
static bool cut(uint8_t queue, struct chunk *chunk)
{
    struct cursor *cursor = &cursors[queue];

    if (cursor->number == siracusa_mailbox[queue].given) {
        return false;
    }
    const uint32_t number = cursor->number + 1;
    struct art_transfer part = siracusa_mailbox[queue].slots[number % ART_TRANSFER_QUEUE];
    const uint32_t left = part.bytes - cursor->at_bytes;

    part.from_bytes += cursor->at_bytes;
    part.to_bytes += cursor->at_bytes;
    part.bytes = left < CHUNK_BYTES ? left : CHUNK_BYTES;
    *chunk = (struct chunk){
        .part = part,
        .queue = queue,
        .is_last = part.bytes == left,
        .is_write = part.to_memory == ART_MEMORY_L3,
    };
    return true;
}

static void move_on(const struct chunk *chunk)
{
    struct cursor *cursor = &cursors[chunk->queue];

    if (chunk->is_last) {
        cursor->number++;
        cursor->at_bytes = 0;
    } else {
        cursor->at_bytes += chunk->part.bytes;
    }
}

/* What goes to L3 leaves L1 when its chunk starts: everything that has to be in L1 by then is. */
static bool may_start(const struct chunk *chunk)
{
    return started == landed || (started - landed < CHUNKS && chunk->part.bytes > 0 &&
                                 (!chunk->is_write || chunks[landed % CHUNKS].is_write));
}

static bool start(void)
{
    struct chunk chunk;

    if (!(cut(0, &chunk) || cut(1, &chunk)) || !may_start(&chunk)) {
        return false;
    }
    move_on(&chunk);
    if (chunk.part.bytes == 0) { /* alone, as those before it in its queue are done first */
        finish(&chunk);
        return true;
    }
    if (chunk.is_write) {
        collect(&chunk, window_of(started));
        hyperbus_write(window_of(started), first_word(&chunk), word_bytes(&chunk));
    } else {
        hyperbus_read(window_of(started), first_word(&chunk), word_bytes(&chunk));
    }
    chunks[started % CHUNKS] = chunk;
    started++;
    return true;
}

static bool lies_in(uint32_t address, uint32_t base, uint32_t end)
{
    return address >= base && address < end;
}

void siracusa_fc_start(void)
{
    if (!lies_in(siracusa_address(windows), L2_BASE, L2_END) ||
        !lies_in(siracusa_address(l1_window), L1_BASE, L1_END)) {
        art_platform_exit(ART_EXIT_ASSERT);
    }
    hyperbus_start();
    siracusa_l3_load();
}

/* The bus is given its next work before the last work moves on. */
bool siracusa_fc_step(void)
{
    const bool has_started = start();

    return land() || has_started;
}

void siracusa_fc_serve(const volatile uint32_t *is_over)
{
    while (*is_over == 0) {
        (void)siracusa_fc_step();
    }
}
