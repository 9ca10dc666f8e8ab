/* One thing that a program must not do, spelt in the tokens of a prompt. */
#ifndef PROBE_H
#define PROBE_H

#include "aretusa/platform.h"

/* PROBE, the core that does it, an operation, eight hexadecimal digits of an address. */
enum { PROBE = 88, PROBE_TOKENS = 11 };

enum probe_operation {
    PROBE_READ = 0,
    PROBE_WRITE = 1,
    PROBE_JUMP = 2,
    PROBE_PRINT = 3,   /* let the platform print 16 bytes from there */
    PROBE_BREAK = 4,   /* call the emulator's host; the address does not matter from here on */
    PROBE_CONTROL = 5, /* write a control register of the machine */
    PROBE_CALL = 6     /* call the monitor with a number that it does not know */
};

void probe(const struct art_team *team, const int32_t *tokens, uint32_t count);

#endif
