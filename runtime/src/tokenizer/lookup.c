#include <stddef.h>

#include "tables.h"

const uint32_t *art_find_added(const struct art_tokenizer *tokenizer, const uint8_t *text,
                               uint32_t text_bytes)
{
    const struct art_words *added = &tokenizer->tables[ART_TABLE_ADDED];
    const uint8_t *contents = (const uint8_t *)tokenizer->tables[ART_TABLE_ADDED_BYTES].at;
    const uint32_t *first = tokenizer->tables[ART_TABLE_ADDED_FIRST].at;

    if ((first[text[0] / 32] >> (text[0] % 32) & 1u) == 0) {
        return NULL;
    }
    for (uint32_t i = 0; i < added->count; i += 3) {
        const uint32_t *entry = added->at + i;

        if (entry[1] <= text_bytes && art_is_equal(contents + entry[0], text, entry[1])) {
            return entry;
        }
    }
    return NULL;
}

/* -1, 0 or 1: how a token compares with a word. */
static int compare_token(const struct art_tokenizer *tokenizer, uint32_t id, const uint8_t *word,
                         uint32_t word_bytes)
{
    const uint8_t *token;
    uint32_t token_bytes;

    if (art_tokenizer_decode(tokenizer, id, &token, &token_bytes) != ART_OK) {
        return 1;
    }
    for (uint32_t i = 0; i < token_bytes && i < word_bytes; i++) {
        if (token[i] != word[i]) {
            return token[i] < word[i] ? -1 : 1;
        }
    }
    return token_bytes == word_bytes ? 0 : token_bytes < word_bytes ? -1 : 1;
}

uint32_t art_find_word(const struct art_tokenizer *tokenizer, const uint8_t *word,
                       uint32_t word_bytes)
{
    const struct art_words *ids = &tokenizer->tables[ART_TABLE_WORDS];
    uint32_t low = 0;
    uint32_t high = ids->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare_token(tokenizer, ids->at[middle], word, word_bytes);

        if (order == 0) {
            return ids->at[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return ART_NO_ID;
}

uint32_t art_find_char(const struct art_tokenizer *tokenizer, uint32_t code)
{
    const struct art_words *chars = &tokenizer->tables[ART_TABLE_CHARS];
    uint32_t low = 0;
    uint32_t high = chars->count / 2;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (chars->at[2 * middle] == code) {
            return chars->at[2 * middle + 1];
        }
        if (chars->at[2 * middle] < code) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return ART_NO_ID;
}
