#include "tables.h"

static const uint32_t NO_RANK = 0xFFFFFFFFu;

struct merge {
    uint32_t rank;
    uint32_t out;
};

/* -1, 0 or 1: how entry `place` of the table compares with the pair. */
static int compare_entry(const uint32_t *entry, bool is_wide, uint32_t left, uint32_t right)
{
    uint32_t entry_left = is_wide ? entry[0] : entry[0] >> 16;
    uint32_t entry_right = is_wide ? entry[1] : entry[0] & 0xFFFFu;

    if (entry_left != left) {
        return entry_left < left ? -1 : 1;
    }
    return entry_right == right ? 0 : entry_right < right ? -1 : 1;
}

/* The merge of a pair; its rank is NO_RANK if there is none. */
static struct merge find_merge(const struct art_tokenizer *tokenizer, uint32_t left, uint32_t right)
{
    const struct art_words *table = &tokenizer->tables[ART_TABLE_MERGES];
    bool is_wide = art_has(tokenizer, ART_FLAG_WIDE_MERGES);
    uint32_t words = is_wide ? 4 : 2;
    uint32_t low = 0;
    uint32_t high = table->count / words;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const uint32_t *entry = table->at + words * middle;
        int order = compare_entry(entry, is_wide, left, right);

        if (order == 0) {
            return (struct merge){.rank = is_wide ? entry[2] : entry[1] >> 16,
                                  .out = is_wide ? entry[3] : entry[1] & 0xFFFFu};
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return (struct merge){.rank = NO_RANK, .out = ART_NO_ID};
}

/* The better of two places: lower rank, then further left. */
static uint32_t better(const struct art_symbols *symbols, uint32_t one, uint32_t two)
{
    uint32_t rank_one = symbols->ranks[one];
    uint32_t rank_two = symbols->ranks[two];

    if (rank_one != rank_two) {
        return rank_one < rank_two ? one : two;
    }
    return one < two ? one : two;
}

/* Node n has the children 2n and 2n + 1; nodes from `count` on are the symbols themselves. */
static uint32_t winner(const struct art_symbols *symbols, uint32_t node)
{
    return node >= symbols->count ? node - symbols->count : symbols->tree[node];
}

static void play(struct art_symbols *symbols, uint32_t node)
{
    symbols->tree[node] = better(symbols, winner(symbols, 2 * node), winner(symbols, 2 * node + 1));
}

static void set_rank(struct art_symbols *symbols, uint32_t place, uint32_t rank)
{
    symbols->ranks[place] = rank;
    for (uint32_t node = (place + symbols->count) / 2; node >= 1; node /= 2) {
        play(symbols, node);
    }
}

static uint32_t pair_rank(const struct art_tokenizer *tokenizer, const struct art_symbols *symbols,
                          uint32_t place)
{
    uint32_t next = symbols->next[place];

    if (next == symbols->count) {
        return NO_RANK;
    }
    return find_merge(tokenizer, symbols->ids[place], symbols->ids[next]).rank;
}

/* The symbol at `place` takes in the one after it. */
static void take_next(const struct art_tokenizer *tokenizer, struct art_symbols *symbols,
                      uint32_t place)
{
    uint32_t gone = symbols->next[place];
    uint32_t next = symbols->next[gone];

    symbols->ids[place] = find_merge(tokenizer, symbols->ids[place], symbols->ids[gone]).out;
    symbols->next[place] = next;
    if (next != symbols->count) {
        symbols->previous[next] = place;
    }
    set_rank(symbols, gone, NO_RANK);
    set_rank(symbols, place, pair_rank(tokenizer, symbols, place));
    if (place != 0) {
        uint32_t before = symbols->previous[place];

        set_rank(symbols, before, pair_rank(tokenizer, symbols, before));
    }
}

void art_merge_symbols(const struct art_tokenizer *tokenizer, struct art_symbols *symbols)
{
    for (uint32_t i = 0; i < symbols->count; i++) {
        symbols->next[i] = i + 1;
        symbols->previous[i] = i == 0 ? 0 : i - 1;
    }
    if (symbols->count < 2) {
        return;
    }
    for (uint32_t i = 0; i < symbols->count; i++) {
        symbols->ranks[i] = pair_rank(tokenizer, symbols, i);
    }
    for (uint32_t node = symbols->count - 1; node >= 1; node--) {
        play(symbols, node);
    }
    while (symbols->ranks[symbols->tree[1]] != NO_RANK) {
        take_next(tokenizer, symbols, symbols->tree[1]);
    }
}
