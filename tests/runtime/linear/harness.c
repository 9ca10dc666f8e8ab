/* harness CORES FILE: runs the scenarios of a file and writes the file back, with the L2 of each as
 * it is then. Every memory is copied to a block of exactly its size, so that the address sanitizer
 * sees the first byte past it; one thread stands for each core. */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

struct core {
    struct art_team team;
    const uint8_t *blob;
    const struct scenario *scenario;
    uint8_t *const *memories;
};

static pthread_barrier_t barrier;

void art_platform_barrier(const struct art_team *team)
{
    if (team->cores > 1) {
        pthread_barrier_wait(&barrier);
    }
}

void art_platform_exit(enum art_exit code)
{
    _Exit((int)code);
}

static void *run_core(void *argument)
{
    const struct core *core = argument;

    run_scenario(&core->team, core->blob, core->scenario, core->memories);
    return NULL;
}

static void run_team(uint32_t cores, const uint8_t *blob, const struct scenario *scenario,
                     uint8_t *const *memories)
{
    pthread_t threads[ART_CORES_MAX];
    struct core each[ART_CORES_MAX];

    pthread_barrier_init(&barrier, NULL, cores);
    for (uint32_t i = 0; i < cores; i++) {
        each[i] = (struct core){{.core = i, .cores = cores}, blob, scenario, memories};
        if (pthread_create(&threads[i], NULL, run_core, &each[i]) != 0) {
            abort();
        }
    }
    for (uint32_t i = 0; i < cores; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&barrier);
}

static void run_all(uint32_t cores, uint8_t *blob)
{
    const struct scenario *scenario;
    uint32_t at = 0;

    do {
        uint8_t *memories[ART_MEMORY_COUNT];

        scenario = (const struct scenario *)(void *)(blob + at);
        for (uint32_t i = 0; i < ART_MEMORY_COUNT; i++) {
            const struct scenario_span span = scenario->memories[i];

            memories[i] = malloc(span.bytes > 0 ? span.bytes : 1);
            memcpy(memories[i], blob + span.offset, span.bytes);
        }
        run_team(cores, blob, scenario, memories);
        memcpy(blob + scenario->memories[ART_MEMORY_L2].offset, memories[ART_MEMORY_L2],
               scenario->memories[ART_MEMORY_L2].bytes);
        for (uint32_t i = 0; i < ART_MEMORY_COUNT; i++) {
            free(memories[i]);
        }
        at = scenario->next;
    } while (at != 0);
}

int main(int count, char **arguments)
{
    FILE *file = count == 3 ? fopen(arguments[2], "r+b") : NULL;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        return 2;
    }
    const size_t bytes = (size_t)ftell(file);
    uint8_t *blob = malloc(bytes);

    rewind(file);
    if (blob == NULL || fread(blob, 1, bytes, file) != bytes) {
        return 2;
    }
    run_all((uint32_t)atoi(arguments[1]), blob);
    rewind(file);
    const size_t written = fwrite(blob, 1, bytes, file);

    free(blob);
    return fclose(file) == 0 && written == bytes ? 0 : 2;
}
