#include "cases.h"

#include "aretusa/image.h"
#include "aretusa/kernels.h"
#include "aretusa/sample.h"
#include "kernels/exp.h"
#include "kernels/float_bits.h"
#include "kernels/square_root.h"
#include "placed_cases.h"

float float_param(const struct test_case *test, uint32_t index)
{
    const union {
        uint32_t bits;
        float value;
    } both = {.bits = test->params[index]};
    return both.value;
}

static struct art_matrix matrix_of(const struct test_case *test, void *const *arrays)
{
    struct art_matrix matrix;
    matrix.codes = arrays[0];
    matrix.scales = arrays[1];
    matrix.minimums = arrays[2];
    matrix.bias = arrays[3];
    matrix.rows = test->params[0];
    matrix.depth = test->params[1];
    matrix.group = test->params[2];
    matrix.form = (enum art_matrix_form)test->params[3];
    matrix.zero = test->params[4];
    matrix.has_zeros = test->params[7];
    matrix.kept = (uint8_t)test->params[8];
    matrix.columns = (uint8_t)test->params[9];
    return matrix;
}

static void run_linear(const struct art_team *team, const struct test_case *test,
                       void *const *arrays)
{
    const struct art_matrix matrix = matrix_of(test, arrays);
    const struct art_rows src = {.codes = arrays[4], .scales = arrays[5], .sums = arrays[6]};
    const uint32_t in_place = test->params[6];
    art_linear(team, &matrix, &src, test->params[5], in_place ? arrays[8] : arrays[7], arrays[8]);
}

static void run_rows(const struct art_team *team, const struct test_case *test, void *const *arrays)
{
    const struct art_rows out = {.codes = arrays[3], .scales = arrays[4], .sums = arrays[5]};
    const struct art_norm_shape shape = {
        .tokens = test->params[0], .depth = test->params[1], .eps = float_param(test, 2)};
    if (test->kernel == CASE_RMSNORM_QUANTISE) {
        art_rmsnorm_quantise(team, &shape, arrays[0], arrays[1], arrays[2], &out);
    } else if (test->kernel == CASE_QUANTISE) {
        art_quantise(team, shape.tokens, shape.depth, arrays[0], arrays[2], &out);
    } else {
        art_silu_mul_quantise(team, shape.tokens, shape.depth, arrays[0], arrays[1], arrays[2],
                              &out);
    }
}

static void run_heads(const struct art_team *team, const struct test_case *test,
                      void *const *arrays)
{
    const struct art_heads_shape shape = {.tokens = test->params[0],
                                          .heads = test->params[1],
                                          .dim = test->params[2],
                                          .position = test->params[3]};
    const struct art_head_transform transform = {.norm_weight = arrays[0],
                                                 .norm_eps = float_param(test, 4),
                                                 .rope_cosine = arrays[1],
                                                 .rope_sine = arrays[2]};
    art_heads_quantise(team, &shape, &transform, arrays[3], arrays[4], arrays[5]);
}

static void run_sample(const struct test_case *test, void *const *arrays)
{
    struct art_sampler sampler = {.temperature = float_param(test, 0),
                                  .top_p = float_param(test, 1),
                                  .state = test->params[2] | (uint64_t)test->params[3] << 32};
    int32_t *const chosen = arrays[1];
    uint32_t *const state = arrays[2];
    for (uint32_t i = 0; i < test->params[5]; i++) {
        chosen[i] = art_sample(&sampler, arrays[0], test->params[4]);
    }
    state[0] = (uint32_t)sampler.state;
    state[1] = (uint32_t)(sampler.state >> 32);
}

static void run_crc(const struct test_case *test, void *const *arrays)
{
    const uint8_t *const bytes = arrays[0];
    uint32_t *const crc = arrays[1];
    *crc = art_crc32c(test->params[0], bytes + test->params[1], test->params[2]);
}

static void run_check_image(const struct art_team *team, const struct test_case *test,
                            void *const *arrays)
{
    uint32_t *const found = arrays[2];
    const enum art_exit header = art_image_check_header(arrays[0], test->params[0], arrays[1],
                                                        (enum art_memory)test->params[1]);
    if (team->core == 0) {
        found[0] = header;
    }
    found[1 + team->core] =
        header == ART_EXIT_OK ? art_image_check_chunks(team, arrays[0]) : header;
}

/* The scalar functions, element by element. */
static void run_functions(const struct test_case *test, void *const *arrays)
{
    const float *const values = arrays[0];
    const uint16_t *const halves = arrays[1];
    float *const exponentials = arrays[2];
    float *const roots = arrays[3];
    float *const widened = arrays[4];
    for (uint32_t i = 0; i < test->params[0]; i++) {
        exponentials[i] = art_exp(values[i]);
        roots[i] = art_square_root(art_magnitude(values[i]));
    }
    for (uint32_t i = 0; i < test->params[1]; i++) {
        widened[i] = art_widen_half(halves[i]);
    }
}

static void run_alone(const struct test_case *test, void *const *arrays)
{
    if (test->kernel == CASE_SAMPLE) {
        run_sample(test, arrays);
    } else if (test->kernel == CASE_CRC32C) {
        run_crc(test, arrays);
    } else if (test->kernel == CASE_SCRATCH_BYTES) {
        run_scratch_bytes(test, arrays);
    } else if (test->kernel == CASE_FUNCTIONS) {
        run_functions(test, arrays);
    }
}

/* The kernels whose operands lie at places; false for the others. */
static bool run_placed(const struct art_team *team, const struct test_case *test,
                       void *const *arrays)
{
    switch ((enum case_kernel)test->kernel) {
    case CASE_EMBED:
        run_embed(team, test, arrays);
        return true;
    case CASE_CACHE_APPEND:
        run_cache_append(team, test, arrays);
        return true;
    case CASE_ATTENTION:
        run_attention(team, test, arrays);
        return true;
    case CASE_STEPS:
        run_steps(team, test, arrays);
        return true;
    default:
        return false;
    }
}

void run_case(const struct art_team *team, const struct test_case *test, void *const *arrays)
{
    if (run_placed(team, test, arrays)) {
        return;
    }
    switch ((enum case_kernel)test->kernel) {
    case CASE_LINEAR:
        run_linear(team, test, arrays);
        break;
    case CASE_RMSNORM_QUANTISE:
    case CASE_QUANTISE:
    case CASE_SILU_MUL_QUANTISE:
        run_rows(team, test, arrays);
        break;
    case CASE_HEADS_QUANTISE:
        run_heads(team, test, arrays);
        break;
    case CASE_CHECK_IMAGE:
        run_check_image(team, test, arrays);
        break;
    default:
        if (team->core == 0) {
            run_alone(test, arrays);
        }
        break;
    }
}
