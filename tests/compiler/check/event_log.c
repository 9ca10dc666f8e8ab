/* Writes what core 0 does to events.log: linked around the runtime with --wrap. */
#include <inttypes.h>
#include <stdio.h>

#include "aretusa/engine.h"
#include "aretusa/network.h"
#include "aretusa/transfer.h"
#include "kernels/attention_rows.h"

#define WRAPPED(result, name, ...)                                                                 \
    result __real_##name(__VA_ARGS__);                                                             \
    result __wrap_##name(__VA_ARGS__);                                                             \
    result __wrap_##name(__VA_ARGS__)

static FILE *log_file(void)
{
    static FILE *file;

    if (!file) {
        file = fopen("events.log", "w");
    }
    return file;
}

WRAPPED(void, art_network_forward, const struct art_team *team, const int32_t *tokens,
        uint32_t count, uint32_t position)
{
    if (team->core == 0) {
        fprintf(log_file(), "forward %" PRIu32, position);
        for (uint32_t i = 0; i < count; i++) {
            fprintf(log_file(), " %" PRIi32, tokens[i]);
        }
        fprintf(log_file(), "\n");
    }
    __real_art_network_forward(team, tokens, count, position);
}

WRAPPED(const float *, art_network_head, const struct art_team *team, uint32_t row)
{
    if (team->core == 0) {
        fprintf(log_file(), "head %" PRIu32 "\n", row);
    }
    return __real_art_network_head(team, row);
}

WRAPPED(uint32_t, art_transfer_submit, enum art_queue queue, const struct art_transfer *transfer)
{
    const uint32_t number = __real_art_transfer_submit(queue, transfer);

    fprintf(log_file(), "transfer %d %" PRIu32 ": %d %" PRIu32 " to %d %" PRIu32 ", %" PRIu32,
            queue, number, transfer->from_memory, transfer->from_bytes, transfer->to_memory,
            transfer->to_bytes, transfer->bytes);
    if (transfer->run_bytes > 0) {
        fprintf(log_file(), " in %" PRIu32 " every %" PRIu32, transfer->run_bytes,
                transfer->stride_bytes);
    }
    fprintf(log_file(), "\n");
    return number;
}

WRAPPED(void, art_transfer_wait, enum art_queue queue, uint32_t number)
{
    fprintf(log_file(), "transfer %d %" PRIu32 " awaited\n", queue, number);
    __real_art_transfer_wait(queue, number);
}

WRAPPED(uint32_t, art_engine_submit, const uint32_t registers[ART_NEUREKA_REGISTERS])
{
    const uint32_t number = __real_art_engine_submit(registers);

    fprintf(log_file(), "job %" PRIu32 ":", number);
    for (uint32_t i = 0; i < ART_NEUREKA_REGISTERS; i++) {
        fprintf(log_file(), " %" PRIx32, registers[i]);
    }
    fprintf(log_file(), "\n");
    return number;
}

WRAPPED(void, art_engine_wait, uint32_t job)
{
    fprintf(log_file(), "job %" PRIu32 " awaited\n", job);
    __real_art_engine_wait(job);
}

WRAPPED(void, art_platform_barrier, const struct art_team *team)
{
    if (team->core == 0) {
        fprintf(log_file(), "barrier\n");
    }
    __real_art_platform_barrier(team);
}

WRAPPED(void, art_linear_part, const struct art_team *team, const struct art_matrix *matrix,
        const struct art_rows *src, uint32_t tokens, uint32_t stride, const float *residual,
        float *out)
{
    if (team->core == 0) {
        fprintf(log_file(), "linear tile %" PRIu32 " x %" PRIu32 "\n", tokens, matrix->rows);
    }
    __real_art_linear_part(team, matrix, src, tokens, stride, residual, out);
}

WRAPPED(void, art_finish_sums, const struct art_team *team, const struct art_sums *sums,
        const float *token_scales, uint32_t tokens, uint32_t stride, const float *residual,
        float *out)
{
    if (team->core == 0) {
        fprintf(log_file(), "linear finish %" PRIu32 " x %" PRIu32 "\n", tokens, sums->rows);
    }
    __real_art_finish_sums(team, sums, token_scales, tokens, stride, residual, out);
}

WRAPPED(void, art_add_group_sums, const struct art_team *team, const struct art_group_sums *sums,
        uint32_t tokens, float *totals)
{
    if (team->core == 0) {
        fprintf(log_file(), "linear group %" PRIu32 " x %" PRIu32 "\n", tokens, sums->rows);
    }
    __real_art_add_group_sums(team, sums, tokens, totals);
}

WRAPPED(void, art_finish_totals, const struct art_team *team, const struct art_totals *totals,
        const float *token_scales, uint32_t tokens, uint32_t stride, const float *residual,
        float *out)
{
    if (team->core == 0) {
        fprintf(log_file(), "linear totals %" PRIu32 " x %" PRIu32 "\n", tokens, totals->rows);
    }
    __real_art_finish_totals(team, totals, token_scales, tokens, stride, residual, out);
}

static void log_step(const struct art_team *team, const struct attention *attention,
                     const struct attention_step *step, const char *part)
{
    if (team->core == 0) {
        fprintf(log_file(), "attention %s %" PRIu32 " x %" PRIu32 "\n", part,
                step->end - step->position, step->pass_tokens * attention->repeat * step->heads);
    }
}

WRAPPED(void, art_attention_keys, const struct art_team *team, const struct attention *attention,
        const struct attention_step *step)
{
    log_step(team, attention, step, "keys");
    __real_art_attention_keys(team, attention, step);
}

WRAPPED(void, art_attention_value_scales, const struct art_team *team,
        const struct attention *attention, const struct attention_step *step)
{
    log_step(team, attention, step, "value_scales");
    __real_art_attention_value_scales(team, attention, step);
}

WRAPPED(void, art_attention_values, const struct art_team *team, const struct attention *attention,
        const struct attention_step *step)
{
    log_step(team, attention, step, "values");
    __real_art_attention_values(team, attention, step);
}
