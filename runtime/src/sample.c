#include "aretusa/sample.h"

#include "kernels/exp.h"

/* Weights have 24 fractional bits and are at most 1, so they need 25 bits. The threshold is found
 * digit by digit, seven bits at a time, from a histogram of the mass. */
enum { DIGIT_BITS = 7, DIGITS = 1 << DIGIT_BITS, TOP_SHIFT = 21 };

/* Below this every weight truncates to 0: e^-16.75 * 2^24 < 0.9. */
#define NEGLIGIBLE (-16.75f)

struct distribution {
    const float *logits;
    uint32_t count;
    float largest;
    float inverse_temperature;
};

/* The weight of one token; 0 for a NaN. */
static uint32_t weight_of(const struct distribution *all, uint32_t index)
{
    const float x = (all->logits[index] - all->largest) * all->inverse_temperature;
    if (!(x >= NEGLIGIBLE)) {
        return 0;
    }
    const float e = art_exp(x);
    return e <= 1.0f ? (uint32_t)(e * 0x1p24f) : 0;
}

static uint32_t index_of_largest(const float *logits, uint32_t count)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++) {
        best = logits[i] > logits[best] ? i : best;
    }
    return best;
}

/* top_p in units of 1 / 65536, rounded up, 1 .. 65536. */
static uint32_t code_of(float top_p)
{
    if (!(top_p < 1.0f)) {
        return 65536;
    }
    const float scaled = top_p > 0.0f ? top_p * 65536.0f : 0.0f;
    const uint32_t whole = (uint32_t)scaled;
    const uint32_t code = whole + ((float)whole < scaled ? 1u : 0u);
    return code > 0 ? code : 1;
}

/* Mass of the weights that agree with prefix above shift + DIGIT_BITS, by their next digit. */
static void count_mass(const struct distribution *all, uint32_t prefix, uint32_t shift,
                       uint64_t *mass)
{
    for (uint32_t digit = 0; digit < DIGITS; digit++) {
        mass[digit] = 0;
    }
    for (uint32_t i = 0; i < all->count; i++) {
        const uint32_t weight = weight_of(all, i);
        if (weight >> shift >> DIGIT_BITS == prefix) {
            mass[weight >> shift & (DIGITS - 1)] += weight;
        }
    }
}

/* The largest threshold whose mass is enough; kept gets that mass, which is below 2^46. The
 * products stay below 2^63 for up to 2^22 tokens. */
static uint32_t threshold_of(const struct distribution *all, uint32_t top_p_code, uint64_t *kept)
{
    uint64_t mass[DIGITS];
    uint64_t above = 0;
    uint64_t need = 0;
    uint32_t prefix = 0;
    for (int32_t shift = TOP_SHIFT; shift >= 0; shift -= DIGIT_BITS) {
        count_mass(all, prefix, (uint32_t)shift, mass);
        if (shift == TOP_SHIFT) {
            uint64_t total = 0;
            for (uint32_t digit = 0; digit < DIGITS; digit++) {
                total += mass[digit];
            }
            need = total * top_p_code;
        }
        uint32_t digit = DIGITS - 1;
        while (digit > 0 && (above + mass[digit]) * 65536u < need) {
            above += mass[digit];
            digit--;
        }
        if (shift == 0) {
            above += mass[digit];
        }
        prefix = prefix << DIGIT_BITS | digit;
    }
    *kept = above;
    return prefix;
}

/* One step of the generator splitmix64. */
static uint64_t next_random(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;
    uint64_t z = *state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* high / 2^32 of mass, rounded down; mass < 2^63. */
static uint64_t share_of(uint64_t mass, uint32_t high)
{
    const uint64_t low_product = (mass & UINT32_MAX) * high;
    return (mass >> 32) * high + (low_product >> 32);
}

int32_t art_sample(struct art_sampler *sampler, const float *logits, uint32_t count)
{
    const uint32_t best = index_of_largest(logits, count);
    const float inverse = 1.0f / sampler->temperature;
    if (!(sampler->temperature > 0.0f && inverse <= 0x1.fffffep127f)) {
        return (int32_t)best;
    }
    const struct distribution all = {
        .logits = logits, .count = count, .largest = logits[best], .inverse_temperature = inverse};
    uint64_t kept;
    const uint32_t threshold = threshold_of(&all, code_of(sampler->top_p), &kept);
    const uint64_t chosen = share_of(kept, (uint32_t)(next_random(&sampler->state) >> 32));
    uint64_t passed = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t weight = weight_of(&all, i);
        passed += weight >= threshold ? weight : 0;
        if (passed > chosen) {
            return (int32_t)i;
        }
    }
    return (int32_t)best;
}
