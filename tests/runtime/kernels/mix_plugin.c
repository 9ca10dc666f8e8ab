/* A plugin of QEMU that counts what one hart executes: how often each instruction, how often each
 * branch is taken, how often each load and store falls into each region of memory, and how often
 * the small instruction cache of a core has to be refilled.
 *
 * The program tells by reads of counters what is counted: a case lasts from one read of minstret to
 * the next; a read of mcycle ends a turn, which is written to the file as number of the case,
 * number of rows, rows; what lies between two reads of instret is left out.
 *
 * Arguments: out=FILE, cores=N, image=FIRST:LAST (addresses of the program), regions=FILE (words:
 * regions per case, then first and last address of each region of each case). Debian ships no
 * header for plugins, so the few functions of QEMU's plugin API 1 are declared here. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES = 1 << 16, REGIONS = 16, CORES_MAX = 8, MEMORY_READ_WRITE = 3, NO_REGISTERS = 0 };

struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef uint64_t plugin_id;
typedef void instruction_callback(unsigned vcpu, void *data);
typedef void memory_callback(unsigned vcpu, uint32_t info, uint64_t address, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
                                           void (*call)(plugin_id id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, instruction_callback *call,
                                          int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
                                            instruction_callback *call, int flags, void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, memory_callback *call,
                                      int flags, int accesses, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
bool qemu_plugin_mem_is_store(uint32_t info);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

/* The private cache of a core as gvsoc-pulp:pulp/chips/siracusa/cluster.json describes it, 512
 * bytes behind a buffer of one line, with the replacement of
 * gvsoc-core:models/cache/cache_impl.cpp. */
enum { LINE_BYTES = 16, SETS = 8, WAYS = 4 };

struct cache {
    uint32_t lines[SETS][WAYS];
    uint32_t buffered;
    uint8_t shift_register;
};

/* One instruction of the program, by its address. */
struct row {
    uint32_t address;
    uint32_t count;
    uint32_t taken;   /* times that something else than the instruction behind it came next */
    uint32_t refills; /* lines that its fetches brought into the cache */
    uint32_t loads[REGIONS];
    uint32_t stores[REGIONS];
};

/* What is executed as a whole. */
struct stretch {
    uint32_t first;
    uint32_t last;
    uint32_t next; /* address behind the last instruction */
};

static struct row rows[PLACES];
static struct cache caches[CORES_MAX];
static uint32_t cores, core;
static uint32_t image_first, image_last;
static uint32_t *regions; /* of all cases */
static uint32_t region_count;
static uint32_t case_number;
static bool is_in_case, is_paused;
static uint32_t last_address, expected_address;
static FILE *out;

static struct row *row_of(uint32_t address)
{
    return &rows[(address - image_first) / 2];
}

static uint32_t region_of(uint32_t address)
{
    const uint32_t *const all = regions + (size_t)case_number * region_count * 2;
    for (uint32_t i = 0; i < region_count; i++) {
        if (address >= all[2 * i] && address < all[2 * i + 1]) {
            return i;
        }
    }
    return address >= image_first && address < image_last ? region_count : region_count + 1;
}

static void count_stretch(unsigned vcpu, void *data)
{
    const struct stretch *const stretch = data;
    (void)vcpu;
    if (is_in_case && !is_paused) {
        if (expected_address != 0 && expected_address != stretch->first) {
            row_of(last_address)->taken++;
        }
        last_address = stretch->last;
        expected_address = stretch->next;
    }
}

static uint32_t next_way(struct cache *cache)
{
    const uint32_t taps = cache->shift_register;
    const uint32_t fed_back = ~(taps >> 7 ^ taps >> 3 ^ taps >> 2 ^ taps >> 1) & 1;
    cache->shift_register = (uint8_t)(taps << 1 | fed_back);
    return cache->shift_register >> 1 & (WAYS - 1);
}

/* 1 if a line has to be brought in. */
static uint32_t fetch_line(struct cache *cache, uint32_t line)
{
    uint32_t *const set = cache->lines[line % SETS];
    if (line == cache->buffered) {
        return 0;
    }
    cache->buffered = line;
    for (uint32_t way = 0; way < WAYS; way++) {
        if (set[way] == line) {
            return 0;
        }
    }
    set[next_way(cache)] = line;
    return 1;
}

/* Four bytes are fetched, however long the instruction is. */
static void count_instruction(unsigned vcpu, void *data)
{
    struct row *const row = data;
    (void)vcpu;
    if (is_in_case && !is_paused) {
        struct cache *const cache = &caches[core];
        row->count++;
        row->refills += fetch_line(cache, row->address / LINE_BYTES);
        row->refills += fetch_line(cache, (row->address + 3) / LINE_BYTES);
    }
}

