/* The layout of the image, as in aretusa/tokenizer/image.py, and access to its tables. */
#ifndef ARETUSA_TOKENIZER_TABLES_H
#define ARETUSA_TOKENIZER_TABLES_H

#include "aretusa/tokenizer.h"

#define ART_TOKENIZER_MAGIC 0x4B4F5441u
#define ART_TOKENIZER_VERSION 1u
#define ART_TOKENIZER_MAX_VOCAB (1u << 20)
#define ART_NO_ID 0xFFFFFFFFu
#define ART_SPECIAL_BIT 0x80000000u

enum art_tokenizer_flag {
    ART_FLAG_SENTENCEPIECE = 1,
    ART_FLAG_COMPOSES = 2,
    ART_FLAG_FUSES_UNKNOWN = 4,
    ART_FLAG_ISOLATES_DIGITS = 8,
    ART_FLAG_SPLITS_AT_SPACES = 16,
    ART_FLAG_STRIPS_FIRST_SPACE = 32,
    ART_FLAG_WIDE_MERGES = 64,
    ART_FLAG_ALL = 127
};

enum art_pattern {
    ART_PATTERN_NONE = 0,
    ART_PATTERN_GPT2 = 1,
    ART_PATTERN_LLAMA3 = 2,
    ART_PATTERN_QWEN2 = 3
};

enum art_space_prefix {
    ART_PREFIX_NEVER = 0,
    ART_PREFIX_ALWAYS = 1,
    ART_PREFIX_UNLESS_THERE = 2,
    ART_PREFIX_FIRST_UNLESS_THERE = 3
};

enum art_char_class {
    ART_CLASS_OTHER = 0,
    ART_CLASS_LETTER = 1,
    ART_CLASS_NUMBER = 2,
    ART_CLASS_SPACE = 3,
    ART_CLASS_DIGIT_ONLY = 4
};

enum art_table {
    ART_TABLE_TOKEN_STARTS = 0,
    ART_TABLE_TOKEN_BYTES,
    ART_TABLE_SPECIAL,
    ART_TABLE_MERGES,
    ART_TABLE_BYTE_IDS,
    ART_TABLE_CHARS,
    ART_TABLE_WORDS,
    ART_TABLE_ADDED_FIRST,
    ART_TABLE_ADDED,
    ART_TABLE_ADDED_BYTES,
    ART_TABLE_BOS,
    ART_TABLE_EOS,
    ART_TABLE_CLASSES,
    ART_TABLE_COMBINING,
    ART_TABLE_DECOMPOSITIONS,
    ART_TABLE_COMPOSITIONS
};

/* Prepared text. */
struct art_text {
    uint8_t *bytes;
    uint32_t size_bytes;
    uint32_t capacity_bytes;
};

/* From `start` to before `end`. */
struct art_range {
    uint32_t start;
    uint32_t end;
};

static inline bool art_has(const struct art_tokenizer *tokenizer, enum art_tokenizer_flag flag)
{
    return (tokenizer->flags & (uint32_t)flag) != 0;
}

static inline bool art_is_equal(const uint8_t *one, const uint8_t *two, uint32_t size_bytes)
{
    for (uint32_t i = 0; i < size_bytes; i++) {
        if (one[i] != two[i]) {
            return false;
        }
    }
    return true;
}

/* The value of a table of `value << 24 | first code point`: 0 before its first entry. */
uint32_t art_run_value(const struct art_words *runs, uint32_t code);

/* Read one character: U+FFFD for the maximal part of one that is broken. Returns its bytes, at
 * least 1 if `size_bytes` is. */
uint32_t art_utf8_read(const uint8_t *bytes, uint32_t size_bytes, uint32_t *code);

/* Append one character; false if it does not fit. */
bool art_utf8_write(struct art_text *text, uint32_t code);

/* Append the NFC form of a text. `codes` has room for ART_COMPOSE_WORDS_PER_BYTE words per byte and
 * as many more: two lists of code points, of which decomposition gives at most 3 per 2 bytes. */
enum { ART_COMPOSE_WORDS_PER_BYTE = 4 };
enum art_status art_compose(const struct art_tokenizer *tokenizer, const uint8_t *bytes,
                            uint32_t size_bytes, uint32_t *codes, struct art_text *out);

/* The longest added token at the start of a text, as its entry (start, size, id), or NULL. */
const uint32_t *art_find_added(const struct art_tokenizer *tokenizer, const uint8_t *text,
                               uint32_t text_bytes);

/* The id of a word that is not to be merged, or ART_NO_ID. */
uint32_t art_find_word(const struct art_tokenizer *tokenizer, const uint8_t *word,
                       uint32_t word_bytes);

/* The id of a character of SentencePiece, or ART_NO_ID. */
uint32_t art_find_char(const struct art_tokenizer *tokenizer, uint32_t code);

/* Walks over the words of a prepared text. `part_end` is where the present part ends; set it to 0
 * and `word.end` to 0 to begin. */
struct art_cutter {
    const struct art_tokenizer *tokenizer;
    const uint8_t *bytes;
    uint32_t size_bytes;
    uint32_t part_end;
    struct art_range word;
};

/* The next word, in `cutter->word`; false at the end of the text. */
bool art_cut_next(struct art_cutter *cutter);

/* The symbols of one word as a doubly linked list, with a tournament over the ranks of the pairs
 * that begin at each. The arrays have `count` words each. */
struct art_symbols {
    uint32_t *ids;
    uint32_t *next;
    uint32_t *previous;
    uint32_t *ranks;
    uint32_t *tree;
    uint32_t count;
};

/* Merge until no pair merges. Afterwards the list that begins with symbol 0 holds the ids; its
 * last `next` is `count`. */
void art_merge_symbols(const struct art_tokenizer *tokenizer, struct art_symbols *symbols);

#endif
