/* Compressed instructions as the longer ones that they stand for: RISC-V unprivileged
 * specification, chapter "C". There are no compressed float loads and stores with Zfinx. */
#include "instruction.h"

static uint32_t bits(uint32_t word, uint32_t last, uint32_t first)
{
    return word >> first & ((2u << (last - first)) - 1);
}

static uint32_t sign_extended(uint32_t value, uint32_t width)
{
    const uint32_t sign = 1u << (width - 1);
    return (value ^ sign) - sign;
}

static uint32_t i_type(uint32_t opcode, uint32_t funct3, uint32_t rd, uint32_t rs1, uint32_t imm)
{
    return imm << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode;
}

static uint32_t r_type(uint32_t funct7, uint32_t funct3, uint32_t rd, uint32_t rs1, uint32_t rs2)
{
    return funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | 0x33;
}

static uint32_t store_word(uint32_t rs1, uint32_t rs2, uint32_t imm)
{
    return bits(imm, 11, 5) << 25 | rs2 << 20 | rs1 << 15 | 2u << 12 | bits(imm, 4, 0) << 7 | 0x23;
}

static uint32_t jump(uint32_t rd, uint32_t imm)
{
    return bits(imm, 20, 20) << 31 | bits(imm, 10, 1) << 21 | bits(imm, 11, 11) << 20 |
           bits(imm, 19, 12) << 12 | rd << 7 | 0x6f;
}

static uint32_t branch(uint32_t funct3, uint32_t rs1, uint32_t imm)
{
    return bits(imm, 12, 12) << 31 | bits(imm, 10, 5) << 25 | rs1 << 15 | funct3 << 12 |
           bits(imm, 4, 1) << 8 | bits(imm, 11, 11) << 7 | 0x63;
}

static uint32_t expand_0(uint32_t half)
{
    const uint32_t rs1 = 8 + bits(half, 9, 7), rd = 8 + bits(half, 4, 2);
    const uint32_t offset = bits(half, 12, 10) << 3 | bits(half, 6, 6) << 2 | bits(half, 5, 5) << 6;
    const uint32_t wide = bits(half, 12, 11) << 4 | bits(half, 10, 7) << 6 | bits(half, 6, 6) << 2 |
                          bits(half, 5, 5) << 3;
    switch (bits(half, 15, 13)) {
    case 0:
        return wide ? i_type(0x13, 0, rd, 2, wide) : 0; /* c.addi4spn */
    case 2:
        return i_type(0x03, 2, rd, rs1, offset); /* c.lw */
    case 6:
        return store_word(rs1, rd, offset); /* c.sw */
    default:
        return 0;
    }
}

static uint32_t arithmetic(uint32_t half)
{
    static const uint8_t functs[4] = {0, 4, 6, 7}; /* sub, xor, or, and */
    const uint32_t rd = 8 + bits(half, 9, 7), rs2 = 8 + bits(half, 4, 2);
    const uint32_t imm = sign_extended(bits(half, 12, 12) << 5 | bits(half, 6, 2), 6);
    const uint32_t which = bits(half, 6, 5);
    switch (bits(half, 11, 10)) {
    case 0:
        return bits(half, 12, 12) ? 0 : i_type(0x13, 5, rd, rd, imm & 31); /* c.srli */
    case 1:
        return bits(half, 12, 12) ? 0 : i_type(0x13, 5, rd, rd, 0x400 | (imm & 31)); /* c.srai */
    case 2:
        return i_type(0x13, 7, rd, rd, imm & 0xfff); /* c.andi */
    default:
        if (bits(half, 12, 12)) {
            return 0;
        }
        return r_type(which == 0 ? 0x20 : 0, functs[which], rd, rd, rs2);
    }
}

static uint32_t expand_1(uint32_t half)
{
    const uint32_t rd = bits(half, 11, 7), rs1 = 8 + bits(half, 9, 7);
    const uint32_t imm = sign_extended(bits(half, 12, 12) << 5 | bits(half, 6, 2), 6);
    const uint32_t stack =
        sign_extended(bits(half, 12, 12) << 9 | bits(half, 6, 6) << 4 | bits(half, 5, 5) << 6 |
                          bits(half, 4, 3) << 7 | bits(half, 2, 2) << 5,
                      10);
    const uint32_t near =
        sign_extended(bits(half, 12, 12) << 8 | bits(half, 11, 10) << 3 | bits(half, 6, 5) << 6 |
                          bits(half, 4, 3) << 1 | bits(half, 2, 2) << 5,
                      9);
    const uint32_t far =
        sign_extended(bits(half, 12, 12) << 11 | bits(half, 11, 11) << 4 | bits(half, 10, 9) << 8 |
                          bits(half, 8, 8) << 10 | bits(half, 7, 7) << 6 | bits(half, 6, 6) << 7 |
                          bits(half, 5, 3) << 1 | bits(half, 2, 2) << 5,
                      12);
    switch (bits(half, 15, 13)) {
    case 0:
        return i_type(0x13, 0, rd, rd, imm & 0xfff); /* c.addi, c.nop */
    case 1:
        return jump(1, far); /* c.jal */
    case 2:
        return i_type(0x13, 0, rd, 0, imm & 0xfff); /* c.li */
    case 3:
        if (rd == 2) {
            return stack ? i_type(0x13, 0, 2, 2, stack & 0xfff) : 0; /* c.addi16sp */
        }
        return imm ? (imm & 0xfffff) << 12 | rd << 7 | 0x37 : 0; /* c.lui */
    case 4:
        return arithmetic(half);
    case 5:
        return jump(0, far); /* c.j */
    default:
        return branch(bits(half, 15, 13) == 6 ? 0 : 1, rs1, near); /* c.beqz, c.bnez */
    }
}

static uint32_t expand_2(uint32_t half)
{
    const uint32_t rd = bits(half, 11, 7), rs2 = bits(half, 6, 2);
    const uint32_t load = bits(half, 12, 12) << 5 | bits(half, 6, 4) << 2 | bits(half, 3, 2) << 6;
    const uint32_t store = bits(half, 12, 9) << 2 | bits(half, 8, 7) << 6;
    switch (bits(half, 15, 13)) {
    case 0:
        return bits(half, 12, 12) ? 0 : i_type(0x13, 1, rd, rd, rs2); /* c.slli */
    case 2:
        return rd ? i_type(0x03, 2, rd, 2, load) : 0; /* c.lwsp */
    case 4:
        if (rs2 == 0) {
            return rd ? i_type(0x67, 0, bits(half, 12, 12), rd, 0) : 0; /* c.jr, c.jalr */
        }
        return r_type(0, 0, rd, bits(half, 12, 12) ? rd : 0, rs2); /* c.add, c.mv */
    case 6:
        return store_word(2, rs2, store); /* c.swsp */
    default:
        return 0;
    }
}

uint32_t expand(uint16_t half)
{
    switch (half & 3) {
    case 0:
        return expand_0(half);
    case 1:
        return expand_1(half);
    default:
        return expand_2(half);
    }
}
