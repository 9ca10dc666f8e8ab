/* Every hart starts here in machine mode; the ELF entry is not consulted. */
#include "../calls.h"
#include "memory_map.h"

#define STACK_BYTES 1024

    .section .text.monitor_start, "ax"
    .globl _start
_start:
    csrw mie, zero
    csrr a0, mhartid
    li t0, ART_STACK_COUNT
    bgeu a0, t0, park

    la t0, trap_entry
    csrw mtvec, t0
    call own_stack
    csrw mscratch, sp
    tail monitor_main

park:
    wfi
    j park

/* Sets sp to the end of the monitor's stack of this hart. */
own_stack:
    csrr t0, mhartid
    addi t0, t0, 1
    li t1, STACK_BYTES
    mul t0, t0, t1
    la sp, stacks
    add sp, sp, t0
    ret

/* A call has the registers of a C call, so that only sp, pc and ra are kept here. */
    .balign 4
trap_entry:
    csrrw sp, mscratch, sp
    csrr t0, mcause
    addi t0, t0, -8
    bnez t0, fault
    li t0, CALL_COUNT
    bgeu a7, t0, fault
    addi sp, sp, -16
    sw ra, 12(sp)
    csrr t0, mepc
    addi t0, t0, 4
    csrw mepc, t0
    la t0, calls
    slli a7, a7, 2
    add t0, t0, a7
    lw t0, 0(t0)
    jalr t0
    lw ra, 12(sp)
    addi sp, sp, 16
    csrrw sp, mscratch, sp
    mret

/* Nothing goes on after a fault; one of the monitor may have left any sp and mscratch. */
fault:
    la t0, trap_again
    csrw mtvec, t0
    call own_stack
    csrr a0, mcause
    csrr a1, mepc
    csrr a2, mtval
    tail monitor_trap

    .balign 4
trap_again:
    li t0, 0x00100000
    li t1, 0x002f3333 /* exit code 47, ART_EXIT_TRAP */
    sw t1, 0(t0)
    j park

/* _Noreturn void monitor_enter_program(uint32_t core, uint32_t cores, uint32_t stack_end,
 *                                      uint32_t space);
 * User mode reaches what the page tables say; without an entry of its protection unit it would reach
 * nothing. It may read the instruction counter. */
    .globl monitor_enter_program
monitor_enter_program:
    csrw satp, a3
    sfence.vma
    li t0, -1
    csrw pmpaddr0, t0
    li t0, 0x1f /* all addresses: read, write, execute */
    csrw pmpcfg0, t0
    li t0, 4 /* instret */
    csrw mcounteren, t0
    csrw scounteren, t0
    li t0, 0x1800 /* mstatus.MPP = user */
    csrc mstatus, t0
    li t0, 0x2000 /* mstatus.FS = initial */
    csrs mstatus, t0
    csrw fcsr, zero
    li t0, ART_PROGRAM_BASE
    csrw mepc, t0
    mv sp, a2
    mret

/* uint32_t monitor_semihost(uint32_t operation, const void *arguments); the three instructions are
 * the call's mark and must be uncompressed, in one page. */
    .balign 16
    .globl monitor_semihost
monitor_semihost:
    .option push
    .option norvc
    slli x0, x0, 0x1f
    ebreak
    srai x0, x0, 7
    .option pop
    ret

    .section .rodata.calls, "a"
    .balign 4
calls:
    .word monitor_barrier
    .word monitor_print
    .word monitor_record
    .word monitor_end
    .word monitor_finish

    .section .bss.stacks, "aw", @nobits
    .balign 16
stacks:
    .space STACK_BYTES * ART_STACK_COUNT
