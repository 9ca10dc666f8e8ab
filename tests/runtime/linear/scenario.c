#include "scenario.h"

#include <stddef.h>

#include "aretusa/network.h"

static struct art_engine_job jobs[SCENARIO_JOBS_MAX];

const struct art_network art_network = {.sram_weights_offset = 0x400000, .jobs = jobs};

/* What core 0 made of the scenario for all. */
static struct {
    const struct scenario *scenario;
    uint8_t *const *memories;
    struct art_load loads[ART_STREAM_COUNT][SCENARIO_OPS_MAX];
    struct art_load_list kinds[ART_STREAM_COUNT][SCENARIO_KINDS_MAX];
    struct art_stream_plan plans[ART_STREAM_COUNT];
} run;

void *art_platform_memory(enum art_memory memory)
{
    return run.memories[memory];
}

uint32_t art_platform_memory_bytes(enum art_memory memory)
{
    return run.scenario->memories[memory].bytes;
}

static const void *in_blob(const uint8_t *blob, uint32_t offset)
{
    return blob + offset;
}

static void set_loads(const uint8_t *blob, const struct scenario *scenario)
{
    const struct scenario_op *ops = in_blob(blob, scenario->ops);
    const struct art_matrix_place *matrices = in_blob(blob, scenario->matrices);
    const struct art_engine_place *engines = in_blob(blob, scenario->engines);
    uint32_t count[ART_STREAM_COUNT] = {0, 0};

    for (uint32_t kind = 0; kind < SCENARIO_KINDS_MAX; kind++) {
        for (uint32_t stream = 0; stream < ART_STREAM_COUNT; stream++) {
            run.kinds[stream][kind].loads = &run.loads[stream][count[stream]];
            run.kinds[stream][kind].count = 0;
        }
        for (uint32_t i = 0; i < scenario->op_count; i++) {
            const struct scenario_op *op = &ops[i];

            if (op->kind == kind && op->matrices != NO_OFFSET) {
                run.loads[ART_STREAM_TILES][count[ART_STREAM_TILES]++] =
                    (struct art_load){&matrices[op->matrices], NULL, op->tile_rows};
                run.kinds[ART_STREAM_TILES][kind].count++;
            }
            if (op->kind == kind && op->engines != NO_OFFSET) {
                run.loads[ART_STREAM_PAGES][count[ART_STREAM_PAGES]++] =
                    (struct art_load){NULL, &engines[op->engines], op->slice_rows};
                run.kinds[ART_STREAM_PAGES][kind].count++;
            }
        }
    }
}

static void open(const uint8_t *blob, const struct scenario *scenario,
                 uint8_t *const memories[ART_MEMORY_COUNT])
{
    const struct art_engine_job *prepared = in_blob(blob, scenario->jobs);

    run.scenario = scenario;
    run.memories = memories;
    for (uint32_t i = 0; i < scenario->job_count; i++) {
        jobs[i] = prepared[i];
    }
    set_loads(blob, scenario);
    for (uint32_t stream = 0; stream < ART_STREAM_COUNT; stream++) {
        run.plans[stream] = (struct art_stream_plan){
            .kinds = run.kinds[stream],
            .layers = in_blob(blob, scenario->layers),
            .layer_count = scenario->layer_count,
        };
    }
}

static void begin(const struct scenario *scenario)
{
    for (uint32_t stream = 0; stream < ART_STREAM_COUNT; stream++) {
        art_stream_begin((enum art_stream)stream, &scenario->rings[stream], &run.plans[stream]);
    }
}

/* A layer on the cluster, by someone who misuses the tiles; one core. */
static void run_misused(const struct art_team *team, const struct art_linear_plan *plan,
                        const struct art_rows *src, uint32_t tokens, float *out)
{
    static uint32_t tiles;
    const struct art_ring *ring = &run.scenario->rings[ART_STREAM_TILES];
    const bool is_early = run.scenario->use == RELEASE_TOO_EARLY;

    for (uint32_t row = 0; row < plan->rows; row += plan->tile_rows) {
        struct art_matrix_place place = *plan->matrix;
        const uint32_t left = plan->rows - row;

        if (is_early) {
            place.offset_bytes = art_stream_await(ART_STREAM_TILES).offset_bytes;
            art_stream_release(ART_STREAM_TILES);
        } else {
            place.offset_bytes = ring->offset_bytes + tiles++ % ring->slots * ring->slot_bytes;
        }
        place.memory = ring->memory;
        place.rows = left < plan->tile_rows ? left : plan->tile_rows;

        const struct art_matrix matrix = art_matrix_at(&place);

        art_linear_part(team, &matrix, src, tokens, plan->rows, NULL, out + row);
        if (!is_early) {
            (void)art_stream_await(ART_STREAM_TILES);
            art_stream_release(ART_STREAM_TILES);
        }
    }
}

