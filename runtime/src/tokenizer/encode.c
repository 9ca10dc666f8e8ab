#include <stddef.h>

#include "tables.h"

enum {
    MARK_BYTES = 3, /* U+2581 in UTF-8 */
    ARRAYS = 5,     /* of struct art_symbols */
    SPACE_MARK = 0x2581
};

/* What the steps of one call share. */
struct encoder {
    const struct art_tokenizer *tokenizer;
    uint32_t *scratch; /* the text, then the symbols of one word; to compose, code points last */
    uint32_t scratch_words;
    struct art_text text; /* the present stretch, behind MARK_BYTES free bytes */
    struct art_symbols symbols;
    uint32_t symbol_capacity;
    bool was_known; /* the symbol before is one of the vocabulary */
    struct art_token_list *out;
};

/* Room for a text: each byte may become three, and a space goes in front. */
static uint32_t text_capacity(uint32_t text_bytes)
{
    return (3 * text_bytes + MARK_BYTES + 3) / 4 * 4;
}

uint32_t art_tokenizer_encode_scratch_bytes(uint32_t text_bytes)
{
    if (text_bytes > ART_TOKENIZER_MAX_TEXT_BYTES) {
        return 0;
    }
    return text_capacity(text_bytes) * (1 + 4 * ARRAYS);
}

static enum art_status emit(struct encoder *encoder, uint32_t id)
{
    struct art_token_list *out = encoder->out;

    if (id >= encoder->tokenizer->vocab_size) {
        return ART_BAD_IMAGE;
    }
    if (out->count >= out->capacity) {
        return ART_NO_SPACE;
    }
    out->ids[out->count++] = id;
    return ART_OK;
}

/* A symbol that the vocabulary lacks becomes the unknown token, or nothing if there is none. */
static void add_symbol(struct encoder *encoder, uint32_t id)
{
    const struct art_tokenizer *tokenizer = encoder->tokenizer;
    bool is_known = id != ART_NO_ID;

    if (!is_known && (encoder->was_known || !art_has(tokenizer, ART_FLAG_FUSES_UNKNOWN))) {
        id = tokenizer->unknown_id;
    }
    if (id != ART_NO_ID) {
        encoder->symbols.ids[encoder->symbols.count++] = id;
    }
    encoder->was_known = is_known;
}

/* A character of the vocabulary, else all of its bytes, else one unknown symbol. */
static void add_char(struct encoder *encoder, const uint8_t *bytes, uint32_t size_bytes,
                     uint32_t code)
{
    const uint32_t *byte_ids = encoder->tokenizer->tables[ART_TABLE_BYTE_IDS].at;
    uint32_t id = art_find_char(encoder->tokenizer, code);
    bool has_bytes = true;

    for (uint32_t i = 0; i < size_bytes; i++) {
        has_bytes = has_bytes && byte_ids[bytes[i]] != ART_NO_ID;
    }
    if (id != ART_NO_ID || !has_bytes) {
        add_symbol(encoder, id);
        return;
    }
    for (uint32_t i = 0; i < size_bytes; i++) {
        add_symbol(encoder, byte_ids[bytes[i]]);
    }
}

static void add_symbols(struct encoder *encoder, const uint8_t *word, uint32_t word_bytes)
{
    const uint32_t *byte_ids = encoder->tokenizer->tables[ART_TABLE_BYTE_IDS].at;
    uint32_t step_bytes;
    uint32_t code;

    encoder->symbols.count = 0;
    encoder->was_known = true;
    for (uint32_t i = 0; i < word_bytes; i += step_bytes) {
        if (art_has(encoder->tokenizer, ART_FLAG_SENTENCEPIECE)) {
            step_bytes = art_utf8_read(word + i, word_bytes - i, &code);
            add_char(encoder, word + i, step_bytes, code);
        } else {
            step_bytes = 1;
            add_symbol(encoder, byte_ids[word[i]]);
        }
    }
}

