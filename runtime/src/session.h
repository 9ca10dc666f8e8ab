/* What the cores share while a request runs. */
#ifndef ARETUSA_SESSION_H
#define ARETUSA_SESSION_H

#include <stdint.h>

#include "aretusa/generate.h"
#include "aretusa/network.h"
#include "aretusa/platform.h"
#include "aretusa/sample.h"
#include "aretusa/tokenizer.h"

/* Lies at the start of the network's workspace. Core 0 writes it between two barriers, the others
 * read it after the second. */
struct art_session {
    uint32_t image_codes[ART_CORES_MAX]; /* enum art_exit, each core its own */
    uint32_t exit_code;                  /* enum art_exit */
    uint32_t stop;                       /* enum art_stop, 0 while the run goes on */
    uint32_t flags;
    uint32_t chunk;
    uint32_t max_new_tokens;
    uint32_t prompt_count;
    uint32_t token_count; /* prompt and new tokens */
    uint64_t boot_instructions;
    uint64_t prefill_instructions;
    uint64_t mark; /* instruction counter at the end of the last step */
    struct art_sampler sampler;
    struct art_tokenizer tokenizer;
    int32_t *tokens; /* [context + 1] */
    void *scratch;
    uint32_t scratch_bytes;
};

_Static_assert(sizeof(struct art_session) <= ART_SESSION_BYTES, "ART_SESSION_BYTES is too small");

/* Check the request and make its prompt; sets the session's tokens, options and, if the prompt is
 * not usable, its stop. Core 0 only. */
enum art_exit art_prompt_make(struct art_session *session);

/* One line on the console that starts with "aretusa fault: ". Core 0 only. */
void art_report_fault(const char *what, const char *which);

/* The records of one run, each written if the request asks for it. Core 0 only. */
void art_record_prompt(const struct art_session *session);
void art_record_token(const struct art_session *session, int32_t token, uint64_t instructions);
void art_record_logits(const struct art_session *session, uint32_t position, const float *logits);
void art_record_stop(const struct art_session *session);
void art_record_profile(const struct art_session *session);

#endif
