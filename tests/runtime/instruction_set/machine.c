#include "machine.h"

#include <stdlib.h>
#include <string.h>

#include "core.h"

void fault(struct machine *machine, struct core *core, const char *reason, uint32_t address)
{
    struct result *const result = machine->result;
    if (machine->ended) {
        return;
    }
    machine->ended = 1;
    core->state = ENDED;
    result->outcome = FAULT;
    result->core = core->number;
    result->pc = core->pc;
    result->address = address;
    strncpy(result->reason, reason, sizeof result->reason - 1);
}

/* The instruction at pc, decoded when it is first met: code does not change. */
static struct instruction *fetch(struct machine *machine, struct core *core)
{
    const uint32_t offset = core->pc - machine->memories[0].first;
    uint8_t *data = 0;
    uint32_t word = 0;
    if (offset >= machine->memories[0].bytes || offset % 2 != 0) {
        fault(machine, core, "jump to where no code is", core->pc);
        return 0;
    }
    struct instruction *const found = &machine->code[offset / 2];
    if (found->length > 0) {
        return found;
    }
    if (!may_access(machine, core->pc, 2, MAY_EXECUTE, &data)) {
        fault(machine, core, "jump to where no code is", core->pc);
        return 0;
    }
    memcpy(&word, data, 2);
    const bool is_long = (word & 3) == 3;
    if (is_long) {
        memcpy(&word, data, 4);
    }
    if (!decode(is_long ? word : expand((uint16_t)word), found)) {
        found->length = 0;
        fault(machine, core, "illegal instruction", word);
        return 0;
    }
    found->length = is_long ? 4 : 2;
    found->is_counted =
        core->pc >= machine->setting->counted_first && core->pc < machine->setting->counted_last;
    return found;
}

/* Until the core waits, or the run is over. */
static void run_turn(struct machine *machine, struct core *core)
{
    while (core->state == RUNS && !machine->ended) {
        struct instruction *const now = fetch(machine, core);
        if (!now) {
            return;
        }
        count_instruction(machine, core, now);
        execute(machine, core, now);
        if (core->retired > machine->setting->turns_max) {
            fault(machine, core, "the program does not end", core->pc);
        }
    }
    end_turn(machine, core);
}

static void start(struct machine *machine, uint32_t number)
{
    struct core *const core = &machine->cores[number];
    memset(core, 0, sizeof *core);
    core->number = number;
    core->pc = machine->setting->entry;
    core->cache.buffered = ~0u;
}

/* One turn for each core; then all have reached the barrier. */
static void run_round(struct machine *machine)
{
    const uint32_t cores = machine->setting->cores;
    for (uint32_t i = 0; i < cores && !machine->ended; i++) {
        const uint32_t number = machine->setting->is_backward ? cores - 1 - i : i;
        run_turn(machine, &machine->cores[number]);
    }
    for (uint32_t i = 0; i < cores; i++) {
        machine->cores[i].state = RUNS;
    }
}

void machine_run(const struct setting *setting, const struct memory *memories,
                 const struct region *regions, char *printed, uint32_t printed_max,
                 struct events *rows, uint32_t rows_max, struct result *result)
{
    struct machine *const machine = calloc(1, sizeof *machine);
    machine->setting = setting;
    machine->memories = memories;
    machine->regions = regions;
    machine->printed = printed;
    machine->printed_max = printed_max;
    machine->rows = rows;
    machine->rows_max = rows_max;
    machine->result = result;
    machine->code = calloc(memories[0].bytes / 2 + 1, sizeof *machine->code);
    memset(result, 0, sizeof *result);
    for (uint32_t i = 0; i < setting->cores; i++) {
        start(machine, i);
    }
    while (!machine->ended) {
        run_round(machine);
    }
    for (uint32_t i = 0; i < setting->cores; i++) {
        result->retired[i] = machine->cores[i].retired;
    }
    free(machine->code);
    free(machine);
}
