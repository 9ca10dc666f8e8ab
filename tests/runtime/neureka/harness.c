/* harness FILE: runs the jobs of a blob and writes the blob back. Every memory of a job is copied
 * to a place of its own, so that the sanitizer sees a step out of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jobs.h"

static uint8_t *read_file(const char *path, size_t *bytes)
{
    FILE *const file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        exit(2);
    }
    *bytes = (size_t)ftell(file);
    uint8_t *const data = malloc(*bytes);
    rewind(file);
    if (data == NULL || fread(data, 1, *bytes, file) != *bytes) {
        exit(2);
    }
    (void)fclose(file);
    return data;
}

static uint8_t *copy(const uint8_t *blob, struct test_span span)
{
    uint8_t *const own = malloc(span.bytes);
    if (own == NULL) {
        exit(2);
    }
    return memcpy(own, blob + span.offset, span.bytes);
}

static void run(uint8_t *blob, const struct test_job *job)
{
    uint8_t *const l1 = copy(blob, job->l1);
    uint8_t *const mram = copy(blob, job->mram);
    uint8_t *const sram = copy(blob, job->sram);
    void *const scratch = malloc(ART_NEUREKA_SCRATCH_BYTES);
    const struct art_neureka_memories memories = {l1,   job->l1.bytes,  mram, job->mram.bytes,
                                                  sram, job->sram.bytes};
    const uint32_t channels = ((job->registers[18] >> 16) - 1) * 32 + (job->registers[15] >> 16);
    const struct art_neureka_share share = {0, channels, job->step, scratch};
    if (!art_neureka_model_run(job->registers, &memories, &share)) {
        exit(3);
    }
    memcpy(blob + job->l1.offset, l1, job->l1.bytes);
    free(l1);
    free(mram);
    free(sram);
    free(scratch);
}

int main(int argc, char **argv)
{
    size_t bytes;
    if (argc != 2) {
        return 2;
    }
    uint8_t *const data = read_file(argv[1], &bytes);
    const struct test_blob *const blob = (const struct test_blob *)(void *)data;
    for (uint32_t i = 0; i < blob->count; i++) {
        run(data, &blob->jobs[i]);
    }
    FILE *const file = fopen(argv[1], "wb");
    if (file == NULL || fwrite(data, 1, bytes, file) != bytes || fclose(file) != 0) {
        return 2;
    }
    free(data);
    return 0;
}
