/* harness scratch SIZE: art_tokenizer_encode_scratch_bytes(SIZE).
 * harness encode IMAGE INPUT OUTPUT: a record (status, count, ids) per text of INPUT, which is
 *     (options, scratch bytes, capacity in ids, bytes of text, text) one after the other.
 * harness decode IMAGE OUTPUT: every token's bytes.
 * harness mutate IMAGE INPUT MUTATIONS: encode and decode over damaged images; prints how many
 * were opened. For sanitizers: each buffer is exactly as large as it is said to be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aretusa/tokenizer.h"

struct file {
    uint8_t *bytes;
    uint32_t size_bytes;
};

static void *grab(size_t size_bytes)
{
    void *memory = malloc(size_bytes == 0 ? 1 : size_bytes);

    if (memory == NULL) {
        exit(2);
    }
    return memory;
}

static struct file load(const char *path)
{
    struct file file = {NULL, 0};
    FILE *stream = fopen(path, "rb");

    if (stream == NULL || fseek(stream, 0, SEEK_END) != 0) {
        exit(2);
    }
    file.size_bytes = (uint32_t)ftell(stream);
    rewind(stream);
    file.bytes = grab(file.size_bytes);
    if (fread(file.bytes, 1, file.size_bytes, stream) != file.size_bytes) {
        exit(2);
    }
    fclose(stream);
    return file;
}

static uint32_t word_at(const struct file *file, uint32_t offset_bytes)
{
    uint32_t word;

    memcpy(&word, file->bytes + offset_bytes, sizeof word);
    return word;
}

enum { RECORD_BYTES = 16 };

static void encode_one(const struct art_tokenizer *tokenizer, const struct file *input, uint32_t at,
                       FILE *output)
{
    uint32_t options = word_at(input, at);
    uint32_t scratch_bytes = word_at(input, at + 4);
    uint32_t capacity = word_at(input, at + 8);
    uint32_t size_bytes = word_at(input, at + 12);
    const uint8_t *bytes = input->bytes + at + RECORD_BYTES;
    uint8_t *text = grab(size_bytes);
    void *scratch = grab(scratch_bytes);
    struct art_token_list list = {.ids = grab(4 * capacity), .capacity = capacity, .count = 0};
    int32_t status;

    if (size_bytes != 0) {
        memcpy(text, bytes, size_bytes);
    }
    status =
        art_tokenizer_encode(tokenizer, text, size_bytes, options, scratch, scratch_bytes, &list);
    if (output != NULL) {
        fwrite(&status, 4, 1, output);
        fwrite(&list.count, 4, 1, output);
        fwrite(list.ids, 4, list.count, output);
    }
    free(text);
    free(scratch);
    free(list.ids);
}

static void encode_all(const struct art_tokenizer *tokenizer, const struct file *input,
                       FILE *output)
{
    for (uint32_t at = 0; at < input->size_bytes;) {
        encode_one(tokenizer, input, at, output);
        at += RECORD_BYTES + word_at(input, at + 12);
    }
}

static void decode_all(const struct art_tokenizer *tokenizer, FILE *output)
{
    const uint8_t *bytes = NULL;
    uint32_t size_bytes = 0;

    for (uint32_t id = 0; art_tokenizer_decode(tokenizer, id, &bytes, &size_bytes) == ART_OK;
         id++) {
        uint32_t traits = (art_tokenizer_is_special(tokenizer, id) ? 1u : 0u) |
                          (art_tokenizer_is_end(tokenizer, id) ? 2u : 0u);
        uint8_t *copy = grab(size_bytes);

        if (size_bytes != 0) {
            memcpy(copy, bytes, size_bytes);
        }
        if (output != NULL) {
            fwrite(&traits, 4, 1, output);
            fwrite(&size_bytes, 4, 1, output);
            fwrite(copy, 1, size_bytes, output);
        }
        free(copy);
    }
}

/* One mutation is a new image size and a list of (offset, word). */
static uint32_t mutate_all(const struct file *image, const struct file *input,
                           const struct file *mutations)
{
    struct art_tokenizer tokenizer;
    uint32_t opened = 0;

    for (uint32_t at = 0; at < mutations->size_bytes;) {
        uint32_t size_bytes = word_at(mutations, at);
        uint32_t changes = word_at(mutations, at + 4);
        uint8_t *copy = grab(size_bytes);

        memcpy(copy, image->bytes, size_bytes);
        at += 8;
        for (uint32_t i = 0; i < changes; i++, at += 8) {
            uint32_t word = word_at(mutations, at + 4);

            memcpy(copy + word_at(mutations, at), &word, sizeof word);
        }
        if (art_tokenizer_open(copy, size_bytes, &tokenizer) == ART_OK) {
            opened++;
            encode_all(&tokenizer, input, NULL);
            decode_all(&tokenizer, NULL);
        }
        free(copy);
    }
    return opened;
}

int main(int count, char **arguments)
{
    struct art_tokenizer tokenizer;
    struct file image;
    FILE *output;

    if (count == 3 && strcmp(arguments[1], "scratch") == 0) {
        unsigned long size_bytes = strtoul(arguments[2], NULL, 10);

        printf("%u\n", (unsigned)art_tokenizer_encode_scratch_bytes((uint32_t)size_bytes));
        return 0;
    }
    if (count < 4) {
        return 2;
    }
    image = load(arguments[2]);
    if (strcmp(arguments[1], "mutate") == 0) {
        struct file input = load(arguments[3]);
        struct file mutations = load(arguments[4]);

        printf("%u\n", (unsigned)mutate_all(&image, &input, &mutations));
        free(input.bytes);
        free(mutations.bytes);
        free(image.bytes);
        return 0;
    }
    if (art_tokenizer_open(image.bytes, image.size_bytes, &tokenizer) != ART_OK) {
        return 1;
    }
    output = fopen(arguments[count - 1], "wb");
    if (output == NULL) {
        return 2;
    }
    if (strcmp(arguments[1], "encode") == 0) {
        struct file input = load(arguments[3]);

        encode_all(&tokenizer, &input, output);
        free(input.bytes);
    } else {
        decode_all(&tokenizer, output);
    }
    fclose(output);
    free(image.bytes);
    return 0;
}
