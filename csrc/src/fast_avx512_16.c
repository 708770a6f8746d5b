/* SPDX-License-Identifier: MIT */
/* The fast engine for ranks of up to 16 banks, with AVX-512: more registers and better masks for the same 256 bits. */
#include "fast.h"

#if defined(FAST_X86)
#define FAST_WIDTH 16u
#define EACH(S) S(a)
#define KERNEL heam_fast_serve_avx512_16
#define FAST_ISA "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi,bmi2,popcnt"
#include "fast_avx2.h"
#endif
