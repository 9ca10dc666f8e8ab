#include "mchan.h"

#include "events.h"
#include "queues.h"
#include "sections.h"

/* Of the 16 ids one is left to the fabric controller, so that nobody is ever stopped. */
enum { QUEUE = MCHAN_IDS - MCHAN_IDS_OF_FABRIC, SLOTS = 16, COMMAND_BYTES = 131040 };

_Static_assert((int)QUEUE <= (int)SLOTS && (int)SLOTS == (int)ART_TRANSFER_QUEUE,
               "a slot for each transfer");
_Static_assert((int)COMMAND_BYTES <= (int)MCHAN_BYTES_MAX && COMMAND_BYTES % 32 == 0,
               "whole beats");

struct slot {
    struct art_transfer transfer;
    uint32_t id; /* as a bit; 0 for a transfer of no bytes */
};

/* Only core 0 touches it. Transfer n is in slot n % SLOTS, until it is done. */
static SIRACUSA_L1 struct {
    struct slot slots[SLOTS];
    uint32_t submitted;
    uint32_t done;
    uint32_t last[2]; /* the last transfer out of L1 and into L1 */
} queue;

static bool is_into_l1(const struct art_transfer *transfer)
{
    return transfer->to_memory == ART_MEMORY_L1;
}

static bool overlap(uint32_t one, uint32_t one_bytes, uint32_t other, uint32_t other_bytes)
{
    return one < other + other_bytes && other < one + one_bytes;
}

/* Whether the later one must not overtake the earlier one, which goes the other way. */
static bool depend(const struct art_transfer *later, const struct art_transfer *earlier)
{
    return (later->from_memory == earlier->to_memory &&
            overlap(later->from_bytes, later->bytes, earlier->to_bytes, earlier->bytes)) ||
           (later->to_memory == earlier->from_memory &&
            overlap(later->to_bytes, later->bytes, earlier->from_bytes, earlier->bytes));
}

/* MCHAN runs commands of one direction in order, and the two directions beside each other. */
static __attribute__((noinline)) void await_other_direction(const struct art_transfer *transfer)
{
    for (uint32_t number = queue.last[!is_into_l1(transfer)]; (int32_t)(queue.done - number) < 0;
         number--) {
        const struct art_transfer *earlier = &queue.slots[number % SLOTS].transfer;

        if (is_into_l1(earlier) != is_into_l1(transfer) && depend(transfer, earlier)) {
            siracusa_copies_wait(number);
        }
    }
}

/* Give the commands of a transfer; returns its id as a bit. */
static uint32_t start(const struct art_transfer *transfer, bool is_in)
{
    const uint32_t from = siracusa_windows[transfer->from_memory].base + transfer->from_bytes;
    const uint32_t to = siracusa_windows[transfer->to_memory].base + transfer->to_bytes;
    struct mchan_copy copy = {
        .l1 = is_in ? to : from,
        .external = is_in ? from : to,
        .bytes = transfer->bytes,
        .is_into_l1 = is_in,
    };
    const uint32_t id = mchan_allocate(MCHAN_PORT_OF_CORE);
    uint32_t left = transfer->bytes;

    while (left > MCHAN_BYTES_MAX) {
        copy.bytes = COMMAND_BYTES;
        mchan_start(MCHAN_PORT_OF_CORE, &copy);
        copy.l1 += COMMAND_BYTES;
        copy.external += COMMAND_BYTES;
        left -= COMMAND_BYTES;
        copy.bytes = left;
    }
    mchan_start(MCHAN_PORT_OF_CORE, &copy);
    return 1u << id;
}

uint32_t siracusa_copies_submit(const struct art_transfer *transfer)
{
    const uint32_t number = queue.submitted + 1;
    const bool is_in = is_into_l1(transfer);

    if (is_in == (transfer->from_memory == ART_MEMORY_L1) || !siracusa_is_inside(transfer)) {
        art_platform_exit(ART_EXIT_ASSERT);
    }
    if (number - queue.done > QUEUE) {
        siracusa_copies_wait(number - QUEUE);
    }
    if ((int32_t)(queue.done - queue.last[!is_in]) < 0) {
        await_other_direction(transfer);
    }
    struct slot *slot = &queue.slots[number % SLOTS];

    slot->transfer = *transfer;
    slot->id = transfer->bytes > 0 ? start(transfer, is_in) : 0;
    queue.last[is_in] = number;
    queue.submitted = number;
    return number;
}

void siracusa_copies_wait(uint32_t number)
{
    uint32_t ids = 0;

    if ((int32_t)(queue.done - number) >= 0) {
        return;
    }
    for (uint32_t i = queue.done + 1; i != number + 1; i++) {
        ids |= queue.slots[i % SLOTS].id;
    }
    while (mchan_busy(MCHAN_PORT_OF_CORE, ids) != 0) {
        siracusa_sleep(EVENT_COPY);
    }
    mchan_free(MCHAN_PORT_OF_CORE, ids);
    queue.done = number;
}
