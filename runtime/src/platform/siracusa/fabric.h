/* What the fabric controller does while the cluster runs: it works off the mailbox. */
#ifndef ARETUSA_SIRACUSA_FABRIC_H
#define ARETUSA_SIRACUSA_FABRIC_H

#include <stdbool.h>
#include <stdint.h>

/* Prepare the HyperBus and fill L3, before the cluster starts. */
void siracusa_fc_start(void);

/* Do what can be done without waiting for the bus; false if there was nothing. */
bool siracusa_fc_step(void);

/* Serve the cluster until *is_over is not 0. */
void siracusa_fc_serve(const volatile uint32_t *is_over);

#endif
