/* Jobs in one block of bytes, which a file or QEMU's loader brings: a header, the jobs, their
 * memories. */
#ifndef NEUREKA_JOBS_H
#define NEUREKA_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "aretusa/neureka.h"

struct test_span {
    uint32_t offset; /* in the blob, a multiple of 16 */
    uint32_t bytes;
};

struct test_job {
    uint32_t registers[ART_NEUREKA_REGISTERS];
    uint32_t cores;
    uint32_t step;
    struct test_span l1;
    struct test_span mram;
    struct test_span sram;
};

struct test_blob {
    uint32_t count;
    uint32_t unused[3];
    struct test_job jobs[];
};

/* Run one job, core after core; false if the model refuses it. */
bool run_test_job(uint8_t *blob, const struct test_job *job);

#endif
