#include "events.h"
#include "mailbox.h"
#include "queues.h"

struct siracusa_requests siracusa_mailbox[SIRACUSA_REQUEST_QUEUES];

/* The fabric controller moves bytes between L3 and L1, and from L3 to the SRAM. */
static bool is_possible(const struct art_transfer *transfer)
{
    const bool is_from =
        transfer->from_memory == ART_MEMORY_L3 &&
        (transfer->to_memory == ART_MEMORY_L1 || transfer->to_memory == ART_MEMORY_SRAM);
    const bool is_to =
        transfer->from_memory == ART_MEMORY_L1 && transfer->to_memory == ART_MEMORY_L3;

    return (is_from || is_to) && transfer->run_bytes == 0 && siracusa_is_inside(transfer);
}

uint32_t siracusa_requests_submit(enum art_queue queue, const struct art_transfer *transfer)
{
    struct siracusa_requests *requests = &siracusa_mailbox[queue - ART_QUEUE_OFF_CHIP];
    const uint32_t number = requests->given + 1;

    if (!is_possible(transfer)) {
        art_platform_exit(ART_EXIT_ASSERT);
    }
    siracusa_requests_wait(queue, number - ART_TRANSFER_QUEUE);
    requests->slots[number % ART_TRANSFER_QUEUE] = *transfer;
    requests->given = number;
    return number;
}

void siracusa_requests_wait(enum art_queue queue, uint32_t number)
{
    const struct siracusa_requests *requests = &siracusa_mailbox[queue - ART_QUEUE_OFF_CHIP];

    while ((int32_t)(requests->done - number) < 0) {
        siracusa_sleep(EVENT_OFF_CHIP);
    }
}
