/* SPDX-License-Identifier: MIT */
/* The fast engine for ranks of up to 16 banks, with AVX2. */
#include "fast.h"

#if defined(FAST_X86)
#define FAST_WIDTH 16u
#define EACH(S) S(a)
#define KERNEL heam_fast_serve_avx2_16
#include "fast_avx2.h"
#endif
