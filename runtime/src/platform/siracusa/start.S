/* The first instructions of the fabric controller and of each core of the cluster. */
#include "chip.h"
#include "memory_map.h"

#define FABRIC_STACK_BYTES 2048
#define ONE 0x3f800000
#define TWO 0x40000000

    .section .text.start, "ax"
    .globl siracusa_start
siracusa_start:
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    la t0, traps
    csrw mtvec, t0
    csrr t0, mhartid
    andi a0, t0, 31
    srli t0, t0, 5
    bnez t0, fabric /* the cluster's number is 0 */

    li t0, ART_STACK_BYTES
    mul t0, t0, a0
    li sp, ART_STACK_BASE + ART_STACK_BYTES * ART_STACK_COUNT
    sub sp, sp, t0
    bnez a0, 1f
    li t0, 0x2000 /* mstatus.FS = initial, for cores with registers for floats */
    csrs mstatus, t0
    csrw fcsr, zero
    mv s0, a0
    /* f10 = f11 + f12, which is a0 = a1 + a2 where floats share the integer registers. */
    li a0, ONE
    li a1, ONE
    li a2, ONE
    .insn r 0x53, 7, 0, x10, x11, x12
#ifdef __riscv_zfinx
    li t0, TWO
#else
    li t0, ONE
#endif
    bne a0, t0, wrong_floats
    mv a0, s0
1:
    tail siracusa_core_main

/* A loader need not clear what a program wants cleared. */
fabric:
    la t0, art_bss_start
    la t1, art_bss_end
    la t2, art_l1_state_start
    la t3, art_l1_state_end
1:  bgeu t0, t1, 2f
    sw zero, 0(t0)
    addi t0, t0, 4
    j 1b
2:  bgeu t2, t3, 3f
    sw zero, 0(t2)
    addi t2, t2, 4
    j 2b
3:  la sp, fabric_stack + FABRIC_STACK_BYTES
    tail siracusa_fabric_main

wrong_floats:
    li a0, 18 /* ART_EXIT_FLOATS */
    tail art_platform_exit

    .balign 256
traps:
    .rept 32
    j trap
    .endr

/* Nothing goes on after a trap, so that any stack will do. */
    .balign 4
trap:
    csrr a0, mcause
    csrr a1, mepc
    csrr a2, mtval
    la sp, trap_stack + FABRIC_STACK_BYTES
    tail siracusa_trap

/* uint32_t siracusa_call_host(uint32_t operation, const void *arguments); the three instructions
 * are the call's mark and must be uncompressed. */
    .section .text.siracusa_call_host, "ax"
    .balign 16
    .globl siracusa_call_host
siracusa_call_host:
    .option push
    .option norvc
    slli x0, x0, 0x1f
    ebreak
    srai x0, x0, 7
    .option pop
    ret

    .section .bss.stacks, "aw", @nobits
    .balign 16
fabric_stack:
    .space FABRIC_STACK_BYTES
trap_stack:
    .space FABRIC_STACK_BYTES
