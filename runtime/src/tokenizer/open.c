#include <stddef.h>

#include "tables.h"

enum {
    WORD_MAGIC = 0,
    WORD_VERSION,
    WORD_IMAGE_BYTES,
    WORD_FLAGS,
    WORD_PATTERN,
    WORD_PREFIX,
    WORD_UNKNOWN_ID,
    WORD_VOCAB_SIZE,
    WORD_TABLES,
    HEADER_WORDS = WORD_TABLES + 2 * ART_TOKENIZER_TABLES
};

static bool read_header(const uint32_t *words, struct art_tokenizer *out)
{
    out->flags = words[WORD_FLAGS];
    out->pattern = words[WORD_PATTERN];
    out->prefix = words[WORD_PREFIX];
    out->unknown_id = words[WORD_UNKNOWN_ID];
    out->vocab_size = words[WORD_VOCAB_SIZE];
    return words[WORD_MAGIC] == ART_TOKENIZER_MAGIC &&
           words[WORD_VERSION] == ART_TOKENIZER_VERSION && out->flags <= ART_FLAG_ALL &&
           out->pattern <= ART_PATTERN_QWEN2 && out->prefix <= ART_PREFIX_FIRST_UNLESS_THERE &&
           out->vocab_size <= ART_TOKENIZER_MAX_VOCAB;
}

static bool read_tables(const uint32_t *words, uint32_t image_bytes, struct art_tokenizer *out)
{
    for (uint32_t t = 0; t < ART_TOKENIZER_TABLES; t++) {
        uint32_t offset_bytes = words[WORD_TABLES + 2 * t];
        uint32_t size_bytes = words[WORD_TABLES + 2 * t + 1];

        if (((offset_bytes | size_bytes) & 3u) != 0 || offset_bytes > image_bytes ||
            size_bytes > image_bytes - offset_bytes) {
            return false;
        }
        out->tables[t].at = words + offset_bytes / 4;
        out->tables[t].count = size_bytes / 4;
    }
    return true;
}

static bool sizes_agree(const struct art_tokenizer *tokenizer)
{
    const struct art_words *tables = tokenizer->tables;
    uint32_t merge_words = art_has(tokenizer, ART_FLAG_WIDE_MERGES) ? 4 : 2;

    return tables[ART_TABLE_TOKEN_STARTS].count == tokenizer->vocab_size + 1 &&
           tables[ART_TABLE_SPECIAL].count == (tokenizer->vocab_size + 31) / 32 &&
           tables[ART_TABLE_MERGES].count % merge_words == 0 &&
           tables[ART_TABLE_BYTE_IDS].count == 256 && tables[ART_TABLE_CHARS].count % 2 == 0 &&
           tables[ART_TABLE_ADDED_FIRST].count == 8 && tables[ART_TABLE_ADDED].count % 3 == 0 &&
           tables[ART_TABLE_DECOMPOSITIONS].count % 3 == 0;
}

static bool tokens_are_inside(const struct art_tokenizer *tokenizer)
{
    const uint32_t *starts = tokenizer->tables[ART_TABLE_TOKEN_STARTS].at;

    for (uint32_t id = 0; id < tokenizer->vocab_size; id++) {
        if (starts[id] > starts[id + 1]) {
            return false;
        }
    }
    return starts[tokenizer->vocab_size] <= 4 * tokenizer->tables[ART_TABLE_TOKEN_BYTES].count;
}

static bool added_are_inside(const struct art_tokenizer *tokenizer)
{
    const struct art_words *added = &tokenizer->tables[ART_TABLE_ADDED];
    uint32_t limit_bytes = 4 * tokenizer->tables[ART_TABLE_ADDED_BYTES].count;

    for (uint32_t i = 0; i < added->count; i += 3) {
        uint32_t start = added->at[i];
        uint32_t size_bytes = added->at[i + 1];

        if (size_bytes == 0 || start > limit_bytes || size_bytes > limit_bytes - start) {
            return false;
        }
    }
    return true;
}

static bool all_below(const struct art_words *table, uint32_t limit)
{
    for (uint32_t i = 0; i < table->count; i++) {
        if (table->at[i] >= limit) {
            return false;
        }
    }
    return true;
}

enum art_status art_tokenizer_open(const void *image, uint32_t image_bytes,
                                   struct art_tokenizer *out)
{
    const uint32_t *words = (const uint32_t *)image;

    if (image == NULL || ((uintptr_t)image & 3u) != 0) {
        return ART_BAD_ARGUMENT;
    }
    if (image_bytes < 4 * HEADER_WORDS || words[WORD_IMAGE_BYTES] < 4 * HEADER_WORDS ||
        words[WORD_IMAGE_BYTES] > image_bytes || !read_header(words, out) ||
        !read_tables(words, words[WORD_IMAGE_BYTES], out) || !sizes_agree(out) ||
        !tokens_are_inside(out) || !added_are_inside(out)) {
        return ART_BAD_IMAGE;
    }
    if (!all_below(&out->tables[ART_TABLE_WORDS], out->vocab_size) ||
        !all_below(&out->tables[ART_TABLE_COMPOSITIONS],
                   out->tables[ART_TABLE_DECOMPOSITIONS].count / 3)) {
        return ART_BAD_IMAGE;
    }
    return ART_OK;
}

enum art_status art_tokenizer_decode(const struct art_tokenizer *tokenizer, uint32_t id,
                                     const uint8_t **bytes, uint32_t *size_bytes)
{
    const uint32_t *starts = tokenizer->tables[ART_TABLE_TOKEN_STARTS].at;

    if (id >= tokenizer->vocab_size) {
        return ART_BAD_TOKEN;
    }
    *bytes = (const uint8_t *)tokenizer->tables[ART_TABLE_TOKEN_BYTES].at + starts[id];
    *size_bytes = starts[id + 1] - starts[id];
    return ART_OK;
}

bool art_tokenizer_is_special(const struct art_tokenizer *tokenizer, uint32_t id)
{
    const uint32_t *bits = tokenizer->tables[ART_TABLE_SPECIAL].at;

    return id < tokenizer->vocab_size && (bits[id / 32] >> (id % 32) & 1u) != 0;
}

bool art_tokenizer_is_end(const struct art_tokenizer *tokenizer, uint32_t id)
{
    const struct art_words *ends = &tokenizer->tables[ART_TABLE_EOS];

    for (uint32_t i = 0; i < ends->count; i++) {
        if (ends->at[i] == id) {
            return true;
        }
    }
    return false;
}

bool art_tokenizer_strips_first_space(const struct art_tokenizer *tokenizer)
{
    return art_has(tokenizer, ART_FLAG_STRIPS_FIRST_SPACE);
}
