#include "exp.h"
#include "quantise_rows.h"
#include "tree_sum.h"

struct gated_rows {
    float *gate;
    const float *up;
    const float *powers; /* for exponentials */
    uint32_t depth;
};

static const float *fill(void *context, uint32_t row, uint32_t first, uint32_t count, float *room)
{
    const struct gated_rows *rows = context;
    float *const gate = rows->gate + row * rows->depth + first;
    const float *const up = rows->up + row * rows->depth + first;
    (void)room;
    art_gate_run(gate, up, count, rows->powers);
    return gate;
}

static const float *find(void *context, uint32_t row, uint32_t first, uint32_t count, float *room)
{
    const struct gated_rows *rows = context;
    (void)count;
    (void)room;
    return rows->gate + row * rows->depth + first;
}

void art_silu_mul_quantise(const struct art_team *team, uint32_t tokens, uint32_t depth,
                           float *gate, const float *up, void *scratch, const struct art_rows *out)
{
    struct gated_rows rows = {.gate = gate, .up = up, .powers = art_exp_table, .depth = depth};
    const struct art_row_source source = {
        .first_pass = fill, .second_pass = find, .context = &rows, .rows = tokens, .depth = depth};
    if (depth >= ART_EXP_STEPS) {
        float *const room = (float *)scratch + 2 * tokens * ART_LANES;
        art_exp_copy_table(team, room);
        art_platform_barrier(team);
        rows.powers = room;
    }
    art_quantise_rows(team, &source, scratch, out);
}
