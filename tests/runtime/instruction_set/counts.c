#include <string.h>

#include "core.h"

static uint32_t next_way(struct cache *cache)
{
    const uint32_t taps = cache->shift_register;
    const uint32_t fed_back = ~(taps >> 7 ^ taps >> 3 ^ taps >> 2 ^ taps >> 1) & 1;
    cache->shift_register = (uint8_t)(taps << 1 | fed_back);
    return cache->shift_register >> 1 & (WAYS - 1);
}

/* 1 if a line has to be brought in. */
static uint32_t fetch_line(struct cache *cache, uint32_t line)
{
    uint32_t *const set = cache->lines[line % SETS];
    if (line == cache->buffered) {
        return 0;
    }
    cache->buffered = line;
    for (uint32_t way = 0; way < WAYS; way++) {
        if (set[way] == line) {
            return 0;
        }
    }
    set[next_way(cache)] = line;
    return 1;
}

/* The kinds that can take longer than a cycle. */
static void count_kind(struct events *events, enum kind kind)
{
    events->jumps += kind == JAL || kind == JALR;
    events->multiplies += kind == MUL;
    events->divides += kind >= DIV && kind <= REMU;
    events->float_operations += is_float(kind);
    events->float_divides += kind == FDIV || kind == FSQRT;
}

/* Four bytes are fetched, however long the instruction is. */
void count_instruction(struct machine *machine, struct core *core, const struct instruction *now)
{
    struct events *const events = &core->events;
    const uint32_t line = (core->pc - machine->setting->counted_first) / LINE_BYTES;
    if (!now->is_counted || !is_counting(machine, core)) {
        return;
    }
    events->instructions++;
    events->load_uses += (core->loaded & now->reads) != 0;
    events->fetch_refills += fetch_line(&core->cache, core->pc / LINE_BYTES);
    events->fetch_refills += fetch_line(&core->cache, (core->pc + 3) / LINE_BYTES);
    count_kind(events, now->kind);
    if (line / 32 < LINE_WORDS) {
        events->lines[line / 32] |= 1u << line % 32;
    }
}

void count_access(struct machine *machine, struct core *core, uint32_t address, bool is_store)
{
    const uint32_t regions = machine->setting->regions;
    const struct region *const all = machine->regions + machine->case_number * regions;
    const uint32_t at = (core->pc - machine->memories[0].first) / 2;
    uint32_t region = 0;
    if (!machine->code[at].is_counted || !is_counting(machine, core)) {
        return;
    }
    while (region < regions && (address < all[region].first || address >= all[region].last)) {
        region++;
    }
    (is_store ? core->events.stores : core->events.loads)[region]++;
}

void end_turn(struct machine *machine, struct core *core)
{
    if (machine->is_in_case && machine->result->rows < machine->rows_max) {
        core->events.case_number = machine->case_number;
        core->events.core = core->number;
        machine->rows[machine->result->rows++] = core->events;
    }
    memset(&core->events, 0, sizeof core->events);
}
