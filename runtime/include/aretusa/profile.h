/* Instructions per kernel: generated code marks the end of each kernel when it is built for it. */
#ifndef ARETUSA_PROFILE_H
#define ARETUSA_PROFILE_H

#include <stdint.h>

#include "aretusa/platform.h"

#ifdef ART_PROFILE
enum { ART_PROFILE_ROWS_MAX = 256 };

/* Forget the instructions since the last mark: what ran was no kernel. Called by every core;
 * crosses a barrier. */
void art_profile_restart(const struct art_team *team);

/* Charge the instructions since the last mark to a row of the profile. Called by every core;
 * crosses a barrier. */
void art_profile_mark(const struct art_team *team, uint32_t kernel);

/* The rows of the network's kernels, as ART_RECORD_PROFILE has them. Core 0 only. */
const void *art_profile_rows(uint32_t *bytes);
#else
static inline void art_profile_restart(const struct art_team *team)
{
    (void)team;
}

static inline void art_profile_mark(const struct art_team *team, uint32_t kernel)
{
    (void)team;
    (void)kernel;
}

static inline const void *art_profile_rows(uint32_t *bytes)
{
    *bytes = 0;
    return NULL;
}
#endif

#endif
