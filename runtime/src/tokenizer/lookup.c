#include "tables.h"

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
