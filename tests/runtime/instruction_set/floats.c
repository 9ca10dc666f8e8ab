/* Zfinx: binary32 in the integer registers. The host's own arithmetic rounds to nearest, ties to
 * even, as IEEE 754 says; NaNs come out as the one that RISC-V calls canonical. */
#include <math.h>
#include <string.h>

#include "core.h"

enum { TO_ZERO = 1 };
#define CANONICAL_NAN 0x7fc00000u
#define SIGN 0x80000000u

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return isnan(value) ? CANONICAL_NAN : bits;
}

/* The smaller or larger of two numbers; -0 is below +0, and a number is preferred to a NaN. */
static uint32_t extreme(uint32_t a, uint32_t b, bool wants_larger)
{
    const float x = float_of(a), y = float_of(b);
    if (isnan(x)) {
        return isnan(y) ? CANONICAL_NAN : b;
    }
    if (isnan(y)) {
        return a;
    }
    if (x == y) {
        return wants_larger ? a & b : a | b;
    }
    return (x < y) == wants_larger ? b : a;
}

static uint32_t to_integer(const struct instruction *now, float value)
{
    const bool is_signed = now->kind == FCVT_W;
    const double rounded = now->rounding == TO_ZERO ? trunc(value) : nearbyint(value);
    const double least = is_signed ? -2147483648.0 : 0.0;
    const double most = is_signed ? 2147483647.0 : 4294967295.0;
    if (isnan(value) || rounded > most) {
        return is_signed ? 0x7fffffffu : 0xffffffffu;
    }
    if (rounded < least) {
        return is_signed ? SIGN : 0;
    }
    return (uint32_t)(int64_t)rounded;
}

static uint32_t arithmetic(const struct instruction *now, float a, float b, float c)
{
    switch ((enum kind)now->kind) {
    case FADD:
        return bits_of(a + b);
    case FSUB:
        return bits_of(a - b);
    case FMUL:
        return bits_of(a * b);
    case FDIV:
        return bits_of(a / b);
    case FSQRT:
        return bits_of(sqrtf(a));
    case FMADD:
        return bits_of(fmaf(a, b, c));
    case FMSUB:
        return bits_of(fmaf(a, b, -c));
    case FNMSUB:
        return bits_of(fmaf(-a, b, c));
    default:
        return bits_of(fmaf(-a, b, -c));
    }
}

uint32_t float_result(const struct instruction *now, uint32_t a, uint32_t b, uint32_t c)
{
    switch ((enum kind)now->kind) {
    case FSGNJ:
        return (a & ~SIGN) | (b & SIGN);
    case FSGNJN:
        return (a & ~SIGN) | (~b & SIGN);
    case FSGNJX:
        return a ^ (b & SIGN);
    case FMIN:
    case FMAX:
        return extreme(a, b, now->kind == FMAX);
    case FEQ:
        return float_of(a) == float_of(b);
    case FLT:
        return float_of(a) < float_of(b);
    case FLE:
        return float_of(a) <= float_of(b);
    case FCVT_W:
    case FCVT_WU:
        return to_integer(now, float_of(a));
    case FCVT_S_W:
        return bits_of((float)(int32_t)a);
    case FCVT_S_WU:
        return bits_of((float)a);
    default:
        return arithmetic(now, float_of(a), float_of(b), float_of(c));
    }
}
