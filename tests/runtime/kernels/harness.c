/* Runs the cases of a blob on the host: as a library for ctypes, or as a program for the
 * sanitizers.
 *
 * Every array is copied to a heap block of exactly its size, so that the address sanitizer sees the
 * first byte past it; one thread stands for each core. */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"

void harness_run(void *blob, uint32_t cores);

static pthread_barrier_t barrier;

void art_platform_barrier(const struct art_team *team)
{
    if (team->cores > 1) {
        pthread_barrier_wait(&barrier);
    }
}

_Noreturn void art_platform_exit(enum art_exit code)
{
    exit((int)code);
}

struct core_job {
    struct art_team team;
    const struct test_case *test;
    void *const *arrays;
};

static void *run_core(void *argument)
{
    const struct core_job *const job = argument;
    run_case(&job->team, job->test, job->arrays);
    return NULL;
}

static void run_team(const struct test_case *test, void *const *arrays, uint32_t cores)
{
    pthread_t threads[ART_CORES_MAX];
    struct core_job jobs[ART_CORES_MAX];
    pthread_barrier_init(&barrier, NULL, cores);
    for (uint32_t core = 0; core < cores; core++) {
        jobs[core].team = (struct art_team){.core = core, .cores = cores};
        jobs[core].test = test;
        jobs[core].arrays = arrays;
        if (core > 0 && pthread_create(&threads[core], NULL, run_core, &jobs[core]) != 0) {
            abort();
        }
    }
    run_core(&jobs[0]);
    for (uint32_t core = 1; core < cores; core++) {
        pthread_join(threads[core], NULL);
    }
    pthread_barrier_destroy(&barrier);
}

void harness_run(void *blob, uint32_t cores)
{
    const struct test_blob *const tests = blob;
    for (uint32_t i = 0; i < tests->count; i++) {
        const struct test_case *const test = &tests->cases[i];
        void *arrays[CASE_ARRAYS] = {NULL};
        for (uint32_t a = 0; a < CASE_ARRAYS; a++) {
            if (test->bytes[a] > 0) {
                arrays[a] = malloc(test->bytes[a]);
                memcpy(arrays[a], (char *)blob + test->offsets[a], test->bytes[a]);
            }
        }
        prepare_memories(test, arrays);
        run_team(test, arrays, cores);
        for (uint32_t a = 0; a < CASE_ARRAYS; a++) {
            if (test->bytes[a] > 0) {
                memcpy((char *)blob + test->offsets[a], arrays[a], test->bytes[a]);
            }
            free(arrays[a]);
        }
    }
}

/* harness CORES FILE: run the blob in a file and write it back. */
int main(int count, char **arguments)
{
    if (count != 3) {
        return 2;
    }
    FILE *file = fopen(arguments[2], "r+b");
    if (!file) {
        return 2;
    }
    fseek(file, 0, SEEK_END);
    const size_t bytes = (size_t)ftell(file);
    rewind(file);
    void *blob = malloc(bytes);
    if (fread(blob, 1, bytes, file) != bytes) {
        return 2;
    }
    harness_run(blob, (uint32_t)atoi(arguments[1]));
    rewind(file);
    const size_t written = fwrite(blob, 1, bytes, file);
    free(blob);
    return fclose(file) == 0 && written == bytes ? 0 : 2;
}
