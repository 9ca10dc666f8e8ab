/* What the cluster asks of the fabric controller: transfers from and to L3, which only the uDMA
 * reaches. Core 0 of the cluster writes requests and `given`, the fabric controller `done`. */
#ifndef ARETUSA_SIRACUSA_MAILBOX_H
#define ARETUSA_SIRACUSA_MAILBOX_H

#include "aretusa/transfer.h"

/* A queue of requests, as in aretusa/transfer.h: request n is in slot n % ART_TRANSFER_QUEUE. */
struct siracusa_requests {
    volatile struct art_transfer slots[ART_TRANSFER_QUEUE];
    volatile uint32_t given;
    volatile uint32_t done;
};

/* The queues in the order in which the fabric controller looks at them. */
enum { SIRACUSA_REQUEST_QUEUES = ART_QUEUE_COUNT - ART_QUEUE_OFF_CHIP };

/* Entry 0 is ART_QUEUE_OFF_CHIP, entry 1 ART_QUEUE_PAGES. Lies in L2. */
extern struct siracusa_requests siracusa_mailbox[SIRACUSA_REQUEST_QUEUES];

#endif
