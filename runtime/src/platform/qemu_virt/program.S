/* Where the monitor lets a hart begin the program, in user mode, and how the program calls it. */
#include "calls.h"

/* a0 and a1 are the core and the number of cores; sp is the hart's own stack. */
    .section .text.start, "ax"
    .globl virt_start
virt_start:
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    tail virt_program_main

    .macro monitor_call name, number
    .section .text.\name, "ax"
    .globl \name
\name:
    li a7, \number
    ecall
    ret
    .endm

    monitor_call art_platform_barrier, CALL_BARRIER
    monitor_call art_platform_print, CALL_PRINT
    monitor_call art_platform_record, CALL_RECORD
    monitor_call art_platform_exit, CALL_EXIT
    monitor_call virt_finish, CALL_FINISH
