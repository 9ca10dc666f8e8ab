/* Codes of a row without a division for each: round(RN(value / scale)) by a multiplication with
 * 1 / scale, and by a division only where the quotient lies next to a tie. Why the bits are the
 * same: docs/arithmetic.md, section 3. */
#ifndef ARETUSA_KERNELS_CODE_GRID_H
#define ARETUSA_KERNELS_CODE_GRID_H

#include "elements.h"
#include "float_bits.h"

/* Adding one of these rounds a product to a multiple of 2^-10 or of 2^-9: there binary32 numbers
 * are that far apart. The half in it makes the bits above those of the fraction the nearest
 * integer, but for ties, whose fraction is zero. */
#define ART_GRID_127 12288.5f
#define ART_GRID_4095 20480.5f

enum { ART_FRACTION_127 = 10, ART_FRACTION_4095 = 9, ART_MASK_4095 = 4095 };

/* For |value| <= 127 scale. */
static inline int32_t art_code_127(float value, struct art_row_scale scale)
{
    const uint32_t bits = art_bits_of_float(value * scale.inverse + ART_GRID_127);
    if ((bits & ((1u << ART_FRACTION_127) - 1)) == 0) {
        return art_round(value / scale.scale);
    }
    return (int8_t)(bits >> ART_FRACTION_127);
}

/* For 0 <= value <= 4095 scale. */
static inline int32_t art_code_4095(float value, struct art_row_scale scale)
{
    const uint32_t bits = art_bits_of_float(value * scale.inverse + ART_GRID_4095);
    if ((bits & ((1u << ART_FRACTION_4095) - 1)) == 0) {
        return art_round(value / scale.scale);
    }
    return (int32_t)(bits >> ART_FRACTION_4095 & ART_MASK_4095);
}

#endif
