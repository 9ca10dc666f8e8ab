#include "quantise_rows.h"

struct plain_rows {
    const float *src;
    uint32_t depth;
};

static void fill(void *context, uint32_t row, uint32_t first, uint32_t count, float *values)
{
    const struct plain_rows *rows = context;
    const float *src = rows->src + row * rows->depth + first;
    for (uint32_t i = 0; i < count; i++) {
        values[i] = src[i];
    }
}

void art_quantise(const struct art_team *team, uint32_t tokens, uint32_t depth, const float *src,
                  void *scratch, const struct art_rows *out)
{
    struct plain_rows rows = {.src = src, .depth = depth};
    const struct art_row_source source = {
        .fill = fill, .context = &rows, .rows = tokens, .depth = depth};
    art_quantise_rows(team, &source, scratch, out);
}
