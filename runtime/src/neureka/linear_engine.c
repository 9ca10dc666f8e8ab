#include "aretusa/engine.h"

/* One call, and where its numbers lie for the engine. */
struct call {
    const struct art_engine_linear *linear;
    const struct art_rows *src;
    uint32_t tokens;
    int32_t *sums; /* two buffers of group_tokens * rows */
};

uint32_t art_linear_engine_scratch_bytes(uint32_t rows, uint32_t group_tokens)
{
    return 2 * 4 * rows * group_tokens;
}

static uint32_t l1_offset(const void *address)
{
    const uint8_t *first = art_platform_memory(ART_MEMORY_L1);

    return (uint32_t)((const uint8_t *)address - first);
}

static struct art_neureka_shape gemv_3x3(const struct art_engine_place *place)
{
    const uint32_t channels = (place->depth + 8) / 9;

    return (struct art_neureka_shape){
        .mode = ART_NEUREKA_3X3,
        .bits = place->bits,
        .flags = ART_NEUREKA_WEIGHT_MEMORY | ART_NEUREKA_SIGNED | ART_NEUREKA_PREFETCH,
        .out_channels = place->rows,
        .in_channels = channels,
        .out_rows = 1,
        .out_cols = 1,
        .in_pixel_bytes = channels,
        .in_row_bytes = 3 * channels,
        .out_pixel_bytes = 4 * place->rows,
        .out_row_bytes = 4 * place->rows,
    };
}

static uint32_t tiles_of(uint32_t rows, uint32_t cols)
{
    return ((rows + 5) / 6) * ((cols + 5) / 6);
}

/* Rows of the product with the fewest 6x6 tiles, and of those the fewest rows. */
static uint32_t factorise(uint32_t tokens)
{
    uint32_t best = 1;

    for (uint32_t rows = 2; rows <= tokens; rows++) {
        if (tokens % rows == 0 && tiles_of(rows, tokens / rows) < tiles_of(best, tokens / best)) {
            best = rows;
        }
    }
    return best;
}

static struct art_neureka_shape linear_1x1(const struct art_engine_place *place, uint32_t tokens)
{
    const uint32_t rows = factorise(tokens);
    const uint32_t cols = tokens / rows;

    return (struct art_neureka_shape){
        .mode = ART_NEUREKA_1X1,
        .bits = place->bits,
        .flags = ART_NEUREKA_WEIGHT_MEMORY | ART_NEUREKA_SIGNED | ART_NEUREKA_PREFETCH,
        .out_channels = place->rows,
        .in_channels = place->depth,
        .out_rows = rows,
        .out_cols = cols,
        .in_pixel_bytes = place->depth,
        .in_row_bytes = place->depth * cols,
        .out_pixel_bytes = 4 * place->rows,
        .out_row_bytes = 4 * place->rows * cols,
    };
}

static uint32_t group_size(const struct call *call, uint32_t group)
{
    const uint32_t first = group * call->linear->group_tokens;
    const uint32_t left = call->tokens - first;

    return left < call->linear->group_tokens ? left : call->linear->group_tokens;
}

static int32_t *group_sums(const struct call *call, uint32_t group)
{
    const uint32_t size = call->linear->group_tokens * call->linear->engine->rows;

    return call->sums + (group % 2) * size;
}

static uint32_t submit(const struct call *call, const struct art_neureka_shape *shape,
                       uint32_t token, const int32_t *sums)
{
    const struct art_engine_place *place = call->linear->engine;
    const int8_t *inputs = call->src->codes + token * place->depth;
    uint32_t registers[ART_NEUREKA_REGISTERS];

    art_neureka_job(shape, place->weights_offset, l1_offset(inputs), l1_offset(sums), registers);
    return art_engine_submit(registers);
}

/* Jobs of a group of tokens: one with the tokens as pixels, or one for each token. */
static uint32_t submit_group(const struct call *call, uint32_t group)
{
    const struct art_engine_place *place = call->linear->engine;
    const uint32_t first = group * call->linear->group_tokens;
    const uint32_t tokens = group_size(call, group);
    int32_t *sums = group_sums(call, group);
    uint32_t job = 0;

    if (place->mode == ART_NEUREKA_1X1) {
        const struct art_neureka_shape shape = linear_1x1(place, tokens);

        return submit(call, &shape, first, sums);
    }
    const struct art_neureka_shape shape = gemv_3x3(place);

    for (uint32_t token = 0; token < tokens; token++) {
        job = submit(call, &shape, first + token, sums + token * place->rows);
    }
    return job;
}

static void finish_group(const struct art_team *team, const struct call *call, uint32_t group,
                         const float *residual, float *out)
{
    const struct art_engine_place *place = call->linear->engine;
    const uint32_t first = group * call->linear->group_tokens;
    const uint32_t at = first * call->linear->rows;
    const float *channels = art_at(&place->channels);
    const struct art_sums sums = {
        .sums = group_sums(call, group),
        .scales = channels,
        .bias = place->has_bias != 0 ? channels + place->rows : NULL,
        .rows = place->rows,
    };

    art_finish_sums(team, &sums, call->src->scales + first, group_size(call, group),
                    call->linear->rows, residual ? residual + at : NULL, out + at);
}

void art_linear_engine(const struct art_team *team, const struct art_engine_linear *linear,
                       const struct art_rows *src, uint32_t tokens, const float *residual,
                       void *scratch, float *out)
{
    const struct call call = {.linear = linear, .src = src, .tokens = tokens, .sums = scratch};
    const uint32_t groups = (tokens + linear->group_tokens - 1) / linear->group_tokens;
    const uint32_t rows = linear->engine->rows;
    uint32_t job = team->core == 0 ? submit_group(&call, 0) : 0;

    if (linear->rest) {
        art_linear_part(team, linear->rest, src, tokens, linear->rows,
                        residual ? residual + rows : NULL, out + rows);
    }
    for (uint32_t group = 0; group < groups; group++) {
        /* The next group's jobs overwrite what the cores read for the group before this one. */
        art_platform_barrier(team);
        if (team->core == 0) {
            const uint32_t own = job;

            job = group + 1 < groups ? submit_group(&call, group + 1) : job;
            art_engine_wait(own);
        }
        art_platform_barrier(team);
        finish_group(team, &call, group, residual, out);
    }
}