static enum art_status encode_word(struct encoder *encoder, const uint8_t *word,
                                   uint32_t word_bytes)
{
    struct art_symbols *symbols = &encoder->symbols;
    uint32_t whole = art_find_word(encoder->tokenizer, word, word_bytes);
    enum art_status status = ART_OK;

    if (whole != ART_NO_ID) {
        return emit(encoder, whole);
    }
    if (word_bytes > encoder->symbol_capacity) {
        return ART_NO_SPACE;
    }
    add_symbols(encoder, word, word_bytes);
    art_merge_symbols(encoder->tokenizer, symbols);
    for (uint32_t i = 0; i < symbols->count && status == ART_OK; i = symbols->next[i]) {
        status = emit(encoder, symbols->ids[i]);
    }
    return status;
}

/* The scratch less `reserved_words` at its end becomes the room for the text. */
static bool begin_text(struct encoder *encoder, uint32_t reserved_words)
{
    if (encoder->scratch_words <= reserved_words) {
        return false;
    }
    encoder->text.bytes = (uint8_t *)encoder->scratch;
    encoder->text.size_bytes = MARK_BYTES;
    encoder->text.capacity_bytes = 4 * (encoder->scratch_words - reserved_words);
    return true;
}

static enum art_status write_composed(struct encoder *encoder, const uint8_t *bytes,
                                      uint32_t size_bytes)
{
    uint32_t code_words = ART_COMPOSE_WORDS_PER_BYTE * (size_bytes + 1);

    if (!begin_text(encoder, code_words)) {
        return ART_NO_SPACE;
    }
    return art_compose(encoder->tokenizer, bytes, size_bytes,
                       encoder->scratch + encoder->scratch_words - code_words, &encoder->text);
}

/* Write a stretch as UTF-8, with the model's spaces. */
static enum art_status write_plain(struct encoder *encoder, const uint8_t *bytes,
                                   uint32_t size_bytes)
{
    bool marks_spaces = art_has(encoder->tokenizer, ART_FLAG_SENTENCEPIECE);
    uint32_t code;

    if (!begin_text(encoder, 0)) {
        return ART_NO_SPACE;
    }
    for (uint32_t i = 0; i < size_bytes;) {
        i += art_utf8_read(bytes + i, size_bytes - i, &code);
        if (!art_utf8_write(&encoder->text, marks_spaces && code == ' ' ? SPACE_MARK : code)) {
            return ART_NO_SPACE;
        }
    }
    return ART_OK;
}

/* What the text leaves of the scratch is for symbols. */
static void place_symbols(struct encoder *encoder)
{
    uint32_t text_words = (encoder->text.size_bytes + 3) / 4;
    uint32_t capacity = (encoder->scratch_words - text_words) / ARRAYS;
    uint32_t *arrays = encoder->scratch + text_words;

    encoder->symbol_capacity = capacity;
    encoder->symbols.ids = arrays;
    encoder->symbols.next = arrays + capacity;
    encoder->symbols.previous = arrays + 2 * capacity;
    encoder->symbols.ranks = arrays + 3 * capacity;
    encoder->symbols.tree = arrays + 4 * capacity;
}

/* Put a space in front where the model wants one; returns where the text begins. */
static uint32_t add_prefix(struct encoder *encoder, bool is_first)
{
    static const uint8_t mark[MARK_BYTES] = {0xE2, 0x96, 0x81};
    static const uint8_t space[1] = {' '};
    bool marks_spaces = art_has(encoder->tokenizer, ART_FLAG_SENTENCEPIECE);
    const uint8_t *prefix = marks_spaces ? mark : space;
    uint32_t prefix_bytes = marks_spaces ? MARK_BYTES : 1;
    uint32_t text_bytes = encoder->text.size_bytes - MARK_BYTES;
    uint8_t *text = encoder->text.bytes + MARK_BYTES;
    bool has_space = text_bytes >= prefix_bytes && art_is_equal(text, prefix, prefix_bytes);
    uint32_t scheme = encoder->tokenizer->prefix;

    if (scheme == ART_PREFIX_NEVER || (scheme != ART_PREFIX_ALWAYS && has_space) ||
        (scheme == ART_PREFIX_FIRST_UNLESS_THERE && !is_first)) {
        return MARK_BYTES;
    }
    text -= prefix_bytes;
    for (uint32_t i = 0; i < prefix_bytes; i++) {
        text[i] = prefix[i];
    }
    return MARK_BYTES - prefix_bytes;
}

