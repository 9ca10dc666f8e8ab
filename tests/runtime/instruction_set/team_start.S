# Each core: a stack of its own, then C.
    .section .start, "ax"
    .globl _start
_start:
    csrr a0, mhartid
    la sp, stacks_end
    slli t0, a0, 16
    sub sp, sp, t0
    j core_main
