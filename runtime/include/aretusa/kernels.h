/* The kernels: what the compiled network calls, layer by layer.
 *
 * Every kernel is called by every core of the team with the same arguments and shares the work
 * among them. A kernel may cross barriers inside; it does not wait for its own results at the end,
 * so the caller puts a barrier before the first reader, and before another kernel writes to the
 * same scratch. Results do not depend on the number of cores. The arithmetic is docs/arithmetic.md,
 * bit for bit; the same functions in NumPy are compiler/aretusa/reference/arithmetic.py. */
#ifndef ARETUSA_KERNELS_H
#define ARETUSA_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

#include "aretusa/platform.h"

struct art_place; /* these three: aretusa/places.h, aretusa/engine.h */
struct art_matrix_place;
struct art_engine_place;

enum {
    ART_BLOCK_ROWS = 8, /* rows of a matrix that are stored interleaved */
    ART_SUM_RUN = 32,   /* activation codes are summed in runs of this length */
    ART_EXP_STEPS = 32,
    ART_EMBED_TOKENS = 8,            /* rows of an embedding table that are in L1 at a time */
    ART_HEAD_DIM_MAX = 256,          /* the squares of a head's row are summed on the stack */
    ART_ATTENTION_CONTEXT_MAX = 4096 /* positions whose integer sums fit 31 bits */
};

/* Rows of int8 codes -127 .. 127 with one scale each, as a quantising kernel leaves them.
 * sums[r][j] is the sum of the codes 32 j .. 32 j + 31 of row r (the last run may be shorter). */
struct art_rows {
    int8_t *codes; /* [rows][depth], row r starts at r * depth */
    float *scales; /* [rows] */
    int32_t *sums; /* [rows][(depth + 31) / 32] */
};

enum art_matrix_form {
    ART_MATRIX_W8_CHANNEL = 0, /* int8 codes, one binary32 scale per row */
    ART_MATRIX_W8_GROUP = 1,   /* int8 codes, one binary16 scale per row and group */
    ART_MATRIX_W4_CHANNEL = 2, /* 4-bit codes, one binary32 scale per row */
    ART_MATRIX_W4_GROUP = 3    /* 4-bit codes, one binary16 scale (and minimum) per row and group */
};

/* A weight matrix in its packed layout. Rows are stored in blocks of eight, padded with zeros.
 * Codes and scales lie at multiples of their size; scales are finite. The last group may be short.
 *
 * W8: codes[block][k][lane] int8.
 * W4: codes[block][k] uint32; the unsigned nibble of lane l stands at bit 2 * l for even l and at
 * bit 14 + 2 * l for odd l.
 * Channel scales: float [block][lane]. Group scales, minimums: binary16 [block][group][lane]; zero
 * points, which may take the minimums' place: int16, alike, -256 .. 256.
 * value(row, k) = scale * (code - zero) + minimum or scale * (code - zero - zero point); zero is 0
 * for W8, 0 or 8 for W4. */
struct art_matrix {
    const void *codes;
    const void *scales;
    const uint16_t *minimums; /* or zero points; null when there are neither */
    const float *bias;        /* [rows] padded to the block, null when there is none */
    uint32_t rows;
    uint32_t depth;
    uint32_t group; /* 32, 64 or 128; 0 for channel forms */
    enum art_matrix_form form;
    uint32_t zero;
    bool has_zeros; /* minimums points to zero points */
    /* Channel forms may hold only `kept` of every `columns` columns, 2, 4, 8 or 16, which divide
     * the depth; 0 columns: all. Then codes are [block][depth / columns][kept][value, place], a
     * block padded to 4 bytes: int8 values of eight rows, or nibbles, the even row's the lower one;
     * their places among the columns in fields of log2(columns) bits, the first row's lowest. */
    uint8_t kept;
    uint8_t columns;
};

/* Bits of a place among so many columns. */
static inline uint32_t art_place_bits(uint32_t columns)
{
    uint32_t bits = 1;

    while (columns >> bits > 1) {
        bits++;
    }
    return bits;
}

/* Bytes of the codes of a block of which so many columns are kept. */
static inline uint32_t art_kept_block_bytes(uint32_t depth, bool is_w4, uint32_t kept,
                                            uint32_t columns)
{
    const uint32_t value_bytes = is_w4 ? ART_BLOCK_ROWS / 2 : ART_BLOCK_ROWS;

    return (depth / columns * kept * (value_bytes + art_place_bits(columns)) + 3) / 4 * 4;
}

/* Bytes of scratch that the embedding of count tokens needs; either place may be null. A row of the
 * engine's takes its codes and a scale. A row of the other layout takes its block of eight: codes,
 * scales and minimums, each aligned to ART_ALIGN_BYTES, and so is the sum. The larger of the two,
 * for as many tokens as are in L1 at a time. */
