/* Eight of everything: the rows of a block, the columns of a step.
 *
 * gcc -O2 unrolls no loop and keeps no array in registers across one, so lanes are written out, and
 * structs of lanes travel by value: those it takes apart. */
#ifndef ARETUSA_KERNELS_LANES_H
#define ARETUSA_KERNELS_LANES_H

#include <stdint.h>

#define ART_EACH_LANE(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)

/* No load moves across this. gcc would collect the loads of several steps first, run out of
 * registers and spill them; the statement itself costs no instruction. */
#define ART_KEEP_LOADS_HERE() __asm__ volatile("" : : : "memory")

/* Functions on lanes must be inlined for that, however often they are called. */
#define ART_INLINE static inline __attribute__((always_inline))

/* A function of its own has all registers for its loop. */
#define ART_OUT_OF_LINE __attribute__((noinline)) static

struct art_int_lanes {
    int32_t lane[8];
};

struct art_float_lanes {
    float lane[8];
};

#endif
