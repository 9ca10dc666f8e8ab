/* MCHAN, the DMA between L1 and everything else: commands, as a core of the cluster or the fabric
 * controller gives them at its own port.
 *
 * An id stands for commands given one after the other; it is busy until all of them are done, and
 * then it has to be freed. There are 16 ids, and asking for one more stops the core that asks. */
#ifndef ARETUSA_SIRACUSA_MCHAN_H
#define ARETUSA_SIRACUSA_MCHAN_H

#include <stdbool.h>

#include "bus.h"
#include "registers.h"

enum {
    MCHAN_IDS = 16,
    MCHAN_IDS_OF_FABRIC = 1, /* the fabric controller gives one command at a time */
    MCHAN_BYTES_MAX = 131071 /* of a command: 17 bits */
};

/* Addresses of the chip. */
struct mchan_copy {
    uint32_t l1;
    uint32_t external;
    uint32_t bytes;
    bool is_into_l1;
};

/* Get an id for the commands that follow. */
static inline uint32_t mchan_allocate(uint32_t port)
{
    return siracusa_read32(MCHAN_COMMAND(port));
}

/* A core is sent an event for each command that is done; the fabric controller looks by itself. */
static inline uint32_t mchan_command(uint32_t port, const struct mchan_copy *copy)
{
    return copy->bytes | MCHAN_INCREMENT | (copy->is_into_l1 ? MCHAN_INTO_L1 : 0) |
           (port == MCHAN_PORT_OF_CORE ? MCHAN_EVENT : 0);
}

/* Give a copy of 1 .. MCHAN_BYTES_MAX bytes. */
static inline void mchan_start(uint32_t port, const struct mchan_copy *copy)
{
    siracusa_write32(MCHAN_COMMAND(port), mchan_command(port, copy));
    siracusa_write32(MCHAN_COMMAND(port), copy->l1);
    siracusa_write32(MCHAN_COMMAND(port), copy->external);
}

/* The same with runs of row_bytes, stride_bytes apart outside of L1. */
static inline void mchan_start_strided(uint32_t port, const struct mchan_copy *copy,
                                       uint32_t row_bytes, uint32_t stride_bytes)
{
    siracusa_write32(MCHAN_COMMAND(port), mchan_command(port, copy) | MCHAN_STRIDED);
    siracusa_write32(MCHAN_COMMAND(port), copy->l1);
    siracusa_write32(MCHAN_COMMAND(port), copy->external);
    siracusa_write32(MCHAN_COMMAND(port), row_bytes);
    siracusa_write32(MCHAN_COMMAND(port), stride_bytes);
}

/* Those of the ids, one bit for each, that are busy. */
static inline uint32_t mchan_busy(uint32_t port, uint32_t ids)
{
    return siracusa_read32(MCHAN_STATUS(port)) & ids;
}

/* Free ids that are not busy. */
static inline void mchan_free(uint32_t port, uint32_t ids)
{
    siracusa_write32(MCHAN_STATUS(port), ids);
}

#endif
