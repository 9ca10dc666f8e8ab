/* How cores share rows. */
#ifndef ARETUSA_KERNELS_SHARE_H
#define ARETUSA_KERNELS_SHARE_H

#include "aretusa/platform.h"

/* The first of count rows that a core takes; those of core `cores` would be behind the last.
 * Nothing is divided where all cores take part: a division takes the chip's cores up to 35 cycles.
 */
static inline uint32_t art_share(uint32_t count, uint32_t core, uint32_t cores)
{
    return cores == ART_CORES_MAX ? count * core / ART_CORES_MAX : count * core / cores;
}

#endif
