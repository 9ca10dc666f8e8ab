#include "aretusa/sample.h"

#include "kernels/exp.h"

/* The threshold is found digit by digit, seven bits at a time. The digits are those of a key that
 * orders weights as they are: their bits as binary32 numbers, which hold them exactly. So the first
 * digit tells weights apart that differ by a quarter, and the exponentials that the next digits
 * compute again are few. */
enum { DIGIT_BITS = 7, DIGITS = 1 << DIGIT_BITS, TOP_SHIFT = 21 };

/* Bits of 0.5: keys of the weights 1 .. 2^24 start at 2^23 and end below 2^28. */
#define KEY_BASE 0x3f000000u

/* Below this every weight truncates to 0: e^-16.75 * 2^24 < 0.9. */
#define NEGLIGIBLE (-16.75f)

struct distribution {
    const float *logits;
    uint32_t count;
    float largest;
    float inverse_temperature;
};

/* What the tokens of one digit have in common. */
struct bucket {
    uint64_t mass;
    float least; /* exponents of its tokens */
    float most;
};

static float exponent_of(const struct distribution *all, uint32_t index)
{
    return (all->logits[index] - all->largest) * all->inverse_temperature;
}

static uint32_t weight_of(float exponent)
{
    const float e = art_exp(exponent);
    return e <= 1.0f ? (uint32_t)(e * 0x1p24f) : 0;
}

static uint32_t key_of(uint32_t weight)
{
    return weight > 0 ? art_bits_of_float((float)weight) - KEY_BASE : 0;
}

/* The first of the largest logits. Few of them are larger than all before: four at a time are asked
 * for such a one. */
static uint32_t index_of_largest(const float *logits, uint32_t count)
{
    uint32_t best = 0;
    float largest = logits[0];
    uint32_t i = 0;
    while (i < count) {
        const float *const four = logits + i;
        if (i + 4 <= count && !((four[0] > largest) | (four[1] > largest) | (four[2] > largest) |
                                (four[3] > largest))) {
            i += 4;
            continue;
        }
        if (*four > largest) {
            largest = *four;
            best = i;
        }
        i++;
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

/* Sort the tokens whose keys agree with prefix above shift + DIGIT_BITS into buckets by their
 * next digit. Only exponents least .. most are looked at; a NaN is in no such range. */
static void fill_buckets(const struct distribution *all, uint32_t prefix, uint32_t shift,
                         float least, float most, struct bucket *buckets)
{
    for (uint32_t digit = 0; digit < DIGITS; digit++) {
        buckets[digit] = (struct bucket){.mass = 0, .least = 0.0f, .most = NEGLIGIBLE};
    }
    for (uint32_t i = 0; i < all->count; i++) {
        const float exponent = exponent_of(all, i);
        if (!(exponent >= least && exponent <= most)) {
            continue;
        }
        const uint32_t weight = weight_of(exponent);
        const uint32_t key = key_of(weight);
        if (key >> shift >> DIGIT_BITS == prefix) {
            struct bucket *const bucket = &buckets[key >> shift & (DIGITS - 1)];
            bucket->mass += weight;
            bucket->least = exponent < bucket->least ? exponent : bucket->least;
            bucket->most = exponent > bucket->most ? exponent : bucket->most;
        }
    }
}

static uint64_t total_of(const struct bucket *buckets)
{
    uint64_t total = 0;
    for (uint32_t digit = 0; digit < DIGITS; digit++) {
        total += buckets[digit].mass;
    }
    return total;
}

/* Which tokens stay: those of at least this key. */
struct choice {
    uint32_t threshold;
    float least; /* no exponent below it reaches the threshold */
    uint64_t mass;
};

/* The largest threshold whose mass is enough. Masses are below 2^46 for up to 2^22 tokens, and
 * their products with 65536 below 2^62. */
static struct choice choose_threshold(const struct distribution *all, uint32_t top_p_code)
{
    struct bucket buckets[DIGITS];
    struct choice choice = {.threshold = 0, .least = 0.0f, .mass = 0};
    uint64_t need = 0;
    float least = NEGLIGIBLE;
    float most = 0.0f;
    for (int32_t shift = TOP_SHIFT; shift >= 0; shift -= DIGIT_BITS) {
        fill_buckets(all, choice.threshold, (uint32_t)shift, least, most, buckets);
        if (shift == TOP_SHIFT) {
            need = total_of(buckets) * top_p_code;
        }
        uint32_t digit = DIGITS - 1;
        while (digit > 0 && (choice.mass + buckets[digit].mass) * 65536u < need) {
            choice.mass += buckets[digit].mass;
            choice.least =
                buckets[digit].least < choice.least ? buckets[digit].least : choice.least;
            digit--;
        }
        least = buckets[digit].least;
        most = buckets[digit].most;
        choice.threshold = choice.threshold << DIGIT_BITS | digit;
        choice.mass += shift == 0 ? buckets[digit].mass : 0;
    }
    choice.least = least < choice.least ? least : choice.least;
    return choice;
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
    const struct choice choice = choose_threshold(&all, code_of(sampler->top_p));
    const uint64_t chosen = share_of(choice.mass, (uint32_t)(next_random(&sampler->state) >> 32));
    uint64_t passed = 0;
    for (uint32_t i = 0; i < count; i++) {
        const float exponent = exponent_of(&all, i);
        if (exponent >= choice.least) {
            const uint32_t weight = weight_of(exponent);
            passed += key_of(weight) >= choice.threshold ? weight : 0;
            if (passed > chosen) {
                return (int32_t)i;
            }
        }
    }
    return (int32_t)best;
}
