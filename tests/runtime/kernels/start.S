# One hart: stack, float unit, trap vector, then C.
    .section .start, "ax"
    .globl _start
_start:
    la sp, stack_top
    la t0, hart_trapped
    csrw mtvec, t0
    li t0, 0x2000
    csrs mstatus, t0
    j hart_main
