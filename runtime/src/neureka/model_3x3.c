/* A 3x3 kernel by tables: for each run of inputs, the sums of all its subsets.
 *
 * Bits of a weight word then select their inputs' sum in one look-up: a byte with tables for runs
 * of eight, which are dear to make, or half a byte with tables for runs of four. The tables of one
 * window and input tile serve all output channels of a share. */
#include "neureka/model.h"
#include "neureka/registers.h"

enum {
    TAP_ROWS = 3,
    TAP_COLS = 3,
    INPUTS = 8 * NEUREKA_WORD_BYTES, /* 252, then four zeros: the engine ignores the last bits */
    BYTE_RUN = 8,
    BYTE_ENTRIES = 1 << BYTE_RUN,
    BYTE_TABLES = INPUTS / BYTE_RUN,
    HALF_RUN = 4,
    HALF_ENTRIES = 1 << HALF_RUN,
    HALF_TABLES = INPUTS / HALF_RUN,
    /* Added to each entry, so that it is not negative and sums of halves never borrow: eight int8
     * are at least -1024, eight uint8 at most 2040. */
    BIAS = 1024,
    /* Bit planes from which on tables of bytes are worth the 15000 instructions that they take
     * more: a plane takes 190 instructions with them and 390 with tables of halves. */
    MANY_PLANES = 75
};

/* Entry e of a table is the sum of the inputs whose bits are set in e, plus BIAS. Two entries fill
 * a word. */
union tables {
    uint32_t byte_words[BYTE_TABLES][BYTE_ENTRIES / 2];
    uint16_t bytes[BYTE_TABLES][BYTE_ENTRIES];
    uint32_t half_words[HALF_TABLES][HALF_ENTRIES / 2];
    uint16_t halves[HALF_TABLES][HALF_ENTRIES];
};
_Static_assert(sizeof(union tables) == ART_NEUREKA_SCRATCH_BYTES, "scratch holds the tables");

/* The inputs of one window and tile in the order of a word's bits; returns their sum. */
static int32_t load(const struct neureka_job *job, uint32_t row, uint32_t col, uint32_t tile,
                    int16_t inputs[INPUTS])
{
    const uint32_t left = job->in_channels - tile * NEUREKA_TILE_3X3;
    const uint32_t channels = left < NEUREKA_TILE_3X3 ? left : NEUREKA_TILE_3X3;
    const int32_t sign = job->sign;
    int32_t sum = 0;
    for (uint32_t i = 0; i < INPUTS; i++) {
        inputs[i] = 0;
    }
    for (uint32_t r = 0; r < TAP_ROWS; r++) {
        for (uint32_t s = 0; s < TAP_COLS; s++) {
            const uint8_t *const pixel =
                neureka_input(job, row + r, col + s) + tile * NEUREKA_TILE_3X3;
            int16_t *const tap = inputs + (TAP_COLS * r + s) * NEUREKA_TILE_3X3;
            for (uint32_t c = 0; c < channels; c++) {
                const int32_t value = neureka_value(pixel[c], sign);
                tap[c] = (int16_t)value;
                sum += value;
            }
        }
    }
    return sum;
}

/* The input in both halves of a word. */
static uint32_t both(int16_t input)
{
    return (uint32_t)(int32_t)input * 0x10001u;
}

/* A table, each half of it from the half before: with one input more. */
static inline void fill(const int16_t *inputs, uint32_t run, uint32_t *words)
{
    words[0] = BIAS * 0x10001u + ((uint32_t)(int32_t)inputs[0] << 16);
    words[1] = words[0] + both(inputs[1]);
    words[2] = words[0] + both(inputs[2]);
    words[3] = words[1] + both(inputs[2]);
    for (uint32_t i = 3, half = 4; i < run; i++, half *= 2) {
        const uint32_t input = both(inputs[i]);
        const uint32_t *const end = words + half;
        uint32_t *to = words + half;
        for (const uint32_t *from = words; from < end; from += 4, to += 4) {
            to[0] = from[0] + input;
            to[1] = from[1] + input;
            to[2] = from[2] + input;
            to[3] = from[3] + input;
        }
    }
}

/* All tables of a window and tile; returns the biases of one plane. */
static uint32_t fill_all(const int16_t inputs[INPUTS], bool has_byte_tables, union tables *tables)
{
    if (has_byte_tables) {
        for (uint32_t i = 0; i < BYTE_TABLES; i++) {
            fill(inputs + BYTE_RUN * i, BYTE_RUN, tables->byte_words[i]);
        }
        return BYTE_TABLES * BIAS;
    }
    for (uint32_t i = 0; i < HALF_TABLES; i++) {
        fill(inputs + HALF_RUN * i, HALF_RUN, tables->half_words[i]);
    }
    return HALF_TABLES * BIAS;
}

