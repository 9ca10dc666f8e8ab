/* A 1x1 kernel: each word of weights is unpacked once and multiplied with a block of pixels. */
#include "neureka/model.h"
#include "neureka/registers.h"

enum {
    CHANNELS = NEUREKA_TILE_1X1,
    GROUP = 4,   /* channels whose bits share 32 bits of a word */
    PIXELS = 128 /* of a block */
};

struct block {
    int16_t inputs[PIXELS][CHANNELS];
    int32_t *sums[PIXELS]; /* results of the pixel */
    uint32_t pixels;
};
_Static_assert(sizeof(struct block) <= ART_NEUREKA_SCRATCH_BYTES, "scratch holds a block");

/* Swap the elements whose indices differ by `distance` and of which the lower is in the mask. */
static uint32_t swap_bits(uint32_t word, uint32_t mask, uint32_t distance)
{
    const uint32_t differ = (word >> distance ^ word) & mask;
    return word ^ differ ^ differ << distance;
}

/* Bit 4 * b + j of a group -> bit 8 * j + b: planes of four channels become four bytes. */
static uint32_t transpose(uint32_t group)
{
    group = swap_bits(group, 0x0A0A0A0Au, 3);
    group = swap_bits(group, 0x00CC00CCu, 6);
    group = swap_bits(group, 0x0000F0F0u, 12);
    return swap_bits(group, 0x0000FF00u, 8);
}

static void unpack(const struct neureka_job *job, const uint8_t *word, int16_t weights[CHANNELS])
{
    const uint32_t used = job->bits == 8 ? 0xFFu : (1u << job->bits) - 1;
    for (uint32_t first = 0; first < CHANNELS; first += GROUP) {
        const uint32_t group = (uint32_t)word[first] | (uint32_t)word[first + 1] << 8 |
                               (uint32_t)word[first + 2] << 16 | (uint32_t)word[first + 3] << 24;
        const uint32_t codes = transpose(group);
        for (uint32_t j = 0; j < GROUP; j++) {
            weights[first + j] = (int16_t)((codes >> 8 * j & used) + job->weight_offset);
        }
    }
}

static uint32_t dot(const int16_t *lhs, const int16_t *rhs)
{
    int32_t sum = 0;
    for (uint32_t c = 0; c < CHANNELS; c += GROUP) {
        sum += lhs[c] * rhs[c];
        sum += lhs[c + 1] * rhs[c + 1];
        sum += lhs[c + 2] * rhs[c + 2];
        sum += lhs[c + 3] * rhs[c + 3];
    }
    return (uint32_t)sum;
}

/* Channels behind the last are zeros. */
static void load(const struct neureka_job *job, const uint8_t *pixel, uint32_t tile,
                 int16_t inputs[CHANNELS])
{
    const uint32_t left = job->in_channels - tile * CHANNELS;
    const uint32_t channels = left < CHANNELS ? left : CHANNELS;
    for (uint32_t c = 0; c < CHANNELS; c++) {
        inputs[c] = c < channels ? neureka_value(job, pixel[tile * CHANNELS + c]) : 0;
    }
}

static void add_tile(const struct neureka_job *job, const struct art_neureka_share *share,
                     uint32_t tile, const struct block *block)
{
    const uint8_t *word =
        job->weights + share->first_channel * job->channel_bytes + tile * NEUREKA_WORD_BYTES;
    for (uint32_t k = share->first_channel; k < share->last_channel; k++) {
        int16_t weights[CHANNELS];
        unpack(job, word, weights);
        for (uint32_t p = 0; p < block->pixels; p++) {
            neureka_add(&block->sums[p][k], dot(weights, block->inputs[p]));
        }
        word += job->channel_bytes;
    }
}

/* The pixels of a row from `col` on, as many as a block holds. */
static uint32_t run_block(const struct neureka_job *job, const struct art_neureka_share *share,
                          uint32_t row, uint32_t col)
{
    struct block *const block = share->scratch;
    block->pixels = 0;
    uint32_t next = col;
    for (; next < job->out_cols && block->pixels < PIXELS; next += share->step) {
        int32_t *const sums = neureka_output(job, row, next);
        block->sums[block->pixels++] = sums;
        for (uint32_t k = share->first_channel; k < share->last_channel; k++) {
            sums[k] = 0;
        }
    }
    for (uint32_t tile = 0; tile < job->in_tiles; tile++) {
        for (uint32_t p = 0; p < block->pixels; p++) {
            const uint32_t at = col + p * share->step;
            load(job, neureka_input(job, row, at), tile, block->inputs[p]);
        }
        add_tile(job, share, tile, block);
    }
    return next;
}

void neureka_run_1x1(const struct neureka_job *job, const struct art_neureka_share *share)
{
    for (uint32_t row = 0; row < job->out_rows; row += share->step) {
        for (uint32_t col = 0; col < job->out_cols;) {
            col = run_block(job, share, row, col);
        }
    }
}
