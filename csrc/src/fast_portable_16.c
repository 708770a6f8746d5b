/* SPDX-License-Identifier: MIT */
/* The fast engine for ranks of up to 16 banks, on any processor. */
#include "fast.h"

#define FAST_WIDTH 16u
#define EACH(S) S(a) S(b)
#define KERNEL heam_fast_serve_portable_16
#include "fast_portable.h"
