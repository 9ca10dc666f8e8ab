#include "decode.h"

enum { TO_NEAREST = 0, TO_ZERO = 1, AS_CSR_SAYS = 7 }; /* rounding; the CSR says to nearest */

static enum kind float_kind(uint32_t word)
{
    static const uint8_t sign[8] = {FSGNJ,   FSGNJN,  FSGNJX,  ILLEGAL,
                                    ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL};
    static const uint8_t compare[8] = {FLE, FLT, FEQ, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL};
    const uint32_t funct3 = bits(word, 14, 12), rs2 = bits(word, 24, 20);
    switch (bits(word, 31, 25)) {
    case 0x00:
        return FADD;
    case 0x04:
        return FSUB;
    case 0x08:
        return FMUL;
    case 0x0c:
        return FDIV;
    case 0x10:
        return sign[funct3];
    case 0x14:
        return funct3 == 0 ? FMIN : funct3 == 1 ? FMAX : ILLEGAL;
    case 0x2c:
        return rs2 == 0 ? FSQRT : ILLEGAL;
    case 0x50:
        return compare[funct3];
    case 0x60:
        return rs2 == 0 ? FCVT_W : rs2 == 1 ? FCVT_WU : ILLEGAL;
    case 0x68:
        return rs2 == 0 ? FCVT_S_W : rs2 == 1 ? FCVT_S_WU : ILLEGAL;
    default:
        return ILLEGAL;
    }
}

/* Only conversions to integers may round to zero. */
static bool has_rounding(enum kind kind, uint32_t rounding)
{
    if (kind == FCVT_W || kind == FCVT_WU) {
        return rounding == TO_NEAREST || rounding == TO_ZERO || rounding == AS_CSR_SAYS;
    }
    if ((kind >= FSGNJ && kind <= FLE)) {
        return true; /* the field chooses the instruction */
    }
    return rounding == TO_NEAREST || rounding == AS_CSR_SAYS;
}

void decode_float(uint32_t word, struct instruction *found)
{
    found->kind = float_kind(word);
    found->rounding = (uint8_t)bits(word, 14, 12);
    const bool has_two = found->kind != FSQRT && found->kind < FCVT_W;
    reads(found, true, has_two, false, false);
    if (!has_rounding(found->kind, found->rounding)) {
        found->kind = ILLEGAL;
    }
}

void decode_fused(uint32_t word, struct instruction *found)
{
    static const uint8_t kinds[4] = {FMADD, FMSUB, FNMSUB, FNMADD};
    found->kind = kinds[bits(word, 3, 2)];
    found->rounding = (uint8_t)bits(word, 14, 12);
    found->rs3 = (uint8_t)bits(word, 31, 27);
    reads(found, true, true, true, false);
    if (bits(word, 26, 25) != 0 || !has_rounding(found->kind, found->rounding)) {
        found->kind = ILLEGAL;
    }
}
