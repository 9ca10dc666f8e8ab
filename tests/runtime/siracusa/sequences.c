/* sequences NAME [SEED]: one sequence of what the drivers offer, or of accesses that the bus must
 * refuse. Ends with 0 if every byte is where it belongs. */
#include "sequences.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory_map.h"
#include "platform/siracusa/l3_image.h"
#include "units.h"

static uint8_t l1[ART_L1_BYTES] __attribute__((aligned(4096)));
static uint8_t l2[ART_L2_BYTES] __attribute__((aligned(4096)));
static uint8_t sram[ART_SRAM_BYTES] __attribute__((aligned(4096)));
static uint8_t mram[ART_MRAM_BYTES] __attribute__((aligned(4096)));
static uint8_t l3[ART_L3_BYTES] __attribute__((aligned(4096)));

static const struct {
    uint8_t *bytes;
    uint32_t size;
} memories[ART_MEMORY_COUNT] = {
    [ART_MEMORY_L1] = {l1, sizeof l1},       [ART_MEMORY_L2] = {l2, sizeof l2},
    [ART_MEMORY_SRAM] = {sram, sizeof sram}, [ART_MEMORY_MRAM] = {mram, sizeof mram},
    [ART_MEMORY_L3] = {l3, sizeof l3},
};
static uint8_t *expected[ART_MEMORY_COUNT];
static uint32_t random_state = 1;

void *art_platform_memory(enum art_memory memory)
{
    return memories[memory].bytes;
}

void *unit_memory(enum art_memory memory)
{
    return memories[memory].bytes;
}

/* There is no image. */
void siracusa_l3_load(void)
{
}

uint32_t art_platform_memory_bytes(enum art_memory memory)
{
    return memories[memory].size;
}

_Noreturn void art_platform_exit(enum art_exit code)
{
    fprintf(stderr, "the program ends with %d\n", (int)code);
    _Exit((int)code);
}

uint32_t random_below(uint32_t count)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % count;
}

void expect_nothing_yet(void)
{
    for (uint32_t i = 0; i < ART_MEMORY_COUNT; i++) {
        expected[i] = malloc(memories[i].size);
        if (expected[i] == NULL) {
            exit(2);
        }
        for (uint32_t at = 0; at < memories[i].size; at++) {
            memories[i].bytes[at] = (uint8_t)random_below(256);
        }
        memcpy(expected[i], memories[i].bytes, memories[i].size);
    }
}

uint8_t *expected_bytes(enum art_memory memory)
{
    return expected[memory];
}

uint32_t give(enum art_queue queue, struct art_transfer transfer)
{
    const bool is_in = transfer.to_memory == ART_MEMORY_L1;
    const uint32_t run = transfer.run_bytes > 0 ? transfer.run_bytes : transfer.bytes;
    uint8_t *to = expected[transfer.to_memory] + transfer.to_bytes;
    const uint8_t *from = expected[transfer.from_memory] + transfer.from_bytes;

    for (uint32_t left = transfer.bytes; left > 0; left -= run) {
        memmove(to, from, run);
        to += is_in ? run : transfer.stride_bytes;
        from += is_in ? transfer.stride_bytes : run;
    }
    return art_transfer_submit(queue, &transfer);
}

void check_memories(void)
{
    for (uint32_t i = 0; i < ART_MEMORY_COUNT; i++) {
        for (uint32_t at = 0; at < memories[i].size; at++) {
            if (expected[i][at] != memories[i].bytes[at]) {
                fprintf(stderr, "memory %u differs at %u\n", (unsigned)i, (unsigned)at);
                exit(1);
            }
        }
        free(expected[i]);
    }
}

static bool run_wrong_sequence(const struct wrong_sequence *sequences, const char *name)
{
    for (; sequences->name != NULL; sequences++) {
        if (strcmp(sequences->name, name) == 0) {
            sequences->run();
            return true;
        }
    }
    return false;
}

int main(int count, char **arguments)
{
    if (count < 2) {
        return 2;
    }
    if (count > 2) {
        random_state = (uint32_t)atoi(arguments[2]) * 2654435761u + 1;
    }
    const bool is_known = run_right_sequence(arguments[1]) ||
                          run_wrong_sequence(wrong_copies, arguments[1]) ||
                          run_wrong_sequence(wrong_jobs, arguments[1]);

    return is_known ? 0 : 2;
}
