/* No trap is expected: report it and end the machine. */
#include "chip.h"

static uint32_t hart_of_core(void)
{
    uint32_t hart = 0;

    __asm__("csrr %0, mhartid" : "=r"(hart));
    return hart;
}

_Noreturn void siracusa_trap(uint32_t cause, uint32_t pc, uint32_t value)
{
    siracusa_print_text("\naretusa fault: trap on hart ");
    siracusa_print_hex(hart_of_core());
    siracusa_print_text(", mcause ");
    siracusa_print_hex(cause);
    siracusa_print_text(", mepc ");
    siracusa_print_hex(pc);
    siracusa_print_text(", mtval ");
    siracusa_print_hex(value);
    siracusa_print_text("\n");
    art_platform_exit(ART_EXIT_TRAP);
}
