/* The monitor: machine mode of QEMU's virt board. It builds the address spaces of the harts, starts
 * the program in user mode and answers its calls. It lies in the board's RAM, where no address of
 * the program leads, and shares no code with the program. */
#ifndef ARETUSA_VIRT_H
#define ARETUSA_VIRT_H

#include <stdint.h>

#include "aretusa/platform.h"

/* Devices, from QEMU's hw/riscv/virt.c. */
#define VIRT_FINISHER_BASE 0x00100000u
#define VIRT_CLINT_BASE 0x02000000u
#define VIRT_UART_BASE 0x10000000u

enum { MONITOR_PAGE_BYTES = 4096 };

enum monitor_right { RIGHT_READ = 2, RIGHT_WRITE = 4, RIGHT_EXECUTE = 8 }; /* as in a page table */

/* What the program may touch: whole pages at the chip's addresses, kept in the board's RAM. */
struct monitor_region {
    const char *name;
    uint32_t base;
    uint32_t bytes; /* 0 for a region that the build does not have */
    uint32_t ram;
    uint32_t rights;
};

/* A hart's software interrupt: the event line that the barrier sleeps on. */
static inline volatile uint32_t *monitor_event(uint32_t hart)
{
    return (volatile uint32_t *)(uintptr_t)VIRT_CLINT_BASE + hart;
}

static inline void monitor_fence(void)
{
    __asm__ volatile("fence rw, rw" ::: "memory");
}

static inline void monitor_sleep(void)
{
    __asm__ volatile("wfi" ::: "memory");
}

static inline uint32_t monitor_hart(void)
{
    uint32_t hart = 0;

    __asm__("csrr %0, mhartid" : "=r"(hart));
    return hart;
}

/* The regions that all harts share: 0 .. monitor_region_count() - 1. */
uint32_t monitor_region_count(void);
struct monitor_region monitor_shared_region(uint32_t index);

/* The one region that a hart has to itself; it grows down to its first byte. */
struct monitor_region monitor_stack(uint32_t hart);

/* Where the program's bytes lie in RAM; traps as the access itself would if not all of them may be
 * read by this hart. */
const void *monitor_readable(const void *address, uint32_t bytes);

/* Print every region that an address lies in or near. */
void monitor_explain(uint32_t hart, uint32_t address);

/* Build an address space for each hart. Hart 0 only, once. */
void monitor_build_spaces(uint32_t harts);

/* The word that switches a hart to its address space. */
uint32_t monitor_space(uint32_t hart);

/* Console output that any hart may call after a fault. */
void monitor_print_text(const char *text);
void monitor_print_hex(uint32_t value);
void monitor_console_drain(void);

void monitor_record_close(void);
_Noreturn void monitor_end(enum art_exit code);

/* The program's calls, entered by start.S in the order of calls.h. */
void monitor_barrier(void);
void monitor_print(const char *bytes, uint32_t count);
void monitor_record(const void *bytes, uint32_t count);
_Noreturn void monitor_finish(enum art_exit code);

/* Written in assembly. */
_Noreturn void monitor_enter_program(uint32_t core, uint32_t cores, uint32_t stack_end,
                                     uint32_t space);
uint32_t monitor_semihost(uint32_t operation, const void *arguments);

/* Entered by start.S. */
_Noreturn void monitor_main(uint32_t hart);
_Noreturn void monitor_trap(uint32_t cause, uint32_t pc, uint32_t value);

#endif
