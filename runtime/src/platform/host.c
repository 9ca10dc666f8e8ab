/* A POSIX machine: one thread per core, each memory between pages that nobody may touch. */
#define _DEFAULT_SOURCE /* POSIX and anonymous maps, which -std=c11 alone hides */

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "aretusa/generate.h"
#include "aretusa/network.h"
#include "aretusa/platform.h"
#include "memory_map.h"

enum { GUARD_BYTES = 1 << 20 };

struct window {
    const char *file;
    size_t bytes;
    size_t read_only_bytes; /* from the start, once the image is loaded */
    uint8_t *base;
};

static struct window windows[ART_MEMORY_COUNT] = {
    [ART_MEMORY_L1] = {"l1.bin", ART_L1_BYTES, ART_L1_READ_ONLY_BYTES, NULL},
    [ART_MEMORY_L2] = {"l2.bin", ART_L2_BYTES, ART_L2_READ_ONLY_BYTES, NULL},
    [ART_MEMORY_SRAM] = {"sram.bin", ART_SRAM_BYTES, ART_SRAM_READ_ONLY_BYTES, NULL},
    [ART_MEMORY_MRAM] = {"mram.bin", ART_MRAM_BYTES, ART_MRAM_READ_ONLY_BYTES, NULL},
    [ART_MEMORY_L3] = {"l3.bin", ART_L3_BYTES, ART_L3_READ_ONLY_BYTES, NULL},
};

static struct {
    const char *directory;
    const char *request_file;
    const char *record_file;
    FILE *record;
    uint8_t *request;
    uint32_t request_bytes;
    atomic_uint arrived;
    atomic_uint phase;
} machine;

static _Noreturn void give_up(const char *what, const char *which)
{
    fprintf(stderr, "aretusa host: %s%s\n", what, which);
    exit(2);
}

/* Read at most capacity bytes of a file. Returns the size of the file, or 0 if there is none. */
static size_t read_file(const char *path, void *bytes, size_t capacity)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL) {
        return 0;
    }

    const size_t count = fread(bytes, 1, capacity, file);
    const bool is_longer = fgetc(file) != EOF;

    fclose(file);
    return is_longer ? capacity + 1 : count;
}

/* The pages around a window are kept without access: an overrun of one byte is a fault. */
static void map_window(struct window *window)
{
    if (window->bytes % 4096 != 0) {
        give_up("a memory is not made of whole pages: ", window->file);
    }

    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    uint8_t *space = mmap(NULL, window->bytes + 2 * (size_t)GUARD_BYTES, PROT_NONE, flags, -1, 0);

    if (space == MAP_FAILED) {
        give_up("no memory for ", window->file);
    }
    window->base = space + GUARD_BYTES;
    if (window->bytes > 0 && mprotect(window->base, window->bytes, PROT_READ | PROT_WRITE) != 0) {
        give_up("no memory for ", window->file);
    }
}

static void load_image(const struct art_image_place *place)
{
    const struct window *window = &windows[place->memory];
    char path[4096];

    if (place->offset_bytes > window->bytes) {
        give_up("an image starts outside its memory: ", window->file);
    }
    if (snprintf(path, sizeof path, "%s/%s", machine.directory, window->file) >= (int)sizeof path) {
        give_up("the directory's name is too long: ", machine.directory);
    }

    const size_t capacity = window->bytes - place->offset_bytes;

    if (read_file(path, window->base + place->offset_bytes, capacity) > capacity) {
        give_up("the image is larger than its memory: ", path);
    }
}

static void load_memories(void)
{
    for (uint32_t i = 0; i < ART_MEMORY_COUNT; i++) {
        map_window(&windows[i]);
    }
    for (uint32_t i = 0; i < art_network.image_count; i++) {
        load_image(&art_network.images[i]);
    }
    for (uint32_t i = 0; i < ART_MEMORY_COUNT; i++) {
        if (windows[i].read_only_bytes > 0 &&
            mprotect(windows[i].base, windows[i].read_only_bytes, PROT_READ) != 0) {
            give_up("an image cannot be made read-only: ", windows[i].file);
        }
    }
}

