/* What the program may ask of the drivers. */
#include <stddef.h>
#include <string.h>

#include "aretusa/engine.h"
#include "memory_map.h"
#include "neureka/registers.h"
#include "sequences.h"

enum { AREA = 600, MIXES = 1500, JOBS = 7, OUT = 40, BITS = 4 };

static struct art_transfer transfer_of(enum art_memory from, uint32_t from_bytes,
                                       enum art_memory to, uint32_t to_bytes, uint32_t bytes)
{
    return (struct art_transfer){
        .from_memory = (uint8_t)from,
        .to_memory = (uint8_t)to,
        .from_bytes = from_bytes,
        .to_bytes = to_bytes,
        .bytes = bytes,
    };
}

/* More than a command of MCHAN takes, from and to odd addresses. */
static void long_copies(void)
{
    const uint32_t bytes = 150001;

    give(ART_QUEUE_DMA, transfer_of(ART_MEMORY_L2, 3, ART_MEMORY_L1, 1, bytes));
    art_transfer_wait(ART_QUEUE_DMA,
                      give(ART_QUEUE_DMA, transfer_of(ART_MEMORY_L1, 5, ART_MEMORY_L2, 7, bytes)));
}

/* Exactly the most that a command takes, one more, and nothing. */
static void edge_copies(void)
{
    static const uint32_t sizes[] = {131071, 0, 131072, 1};
    uint32_t last = 0;

    for (uint32_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        last = give(ART_QUEUE_DMA, transfer_of(ART_MEMORY_L2, i, ART_MEMORY_L1, 2 * i, sizes[i]));
    }
    art_transfer_wait(ART_QUEUE_DMA, last);
    last = give(ART_QUEUE_OFF_CHIP, transfer_of(ART_MEMORY_L3, 9, ART_MEMORY_L1, 9, 3000));
    give(ART_QUEUE_OFF_CHIP, transfer_of(ART_MEMORY_L3, 0, ART_MEMORY_L1, 0, 0));
    art_transfer_wait(ART_QUEUE_OFF_CHIP, last);
}

/* Transfers of one queue run in order, whatever they overlap. */
static uint32_t give_any(enum art_queue queue)
{
    static const enum art_memory others[ART_QUEUE_COUNT] = {
        [ART_QUEUE_DMA] = ART_MEMORY_L2,
        [ART_QUEUE_OFF_CHIP] = ART_MEMORY_L3,
        [ART_QUEUE_PAGES] = ART_MEMORY_L3,
    };
    const enum art_memory other = others[queue];
    const enum art_memory near = queue == ART_QUEUE_PAGES ? ART_MEMORY_SRAM : ART_MEMORY_L1;
    const bool is_in = queue == ART_QUEUE_PAGES || random_below(2) == 0;
    const uint32_t near_bytes = (uint32_t)queue * 8192 + random_below(AREA);
    const uint32_t other_bytes = (uint32_t)queue * 8192 + random_below(AREA);
    const uint32_t bytes = random_below(queue == ART_QUEUE_DMA ? AREA : 4 * AREA);
    struct art_transfer transfer = is_in ? transfer_of(other, other_bytes, near, near_bytes, bytes)
                                         : transfer_of(near, near_bytes, other, other_bytes, bytes);

    if (queue == ART_QUEUE_DMA && random_below(2) == 0) {
        transfer.run_bytes = 1 + random_below(40);
        transfer.stride_bytes = transfer.run_bytes + random_below(20);
        transfer.bytes = transfer.run_bytes * (1 + random_below(12));
    }
    return give(queue, transfer);
}

/* Rows of a cache, in and out again. */
static void copies_of_runs(void)
{
    struct art_transfer rows = transfer_of(ART_MEMORY_L2, 12, ART_MEMORY_L1, 4, 16 * 260);

    rows.run_bytes = 260;
    rows.stride_bytes = 512;
    give(ART_QUEUE_DMA, rows);
    rows = transfer_of(ART_MEMORY_L1, 4, ART_MEMORY_L2, 512, 16 * 4);
    rows.run_bytes = 4;
    rows.stride_bytes = 512;
    art_transfer_wait(ART_QUEUE_DMA, give(ART_QUEUE_DMA, rows));
}

