/* A weight image: header, table of CRC-32C words, then the data.
 *
 * offset  0  magic "ARTI"             offset 12  data_bytes (multiple of 4)
 *         4  version                         16  chunk_bytes
 *         8  header_bytes (header + table,   20  chunk_count
 *            multiple of 64)                 24  model_hash, 32 bytes
 *                                            56  memory number
 *                                            60  CRC-32C of bytes 0 .. 59 and of the table
 *        64  crc[chunk_count], zero padding up to header_bytes, data
 *
 * All words little endian; the image starts at a multiple of 4. Chunk i covers data bytes
 * i * chunk_bytes onwards; the last may be short. chunk_bytes is a multiple of 4. The table is the
 * chunk_count words without the padding. */
#ifndef ARETUSA_IMAGE_H
#define ARETUSA_IMAGE_H

#include <stdint.h>

#include "aretusa/platform.h"

enum { ART_IMAGE_VERSION = 1, ART_IMAGE_HEADER_BYTES = 64, ART_IMAGE_CHUNK_BYTES_MAX = 65536 };

#define ART_IMAGE_MAGIC 0x49545241u /* "ARTI" */

/* Check a header that claims to fit capacity_bytes; model_hash is 64 lowercase hexadecimal digits.
 * Returns ART_EXIT_OK or the exit code of what is wrong: MAGIC (or version), LENGTH, CRC (of header
 * and table), MODEL (hash or memory number), tried in this order. */
enum art_exit art_image_check_header(const void *image, uint32_t capacity_bytes,
                                     const char *model_hash, enum art_memory memory);

/* Check the chunks core, core + cores, ... of an image whose header is sound. */
enum art_exit art_image_check_chunks(const struct art_team *team, const void *image);

/* CRC-32C (Castagnoli, reflected, initial and final complement) of bytes, going on from crc. */
uint32_t art_crc32c(uint32_t crc, const void *bytes, uint32_t count);

#endif
