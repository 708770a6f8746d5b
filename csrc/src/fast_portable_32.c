/* SPDX-License-Identifier: MIT */
/* The fast engine for ranks of up to 32 banks, on any processor. */
#include "fast.h"

#define FAST_WIDTH 32u
#define EACH(S) S(a) S(b) S(c) S(d)
#define KERNEL heam_fast_serve_portable_32
#include "fast_portable.h"