/* Entry `code` behind `at`, `distance` entries on. The empty statement keeps gcc from adding the
 * distance to the code: it has room in the load instruction, being at most 2 KiB. */
static inline uint32_t entry(const uint16_t *at, uint32_t code, int32_t distance)
{
    const uint16_t *first = at + code;
    __asm__("" : "+r"(first));
    return first[distance];
}

/* Sum of the inputs that a weight word selects, plus the biases. */
static inline uint32_t select_bytes(const union tables *tables, const uint8_t *word)
{
    const uint16_t *at = tables->bytes[4];
    const uint8_t *const end = word + NEUREKA_WORD_BYTES;
    uint32_t sum = 0;
    for (; word < end; word += 8, at += 8 * BYTE_ENTRIES) {
        sum += entry(at, word[0], -4 * BYTE_ENTRIES);
        sum += entry(at, word[1], -3 * BYTE_ENTRIES);
        sum += entry(at, word[2], -2 * BYTE_ENTRIES);
        sum += entry(at, word[3], -BYTE_ENTRIES);
        sum += entry(at, word[4], 0);
        sum += entry(at, word[5], BYTE_ENTRIES);
        sum += entry(at, word[6], 2 * BYTE_ENTRIES);
        sum += entry(at, word[7], 3 * BYTE_ENTRIES);
    }
    return sum;
}

static inline uint32_t select_halves(const union tables *tables, const uint8_t *word)
{
    const uint16_t *at = tables->halves[0];
    const uint8_t *const end = word + NEUREKA_WORD_BYTES;
    uint32_t sum = 0;
    for (; word < end; word += 4, at += 8 * HALF_ENTRIES) {
        sum += entry(at, word[0] & 15u, 0);
        sum += entry(at, word[0] >> 4, HALF_ENTRIES);
        sum += entry(at, word[1] & 15u, 2 * HALF_ENTRIES);
        sum += entry(at, word[1] >> 4, 3 * HALF_ENTRIES);
        sum += entry(at, word[2] & 15u, 4 * HALF_ENTRIES);
        sum += entry(at, word[2] >> 4, 5 * HALF_ENTRIES);
        sum += entry(at, word[3] & 15u, 6 * HALF_ENTRIES);
        sum += entry(at, word[3] >> 4, 7 * HALF_ENTRIES);
    }
    return sum;
}

/* The planes of one output channel and tile, the highest first. */
static uint32_t add_planes(const union tables *tables, bool has_byte_tables, const uint8_t *words,
                           uint32_t bits)
{
    uint32_t sum = 0;
    for (const uint8_t *word = words + bits * NEUREKA_WORD_BYTES; word > words;) {
        word -= NEUREKA_WORD_BYTES;
        sum =
            2 * sum + (has_byte_tables ? select_bytes(tables, word) : select_halves(tables, word));
    }
    return sum;
}

static void run_window(const struct neureka_job *job, const struct art_neureka_share *share,
                       uint32_t row, uint32_t col)
{
    const uint32_t channels = share->last_channel - share->first_channel;
    const bool has_byte_tables = channels * job->bits >= MANY_PLANES;
    const uint32_t weight_of_planes = (1u << job->bits) - 1;
    int32_t *const sums = neureka_output(job, row, col) + share->first_channel;
    int16_t inputs[INPUTS];
    for (uint32_t k = 0; k < channels; k++) {
        sums[k] = 0;
    }
    for (uint32_t tile = 0; tile < job->in_tiles; tile++) {
        const uint32_t sum = (uint32_t)load(job, row, col, tile, inputs);
        const uint32_t biases = fill_all(inputs, has_byte_tables, share->scratch);
        const uint32_t start = job->weight_offset * sum - weight_of_planes * biases;
        const uint8_t *words = job->weights + share->first_channel * job->channel_bytes +
                               tile * job->bits * NEUREKA_WORD_BYTES;
        for (uint32_t k = 0; k < channels; k++, words += job->channel_bytes) {
            neureka_add(&sums[k],
                        start + add_planes(share->scratch, has_byte_tables, words, job->bits));
        }
    }
}

void neureka_run_3x3(const struct neureka_job *job, const struct art_neureka_share *share)
{
    for (uint32_t row = 0; row < job->out_rows; row += share->step) {
        for (uint32_t col = 0; col < job->out_cols; col += share->step) {
            run_window(job, share, row, col);
        }
    }
}
