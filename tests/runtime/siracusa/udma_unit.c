#include <inttypes.h>
#include <string.h>

#include "aretusa/platform.h"
#include "memory_map.h"
#include "platform/siracusa/hyperbus.h"
#include "platform/siracusa/registers.h"
#include "units.h"

enum { TURNS = 3 /* of a transaction: the link is slow */ };
enum { REGISTERS = 256, COMMAND_READ = 5, COMMAND_WRITE = 1, START = 0x10 };

struct transaction {
    uint32_t l2;
    uint32_t l3;
    uint32_t bytes;
    bool is_read;
};

static uint32_t registers[REGISTERS];
static struct transaction queue[HYPERBUS_QUEUE];
static uint32_t given;
static uint32_t done;
static uint32_t worked;

static uint32_t value_of(uint32_t address)
{
    return registers[(address - UDMA_BASE) / 4];
}

static void check(const struct transaction *transaction)
{
    const uint32_t all = transaction->l2 | transaction->l3 | transaction->bytes;

    if (all % HYPERBUS_ALIGN_BYTES != 0 || transaction->bytes == 0) {
        refuse("a HyperBus transaction of %" PRIu32 " bytes is not of whole words",
               transaction->bytes);
    }
    if (transaction->l3 > ART_L3_BYTES || transaction->bytes > ART_L3_BYTES - transaction->l3) {
        refuse("a HyperBus transaction ends behind L3: %" PRIu32 " bytes at %" PRIx32,
               transaction->bytes, transaction->l3);
    }
    if (transaction->l2 < 0x1C000000u || transaction->l2 >= 0x1C200000u) {
        refuse("the uDMA does not reach %08" PRIx32, transaction->l2);
    }
    (void)bus_bytes(transaction->l2, transaction->bytes, "a HyperBus transaction");
    if (given - done >= HYPERBUS_QUEUE) {
        refuse("more than %d HyperBus transactions", HYPERBUS_QUEUE);
    }
}

static void start(bool is_read, uint32_t value)
{
    const struct transaction transaction = {
        .l2 = value_of(is_read ? HYPERBUS_READ_ADDRESS : HYPERBUS_WRITE_ADDRESS),
        .l3 = value_of(HYPERBUS_ADDRESS),
        .bytes = value_of(is_read ? HYPERBUS_READ_BYTES : HYPERBUS_WRITE_BYTES),
        .is_read = is_read,
    };

    if (value != START || value_of(HYPERBUS_COMMAND) != (is_read ? COMMAND_READ : COMMAND_WRITE)) {
        refuse("a HyperBus transaction with command %" PRIx32 " and start %" PRIx32,
               value_of(HYPERBUS_COMMAND), value);
    }
    if (value_of(HYPERBUS_LATENCY) == 0 || value_of(HYPERBUS_SELECT_CYCLES_MAX) == 0) {
        refuse("a HyperBus transaction before the bus is set up");
    }
    check(&transaction);
    queue[given % HYPERBUS_QUEUE] = transaction;
    given++;
}

uint32_t udma_unit_read(uint32_t offset)
{
    const uint32_t address = UDMA_BASE + offset;

    if (address == HYPERBUS_STATUS) {
        const uint32_t pending = given - done;

        bus_poll(udma_unit_work);
        return pending << 1 | (pending > 0);
    }
    if (address == HYPERBUS_READ_START || address == HYPERBUS_WRITE_START) {
        refuse("a read of %08" PRIx32 " starts a transaction again", address);
    }
    return value_of(address);
}

void udma_unit_write(uint32_t offset, uint32_t value)
{
    const uint32_t address = UDMA_BASE + offset;

    if (address != UDMA_CLOCKS && (value_of(UDMA_CLOCKS) & UDMA_HYPERBUS_CLOCK) == 0) {
        refuse("a write to %08" PRIx32 " of the HyperBus, whose clock stands still", address);
    }
    registers[offset / 4] = value;
    if (address == HYPERBUS_READ_START) {
        start(true, value);
    } else if (address == HYPERBUS_WRITE_START) {
        start(false, value);
    }
}

bool udma_unit_work(void)
{
    if (done == given) {
        return false;
    }
    worked++;
    if (bus_pace() == PACE_LATE && worked % TURNS != 0) {
        return true;
    }
    const struct transaction *transaction = &queue[done % HYPERBUS_QUEUE];
    uint8_t *outside = (uint8_t *)unit_memory(ART_MEMORY_L3) + transaction->l3;
    uint8_t *inside = bus_bytes(transaction->l2, transaction->bytes, "a HyperBus transaction");

    memcpy(transaction->is_read ? inside : outside, transaction->is_read ? outside : inside,
           transaction->bytes);
    done++;
    return true;
}
