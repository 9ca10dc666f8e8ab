/* The image of L3. No loader reaches the board's HyperRAM: the fabric controller fills it. */
#ifndef ARETUSA_SIRACUSA_L3_IMAGE_H
#define ARETUSA_SIRACUSA_L3_IMAGE_H

/* Copy l3.bin, if the build has one, from the debugger's or the virtual platform's files to the
 * HyperRAM, and check it on its way. The HyperBus is prepared; the cluster has not started. */
void siracusa_l3_load(void);

#endif