static void load_request(void)
{
    machine.request = calloc(1, ART_REQUEST_BYTES);
    if (machine.request == NULL) {
        give_up("no memory for ", "the request");
    }
    if (read_file(machine.request_file, machine.request, ART_REQUEST_BYTES) > ART_REQUEST_BYTES) {
        give_up("the request is too large: ", machine.request_file);
    }
}

static void read_arguments(int count, char **arguments)
{
    machine.directory = ".";
    machine.request_file = "request.bin";
    machine.record_file = "record.bin";
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--request") == 0 && i + 1 < count) {
            machine.request_file = arguments[++i];
        } else if (strcmp(arguments[i], "--record") == 0 && i + 1 < count) {
            machine.record_file = arguments[++i];
        } else if (arguments[i][0] != '-') {
            machine.directory = arguments[i];
        } else {
            give_up("usage: aretusa-host [DIRECTORY] [--request FILE] [--record FILE]", "");
        }
    }
}

void *art_platform_memory(enum art_memory memory)
{
    return windows[memory].base;
}

uint32_t art_platform_memory_bytes(enum art_memory memory)
{
    return (uint32_t)windows[memory].bytes;
}

/* More threads than processors are normal here, so a waiting thread gives its turn away. */
void art_platform_barrier(const struct art_team *team)
{
    const unsigned int phase = atomic_load(&machine.phase);

    if (atomic_fetch_add(&machine.arrived, 1) + 1 == team->cores) {
        atomic_store(&machine.arrived, 0);
        atomic_store(&machine.phase, phase + 1);
        return;
    }
    while (atomic_load(&machine.phase) == phase) {
        sched_yield();
    }
}

void art_platform_print(const char *bytes, uint32_t count)
{
    while (count > 0) {
        const ssize_t written = write(STDOUT_FILENO, bytes, count);

        if (written < 0) {
            give_up("the console does not take text", "");
        }
        bytes += written;
        count -= (uint32_t)written;
    }
}

void art_platform_record(const void *bytes, uint32_t count)
{
    if (machine.record == NULL) {
        machine.record = fopen(machine.record_file, "wb");
    }
    if (machine.record == NULL || fwrite(bytes, 1, count, machine.record) != count) {
        art_platform_exit(ART_EXIT_RECORD);
    }
}

const void *art_platform_request(uint32_t *bytes)
{
    *bytes = ART_REQUEST_BYTES;
    return machine.request;
}

uint64_t art_platform_counter(void)
{
    return 0;
}

_Noreturn void art_platform_exit(enum art_exit code)
{
    _exit((int)code);
}

static void *run_core(void *argument)
{
    const struct art_team *team = argument;

    return (void *)(intptr_t)art_program(team);
}

/* As the request says; one core is enough to report that the request is impossible. */
static uint32_t cores_of_request(void)
{
    const struct art_request *request = (const void *)machine.request;
    const bool is_sound = request->magic == ART_REQUEST_MAGIC && request->cores >= 1 &&
                          request->cores <= ART_CORES_MAX;

    return is_sound ? request->cores : 1;
}

int main(int count, char **arguments)
{
    struct art_team teams[ART_CORES_MAX];
    pthread_t threads[ART_CORES_MAX];

    read_arguments(count, arguments);
    load_memories();
    load_request();

    const uint32_t cores = cores_of_request();

    for (uint32_t core = 0; core < cores; core++) {
        teams[core] = (struct art_team){.core = core, .cores = cores};
        if (core > 0 && pthread_create(&threads[core], NULL, run_core, &teams[core]) != 0) {
            give_up("a thread does not start", "");
        }
    }

    const enum art_exit code = art_program(&teams[0]);

    for (uint32_t core = 1; core < cores; core++) {
        pthread_join(threads[core], NULL);
    }
    if (machine.record != NULL && fclose(machine.record) != 0) {
        return ART_EXIT_RECORD;
    }
    return (int)code;
}
