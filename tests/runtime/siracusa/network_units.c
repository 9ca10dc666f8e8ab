/* What a recorded bus needs in a network's host program: L3 as the chip has it, where no core reads
 * it and nobody but the fabric controller fills it, and the host's files. */
#define _DEFAULT_SOURCE

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "aretusa/platform.h"
#include "memory_map.h"
#include "platform/siracusa/chip.h"
#include "units.h"

enum { SYS_OPEN = 1, SYS_CLOSE = 2, SYS_READ = 6, HANDLE = 3 };

static FILE *file;

void *__real_art_platform_memory(enum art_memory memory);
void *__wrap_art_platform_memory(enum art_memory memory);

/* What the program sees. */
void *__wrap_art_platform_memory(enum art_memory memory)
{
    return memory == ART_MEMORY_L3 ? NULL : __real_art_platform_memory(memory);
}

/* What host.c loaded into L3 is taken away the first time that a unit looks. */
void *unit_memory(enum art_memory memory)
{
    static bool is_empty;
    void *bytes = __real_art_platform_memory(memory);

    if (memory == ART_MEMORY_L3 && !is_empty) {
        is_empty = true;
        if (mprotect(bytes, ART_L3_BYTES, PROT_READ | PROT_WRITE) != 0) {
            refuse("L3 cannot be made writable");
        }
        memset(bytes, 0, ART_L3_BYTES);
    }
    return bytes;
}

static uint32_t open_file(const uint32_t *arguments)
{
    char name[16] = {0};

    if (arguments[1] != 1 || arguments[2] >= sizeof name) {
        return UINT32_MAX;
    }
    memcpy(name, bus_bytes(arguments[0], arguments[2], "a file's name"), arguments[2]);
    file = fopen(name, "rb");
    return file == NULL ? UINT32_MAX : (uint32_t)HANDLE;
}

uint32_t siracusa_call_host(uint32_t operation, const void *arguments)
{
    const uint32_t *words = arguments;

    if (operation == SYS_OPEN) {
        return open_file(words);
    }
    if (file == NULL || words[0] != HANDLE) {
        refuse("a file that is not open");
    }
    if (operation == SYS_READ) {
        uint8_t *bytes = bus_bytes(words[1], words[2], "a read of a file");

        return words[2] - (uint32_t)fread(bytes, 1, words[2], file);
    }
    if (operation != SYS_CLOSE) {
        refuse("an unknown call of the host");
    }
    fclose(file);
    file = NULL;
    return 0;
}
