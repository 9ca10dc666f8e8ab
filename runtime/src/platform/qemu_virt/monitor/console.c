/* The board's 16550 UART. */
#include "virt.h"

enum { LINE_STATUS = 5, HOLDING_EMPTY = 0x20, TRANSMITTER_EMPTY = 0x40 };

static volatile uint8_t *uart(void)
{
    return (volatile uint8_t *)(uintptr_t)VIRT_UART_BASE;
}

static void print_byte(char byte)
{
    while ((uart()[LINE_STATUS] & HOLDING_EMPTY) == 0) {
    }
    uart()[0] = (uint8_t)byte;
}

void monitor_print(const char *bytes, uint32_t count)
{
    const char *text = monitor_readable(bytes, count);

    for (uint32_t i = 0; i < count; i++) {
        print_byte(text[i]);
    }
}

void monitor_print_text(const char *text)
{
    while (*text != '\0') {
        print_byte(*text);
        text++;
    }
}

void monitor_print_hex(uint32_t value)
{
    monitor_print_text("0x");
    for (uint32_t shift = 32; shift > 0; shift -= 4) {
        print_byte("0123456789abcdef"[value >> (shift - 4) & 15]);
    }
}

/* The machine must not end before its last byte has left. */
void monitor_console_drain(void)
{
    while ((uart()[LINE_STATUS] & TRANSMITTER_EMPTY) == 0) {
    }
}
