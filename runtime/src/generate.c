#include "aretusa/generate.h"

#include "aretusa/image.h"
#include "aretusa/profile.h"
#include "session.h"

static struct art_session *session_of_network(void)
{
    uint8_t *memory = art_platform_memory(art_network.workspace_memory);

    return (struct art_session *)(void *)(memory + art_network.workspace_offset_bytes);
}

static bool lies_in_memory(enum art_memory memory, uint64_t offset_bytes, uint64_t bytes)
{
    return offset_bytes + bytes <= art_platform_memory_bytes(memory);
}

static bool is_workspace_sound(void)
{
    const uint64_t token_bytes = 4 * ((uint64_t)art_network.context + 1);

    return art_network.workspace_offset_bytes % 16 == 0 &&
           art_network.workspace_bytes >= ART_SESSION_BYTES + token_bytes &&
           lies_in_memory(art_network.workspace_memory, art_network.workspace_offset_bytes,
                          art_network.workspace_bytes) &&
           lies_in_memory(art_network.tokenizer_memory, art_network.tokenizer_offset_bytes,
                          art_network.tokenizer_bytes);
}

static enum art_exit check_image(const struct art_team *team, const struct art_image_place *place)
{
    const uint8_t *memory = art_platform_memory(place->memory);

    if (!lies_in_memory(place->memory, place->offset_bytes, ART_IMAGE_HEADER_BYTES)) {
        return ART_EXIT_ASSERT;
    }
    if (!memory) { /* No core reads it: whoever loads it checks it. */
        return ART_EXIT_OK;
    }
    const uint8_t *image = memory + place->offset_bytes;

    const uint32_t capacity_bytes = art_platform_memory_bytes(place->memory) - place->offset_bytes;
    const enum art_exit code =
        art_image_check_header(image, capacity_bytes, art_network.model_hash, place->memory);

    return code != ART_EXIT_OK ? code : art_image_check_chunks(team, image);
}

static void report_image(enum art_exit code, enum art_memory memory)
{
    static const char *const files[ART_MEMORY_COUNT] = {
        [ART_MEMORY_L1] = "l1.bin",     [ART_MEMORY_L2] = "l2.bin", [ART_MEMORY_SRAM] = "sram.bin",
        [ART_MEMORY_MRAM] = "mram.bin", [ART_MEMORY_L3] = "l3.bin",
    };
    const char *what = code == ART_EXIT_IMAGE_MAGIC    ? "no image, or not an image: "
                       : code == ART_EXIT_IMAGE_LENGTH ? "an impossible length in image "
                       : code == ART_EXIT_IMAGE_CRC    ? "a wrong checksum in image "
                       : code == ART_EXIT_IMAGE_MODEL  ? "an image of another model: "
                                                       : "an image outside its memory: ";

    art_report_fault(what, files[memory]);
}

/* Every core checks its share; all return the code of the first image that is wrong. */
static enum art_exit check_images(const struct art_team *team, struct art_session *session)
{
    for (uint32_t i = 0; i < art_network.image_count; i++) {
        enum art_exit code = ART_EXIT_OK;

        session->image_codes[team->core] = (uint32_t)check_image(team, &art_network.images[i]);
        art_platform_barrier(team);
        for (uint32_t core = 0; core < team->cores && code == ART_EXIT_OK; core++) {
            code = (enum art_exit)session->image_codes[core];
        }
        if (code != ART_EXIT_OK) {
            if (team->core == 0) {
                report_image(code, art_network.images[i].memory);
            }
            return code;
        }
        art_platform_barrier(team);
    }
    return ART_EXIT_OK;
}

/* Open the tokenizer and make the prompt. Core 0 only. */
static enum art_exit prepare(struct art_session *session)
{
    const uint8_t *tokenizer_memory = art_platform_memory(art_network.tokenizer_memory);
    uint8_t *workspace = (uint8_t *)(void *)session;
    const uint32_t token_bytes = (4 * (art_network.context + 1) + 15) & ~15u;
    const uint32_t used_bytes = ART_SESSION_BYTES + token_bytes;

    if (!tokenizer_memory) {
        art_report_fault("no core of this platform reads the tokenizer: it lies in L3", "");
        return ART_EXIT_UNREACHABLE;
    }
    session->tokens = (int32_t *)(void *)(workspace + ART_SESSION_BYTES);
    session->scratch = workspace + used_bytes;
    session->scratch_bytes =
        art_network.workspace_bytes < used_bytes ? 0 : art_network.workspace_bytes - used_bytes;
    if (art_tokenizer_open(tokenizer_memory + art_network.tokenizer_offset_bytes,
                           art_network.tokenizer_bytes, &session->tokenizer) != ART_OK) {
        art_report_fault("the tokenizer does not open", "");
        return ART_EXIT_TOKENIZER;
    }
    return art_prompt_make(session);
}

