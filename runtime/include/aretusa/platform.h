/* The one seam between the program and the machine it runs on.
 *
 * Every core runs the same program (SPMD). A platform starts the cores, gives each its number,
 * loads the weight images into their memories before the first core enters art_program(), and
 * carries bytes in and out. */
#ifndef ARETUSA_PLATFORM_H
#define ARETUSA_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The memories of the chip, in the order of their numbers in generated tables. */
enum art_memory {
    ART_MEMORY_L1 = 0,
    ART_MEMORY_L2 = 1,
    ART_MEMORY_SRAM = 2,
    ART_MEMORY_MRAM = 3,
    ART_MEMORY_L3 = 4,
    ART_MEMORY_COUNT = 5
};

/* Exit codes of the firmware. The host maps each to a text. */
enum art_exit {
    ART_EXIT_OK = 0,
    ART_EXIT_IMAGE_MAGIC = 10,  /* an image is missing or is not an image */
    ART_EXIT_IMAGE_LENGTH = 11, /* a length or a count in the header is impossible */
    ART_EXIT_IMAGE_CRC = 12,    /* a chunk's CRC-32C is wrong */
    ART_EXIT_IMAGE_MODEL = 13,  /* image and program are from different builds */
    ART_EXIT_REQUEST = 14,      /* the request block is missing or impossible */
    ART_EXIT_TOKENIZER = 15,    /* the tokenizer image does not open */
    ART_EXIT_ASSERT = 16,       /* a check of the runtime failed: a bug */
    ART_EXIT_RECORD = 17,       /* the record file cannot be written */
    ART_EXIT_FLOATS = 18,       /* the cores keep floats in other registers than the program */
    ART_EXIT_UNREACHABLE = 19,  /* what cores read lies in a memory that none of them reaches */
    ART_EXIT_TRAP = 47          /* a hart trapped; the trap report is on the console */
};

/* One core of the team that shares every kernel. */
struct art_team {
    uint32_t core;  /* 0 .. cores - 1 */
    uint32_t cores; /* 1 .. ART_CORES_MAX */
};

enum { ART_CORES_MAX = 8 };

/* First byte of a memory, aligned to at least 4096, zero where no image was loaded. Null where no
 * core reaches L3; its image is then checked by the platform. */
#ifdef ART_FIXED_MEMORIES
#include "platform/siracusa/fixed_memories.h"
#else
void *art_platform_memory(enum art_memory memory);
#endif

/* Bytes of a memory that the build uses, in whole pages of 4096; 0 for none. */
uint32_t art_platform_memory_bytes(enum art_memory memory);

/* Returns on every core after every core has called it; writes before it are seen after it. A
 * core's stack is its own: what cores share lies in a memory. */
void art_platform_barrier(const struct art_team *team);

/* Bytes to the console, in order. Core 0 only. */
void art_platform_print(const char *bytes, uint32_t count);

/* Append bytes to the run's record file; the first call creates it. Core 0 only. */
void art_platform_record(const void *bytes, uint32_t count);

/* The request block (struct art_request and what follows it), aligned to 4, and its size in bytes:
 * of the file, or of the window that it was loaded into. */
const void *art_platform_request(uint32_t *bytes);

/* What a run has taken so far: on the chip cycles of the cluster's clock, on an emulated machine
 * instructions retired by all cores together, 0 where the platform cannot count. */
uint64_t art_platform_counter(void);

/* Stop the whole machine. Any core. */
_Noreturn void art_platform_exit(enum art_exit code);

#endif
