#include "hyperbus.h"

#include "bus.h"
#include "registers.h"

/* Settings of siracusa-soc/pulp-sdk rtos/pulpos/pulp/drivers/hyperbus/hyperbus-v3.c for HyperRAM.
 */
enum {
    ACCESS_CYCLES = 6, /* twice that, as the memory may be busy with a refresh */
    PAGE_OF_1024 = 3,  /* where a transaction is split in two */
    RAM_SELECT = 0,
    PENDING_MASK = 0xFF
};

void hyperbus_start(void)
{
    siracusa_write32(UDMA_CLOCKS, siracusa_read32(UDMA_CLOCKS) | UDMA_HYPERBUS_CLOCK);
    siracusa_write32(HYPERBUS_LATENCY_TWICE, 1);
    siracusa_write32(HYPERBUS_CHIP_SELECT, RAM_SELECT);
    siracusa_write32(HYPERBUS_SELECT_CYCLES_MAX, 0xFFFFFFFFu);
    siracusa_write32(HYPERBUS_LATENCY, ACCESS_CYCLES);
    siracusa_write32(HYPERBUS_PAGE, PAGE_OF_1024);
    siracusa_write32(HYPERBUS_STRIDED, 0);
    siracusa_write32(HYPERBUS_STRIDED_L2, 0);
}

uint32_t hyperbus_pending(void)
{
    return siracusa_read32(HYPERBUS_STATUS) >> 1 & PENDING_MASK;
}

void hyperbus_read(uint32_t l2, uint32_t l3, uint32_t bytes)
{
    siracusa_write32(HYPERBUS_COMMAND, HYPERBUS_COMMAND_READ);
    siracusa_write32(HYPERBUS_ADDRESS, l3);
    siracusa_write32(HYPERBUS_READ_ADDRESS, l2);
    siracusa_write32(HYPERBUS_READ_BYTES, bytes);
    siracusa_write32(HYPERBUS_READ_START, HYPERBUS_START);
}

void hyperbus_write(uint32_t l2, uint32_t l3, uint32_t bytes)
{
    siracusa_write32(HYPERBUS_COMMAND, HYPERBUS_COMMAND_WRITE);
    siracusa_write32(HYPERBUS_ADDRESS, l3);
    siracusa_write32(HYPERBUS_WRITE_ADDRESS, l2);
    siracusa_write32(HYPERBUS_WRITE_BYTES, bytes);
    siracusa_write32(HYPERBUS_WRITE_START, HYPERBUS_START);
}
