#include "tree_sum.h"

#include "lanes.h"

/* A tree of up to eight terms that stand `width` apart, of which the last ones may be missing:
 * three steps of halving at once, so that most terms are loaded once and never stored. */
#define V(k) from[(k) * apart]
#define ONE V(0)
#define TWO (V(0) + V(1))
#define THREE ((V(0) + V(2)) + V(1))
#define FOUR ((V(0) + V(2)) + (V(1) + V(3)))
#define FIVE (((V(0) + V(4)) + V(2)) + (V(1) + V(3)))
#define SIX (((V(0) + V(4)) + V(2)) + ((V(1) + V(5)) + V(3)))
#define SEVEN (((V(0) + V(4)) + (V(2) + V(6))) + ((V(1) + V(5)) + V(3)))
#define EIGHT (((V(0) + V(4)) + (V(2) + V(6))) + ((V(1) + V(5)) + (V(3) + V(7))))
#define ADD_UP(terms)                                                                              \
    for (; to != end; to++, from += step) {                                                        \
        *to = terms;                                                                               \
    }                                                                                              \
    break

/* The sums first .. last - 1, of so many terms each. */
static void add_up(const float *values, uint32_t step, uint32_t apart, uint32_t terms, float *to,
                   const float *end)
{
    const float *from = values;
    switch (terms) {
    case 0:
        ADD_UP(0.0f);
    case 1:
        ADD_UP(ONE);
    case 2:
        ADD_UP(TWO);
    case 3:
        ADD_UP(THREE);
    case 4:
        ADD_UP(FOUR);
    case 5:
        ADD_UP(FIVE);
    case 6:
        ADD_UP(SIX);
    case 7:
        ADD_UP(SEVEN);
    default:
        ADD_UP(EIGHT);
    }
}

void art_tree_halve(const float *values, uint32_t step, uint32_t count, uint32_t lanes, float *room)
{
    uint32_t left = count;
    uint32_t apart = step;
    const float *from = values;
    do {
        const uint32_t eighth = art_tree_width(left, 8) / 8;
        const uint32_t width = eighth > lanes ? eighth : lanes;
        uint32_t terms = 0; /* that every sum has; the first `more` have another one */
        uint32_t more = left;
        for (; more >= width; more -= width) {
            terms++;
        }
        add_up(from, apart, width * apart, terms + 1, room, room + more);
        add_up(from + more * apart, apart, width * apart, terms, room + more, room + width);
        left = width;
        apart = 1;
        from = room;
    } while (left > lanes);
}
