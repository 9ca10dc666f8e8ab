#include "float_bits.h"
#include "linear_parts.h"

/* Values are kept in variables of their own: an array that is indexed somewhere stays in memory. */
#define LOAD(i) float value##i = terms->lane[i];
#define APPLY_CHANNEL(i) value##i = (value##i * scale) * channel[i];
#define APPLY_GROUP(i) value##i = (value##i * ART_UNSHRINK) * scale;
#define ADD_BIAS(i) value##i += bias[i];
#define ADD_RESIDUAL(i) value##i = residual[i] + value##i;
#define STORE(i) out[i] = value##i;
#define KEEP(i) kept[i] = value##i;

void art_finish_block(const struct art_linear_work *work, uint32_t block, uint32_t token,
                      const struct art_float_lanes *terms)
{
    const struct art_matrix *const matrix = work->matrix;
    const uint32_t first = block * ART_BLOCK_ROWS;
    const uint32_t at = token * work->stride + first;
    const float scale = work->src->scales[token];
    const float *const residual = work->residual ? work->residual + at : 0;
    float *const out = work->out + at;
    ART_EACH_LANE(LOAD)
    if (matrix->group) {
        ART_EACH_LANE(APPLY_GROUP)
    } else {
        const float *const channel = (const float *)matrix->scales + first;
        ART_EACH_LANE(APPLY_CHANNEL)
    }
    if (matrix->bias) {
        const float *const bias = matrix->bias + first;
        ART_EACH_LANE(ADD_BIAS)
    }
    if (matrix->rows - first < ART_BLOCK_ROWS) {
        float kept[ART_BLOCK_ROWS];
        ART_EACH_LANE(KEEP)
        for (uint32_t i = 0; first + i < matrix->rows; i++) {
            out[i] = residual ? residual[i] + kept[i] : kept[i];
        }
        return;
    }
    if (residual) {
        ART_EACH_LANE(ADD_RESIDUAL)
    }
    ART_EACH_LANE(STORE)
}
