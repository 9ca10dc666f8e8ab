/* Prints what the fabric controller or a core of the cluster writes to the chip's registers before
 * and after the program, one access a line. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aretusa/generate.h"
#include "platform/siracusa/bus.h"
#include "platform/siracusa/chip.h"
#include "platform/siracusa/engine_registers.h"
#include "platform/siracusa/fabric.h"
#include "platform/siracusa/transfers.h"

/* A request of eight cores. */
_Alignas(4) const uint8_t siracusa_request[sizeof(struct art_request)] = {'A', 'R', 'T', 'Q', 0,
                                                                          0,   0,   0,   8};
const uint8_t siracusa_request_end[1];

uint32_t siracusa_read32(uint32_t address)
{
    printf("read %08" PRIx32 "\n", address);
    return 0;
}

void siracusa_write32(uint32_t address, uint32_t value)
{
    printf("write %08" PRIx32 " %08" PRIx32 "\n", address, value);
}

uint32_t siracusa_wait32(uint32_t address)
{
    printf("wait %08" PRIx32 "\n", address);
    return 0;
}

void siracusa_idle(void)
{
    printf("idle\n");
    exit(0);
}

void siracusa_start(void)
{
}

void siracusa_record_close(void)
{
    printf("close\n");
}

void siracusa_engine_start(void)
{
    printf("engine\n");
}

void siracusa_transfers_start(void)
{
    printf("transfers\n");
}

void siracusa_fc_start(void)
{
    printf("off chip\n");
}

bool siracusa_fc_step(void)
{
    printf("serve\n");
    exit(0);
}

enum art_exit art_program(const struct art_team *team)
{
    printf("program %" PRIu32 " of %" PRIu32 "\n", team->core, team->cores);
    return ART_EXIT_REQUEST;
}

int main(int count, char **arguments)
{
    if (count == 3 && strcmp(arguments[1], "core") == 0) {
        siracusa_core_main((uint32_t)atoi(arguments[2]));
    }
    siracusa_fabric_main();
}
