/* Stands where the generated header of a network would. */
#ifndef FAKE_NETWORK_H
#define FAKE_NETWORK_H

#include "aretusa/network.h"

#endif
