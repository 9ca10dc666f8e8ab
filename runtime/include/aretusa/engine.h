/* N-EUREKA as the program uses it: two jobs at most are in its queue, and core 0 gives and awaits
 * them. Where there is no engine, software plays it: some jobs run at once, the others as late as
 * they may, so that whoever submits too early, reads results too early, or overwrites inputs too
 * early, gets wrong bits. */
#ifndef ARETUSA_ENGINE_H
#define ARETUSA_ENGINE_H

#include <stdint.h>

#include "aretusa/kernels.h"
#include "aretusa/neureka.h"
#include "aretusa/places.h"
#include "aretusa/platform.h"

enum { ART_ENGINE_QUEUE = 2 };

/* Queue a job; waits for room. Returns its number. Core 0 only. */
uint32_t art_engine_submit(const uint32_t registers[ART_NEUREKA_REGISTERS]);

/* Return when that job, and all before it, are done. Core 0 only. */
void art_engine_wait(uint32_t job);

enum art_engine_flag {
    ART_ENGINE_HAS_BIAS = 1,
    ART_ENGINE_UNSIGNED = 2, /* the engine is given code + 128, as it takes no signed inputs */
    ART_ENGINE_HAS_MINIMUMS = 4,
    ART_ENGINE_FROM_0 = 8,    /* a stored code is the weight; else the weight + 2^(bits - 1) */
    ART_ENGINE_HAS_ZEROS = 16 /* what stands in the minimums' place are int16 zero points */
};

/* Rows of a matrix in the engine's layout. Codes in MRAM or SRAM are read where they lie; codes in
 * L3 pass through the ring of pages.
 *
 * Without groups row r's codes start at r * art_engine_row_bytes(). With groups each group of
 * columns is a matrix of its own, whose rows follow each other as a job needs them. So that some
 * rows with all their groups are one run of bytes, rows come in bands: [band][group][row][codes],
 * the last band with the rows that are left. */
struct art_engine_place {
    uint8_t mode; /* enum art_neureka_mode */
    uint8_t bits;
    uint8_t flags;      /* enum art_engine_flag, or-ed */
    uint8_t memory;     /* enum art_memory, of the codes: MRAM, SRAM or L3 */
    uint16_t group;     /* columns that share a scale: 32, 64 or 128; 0 for the whole depth */
    uint16_t band_rows; /* with groups: a multiple of 32, or at least all rows */
    uint32_t rows;
    uint32_t depth;
    uint32_t offset_bytes; /* of the codes in that memory */
    /* The arrays of enum art_engine_array that there are, one behind the other. In L3 exactly when
     * the codes are. */
    struct art_place channels;
    /* Numbers among art_network.jobs, counted from 1: the job of a unit of one token, and that of
     * the last unit if it has fewer rows. 0 for none. There is none with groups, with unsigned
     * inputs and for codes in L3. */
    uint16_t prepared;
    uint16_t prepared_last;
};

/* A job that the compiler has prepared: all registers but the three addresses, the first ones,
 * which core 0 fills in. */
struct art_engine_job {
    uint32_t rows;
    uint32_t registers[ART_NEUREKA_REGISTERS];
};

/* Numbers per row, or per row and group. */
enum art_engine_array {
    ART_ENGINE_SCALES = 0,   /* float [rows]; with groups binary16 [rows][groups] */
    ART_ENGINE_MINIMUMS = 1, /* binary16, or int16 zero points, [rows][groups] */
    ART_ENGINE_BIAS = 2,     /* float [rows] */
    /* int32 [rows] for unsigned inputs: -128 * the sum of the row's weights. Not with groups. */
    ART_ENGINE_CORRECTIONS = 3,
    ART_ENGINE_ARRAYS = 4
};

/* Bytes of one row's codes, of all groups. */
uint32_t art_engine_row_bytes(const struct art_engine_place *place);

/* Groups along the depth; 1 where there are none. The last one may be short. */
uint32_t art_engine_groups(const struct art_engine_place *place);

/* Bytes of an array for so many rows, a multiple of 4; 0 where a place has no such array. */
uint32_t art_engine_array_bytes(const struct art_engine_place *place, enum art_engine_array array,
                                uint32_t rows);