uint32_t art_embed_scratch_bytes(const struct art_engine_place *engine,
                                 const struct art_matrix_place *matrix, uint32_t count);

/* out[t][:] = value(tokens[t], :) for count tokens; out is [count][depth] float. The first rows of
 * the table are in the engine's layout, with value = code * scale, those after them in the packed
 * one; a null pointer stands for none. Rows reach the scratch, which lies in L1 and is aligned to
 * 4, by transfers. */
void art_embed_planned(const struct art_team *team, const struct art_engine_place *engine,
                       const struct art_matrix_place *matrix, const int32_t *tokens, uint32_t count,
                       void *scratch, float *out);

/* out[t][r] = residual[t][r] + (matrix * rows of src + bias)[t][r]; residual may be null and may be
 * out. Output channels are shared in blocks of eight rows.
 *
 * Integer sums fit 31 bits for depths up to 132104: a product is at most 128 * 127. The sums of
 * groups of up to 128 are below 2^24, exact in binary32. */
void art_linear(const struct art_team *team, const struct art_matrix *matrix,
                const struct art_rows *src, uint32_t tokens, const float *residual, float *out);

/* The same for some rows of a larger matrix: a token's results, and its residuals, are stride
 * apart. */
void art_linear_part(const struct art_team *team, const struct art_matrix *matrix,
                     const struct art_rows *src, uint32_t tokens, uint32_t stride,
                     const float *residual, float *out);

/* Sums that an engine left, as results: out[t][r] = residual[t][r] + (sum * scale of token t) *
 * scale of row r + bias[r], sum being sums[pixel of t][r] + corrections[r] modulo 2^32. The rows
 * are shared by the cores; a token's results, and its residuals, are stride apart. */
struct art_sums {
    const int32_t *sums;        /* [pixels][rows] */
    const uint8_t *pixels;      /* of each token; null where token t is pixel t */
    const float *scales;        /* [rows] */
    const float *bias;          /* [rows], null when there is none */
    const int32_t *corrections; /* [rows], null when there are none */
    uint32_t rows;
};

void art_finish_sums(const struct art_team *team, const struct art_sums *sums,
                     const float *token_scales, uint32_t tokens, uint32_t stride,
                     const float *residual, float *out);

/* The same with groups along the depth, whose sums come one group after the other. Each group's
 * terms, sum * scale + (sum of its activation codes) * minimum or (sum - (sum of its activation
 * codes) * zero point) * scale, are added to totals[t][r], which are kept shrunk by 2^112 as in
 * linear_finish.h; then the totals become results. */
struct art_group_sums {
    const int32_t *sums;       /* [pixels][rows] */
    const uint8_t *pixels;     /* as in struct art_sums */
    const uint16_t *scales;    /* binary16; that of row r at r * groups */
    const uint16_t *minimums;  /* alike, or zero points; null when there are neither */
    const int32_t *code_sums;  /* of the first token's codes, in runs of ART_SUM_RUN */
    uint32_t code_runs;        /* of this group */
    uint32_t code_runs_stride; /* from a token's sums to the next one's */
    uint32_t rows;
    uint32_t groups;
    bool has_zeros; /* minimums points to int16 zero points */
    bool is_first;  /* then what totals held does not count */
};

void art_add_group_sums(const struct art_team *team, const struct art_group_sums *sums,
                        uint32_t tokens, float *totals);

/* out[t][r] = residual[t][r] + totals[t][r] * scale of token t + bias[r]. A row's core is that of
 * art_add_group_sums, so no barrier is needed between the two. */
struct art_totals {
    const float *totals; /* [tokens][rows] */
    const float *bias;   /* [rows], null when there is none */
    uint32_t rows;
};

void art_finish_totals(const struct art_team *team, const struct art_totals *totals,
                       const float *token_scales, uint32_t tokens, uint32_t stride,
                       const float *residual, float *out);

struct art_norm_shape {
    uint32_t tokens;
    uint32_t depth;
    float eps;
};

/* Bytes of scratch that the row-quantising kernels below share among the cores. */
uint32_t art_quantise_scratch_bytes(uint32_t tokens, uint32_t depth);

/* Quantised rows of src / sqrt(mean(src^2) + eps) * weight. */
void art_rmsnorm_quantise(const struct art_team *team, const struct art_norm_shape *shape,
                          const float *src, const float *weight, void *scratch,
                          const struct art_rows *out);

/* Quantised rows of src [tokens][depth]. A sum of 32 codes is at most 4064. */
void art_quantise(const struct art_team *team, uint32_t tokens, uint32_t depth, const float *src,
                  void *scratch, const struct art_rows *out);

