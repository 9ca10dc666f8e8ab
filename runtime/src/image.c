#include "aretusa/image.h"

#include "crc32c_table.h"

/* Words of an image as any core may read them: the memory was filled by somebody else. */
typedef uint32_t __attribute__((may_alias)) image_word;

enum header_word {
    HEADER_MAGIC = 0,
    HEADER_VERSION = 1,
    HEADER_BYTES = 2,
    HEADER_DATA_BYTES = 3,
    HEADER_CHUNK_BYTES = 4,
    HEADER_CHUNK_COUNT = 5,
    HEADER_HASH = 6,
    HEADER_MEMORY = 14,
    HEADER_CRC = 15,
    HEADER_WORDS = 16,
    HASH_BYTES = 32
};

static uint32_t crc_of_bytes(uint32_t crc, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        crc = art_crc32c_table[0][(crc ^ bytes[i]) & 0xffu] ^ crc >> 8;
    }
    return crc;
}

/* Four bytes a step: the table of a byte knows how many bytes follow it in the word. */
static uint32_t crc_of_words(uint32_t crc, const image_word *words, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t mixed = crc ^ words[i];
        crc = art_crc32c_table[3][mixed & 0xffu] ^ art_crc32c_table[2][mixed >> 8 & 0xffu] ^
              art_crc32c_table[1][mixed >> 16 & 0xffu] ^ art_crc32c_table[0][mixed >> 24];
    }
    return crc;
}

uint32_t art_crc32c(uint32_t crc, const void *bytes, uint32_t count)
{
    const uint8_t *next = bytes;
    const uint32_t ahead = (uint32_t)(-(uintptr_t)next & 3u);
    const uint32_t head = count < ahead ? count : ahead;
    crc = crc_of_bytes(~crc, next, head);
    next += head;
    count -= head;
    crc = crc_of_words(crc, (const void *)next, count / 4);
    return ~crc_of_bytes(crc, next + count / 4 * 4, count % 4);
}

static uint32_t hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return (uint32_t)(digit - '0');
    }
    return digit >= 'a' && digit <= 'f' ? (uint32_t)(digit - 'a') + 10u : 16u;
}

/* Whether 64 hexadecimal digits spell the hash. */
static bool is_hash(const uint8_t *hash, const char *digits)
{
    for (uint32_t i = 0; i < HASH_BYTES; i++) {
        if ((uint32_t)hash[i] != hex_digit(digits[2 * i]) * 16u + hex_digit(digits[2 * i + 1])) {
            return false;
        }
    }
    return true;
}

/* Whether every length fits the others and the capacity; afterwards no sum of them overflows. */
static bool lengths_are_sound(const image_word *header, uint32_t capacity_bytes)
{
    const uint32_t header_bytes = header[HEADER_BYTES];
    const uint32_t data_bytes = header[HEADER_DATA_BYTES];
    const uint32_t chunk_bytes = header[HEADER_CHUNK_BYTES];
    const uint32_t chunk_count = header[HEADER_CHUNK_COUNT];
    if (header_bytes > capacity_bytes || data_bytes > capacity_bytes - header_bytes ||
        data_bytes % 4 != 0 || header_bytes % ART_IMAGE_HEADER_BYTES != 0 || chunk_bytes == 0 ||
        chunk_bytes > ART_IMAGE_CHUNK_BYTES_MAX || chunk_bytes % 4 != 0) {
        return false;
    }
    const uint32_t chunks = data_bytes / chunk_bytes + (data_bytes % chunk_bytes != 0 ? 1u : 0u);
    return chunk_count == chunks && header_bytes >= ART_IMAGE_HEADER_BYTES &&
           chunk_count <= (header_bytes - ART_IMAGE_HEADER_BYTES) / 4;
}

enum art_exit art_image_check_header(const void *image, uint32_t capacity_bytes,
                                     const char *model_hash, enum art_memory memory)
{
    const image_word *const header = image;
    if (capacity_bytes < ART_IMAGE_HEADER_BYTES || header[HEADER_MAGIC] != ART_IMAGE_MAGIC ||
        header[HEADER_VERSION] != ART_IMAGE_VERSION) {
        return ART_EXIT_IMAGE_MAGIC;
    }
    if (!lengths_are_sound(header, capacity_bytes)) {
        return ART_EXIT_IMAGE_LENGTH;
    }
    uint32_t crc = art_crc32c(0, header, 4 * HEADER_CRC);
    crc = art_crc32c(crc, header + HEADER_WORDS, 4 * header[HEADER_CHUNK_COUNT]);
    if (crc != header[HEADER_CRC]) {
        return ART_EXIT_IMAGE_CRC;
    }
    const uint8_t *const hash = (const uint8_t *)(header + HEADER_HASH);
    if (!is_hash(hash, model_hash) || header[HEADER_MEMORY] != (uint32_t)memory) {
        return ART_EXIT_IMAGE_MODEL;
    }
    return ART_EXIT_OK;
}

enum art_exit art_image_check_chunks(const struct art_team *team, const void *image)
{
    const image_word *const header = image;
    const uint32_t data_bytes = header[HEADER_DATA_BYTES];
    const uint32_t chunk_bytes = header[HEADER_CHUNK_BYTES];
    const uint8_t *const data = (const uint8_t *)image + header[HEADER_BYTES];
    for (uint32_t chunk = team->core; chunk < header[HEADER_CHUNK_COUNT]; chunk += team->cores) {
        const uint32_t first = chunk * chunk_bytes;
        const uint32_t left = data_bytes - first;
        const uint32_t count = left < chunk_bytes ? left : chunk_bytes;
        if (art_crc32c(0, data + first, count) != header[HEADER_WORDS + chunk]) {
            return ART_EXIT_IMAGE_CRC;
        }
    }
    return ART_EXIT_OK;
}