static void count_access(unsigned vcpu, uint32_t info, uint64_t address, void *data)
{
    struct row *const row = data;
    (void)vcpu;
    if (is_in_case && !is_paused) {
        const uint32_t region = region_of((uint32_t)address);
        (qemu_plugin_mem_is_store(info) ? row->stores : row->loads)[region]++;
    }
}

static void clear_rows(void)
{
    memset(rows, 0, sizeof rows);
    for (uint32_t i = 0; i < PLACES; i++) {
        rows[i].address = image_first + 2 * i;
    }
}

static void write_turn(void)
{
    uint32_t head[2] = {case_number, 0};
    for (uint32_t i = 0; i < PLACES; i++) {
        head[1] += rows[i].count > 0;
    }
    fwrite(head, sizeof head, 1, out);
    for (uint32_t i = 0; i < PLACES; i++) {
        if (rows[i].count > 0) {
            fwrite(&rows[i], sizeof rows[i], 1, out);
        }
    }
    fflush(out);
    clear_rows();
}

static void end_turn(unsigned vcpu, void *data)
{
    (void)vcpu;
    (void)data;
    write_turn();
    core = (core + 1) % cores;
    expected_address = 0;
}

static void start_or_end_case(unsigned vcpu, void *data)
{
    (void)vcpu;
    (void)data;
    case_number += is_in_case;
    is_in_case = !is_in_case;
    core = 0;
    expected_address = 0;
}

static void pause_or_resume(unsigned vcpu, void *data)
{
    (void)vcpu;
    (void)data;
    is_paused = !is_paused;
    expected_address = 0;
}

/* What to do where this instruction is a csrr of any register. */
static instruction_callback *marker_of(const struct qemu_plugin_insn *insn)
{
    uint32_t word = 0;
    memcpy(&word, qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn));
    switch (word & 0xfffff07fu) {
    case 0xb0202073u: /* minstret */
        return start_or_end_case;
    case 0xb0002073u: /* mcycle */
        return end_turn;
    case 0xc0202073u: /* instret */
        return pause_or_resume;
    default:
        return NULL;
    }
}

static void translate(plugin_id id, struct qemu_plugin_tb *tb)
{
    const size_t count = qemu_plugin_tb_n_insns(tb);
    const uint64_t start = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0));
    (void)id;
    if (start < image_first || start >= image_last) {
        return;
    }
    struct stretch *const stretch = malloc(sizeof *stretch);
    stretch->first = (uint32_t)start;
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *const insn = qemu_plugin_tb_get_insn(tb, i);
        const uint32_t address = (uint32_t)qemu_plugin_insn_vaddr(insn);
        stretch->last = address;
        stretch->next = address + (uint32_t)qemu_plugin_insn_size(insn);
        instruction_callback *const marker = marker_of(insn);
        if (marker) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, marker, NO_REGISTERS, NULL);
            continue;
        }
        void *const row = row_of(address);
        qemu_plugin_register_vcpu_insn_exec_cb(insn, count_instruction, NO_REGISTERS, row);
        qemu_plugin_register_vcpu_mem_cb(insn, count_access, NO_REGISTERS, MEMORY_READ_WRITE, row);
    }
    qemu_plugin_register_vcpu_tb_exec_cb(tb, count_stretch, NO_REGISTERS, stretch);
}

static bool read_regions(const char *path)
{
    FILE *const file = fopen(path, "rb");
    if (!file) {
        return false;
    }
    fseek(file, 0, SEEK_END);
    const size_t bytes = (size_t)ftell(file);
    rewind(file);
    uint32_t *const words = malloc(bytes);
    const bool is_read = fread(words, 1, bytes, file) == bytes;
    fclose(file);
    region_count = words[0];
    regions = words + 1;
    return is_read && region_count + 2 <= REGIONS;
}

__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const void *machine,
                                                               int count, char **arguments)
{
    bool is_ready = true;
    (void)machine;
    for (int i = 0; i < count; i++) {
        const char *const value = strchr(arguments[i], '=') + 1;
        if (strncmp(arguments[i], "out=", 4) == 0) {
            out = fopen(value, "wb");
        } else if (strncmp(arguments[i], "regions=", 8) == 0) {
            is_ready = is_ready && read_regions(value);
        } else if (strncmp(arguments[i], "cores=", 6) == 0) {
            cores = (uint32_t)atoi(value);
        } else {
            is_ready = is_ready && sscanf(value, "%x:%x", &image_first, &image_last) == 2;
        }
    }
    is_ready = is_ready && out && regions && cores > 0 && cores <= CORES_MAX &&
               image_last - image_first <= 2 * PLACES;
    clear_rows();
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
    return is_ready ? 0 : -1;
}
