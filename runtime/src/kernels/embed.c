#include "aretusa/kernels.h"
#include "float_bits.h"

/* One code of the row that stands in lane of a block whose codes start at codes. */
static int32_t code_at(const struct art_matrix *table, uint32_t block, uint32_t lane, uint32_t k)
{
    const uint32_t column = block * table->depth + k;
    if (table->form == ART_MATRIX_W8_CHANNEL || table->form == ART_MATRIX_W8_GROUP) {
        const int8_t *const codes = table->codes;
        return codes[column * ART_BLOCK_ROWS + lane];
    }
    const uint32_t *const codes = table->codes;
    const uint32_t nibble = codes[column] >> (4 * (lane / 2) + 16 * (lane % 2)) & 15u;
    return (int32_t)nibble - (int32_t)table->zero;
}

/* The elements first .. last - 1, which share one scale. */
static void embed_run(const struct art_matrix *table, uint32_t row, uint32_t first, uint32_t last,
                      float *out)
{
    const uint32_t block = row / ART_BLOCK_ROWS;
    const uint32_t lane = row % ART_BLOCK_ROWS;
    float scale;
    float minimum = 0.0f;
    if (table->group == 0) {
        scale = ((const float *)table->scales)[row];
    } else {
        const uint32_t groups = (table->depth + table->group - 1) / table->group;
        const uint32_t at = (block * groups + first / table->group) * ART_BLOCK_ROWS + lane;
        scale = art_widen_half(((const uint16_t *)table->scales)[at]);
        minimum = table->minimums ? art_widen_half(table->minimums[at]) : 0.0f;
    }
    for (uint32_t k = first; k < last; k++) {
        const float value = (float)code_at(table, block, lane, k) * scale;
        out[k] = table->minimums ? value + minimum : value;
    }
}

void art_embed(const struct art_team *team, const struct art_matrix *table, const int32_t *tokens,
               uint32_t count, float *out)
{
    const uint32_t depth = table->depth;
    const uint32_t runs = (depth + ART_SUM_RUN - 1) / ART_SUM_RUN;
    for (uint32_t at = team->core; at < count * runs; at += team->cores) {
        const uint32_t token = at / runs;
        const uint32_t first = at % runs * ART_SUM_RUN;
        const uint32_t end = first + ART_SUM_RUN;
        embed_run(table, (uint32_t)tokens[token], first, end < depth ? end : depth,
                  out + token * depth);
    }
}
