/* SPDX-License-Identifier: MIT */
/* Lanes in AVX-512 registers of 32. */
#include <immintrin.h>

#define FAST_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi,bmi2,popcnt")))
#define FAST_FN static inline __attribute__((always_inline, target("avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi,bmi2,popcnt")))
#define HALF 32u

typedef __m512i half;

FAST_FN half h_load(const uint16_t *from) {
    return _mm512_load_si512(from);
}
FAST_FN half h_load_any(const uint16_t *from) {
    return _mm512_loadu_si512(from);
}
FAST_FN void h_store(uint16_t *to, half x) {
    _mm512_store_si512(to, x);
}
FAST_FN half h_set1(uint16_t x) {
    return _mm512_set1_epi16((int16_t)x);
}
FAST_FN half h_max(half x, half y) {
    return _mm512_max_epu16(x, y);
}
FAST_FN half h_min(half x, half y) {
    return _mm512_min_epu16(x, y);
}
FAST_FN half h_add(half x, half y) {
    return _mm512_add_epi16(x, y);
}
FAST_FN half h_sub(half x, half y) {
    return _mm512_sub_epi16(x, y);
}
FAST_FN half h_subs(half x, half y) {
    return _mm512_subs_epu16(x, y);
}
FAST_FN half h_shl8(half x) {
    return _mm512_slli_epi16(x, 8);
}
FAST_FN half h_shr8(half x) {
    return _mm512_srli_epi16(x, 8);
}
FAST_FN half h_and(half x, half y) {
    return _mm512_and_si512(x, y);
}
FAST_FN half h_or(half x, half y) {
    return _mm512_or_si512(x, y);
}
FAST_FN half h_not(half x) {
    return _mm512_ternarylogic_epi32(x, x, x, 0x55);
}
FAST_FN half h_select(half mask, half x, half y) {
    return _mm512_ternarylogic_epi32(mask, x, y, 0xCA);
}
FAST_FN half h_equal(half x, half y) {
    return _mm512_movm_epi16(_mm512_cmpeq_epi16_mask(x, y));
}
FAST_FN half h_at_most(half x, half y) {
    return _mm512_movm_epi16(_mm512_cmple_epu16_mask(x, y));
}

#include "fast_vector.h"

/* How many lanes of a mask are set. */
FAST_FN uint32_t v_count(vec mask) {
    uint32_t count = 0;
#define S(f) count += (uint32_t)__builtin_popcount(_mm512_movepi16_mask(mask.f));
    EACH(S)
#undef S
    return count;
}

/* The least of all lanes, none of which are equal unless they are FAST_NONE: where it is, and itself in every lane. */
FAST_FN uint32_t v_least(const vec *x, uint32_t vectors, uint32_t *vector, uint32_t *lane, vec *everywhere) {
    half least = x[0].a;
    for (uint32_t v = 0; v < vectors; v++) {
#define S(f) least = h_min(least, x[v].f);
        EACH(S)
#undef S
    }
    __m256i sixteen = _mm256_min_epu16(_mm512_castsi512_si256(least), _mm512_extracti64x4_epi64(least, 1));
    __m128i eight = _mm_minpos_epu16(_mm_min_epu16(_mm256_castsi256_si128(sixteen), _mm256_extracti128_si256(sixteen, 1)));
    half one = _mm512_broadcastw_epi16(eight);
#define S(f) everywhere->f = one;
    EACH(S)
#undef S
    *vector = *lane = 0;
    for (uint32_t v = 0; v < vectors; v++) {
        uint64_t found = 0;
        uint32_t at = 0;
#define S(f) found |= (uint64_t)_mm512_cmpeq_epi16_mask(x[v].f, one) << at, at += HALF;
        EACH(S)
#undef S
        (void)at;
        *vector = found != 0 ? v : *vector;
        *lane = found != 0 ? fast_first(found) : *lane;
    }
    return (uint32_t)_mm_cvtsi128_si32(eight) & 0xFFFF;
}

FAST_FN uint64_t f_match(const uint32_t *rows, uint32_t row, uint64_t positions) {
    __m512i one = _mm512_set1_epi32((int32_t)row);
    uint64_t found = 0;
    for (uint32_t at = 0; at < FAST_WINDOW; at += 16) {
        found |= (uint64_t)_mm512_cmpeq_epi32_mask(_mm512_load_si512(rows + at), one) << at;
    }
    return found & positions;
}

#include "fast_kernel.h"
