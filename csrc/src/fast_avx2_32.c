/* SPDX-License-Identifier: MIT */
/* The fast engine for ranks of up to 32 banks, with AVX2. */
#include "fast.h"

#if defined(FAST_X86)
#define FAST_WIDTH 32u
#define EACH(S) S(a) S(b)
#define KERNEL heam_fast_serve_avx2_32
#include "fast_avx2.h"
#endif
