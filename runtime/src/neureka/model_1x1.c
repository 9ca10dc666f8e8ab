/* A 1x1 kernel: each word of weights is unpacked once and multiplied with a block of pixels. */
#include "neureka/model.h"
#include "neureka/registers.h"

enum {
    CHANNELS = NEUREKA_TILE_1X1,
    GROUP = 4,   /* channels whose bits share 32 bits of a word */
    PIXELS = 128 /* of a block */
};

struct block {
    int16_t inputs[PIXELS][CHANNELS]; /* of one input tile */
    uint32_t starts[PIXELS];          /* their sum times the weight offset */
    const uint8_t *pixels[PIXELS];
    int32_t *sums[PIXELS];
    uint32_t count;
};
_Static_assert(sizeof(struct block) <= ART_NEUREKA_SCRATCH_BYTES, "scratch holds a block");

/* Swap the bits whose positions differ by `distance` and of which the lower is in the mask. */
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

/* The codes of one word, a byte each; planes beyond the weight's bits do not count. */
static void unpack(const uint32_t *word, uint32_t bits, union neureka_codes *codes)
{
    const uint32_t used = bits == 8 ? 0xFFFFFFFFu : (1u << GROUP * bits) - 1;
    for (uint32_t i = 0; i < CHANNELS / GROUP; i++) {
        codes->words[i] = transpose(word[i] & used);
    }
}

static uint32_t dot(const uint8_t *codes, const int16_t *inputs)
{
    int32_t sum = 0;
    for (const uint8_t *const end = codes + CHANNELS; codes < end; codes += 8, inputs += 8) {
        sum += codes[0] * inputs[0];
        sum += codes[1] * inputs[1];
        sum += codes[2] * inputs[2];
        sum += codes[3] * inputs[3];
        sum += codes[4] * inputs[4];
        sum += codes[5] * inputs[5];
        sum += codes[6] * inputs[6];
        sum += codes[7] * inputs[7];
    }
    return (uint32_t)sum;
}

/* One tile of each pixel; channels behind the last are zeros. */
static void load(const struct neureka_job *job, uint32_t tile, struct block *block)
{
    const uint32_t left = job->in_channels - tile * CHANNELS;
    const uint32_t channels = left < CHANNELS ? left : CHANNELS;
    const int32_t sign = job->sign;
    for (uint32_t p = 0; p < block->count; p++) {
        const uint8_t *const codes = block->pixels[p] + tile * CHANNELS;
        int16_t *const inputs = block->inputs[p];
        int32_t sum = 0;
        for (uint32_t c = 0; c < channels; c++) {
            const int32_t value = neureka_value(codes[c], sign);
            inputs[c] = (int16_t)value;
            sum += value;
        }
        for (uint32_t c = channels; c < CHANNELS; c++) {
            inputs[c] = 0;
        }
        block->starts[p] = job->weight_offset * (uint32_t)sum;
    }
}

static void add_tile(const struct neureka_job *job, const struct art_neureka_share *share,
                     uint32_t tile, const struct block *block)
{
    const uint8_t *word =
        job->weights + share->first_channel * job->channel_bytes + tile * NEUREKA_WORD_BYTES;
    for (uint32_t k = share->first_channel; k < share->last_channel; k++) {
        union neureka_codes codes;
        unpack((const uint32_t *)(const void *)word, job->bits, &codes);
        for (uint32_t p = 0; p < block->count; p++) {
            const uint32_t products = dot(codes.bytes, block->inputs[p]);
            neureka_add(&block->sums[p][k], block->starts[p] + products);
        }
        word += job->channel_bytes;
    }
}

/* Work off the pixels that were collected. */
static void run_block(const struct neureka_job *job, const struct art_neureka_share *share,
                      struct block *block)
{
    for (uint32_t p = 0; p < block->count; p++) {
        for (uint32_t k = share->first_channel; k < share->last_channel; k++) {
            block->sums[p][k] = 0;
        }
    }
    for (uint32_t tile = 0; tile < job->in_tiles; tile++) {
        load(job, tile, block);
        add_tile(job, share, tile, block);
    }
    block->count = 0;
}

void neureka_run_1x1(const struct neureka_job *job, const struct art_neureka_share *share)
{
    struct block *const block = share->scratch;
    block->count = 0;
    for (uint32_t row = 0; row < job->out_rows; row += share->step) {
        for (uint32_t col = 0; col < job->out_cols; col += share->step) {
            if (block->count == PIXELS) {
                run_block(job, share, block);
            }
            block->pixels[block->count] = neureka_input(job, row, col);
            block->sums[block->count] = neureka_output(job, row, col);
            block->count++;
        }
    }
    run_block(job, share, block);
}
