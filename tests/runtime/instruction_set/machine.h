/* A machine of up to eight RI5CY-like cores: RV32IMC + Zfinx and some of Xpulp, one memory,
 * barriers.
 *
 * A core goes on until it reaches a barrier; then the next one has its turn. What cores share
 * between two barriers would show when they take their turns in another order. Whatever is wrong
 * ends the run: an unknown instruction, an address that is misaligned or of no memory, too many
 * turns. */
#ifndef ARETUSA_TESTS_MACHINE_H
#define ARETUSA_TESTS_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "instruction.h"

enum { CORES_MAX = 8, REGIONS_MAX = 16, LINE_BYTES = 16, LINE_WORDS = 512 };

/* Addresses that are no memory. */
#define FINISHER 0x00100000u /* store of 0x5555: the program is through; else it failed */
#define BARRIER 0x00100100u  /* a load waits for all cores */
#define MARK 0x00100200u     /* store of enum mark */
#define CONSOLE 0x10000000u  /* store of a byte */

/* What is counted: a case between these two, but not what a core does while it pauses. */
enum mark { MARK_START = 1, MARK_END = 2, MARK_PAUSE = 3, MARK_RESUME = 4 };

/* A piece of memory. `access` has a byte for each of its bytes: what is allowed there. */
struct memory {
    uint32_t first;
    uint32_t bytes;
    uint8_t *data;
    uint8_t *access;
};

enum access { MAY_READ = 1, MAY_WRITE = 2, MAY_EXECUTE = 4 };

/* What one core executed between two barriers. struct.pack order of instruction_set.py. */
struct events {
    uint32_t case_number;
    uint32_t core;
    uint32_t instructions;
    uint32_t load_uses;
    uint32_t taken_branches;
    uint32_t jumps;
    uint32_t multiplies;
    uint32_t divides;
    uint32_t float_operations;
    uint32_t float_divides;
    uint32_t fetch_refills;
    uint32_t loads[REGIONS_MAX];
    uint32_t stores[REGIONS_MAX];
    uint32_t lines[LINE_WORDS]; /* one bit for each line of code */
};

/* Where the arrays of a case lie, to tell accesses apart. */
struct region {
    uint32_t first;
    uint32_t last;
};

struct setting {
    uint32_t cores;
    uint32_t is_backward; /* cores take their turns from the last to the first */
    uint32_t entry;
    uint32_t counted_first; /* code that is counted */
    uint32_t counted_last;
    uint32_t memories;
    uint32_t
        regions; /* of each case, at most REGIONS_MAX - 1; what is in none counts as the last */
    uint64_t turns_max; /* instructions of one core */
};

enum outcome { PASSED = 0, FAILED = 1, FAULT = 2 };

struct result {
    uint64_t retired[CORES_MAX];
    uint32_t outcome;
    uint32_t core; /* of a fault, with its pc and address */
    uint32_t pc;
    uint32_t address;
    uint32_t printed; /* bytes */
    uint32_t rows;    /* of events */
    char reason[64];
};

/* Run a program; `printed` and `rows` have room for as many as the result then says, at most. */
void machine_run(const struct setting *setting, const struct memory *memories,
                 const struct region *regions, char *printed, uint32_t printed_max,
                 struct events *rows, uint32_t rows_max, struct result *result);

#endif
