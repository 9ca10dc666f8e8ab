/* Where the linker puts variables of the drivers. */
#ifndef ARETUSA_SIRACUSA_SECTIONS_H
#define ARETUSA_SIRACUSA_SECTIONS_H

/* In L1, where no plan has a place: a core of the cluster reaches L2 only after 15 cycles. A
 * recorded bus has to tell these variables from the others, by the section's first and last byte.
 */
#ifdef SIRACUSA_RECORDED
#define SIRACUSA_L1 __attribute__((section("siracusa_l1")))
#define SIRACUSA_L1_CONSTANT
#else
#define SIRACUSA_L1 __attribute__((section(".bss.l1")))
#define SIRACUSA_L1_CONSTANT __attribute__((section(".rodata.l1")))
#endif

#endif
