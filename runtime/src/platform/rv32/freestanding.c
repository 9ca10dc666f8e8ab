/* What the compiler may call even in a freestanding program. Built without loop recognition, which
 * would turn each loop into a call of itself. */
#include <stddef.h>
#include <stdint.h>

/* A word that may overlay anything. */
typedef uint32_t __attribute__((may_alias)) any_word;

struct __attribute__((may_alias)) eight {
    uint32_t words[8];
};

void *memcpy(void *restrict out, const void *restrict src, size_t bytes);
void *memset(void *out, int value, size_t bytes);
void *memmove(void *out, const void *src, size_t bytes);
int memcmp(const void *lhs, const void *rhs, size_t bytes);

static int are_words(const void *one, const void *two)
{
    return (((uintptr_t)one | (uintptr_t)two) & 3) == 0;
}

void *memcpy(void *restrict out, const void *restrict src, size_t bytes)
{
    uint8_t *to = out;
    const uint8_t *from = src;

    if (are_words(out, src)) {
        for (; bytes >= sizeof(struct eight); bytes -= sizeof(struct eight)) {
            const struct eight words = *(const struct eight *)(const void *)from;

            *(struct eight *)(void *)to = words;
            to += sizeof words;
            from += sizeof words;
        }
        for (; bytes >= 4; bytes -= 4) {
            *(any_word *)(void *)to = *(const any_word *)(const void *)from;
            to += 4;
            from += 4;
        }
    }
    for (; bytes > 0; bytes--) {
        *to++ = *from++;
    }
    return out;
}

void *memset(void *out, int value, size_t bytes)
{
    uint8_t *to = out;

    if (are_words(out, out)) {
        for (; bytes >= 4; bytes -= 4) {
            *(any_word *)(void *)to = 0x01010101u * (uint8_t)value;
            to += 4;
        }
    }
    for (; bytes > 0; bytes--) {
        *to++ = (uint8_t)value;
    }
    return out;
}

void *memmove(void *out, const void *src, size_t bytes)
{
    uint8_t *to = out;
    const uint8_t *from = src;

    if (to <= from) {
        return memcpy(out, src, bytes);
    }
    while (bytes > 0) {
        bytes--;
        to[bytes] = from[bytes];
    }
    return out;
}

int memcmp(const void *lhs, const void *rhs, size_t bytes)
{
    const uint8_t *left = lhs;
    const uint8_t *right = rhs;

    for (size_t i = 0; i < bytes; i++) {
        if (left[i] != right[i]) {
            return left[i] < right[i] ? -1 : 1;
        }
    }
    return 0;
}
