/* A 3x3 kernel by tables: for each run of eight inputs, the sums of all its 256 subsets.
 *
 * A byte of a weight word then selects its eight inputs' sum in one look-up, so that a bit plane of
 * 252 weights costs 32 look-ups. Tables of one window and input tile serve all output channels. */
#include "neureka/model.h"
#include "neureka/registers.h"

enum {
    TAP_ROWS = 3,
    TAP_COLS = 3,
    RUN = 8,
    RUNS = NEUREKA_WORD_BYTES,
    INPUTS = RUN * RUNS, /* 252, then four zeros: the engine ignores the last bits of a word */
    ENTRIES = 1 << RUN,
    /* Added to each entry, so that it is not negative and sums of halves never borrow: eight int8
     * are at least -1024, eight uint8 at most 2040. */
    BIAS = 1024
};

/* Entry e of a table is the sum of the inputs whose bits are set in e, plus BIAS. Two entries fill
 * a word. */
union tables {
    uint32_t words[RUNS][ENTRIES / 2];
    uint16_t entries[RUNS][ENTRIES];
};
_Static_assert(sizeof(union tables) == ART_NEUREKA_SCRATCH_BYTES, "scratch holds the tables");

/* The inputs of one window and tile in the order of a word's bits; returns their sum. */
static int32_t load(const struct neureka_job *job, uint32_t row, uint32_t col, uint32_t tile,
                    int16_t inputs[INPUTS])
{
    const uint32_t left = job->in_channels - tile * NEUREKA_TILE_3X3;
    const uint32_t channels = left < NEUREKA_TILE_3X3 ? left : NEUREKA_TILE_3X3;
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
                tap[c] = neureka_value(job, pixel[c]);
                sum += tap[c];
            }
        }
    }
    return sum;
}

/* Both halves of a word plus the input. */
static uint32_t both(int16_t input)
{
    return (uint32_t)(int32_t)input * 0x10001u;
}

/* Words of a table, each half of it from the half before: with one input more. */
static void fill(const int16_t inputs[RUN], uint32_t words[ENTRIES / 2])
{
    words[0] = BIAS * 0x10001u + ((uint32_t)(int32_t)inputs[0] << 16);
    words[1] = words[0] + both(inputs[1]);
    words[2] = words[0] + both(inputs[2]);
    words[3] = words[1] + both(inputs[2]);
    for (uint32_t i = 3, half = 4; i < RUN; i++, half *= 2) {
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

/* Sum of the inputs that a weight word selects, plus RUNS * BIAS. */
static inline uint32_t select(const union tables *tables, const uint8_t *word)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < RUNS; i += 4) {
        const uint16_t *const at = tables->entries[i];
        sum += at[word[i]];
        sum += at[ENTRIES + word[i + 1]];
        sum += at[2 * ENTRIES + word[i + 2]];
        sum += at[3 * ENTRIES + word[i + 3]];
    }
    return sum;
}

/* Add one tile's products to the results of some output channels. */
static void add_tile(const struct neureka_job *job, const struct art_neureka_share *share,
                     uint32_t tile, uint32_t start, const union tables *tables, int32_t *sums)
{
    const uint8_t *words = job->weights + share->first_channel * job->channel_bytes +
                           tile * job->bits * NEUREKA_WORD_BYTES;
    for (uint32_t k = share->first_channel; k < share->last_channel; k++) {
        uint32_t sum = 0;
        for (uint32_t bit = job->bits; bit > 0; bit--) {
            sum = 2 * sum + select(tables, words + (bit - 1) * NEUREKA_WORD_BYTES);
        }
        neureka_add(&sums[k], start + sum);
        words += job->channel_bytes;
    }
}

static void run_window(const struct neureka_job *job, const struct art_neureka_share *share,
                       uint32_t row, uint32_t col)
{
    union tables *const tables = share->scratch;
    int32_t *const sums = neureka_output(job, row, col);
    const uint32_t biases = ((1u << job->bits) - 1) * RUNS * BIAS;
    int16_t inputs[INPUTS];
    for (uint32_t k = share->first_channel; k < share->last_channel; k++) {
        sums[k] = 0;
    }
    for (uint32_t tile = 0; tile < job->in_tiles; tile++) {
        const uint32_t sum = (uint32_t)load(job, row, col, tile, inputs);
        for (uint32_t i = 0; i < RUNS; i++) {
            fill(inputs + RUN * i, tables->words[i]);
        }
        add_tile(job, share, tile, job->weight_offset * sum - biases, tables, sums);
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
