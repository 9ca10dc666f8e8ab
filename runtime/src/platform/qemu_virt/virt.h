/* QEMU's virt board as the firmware uses it. */
#ifndef ARETUSA_VIRT_H
#define ARETUSA_VIRT_H

#include <stdint.h>

#include "aretusa/platform.h"

/* Devices, from QEMU's hw/riscv/virt.c. */
#define VIRT_FINISHER_BASE 0x00100000u
#define VIRT_FINISHER_BYTES 0x1000u
#define VIRT_CLINT_BASE 0x02000000u
#define VIRT_CLINT_BYTES 0x10000u
#define VIRT_UART_BASE 0x10000000u
#define VIRT_UART_BYTES 0x1000u /* the device has 256 bytes; a page is the finest cheap guard */

/* A hart's software interrupt: the event line that the barrier sleeps on. */
static inline volatile uint32_t *virt_event(uint32_t hart)
{
    return (volatile uint32_t *)(uintptr_t)VIRT_CLINT_BASE + hart;
}

static inline void virt_fence(void)
{
    __asm__ volatile("fence rw, rw" ::: "memory");
}

static inline void virt_wait_for_event(void)
{
    __asm__ volatile("wfi" ::: "memory");
}

/* First byte of a hart's stack; the stack grows down from the next one's first byte. */
uint32_t virt_stack_base(uint32_t hart);

/* Let this hart reach what its program may reach, and nothing else, until reset. */
void virt_guard_install(uint32_t hart);

/* Print the region that an address lies in or near. */
void virt_guard_explain(uint32_t hart, uint32_t address);

/* Console output that any hart may call after a fault. */
void virt_print_text(const char *text);
void virt_print_hex(uint32_t value);
void virt_console_drain(void);

void virt_record_close(void);

/* Written in assembly. */
void virt_pmp_write(const uint32_t *addresses, const uint32_t *configuration);
uint32_t virt_semihost(uint32_t operation, const void *arguments);

/* Entered by start.S. */
_Noreturn void virt_hart_main(uint32_t hart);
_Noreturn void virt_trap(uint32_t cause, uint32_t pc, uint32_t value);

#endif
