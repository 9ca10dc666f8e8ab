/* Start, host calls and end of the program on the chip: what is no driver of a unit. */
#ifndef ARETUSA_SIRACUSA_CHIP_H
#define ARETUSA_SIRACUSA_CHIP_H

/* Read by assembly, too. Sources: gvsoc/gvsoc-pulp pulp/chips/siracusa; siracusa-soc/pulp-sdk
 * branch meta_neureka, rtos/pulpos/pulp_archi/include/archi. */
#define CHIP_STATUS 0x1A1040A0 /* SoC control: bit 31 and an exit code */
#define CHIP_FABRIC_CACHE 0x1A108800
#define CLUSTER_START 0x10200008 /* a bit for each core */
#define CLUSTER_ENTRY(core) (0x10200040u + 4u * (core))
#define CLUSTER_TIMER 0x10200400      /* configuration; the count is at + 8 and + 12 */
#define CLUSTER_CACHE 0x10201400      /* a bit for each core */
#define BARRIER 0x10204200            /* the first of the event unit's */
#define BARRIER_CORES (BARRIER + 0x0) /* who has to arrive */
#define BARRIER_WAKES (BARRIER + 0xC) /* who is woken */
#define BARRIER_ARRIVE_AND_WAIT (BARRIER + 0x1C)
#define BARRIER_EVENT 16

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stdint.h>

#include "aretusa/platform.h"

/* Let time pass: nothing is left to do. */
#ifdef SIRACUSA_RECORDED
_Noreturn void siracusa_idle(void);
#else
static inline void siracusa_idle(void)
{
    __asm__ volatile("wfi");
}
#endif

/* The window of the request, ART_REQUEST of the size that request.S gives it. */
extern const uint8_t siracusa_request[];
extern const uint8_t siracusa_request_end[];

/* As the request says; one core is enough to report that the request is impossible. */
uint32_t siracusa_cores_of_request(void);

/* A call of the debugger or the virtual platform: RISC-V semihosting. Written in assembly. */
uint32_t siracusa_call_host(uint32_t operation, const void *arguments);

void siracusa_print_text(const char *text);
void siracusa_print_hex(uint32_t value);
void siracusa_record_close(void);

/* Entered by start.S, each on a stack of its own. */
void siracusa_start(void);
_Noreturn void siracusa_fabric_main(void);
_Noreturn void siracusa_core_main(uint32_t core);
_Noreturn void siracusa_trap(uint32_t cause, uint32_t pc, uint32_t value);

#endif

#endif
