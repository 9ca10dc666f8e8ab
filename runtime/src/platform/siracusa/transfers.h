/* aretusa/transfer.h on the chip. */
#ifndef ARETUSA_SIRACUSA_TRANSFERS_H
#define ARETUSA_SIRACUSA_TRANSFERS_H

/* Prepare the queues, before the first transfer. Core 0 of the cluster only. */
void siracusa_transfers_start(void);

#endif
