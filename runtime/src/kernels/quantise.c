#include "quantise_rows.h"

struct plain_rows {
    const float *src;
    uint32_t depth;
};

static const float *find(void *context, uint32_t row, uint32_t first, uint32_t count, float *room)
{
    const struct plain_rows *rows = context;
    (void)count;
    (void)room;
    return rows->src + row * rows->depth + first;
}

void art_quantise(const struct art_team *team, uint32_t tokens, uint32_t depth, const float *src,
                  void *scratch, const struct art_rows *out)
{
    struct plain_rows rows = {.src = src, .depth = depth};
    const struct art_row_source source = {
        .first_pass = find, .second_pass = find, .context = &rows, .rows = tokens, .depth = depth};
    art_quantise_rows(team, &source, scratch, out);
}
