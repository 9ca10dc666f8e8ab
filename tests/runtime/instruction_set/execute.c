#include "core.h"

enum { CSR_HART = 0xf14, CSR_RETIRED = 0xb02, CSR_CYCLES = 0xb00 };

static uint32_t divide(int32_t a, int32_t b, bool wants_rest)
{
    if (b == 0) {
        return wants_rest ? (uint32_t)a : 0xffffffffu;
    }
    if (b == -1) {
        return wants_rest ? 0 : 0u - (uint32_t)a;
    }
    return (uint32_t)(wants_rest ? a % b : a / b);
}

static uint32_t divide_unsigned(uint32_t a, uint32_t b, bool wants_rest)
{
    if (b == 0) {
        return wants_rest ? a : 0xffffffffu;
    }
    return wants_rest ? a % b : a / b;
}

static uint32_t high_product(enum kind kind, uint32_t a, uint32_t b)
{
    const int64_t x = kind == MULHU ? (int64_t)a : (int64_t)(int32_t)a;
    const int64_t y = kind == MULH ? (int64_t)(int32_t)b : (int64_t)b;
    return (uint32_t)((uint64_t)x * (uint64_t)y >> 32);
}

static uint32_t dot_bytes(uint32_t a, uint32_t b)
{
    uint32_t sum = 0;
    for (uint32_t shift = 0; shift < 32; shift += 8) {
        sum += (uint32_t)((int8_t)(a >> shift) * (int8_t)(b >> shift));
    }
    return sum;
}

static uint32_t shift_bytes(uint32_t a, uint32_t by)
{
    return a << by & 0x01010101u * (uint8_t)(0xffu << by);
}

/* What lies beyond the word is its sign. */
static uint32_t field(uint32_t a, uint32_t first, uint32_t count)
{
    const uint32_t spare = first + count < 32 ? 32 - first - count : 0;
    return (uint32_t)((int32_t)(a << spare) >> (first + spare));
}

static uint32_t xpulp(const struct instruction *now, uint32_t old, uint32_t a, uint32_t b)
{
    switch ((enum kind)now->kind) {
    case MAC:
        return old + a * b;
    case MAX:
        return (int32_t)a > (int32_t)b ? a : b;
    case DOT_B:
        return dot_bytes(a, b);
    case SLL_B:
        return shift_bytes(a, (uint32_t)now->imm & 7);
    case FIELD:
        return field(a, now->rs2, (uint32_t)now->imm + 1);
    case FIELD_U:
        return a >> now->rs2 & ((2u << now->imm) - 1);
    default:
        return old + dot_bytes(a, b);
    }
}

static uint32_t product(enum kind kind, uint32_t a, uint32_t b)
{
    switch (kind) {
    case MUL:
        return a * b;
    case DIV:
    case REM:
        return divide((int32_t)a, (int32_t)b, kind == REM);
    case DIVU:
    case REMU:
        return divide_unsigned(a, b, kind == REMU);
    default:
        return high_product(kind, a, b);
    }
}

static uint32_t integer(enum kind kind, uint32_t a, uint32_t b)
{
    switch (kind) {
    case ADD:
    case ADDI:
        return a + b;
    case SUB:
        return a - b;
    case SLL:
    case SLLI:
        return a << (b & 31);
    case SLT:
    case SLTI:
        return (int32_t)a < (int32_t)b;
    case SLTU:
    case SLTIU:
        return a < b;
    case XOR:
    case XORI:
        return a ^ b;
    case SRL:
    case SRLI:
        return a >> (b & 31);
    case SRA:
    case SRAI:
        return (uint32_t)((int32_t)a >> (b & 31));
    case OR:
    case ORI:
        return a | b;
    default:
        return a & b;
    }
}

static bool is_taken(enum kind kind, uint32_t a, uint32_t b)
{
    switch (kind) {
    case BEQ:
        return a == b;
    case BNE:
        return a != b;
    case BLT:
        return (int32_t)a < (int32_t)b;
    case BGE:
        return (int32_t)a >= (int32_t)b;
    case BLTU:
        return a < b;
    default:
        return a >= b;
    }
}

