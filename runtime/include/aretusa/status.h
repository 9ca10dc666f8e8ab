/* What an entry point of the runtime answers. */
#ifndef ARETUSA_STATUS_H
#define ARETUSA_STATUS_H

enum art_status {
    ART_OK = 0,
    ART_BAD_ARGUMENT = -1,
    ART_BAD_IMAGE = -2,
    ART_NO_SPACE = -3,
    ART_CONTEXT_FULL = -4,
    ART_BAD_TOKEN = -5
};

#endif
