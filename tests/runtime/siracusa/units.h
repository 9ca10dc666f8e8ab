/* A chip on the host for the drivers: a bus that writes down every access and refuses those that
 * the chip does not allow, and the units behind it, which do their work early or late. */
#ifndef ARETUSA_TEST_UNITS_H
#define ARETUSA_TEST_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#include "aretusa/platform.h"

enum master { CORE_0, FABRIC };

/* When the units work: as soon as they can, only when somebody waits, or now and then. */
enum pace { PACE_EARLY, PACE_LATE, PACE_MIXED };

/* Addresses that the drivers' own variables have on this chip: those of section siracusa_l1, and
 * the others around the mailbox. */
#define DRIVERS_L1 0x10037000u
#define DRIVERS_L2 0x1C1F0000u
#define DRIVERS_L2_REACH 0x8000u

/* End the test: a rule of the chip was broken. */
__attribute__((format(printf, 1, 2))) _Noreturn void refuse(const char *format, ...);

enum pace bus_pace(void);

/* Whether a unit works now, with PACE_MIXED in about one of three cases. */
bool bus_is_time(void);

/* Somebody looks whether a unit is done: it works on now and then only. */
void bus_poll(bool (*work)(void));

/* Bytes behind a run of addresses; refuses what lies in no memory, or in part outside. */
uint8_t *bus_bytes(uint32_t address, uint32_t bytes, const char *what);

/* The bytes of a memory, of L3, too, where the program sees none. */
void *unit_memory(enum art_memory memory);

/* A unit's registers; `offset` counts from its first one. */
uint32_t mchan_unit_read(enum master master, uint32_t offset);
void mchan_unit_write(enum master master, uint32_t offset, uint32_t value);
uint32_t engine_unit_read(uint32_t offset);
void engine_unit_write(uint32_t offset, uint32_t value);
uint32_t udma_unit_read(uint32_t offset);
void udma_unit_write(uint32_t offset, uint32_t value);

/* Do one piece of work; false if there is none. */
bool mchan_unit_work(void);
bool engine_unit_work(void);
bool udma_unit_work(void);

/* What must be true when the program ends. */
void mchan_unit_end(void);
void engine_unit_end(void);

/* Pull a line of core 0. */
void events_pull(uint32_t line);

#endif
