#include <string.h>

#include "core.h"

enum { PROGRAM_IS_THROUGH = 0x5555 };

bool may_access(const struct machine *machine, uint32_t address, uint32_t bytes, enum access access,
                uint8_t **found)
{
    for (uint32_t i = 0; i < machine->setting->memories; i++) {
        const struct memory *const memory = &machine->memories[i];
        const uint32_t offset = address - memory->first;
        if (offset >= memory->bytes || memory->bytes - offset < bytes) {
            continue;
        }
        *found = memory->data + offset;
        for (uint32_t byte = 0; byte < bytes; byte++) {
            if ((memory->access[offset + byte] & access) == 0) {
                return false;
            }
        }
        return true;
    }
    return false;
}

static uint32_t size_of(enum kind kind)
{
    switch (kind) {
    case LB:
    case LB_REGISTER:
    case LBU:
    case SB:
        return 1;
    case LH:
    case LHU:
    case SH:
        return 2;
    default:
        return 4;
    }
}

uint32_t load(struct machine *machine, struct core *core, enum kind kind, uint32_t address)
{
    const uint32_t bytes = size_of(kind);
    uint8_t *data = 0;
    uint32_t value = 0;
    if (address == BARRIER) {
        core->state = WAITS;
        return 0;
    }
    if (address % bytes != 0) {
        fault(machine, core, "misaligned load", address);
        return 0;
    }
    if (!may_access(machine, address, bytes, MAY_READ, &data)) {
        fault(machine, core, "load from where nothing may be read", address);
        return 0;
    }
    memcpy(&value, data, bytes);
    count_access(machine, core, address, false);
    switch (kind) {
    case LB:
    case LB_REGISTER:
        return (uint32_t)(int32_t)(int8_t)value;
    case LH:
        return (uint32_t)(int32_t)(int16_t)value;
    default:
        return value;
    }
}

static void mark(struct machine *machine, struct core *core, uint32_t value)
{
    switch ((enum mark)value) {
    case MARK_START:
        machine->is_in_case = true;
        break;
    case MARK_END:
        machine->is_in_case = false;
        machine->case_number++;
        break;
    case MARK_PAUSE:
    case MARK_RESUME:
        core->is_paused = value == MARK_PAUSE;
        break;
    default:
        fault(machine, core, "unknown mark", value);
    }
}

static bool store_to_device(struct machine *machine, struct core *core, uint32_t address,
                            uint32_t value)
{
    switch (address) {
    case CONSOLE:
        if (machine->result->printed < machine->printed_max) {
            machine->printed[machine->result->printed++] = (char)value;
        }
        return true;
    case FINISHER:
        machine->ended = 1;
        machine->result->outcome = value == PROGRAM_IS_THROUGH ? PASSED : FAILED;
        core->state = ENDED;
        return true;
    case MARK:
        mark(machine, core, value);
        return true;
    default:
        return false;
    }
}

void store(struct machine *machine, struct core *core, enum kind kind, uint32_t address,
           uint32_t value)
{
    const uint32_t bytes = size_of(kind);
    uint8_t *data = 0;
    if (store_to_device(machine, core, address, value)) {
        return;
    }
    if (address % bytes != 0) {
        fault(machine, core, "misaligned store", address);
        return;
    }
    if (!may_access(machine, address, bytes, MAY_WRITE, &data)) {
        fault(machine, core, "store to where nothing may be written", address);
        return;
    }
    memcpy(data, &value, bytes);
    count_access(machine, core, address, true);
}
