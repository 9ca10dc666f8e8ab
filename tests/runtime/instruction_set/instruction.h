/* Instructions of RV32IMC + Zicsr + Zfinx and of the part of Xpulp that the kernels use.
 *
 * Encodings of Xpulp: pulp-platform's RI5CY user manual, as gvsoc-core's isa_pulpv2.py has them. */
#ifndef ARETUSA_TESTS_INSTRUCTION_H
#define ARETUSA_TESTS_INSTRUCTION_H

#include <stdbool.h>
#include <stdint.h>

enum kind {
    ILLEGAL,
    LUI,
    AUIPC,
    JAL,
    JALR,
    BEQ,
    BNE,
    BLT,
    BGE,
    BLTU,
    BGEU,
    LB,
    LH,
    LW,
    LBU,
    LHU,
    SB,
    SH,
    SW,
    SW_BY, /* p.sw rs2, rs3(rs1!) */
    ADDI,
    SLTI,
    SLTIU,
    XORI,
    ORI,
    ANDI,
    SLLI,
    SRLI,
    SRAI,
    ADD,
    SUB,
    SLL,
    SLT,
    SLTU,
    XOR,
    SRL,
    SRA,
    OR,
    AND,
    MUL,
    MULH,
    MULHSU,
    MULHU,
    DIV,
    DIVU,
    REM,
    REMU,
    FENCE,
    CSR_READ,
    CSR_SET, /* and write: of what the machine does not have, nothing happens */
    FADD,
    FSUB,
    FMUL,
    FDIV,
    FSQRT,
    FMADD,
    FMSUB,
    FNMSUB,
    FNMADD,
    FSGNJ,
    FSGNJN,
    FSGNJX,
    FMIN,
    FMAX,
    FEQ,
    FLT,
    FLE,
    FCVT_W,
    FCVT_WU,
    FCVT_S_W,
    FCVT_S_WU,
    /* Xpulp */
    LOOP_SETUP,  /* lp.setup: imm = bytes from here to the last instruction of the body */
    LW_REGISTER, /* p.lw rd, rs2(rs1) and p.lw rd, rs2(rs1!) */
    LB_REGISTER, /* p.lb rd, rs2(rs1) */
    MAC,         /* p.mac rd += rs1 * rs2 */
    MAX,
    DOT_B,  /* pv.dotsp.b: four products of signed bytes */
    SDOT_B, /* pv.sdotsp.b: added to rd */
    SLL_B,  /* pv.sll.sci.b: each byte imm bits to the left */
    FIELD,  /* p.extract: imm + 1 bits from bit rs2 on, with their sign */
    FIELD_U /* p.extractu: without it */,
    KINDS
};

struct instruction {
    uint8_t kind;
    uint8_t rd; /* 0 if nothing is written */
    uint8_t rs1;
    uint8_t rs2;
    uint8_t rs3;
    uint8_t length; /* bytes, 0: not decoded yet */
    uint8_t rounding;
    bool post_increments; /* rs1 moves on once its old value was the address */
    bool is_counted;      /* of a kernel, not of its harness */
    int32_t imm;
    uint32_t reads; /* registers, one bit each */
};

/* An instruction of 32 bits; false if it is none of the above. */
bool decode(uint32_t word, struct instruction *found);

/* The instruction of 32 bits that a compressed one stands for, 0 if it is none. */
uint32_t expand(uint16_t half);

static inline bool is_load(enum kind kind)
{
    return (kind >= LB && kind <= LHU) || kind == LW_REGISTER || kind == LB_REGISTER;
}

static inline bool is_store(enum kind kind)
{
    return kind >= SB && kind <= SW_BY;
}

static inline bool is_branch(enum kind kind)
{
    return kind >= BEQ && kind <= BGEU;
}

/* On the float units, but for divisions and roots. Sign injection is one of them too. */
static inline bool is_float(enum kind kind)
{
    return kind >= FADD && kind <= FCVT_S_WU && kind != FDIV && kind != FSQRT;
}

#endif
