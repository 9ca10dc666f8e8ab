#include "decode.h"

static int32_t i_immediate(uint32_t word)
{
    return (int32_t)word >> 20;
}

static int32_t s_immediate(uint32_t word)
{
    return ((int32_t)word >> 25) * 32 + (int32_t)bits(word, 11, 7);
}

static int32_t b_immediate(uint32_t word)
{
    return ((int32_t)word >> 31) * 4096 +
           (int32_t)(bits(word, 7, 7) << 11 | bits(word, 30, 25) << 5 | bits(word, 11, 8) << 1);
}

static int32_t j_immediate(uint32_t word)
{
    return ((int32_t)word >> 31) * (1 << 20) +
           (int32_t)(bits(word, 19, 12) << 12 | bits(word, 20, 20) << 11 | bits(word, 30, 21) << 1);
}

static enum kind branch_kind(uint32_t funct3)
{
    static const uint8_t kinds[8] = {BEQ, BNE, ILLEGAL, ILLEGAL, BLT, BGE, BLTU, BGEU};
    return kinds[funct3];
}

static enum kind load_kind(uint32_t funct3)
{
    static const uint8_t kinds[8] = {LB, LH, LW, ILLEGAL, LBU, LHU, ILLEGAL, ILLEGAL};
    return kinds[funct3];
}

static enum kind store_kind(uint32_t funct3)
{
    static const uint8_t kinds[8] = {SB, SH, SW, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL};
    return kinds[funct3];
}

static enum kind immediate_kind(uint32_t word)
{
    static const uint8_t kinds[8] = {ADDI, SLLI, SLTI, SLTIU, XORI, SRLI, ORI, ANDI};
    const uint32_t funct3 = bits(word, 14, 12), funct7 = bits(word, 31, 25);
    if (funct3 == 5 && funct7 == 0x20) {
        return SRAI;
    }
    return (funct3 == 1 || funct3 == 5) && funct7 != 0 ? ILLEGAL : kinds[funct3];
}

static enum kind register_kind(uint32_t word)
{
    static const uint8_t plain[8] = {ADD, SLL, SLT, SLTU, XOR, SRL, OR, AND};
    static const uint8_t products[8] = {MUL, MULH, MULHSU, MULHU, DIV, DIVU, REM, REMU};
    const uint32_t funct3 = bits(word, 14, 12);
    switch (bits(word, 31, 25)) {
    case 0x00:
        return plain[funct3];
    case 0x01:
        return products[funct3];
    case 0x02:
        return funct3 == 6 ? MAX : ILLEGAL;
    case 0x20:
        return funct3 == 0 ? SUB : funct3 == 5 ? SRA : ILLEGAL;
    case 0x21:
        return funct3 == 0 ? MAC : ILLEGAL;
    default:
        return ILLEGAL;
    }
}

static enum kind vector_kind(uint32_t word)
{
    const uint32_t funct3 = bits(word, 14, 12);
    const uint32_t both = bits(word, 31, 25) << 3 | funct3;
    switch (both) {
    case 0x4c << 3 | 1:
        return DOT_B;
    case 0x5c << 3 | 1:
        return SDOT_B;
    default:
        return ILLEGAL;
    }
}

static void decode_load(uint32_t word, struct instruction *found)
{
    if (bits(word, 14, 12) == 7) {
        found->kind = bits(word, 31, 25) == 0x10 ? LW_REGISTER
                      : bits(word, 31, 25) == 0  ? LB_REGISTER
                                                 : ILLEGAL;
        reads(found, true, true, false, false);
        return;
    }
    found->kind = load_kind(bits(word, 14, 12));
    found->imm = i_immediate(word);
    reads(found, true, false, false, false);
}

static void decode_store(uint32_t word, struct instruction *found)
{
    found->kind = store_kind(bits(word, 14, 12));
    found->imm = s_immediate(word);
    found->rd = 0;
    reads(found, true, true, false, false);
}

/* The register of an increment, kept in rs3, stands where other instructions have rd. */
static void decode_post_store(uint32_t word, struct instruction *found)
{
    const uint32_t increment = bits(word, 11, 7);
    const bool is_by_register = bits(word, 31, 25) == 0 && bits(word, 14, 12) == 6;
    decode_store(word, found);
    found->post_increments = true;
    if (is_by_register) {
        found->kind = SW_BY;
        found->rs3 = (uint8_t)increment;
        reads(found, true, true, true, false);
    }
}

