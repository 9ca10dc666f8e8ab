/* One core, and what the parts of the machine share. */
#ifndef ARETUSA_TESTS_CORE_H
#define ARETUSA_TESTS_CORE_H

#include "machine.h"

/* The private cache of a core as gvsoc-pulp:pulp/chips/siracusa/cluster.json describes it, 512
 * bytes behind a buffer of one line, with the replacement of
 * gvsoc-core:models/cache/cache_impl.cpp. */
enum { SETS = 8, WAYS = 4 };

struct cache {
    uint32_t lines[SETS][WAYS];
    uint32_t buffered;
    uint8_t shift_register;
};

struct hardware_loop {
    uint32_t first; /* instruction of the body */
    uint32_t last;
    uint32_t count; /* turns that are left, with the present one */
};

enum state { RUNS, WAITS, ENDED };

struct core {
    uint32_t x[32];
    uint32_t pc;
    uint32_t number;
    uint64_t retired;
    struct hardware_loop loops[2];
    enum state state;
    uint32_t loaded; /* register that the instruction before loaded, one bit */
    bool is_paused;
    struct cache cache;
    struct events events;
};

struct machine {
    const struct setting *setting;
    const struct memory *memories;
    const struct region *regions;
    struct core cores[CORES_MAX];
    struct instruction *code; /* decoded, one for each two bytes of the first memory */
    bool is_in_case;
    uint32_t case_number;
    uint32_t ended; /* 1: the program is through */
    char *printed;
    uint32_t printed_max;
    struct events *rows;
    uint32_t rows_max;
    struct result *result;
};

/* End the run for this reason. */
void fault(struct machine *machine, struct core *core, const char *reason, uint32_t address);

/* The float instructions of Zfinx. */
uint32_t float_result(const struct instruction *now, uint32_t a, uint32_t b, uint32_t c);

/* Loads and stores, with the devices. */
uint32_t load(struct machine *machine, struct core *core, enum kind kind, uint32_t address);
void store(struct machine *machine, struct core *core, enum kind kind, uint32_t address,
           uint32_t value);
bool may_access(const struct machine *machine, uint32_t address, uint32_t bytes, enum access access,
                uint8_t **found);

/* Execute one instruction. */
void execute(struct machine *machine, struct core *core, const struct instruction *now);

/* Note an instruction that is about to be executed, an access, and the end of a core's turn. */
void count_instruction(struct machine *machine, struct core *core, const struct instruction *now);
void count_access(struct machine *machine, struct core *core, uint32_t address, bool is_store);
void end_turn(struct machine *machine, struct core *core);

static inline bool is_counting(const struct machine *machine, const struct core *core)
{
    return machine->is_in_case && !core->is_paused;
}

#endif
