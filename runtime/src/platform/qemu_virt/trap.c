/* No trap is expected: report it and end the machine. */
#include "virt.h"

static volatile bool is_reporting;

static const char *cause_text(uint32_t cause)
{
    static const char *const texts[] = {
        [0] = "misaligned jump",  [1] = "fetch fault",     [2] = "illegal instruction",
        [3] = "breakpoint",       [4] = "misaligned load", [5] = "load fault",
        [6] = "misaligned store", [7] = "store fault",
    };

    return cause < sizeof texts / sizeof texts[0] ? texts[cause] : "unexpected cause";
}

_Noreturn void virt_trap(uint32_t cause, uint32_t pc, uint32_t value)
{
    uint32_t hart = 0;

    __asm__ volatile("csrr %0, mhartid" : "=r"(hart));
    while (is_reporting) {
        virt_wait_for_event();
    }
    is_reporting = true;
    virt_print_text("\naretusa fault: trap on hart ");
    virt_print_text((const char[]){(char)('0' + hart), '\0'});
    virt_print_text(": ");
    virt_print_text(cause_text(cause));
    virt_print_text(", mcause ");
    virt_print_hex(cause);
    virt_print_text(", mepc ");
    virt_print_hex(pc);
    virt_print_text(", mtval ");
    virt_print_hex(value);
    virt_guard_explain(hart, value);
    virt_print_text("\n");
    art_platform_exit(ART_EXIT_TRAP);
}
