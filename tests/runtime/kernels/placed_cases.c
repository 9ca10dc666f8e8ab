/* The cases of the kernels whose operands lie at places and reach L1 by transfers. */
#include "placed_cases.h"

#include "aretusa/engine.h"
#include "aretusa/kernels.h"
#include "aretusa/places.h"

static struct {
    void *first;
    uint32_t bytes;
} memories[ART_MEMORY_COUNT];

void prepare_memories(const struct test_case *test, void *const *arrays)
{
    for (uint32_t memory = 0; memory < ART_MEMORY_COUNT; memory++) {
        const uint32_t number = test->memories[memory];
        memories[memory].first = number > 0 ? arrays[number - 1] : NULL;
        memories[memory].bytes = number > 0 ? test->bytes[number - 1] : 0;
    }
}

void *art_platform_memory(enum art_memory memory)
{
    return memories[memory].first;
}

uint32_t art_platform_memory_bytes(enum art_memory memory)
{
    return memories[memory].bytes;
}

static struct art_place place_param(const struct test_case *test, uint32_t index)
{
    return (struct art_place){.memory = (uint8_t)test->params[index],
                              .offset_bytes = test->params[index + 1]};
}

/* The kernel must leave everything before its scratch alone. */
static void *scratch_param(const struct test_case *test, uint32_t index)
{
    return (uint8_t *)memories[ART_MEMORY_L1].first + test->params[index];
}

static struct art_attention_shape attention_shape(const struct test_case *test)
{
    return (struct art_attention_shape){.tokens = test->params[0],
                                        .heads = test->params[1],
                                        .kv_heads = test->params[2],
                                        .dim = test->params[3],
                                        .position = test->params[4],
                                        .context = test->params[5],
                                        .tile_positions = test->params[6],
                                        .scores_bytes = test->params[7],
                                        .inverse_sqrt_dim = float_param(test, 8),
                                        .key_form = (enum art_cache_form)test->params[9],
                                        .value_form = (enum art_cache_form)test->params[10]};
}

static struct art_heads_shape heads_of(const struct art_attention_shape *shape, uint32_t heads,
                                       enum art_cache_form form)
{
    return (struct art_heads_shape){.tokens = shape->tokens,
                                    .heads = heads,
                                    .dim = shape->dim,
                                    .position = shape->position,
                                    .form = form};
}

void run_cache_append(const struct art_team *team, const struct test_case *test,
                      void *const *arrays)
{
    const struct art_heads_shape shape = {.tokens = test->params[0],
                                          .heads = test->params[1],
                                          .dim = test->params[2],
                                          .position = test->params[3],
                                          .form = (enum art_cache_form)test->params[9]};
    const struct art_head_transform transform = {.norm_weight = arrays[0],
                                                 .norm_eps = float_param(test, 4),
                                                 .rope_cosine = arrays[1],
                                                 .rope_sine = arrays[2]};
    const struct art_place cache = place_param(test, 6);
    art_cache_append(team, &shape, &transform, test->params[5], arrays[3], &cache,
                     scratch_param(test, 8));
}

void run_attention(const struct art_team *team, const struct test_case *test, void *const *arrays)
{
    const struct art_attention_shape shape = attention_shape(test);
    const struct art_place keys = place_param(test, 11);
    const struct art_place values = place_param(test, 13);
    art_attention(team, &shape, arrays[0], arrays[1], &keys, &values, scratch_param(test, 15),
                  arrays[2]);
}

/* Attention with its appends, as a program takes its steps: some tokens at a time. */
void run_steps(const struct art_team *team, const struct test_case *test, void *const *arrays)
{
    const struct art_head_transform none = {0};
    const struct art_attention_shape all = attention_shape(test);
    const struct art_place keys = place_param(test, 11);
    const struct art_place values = place_param(test, 13);
    const uint32_t chunk = test->params[16];
    void *const scratch = scratch_param(test, 15);
    for (uint32_t first = 0; first < all.tokens; first += chunk) {
        struct art_attention_shape shape = all;
        shape.tokens = all.tokens - first < chunk ? all.tokens - first : chunk;
        shape.position = first;
        const struct art_heads_shape queries = heads_of(&shape, shape.heads, ART_CACHE_8BIT);
        const struct art_heads_shape new_keys = heads_of(&shape, shape.kv_heads, shape.key_form);
        const struct art_heads_shape new_values =
            heads_of(&shape, shape.kv_heads, shape.value_form);
        const uint32_t query = first * shape.heads * shape.dim;
        const uint32_t row = first * shape.kv_heads * shape.dim;
        art_cache_append(team, &new_keys, &none, shape.context, (float *)arrays[1] + row, &keys,
                         scratch);
        art_heads_quantise(team, &queries, &none, (float *)arrays[0] + query, arrays[3], arrays[4]);
        art_platform_barrier(team);
        art_cache_append(team, &new_values, &none, shape.context, (float *)arrays[2] + row, &values,
                         scratch);
        art_platform_barrier(team);
        art_attention(team, &shape, arrays[3], arrays[4], &keys, &values, scratch,
                      (float *)arrays[5] + query);
        art_platform_barrier(team);
    }
}

void run_embed(const struct art_team *team, const struct test_case *test, void *const *arrays)
{
    const uint32_t *const params = test->params;
    const struct art_engine_place engine = {.mode = (uint8_t)params[3],
                                            .bits = (uint8_t)params[4],
                                            .memory = (uint8_t)params[5],
                                            .rows = params[7],
                                            .depth = params[0],
                                            .offset_bytes = params[6],
                                            .channels = place_param(test, 8)};
    const struct art_matrix_place matrix = {.memory = (uint8_t)params[10],
                                            .form = (uint8_t)params[12],
                                            .zero = (uint8_t)params[13],
                                            .parts = (uint8_t)params[14],
                                            .group = (uint16_t)params[15],
                                            .rows = params[16],
                                            .depth = params[0],
                                            .offset_bytes = params[11]};
    const struct art_engine_place *const first = engine.rows > 0 ? &engine : NULL;
    const struct art_matrix_place *const rest = matrix.rows > 0 ? &matrix : NULL;
    uint32_t *const found = arrays[2];
    if (team->core == 0) {
        *found = art_embed_scratch_bytes(first, rest, params[1]);
    }
    art_embed_planned(team, first, rest, arrays[0], params[1], scratch_param(test, 2), arrays[1]);
}

void run_scratch_bytes(const struct test_case *test, void *const *arrays)
{
    uint32_t *const found = arrays[0];
    const struct art_attention_shape shape = attention_shape(test);
    const struct art_heads_shape heads = heads_of(&shape, shape.kv_heads, shape.value_form);
    found[0] = art_quantise_scratch_bytes(shape.tokens, shape.dim);
    found[1] = art_attention_scratch_bytes(&shape);
    found[2] = art_cache_append_scratch_bytes(&heads);
}