static void run_call(const struct art_team *team, const uint8_t *blob, const struct scenario_op *op,
                     uint32_t row, const struct scenario_call *call)
{
    const struct scenario *scenario = run.scenario;
    const struct art_matrix_place *matrices = in_blob(blob, scenario->matrices);
    const struct art_engine_place *engines = in_blob(blob, scenario->engines);
    uint8_t *l1 = run.memories[ART_MEMORY_L1];
    uint8_t *l2 = run.memories[ART_MEMORY_L2];
    const struct art_place place = {.memory = ART_MEMORY_L1, .offset_bytes = op->src};
    const struct art_rows src = art_rows_at(&place, call->tokens, op->depth);
    const void *residual = call->residual == NO_OFFSET ? NULL : l2 + call->residual;
    float *out = (float *)(void *)(l2 + call->out);
    const struct art_linear_plan plan = {
        .engine = op->engines == NO_OFFSET ? NULL : &engines[op->engines + row],
        .matrix = op->matrices == NO_OFFSET ? NULL : &matrices[op->matrices + row],
        .rows = op->rows,
        .tile_rows = op->tile_rows,
        .slice_rows = op->slice_rows,
        .block_rows = op->block_rows,
        .sums_bytes = op->sums_bytes,
        .input_bytes = op->input_bytes,
    };

    if (team->core == 0) {
        for (uint32_t i = 0; i < call->src_bytes; i++) {
            l1[op->src + i] = l2[call->src + i];
        }
    }
    art_platform_barrier(team);
    if (scenario->use == USE_AS_MEANT) {
        art_linear_planned(team, &plan, &src, call->tokens, residual, l1 + op->scratch, out);
    } else {
        run_misused(team, &plan, &src, call->tokens, out);
    }
    art_platform_barrier(team);
}

/* The misuses that a stream refuses; it ends the program. */
static void abuse(const struct scenario *scenario)
{
    const enum art_stream tiles = ART_STREAM_TILES;

    if (scenario->use == RELEASE_WHAT_WAS_NOT_AWAITED) {
        art_stream_release(tiles);
    } else if (scenario->use == BEGIN_TWICE) {
        art_stream_begin(tiles, &scenario->rings[tiles], &run.plans[tiles]);
    } else if (scenario->use == AWAIT_WHILE_ALL_ARE_TAKEN) {
        for (uint32_t i = 0; i <= scenario->rings[tiles].slots; i++) {
            (void)art_stream_await(tiles);
        }
    } else if (scenario->use == AWAIT_PAST_THE_END) {
        for (;;) {
            (void)art_stream_await(tiles);
            art_stream_release(tiles);
        }
    }
}

void run_scenario(const struct art_team *team, const uint8_t *blob, const struct scenario *scenario,
                  uint8_t *const memories[ART_MEMORY_COUNT])
{
    const struct scenario_op *ops = in_blob(blob, scenario->ops);
    const struct art_layer *layers = in_blob(blob, scenario->layers);
    const struct scenario_call *call = in_blob(blob, scenario->calls);

    if (team->core == 0) {
        open(blob, scenario, memories);
    }
    art_platform_barrier(team);
    for (uint32_t pass = 0; pass < scenario->passes; pass++) {
        if (team->core == 0) {
            begin(scenario);
            abuse(scenario);
        }
        art_platform_barrier(team);
        for (uint32_t layer = 0; layer < scenario->layer_count; layer++) {
            for (uint32_t i = 0; i < scenario->op_count; i++) {
                if (ops[i].kind == layers[layer].kind) {
                    run_call(team, blob, &ops[i], layers[layer].row, call++);
                }
            }
        }
    }
}
