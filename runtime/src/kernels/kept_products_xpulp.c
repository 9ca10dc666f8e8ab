#include "kept_products.h"

#include "xpulp.h"

/* A row's product: its place picks the activation. */
#define ADD(i, bits, value)                                                                        \
    {                                                                                              \
        const int32_t weight = (value);                                                            \
        int32_t place;                                                                             \
        __asm__(XP_FIELD("%[place]", "%[places]", #bits, #i " * " #bits)                           \
                    XP_LB_AT("%[place]", "%[x]", "%[place]")                                       \
                        XP_MAC("%[sum]", "%[weight]", "%[place]")                                  \
                : [place] "=&r"(place), [sum] "+r"(a##i)                                           \
                : [places] "r"(places), [x] "r"(x), [weight] "r"(weight)                           \
                : "memory");                                                                       \
    }
#define BYTE(i) (int8_t)values[i]
#define NIBBLE(i) (int32_t)(values[(i) / 2] >> (4 * ((i) % 2)) & 15) - 8
#define ADD_W8_OF_2(i) ADD(i, 1, BYTE(i))
#define ADD_W8_OF_4(i) ADD(i, 2, BYTE(i))
#define ADD_W8_OF_8(i) ADD(i, 3, BYTE(i))
#define ADD_W8_OF_16(i) ADD(i, 4, BYTE(i))
#define ADD_W4_OF_2(i) ADD(i, 1, NIBBLE(i))
#define ADD_W4_OF_4(i) ADD(i, 2, NIBBLE(i))
#define ADD_W4_OF_8(i) ADD(i, 3, NIBBLE(i))
#define ADD_W4_OF_16(i) ADD(i, 4, NIBBLE(i))
#define DECLARE(i) int32_t a##i = 0;
#define STORE(i) sums.lane[i] = a##i;

ART_INLINE uint32_t read_places(const uint8_t *bytes, uint32_t count)
{
    uint32_t places = bytes[0];
    for (uint32_t i = 1; i < count; i++) {
        places |= (uint32_t)bytes[i] << (8 * i);
    }
    return places;
}

#define DOT(name, bits, value_bytes, ADD_LANE)                                                     \
    ART_OUT_OF_LINE struct art_int_lanes name(const struct art_matrix *matrix,                     \
                                              const uint8_t *values, const int8_t *x)              \
    {                                                                                              \
        struct art_int_lanes sums;                                                                 \
        const uint32_t columns = matrix->columns;                                                  \
        const int8_t *const end = x + matrix->depth;                                               \
        ART_EACH_LANE(DECLARE)                                                                     \
        for (; x != end; x += columns) {                                                           \
            for (uint32_t left = matrix->kept; left > 0; left--) {                                 \
                const uint32_t places = read_places(values + (value_bytes), bits);                 \
                ART_EACH_LANE(ADD_LANE)                                                            \
                values += (value_bytes) + (bits);                                                  \
            }                                                                                      \
        }                                                                                          \
        ART_EACH_LANE(STORE)                                                                       \
        return sums;                                                                               \
    }

DOT(dot_w8_of_2, 1, 8, ADD_W8_OF_2)
DOT(dot_w8_of_4, 2, 8, ADD_W8_OF_4)
DOT(dot_w8_of_8, 3, 8, ADD_W8_OF_8)
DOT(dot_w8_of_16, 4, 8, ADD_W8_OF_16)
DOT(dot_w4_of_2, 1, 4, ADD_W4_OF_2)
DOT(dot_w4_of_4, 2, 4, ADD_W4_OF_4)
DOT(dot_w4_of_8, 3, 4, ADD_W4_OF_8)
DOT(dot_w4_of_16, 4, 4, ADD_W4_OF_16)

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
