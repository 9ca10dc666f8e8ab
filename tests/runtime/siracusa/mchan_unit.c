#include <inttypes.h>
#include <string.h>

#include "platform/siracusa/mchan.h"
#include "units.h"

enum { QUEUE = 64, WORDS_1D = 3, WORDS_2D = 5, PORTS = 2, EVENT_LINE = EVENT_COPY };
enum { INTO_L1 = 1 << 17, INCREMENT = 1 << 18, STRIDED = 1 << 19, EVENT = 1 << 20 };

struct command {
    uint32_t id;
    uint32_t words[WORDS_2D];
    enum master master;
};

/* Commands of one direction run in order, and a queue for each direction beside the other. */
static struct {
    struct command queue[QUEUE];
    uint32_t given;
    uint32_t done;
} directions[2];

static struct {
    uint32_t words[WORDS_2D];
    uint32_t count; /* words of a command that is not complete */
    uint32_t id;
    bool has_id;
} ports[PORTS];

static struct {
    bool is_allocated;
    bool has_command;
    uint32_t pending; /* commands that are not done */
} ids[MCHAN_IDS];

static bool is_in(const uint32_t *words)
{
    return (words[0] & INTO_L1) != 0;
}

static uint32_t bytes_of(const uint32_t *words)
{
    return words[0] & 0x1FFFFu;
}

static bool is_in_l1(uint32_t address)
{
    return address >= 0x10000000u && address < 0x10040000u;
}

static bool is_in_mram(uint32_t address)
{
    return address >= 0x10400000u && address < 0x10800000u;
}

static bool is_outside_of_l1(uint32_t address)
{
    return (address >= 0x10400000u && address < 0x10C00000u) ||
           (address >= 0x1C000000u && address < 0x1C200000u);
}

/* Bytes from the first to the last outside of L1. */
static uint32_t reach(const uint32_t *words)
{
    if ((words[0] & STRIDED) == 0) {
        return bytes_of(words);
    }
    return (bytes_of(words) / words[3] - 1) * words[4] + words[3];
}

static void check_head(enum master master, uint32_t word)
{
    const uint32_t known = 0x1FFFFu | INTO_L1 | INCREMENT | STRIDED | EVENT;

    if ((word & ~known) != 0 || (word & INCREMENT) == 0) {
        refuse("MCHAN's command %08" PRIx32 " has unknown bits, or no increment", word);
    }
    if ((word & 0x1FFFFu) == 0) {
        refuse("MCHAN's command %08" PRIx32 " is of no bytes", word);
    }
    if (((word & EVENT) != 0) != (master == CORE_0)) {
        refuse("MCHAN's command %08" PRIx32 " tells the wrong one of its end", word);
    }
}

static bool overlap(uint32_t one, uint32_t one_bytes, uint32_t other, uint32_t other_bytes)
{
    return one < other + other_bytes && other < one + one_bytes;
}

/* The other direction does not wait for this one. */
static void check_races(const uint32_t *words)
{
    const bool is_mine_in = is_in(words);

    for (uint32_t i = directions[!is_mine_in].done; i != directions[!is_mine_in].given; i++) {
        const uint32_t *other = directions[!is_mine_in].queue[i % QUEUE].words;

        if (overlap(words[1], bytes_of(words), other[1], bytes_of(other)) ||
            overlap(words[2], reach(words), other[2], reach(other))) {
            refuse("MCHAN's command at %08" PRIx32 " races one of the other direction", words[1]);
        }
    }
}

static void check_command(const uint32_t *words)
{
    const bool is_strided = (words[0] & STRIDED) != 0;

    if (is_strided && (words[3] == 0 || bytes_of(words) % words[3] != 0)) {
        refuse("MCHAN's rows of %" PRIu32 " bytes do not make %" PRIu32, words[3], bytes_of(words));
    }
    if (!is_in_l1(words[1]) || !is_outside_of_l1(words[2])) {
        refuse("MCHAN's command from or to %08" PRIx32 " and %08" PRIx32
               " has not one end in L1 and the other outside",
               words[1], words[2]);
    }
    if (!is_in(words) && is_in_mram(words[2])) {
        refuse("MCHAN's command writes the MRAM at %08" PRIx32, words[2]);
    }
    (void)bus_bytes(words[1], bytes_of(words), "MCHAN's command");
    (void)bus_bytes(words[2], reach(words), "MCHAN's command");
    check_races(words);
}

