/* Every access of the drivers to a register of the chip passes through here.
 *
 * With SIRACUSA_RECORDED the accesses go to a bus that somebody else provides: tests answer them
 * with models of the units, and check that the rules of each unit are kept. */
#ifndef ARETUSA_SIRACUSA_BUS_H
#define ARETUSA_SIRACUSA_BUS_H

#include <stdint.h>

#ifdef SIRACUSA_RECORDED

uint32_t siracusa_read32(uint32_t address);
void siracusa_write32(uint32_t address, uint32_t value);
uint32_t siracusa_wait32(uint32_t address);
uint32_t siracusa_address(const volatile void *bytes);

#else

static inline uint32_t siracusa_read32(uint32_t address)
{
    return *(const volatile uint32_t *)(uintptr_t)address;
}

static inline void siracusa_write32(uint32_t address, uint32_t value)
{
    *(volatile uint32_t *)(uintptr_t)address = value;
}

/* Read a register of the event unit that answers when an event has come; the core's clock stands
 * still until then. This is p.elw of the PULP cores, which the assembler need not know. */
static inline uint32_t siracusa_wait32(uint32_t address)
{
    uint32_t value = 0;

    __asm__ volatile(".insn i 0x03, 6, %0, 0(%1)" : "=r"(value) : "r"(address) : "memory");
    return value;
}

/* Where the other masters of the chip find what a pointer points to. */
static inline uint32_t siracusa_address(const volatile void *bytes)
{
    return (uint32_t)(uintptr_t)bytes;
}

#endif

#endif
