/* A map for sequences without a network: sizes that are quick to compare. */
#ifndef ARETUSA_MEMORY_MAP_H
#define ARETUSA_MEMORY_MAP_H

#define ART_L1_BASE 0x10000000
#define ART_L1_BYTES 196608

#define ART_L2_BASE 0x1c000000
#define ART_L2_BYTES 196608

#define ART_SRAM_BASE 0x10800000
#define ART_SRAM_BYTES 65536

#define ART_MRAM_BASE 0x10400000
#define ART_MRAM_BYTES 65536

#define ART_L3_BASE 0x40000000
#define ART_L3_BYTES 65536

#endif
