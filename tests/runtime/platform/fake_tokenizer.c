/* One token per byte: id = byte - 31 for the printable ones; 0 begins a text. */
#include "aretusa/tokenizer.h"

enum { BEGIN = 0, FIRST = 31, IDS = 96 };

enum art_status art_tokenizer_open(const void *image, uint32_t image_bytes,
                                   struct art_tokenizer *out)
{
    const uint8_t *bytes = image;

    *out = (struct art_tokenizer){.vocab_size = IDS};
    out->tables[0].at = image;
    return image_bytes > IDS && bytes[0] == 'T' ? ART_OK : ART_BAD_IMAGE;
}

static bool append(struct art_token_list *out, uint32_t id)
{
    if (out->count >= out->capacity) {
        return false;
    }
    out->ids[out->count] = id;
    out->count++;
    return true;
}

enum art_status art_tokenizer_encode(const struct art_tokenizer *tokenizer, const uint8_t *text,
                                     uint32_t text_bytes, uint32_t options, void *scratch,
                                     uint32_t scratch_bytes, struct art_token_list *out)
{
    (void)tokenizer;
    (void)scratch;
    (void)scratch_bytes;
    if ((options & ART_ENCODE_BOS) != 0 && !append(out, BEGIN)) {
        return ART_NO_SPACE;
    }
    for (uint32_t i = 0; i < text_bytes; i++) {
        const bool is_special = text[i] == '^' && (options & ART_ENCODE_SPECIAL) != 0;

        if (!append(out, is_special ? BEGIN : (uint32_t)text[i] - FIRST)) {
            return ART_NO_SPACE;
        }
    }
    return ART_OK;
}

/* The image holds the bytes: 'T', then one for each id. */
enum art_status art_tokenizer_decode(const struct art_tokenizer *tokenizer, uint32_t id,
                                     const uint8_t **bytes, uint32_t *size_bytes)
{
    if (id >= IDS) {
        return ART_BAD_TOKEN;
    }
    *bytes = (const uint8_t *)(const void *)tokenizer->tables[0].at + 1 + id;
    *size_bytes = 1;
    return ART_OK;
}

bool art_tokenizer_is_special(const struct art_tokenizer *tokenizer, uint32_t id)
{
    (void)tokenizer;
    return id == BEGIN;
}

bool art_tokenizer_strips_first_space(const struct art_tokenizer *tokenizer)
{
    (void)tokenizer;
    return true;
}
