/* Instructions of the chip's cores (RI5CY with Xpulp, floats in the integer registers) that the
 * compiler does not know, by their encodings: pulp-platform's RI5CY user manual. For the files
 * X_xpulp.c only, which clang compiles for rv32imc_zfinx.
 *
 * The strings are for loops, which no compiler makes: a loop of the hardware takes no cycle for its
 * branch, and loads and stores move their pointers on. `length` counts the instructions of the
 * body, none of which is compressed; .org fails where the count is too small. A loop turns at least
 * once, its last instruction is no branch. */
#ifndef ARETUSA_KERNELS_XPULP_H
#define ARETUSA_KERNELS_XPULP_H

#include <stdint.h>

#define XP_LOOP(count, length)                                                                     \
    ".option push\n\t.balign 4\n\t.option norvc\n\t"                                               \
    "77: .insn i 0x7B, 4, x0, " count ", 2 * " #length "\n\t"
#define XP_END(length)                                                                             \
    ".org 77b + 4 * (" #length " + 1)\n\t"                                                         \
    ".option pop\n\t"

/* rd = *base, then base += bytes: a number, or with _BY what a register holds. */
#define XP_LW(rd, base, bytes) ".insn i 0x0B, 2, " rd ", " bytes "(" base ")\n\t"
#define XP_LW_BY(rd, base, by) ".insn r 0x0B, 7, 0x10, " rd ", " base ", " by "\n\t"
/* rd = what lies offset, a register, behind base, which stays. */
#define XP_LW_AT(rd, base, offset) ".insn r 0x03, 7, 0x10, " rd ", " base ", " offset "\n\t"
#define XP_SW(rs, base, bytes) ".insn s 0x2B, 2, " rs ", " bytes "(" base ")\n\t"
#define XP_SW_BY(rs, base, by) ".insn r 0x2B, 6, 0, " by ", " base ", " rs "\n\t"
#define XP_SB(rs, base, bytes) ".insn s 0x2B, 0, " rs ", " bytes "(" base ")\n\t"
/* The larger one as signed integers. */
#define XP_MAX(rd, one, two) ".insn r 0x33, 6, 2, " rd ", " one ", " two "\n\t"
/* rd += one * two. */
#define XP_MAC(rd, one, two) ".insn r 0x33, 0, 0x21, " rd ", " one ", " two "\n\t"
/* Each byte four bits further left. */
#define XP_LEFT_4(rd, rs) ".insn r 0x57, 7, 0x28, " rd ", " rs ", x2\n\t"
/* The four bits from a bit on, with their sign. */
#define XP_NIBBLE(rd, rs, bit) ".insn r 0x33, 0, 0x63, " rd ", " rs ", x" #bit "\n\t"
/* So many bits from a bit on, without a sign; both are texts of numbers. */
#define XP_FIELD(rd, rs, count, first)                                                             \
    ".insn i 0x33, 1, " rd ", " rs ", -1024 + 32 * (" count " - 1) + " first "\n\t"
/* rd = the byte that lies offset, a register, behind base. */
#define XP_LB_AT(rd, base, offset) ".insn r 0x03, 7, 0, " rd ", " base ", " offset "\n\t"
/* Four products of signed bytes; XP_SDOT adds them to rd. */
#define XP_DOT(rd, one, two) ".insn r 0x57, 1, 0x4C, " rd ", " one ", " two "\n\t"
#define XP_SDOT(rd, one, two) ".insn r 0x57, 1, 0x5C, " rd ", " one ", " two "\n\t"

/* A constant that instructions build: the compiler would load it from far away. */
#define XP_FLOAT(value) xp_opaque(value)

static inline float xp_opaque(float value)
{
    __asm__("" : "+r"(value));
    return value;
}

static inline float xp_float_max(float one, float two)
{
    float found;
    __asm__("fmax.s %0, %1, %2" : "=r"(found) : "r"(one), "r"(two));
    return found;
}

/* a * b + c, rounded once. */
static inline float xp_multiply_add(float a, float b, float c)
{
    float found;
    __asm__("fmadd.s %0, %1, %2, %3" : "=r"(found) : "r"(a), "r"(b), "r"(c));
    return found;
}

/* c - a * b, rounded once. */
static inline float xp_subtract_product(float a, float b, float c)
{
    float found;
    __asm__("fnmsub.s %0, %1, %2, %3" : "=r"(found) : "r"(a), "r"(b), "r"(c));
    return found;
}

static inline float xp_square_root(float value)
{
    float found;
    __asm__("fsqrt.s %0, %1" : "=r"(found) : "r"(value));
    return found;
}

#endif
