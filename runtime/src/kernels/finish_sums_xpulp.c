#include "aretusa/kernels.h"
#include "share.h"
#include "xpulp.h"

/* This core's rows of one token. */
struct run {
    const int32_t *sums;
    const float *scales;
    const float *bias;     /* null when there is none */
    const float *residual; /* alike */
    float *out;
    uint32_t count;
    float token_scale;
};

#define LOAD_AND_SCALE                                                                             \
    XP_LW("%[value]", "%[sums]", "4")                                                              \
    XP_LW("%[scale]", "%[scales]", "4")                                                            \
    "fcvt.s.w %[value], %[value]\n\t"                                                              \
    "fmul.s %[value], %[value], %[token_scale]\n\t"                                                \
    "fmul.s %[value], %[value], %[scale]\n\t"

/* Loads that are not used at once. */
#define LOAD_BIAS XP_LW("%[scale]", "%[bias]", "4")
#define LOAD_RESIDUAL XP_LW("%[more]", "%[residual]", "4")
#define STORE XP_SW("%[value]", "%[out]", "4")
#define OPERANDS                                                                                   \
    : [sums] "+r"(run.sums), [scales] "+r"(run.scales), [out] "+r"(run.out),                       \
      [bias] "+r"(run.bias), [residual] "+r"(run.residual), [value] "=&r"(value),                  \
      [scale] "=&r"(scale), [more] "=&r"(more)                                                     \
    : [count] "r"(run.count), [token_scale] "r"(run.token_scale)                                   \
    : "memory"

static void finish(struct run run)
{
    float value, scale, more;
    if (run.bias && run.residual) {
        __asm__ volatile(XP_LOOP("%[count]", 10) LOAD_AND_SCALE LOAD_BIAS LOAD_RESIDUAL
                         "fadd.s %[value], %[value], %[scale]\n\t"
                         "fadd.s %[value], %[more], %[value]\n\t" STORE XP_END(10) OPERANDS);
    } else if (run.bias) {
        __asm__ volatile(XP_LOOP("%[count]", 8) LOAD_AND_SCALE LOAD_BIAS
                         "fadd.s %[value], %[value], %[scale]\n\t" STORE XP_END(8) OPERANDS);
    } else if (run.residual) {
        __asm__ volatile(XP_LOOP("%[count]", 8) LOAD_RESIDUAL LOAD_AND_SCALE
                         "fadd.s %[value], %[more], %[value]\n\t" STORE XP_END(8) OPERANDS);
    } else {
        __asm__ volatile(XP_LOOP("%[count]", 6) LOAD_AND_SCALE STORE XP_END(6) OPERANDS);
    }
}

/* Inputs were unsigned. */
static void finish_corrected(struct run run, const int32_t *corrections)
{
    for (uint32_t row = 0; row < run.count; row++) {
        const int32_t sum = (int32_t)((uint32_t)run.sums[row] + (uint32_t)corrections[row]);
        float value = ((float)sum * run.token_scale) * run.scales[row];

        if (run.bias) {
            value += run.bias[row];
        }
        run.out[row] = run.residual ? run.residual[row] + value : value;
    }
}

void art_finish_sums(const struct art_team *team, const struct art_sums *sums,
                     const float *token_scales, uint32_t tokens, uint32_t stride,
                     const float *residual, float *out)
{
    const uint32_t first = art_share(sums->rows, team->core, team->cores);
    const uint32_t last = art_share(sums->rows, team->core + 1, team->cores);

    for (uint32_t token = 0; token < tokens && first < last; token++) {
        const uint32_t pixel = sums->pixels ? sums->pixels[token] : token;
        const uint32_t at = token * stride + first;
        const struct run run = {
            .sums = sums->sums + pixel * sums->rows + first,
            .scales = sums->scales + first,
            .bias = sums->bias ? sums->bias + first : 0,
            .residual = residual ? residual + at : 0,
            .out = out + at,
            .count = last - first,
            .token_scale = token_scales[token],
        };

        if (sums->corrections) {
            finish_corrected(run, sums->corrections + first);
        } else {
            finish(run);
        }
    }
}
