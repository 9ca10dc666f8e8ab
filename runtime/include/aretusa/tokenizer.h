/* Text to token ids and back, over a table image made by aretusa/tokenizer/image.py.
 *
 * The image is read in place and never written. One core calls these functions; nothing is kept
 * between calls. All ids that come out are below the vocabulary size. */
#ifndef ARETUSA_TOKENIZER_H
#define ARETUSA_TOKENIZER_H

#include <stdbool.h>
#include <stdint.h>

#include "aretusa/status.h"

enum { ART_TOKENIZER_TABLES = 16, ART_TOKENIZER_MAX_TEXT_BYTES = 4000000 };

/* Part of an image: `count` words. */
struct art_words {
    const uint32_t *at;
    uint32_t count;
};

struct art_tokenizer {
    uint32_t flags;
    uint32_t pattern;
    uint32_t prefix;
    uint32_t unknown_id;
    uint32_t vocab_size;
    struct art_words tables[ART_TOKENIZER_TABLES];
};

/* Ids in the caller's memory. Encoding appends: set `count` to 0 first. */
struct art_token_list {
    uint32_t *ids;
    uint32_t capacity;
    uint32_t count;
};

enum art_encode_option {
    ART_ENCODE_PLAIN = 0,
    ART_ENCODE_SPECIAL = 1, /* text may spell special tokens; leave out for text of a user */
    ART_ENCODE_BOS = 2      /* begin with the ids that the model wants before a text */
};

/* Check an image and describe it in `out`. ART_BAD_ARGUMENT if the image is not aligned to 4 bytes,
 * ART_BAD_IMAGE if it is not one or is shorter than it says. After ART_OK no call reads outside
 * the image, whatever its tables hold. */
enum art_status art_tokenizer_open(const void *image, uint32_t image_bytes,
                                   struct art_tokenizer *out);

/* Scratch that is enough for any text of `text_bytes` bytes, or 0 if that is above the limit. Far
 * less does for most: the text, 20 bytes for each byte of its longest word, and for a model that
 * composes (NFC) 16 for each byte of text. A SentencePiece model may have one word only. */
uint32_t art_tokenizer_encode_scratch_bytes(uint32_t text_bytes);

/* Append the ids of a UTF-8 text; what is not UTF-8 counts as U+FFFD, one for each maximal part
 * of a character. `scratch` is aligned to 4 bytes. ART_NO_SPACE if scratch or list is too small. */
enum art_status art_tokenizer_encode(const struct art_tokenizer *tokenizer, const uint8_t *text,
                                     uint32_t text_bytes, uint32_t options, void *scratch,
                                     uint32_t scratch_bytes, struct art_token_list *out);

/* The bytes of a token, in the image; those of a text are its tokens' in a row, special tokens
 * left out. A character may span two tokens. ART_BAD_TOKEN if there is no such id. */
enum art_status art_tokenizer_decode(const struct art_tokenizer *tokenizer, uint32_t id,
                                     const uint8_t **bytes, uint32_t *size_bytes);

/* A special token steers the model and is not printed. */
bool art_tokenizer_is_special(const struct art_tokenizer *tokenizer, uint32_t id);

/* An answer ends with this token. */
bool art_tokenizer_is_end(const struct art_tokenizer *tokenizer, uint32_t id);

/* The first space of a decoded text was put there by encoding and is to be left out. */
bool art_tokenizer_strips_first_space(const struct art_tokenizer *tokenizer);

#endif
