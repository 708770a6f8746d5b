/* SPDX-License-Identifier: MIT */
/* The fast engine for ranks of up to 32 banks, with AVX-512. */
#include "fast.h"

#if defined(FAST_X86)
#define FAST_WIDTH 32u
#define EACH(S) S(a)
#define KERNEL heam_fast_serve_avx512_32
#include "fast_avx512.h"
#endif
