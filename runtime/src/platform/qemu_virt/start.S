/* Every hart starts here; the ELF entry is not consulted. */
#include "memory_map.h"

    .section .text.start, "ax"
    .globl _start
_start:
    csrw mie, zero
    csrr a0, mhartid
    li t0, ART_STACK_COUNT
    bgeu a0, t0, park

    la t0, trap_entry
    csrw mtvec, t0
    li t0, 0x2000 /* mstatus.FS = initial */
    csrs mstatus, t0
    csrw fcsr, zero

    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop

    addi t1, a0, 1
    li t0, ART_STACK_BYTES
    mul t0, t0, t1
    li sp, ART_STACK_BASE
    add sp, sp, t0

    slli t1, t1, 10
    la t0, trap_stacks
    add t0, t0, t1
    csrw mscratch, t0
    tail virt_hart_main

park:
    wfi
    j park

/* The hart's own stack may be what is broken, so a trap has another. A trap while one is handled ends
 * the machine without a word. */
    .balign 4
trap_entry:
    csrrw sp, mscratch, sp
    la t0, trap_again
    csrw mtvec, t0
    csrr a0, mcause
    csrr a1, mepc
    csrr a2, mtval
    tail virt_trap

    .balign 4
trap_again:
    li t0, 0x00100000
    li t1, 0x002f3333 /* exit code 47, ART_EXIT_TRAP */
    sw t1, 0(t0)
    j park

/* void virt_pmp_write(const uint32_t *addresses, const uint32_t *configuration); 16 and 4 words.
 * Entry 15 denies the rest, so its word comes last. */
    .globl virt_pmp_write
virt_pmp_write:
    .set index, 0
    .rept 16
    lw t0, index * 4(a0)
    csrw 0x3b0 + index, t0
    .set index, index + 1
    .endr
    .set index, 0
    .rept 4
    lw t0, index * 4(a1)
    csrw 0x3a0 + index, t0
    .set index, index + 1
    .endr
    ret

/* uint32_t virt_semihost(uint32_t operation, const void *arguments); the three instructions are the
 * call's mark and must be uncompressed, in one page. */
    .balign 16
    .globl virt_semihost
virt_semihost:
    .option push
    .option norvc
    slli x0, x0, 0x1f
    ebreak
    srai x0, x0, 7
    .option pop
    ret

    .section .bss.trap_stacks, "aw", @nobits
    .balign 16
trap_stacks:
    .space 1024 * ART_STACK_COUNT
