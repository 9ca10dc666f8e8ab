/* The 24 job registers of N-EUREKA; the numbers are those of compiler/aretusa/neureka/registers.py.
 *
 * Source: pulp-platform/pulp-nnx neureka/hal/neureka_task_defs.h. */
#ifndef ARETUSA_NEUREKA_REGISTERS_H
#define ARETUSA_NEUREKA_REGISTERS_H

enum neureka_register {
    NEUREKA_WEIGHTS = 0,
    NEUREKA_INPUT = 1,
    NEUREKA_OUTPUT = 2,
    NEUREKA_SCALE = 3,
    NEUREKA_SHIFT = 4,
    NEUREKA_BIAS = 5,
    NEUREKA_INPUT_PIXEL_STRIDE = 6,
    NEUREKA_INPUT_ROW_STRIDE = 7,
    NEUREKA_INPUT_STRIDE_2 = 8,
    NEUREKA_OUTPUT_BEAT_STRIDE = 9,
    NEUREKA_OUTPUT_PIXEL_STRIDE = 10,
    NEUREKA_OUTPUT_ROW_STRIDE = 11,
    NEUREKA_WEIGHT_WORD_STRIDE = 12,
    NEUREKA_WEIGHT_CHANNEL_STRIDE = 13,
    NEUREKA_WEIGHT_STRIDE_2 = 14,
    NEUREKA_LAST_CHANNELS = 15,
    NEUREKA_LAST_OUTPUT = 16,
    NEUREKA_LAST_INPUT = 17,
    NEUREKA_CHANNEL_TILES = 18,
    NEUREKA_PIXEL_TILES = 19,
    NEUREKA_PADDING = 20,
    NEUREKA_WEIGHT_OFFSET = 21,
    NEUREKA_FILTER_MASK = 22,
    NEUREKA_CONFIG = 23
};

enum {
    NEUREKA_TILE_3X3 = 28,
    NEUREKA_TILE_1X1 = 32,
    NEUREKA_TILE_OUT = 32,
    NEUREKA_TILE_PIXELS = 6,
    NEUREKA_BORDER = 2,
    NEUREKA_BEAT_BYTES = 32,
    NEUREKA_WORD_BYTES = 32
};

/* Fields of NEUREKA_CONFIG. */
enum {
    NEUREKA_BITS_MASK = 0x7,
    NEUREKA_MODE_SHIFT = 5,
    NEUREKA_WEIGHT_MEMORY_BIT = 9,
    NEUREKA_PREFETCH_BIT = 10,
    NEUREKA_SIGNED_BIT = 26
};

/* One weight offset for the layer, 32-bit results, no ReLU. */
#define NEUREKA_CONFIG_FIXED (1u << 15 | 2u << 21 | 1u << 23)

/* The engine ignores the upper bits of an address in L1. */
#define NEUREKA_L1_MASK 0x3FFFFu

#endif
