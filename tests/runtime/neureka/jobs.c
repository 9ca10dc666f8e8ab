#include "jobs.h"

static uint32_t scratch[ART_NEUREKA_SCRATCH_BYTES / 4];

bool run_test_job(uint8_t *blob, const struct test_job *job)
{
    const struct art_neureka_memories memories = {
        .l1 = blob + job->l1.offset,
        .l1_bytes = job->l1.bytes,
        .mram = blob + job->mram.offset,
        .mram_bytes = job->mram.bytes,
        .sram = blob + job->sram.offset,
        .sram_bytes = job->sram.bytes,
    };
    const uint32_t tiles = job->registers[18] >> 16;
    const uint32_t channels = (tiles - 1) * 32 + (job->registers[15] >> 16);
    bool is_done = true;
    for (uint32_t core = 0; core < job->cores; core++) {
        const struct art_neureka_share share = {
            .first_channel = channels * core / job->cores,
            .last_channel = channels * (core + 1) / job->cores,
            .step = job->step,
            .scratch = scratch,
        };
        is_done = art_neureka_model_run(job->registers, &memories, &share) && is_done;
    }
    return is_done;
}
