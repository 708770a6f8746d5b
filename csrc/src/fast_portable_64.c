/* SPDX-License-Identifier: MIT */
/* The fast engine for ranks of up to 64 banks, on any processor. */
#include "fast.h"

#define FAST_WIDTH 64u
#define EACH(S) S(a) S(b) S(c) S(d) S(e) S(f) S(g) S(h)
#define KERNEL heam_fast_serve_portable_64
#include "fast_portable.h"
