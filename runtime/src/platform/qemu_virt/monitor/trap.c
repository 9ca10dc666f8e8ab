/* No trap is expected: report it and end the machine. */
#include "virt.h"

static volatile bool is_reporting;

static const char *cause_text(uint32_t cause)
{
    static const char *const texts[] = {
        [0] = "misaligned jump",  [1] = "fetch fault",     [2] = "illegal instruction",
        [3] = "breakpoint",       [4] = "misaligned load", [5] = "load fault",
        [6] = "misaligned store", [7] = "store fault",     [8] = "unknown call",
        [12] = "fetch fault",     [13] = "load fault",     [15] = "store fault",
    };
    const char *text = cause < sizeof texts / sizeof texts[0] ? texts[cause] : NULL;

    return text == NULL ? "unexpected cause" : text;
}

/* Whether the trap's value is an address. */
static bool has_address(uint32_t cause)
{
    return cause <= 1 || (cause >= 4 && cause != 8);
}

static bool comes_from_monitor(void)
{
    uint32_t status = 0;

    __asm__("csrr %0, mstatus" : "=r"(status));
    return (status & 0x1800u) != 0;
}

_Noreturn void monitor_trap(uint32_t cause, uint32_t pc, uint32_t value)
{
    const uint32_t hart = monitor_hart();

    while (is_reporting) {
        monitor_sleep();
    }
    is_reporting = true;
    monitor_print_text("\naretusa fault: trap on hart ");
    monitor_print_text((const char[]){(char)('0' + hart), '\0'});
    monitor_print_text(comes_from_monitor() ? " in the monitor: " : ": ");
    monitor_print_text(cause_text(cause));
    monitor_print_text(", mcause ");
    monitor_print_hex(cause);
    monitor_print_text(", mepc ");
    monitor_print_hex(pc);
    monitor_print_text(", mtval ");
    monitor_print_hex(value);
    if (has_address(cause)) {
        monitor_explain(hart, value);
    }
    monitor_print_text("\n");
    monitor_end(ART_EXIT_TRAP);
}
