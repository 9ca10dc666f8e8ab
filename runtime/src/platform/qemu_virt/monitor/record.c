/* The record file, written through semihosting into QEMU's working directory. */
#include "virt.h"

enum { SYS_OPEN = 1, SYS_CLOSE = 2, SYS_WRITE = 5, MODE_WRITE_BINARY = 5 };

static const char file_name[] = "record.bin";
static uint32_t handle;
static bool is_open;

static bool open_file(void)
{
    const uint32_t arguments[3] = {(uint32_t)(uintptr_t)file_name, MODE_WRITE_BINARY,
                                   sizeof file_name - 1};

    handle = monitor_semihost(SYS_OPEN, arguments);
    is_open = handle != UINT32_MAX;
    return is_open;
}

void monitor_record(const void *bytes, uint32_t count)
{
    if (!is_open && !open_file()) {
        monitor_end(ART_EXIT_RECORD);
    }

    const void *payload = monitor_readable(bytes, count);
    const uint32_t arguments[3] = {handle, (uint32_t)(uintptr_t)payload, count};

    /* The answer is the number of bytes that were not written. */
    if (monitor_semihost(SYS_WRITE, arguments) != 0) {
        monitor_end(ART_EXIT_RECORD);
    }
}

void monitor_record_close(void)
{
    if (is_open) {
        const uint32_t arguments[1] = {handle};

        is_open = false;
        monitor_semihost(SYS_CLOSE, arguments);
    }
}
