/* SPDX-License-Identifier: MIT */
/* The fast engine for ranks of up to 64 banks, with AVX2. */
#include "fast.h"

#if defined(FAST_X86)
#define FAST_WIDTH 64u
#define EACH(S) S(a) S(b) S(c) S(d)
#define KERNEL heam_fast_serve_avx2_64
#include "fast_avx2.h"
#endif
