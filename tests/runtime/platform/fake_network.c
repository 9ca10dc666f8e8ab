/* A network of a few lines: its logits depend on every token before, on every weight word and on
 * the position, so that a lost token, a wrong chunk or a missing barrier shows. */
#include "network.h"

#include "aretusa/image.h"
#include "aretusa/kernels.h"
#include "aretusa/profile.h"
#include "probe.h"

enum {
    VOCABULARY = 96,
    CONTEXT = 40,
    CHUNK_MAX = 32,
    WEIGHT_WORDS = 1024,
    DATA_OFFSET = 128,
    CACHE_OFFSET = 0,
    CANARY_OFFSET = 4 * CONTEXT,
    WORKSPACE_OFFSET = 4096
};

#define CANARY 0xc0ffee11u

static const struct art_image_place images[] = {
    {.memory = ART_MEMORY_SRAM, .offset_bytes = 0},
    {.memory = ART_MEMORY_MRAM, .offset_bytes = 4096},
};

static const int32_t stop_tokens[] = {7, 11};

const struct art_network art_network = {
    .model_hash = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    .vocabulary = VOCABULARY,
    .context = CONTEXT,
    .chunk_max = CHUNK_MAX,
    .image_count = 2,
    .images = images,
    .tokenizer_memory = ART_MEMORY_MRAM,
    .tokenizer_offset_bytes = 4096 + DATA_OFFSET,
    .tokenizer_bytes = 4 * WEIGHT_WORDS,
    .workspace_memory = ART_MEMORY_L2,
    .workspace_offset_bytes = WORKSPACE_OFFSET,
    .workspace_bytes = 8192,
    .stop_token_count = 2,
    .stop_tokens = stop_tokens,
    .kernel_count = 2,
};

/* L1: a partial sum per core and the last step's rows; then the logits. L2: the cache. */
struct scratch {
    uint32_t parts[ART_CORES_MAX];
    uint32_t rows[CHUNK_MAX];
    float logits[VOCABULARY];
};

static struct scratch *scratch(void)
{
    return art_platform_memory(ART_MEMORY_L1);
}

static uint32_t *cache(void)
{
    return art_platform_memory(ART_MEMORY_L2);
}

static uint32_t mix(uint32_t state, uint32_t value)
{
    state = (state ^ value) * 0x9e3779b1u;
    return state ^ state >> 15;
}

static uint32_t weights_sum(const struct art_team *team, enum art_memory memory, uint32_t offset)
{
    const uint8_t *base = art_platform_memory(memory);
    const uint32_t *words = (const uint32_t *)(const void *)(base + offset);
    uint32_t sum = 0;

    for (uint32_t i = team->core; i < WEIGHT_WORDS; i += team->cores) {
        sum += mix(i, words[i]);
    }
    return sum;
}

static uint32_t total_of_parts(const struct art_team *team)
{
    uint32_t total = 0;

    for (uint32_t core = 0; core < team->cores; core++) {
        total += scratch()->parts[core];
    }
    return total;
}

/* A first prompt token from FAULT_LATE_HANG on is a fault that a test asks for. */
enum fault {
    FAULT_LATE_HANG = 89, /* the last core never arrives at position 5 */
    FAULT_L1 = 90,        /* the last core writes one byte past L1 */
    FAULT_MRAM = 91,      /* core 1 writes a read-only memory */
    FAULT_STACK = 92,     /* the core that the last token names recurses without end */
    FAULT_NULL = 93,      /* core 0 writes through a null pointer with a small offset */
    FAULT_HANG = 94,      /* the last core never arrives at the barrier */
    FAULT_RACE = 95       /* all cores write one word */
};

static uint32_t dive(volatile uint32_t *above, uint32_t depth)
{
    volatile uint32_t frame[64];

    frame[depth % 64] = depth + above[0];
    return depth > 1000000 ? frame[0] : dive(frame, depth + 1) + frame[depth % 64];
}

static void make_fault(const struct art_team *team, int32_t token, int32_t victim)
{
    volatile uint8_t *l1 = art_platform_memory(ART_MEMORY_L1);
    volatile uint8_t *mram = art_platform_memory(ART_MEMORY_MRAM);
    volatile uint32_t word = 0;
    const bool is_last = team->core == team->cores - 1;

    if (token == FAULT_L1 && is_last) {
        l1[art_platform_memory_bytes(ART_MEMORY_L1)] = 1;
    } else if (token == FAULT_MRAM && team->core == 1) {
        mram[8192] = 1;
    } else if (token == FAULT_STACK && team->core == (uint32_t)victim) {
        l1[0] = (uint8_t)dive(&word, 0);
    } else if (token == FAULT_NULL && team->core == 0) {
        *(volatile uint8_t *)(uintptr_t)(word + 16) = 1;
    } else if (token == FAULT_HANG && is_last) {
        while (word == 0) {
        }
    } else if (token == FAULT_RACE) {
        scratch()->rows[0] += 1;
    }
}

void art_network_forward(const struct art_team *team, const int32_t *tokens, uint32_t count,
                         uint32_t position)
{
    if (position == 0) {
        make_fault(team, tokens[0], tokens[count - 1]);
        probe(team, tokens, count);
    } else if (position == 5 && cache()[0] == mix(FAULT_LATE_HANG, 0)) {
        make_fault(team, FAULT_HANG, 0);
    }
    if (position == 0 && team->core == 0) {
        cache()[CANARY_OFFSET / 4] = CANARY;
    }
    for (uint32_t t = team->core; t < count; t += team->cores) {
        cache()[position + t] = mix((uint32_t)tokens[t], position + t);
    }
    scratch()->parts[team->core] = weights_sum(team, ART_MEMORY_SRAM, DATA_OFFSET) +
                                   weights_sum(team, ART_MEMORY_MRAM, 4096 + DATA_OFFSET);
    art_profile_mark(team, 0);
    art_platform_barrier(team);
    for (uint32_t t = team->core; t < count; t += team->cores) {
        uint32_t state = total_of_parts(team);

        for (uint32_t i = 0; i <= position + t; i++) {
            state = mix(state, cache()[i]);
        }
        scratch()->rows[t] = state;
    }
    art_platform_barrier(team);
    if (position + count > CONTEXT || cache()[CANARY_OFFSET / 4] != CANARY) {
        art_platform_exit(ART_EXIT_ASSERT);
    }
}

const float *art_network_head(const struct art_team *team, uint32_t row)
{
    for (uint32_t i = team->core; i < VOCABULARY; i += team->cores) {
        scratch()->logits[i] = (float)(mix(scratch()->rows[row], i) >> 20) / 256.0f;
    }
    art_profile_mark(team, 1);
    art_platform_barrier(team);
    return scratch()->logits;
}
