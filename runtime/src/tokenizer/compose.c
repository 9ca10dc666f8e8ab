#include <stddef.h>

#include "tables.h"

enum {
    CODE_MASK = 0xFFFFFF,
    CLASS_SHIFT = 24,
    MAX_STEPS = 4 /* the longest canonical decomposition has four parts */
};

/* Hangul syllables are composed by arithmetic (The Unicode Standard, 3.12). */
enum {
    S_BASE = 0xAC00,
    L_BASE = 0x1100,
    V_BASE = 0x1161,
    T_BASE = 0x11A7,
    L_COUNT = 19,
    V_COUNT = 21,
    T_COUNT = 28,
    S_COUNT = L_COUNT * V_COUNT * T_COUNT
};

/* Code points with their combining class in the top byte. */
struct codes {
    uint32_t *at;
    uint32_t count;
    uint32_t capacity;
};

static bool append(struct codes *codes, const struct art_words *combining, uint32_t code)
{
    if (codes->count == codes->capacity) {
        return false;
    }
    codes->at[codes->count++] = code | art_run_value(combining, code) << CLASS_SHIFT;
    return true;
}

/* The entry (code, first, second) of a code point, or NULL. */
static const uint32_t *find_decomposition(const struct art_words *table, uint32_t code)
{
    uint32_t low = 0;
    uint32_t high = table->count / 3;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const uint32_t *entry = table->at + 3 * middle;

        if (entry[0] == code) {
            return entry;
        }
        if (entry[0] < code) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

static bool decompose_hangul(const struct art_words *combining, uint32_t code, struct codes *out)
{
    uint32_t place = code - S_BASE;
    uint32_t tail = place % T_COUNT;

    return append(out, combining, L_BASE + place / (V_COUNT * T_COUNT)) &&
           append(out, combining, V_BASE + place / T_COUNT % V_COUNT) &&
           (tail == 0 || append(out, combining, T_BASE + tail));
}

static bool decompose(const struct art_tokenizer *tokenizer, uint32_t code, struct codes *out)
{
    const struct art_words *combining = &tokenizer->tables[ART_TABLE_COMBINING];
    const uint32_t *entry;
    uint32_t tails[MAX_STEPS];
    uint32_t count = 0;

    if (code >= S_BASE && code < S_BASE + S_COUNT) {
        return decompose_hangul(combining, code, out);
    }
    while ((entry = find_decomposition(&tokenizer->tables[ART_TABLE_DECOMPOSITIONS], code)) !=
           NULL) {
        if (count == MAX_STEPS) {
            return false;
        }
        code = entry[1] & CODE_MASK;
        tails[count++] = entry[2] & CODE_MASK;
    }
    if (!append(out, combining, code)) {
        return false;
    }
    while (count > 0) {
        count--;
        if (tails[count] != 0 && !append(out, combining, tails[count])) {
            return false;
        }
    }
    return true;
}

/* Stable sort of a run of marks by class: one round for each class that occurs. */
static void sort_marks(uint32_t *marks, uint32_t count, uint32_t *spare)
{
    uint32_t sorted = 0;
    uint32_t last = 0;

    while (sorted < count) {
        uint32_t least = 256;

        for (uint32_t i = 0; i < count; i++) {
            uint32_t class = marks[i] >> CLASS_SHIFT;

            least = class > last && class < least ? class : least;
        }
        for (uint32_t i = 0; i < count; i++) {
            if (marks[i] >> CLASS_SHIFT == least) {
                spare[sorted++] = marks[i];
            }
        }
        last = least;
    }
    for (uint32_t i = 0; i < count; i++) {
        marks[i] = spare[i];
    }
}

static void order_marks(struct codes *codes, uint32_t *spare)
{
    uint32_t start = 0;

    while (start < codes->count) {
        uint32_t end = start;

        while (end < codes->count && codes->at[end] >> CLASS_SHIFT != 0) {
            end++;
        }
        if (end > start + 1) {
            sort_marks(codes->at + start, end - start, spare);
        }
        start = end > start ? end : start + 1;
    }
}

/* The code point that a pair makes, or 0. */
static uint32_t joined(const struct art_tokenizer *tokenizer, uint32_t first, uint32_t second)
{
    const struct art_words *places = &tokenizer->tables[ART_TABLE_COMPOSITIONS];
    const uint32_t *entries = tokenizer->tables[ART_TABLE_DECOMPOSITIONS].at;
    uint32_t low = 0;
    uint32_t high = places->count;

    if (first - L_BASE < L_COUNT && second - V_BASE < V_COUNT) {
        return S_BASE + ((first - L_BASE) * V_COUNT + (second - V_BASE)) * T_COUNT;
    }
    if (first - S_BASE < S_COUNT && (first - S_BASE) % T_COUNT == 0 &&
        second - T_BASE - 1 < T_COUNT - 1) {
        return first + (second - T_BASE);
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const uint32_t *entry = entries + 3 * places->at[middle];

        if (entry[1] == first && entry[2] == second) {
            return entry[0] & CODE_MASK;
        }
        if (entry[1] < first || (entry[1] == first && entry[2] < second)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return 0;
}

/* Fold each mark into the starter before it unless a mark of its class stands between. */
static void fold_marks(const struct art_tokenizer *tokenizer, struct codes *codes)
{
    bool has_starter = false;
    uint32_t starter = 0;
    uint32_t last_class = 0;
    uint32_t count = 0;

    for (uint32_t i = 0; i < codes->count; i++) {
        uint32_t code = codes->at[i];
        uint32_t class = code >> CLASS_SHIFT;

        if (has_starter && (starter + 1 == count || last_class < class)) {
            uint32_t whole = joined(tokenizer, codes->at[starter], code & CODE_MASK);

            if (whole != 0) {
                codes->at[starter] = whole;
                continue;
            }
        }
        if (class == 0) {
            has_starter = true;
            starter = count;
        }
        codes->at[count++] = code;
        last_class = class;
    }
    codes->count = count;
}

enum art_status art_compose(const struct art_tokenizer *tokenizer, const uint8_t *bytes,
                            uint32_t size_bytes, uint32_t *codes, struct art_text *out)
{
    struct codes list = {
        .at = codes, .count = 0, .capacity = ART_COMPOSE_WORDS_PER_BYTE / 2 * (size_bytes + 1)};
    uint32_t code;

    for (uint32_t i = 0; i < size_bytes;) {
        i += art_utf8_read(bytes + i, size_bytes - i, &code);
        if (!decompose(tokenizer, code, &list)) {
            return ART_BAD_IMAGE;
        }
    }
    order_marks(&list, codes + list.capacity);
    fold_marks(tokenizer, &list);
    for (uint32_t i = 0; i < list.count; i++) {
        if (!art_utf8_write(out, list.at[i] & CODE_MASK)) {
            return ART_NO_SPACE;
        }
    }
    return ART_OK;
}
