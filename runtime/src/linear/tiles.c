#include <stddef.h>

#include "aretusa/stream.h"
#include "units.h"

/* The slot of tile n is entry n % 2. Core 0 writes it before the barrier that opens tile n, and
 * not again before the one that opens tile n + 1. */
static struct art_place slots[2];

/* Tile n has landed for every core; the slot before it, which all have left, takes the next load.
 * A ring of one slot must be left before its next tile can be awaited. */
static void open_tile(const struct art_team *team, uint32_t tile)
{
    const bool is_single = art_stream_slots(ART_STREAM_TILES) == 1;

    if (tile > 0 && is_single) {
        art_platform_barrier(team);
    }
    if (team->core == 0) {
        if (tile > 0 && is_single) {
            art_stream_release(ART_STREAM_TILES);
        }
        slots[tile % 2] = art_stream_await(ART_STREAM_TILES);
    }
    art_platform_barrier(team);
    if (team->core == 0 && tile > 0 && !is_single) {
        art_stream_release(ART_STREAM_TILES);
    }
}

void linear_tiles(const struct art_team *team, const struct linear_call *call)
{
    const struct art_linear_plan *plan = call->plan;
    const uint32_t first = plan->engine ? plan->engine->rows : 0;
    struct art_matrix_place place = *plan->matrix; /* a copy on the stack, which is near */
    const uint32_t rows = place.rows;
    uint32_t tile = 0;

    for (uint32_t row = 0; row < rows; row += plan->tile_rows) {
        open_tile(team, tile);
        place.memory = slots[tile % 2].memory;
        place.offset_bytes = slots[tile % 2].offset_bytes;
        place.rows = linear_least(plan->tile_rows, rows - row);

        const struct art_matrix matrix = art_matrix_at(&place);
        const uint32_t at = first + row;

        art_linear_part(team, &matrix, call->src, call->tokens, plan->rows,
                        call->residual ? call->residual + at : NULL, call->out + at);
        tile++;
    }
    art_platform_barrier(team);
    if (team->core == 0) {
        art_stream_release(ART_STREAM_TILES);
    }
}
