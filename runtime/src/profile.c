#include "aretusa/profile.h"

#ifdef ART_PROFILE

#include "aretusa/generate.h"
#include "aretusa/network.h"

struct profile_row {
    uint64_t instructions;
    uint64_t calls;
};

/* Not in the chip's memories, so that a profiled build has the same memory map. Core 0 only. */
static struct profile_row rows[ART_PROFILE_ROWS_MAX];
static uint64_t last_mark;

void art_profile_restart(const struct art_team *team)
{
    art_platform_barrier(team);
    if (team->core == 0) {
        last_mark = art_platform_counter();
    }
}

void art_profile_mark(const struct art_team *team, uint32_t kernel)
{
    art_platform_barrier(team);
    if (team->core == 0) {
        const uint64_t now = art_platform_counter();

        if (kernel >= ART_PROFILE_ROWS_MAX) {
            art_platform_exit(ART_EXIT_ASSERT);
        }
        rows[kernel].instructions += now - last_mark;
        rows[kernel].calls++;
        last_mark = now;
    }
}

const void *art_profile_rows(uint32_t *bytes)
{
    if (art_network.kernel_count > ART_PROFILE_ROWS_MAX) {
        art_platform_exit(ART_EXIT_ASSERT);
    }
    *bytes = art_network.kernel_count * (uint32_t)sizeof rows[0];
    return rows;
}

#endif
