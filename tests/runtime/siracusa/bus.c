#include "platform/siracusa/bus.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aretusa/platform.h"
#include "memory_map.h"
#include "platform/siracusa/engine_registers.h"
#include "platform/siracusa/fabric.h"
#include "platform/siracusa/mailbox.h"
#include "platform/siracusa/registers.h"
#include "platform/siracusa/transfers.h"
#include "units.h"

enum { IDLE_ROUNDS = 1000, RULE_BROKEN = 99, POLLS = 3 };

#define UNIT_BYTES 0x400u
#define UDMA_BYTES 0x400u
#define CONTROL_BASE 0x10200000u
#define PULL_BASE 0x10200E00u

extern uint8_t __start_siracusa_l1[];
extern uint8_t __stop_siracusa_l1[];

static struct {
    FILE *log;
    enum master master;
    uint32_t random;
    uint32_t polls;
    uint32_t events;
    uint32_t mask;
    uint32_t shared_memory;
    bool has_fabric;
    bool is_started;
} bus = {.random = 0x2545F491u};

void refuse(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fprintf(stderr, "%s: ", bus.master == CORE_0 ? "core 0" : "fabric controller");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    fflush(stderr);
    _Exit(RULE_BROKEN);
}

enum pace bus_pace(void)
{
    const char *pace = getenv("BUS_PACE");

    return pace == NULL                 ? PACE_MIXED
           : strcmp(pace, "early") == 0 ? PACE_EARLY
           : strcmp(pace, "late") == 0  ? PACE_LATE
                                        : PACE_MIXED;
}

bool bus_is_time(void)
{
    bus.random ^= bus.random << 13;
    bus.random ^= bus.random >> 17;
    bus.random ^= bus.random << 5;
    return bus_pace() == PACE_EARLY || (bus_pace() == PACE_MIXED && bus.random % 3 == 0);
}

void bus_poll(bool (*unit)(void))
{
    bus.polls++;
    if (bus_pace() == PACE_EARLY || bus.polls % POLLS == 0) {
        (void)unit();
    }
}

static bool work(void)
{
    bool has_worked = mchan_unit_work();

    has_worked = engine_unit_work() || has_worked;
    return udma_unit_work() || has_worked;
}

/* The fabric controller runs in between; what it does itself does not call it again. */
static bool run_fabric(void)
{
    if (!bus.has_fabric) {
        bus.has_fabric = true;
        bus.master = FABRIC;
        siracusa_fc_start();
    }
    bus.master = FABRIC;
    const bool has_worked = siracusa_fc_step();
    bus.master = CORE_0;
    return has_worked;
}

static void let_work(void)
{
    if (bus_is_time()) {
        (void)work();
    }
    if (bus.is_started && bus.master == CORE_0 && bus_is_time()) {
        (void)run_fabric();
    }
}

static void record(const char *what, uint32_t address, uint32_t value)
{
    const char *path = getenv("BUS_LOG");

    if (path == NULL) {
        return;
    }
    if (bus.log == NULL) {
        bus.log = fopen(path, "w");
    }
    fprintf(bus.log, "%s %s %08" PRIx32 " %08" PRIx32 "\n",
            bus.master == CORE_0 ? "core" : "fabric", what, address, value);
}

static void only(enum master master, const char *unit)
{
    if (bus.master != master) {
        refuse("%s is not within reach", unit);
    }
}

static bool is_at(uint32_t address, uint32_t base, uint32_t bytes)
{
    return address >= base && address - base < bytes;
}

static uint32_t read_unit(uint32_t address)
{
    if (is_at(address, MCHAN_PORT_OF_CORE, UNIT_BYTES)) {
        only(CORE_0, "MCHAN's port of a core");
        return mchan_unit_read(CORE_0, address - MCHAN_PORT_OF_CORE);
    }
    if (is_at(address, MCHAN_PORT_OF_FABRIC, UNIT_BYTES)) {
        only(FABRIC, "MCHAN's port of the fabric controller");
        return mchan_unit_read(FABRIC, address - MCHAN_PORT_OF_FABRIC);
    }
    if (is_at(address, ENGINE_BASE, UNIT_BYTES)) {
        only(CORE_0, "N-EUREKA");
        return engine_unit_read(address - ENGINE_BASE);
    }
    if (is_at(address, UDMA_BASE, UDMA_BYTES)) {
        only(FABRIC, "the uDMA");
        return udma_unit_read(address - UDMA_BASE);
    }
    if (address == CLUSTER_SHARED_MEMORY) {
        return bus.shared_memory;
    }
    refuse("a read of %08" PRIx32 ", where no register is", address);
}

static void write_event(uint32_t address, uint32_t value)
{
    if (is_at(address, PULL_BASE, 8 * 4)) {
        if ((value & 1) != 0) {
            events_pull((address - PULL_BASE) / 4);
        }
    } else if (address == EVENTS_MASK_SET) {
        only(CORE_0, "the event unit of a core");
        bus.mask |= value;
    } else if (address == EVENTS_MASK_CLEAR) {
        only(CORE_0, "the event unit of a core");
        bus.mask &= ~value;
    } else if (address == CLUSTER_SHARED_MEMORY) {
        bus.shared_memory = value;
    } else {
        refuse("a write to %08" PRIx32 ", where no register is", address);
    }
}