static void mixed_queues(void)
{
    uint32_t last[ART_QUEUE_COUNT] = {0};

    for (uint32_t i = 0; i < MIXES; i++) {
        const enum art_queue queue = (enum art_queue)random_below(ART_QUEUE_COUNT);

        last[queue] = give_any(queue);
        if (random_below(8) == 0) {
            art_transfer_wait(queue, last[queue] - random_below(last[queue]));
        }
    }
    for (uint32_t queue = 0; queue < ART_QUEUE_COUNT; queue++) {
        art_transfer_wait((enum art_queue)queue, last[queue]);
    }
}

/* More transfers than the queues hold, none of which waits for another. */
static void full_queues(void)
{
    uint32_t last[ART_QUEUE_COUNT] = {0};

    for (uint32_t i = 0; i < 3 * ART_TRANSFER_QUEUE; i++) {
        last[ART_QUEUE_DMA] =
            give(ART_QUEUE_DMA, transfer_of(ART_MEMORY_L2, 256 * i, ART_MEMORY_L1, 256 * i, 200));
        last[ART_QUEUE_OFF_CHIP] =
            give(ART_QUEUE_OFF_CHIP,
                 transfer_of(ART_MEMORY_L3, 64 * i, ART_MEMORY_L1, 65536 + 64 * i, 50));
        last[ART_QUEUE_PAGES] =
            give(ART_QUEUE_PAGES, transfer_of(ART_MEMORY_L3, 64 * i, ART_MEMORY_SRAM, 64 * i, 64));
    }
    for (uint32_t queue = 0; queue < ART_QUEUE_COUNT; queue++) {
        art_transfer_wait((enum art_queue)queue, last[queue]);
    }
}

/* Sums of 40 rows of 252 codes; the weights lie in the MRAM and the SRAM in turn. */
static void make_job(uint32_t job, uint32_t *registers)
{
    const struct art_neureka_shape shape = {
        .mode = ART_NEUREKA_3X3,
        .bits = BITS,
        .flags = ART_NEUREKA_WEIGHT_MEMORY | ART_NEUREKA_PREFETCH | ART_NEUREKA_SIGNED,
        .out_channels = OUT,
        .in_channels = NEUREKA_TILE_3X3,
        .out_rows = 1,
        .out_cols = 1,
        .in_pixel_bytes = NEUREKA_TILE_3X3,
        .in_row_bytes = 3 * NEUREKA_TILE_3X3,
        .out_pixel_bytes = 4 * OUT,
        .out_row_bytes = 4 * OUT,
    };
    const uint32_t weights = job % 2 == 0 ? 64 * job : ART_SRAM_BASE - ART_MRAM_BASE + 32 * job;

    art_neureka_job(&shape, registers);
    registers[NEUREKA_WEIGHTS] = weights;
    registers[NEUREKA_INPUT] = 4096 + 16 * job;
    registers[NEUREKA_OUTPUT] = 8192 + 4 * OUT * job;
}

static void expect_job(const uint32_t *registers)
{
    static uint32_t scratch[ART_NEUREKA_SCRATCH_BYTES / 4];
    const struct art_neureka_memories memories = {
        .l1 = expected_bytes(ART_MEMORY_L1),
        .l1_bytes = ART_L1_BYTES,
        .mram = expected_bytes(ART_MEMORY_MRAM),
        .mram_bytes = ART_SRAM_BASE - ART_MRAM_BASE,
        .sram = expected_bytes(ART_MEMORY_SRAM),
        .sram_bytes = ART_SRAM_BYTES,
    };
    const struct art_neureka_share share = {0, OUT, 1, scratch};

    if (!art_neureka_model_run(registers, &memories, &share)) {
        art_platform_exit(ART_EXIT_ASSERT);
    }
}

static void engine_jobs(void)
{
    uint32_t last = 0;

    for (uint32_t job = 0; job < JOBS; job++) {
        uint32_t registers[ART_NEUREKA_REGISTERS];

        make_job(job, registers);
        expect_job(registers);
        last = art_engine_submit(registers);
        if (job == 2) {
            art_engine_wait(last - 1);
        }
    }
    art_engine_wait(last);
}

static const struct {
    const char *name;
    void (*run)(void);
} sequences[] = {
    {"long copies", long_copies},       {"edge copies", edge_copies},
    {"copies of runs", copies_of_runs}, {"mixed queues", mixed_queues},
    {"full queues", full_queues},       {"engine jobs", engine_jobs},
};

bool run_right_sequence(const char *name)
{
    for (uint32_t i = 0; i < sizeof sequences / sizeof sequences[0]; i++) {
        if (strcmp(sequences[i].name, name) == 0) {
            expect_nothing_yet();
            sequences[i].run();
            check_memories();
            return true;
        }
    }
    return false;
}
