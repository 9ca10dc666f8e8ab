/* N-EUREKA's registers: aretusa/engine.h on the chip. */
#ifndef ARETUSA_SIRACUSA_ENGINE_REGISTERS_H
#define ARETUSA_SIRACUSA_ENGINE_REGISTERS_H

/* Prepare the engine, before the first job. Core 0 of the cluster only. */
void siracusa_engine_start(void);

#endif
