/* Places: (memory, offset) pairs of generated tables, and how they become pointers.
 *
 * Tables hold offsets, not pointers, so that they are the same on a 64-bit host. */
#ifndef ARETUSA_PLACES_H
#define ARETUSA_PLACES_H

#include <stdint.h>

#include "aretusa/kernels.h"
#include "aretusa/platform.h"

enum { ART_ALIGN_BYTES = 32 };

struct art_place {
    uint8_t memory; /* enum art_memory */
    uint32_t offset_bytes;
};

enum art_matrix_part {
    ART_HAS_MINIMUMS = 1,
    ART_HAS_BIAS = 2,
    ART_HAS_BOTH = 3,
    ART_HAS_ZEROS = 4 /* beside ART_HAS_MINIMUMS: in their place are int16 zero points */
};

/* A packed matrix: codes, scales, minimums, bias, each part aligned to ART_ALIGN_BYTES. */
struct art_matrix_place {
    uint8_t memory; /* enum art_memory */
    uint8_t form;   /* enum art_matrix_form */
    uint8_t zero;
    uint8_t parts; /* enum art_matrix_part, or-ed */
    uint16_t group;
    uint8_t kept;    /* as in struct art_matrix */
    uint8_t columns; /* alike */
    uint32_t rows;
    uint32_t depth;
    uint32_t offset_bytes;
};

/* The parts of a packed matrix in the order in which they lie. */
enum art_part {
    ART_PART_CODES = 0,
    ART_PART_SCALES = 1,
    ART_PART_MINIMUMS = 2,
    ART_PART_BIAS = 3,
    ART_PART_COUNT = 4
};

/* Where the parts lie, from the matrix's first byte; absent parts have no bytes. */
struct art_matrix_layout {
    uint32_t offset[ART_PART_COUNT];
    uint32_t bytes[ART_PART_COUNT];
};

/* The layout of `rows` rows in the form of a place. */
struct art_matrix_layout art_matrix_layout(const struct art_matrix_place *place, uint32_t rows);

/* First byte of a place. */
static inline void *art_at(const struct art_place *place)
{
    return (uint8_t *)art_platform_memory((enum art_memory)place->memory) + place->offset_bytes;
}

/* Pointers to the parts of a matrix. */
struct art_matrix art_matrix_at(const struct art_matrix_place *place);

/* Quantised rows in one buffer: codes, scales, sums, each part aligned to 4 bytes. */
static inline struct art_rows art_rows_at(const struct art_place *place, uint32_t rows,
                                          uint32_t depth)
{
    uint8_t *codes = (uint8_t *)art_at(place);
    uint8_t *scales = codes + (rows * depth + 3) / 4 * 4;

    return (struct art_rows){
        .codes = (int8_t *)codes,
        .scales = (float *)(void *)scales,
        .sums = (int32_t *)(void *)(scales + 4 * rows),
    };
}

/* Codes of a key or value cache of heads * context rows; the scales follow. */
int8_t *art_cache_codes_at(const struct art_place *place);
float *art_cache_scales_at(const struct art_place *place, uint32_t heads, uint32_t context,
                           uint32_t dim);

#endif