static void write_unit(uint32_t address, uint32_t value)
{
    if (is_at(address, MCHAN_PORT_OF_CORE, UNIT_BYTES)) {
        only(CORE_0, "MCHAN's port of a core");
        mchan_unit_write(CORE_0, address - MCHAN_PORT_OF_CORE, value);
    } else if (is_at(address, MCHAN_PORT_OF_FABRIC, UNIT_BYTES)) {
        only(FABRIC, "MCHAN's port of the fabric controller");
        mchan_unit_write(FABRIC, address - MCHAN_PORT_OF_FABRIC, value);
    } else if (is_at(address, ENGINE_BASE, UNIT_BYTES)) {
        only(CORE_0, "N-EUREKA");
        engine_unit_write(address - ENGINE_BASE, value);
    } else if (is_at(address, UDMA_BASE, UDMA_BYTES)) {
        only(FABRIC, "the uDMA");
        udma_unit_write(address - UDMA_BASE, value);
    } else {
        write_event(address, value);
    }
}

uint32_t siracusa_read32(uint32_t address)
{
    let_work();
    const uint32_t value = read_unit(address);

    record("reads", address, value);
    return value;
}

void siracusa_write32(uint32_t address, uint32_t value)
{
    let_work();
    record("writes", address, value);
    write_unit(address, value);
}

void events_pull(uint32_t line)
{
    bus.events |= 1u << line;
}

/* The core sleeps until something has happened, so that everything that can happen does. */
uint32_t siracusa_wait32(uint32_t address)
{
    only(CORE_0, "the event unit of a core");
    if (address != EVENTS_WAIT_AND_CLEAR) {
        refuse("a sleep at %08" PRIx32 ", where no event unit is", address);
    }
    for (uint32_t idle = 0; (bus.events & bus.mask) == 0; idle++) {
        const bool has_worked = work();

        if (run_fabric() || has_worked) {
            idle = 0;
        }
        if (idle > IDLE_ROUNDS) {
            refuse("a sleep for lines %" PRIx32 ", which nobody pulls", bus.mask);
        }
    }
    const uint32_t value = bus.events & bus.mask;

    bus.events &= ~bus.mask;
    record("sleeps", address, value);
    return value;
}

uint32_t siracusa_address(const volatile void *bytes)
{
    const uint8_t *at = (const uint8_t *)(uintptr_t)bytes;

    if (at >= __start_siracusa_l1 && at < __stop_siracusa_l1) {
        return DRIVERS_L1 + (uint32_t)(at - __start_siracusa_l1);
    }
    return DRIVERS_L2 + (uint32_t)(at - (const uint8_t *)siracusa_mailbox);
}

static const struct {
    uint32_t base;
    uint32_t bytes;
} places[ART_MEMORY_COUNT] = {
    [ART_MEMORY_L1] = {ART_L1_BASE, ART_L1_BYTES},
    [ART_MEMORY_L2] = {ART_L2_BASE, ART_L2_BYTES},
    [ART_MEMORY_SRAM] = {ART_SRAM_BASE, ART_SRAM_BYTES},
    [ART_MEMORY_MRAM] = {ART_MRAM_BASE, ART_MRAM_BYTES},
};

uint8_t *bus_bytes(uint32_t address, uint32_t bytes, const char *what)
{
    for (uint32_t i = 0; i < ART_MEMORY_L3; i++) {
        if (is_at(address, places[i].base, places[i].bytes)) {
            if (bytes > places[i].bytes - (address - places[i].base)) {
                break;
            }
            return (uint8_t *)unit_memory((enum art_memory)i) + (address - places[i].base);
        }
    }
    const uint32_t l1_bytes = (uint32_t)(__stop_siracusa_l1 - __start_siracusa_l1);

    if (is_at(address, DRIVERS_L1, l1_bytes) && bytes <= l1_bytes - (address - DRIVERS_L1)) {
        return __start_siracusa_l1 + (address - DRIVERS_L1);
    }
    if (is_at(address, DRIVERS_L2 - DRIVERS_L2_REACH, 2 * DRIVERS_L2_REACH)) {
        return (uint8_t *)siracusa_mailbox + (int32_t)(address - DRIVERS_L2);
    }
    refuse("%s of %" PRIu32 " bytes at %08" PRIx32 " is outside of every memory", what, bytes,
           address);
}

static __attribute__((constructor)) void start(void)
{
    siracusa_transfers_start();
    siracusa_engine_start();
    bus.is_started = true; /* The fabric controller starts when the program asks for something. */
}

static __attribute__((destructor)) void end(void)
{
    mchan_unit_end();
    engine_unit_end();
    if (bus.log != NULL) {
        fclose(bus.log);
    }
}
