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

/* Only core 0 touches it. Transfer n is in slot n % SLOTS, until it is done. */
static SIRACUSA_L1 struct {
    struct art_transfer transfers[SLOTS];
    uint32_t ids[SLOTS]; /* as bits; 0 for a transfer of no bytes */
    uint32_t submitted;
    uint32_t done;
    uint32_t last[2]; /* the last transfer out of L1 and into L1 */
} queue;

static inline bool is_into_l1(const struct art_transfer *transfer)
{
    return transfer->to_memory == ART_MEMORY_L1;
}

static bool overlap(uint32_t one, uint32_t one_bytes, uint32_t other, uint32_t other_bytes)
{
    return one < other + other_bytes && other < one + one_bytes;
}

/* Whether the later one must not overtake the earlier one, which goes the other way: of two
 * transfers that meet outside of L1, or in it. */
static bool depend(const struct art_transfer *later, const struct art_transfer *earlier)
{
    const uint32_t from = later->from_memory;
    const uint32_t to = later->to_memory;

    return (from == earlier->to_memory &&
            overlap(later->from_bytes, art_transfer_reach(later, from), earlier->to_bytes,
                    art_transfer_reach(earlier, from))) ||
           (to == earlier->from_memory &&
            overlap(later->to_bytes, art_transfer_reach(later, to), earlier->from_bytes,
                    art_transfer_reach(earlier, to)));
}

/* MCHAN runs commands of one direction in order, and the two directions beside each other. */
static void await_other_direction(const struct art_transfer *transfer)
{
    for (uint32_t number = queue.last[!is_into_l1(transfer)]; (int32_t)(queue.done - number) < 0;
         number--) {
        const struct art_transfer *earlier = &queue.transfers[number % SLOTS];

        if (is_into_l1(earlier) != is_into_l1(transfer) && depend(transfer, earlier)) {
            siracusa_copies_wait(number);
        }
    }
}

static inline struct mchan_copy copy_of(const struct art_transfer *transfer)
{
    const bool is_in = is_into_l1(transfer);
    const uint32_t from = siracusa_windows[transfer->from_memory].base + transfer->from_bytes;
    const uint32_t to = siracusa_windows[transfer->to_memory].base + transfer->to_bytes;

    return (struct mchan_copy){
        .l1 = is_in ? to : from,
        .external = is_in ? from : to,
        .bytes = transfer->bytes,
        .is_into_l1 = is_in,
    };
}

static inline uint32_t note(const struct art_transfer *transfer, uint32_t id)
{
    const uint32_t number = queue.submitted + 1;

    queue.transfers[number % SLOTS] = *transfer;
    queue.ids[number % SLOTS] = id;
    queue.last[is_into_l1(transfer)] = number;
    queue.submitted = number;
    return number;
}

/* One id for as many commands as it takes. */
static uint32_t start_long(const struct art_transfer *transfer)
{
    struct mchan_copy copy = copy_of(transfer);
    const uint32_t id = mchan_allocate(MCHAN_PORT_OF_CORE);

    for (uint32_t left = transfer->bytes; left > 0; left -= copy.bytes) {
        copy.bytes = left > MCHAN_BYTES_MAX ? COMMAND_BYTES : left;
        mchan_start(MCHAN_PORT_OF_CORE, &copy);
        copy.l1 += copy.bytes;
        copy.external += copy.bytes;
    }
    return 1u << id;
}

/* One command; runs come one after the other in L1. */
static uint32_t start_runs(const struct art_transfer *transfer)
{
    const struct mchan_copy copy = copy_of(transfer);

    if (transfer->bytes > MCHAN_BYTES_MAX) {
        art_platform_exit(ART_EXIT_ASSERT);
    }
    const uint32_t id = mchan_allocate(MCHAN_PORT_OF_CORE);

    mchan_start_strided(MCHAN_PORT_OF_CORE, &copy, transfer->run_bytes, transfer->stride_bytes);
    return 1u << id;
}

static uint32_t start(const struct art_transfer *transfer)
{
    if (transfer->bytes == 0) {
        return 0;
    }
    return transfer->run_bytes > 0 ? start_runs(transfer) : start_long(transfer);
}

/* What is not as simple as most transfers are. Apart, so that those need no stack. */
static __attribute__((noinline)) uint32_t submit_any(const struct art_transfer *transfer)
{
    if (is_into_l1(transfer) == (transfer->from_memory == ART_MEMORY_L1) ||
        !siracusa_is_inside(transfer)) {
        art_platform_exit(ART_EXIT_ASSERT);
    }
    if (queue.submitted - queue.done >= QUEUE) { /* for half at once: a wait takes its time, too */
        siracusa_copies_wait(queue.submitted - QUEUE / 2);
    }
    await_other_direction(transfer);
    return note(transfer, start(transfer));
}

uint32_t siracusa_copies_submit(const struct art_transfer *transfer)
{
    const bool is_in = is_into_l1(transfer);

    if (is_in == (transfer->from_memory == ART_MEMORY_L1) || transfer->run_bytes > 0 ||
        !siracusa_is_inside(transfer) || transfer->bytes - 1 >= MCHAN_BYTES_MAX ||
        queue.submitted - queue.done >= QUEUE || (int32_t)(queue.done - queue.last[!is_in]) < 0) {
        return submit_any(transfer);
    }
    const struct mchan_copy copy = copy_of(transfer);
    const uint32_t id = mchan_allocate(MCHAN_PORT_OF_CORE);

    mchan_start(MCHAN_PORT_OF_CORE, &copy);
    return note(transfer, 1u << id);
}

void siracusa_copies_wait(uint32_t number)
{
    uint32_t ids = 0;

    if ((int32_t)(queue.done - number) >= 0) {
        return;
    }
    for (uint32_t i = queue.done + 1; i != number + 1; i++) {
        ids |= queue.ids[i % SLOTS];
    }
    while (mchan_busy(MCHAN_PORT_OF_CORE, ids) != 0) {
        siracusa_sleep(EVENT_COPY);
    }
    mchan_free(MCHAN_PORT_OF_CORE, ids);
    queue.done = number;
}
