/* Sleep of a core of the cluster until a line of the event unit was pulled. */
#ifndef ARETUSA_SIRACUSA_EVENTS_H
#define ARETUSA_SIRACUSA_EVENTS_H

#include "bus.h"
#include "registers.h"

/* The event unit keeps an event that comes before the sleep, and an old one that nobody waited for:
 * look at the unit's state before and after. */
static inline void siracusa_sleep(enum siracusa_event event)
{
    siracusa_write32(EVENTS_MASK_SET, 1u << event);
    (void)siracusa_wait32(EVENTS_WAIT_AND_CLEAR);
    siracusa_write32(EVENTS_MASK_CLEAR, 1u << event);
}

#endif