/* Arrays that a place has. */
uint32_t art_engine_channel_arrays(const struct art_engine_place *place);

/* A page holds the codes of some rows, with groups of whole bands, then, aligned to
 * ART_ALIGN_BYTES, their arrays one behind the other. Offset of the first array in a page of so
 * many rows. */
uint32_t art_engine_page_channels(const struct art_engine_place *place, uint32_t rows);

enum {
    ART_ENGINE_GRID_TOKENS = 4,   /* of one 3x3 job: a grid of 2 x 2 tokens */
    ART_ENGINE_PIXEL_TOKENS = 36, /* of one group in 1x1 mode: a tile of 6 x 6 pixels */
    ART_ENGINE_UNIT_ROWS = 32     /* what rows of a unit are a multiple of */
};

/* A linear layer: rows on the engine, rows on the cluster, or both. */
struct art_linear_plan {
    const struct art_engine_place *engine; /* the first rows; null when there are none */
    const struct art_matrix_place *matrix; /* the rows after those; null when there are none */
    uint32_t rows;                         /* of the whole layer */
    uint32_t tile_rows;                    /* of a tile, as in the stream of tiles */
    uint32_t slice_rows;  /* of a page, as in the stream of pages; for L3 only. With groups a
                             multiple of band_rows, or at least all rows */
    uint32_t block_rows;  /* most rows of a unit: a multiple of 32, or at least all rows */
    uint32_t sums_bytes;  /* of each of the two buffers of sums */
    uint32_t input_bytes; /* of each of the two buffers of arranged inputs; may be 0 */
};

/* The engine works through units: for each page (all rows where they are resident), for each block
 * of its rows, for each group of tokens, for each group of the depth one unit, whose sums lie in
 * one of two buffers. Blocks do not cross bands. The terms of a depth's groups are added up in a
 * third buffer of sums_bytes.
 *
 * Tokens of a group; the last group may be smaller. 3x3 mode: 4, or 1 if input_bytes is 0; 1x1
 * mode: 36; never more than there are. */
uint32_t art_linear_group_tokens(const struct art_linear_plan *plan, uint32_t tokens);

/* Pixels that the engine writes for a group. 3x3 mode: 1 for one token, 4 for two (1 x 4), 16 for
 * three or four (4 x 4); 1x1 mode: one for each. A unit's sums take 4 * rows * pixels bytes. */
uint32_t art_linear_group_pixels(const struct art_linear_plan *plan, uint32_t group_tokens);

/* Rows of a block; the last block of a page may be smaller. The least of block_rows, rows of the
 * engine, (for codes in L3) slice_rows and (with groups) band_rows, if the sums of the largest
 * group of tokens then fit sums_bytes;
 * else as many times 32 rows as fit. 0, which the program takes as a bug, if not even 32 fit. */
uint32_t art_linear_unit_rows(const struct art_linear_plan *plan, uint32_t tokens);

/* Bytes of arranged inputs of a group, which must fit input_bytes; 0 where the engine reads src.
 * With C = ceil(length / 9), length being that of a group of the depth, 3x3 mode: 18 C for two
 * tokens, 36 C for three or four; with unsigned inputs also 9 C for one token, and in 1x1 mode
 * depth * group_tokens. */
uint32_t art_linear_group_input_bytes(const struct art_linear_plan *plan, uint32_t group_tokens);

/* Bytes of the scratch: twice sums_bytes, then twice input_bytes, then with groups once more
 * sums_bytes, each aligned to ART_ALIGN_BYTES; 0 without an engine. */
uint32_t art_linear_scratch_bytes(const struct art_linear_plan *plan);

/* out[t][r] = residual[t][r] + (matrix * rows of src + bias)[t][r], as art_linear. The tiles and
 * pages come from the streams, which must have arrived at this layer. With an engine, src and
 * scratch lie in L1; scratch is aligned to 4. Called by every core; crosses barriers. */
void art_linear_planned(const struct art_team *team, const struct art_linear_plan *plan,
                        const struct art_rows *src, uint32_t tokens, const float *residual,
                        void *scratch, float *out);

#endif