/* Run the prompt through the network. Returns the row of its last token in the last step. */
static uint32_t prefill(const struct art_team *team, const struct art_session *session)
{
    uint32_t count = 0;

    for (uint32_t position = 0; position < session->prompt_count; position += count) {
        const uint32_t left = session->prompt_count - position;

        count = left < session->chunk ? left : session->chunk;
        art_profile_restart(team);
        art_network_forward(team, session->tokens + position, count, position);
        if ((session->flags & ART_REQUEST_LOGITS) == 0) {
            continue;
        }
        /* The logits of the prompt's last token belong to the first choice. */
        for (uint32_t row = 0; row < count && row + 1 < left; row++) {
            const float *logits = art_network_head(team, row);

            if (team->core == 0) {
                art_record_logits(session, position + row, logits);
            }
            art_platform_barrier(team);
        }
    }
    return count - 1;
}

static bool is_stop_token(int32_t token)
{
    for (uint32_t i = 0; i < art_network.stop_token_count; i++) {
        if (art_network.stop_tokens[i] == token) {
            return true;
        }
    }
    return false;
}

static bool has_only_special_tokens(const struct art_session *session)
{
    for (uint32_t i = 0; i < session->token_count; i++) {
        if (!art_tokenizer_is_special(&session->tokenizer, (uint32_t)session->tokens[i])) {
            return false;
        }
    }
    return true;
}

/* Print a token that follows those of the session. A token may be beyond the tokenizer's, in a
 * padded vocabulary: then it has no text. */
static void print_token(const struct art_session *session, int32_t token)
{
    const struct art_tokenizer *tokenizer = &session->tokenizer;
    const uint8_t *text = NULL;
    uint32_t bytes = 0;

    if (art_tokenizer_decode(tokenizer, (uint32_t)token, &text, &bytes) != ART_OK ||
        art_tokenizer_is_special(tokenizer, (uint32_t)token)) {
        return;
    }
    if (bytes > 0 && text[0] == ' ' && art_tokenizer_strips_first_space(tokenizer) &&
        has_only_special_tokens(session)) {
        text++;
        bytes--;
    }
    art_platform_print((const char *)text, bytes);
}

/* Append a chosen token, print it, and decide whether the run goes on. */
static void take_token(struct art_session *session, int32_t token)
{
    const bool is_end = (session->flags & ART_REQUEST_IGNORE_STOP) == 0 && is_stop_token(token);

    if (!is_end) {
        print_token(session, token);
    }
    session->tokens[session->token_count] = token;
    session->token_count++;
    if (is_end) {
        session->stop = ART_STOP_END_TOKEN;
    } else if (session->token_count - session->prompt_count >= session->max_new_tokens) {
        session->stop = ART_STOP_TOKEN_BUDGET;
    } else if (session->token_count > art_network.context) {
        session->stop = ART_STOP_CONTEXT_FULL;
    }
}

/* Choose the token that follows the last one. Core 0 only. */
static void choose(struct art_session *session, const float *logits)
{
    const uint32_t position = session->token_count - 1;

    if (session->max_new_tokens == 0) {
        session->stop = ART_STOP_TOKEN_BUDGET;
    } else {
        const int32_t token = art_sample(&session->sampler, logits, art_network.vocabulary);
        const uint64_t end = art_platform_counter();

        art_record_token(session, token, end - session->mark);
        art_record_profile(session);
        take_token(session, token);
    }
    art_record_logits(session, position, logits);
    session->mark = art_platform_counter();
}

static void generate(const struct art_team *team, struct art_session *session)
{
    uint32_t row = prefill(team, session);

    if (team->core == 0) {
        const uint64_t now = art_platform_counter();

        session->prefill_instructions = now - session->mark;
        session->mark = now;
    }
    while (true) {
        const float *logits = art_network_head(team, row);

        if (team->core == 0) {
            choose(session, logits);
        }
        art_platform_barrier(team);
        if (session->stop != 0) {
            return;
        }

        const uint32_t position = session->token_count - 1;

        art_profile_restart(team);
        art_network_forward(team, session->tokens + position, 1, position);
        row = 0;
    }
}

enum art_exit art_program(const struct art_team *team)
{
    const uint64_t start = art_platform_counter();

    if (!is_workspace_sound()) {
        return ART_EXIT_ASSERT;
    }

    struct art_session *session = session_of_network();
    const enum art_exit image_code = check_images(team, session);

    if (image_code != ART_EXIT_OK) {
        return image_code;
    }
    if (team->core == 0) {
        session->exit_code = (uint32_t)prepare(session);
        session->mark = art_platform_counter();
        session->boot_instructions = session->mark - start;
        session->prefill_instructions = 0;
        if (session->exit_code == ART_EXIT_OK) {
            art_record_prompt(session);
        }
    }
    art_platform_barrier(team);

    const enum art_exit code = (enum art_exit)session->exit_code;

    if (code == ART_EXIT_OK && session->stop == 0) {
        generate(team, session);
    }
    if (code == ART_EXIT_OK && team->core == 0) {
        art_record_stop(session);
        art_record_profile(session);
    }
    return code;
}
