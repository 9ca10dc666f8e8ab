#include "quantise_rows.h"

#include "tree_sum.h"

/* Runs of 32 elements are dealt to the cores round robin across the rows: a core's first run of the
 * next row stands where its last one of this row left off. Where there are fewer runs than cores,
 * they are divided into pieces of 16 or 8 elements, whose sums are added up at the end. */
struct pieces {
    uint32_t length;
    uint32_t shift; /* 2^shift of them are a run */
    uint32_t per_row;
};

enum { RUN_SHIFT = 5 }; /* 2^5 = ART_SUM_RUN: nothing is divided here */

uint32_t art_quantise_scratch_bytes(uint32_t tokens, uint32_t depth)
{
    const uint32_t lane_elements = (depth + ART_LANES - 1) / ART_LANES;
    return (2 * tokens + lane_elements) * ART_LANES * (uint32_t)sizeof(float);
}

static struct pieces pieces_of(const struct art_team *team, const struct art_row_source *source)
{
    const uint32_t runs = (source->depth + ART_SUM_RUN - 1) / ART_SUM_RUN;
    uint32_t shift = 0;
    while (shift < 2 && source->rows * runs << (shift + 1) <= team->cores) {
        shift++;
    }
    const uint32_t length = ART_SUM_RUN >> shift;
    return (struct pieces){length, shift, (source->depth + length - 1) >> (RUN_SHIFT - shift)};
}

static uint32_t piece_length(const struct pieces *pieces, uint32_t depth, uint32_t first)
{
    const uint32_t left = depth - first;
    return left < pieces->length ? left : pieces->length;
}

static void find_maxima(const struct art_team *team, const struct art_row_source *source,
                        const struct pieces *pieces, float *maxima)
{
    float room[ART_SUM_RUN];
    uint32_t piece = team->core;
    for (uint32_t row = 0; row < source->rows; row++) {
        float largest = 0.0f;
        for (; piece < pieces->per_row; piece += team->cores) {
            const uint32_t first = piece * pieces->length;
            const uint32_t count = piece_length(pieces, source->depth, first);
            largest = art_largest(source->first_pass(source->context, row, first, count, room),
                                  count, largest);
        }
        piece -= pieces->per_row;
        maxima[row * ART_CORES_MAX + team->core] = largest;
    }
}

static struct art_row_scale row_scale(const struct art_team *team, const float *maxima)
{
    return art_row_scale(art_largest(maxima, team->cores, 0.0f), 127.0f);
}

/* The sum of a piece's codes goes to `sums`. */
static void write_codes(const struct art_team *team, const struct art_row_source *source,
                        const struct pieces *pieces, const float *maxima, int32_t *sums,
                        const struct art_rows *out)
{
    float room[ART_SUM_RUN];
    uint32_t piece = team->core;
    uint32_t keeper = 0; /* who writes a row's scale, in turns */
    for (uint32_t row = 0; row < source->rows; row++) {
        const bool is_keeper = keeper == team->core;
        keeper = keeper + 1 < team->cores ? keeper + 1 : 0;
        if (piece >= pieces->per_row && !is_keeper) {
            piece -= pieces->per_row;
            continue;
        }
        const struct art_row_scale scale = row_scale(team, maxima + row * ART_CORES_MAX);
        for (; piece < pieces->per_row; piece += team->cores) {
            const uint32_t first = piece * pieces->length;
            const uint32_t count = piece_length(pieces, source->depth, first);
            const float *const values =
                source->second_pass(source->context, row, first, count, room);
            sums[row * pieces->per_row + piece] =
                art_quantise_run(values, count, scale, out->codes + row * source->depth + first);
        }
        piece -= pieces->per_row;
        if (is_keeper) {
            out->scales[row] = scale.scale;
        }
    }
}

static void join_sums(const struct art_team *team, const struct art_row_source *source,
                      const struct pieces *pieces, const int32_t *sums, int32_t *out)
{
    const uint32_t runs = (source->depth + ART_SUM_RUN - 1) / ART_SUM_RUN;
    uint32_t run = team->core;
    for (uint32_t row = 0; row < source->rows; row++) {
        const int32_t *const of_row = sums + row * pieces->per_row;
        for (; run < runs; run += team->cores) {
            const uint32_t first = run << pieces->shift;
            const uint32_t behind = first + (1u << pieces->shift);
            const uint32_t last = behind < pieces->per_row ? behind : pieces->per_row;
            int32_t sum = 0;
            for (uint32_t i = first; i < last; i++) {
                sum += of_row[i];
            }
            out[row * runs + run] = sum;
        }
        run -= runs;
    }
}

void art_quantise_rows(const struct art_team *team, const struct art_row_source *source,
                       float *room, const struct art_rows *out)
{
    const struct pieces pieces = pieces_of(team, source);
    float *const rest = room + 2 * source->rows * ART_LANES;
    int32_t *const piece_sums = (int32_t *)(void *)rest;
    find_maxima(team, source, &pieces, room);
    art_platform_barrier(team);
    if (pieces.shift == 0) {
        write_codes(team, source, &pieces, room, out->sums, out);
        return;
    }
    write_codes(team, source, &pieces, room, piece_sums, out);
    art_platform_barrier(team);
    join_sums(team, source, &pieces, piece_sums, out->sums);
}
