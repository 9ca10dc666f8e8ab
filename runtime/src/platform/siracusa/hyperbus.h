/* The HyperBus: the uDMA's transactions between L2 and the board's HyperRAM, which is L3. Given by
 * the fabric controller alone.
 *
 * Addresses and sizes are multiples of HYPERBUS_ALIGN_BYTES: the uDMA writes whole words. */
#ifndef ARETUSA_SIRACUSA_HYPERBUS_H
#define ARETUSA_SIRACUSA_HYPERBUS_H

#include <stdint.h>

enum { HYPERBUS_ALIGN_BYTES = 4, HYPERBUS_QUEUE = 8 };

/* Prepare the bus, before the first transaction. */
void hyperbus_start(void);

/* Transactions that are not done. They run in order. */
uint32_t hyperbus_pending(void);

/* Queue a transaction; no more than HYPERBUS_QUEUE may be pending. `l2` is an address of the chip,
 * `l3` one of the HyperRAM. */
void hyperbus_read(uint32_t l2, uint32_t l3, uint32_t bytes);
void hyperbus_write(uint32_t l2, uint32_t l3, uint32_t bytes);

#endif