static uint32_t csr(struct machine *machine, struct core *core, const struct instruction *now)
{
    switch (now->imm) {
    case CSR_HART:
        return core->number;
    case CSR_RETIRED:
    case CSR_CYCLES:
        return (uint32_t)core->retired;
    default:
        if (now->kind == CSR_READ) {
            fault(machine, core, "read of an unknown register", (uint32_t)now->imm);
        }
        return 0;
    }
}

static uint32_t offset_of(const struct core *core, const struct instruction *now)
{
    switch ((enum kind)now->kind) {
    case LW_REGISTER:
    case LB_REGISTER:
        return core->x[now->rs2];
    case SW_BY:
        return core->x[now->rs3];
    default:
        return (uint32_t)now->imm;
    }
}

static void access_memory(struct machine *machine, struct core *core, const struct instruction *now)
{
    const uint32_t base = core->x[now->rs1];
    const uint32_t offset = offset_of(core, now);
    const uint32_t address = now->post_increments ? base : base + offset;
    if (is_store(now->kind)) {
        store(machine, core, now->kind, address, core->x[now->rs2]);
    } else {
        core->x[now->rd] = load(machine, core, now->kind, address);
    }
    if (now->post_increments) {
        core->x[now->rs1] = base + offset;
    }
}

static void set_up_loop(struct machine *machine, struct core *core, const struct instruction *now)
{
    if (core->x[now->rs1] == 0) {
        fault(machine, core, "hardware loop without a turn", core->pc);
    }
    core->loops[now->rs3] = (struct hardware_loop){
        .first = core->pc + now->length,
        .last = core->pc + (uint32_t)now->imm,
        .count = core->x[now->rs1],
    };
}

/* Where the instruction leads that is none of a jump. The inner loop is loop 0. */
static uint32_t following(struct core *core, const struct instruction *now)
{
    for (uint32_t i = 0; i < 2; i++) {
        struct hardware_loop *const loop = &core->loops[i];
        if (loop->count > 0 && loop->last == core->pc) {
            loop->count--;
            if (loop->count > 0) {
                return loop->first;
            }
        }
    }
    return core->pc + now->length;
}

static uint32_t jump(struct core *core, const struct instruction *now)
{
    const uint32_t behind = core->pc + now->length;
    const uint32_t from = now->kind == JAL ? core->pc : core->x[now->rs1];
    core->x[now->rd] = behind;
    return (from + (uint32_t)now->imm) & ~1u;
}

static void write_result(struct machine *machine, struct core *core, const struct instruction *now)
{
    const uint32_t a = core->x[now->rs1], b = core->x[now->rs2];
    const enum kind kind = now->kind;
    uint32_t *const rd = &core->x[now->rd];
    if (kind == LUI || kind == AUIPC) {
        *rd = (uint32_t)now->imm + (kind == AUIPC ? core->pc : 0);
    } else if (kind >= ADDI && kind <= SRAI) {
        *rd = integer(kind, a, (uint32_t)now->imm);
    } else if (kind >= ADD && kind <= AND) {
        *rd = integer(kind, a, b);
    } else if (kind >= MUL && kind <= REMU) {
        *rd = product(kind, a, b);
    } else if (kind == CSR_READ || kind == CSR_SET) {
        *rd = csr(machine, core, now);
    } else if (kind >= FADD && kind <= FCVT_S_WU) {
        *rd = float_result(now, a, b, core->x[now->rs3]);
    } else if (kind >= MAC) {
        *rd = xpulp(now, *rd, a, b);
    }
}

void execute(struct machine *machine, struct core *core, const struct instruction *now)
{
    const enum kind kind = now->kind;
    uint32_t next = following(core, now);
    core->loaded = 0;
    if (is_branch(kind)) {
        if (is_taken(kind, core->x[now->rs1], core->x[now->rs2])) {
            next = core->pc + (uint32_t)now->imm;
            core->events.taken_branches += now->is_counted && is_counting(machine, core);
        }
    } else if (kind == JAL || kind == JALR) {
        next = jump(core, now);
    } else if (is_load(kind) || is_store(kind)) {
        access_memory(machine, core, now);
        core->loaded = is_load(kind) ? 1u << now->rd & ~1u : 0;
    } else if (kind == LOOP_SETUP) {
        set_up_loop(machine, core, now);
    } else {
        write_result(machine, core, now);
    }
    core->x[0] = 0;
    core->pc = next;
    core->retired++;
}
