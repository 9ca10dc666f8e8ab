#include "exp.h"
#include "quantise_rows.h"

struct gated_rows {
    float *gate;
    const float *up;
    uint32_t depth;
};

static const float *fill(void *context, uint32_t row, uint32_t first, uint32_t count, float *room)
{
    const struct gated_rows *rows = context;
    float *const gate = rows->gate + row * rows->depth + first;
    const float *const up = rows->up + row * rows->depth + first;
    (void)room;
    for (uint32_t i = 0; i < count; i++) {
        gate[i] = gate[i] / (1.0f + art_exp(-gate[i])) * up[i];
    }
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
    struct gated_rows rows = {.gate = gate, .up = up, .depth = depth};
    const struct art_row_source source = {
        .first_pass = fill, .second_pass = find, .context = &rows, .rows = tokens, .depth = depth};
    art_quantise_rows(team, &source, scratch, out);
}
