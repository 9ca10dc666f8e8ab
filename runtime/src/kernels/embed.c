#include "embed_rows.h"
#include "l1_copies.h"

/* Each token has a slot of the scratch: a row's codes and scale, or a block of eight rows. */
struct table {
    const struct art_engine_place *engine;
    const struct art_matrix_place *matrix;
    struct art_matrix_layout whole; /* of the matrix */
    struct art_matrix_layout block; /* of eight rows of it */
    uint32_t engine_rows;
    uint32_t row_bytes; /* codes of a row in the engine's layout */
    uint32_t depth;
    uint32_t slot_bytes;
};

static struct table table_of(const struct art_engine_place *engine,
                             const struct art_matrix_place *matrix)
{
    struct table table = {.engine = engine, .matrix = matrix};
    if (engine) {
        table.engine_rows = engine->rows;
        table.depth = engine->depth;
        table.row_bytes = art_engine_row_bytes(engine);
        table.slot_bytes = table.row_bytes + (uint32_t)sizeof(float);
    }
    if (matrix) {
        table.depth = matrix->depth;
        table.whole = art_matrix_layout(matrix, matrix->rows);
        table.block = art_matrix_layout(matrix, ART_BLOCK_ROWS);
        const uint32_t block_bytes = table.block.offset[ART_PART_BIAS];
        table.slot_bytes = block_bytes > table.slot_bytes ? block_bytes : table.slot_bytes;
    }
    return table;
}

uint32_t art_embed_scratch_bytes(const struct art_engine_place *engine,
                                 const struct art_matrix_place *matrix, uint32_t count)
{
    const struct table table = table_of(engine, matrix);
    return (count < ART_EMBED_TOKENS ? count : ART_EMBED_TOKENS) * table.slot_bytes;
}

static void load_engine_row(const struct table *table, uint32_t row, uint8_t *slot,
                            struct art_copies *copies)
{
    const struct art_place codes = {.memory = table->engine->memory,
                                    .offset_bytes =
                                        table->engine->offset_bytes + row * table->row_bytes};
    const uint32_t scale_bytes = (uint32_t)sizeof(float);
    art_copy_in(copies, codes, slot, table->row_bytes);
    art_copy_in(copies, art_place_after(table->engine->channels, row * scale_bytes),
                slot + table->row_bytes, scale_bytes);
}

/* The block's parts lie in the slot as in a matrix of eight rows. */
static void load_block(const struct table *table, uint32_t block, uint8_t *slot,
                       struct art_copies *copies)
{
    for (uint32_t part = ART_PART_CODES; part < ART_PART_BIAS; part++) {
        const uint32_t bytes = table->block.bytes[part];
        const struct art_place from = {.memory = table->matrix->memory,
                                       .offset_bytes = table->matrix->offset_bytes +
                                                       table->whole.offset[part] + block * bytes};
        if (bytes > 0) {
            art_copy_in(copies, from, slot + table->block.offset[part], bytes);
        }
    }
}

static void load(const struct table *table, const int32_t *tokens, uint32_t count, uint8_t *slot)
{
    struct art_copies copies = {0};
    for (uint32_t i = 0; i < count; i++, slot += table->slot_bytes) {
        const uint32_t row = (uint32_t)tokens[i];
        if (row < table->engine_rows) {
            load_engine_row(table, row, slot, &copies);
        } else {
            load_block(table, (row - table->engine_rows) / ART_BLOCK_ROWS, slot, &copies);
        }
    }
    art_copies_wait(&copies);
}

static struct art_matrix block_at(const struct table *table, const uint8_t *slot)
{
    const void *const minimums = slot + table->block.offset[ART_PART_MINIMUMS];
    return (struct art_matrix){
        .codes = slot,
        .scales = slot + table->block.offset[ART_PART_SCALES],
        .minimums = table->block.bytes[ART_PART_MINIMUMS] > 0 ? minimums : NULL,
        .rows = ART_BLOCK_ROWS,
        .depth = table->depth,
        .group = table->matrix->group,
        .form = (enum art_matrix_form)table->matrix->form,
        .zero = table->matrix->zero,
    };
}

/* Some elements of one row; they are of one group. */
static void unpack(const struct table *table, uint32_t row, uint32_t first, const uint8_t *slot,
                   float *out)
{
    const uint32_t end = first + ART_SUM_RUN;
    const uint32_t last = end < table->depth ? end : table->depth;
    if (row < table->engine_rows) {
        const void *const scale = slot + table->row_bytes;
        art_embed_engine_run(table->engine, slot, *(const float *)scale, first, last, out);
        return;
    }
    const struct art_matrix block = block_at(table, slot);
    art_embed_block_run(&block, (row - table->engine_rows) % ART_BLOCK_ROWS, first, last, out);
}

void art_embed_planned(const struct art_team *team, const struct art_engine_place *engine,
                       const struct art_matrix_place *matrix, const int32_t *tokens, uint32_t count,
                       void *scratch, float *out)
{
    const struct table table = table_of(engine, matrix);
    const uint32_t runs = (table.depth + ART_SUM_RUN - 1) / ART_SUM_RUN;
    const uint8_t *const slots = scratch;
    for (uint32_t first = 0; first < count; first += ART_EMBED_TOKENS) {
        const uint32_t left = count - first;
        const uint32_t group = left < ART_EMBED_TOKENS ? left : ART_EMBED_TOKENS;
        if (first > 0) {
            art_platform_barrier(team); /* the slots are still being read */
        }
        if (team->core == 0) {
            load(&table, tokens + first, group, scratch);
        }
        art_platform_barrier(team);
        for (uint32_t at = team->core; at < group * runs; at += team->cores) {
            const uint32_t slot = at / runs;
            unpack(&table, (uint32_t)tokens[first + slot], at % runs * ART_SUM_RUN,
                   slots + slot * table.slot_bytes, out + (first + slot) * table.depth);
        }
    }
}
