/* What the regular expressions of GPT-2, Llama 3 and Qwen 2 do; aretusa/tokenizer/cut.py is the
 * same scanner and says how they differ. */
#include "tables.h"

enum { CLASS_NONE = 255 };

/* One character: CLASS_NONE and no bytes past the end of the part. */
struct glance {
    uint32_t code;
    uint32_t class;
    uint32_t end;
};

static struct glance look(const struct art_cutter *cutter, uint32_t place)
{
    struct glance found = {.code = 0, .class = CLASS_NONE, .end = place};

    if (place < cutter->part_end) {
        found.end += art_utf8_read(cutter->bytes + place, cutter->part_end - place, &found.code);
        found.class = art_run_value(&cutter->tokenizer->tables[ART_TABLE_CLASSES], found.code);
    }
    return found;
}

/* The same as the patterns see it: a digit of no pattern is any other character. */
static struct glance look_for_pattern(const struct art_cutter *cutter, uint32_t place)
{
    struct glance found = look(cutter, place);

    found.class = found.class == ART_CLASS_DIGIT_ONLY ? (uint32_t)ART_CLASS_OTHER : found.class;
    return found;
}

static uint32_t run_end(const struct art_cutter *cutter, uint32_t place, uint32_t class)
{
    struct glance next = look_for_pattern(cutter, place);

    while (next.class == class) {
        place = next.end;
        next = look_for_pattern(cutter, place);
    }
    return place;
}

static bool is_line_end(uint32_t code)
{
    return code == '\r' || code == '\n';
}

static uint8_t lower(uint8_t byte, bool folds_case)
{
    return folds_case && byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

/* Bytes of 's 't 're 've 'm 'll 'd at the start, or 0. U+017F folds to s. */
static uint32_t contraction_bytes(const uint8_t *bytes, uint32_t size_bytes, bool folds_case)
{
    uint8_t one;
    uint8_t two;

    if (size_bytes < 2 || bytes[0] != '\'') {
        return 0;
    }
    one = lower(bytes[1], folds_case);
    two = size_bytes > 2 ? lower(bytes[2], folds_case) : 0;
    if (((one == 'r' || one == 'v') && two == 'e') || (one == 'l' && two == 'l')) {
        return 3;
    }
    if (folds_case && bytes[1] == 0xC5 && two == 0xBF) {
        return 3;
    }
    return one == 's' || one == 't' || one == 'm' || one == 'd' ? 2 : 0;
}

/* A run of spaces ends after its last line end, or before its last space if text follows. */
static uint32_t spaces_end(const struct art_cutter *cutter, uint32_t start, bool cuts_line_ends)
{
    struct glance next = look_for_pattern(cutter, start);
    uint32_t line_end = start;
    uint32_t last = start;
    uint32_t end = start;

    while (next.class == ART_CLASS_SPACE) {
        last = end;
        end = next.end;
        line_end = is_line_end(next.code) ? end : line_end;
        next = look_for_pattern(cutter, end);
    }
    if (cuts_line_ends && line_end > start) {
        return line_end;
    }
    return end == cutter->part_end || last == start ? end : last;
}

static uint32_t digits_end(const struct art_cutter *cutter, uint32_t start, uint32_t most)
{
    struct glance next = look_for_pattern(cutter, start);
    uint32_t end = start;

    for (uint32_t i = 0; i < most && next.class == ART_CLASS_NUMBER; i++) {
        end = next.end;
        next = look_for_pattern(cutter, end);
    }
    return end;
}

static uint32_t others_end(const struct art_cutter *cutter, uint32_t start, bool takes_line_ends)
{
    uint32_t end = run_end(cutter, start, ART_CLASS_OTHER);

    while (takes_line_ends && end < cutter->part_end && is_line_end(cutter->bytes[end])) {
        end++;
    }
    return end;
}

static bool may_precede_letters(const struct glance *first)
{
    return !is_line_end(first->code) && first->class != ART_CLASS_LETTER &&
           first->class != ART_CLASS_NUMBER;
}

/* Where the word that begins at `start` ends; each branch is one alternative. */
static uint32_t word_end(const struct art_cutter *cutter, uint32_t start)
{
    bool is_gpt2 = cutter->tokenizer->pattern == ART_PATTERN_GPT2;
    uint32_t contraction =
        contraction_bytes(cutter->bytes + start, cutter->part_end - start, !is_gpt2);
    struct glance first = look_for_pattern(cutter, start);
    bool is_space = first.code == ' ';
    uint32_t begin = is_space || (!is_gpt2 && may_precede_letters(&first)) ? first.end : start;
    struct glance after = look_for_pattern(cutter, begin);

    if (contraction != 0) {
        return start + contraction;
    }
    if (after.class == ART_CLASS_LETTER || (is_gpt2 && after.class == ART_CLASS_NUMBER)) {
        return run_end(cutter, begin, after.class);
    }
    if (first.class == ART_CLASS_NUMBER) {
        return digits_end(cutter, start, cutter->tokenizer->pattern == ART_PATTERN_LLAMA3 ? 3 : 1);
    }
    if (first.class == ART_CLASS_SPACE && !(is_space && after.class == ART_CLASS_OTHER)) {
        return spaces_end(cutter, start, !is_gpt2);
    }
    return others_end(cutter, is_space ? begin : start, !is_gpt2);
}

static bool is_digit(uint32_t class)
{
    return class == ART_CLASS_NUMBER || class == ART_CLASS_DIGIT_ONLY;
}

/* A part is one digit, or what stands between digits. */
static uint32_t part_end(struct art_cutter *cutter, uint32_t start)
{
    struct glance next;

    cutter->part_end = cutter->size_bytes;
    if (!art_has(cutter->tokenizer, ART_FLAG_ISOLATES_DIGITS)) {
        return cutter->size_bytes;
    }
    next = look(cutter, start);
    if (is_digit(next.class)) {
        return next.end;
    }
    while (next.class != CLASS_NONE && !is_digit(next.class)) {
        start = next.end;
        next = look(cutter, start);
    }
    return start;
}

/* Words of SentencePiece begin with U+2581, which stands for a space. */
static uint32_t next_mark(const struct art_cutter *cutter, uint32_t start)
{
    const uint8_t *bytes = cutter->bytes;

    for (uint32_t i = start + 1; i + 2 < cutter->size_bytes; i++) {
        if (bytes[i] == 0xE2 && bytes[i + 1] == 0x96 && bytes[i + 2] == 0x81) {
            return i;
        }
    }
    return cutter->size_bytes;
}

bool art_cut_next(struct art_cutter *cutter)
{
    uint32_t start = cutter->word.end;

    if (start >= cutter->size_bytes) {
        return false;
    }
    if (start >= cutter->part_end) {
        cutter->part_end = part_end(cutter, start);
    }
    cutter->word.start = start;
    if (cutter->tokenizer->pattern != ART_PATTERN_NONE) {
        cutter->word.end = word_end(cutter, start);
    } else if (art_has(cutter->tokenizer, ART_FLAG_SPLITS_AT_SPACES)) {
        cutter->word.end = next_mark(cutter, start);
    } else {
        cutter->word.end = cutter->part_end;
    }
    return true;
}
