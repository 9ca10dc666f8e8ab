#include "kept_products.h"

#define DECLARE(i) int32_t a##i = 0;
#define MULTIPLY_ADD_W8(i)                                                                         \
    a##i += (int8_t)values[i] * x[places & mask];                                                  \
    places >>= bits;
#define MULTIPLY_ADD_W4(i)                                                                         \
    a##i += ((values[(i) / 2] >> (4 * ((i) % 2)) & 15) - 8) * x[places & mask];                    \
    places >>= bits;
#define STORE(i) sums.lane[i] = a##i;

ART_INLINE uint32_t read_places(const uint8_t *bytes, uint32_t count)
{
    uint32_t places = bytes[0];
    for (uint32_t i = 1; i < count; i++) {
        places |= (uint32_t)bytes[i] << (8 * i);
    }
    return places;
}

/* Dot products of a block with one token's codes; bits and is_w4 are constants where it is used. */
ART_INLINE struct art_int_lanes dot(const struct art_matrix *matrix, const uint8_t *values,
                                    const int8_t *x, uint32_t bits, bool is_w4)
{
    struct art_int_lanes sums;
    const uint32_t value_bytes = is_w4 ? ART_BLOCK_ROWS / 2 : ART_BLOCK_ROWS;
    const uint32_t mask = (1u << bits) - 1;
    const uint32_t columns = matrix->columns;
    const int8_t *const end = x + matrix->depth;
    ART_EACH_LANE(DECLARE)
    for (; x != end; x += columns) {
        for (uint32_t slot = 0; slot < matrix->kept; slot++, values += value_bytes + bits) {
            uint32_t places = read_places(values + value_bytes, bits);
            if (is_w4) {
                ART_EACH_LANE(MULTIPLY_ADD_W4)
            } else {
                ART_EACH_LANE(MULTIPLY_ADD_W8)
            }
        }
    }
    ART_EACH_LANE(STORE)
    return sums;
}

#define DOT(name, bits, is_w4)                                                                     \
    ART_OUT_OF_LINE struct art_int_lanes name(const struct art_matrix *matrix,                     \
                                              const uint8_t *values, const int8_t *x)              \
    {                                                                                              \
        return dot(matrix, values, x, bits, is_w4);                                                \
    }

DOT(dot_w8_of_2, 1, false)
DOT(dot_w8_of_4, 2, false)
DOT(dot_w8_of_8, 3, false)
DOT(dot_w8_of_16, 4, false)
DOT(dot_w4_of_2, 1, true)
DOT(dot_w4_of_4, 2, true)
DOT(dot_w4_of_8, 3, true)
DOT(dot_w4_of_16, 4, true)

struct art_int_lanes art_kept_products(const struct art_matrix *matrix, uint32_t bits,
                                       const uint8_t *values, const int8_t *x)
{
    const bool is_w4 = matrix->form == ART_MATRIX_W4_CHANNEL;
    switch (bits) {
    case 1:
        return is_w4 ? dot_w4_of_2(matrix, values, x) : dot_w8_of_2(matrix, values, x);
    case 2:
        return is_w4 ? dot_w4_of_4(matrix, values, x) : dot_w8_of_4(matrix, values, x);
    case 3:
        return is_w4 ? dot_w4_of_8(matrix, values, x) : dot_w8_of_8(matrix, values, x);
    default:
        return is_w4 ? dot_w4_of_16(matrix, values, x) : dot_w8_of_16(matrix, values, x);
    }
}
