#include "l3_image.h"

#include "aretusa/image.h"
#include "aretusa/network.h"
#include "bus.h"
#include "chip.h"
#include "hyperbus.h"
#include "memory_map.h"
#include "session.h"

enum { SYS_OPEN = 1, SYS_CLOSE = 2, SYS_READ = 6, MODE_READ_BINARY = 1 };

/* Words of an image's header: see aretusa/image.h. */
enum { HEADER_BYTES = 2, DATA_BYTES = 3, CHUNK_BYTES = 4, CHUNK_COUNT = 5, FIRST_CHECKSUM = 16 };

enum { CHUNKS_MAX = ART_L3_BYTES / ART_IMAGE_CHUNK_BYTES_MAX + 1 };
enum { PIECE_BYTES = 1024, PIECES = 2 };

static const char file_name[] = "l3.bin";
static uint32_t header[FIRST_CHECKSUM + CHUNKS_MAX]; /* without what it is padded with */
static uint32_t pieces[PIECES][PIECE_BYTES / 4];     /* one is filled while the other is written */
static uint32_t next_piece;
static uint32_t file;

static _Noreturn void give_up(const char *what, enum art_exit code)
{
    art_report_fault(what, file_name);
    art_platform_exit(code);
}

static void open_file(void)
{
    const uint32_t arguments[3] = {siracusa_address(file_name), MODE_READ_BINARY,
                                   sizeof file_name - 1};

    file = siracusa_call_host(SYS_OPEN, arguments);
    if (file == UINT32_MAX) {
        give_up("no image, or nobody who reads files: ", ART_EXIT_IMAGE_MAGIC);
    }
}

static void close_file(void)
{
    const uint32_t arguments[1] = {file};

    (void)siracusa_call_host(SYS_CLOSE, arguments);
}

/* The answer of the host is the number of bytes that are missing. */
static void read_file(void *bytes, uint32_t count)
{
    const uint32_t arguments[3] = {file, siracusa_address(bytes), count};

    if (count > 0 && siracusa_call_host(SYS_READ, arguments) != 0) {
        give_up("an image that is too short: ", ART_EXIT_IMAGE_LENGTH);
    }
}

/* The header, checked; returns its bytes without what it is padded with. */
static uint32_t read_header(void)
{
    read_file(header, ART_IMAGE_HEADER_BYTES);
    if (header[0] != ART_IMAGE_MAGIC) {
        give_up("no image, or not an image: ", ART_EXIT_IMAGE_MAGIC);
    }
    if (header[CHUNK_COUNT] > CHUNKS_MAX) {
        give_up("an impossible length in image ", ART_EXIT_IMAGE_LENGTH);
    }
    read_file(header + FIRST_CHECKSUM, 4 * header[CHUNK_COUNT]);

    const enum art_exit code =
        art_image_check_header(header, ART_L3_BYTES, art_network.model_hash, ART_MEMORY_L3);

    if (code != ART_EXIT_OK) {
        give_up("a wrong header in image ", code);
    }
    return ART_IMAGE_HEADER_BYTES + 4 * header[CHUNK_COUNT];
}

/* A piece that the HyperBus does not read any more. */
static uint32_t *take_piece(void)
{
    while (hyperbus_pending() >= PIECES) {
    }
    next_piece++;
    return pieces[next_piece % PIECES];
}

/* Copy a run of bytes of the file to L3; returns its checksum. */
static uint32_t copy(uint32_t l3, uint32_t bytes)
{
    uint32_t checksum = 0;

    for (uint32_t at = 0; at < bytes; at += PIECE_BYTES) {
        const uint32_t left = bytes - at;
        const uint32_t count = left < PIECE_BYTES ? left : PIECE_BYTES;
        uint32_t *piece = take_piece();

        read_file(piece, count);
        checksum = art_crc32c(checksum, piece, count);
        hyperbus_write(siracusa_address(piece), l3 + at, count);
    }
    return checksum;
}

static void load(uint32_t l3)
{
    open_file();

    const uint32_t head = read_header();

    hyperbus_write(siracusa_address(header), l3, head);
    (void)copy(l3 + head, header[HEADER_BYTES] - head);
    l3 += header[HEADER_BYTES];
    for (uint32_t at = 0; at < header[DATA_BYTES]; at += header[CHUNK_BYTES]) {
        const uint32_t left = header[DATA_BYTES] - at;
        const uint32_t bytes = left < header[CHUNK_BYTES] ? left : header[CHUNK_BYTES];

        if (copy(l3 + at, bytes) != header[FIRST_CHECKSUM + at / header[CHUNK_BYTES]]) {
            give_up("a wrong checksum in image ", ART_EXIT_IMAGE_CRC);
        }
    }
    close_file();
    while (hyperbus_pending() > 0) {
    }
}

void siracusa_l3_load(void)
{
    for (uint32_t i = 0; i < art_network.image_count; i++) {
        if (art_network.images[i].memory == ART_MEMORY_L3) {
            load(art_network.images[i].offset_bytes);
        }
    }
}
