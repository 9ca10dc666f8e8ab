/* A decoded token on N-EUREKA, as most layers see it: the codes lie on the chip and have a scale
 * per row, the engine reads the token where it is, and the compiler has prepared the jobs. All that
 * changes from unit to unit are three addresses. */
#include <stddef.h>

#include "aretusa/network.h"
#include "neureka/registers.h"
#include "units.h"

/* What all cores know of a call. */
struct run {
    const struct linear_call *call;
    struct art_engine_job *job;  /* of all units but the last */
    struct art_engine_job *last; /* of one with fewer rows; null where there is none */
    const float *scales;
    const float *bias; /* null when there is none */
    const int32_t *sums[2];
    uint32_t rows;
};

/* What core 0 needs, too: addresses as the engine counts them. */
struct addresses {
    uint32_t weights;
    uint32_t row_bytes; /* of codes */
    uint32_t inputs;
    uint32_t sums[2];
};

static struct art_engine_job *job_of(uint32_t number)
{
    return number > 0 ? &art_network.jobs[number - 1] : NULL;
}

static inline struct run run_of(const struct linear_call *call)
{
    const struct art_engine_place *engine = call->plan->engine;
    const uint32_t rows = engine->rows;
    const float *scales = art_at(&engine->channels);
    const uint8_t *second = call->scratch + linear_sums_step(call->plan);

    return (struct run){
        .call = call,
        .job = job_of(engine->prepared),
        .last = job_of(engine->prepared_last),
        .scales = scales,
        .bias = (engine->flags & ART_ENGINE_HAS_BIAS) != 0 ? scales + rows : NULL,
        .sums = {(const void *)call->scratch, (const void *)second},
        .rows = rows,
    };
}

static uint32_t in_l1(const void *address)
{
    const uint8_t *first = art_platform_memory(ART_MEMORY_L1);

    return (uint32_t)((const uint8_t *)address - first);
}

static inline struct addresses addresses_of(const struct run *run)
{
    const struct art_engine_place *engine = run->call->plan->engine;
    const bool is_sram = engine->memory == ART_MEMORY_SRAM;

    return (struct addresses){
        .weights = engine->offset_bytes + (is_sram ? art_network.sram_weights_offset : 0),
        .row_bytes = run->job->registers[NEUREKA_WEIGHT_CHANNEL_STRIDE],
        .inputs = in_l1(run->call->src->codes),
        .sums = {in_l1(run->sums[0]), in_l1(run->sums[1])},
    };
}

static struct art_engine_job *unit_at(const struct run *run, uint32_t row)
{
    return run->rows - row < run->job->rows ? run->last : run->job;
}

/* Queue the unit that starts at a row. */
static uint32_t queue(const struct run *run, const struct addresses *addresses, uint32_t row,
                      uint32_t buffer)
{
    uint32_t *registers = unit_at(run, row)->registers;

    registers[NEUREKA_WEIGHTS] = addresses->weights + row * addresses->row_bytes;
    registers[NEUREKA_INPUT] = addresses->inputs;
    registers[NEUREKA_OUTPUT] = addresses->sums[buffer];
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
    const struct run run = run_of(call);
    struct addresses addresses = {.weights = 0};
    uint32_t job = 0;
    uint32_t buffer = 0;

    if (team->core == 0) {
        addresses = addresses_of(&run);
        job = queue(&run, &addresses, 0, 0);
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
                job = queue(&run, &addresses, next, 1 - buffer);
            }
            art_engine_wait(awaited);
        }
        art_platform_barrier(team);
        finish(team, &run, row, buffer);
        row = next;
    }
}
