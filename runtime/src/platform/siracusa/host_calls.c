/* Console and records, through the debugger or the virtual platform: RISC-V semihosting. */
#include "chip.h"

enum { SYS_OPEN = 1, SYS_CLOSE = 2, SYS_WRITE = 5, MODE_WRITE_BINARY = 5, STANDARD_OUTPUT = 1 };

static const char file_name[] = "record.bin";
static uint32_t handle;
static bool is_open;

/* False if not all bytes were written. */
static bool write_bytes(uint32_t file, const void *bytes, uint32_t count)
{
    const uint32_t arguments[3] = {file, (uint32_t)(uintptr_t)bytes, count};

    /* The answer is the number of bytes that were not written. */
    return siracusa_call_host(SYS_WRITE, arguments) == 0;
}

void art_platform_print(const char *bytes, uint32_t count)
{
    (void)write_bytes(STANDARD_OUTPUT, bytes, count);
}

void siracusa_print_text(const char *text)
{
    uint32_t count = 0;

    while (text[count] != '\0') {
        count++;
    }
    art_platform_print(text, count);
}

void siracusa_print_hex(uint32_t value)
{
    char digits[10] = "0x";

    for (uint32_t i = 0; i < 8; i++) {
        digits[2 + i] = "0123456789abcdef"[value >> (28 - 4 * i) & 15];
    }
    art_platform_print(digits, sizeof digits);
}

static bool open_file(void)
{
    const uint32_t arguments[3] = {(uint32_t)(uintptr_t)file_name, MODE_WRITE_BINARY,
                                   sizeof file_name - 1};

    handle = siracusa_call_host(SYS_OPEN, arguments);
    is_open = handle != UINT32_MAX;
    return is_open;
}

void art_platform_record(const void *bytes, uint32_t count)
{
    if ((!is_open && !open_file()) || !write_bytes(handle, bytes, count)) {
        art_platform_exit(ART_EXIT_RECORD);
    }
}

void siracusa_record_close(void)
{
    if (is_open) {
        const uint32_t arguments[1] = {handle};

        is_open = false;
        (void)siracusa_call_host(SYS_CLOSE, arguments);
    }
}
