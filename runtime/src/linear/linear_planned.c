#include <stddef.h>

#include "aretusa/stream.h"
#include "units.h"

/* The slot of page n is entry n % 2. Core 0 writes it before a barrier behind which the units of
 * the page are finished, and again only when all cores have left it. */
static struct art_place pages[2];

/* The last job of each of two units. Core 0 only. */
struct queued {
    uint32_t job[2];
    uint32_t units; /* queued so far */
};

static struct art_place *page_of(const struct linear_call *call, const struct linear_unit *unit)
{
    return &pages[unit->page / call->page_rows % 2];
}

static void queue(const struct linear_call *call, const struct linear_unit *unit,
                  struct queued *queued)
{
    const struct art_engine_place *engine = call->plan->engine;
    const struct art_place resident = {
        .memory = engine->memory,
        .offset_bytes = engine->offset_bytes,
    };
    const bool is_paged = engine->memory == ART_MEMORY_L3;

    if (linear_starts_page(call, unit)) {
        *page_of(call, unit) = art_stream_await(ART_STREAM_PAGES);
    }
    queued->job[unit->number % 2] =
        linear_submit(call, unit, is_paged ? page_of(call, unit) : &resident);
    queued->units++;
}

/* What core 0 does before the barrier of a unit: queue the one after it, which writes to the other
 * buffer, and wait. All cores have left the unit before it. */
static void run_unit(const struct linear_call *call, const struct linear_unit *unit,
                     const struct linear_unit *next, struct queued *queued)
{
    if (unit->number > 0 && linear_starts_page(call, unit)) {
        art_stream_release(ART_STREAM_PAGES);
    }
    if (queued->units == unit->number) {
        queue(call, unit, queued);
    }
    if (next && (!linear_starts_page(call, next) || art_stream_slots(ART_STREAM_PAGES) > 1)) {
        queue(call, next, queued);
    }
    art_engine_wait(queued->job[unit->number % 2]);
}

/* The units; core 0 has queued the first one. */
static void run_units(const struct art_team *team, const struct linear_call *call,
                      struct linear_unit unit, struct queued *queued)
{
    bool has_next = true;

    while (has_next) {
        struct linear_unit next;

        has_next = linear_next_unit(call, &unit, &next);
        const bool is_arranged = has_next && linear_is_arranged(call->plan->engine, next.tokens);

        if (is_arranged) {
            linear_arrange(team, call, &next);
        }
        if (unit.number > 0 || is_arranged) {
            art_platform_barrier(team);
        }
        if (team->core == 0) {
            run_unit(call, &unit, has_next ? &next : NULL, queued);
        }
        art_platform_barrier(team);
        linear_finish(team, call, &unit, page_of(call, &unit));
        unit = next;
    }
    if (call->plan->engine->memory == ART_MEMORY_L3) {
        art_platform_barrier(team);
        if (team->core == 0) {
            art_stream_release(ART_STREAM_PAGES);
        }
    }
}

/* With groups, pages are whole bands and inputs are signed. */
static bool are_groups_possible(const struct linear_call *call)
{
    const struct art_engine_place *engine = call->plan->engine;

    return engine->group == 0 ||
           ((engine->flags & ART_ENGINE_UNSIGNED) == 0 &&
            (call->page_rows >= engine->rows || call->page_rows % engine->band_rows == 0));
}

/* The sizes of the engine's part. */
static void set_sizes(struct linear_call *call)
{
    const struct art_linear_plan *plan = call->plan;
    const bool is_paged = plan->engine->memory == ART_MEMORY_L3;

    call->group_tokens = art_linear_group_tokens(plan, call->tokens);
    call->page_rows = is_paged ? plan->slice_rows : plan->engine->rows;
    call->unit_rows = art_linear_unit_rows(plan, call->tokens);
    call->groups = art_engine_groups(plan->engine);
    if (call->unit_rows == 0 || !are_groups_possible(call) ||
        art_linear_group_input_bytes(plan, call->group_tokens) > plan->input_bytes) {
        art_platform_exit(ART_EXIT_ASSERT);
    }
}

/* The engine has its first unit before the cores turn to their tiles. */
static void run_engine(const struct art_team *team, struct linear_call *call)
{
    struct queued queued = {.units = 0};

    set_sizes(call);

    const struct linear_unit first = linear_first_unit(call);

    if (linear_is_arranged(call->plan->engine, first.tokens)) {
        linear_arrange(team, call, &first);
        art_platform_barrier(team);
    }
    if (team->core == 0) {
        queue(call, &first, &queued);
    }
    if (call->plan->matrix) {
        linear_tiles(team, call);
    }
    run_units(team, call, first, &queued);
}

/* Many units ask the table of the engine's rows, which lies in a memory that a core of the chip
 * waits for; its stack is near. */
static __attribute__((noinline)) void run_any(const struct art_team *team,
                                              const struct linear_call *call)
{
    const struct art_engine_place engine = *call->plan->engine;
    struct art_linear_plan plan = *call->plan;
    struct linear_call near = *call;

    plan.engine = &engine;
    near.plan = &plan;
    run_engine(team, &near);
}

void art_linear_planned(const struct art_team *team, const struct art_linear_plan *plan,
                        const struct art_rows *src, uint32_t tokens, const float *residual,
                        void *scratch, float *out)
{
    const struct linear_call call = {
        .plan = plan,
        .src = src,
        .tokens = tokens,
        .residual = residual,
        .scratch = scratch,
        .out = out,
    };

    if (!plan->engine) {
        linear_tiles(team, &call);
    } else if (linear_is_one_token(&call)) {
        linear_one_token(team, &call);
    } else {
        run_any(team, &call);
    }
}
