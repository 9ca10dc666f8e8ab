/* A decoded token on N-EUREKA, as most layers see it: the codes lie on the chip and have a scale
 * per row, the engine reads the token where it is, and the compiler has prepared the jobs. All that
 * changes from unit to unit are three addresses. */
#include <stddef.h>

#include "aretusa/network.h"
#include "neureka/registers.h"
#include "units.h"

/* Addresses are as the engine counts them. */
struct run {
    const struct linear_call *call;
    struct art_engine_job *job;  /* of all units but the last */
    struct art_engine_job *last; /* of one with fewer rows; null where there is none */
    const float *scales;
    const float *bias; /* null when there is none */
    const int32_t *sums[2];
    uint32_t rows;
    uint32_t row_bytes; /* of codes */
    uint32_t weights;
    uint32_t inputs;
    uint32_t outputs[2];
};

static struct art_engine_job *job_of(uint32_t number)
{
    return number > 0 ? &art_network.jobs[number - 1] : NULL;
}

bool linear_is_one_token(const struct linear_call *call)
{
    return call->tokens == 1 && call->plan->engine->prepared != 0;
}

static uint32_t in_l1(const void *address)
{
    const uint8_t *first = art_platform_memory(ART_MEMORY_L1);

    return (uint32_t)((const uint8_t *)address - first);
}

static void open(struct run *run, const struct linear_call *call)
{
    const struct art_engine_place *engine = call->plan->engine;
    const uint32_t step = linear_sums_step(call->plan);
    const bool is_sram = engine->memory == ART_MEMORY_SRAM;

    run->call = call;
    run->job = job_of(engine->prepared);
    run->last = job_of(engine->prepared_last);
    run->rows = engine->rows;
    run->scales = art_at(&engine->channels);
    run->bias = (engine->flags & ART_ENGINE_HAS_BIAS) != 0 ? run->scales + run->rows : NULL;
    run->sums[0] = (const int32_t *)(const void *)call->scratch;
    run->sums[1] = (const int32_t *)(const void *)(call->scratch + step);
    run->row_bytes = run->job->registers[NEUREKA_WEIGHT_CHANNEL_STRIDE];
    run->weights = engine->offset_bytes + (is_sram ? art_network.sram_weights_offset : 0);
    run->inputs = in_l1(call->src->codes);
    run->outputs[0] = in_l1(call->scratch);
    run->outputs[1] = run->outputs[0] + step;
}

/* Rows of the unit that starts at a row. */
static struct art_engine_job *unit_at(const struct run *run, uint32_t row)
{
    return run->rows - row < run->job->rows ? run->last : run->job;
}

/* Queue the unit that starts at a row; core 0 only. */
static uint32_t queue(const struct run *run, uint32_t row, uint32_t buffer)
{
    uint32_t *registers = unit_at(run, row)->registers;

    registers[NEUREKA_WEIGHTS] = run->weights + row * run->row_bytes;
    registers[NEUREKA_INPUT] = run->inputs;
    registers[NEUREKA_OUTPUT] = run->outputs[buffer];
    return art_engine_submit(registers);
}

static void finish(const struct art_team *team, const struct run *run, uint32_t row,
                   uint32_t buffer)
{
    const struct linear_call *call = run->call;
    const struct art_sums sums = {
        .sums = run->sums[buffer],
        .scales = run->scales + row,
        .bias = run->bias ? run->bias + row : NULL,
        .rows = unit_at(run, row)->rows,
    };

    art_finish_sums(team, &sums, call->src->scales, 1, 0,
                    call->residual ? call->residual + row : NULL, call->out + row);
}

/* The unit behind the one that is finished runs meanwhile, and writes to the other buffer, which
 * all cores have left. */
void linear_one_token(const struct art_team *team, const struct linear_call *call)
{
    struct run run;
    uint32_t job = 0;
    uint32_t buffer = 0;

    open(&run, call);
    if (team->core == 0) {
        job = queue(&run, 0, 0);
    }
    if (call->plan->matrix) {
        linear_tiles(team, call);
    }
    for (uint32_t row = 0; row < run.rows; buffer = 1 - buffer) {
        const uint32_t next = row + run.job->rows;

        if (row > 0) {
            art_platform_barrier(team);
        }
        if (team->core == 0) {
            const uint32_t awaited = job;

            if (next < run.rows) {
                job = queue(&run, next, 1 - buffer);
            }
            art_engine_wait(awaited);
        }
        art_platform_barrier(team);
        finish(team, &run, row, buffer);
        row = next;
    }
}