static void decode_immediate(uint32_t word, struct instruction *found)
{
    found->kind = immediate_kind(word);
    found->imm = i_immediate(word);
    if (found->kind == SLLI || found->kind == SRLI || found->kind == SRAI) {
        found->imm &= 31;
    }
    reads(found, true, false, false, false);
}

/* Bit 25 is the lowest bit of a shift, the others stand where rs2 does. */
static void decode_vector(uint32_t word, struct instruction *found)
{
    if (bits(word, 31, 26) == 0x14 && bits(word, 14, 12) == 7) {
        found->kind = SLL_B;
        found->imm = (int32_t)(bits(word, 24, 20) << 1 | bits(word, 25, 25));
        reads(found, true, false, false, false);
        return;
    }
    found->kind = vector_kind(word);
    reads(found, true, true, false, found->kind == SDOT_B);
}

/* rd, kept in rs3, is the number of the loop. */
static void decode_loop(uint32_t word, struct instruction *found)
{
    found->kind = bits(word, 14, 12) == 4 ? LOOP_SETUP : ILLEGAL;
    found->rs3 = (uint8_t)bits(word, 7, 7);
    found->rd = 0;
    found->imm = (int32_t)bits(word, 31, 20) * 2;
    reads(found, true, false, false, false);
}

static void decode_system(uint32_t word, struct instruction *found)
{
    const uint32_t funct3 = bits(word, 14, 12);
    const bool only_reads = (funct3 & 3) == 2 && found->rs1 == 0;
    found->kind = (funct3 & 3) == 0 ? ILLEGAL : only_reads ? CSR_READ : CSR_SET;
    found->imm = (int32_t)bits(word, 31, 20);
    reads(found, funct3 < 4, false, false, false);
}

/* Of a field rs2 is the number of its first bit. */
static void decode_register(uint32_t word, struct instruction *found)
{
    if (bits(word, 31, 30) == 3) {
        found->kind = bits(word, 14, 12) == 0 ? FIELD : bits(word, 14, 12) == 1 ? FIELD_U : ILLEGAL;
        found->imm = (int32_t)bits(word, 29, 25);
        reads(found, true, false, false, false);
        return;
    }
    found->kind = register_kind(word);
    reads(found, true, true, false, found->kind == MAC);
}

static void decode_rest(uint32_t word, struct instruction *found)
{
    switch (word & 0x7f) {
    case 0x37:
    case 0x17:
        found->kind = (word & 0x7f) == 0x37 ? LUI : AUIPC;
        found->imm = (int32_t)(word & 0xfffff000u);
        return;
    case 0x6f:
        found->kind = JAL;
        found->imm = j_immediate(word);
        return;
    case 0x67:
        found->kind = bits(word, 14, 12) == 0 ? JALR : ILLEGAL;
        found->imm = i_immediate(word);
        reads(found, true, false, false, false);
        return;
    case 0x63:
        found->kind = branch_kind(bits(word, 14, 12));
        found->imm = b_immediate(word);
        found->rd = 0;
        reads(found, true, true, false, false);
        return;
    case 0x33:
        decode_register(word, found);
        return;
    case 0x0f:
        found->kind = FENCE;
        found->rd = 0;
        return;
    default:
        found->kind = ILLEGAL;
    }
}

bool decode(uint32_t word, struct instruction *found)
{
    *found = (struct instruction){.rd = (uint8_t)bits(word, 11, 7),
                                  .rs1 = (uint8_t)bits(word, 19, 15),
                                  .rs2 = (uint8_t)bits(word, 24, 20),
                                  .length = 4};
    switch (word & 0x7f) {
    case 0x03:
        decode_load(word, found);
        break;
    case 0x0b:
        decode_load(word, found);
        found->post_increments = true;
        break;
    case 0x23:
        decode_store(word, found);
        break;
    case 0x2b:
        decode_post_store(word, found);
        break;
    case 0x13:
        decode_immediate(word, found);
        break;
    case 0x53:
        decode_float(word, found);
        break;
    case 0x43:
    case 0x47:
    case 0x4b:
    case 0x4f:
        decode_fused(word, found);
        break;
    case 0x57:
        decode_vector(word, found);
        break;
    case 0x7b:
        decode_loop(word, found);
        break;
    case 0x73:
        decode_system(word, found);
        break;
    default:
        decode_rest(word, found);
    }
    found->reads &= ~1u;
    return found->kind != ILLEGAL;
}
