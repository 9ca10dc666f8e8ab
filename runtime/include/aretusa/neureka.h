/* N-EUREKA, the chip's convolution engine: job images, and a model that runs them in software.
 *
 * The engine is the first version, with 28 input channels per 3x3 tile and 256-bit weight words, as
 * in pulp-platform/pulp-nnx neureka/hal and gvsoc/gvsoc-pulp pulp/neureka. Weight layouts are those
 * of compiler/aretusa/neureka/layout.py. */
#ifndef ARETUSA_NEUREKA_H
#define ARETUSA_NEUREKA_H

#include <stdbool.h>
#include <stdint.h>

enum {
    ART_NEUREKA_REGISTERS = 24,
    ART_NEUREKA_SCRATCH_BYTES = 16384, /* of each core that runs the model, aligned to 4 */
    ART_NEUREKA_TOKEN_STEP = 3         /* every third result is a token's: see `step` below */
};

/* Numbers of the mode field of the engine's last register. */
enum art_neureka_mode { ART_NEUREKA_3X3 = 0, ART_NEUREKA_1X1 = 2 };

enum art_neureka_flag {
    ART_NEUREKA_WEIGHT_MEMORY = 1, /* weights lie in the weight memory, else in L1 */
    ART_NEUREKA_SIGNED = 2,        /* inputs are int8, else uint8 */
    ART_NEUREKA_PREFETCH = 4,      /* never with weights in L1: the engine would hang */
    ART_NEUREKA_FROM_0 = 8         /* a stored code is the weight: 2^(bits - 1) is not taken away */
};

/* A job but for its addresses: out[y][x][k] = sum over the kernel's taps and channels c of
 * in[y + r][x + s][c] * (code[k][r][s][c] - 2^(bits - 1)), 32-bit results, no padding.
 * Channels are contiguous; the other strides are in bytes. */
struct art_neureka_shape {
    uint8_t mode;  /* enum art_neureka_mode */
    uint8_t bits;  /* 2 .. 8 */
    uint8_t flags; /* enum art_neureka_flag, or-ed */
    uint32_t out_channels;
    uint32_t in_channels;
    uint32_t out_rows;
    uint32_t out_cols;
    uint32_t in_pixel_bytes;
    uint32_t in_row_bytes;
    uint32_t out_pixel_bytes;
    uint32_t out_row_bytes;
};

/* The image of the 24 job registers but for the first three: the addresses of weights, an offset in
 * the weight memory or an address in L1 as the flags say, of inputs and of outputs. */
void art_neureka_job(const struct art_neureka_shape *shape,
                     uint32_t registers[ART_NEUREKA_REGISTERS]);

/* What the model reads and writes, each aligned to 4. Offsets in the weight memory below mram_bytes
 * are in the MRAM half, the others in the SRAM half. */
struct art_neureka_memories {
    uint8_t *l1;
    uint32_t l1_bytes;
    const uint8_t *mram;
    uint32_t mram_bytes;
    const uint8_t *sram;
    uint32_t sram_bytes;
};

/* The part of a job that one core does. */
struct art_neureka_share {
    uint32_t first_channel; /* output channels first .. last - 1 */
    uint32_t last_channel;
    uint32_t step; /* only the results in every step-th row and column are computed; 1 for all,
                      ART_NEUREKA_TOKEN_STEP where the others are scratch */
    void *scratch; /* ART_NEUREKA_SCRATCH_BYTES */
};

/* Run a job of art_neureka_job() as the engine would. False, and nothing written, if the image is
 * none of those or leaves its memories. Needs a little-endian core. */
bool art_neureka_model_run(const uint32_t registers[ART_NEUREKA_REGISTERS],
                           const struct art_neureka_memories *memories,
                           const struct art_neureka_share *share);

#endif
