#include "session.h"

static bool is_request_sound(const struct art_request *request, uint32_t bytes)
{
    if (bytes < sizeof *request || request->magic != ART_REQUEST_MAGIC) {
        return false;
    }
    if (request->bytes < sizeof *request || request->bytes > bytes) {
        return false;
    }
    if (request->cores < 1 || request->cores > ART_CORES_MAX ||
        (request->flags & ~(uint32_t)ART_REQUEST_FLAGS) != 0 ||
        request->chunk > art_network.chunk_max) {
        return false;
    }
    /* Written so that a NaN fails. */
    return request->temperature >= 0.0f && request->temperature <= 100.0f &&
           request->top_p > 0.0f && request->top_p <= 1.0f;
}

static bool are_tokens(const int32_t *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (ids[i] < 0 || (uint32_t)ids[i] >= art_network.vocabulary) {
            return false;
        }
    }
    return true;
}

static enum art_stop append_ids(struct art_session *session, const int32_t *ids, uint32_t count)
{
    if (count > art_network.context - session->token_count) {
        return ART_STOP_PROMPT_TOO_LONG;
    }
    for (uint32_t i = 0; i < count; i++) {
        session->tokens[session->token_count + i] = ids[i];
    }
    session->token_count += count;
    return are_tokens(ids, count) ? 0 : ART_STOP_BAD_TOKEN;
}

static enum art_stop append_text(struct art_session *session, const uint8_t *text, uint32_t bytes,
                                 uint32_t kind)
{
    const uint32_t options = ((kind & ART_SEGMENT_SPECIAL) != 0 ? ART_ENCODE_SPECIAL : 0u) |
                             ((kind & ART_SEGMENT_BEGIN) != 0 ? ART_ENCODE_BOS : 0u);
    int32_t *ids = session->tokens + session->token_count;
    struct art_token_list list = {
        .ids = (uint32_t *)ids,
        .capacity = art_network.context - session->token_count,
    };
    const enum art_status status = art_tokenizer_encode(
        &session->tokenizer, text, bytes, options, session->scratch, session->scratch_bytes, &list);

    if (status == ART_NO_SPACE) {
        return ART_STOP_PROMPT_TOO_LONG;
    }
    session->token_count += list.count;
    return status == ART_OK && are_tokens(ids, list.count) ? 0 : ART_STOP_BAD_TOKEN;
}

static bool is_kind(uint32_t kind)
{
    return kind == ART_SEGMENT_IDS ||
           (kind & ~(uint32_t)(ART_SEGMENT_SPECIAL | ART_SEGMENT_BEGIN)) == 0;
}

static enum art_exit append_segments(struct art_session *session, const struct art_request *request)
{
    const uint8_t *at = (const uint8_t *)(request + 1);
    uint32_t left = request->bytes - (uint32_t)sizeof *request;

    for (uint32_t i = 0; i < request->segment_count && session->stop == 0; i++) {
        if (left < 8) {
            return ART_EXIT_REQUEST;
        }
        const uint32_t kind = ((const uint32_t *)(const void *)at)[0];
        const uint32_t bytes = ((const uint32_t *)(const void *)at)[1];
        const void *payload = at + 8;

        left -= 8;
        if (bytes > left || ((bytes + 3) & ~3u) > left || !is_kind(kind) ||
            (kind == ART_SEGMENT_IDS && bytes % 4 != 0)) {
            return ART_EXIT_REQUEST;
        }
        session->stop = kind == ART_SEGMENT_IDS ? append_ids(session, payload, bytes / 4)
                                                : append_text(session, payload, bytes, kind);
        at += 8 + ((bytes + 3) & ~3u);
        left -= (bytes + 3) & ~3u;
    }
    return left == 0 || session->stop != 0 ? ART_EXIT_OK : ART_EXIT_REQUEST;
}

static void report_stop(uint32_t stop)
{
    if (stop == ART_STOP_PROMPT_TOO_LONG) {
        art_report_fault("the prompt is longer than the context", "");
    } else if (stop == ART_STOP_BAD_TOKEN) {
        art_report_fault("the prompt is empty or has a token out of range", "");
    }
}

enum art_exit art_prompt_make(struct art_session *session)
{
    uint32_t bytes = 0;
    const struct art_request *request = art_platform_request(&bytes);

    session->prompt_count = 0;
    session->token_count = 0;
    session->stop = 0;
    if (!is_request_sound(request, bytes)) {
        art_report_fault("the request is missing or impossible", "");
        return ART_EXIT_REQUEST;
    }
    session->flags = request->flags;
    session->chunk = request->chunk == 0 ? art_network.chunk_max : request->chunk;
    session->max_new_tokens = request->max_new_tokens;
    session->sampler = (struct art_sampler){
        .temperature = request->temperature,
        .top_p = request->top_p,
        .state = (uint64_t)request->seed_high << 32 | request->seed_low,
    };

    const enum art_exit code = append_segments(session, request);

    if (code != ART_EXIT_OK) {
        art_report_fault("a segment of the request is impossible", "");
        return code;
    }
    if (session->stop == 0 && session->token_count == 0) {
        session->stop = ART_STOP_BAD_TOKEN;
    }
    session->prompt_count = session->token_count;
    report_stop(session->stop);
    return ART_EXIT_OK;
}
