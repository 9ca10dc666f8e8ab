#include "tables.h"

enum { REPLACEMENT = 0xFFFD, CODE_MASK = 0xFFFFFF, CLASS_SHIFT = 24 };

uint32_t art_run_value(const struct art_words *runs, uint32_t code)
{
    uint32_t low = 0;
    uint32_t high = runs->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if ((runs->at[middle] & CODE_MASK) <= code) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == 0 ? 0 : runs->at[low - 1] >> CLASS_SHIFT;
}

static bool is_in(uint8_t byte, uint8_t low, uint8_t high)
{
    return low <= byte && byte <= high;
}

/* How many bytes follow a first byte: 0 for ASCII, 4 if it begins nothing. */
static uint32_t following_bytes(uint8_t first)
{
    if (first < 0x80) {
        return 0;
    }
    if (is_in(first, 0xC2, 0xDF)) {
        return 1;
    }
    if (is_in(first, 0xE0, 0xEF)) {
        return 2;
    }
    return is_in(first, 0xF0, 0xF4) ? 3 : 4;
}

/* The second byte excludes overlong forms, surrogates and what is above U+10FFFF. */
static bool is_second(uint8_t first, uint8_t second)
{
    uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;

    return is_in(second, low, high);
}

uint32_t art_utf8_read(const uint8_t *bytes, uint32_t size_bytes, uint32_t *code)
{
    static const uint8_t first_mask[] = {0x7F, 0x1F, 0x0F, 0x07};
    uint32_t following = following_bytes(bytes[0]);
    uint32_t value;

    *code = REPLACEMENT;
    if (following > 3) {
        return 1;
    }
    value = bytes[0] & first_mask[following];
    for (uint32_t i = 1; i <= following; i++) {
        if (i == size_bytes || (i == 1 && !is_second(bytes[0], bytes[1])) ||
            !is_in(bytes[i], 0x80, 0xBF)) {
            return i;
        }
        value = value << 6 | (bytes[i] & 0x3Fu);
    }
    *code = value;
    return following + 1;
}

bool art_utf8_write(struct art_text *text, uint32_t code)
{
    static const uint8_t first_mark[] = {0x00, 0xC0, 0xE0, 0xF0};
    uint32_t following = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    uint8_t *at = text->bytes + text->size_bytes;

    if (text->capacity_bytes - text->size_bytes <= following) {
        return false;
    }
    for (uint32_t i = following; i > 0; i--) {
        at[i] = (uint8_t)(0x80u | (code & 0x3Fu));
        code >>= 6;
    }
    at[0] = (uint8_t)(first_mark[following] | (code & 0x7Fu));
    text->size_bytes += following + 1;
    return true;
}
