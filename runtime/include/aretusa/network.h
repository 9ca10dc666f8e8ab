/* What a compiled network offers to the token loop. Generated code implements it. */
#ifndef ARETUSA_NETWORK_H
#define ARETUSA_NETWORK_H

#include <stdint.h>

#include "aretusa/engine.h"
#include "aretusa/platform.h"

/* One image that must be in its memory before the first token. A memory holds at most one; its file
 * has the memory's name (l2.bin, mram.bin, ...). */
struct art_image_place {
    enum art_memory memory;
    uint32_t offset_bytes; /* of the image header in its memory */
};

struct art_network {
    const char *model_hash; /* 64 hexadecimal digits, the same as in every image header */
    uint32_t vocabulary;
    uint32_t context;   /* positions of the KV cache */
    uint32_t chunk_max; /* most tokens of one art_network_forward */
    uint32_t image_count;
    const struct art_image_place *images;
    enum art_memory tokenizer_memory;
    uint32_t
        tokenizer_offset_bytes; /* inside the data of an image, so that its checksum covers it */
    uint32_t tokenizer_bytes;
    enum art_memory workspace_memory; /* free bytes for prompt, tokenizer scratch and token list */
    uint32_t workspace_offset_bytes;
    uint32_t workspace_bytes;
    uint32_t stop_token_count;
    const int32_t *stop_tokens;
    uint32_t sram_weights_offset; /* where the engine sees the SRAM, from the MRAM's first byte */
    struct art_engine_job *jobs;  /* that the compiler has prepared */
    uint32_t kernel_count;        /* rows of the instruction profile */
};

extern const struct art_network art_network;

/* Run count tokens (1 .. chunk_max) at position .. position + count - 1 through all layers; the
 * caller keeps position + count within the context. Called by every core; crosses at least one
 * barrier, and art_network_head may follow without another. */
void art_network_forward(const struct art_team *team, const int32_t *tokens, uint32_t count,
                         uint32_t position);

/* Logits of one row of the last art_network_forward; row < count. Called by every core; the result
 * [vocabulary] is complete for every core after it returns, and stays until the next call of either
 * function by any core. */
const float *art_network_head(const struct art_team *team, uint32_t row);

#endif