/* Encode text between added tokens. */
static enum art_status encode_stretch(struct encoder *encoder, const uint8_t *bytes,
                                      uint32_t size_bytes, bool is_first)
{
    struct art_cutter cutter = {.tokenizer = encoder->tokenizer};
    enum art_status status;
    uint32_t begin;

    if (size_bytes == 0) {
        return ART_OK;
    }
    status = art_has(encoder->tokenizer, ART_FLAG_COMPOSES)
                 ? write_composed(encoder, bytes, size_bytes)
                 : write_plain(encoder, bytes, size_bytes);
    if (status != ART_OK) {
        return status;
    }
    place_symbols(encoder);
    begin = add_prefix(encoder, is_first);
    cutter.bytes = encoder->text.bytes + begin;
    cutter.size_bytes = encoder->text.size_bytes - begin;
    while (status == ART_OK && art_cut_next(&cutter)) {
        status = encode_word(encoder, cutter.bytes + cutter.word.start,
                             cutter.word.end - cutter.word.start);
    }
    return status;
}

/* Split at added tokens: leftmost, then longest. A special token that may not be used stays text,
 * yet nothing is searched inside it. */
static enum art_status encode_text(struct encoder *encoder, const uint8_t *text,
                                   uint32_t text_bytes, bool parses_special)
{
    enum art_status status = ART_OK;
    uint32_t start = 0;
    uint32_t place = 0;

    while (place < text_bytes && status == ART_OK) {
        const uint32_t *entry =
            art_find_added(encoder->tokenizer, text + place, text_bytes - place);

        if (entry == NULL) {
            place++;
            continue;
        }
        if (parses_special || (entry[2] & ART_SPECIAL_BIT) == 0) {
            status = encode_stretch(encoder, text + start, place - start, start == 0);
            if (status == ART_OK) {
                status = emit(encoder, entry[2] & ~ART_SPECIAL_BIT);
            }
            start = place + entry[1];
        }
        place += entry[1];
    }
    if (status != ART_OK) {
        return status;
    }
    return encode_stretch(encoder, text + start, text_bytes - start, start == 0);
}

enum art_status art_tokenizer_encode(const struct art_tokenizer *tokenizer, const uint8_t *text,
                                     uint32_t text_bytes, uint32_t options, void *scratch,
                                     uint32_t scratch_bytes, struct art_token_list *out)
{
    struct encoder encoder = {.tokenizer = tokenizer,
                              .scratch = (uint32_t *)scratch,
                              .scratch_words = scratch_bytes / 4,
                              .out = out};
    const struct art_words *bos = &tokenizer->tables[ART_TABLE_BOS];
    enum art_status status = ART_OK;

    if (text_bytes > ART_TOKENIZER_MAX_TEXT_BYTES || ((uintptr_t)scratch & 3u) != 0) {
        return ART_BAD_ARGUMENT;
    }
    if ((options & ART_ENCODE_BOS) != 0) {
        for (uint32_t i = 0; i < bos->count && status == ART_OK; i++) {
            status = emit(&encoder, bos->at[i]);
        }
    }
    if (status != ART_OK) {
        return status;
    }
    return encode_text(&encoder, text, text_bytes, (options & ART_ENCODE_SPECIAL) != 0);
}
