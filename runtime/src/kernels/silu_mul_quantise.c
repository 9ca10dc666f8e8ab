#include "exp.h"
#include "quantise_rows.h"

struct gated_rows {
    const float *gate;
    const float *up;
    uint32_t depth;
};

static void fill(void *context, uint32_t row, uint32_t first, uint32_t count, float *values)
{
    const struct gated_rows *rows = context;
    const float *gate = rows->gate + row * rows->depth + first;
    const float *up = rows->up + row * rows->depth + first;
    for (uint32_t i = 0; i < count; i++) {
        values[i] = gate[i] / (1.0f + art_exp(-gate[i])) * up[i];
    }
}

void art_silu_mul_quantise(const struct art_team *team, uint32_t tokens, uint32_t depth,
                           const float *gate, const float *up, void *scratch,
                           const struct art_rows *out)
{
    struct gated_rows rows = {.gate = gate, .up = up, .depth = depth};
    const struct art_row_source source = {
        .fill = fill, .context = &rows, .rows = tokens, .depth = depth};
    art_quantise_rows(team, &source, scratch, out);
}
