#include "aretusa/profile.h"
#include "session.h"

struct token_record {
    int32_t token;
    uint32_t position;
    uint64_t instructions;
};

struct stop_record {
    uint32_t stop;
    uint32_t prompt_count;
    uint32_t new_count;
    uint32_t zero;
    uint64_t boot_instructions;
    uint64_t prefill_instructions;
};

_Static_assert(sizeof(struct token_record) == 16, "the record has no padding");
_Static_assert(sizeof(struct stop_record) == 32, "the record has no padding");

static uint32_t text_bytes(const char *text)
{
    uint32_t bytes = 0;

    while (text[bytes] != '\0') {
        bytes++;
    }
    return bytes;
}

static void print_text(const char *text)
{
    art_platform_print(text, text_bytes(text));
}

void art_report_fault(const char *what, const char *which)
{
    print_text("\naretusa fault: ");
    print_text(what);
    print_text(which);
    print_text("\n");
}

static void record_head(enum art_record tag, uint32_t bytes)
{
    const uint32_t head[2] = {(uint32_t)tag, bytes};

    art_platform_record(head, sizeof head);
}

static bool is_recording(const struct art_session *session)
{
    return (session->flags & ART_REQUEST_RECORD) != 0;
}

void art_record_prompt(const struct art_session *session)
{
    const uint32_t bytes = 4 * session->prompt_count;

    if (is_recording(session)) {
        record_head(ART_RECORD_PROMPT, bytes);
        art_platform_record(session->tokens, bytes);
    }
}

void art_record_token(const struct art_session *session, int32_t token, uint64_t instructions)
{
    const struct token_record record = {
        .token = token,
        .position = session->token_count,
        .instructions = instructions,
    };

    if (is_recording(session)) {
        record_head(ART_RECORD_TOKEN, sizeof record);
        art_platform_record(&record, sizeof record);
    }
}

void art_record_logits(const struct art_session *session, uint32_t position, const float *logits)
{
    const uint32_t bytes = 4 * art_network.vocabulary;

    if (is_recording(session) && (session->flags & ART_REQUEST_LOGITS) != 0) {
        record_head(ART_RECORD_LOGITS, (uint32_t)sizeof position + bytes);
        art_platform_record(&position, sizeof position);
        art_platform_record(logits, bytes);
    }
}

void art_record_stop(const struct art_session *session)
{
    const struct stop_record record = {
        .stop = session->stop,
        .prompt_count = session->prompt_count,
        .new_count = session->token_count - session->prompt_count,
        .boot_instructions = session->boot_instructions,
        .prefill_instructions = session->prefill_instructions,
    };

    if (is_recording(session)) {
        record_head(ART_RECORD_STOP, sizeof record);
        art_platform_record(&record, sizeof record);
    }
}

void art_record_profile(const struct art_session *session)
{
    uint32_t bytes = 0;
    const void *rows = art_profile_rows(&bytes);

    if (is_recording(session) && (session->flags & ART_REQUEST_PROFILE) != 0 && bytes > 0) {
        record_head(ART_RECORD_PROFILE, bytes);
        art_platform_record(rows, bytes);
    }
}
