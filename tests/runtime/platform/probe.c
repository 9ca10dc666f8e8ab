#include "probe.h"

static uint32_t address_of(const int32_t *digits)
{
    uint32_t address = 0;

    for (uint32_t i = 0; i < 8; i++) {
        address = address * 16 + (uint32_t)digits[i];
    }
    return address;
}

static void touch(enum probe_operation operation, uint32_t address)
{
    volatile uint8_t *byte = (volatile uint8_t *)(uintptr_t)address;

    if (operation == PROBE_READ) {
        (void)*byte;
    } else if (operation == PROBE_WRITE) {
        *byte = 'A';
    } else if (operation == PROBE_JUMP) {
        ((void (*)(void))(uintptr_t)address)();
    } else {
        art_platform_print((const char *)(uintptr_t)address, 16);
    }
}

static void overreach(enum probe_operation operation)
{
#ifdef __riscv
    if (operation == PROBE_BREAK) {
        __asm__ volatile(".option push\n .option norvc\n .balign 16\n"
                         "slli x0, x0, 0x1f\n ebreak\n srai x0, x0, 7\n"
                         ".option pop");
    } else if (operation == PROBE_CONTROL) {
        __asm__ volatile("csrw satp, zero");
    } else {
        __asm__ volatile("li a7, 99\n ecall" ::: "a7");
    }
#else
    (void)operation;
#endif
}

void probe(const struct art_team *team, const int32_t *tokens, uint32_t count)
{
    if (count < PROBE_TOKENS || tokens[0] != PROBE || tokens[1] != (int32_t)team->core) {
        return;
    }

    const enum probe_operation operation = (enum probe_operation)tokens[2];

    if (operation <= PROBE_PRINT) {
        touch(operation, address_of(tokens + 3));
    } else {
        overreach(operation);
    }
}