static void push(enum master master)
{
    const bool is_mine_in = is_in(ports[master].words);
    struct command *command = &directions[is_mine_in].queue[directions[is_mine_in].given % QUEUE];

    if (directions[is_mine_in].given - directions[is_mine_in].done == QUEUE) {
        refuse("more than %d of MCHAN's commands", QUEUE);
    }
    check_command(ports[master].words);
    command->id = ports[master].id;
    command->master = master;
    memcpy(command->words, ports[master].words, sizeof command->words);
    ids[command->id].pending++;
    ids[command->id].has_command = true;
    directions[is_mine_in].given++;
    ports[master].count = 0;
}

static void take_word(enum master master, uint32_t word)
{
    if (!ports[master].has_id) {
        refuse("a word of MCHAN's command %08" PRIx32 " before an id", word);
    }
    if (ports[master].count == 0) {
        check_head(master, word);
    }
    ports[master].words[ports[master].count] = word;
    ports[master].count++;
    if (ports[master].count ==
        ((ports[master].words[0] & STRIDED) != 0 ? (uint32_t)WORDS_2D : (uint32_t)WORDS_1D)) {
        push(master);
    }
}

static void check_complete(enum master master)
{
    if (ports[master].count != 0) {
        refuse("MCHAN's command of %" PRIu32 " words is not complete", ports[master].count);
    }
}

static uint32_t allocate(enum master master)
{
    check_complete(master);
    for (uint32_t id = 0; id < MCHAN_IDS; id++) {
        if (!ids[id].is_allocated) {
            ids[id].is_allocated = true;
            ids[id].has_command = false;
            ports[master].id = id;
            ports[master].has_id = true;
            return id;
        }
    }
    refuse("no id of MCHAN's 16 is free: the one who asks stands still");
}

static void release(enum master master, uint32_t id)
{
    if (!ids[id].is_allocated) {
        refuse("MCHAN's id %" PRIu32 " is freed twice, or was never given", id);
    }
    if (!ids[id].has_command || ids[id].pending > 0) {
        refuse("MCHAN's id %" PRIu32 " is freed before its copy is done", id);
    }
    ids[id].is_allocated = false;
    if (ports[master].has_id && ports[master].id == id) {
        ports[master].has_id = false;
    }
}

/* Whoever sees that an id is busy will look again. */
static uint32_t busy_ids(void)
{
    uint32_t busy = 0;

    for (uint32_t id = 0; id < MCHAN_IDS; id++) {
        busy |= ids[id].pending > 0 ? 1u << id : 0;
    }
    return busy;
}

uint32_t mchan_unit_read(enum master master, uint32_t offset)
{
    if (offset == 0) {
        return allocate(master);
    }
    if (offset != 4) {
        refuse("MCHAN has no register %" PRIx32, offset);
    }
    check_complete(master);
    const uint32_t busy = busy_ids();

    bus_poll(mchan_unit_work);
    return busy;
}

void mchan_unit_write(enum master master, uint32_t offset, uint32_t value)
{
    if (offset == 0) {
        take_word(master, value);
        return;
    }
    if (offset != 4 || value >> MCHAN_IDS != 0) {
        refuse("a write of %" PRIx32 " to MCHAN's register %" PRIx32, value, offset);
    }
    check_complete(master);
    for (uint32_t id = 0; id < MCHAN_IDS; id++) {
        if ((value >> id & 1) != 0) {
            release(master, id);
        }
    }
}

static void copy(const uint32_t *words)
{
    const bool is_strided = (words[0] & STRIDED) != 0;
    const uint32_t row = is_strided ? words[3] : bytes_of(words);
    uint32_t external = words[2];

    for (uint32_t at = 0; at < bytes_of(words); at += row) {
        uint8_t *inside = bus_bytes(words[1] + at, row, "MCHAN's command");
        uint8_t *outside = bus_bytes(external, row, "MCHAN's command");

        memcpy(is_in(words) ? inside : outside, is_in(words) ? outside : inside, row);
        external += is_strided ? words[4] : row;
    }
}

bool mchan_unit_work(void)
{
    const uint32_t first = bus_is_time() ? 1 : 0;

    for (uint32_t i = 0; i < 2; i++) {
        const uint32_t at = first ^ i;

        if (directions[at].done != directions[at].given) {
            const struct command *command = &directions[at].queue[directions[at].done % QUEUE];

            copy(command->words);
            directions[at].done++;
            ids[command->id].pending--;
            if (ids[command->id].pending == 0 && command->master == CORE_0) {
                events_pull(EVENT_LINE);
            }
            return true;
        }
    }
    return false;
}

void mchan_unit_end(void)
{
    for (uint32_t id = 0; id < MCHAN_IDS; id++) {
        if (ids[id].is_allocated) {
            refuse("MCHAN's id %" PRIu32 " was never freed", id);
        }
    }
}
