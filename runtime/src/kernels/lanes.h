/* Eight of everything: the rows of a block, the columns of a step. Written out, because gcc -O2
 * keeps neither arrays in registers across loops nor loops unrolled. */
#ifndef ARETUSA_KERNELS_LANES_H
#define ARETUSA_KERNELS_LANES_H

#define ART_EACH_LANE(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)

#endif