/* Quantised rows of gate / (1 + exp(-gate)) * up, both [tokens][depth]. Works in place in gate,
 * which is overwritten. */
void art_silu_mul_quantise(const struct art_team *team, uint32_t tokens, uint32_t depth,
                           float *gate, const float *up, void *scratch, const struct art_rows *out);

/* What happens to a head's row before it is quantised. */
struct art_head_transform {
    const float *norm_weight; /* [dim], null for none */
    float norm_eps;
    const float *rope_cosine; /* [context][dim / 2], null for none; row = position */
    const float *rope_sine;
};

/* How the codes of a key or value cache are stored. */
enum art_cache_form {
    ART_CACHE_8BIT = 0, /* a row is dim int8 codes -127 .. 127 */
    /* Values. A row is whole words of eight codes -7 .. 7: byte j of word w holds the code of
     * element 8 w + j in its lower half and that of element 8 w + 4 + j in its upper one, both as
     * two's complement, and 0 behind the last element. */
    ART_CACHE_4BIT = 1,
    /* Keys. The same with codes of a zero point added, less 8: the lowest four bits of a row's
     * scale are the zero point less 8, two's complement, and count as 0 in the scale. */
    ART_CACHE_4BIT_ZEROS = 2
};

struct art_heads_shape {
    uint32_t tokens;
    uint32_t heads;
    uint32_t dim;
    uint32_t position;        /* of the first token */
    enum art_cache_form form; /* of the cache, where rows are appended to one */
};

/* Transform and quantise each head of src [tokens][heads][dim] by itself: codes
 * [tokens][heads][dim], scales [tokens][heads]. Works in place in src, which is overwritten. dim is
 * at most ART_HEAD_DIM_MAX where there is a norm, and even where there is a rotation. */
void art_heads_quantise(const struct art_team *team, const struct art_heads_shape *shape,
                        const struct art_head_transform *transform, float *src, int8_t *codes,
                        float *scales);

/* A key or value cache: the codes of rows [heads][context], then, aligned to 4, their float scales.
 * It may lie in any memory: only transfers reach it. */

/* Bytes of scratch: the codes of rows [heads][tokens], then, aligned to 4, their scales. */
uint32_t art_cache_append_scratch_bytes(const struct art_heads_shape *shape);

/* The same as art_heads_quantise, into rows position .. position + tokens - 1 of a cache; codes of
 * four bits need a dim of at least 2. The scratch lies in L1 and is aligned to 4. The rows are in
 * the cache, and the scratch is free, when core 0 returns. */
void art_cache_append(const struct art_team *team, const struct art_heads_shape *shape,
                      const struct art_head_transform *transform, uint32_t context, float *src,
                      const struct art_place *cache, void *scratch);

struct art_attention_shape {
    uint32_t tokens;
    uint32_t heads;
    uint32_t kv_heads;
    uint32_t dim;
    uint32_t position;       /* of the first token; token t sees positions 0 .. position + t */
    uint32_t context;        /* rows of the cache, at most 4096 */
    uint32_t tile_positions; /* of a tile of keys or values: a multiple of 8, best of 32 */
    uint32_t scores_bytes;   /* room for scores; those of one token and one kv head always fit */
    float inverse_sqrt_dim;
    enum art_cache_form key_form;
    enum art_cache_form value_form;
};

/* Bytes of scratch shared by the cores, for any position and for as many tokens or fewer.
 *
 * An item is one token with one kv head; with repeat = heads / kv_heads it has repeat * context
 * scores. So many items go through attention together:
 *     items = max(1, scores_bytes / (4 * repeat * context)), at most tokens * kv_heads
 *     rows = items * repeat
 *     words = rows * (context + 25) + 32 + max(the power of two from 64 and context on, rows * dim)
 *     bytes = 4 * words + 2 * tile_positions * (row bytes + 4), of keys or values the larger ones
 */
uint32_t art_attention_scratch_bytes(const struct art_attention_shape *shape);

/* out [tokens][heads][dim]: softmax attention of each token over two caches, causal. Keys and
 * values pass through the scratch, which lies in L1 and is aligned to 4: those of a kv head once
 * for as many tokens as go together. Short contexts of several heads share a tile.
 *
 * score = ((float)(query codes . key codes) * (query scale * inverse_sqrt_dim)) * key scale; the
 * integer is below 2^24 for dim up to 1040. A result is an integer sum of at most context products
 * of a probability code up to 4095 and a value code up to 127: 4096 * 4095 * 127 < 2^31. */
void art_attention(const struct art_team *team, const struct art_attention_shape *shape,
                   const int8_t *query_codes, const float *query_scales,
                   const struct art_place *keys, const struct art_place *values, void *scratch,
                   float *out);

#endif
