/* What the parts of the decoder share. */
#ifndef ARETUSA_TESTS_DECODE_H
#define ARETUSA_TESTS_DECODE_H

#include "instruction.h"

static inline uint32_t bits(uint32_t word, uint32_t last, uint32_t first)
{
    return word >> first & ((2u << (last - first)) - 1);
}

/* What an instruction reads, by its form. */
static inline void reads(struct instruction *found, bool rs1, bool rs2, bool rs3, bool rd)
{
    found->reads = (rs1 ? 1u << found->rs1 : 0) | (rs2 ? 1u << found->rs2 : 0) |
                   (rs3 ? 1u << found->rs3 : 0) | (rd ? 1u << found->rd : 0);
}

/* Float operations of two operands, and fused ones. */
void decode_float(uint32_t word, struct instruction *found);
void decode_fused(uint32_t word, struct instruction *found);

#endif
