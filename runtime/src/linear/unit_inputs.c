#include "units.h"

enum { TOKEN_ROWS = 3, TOKEN_COLS = 3, GRID_COLS = 6 };

/* Words that may overlay anything. */
typedef uint32_t __attribute__((may_alias)) any_word;

/* This core's share of a run of codes; `flip` is xor-ed into each four. */
static void copy(const struct art_team *team, const int8_t *from, int8_t *to, uint32_t count,
                 uint32_t flip)
{
    const bool is_last = team->core + 1 == team->cores;
    const bool are_words = (((uintptr_t)from | (uintptr_t)to) & 3) == 0;
    const uint32_t end = is_last ? count : count * (team->core + 1) / team->cores / 4 * 4;
    uint32_t at = count * team->core / team->cores / 4 * 4;

    if (are_words) {
        for (; at + 4 <= end; at += 4) {
            *(any_word *)(void *)(to + at) = *(const any_word *)(const void *)(from + at) ^ flip;
        }
    }
    for (; at < end; at++) {
        to[at] = (int8_t)(from[at] ^ (int8_t)flip);
    }
}

/* Three rows of three pixels. What is left of the last ones keeps what was there: its weights are
 * zeros. */
static void copy_image(const struct art_team *team, const int8_t *codes, uint32_t length,
                       int8_t *image, uint32_t cols, uint32_t flip)
{
    const uint32_t channels = linear_channels(length);
    const uint32_t run = TOKEN_COLS * channels;

    for (uint32_t at = 0; at < length; at += run) {
        copy(team, codes + at, image, linear_least(run, length - at), flip);
        image += cols * channels;
    }
}

/* Whether the unit's buffer still holds its inputs: each keeps the same ones where no more than two
 * inputs take turns. */
static bool is_kept(const struct linear_call *call, const struct linear_unit *unit)
{
    const uint32_t turns = (call->tokens + call->group_tokens - 1) / call->group_tokens;

    return unit->number >= 2 && turns * call->groups <= 2;
}

void linear_arrange(const struct art_team *team, const struct linear_call *call,
                    const struct linear_unit *unit)
{
    const struct art_engine_place *engine = call->plan->engine;
    const bool is_unsigned = (engine->flags & ART_ENGINE_UNSIGNED) != 0;

    if (is_kept(call, unit)) {
        return;
    }
    const uint32_t depth = engine->depth;
    const uint32_t flip = is_unsigned ? 0x80808080u : 0; /* code + 128 */
    const uint32_t length = linear_unit_length(engine, unit);
    const int8_t *codes = linear_codes(call, unit);
    int8_t *inputs = linear_inputs(call, unit);

    if (engine->mode == ART_NEUREKA_1X1) {
        copy(team, codes, inputs, unit->tokens * depth, flip);
        return;
    }
    const uint32_t cols = unit->tokens > 1 ? GRID_COLS : TOKEN_COLS;

    for (uint32_t token = 0; token < unit->tokens; token++) {
        const uint32_t pixel = token / 2 * TOKEN_ROWS * cols + token % 2 * TOKEN_COLS;

        copy_image(team, codes + token * depth, length, inputs + pixel * linear_channels(length),
                   cols, flip);
    }
}
