/* Instructions per kernel: generated code marks the end of each kernel when it is built for it. */
#ifndef ARETUSA_PROFILE_H
#define ARETUSA_PROFILE_H

#include <stdint.h>

#include "aretusa/platform.h"

#ifdef ART_PROFILE
/* Charge the instructions since the last mark to a row of the profile. Called by every core; crosses
 * a barrier. */
void art_profile_mark(const struct art_team *team, uint32_t kernel);
#else
static inline void art_profile_mark(const struct art_team *team, uint32_t kernel)
{
    (void)team;
    (void)kernel;
}
#endif

#endif
