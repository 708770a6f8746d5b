/* SPDX-License-Identifier: MIT */
/* Lanes in AVX2 registers of 16. */
#include <immintrin.h>

#define FAST_ISA "avx2,bmi,bmi2,popcnt"
#define FAST_TARGET __attribute__((target(FAST_ISA)))
#define FAST_FN static inline __attribute__((always_inline, target(FAST_ISA)))
#define HALF 16u

typedef __m256i half;

FAST_FN half h_load(const uint16_t *from) {
    return _mm256_load_si256((const __m256i *)(const void *)from);
}
FAST_FN half h_load_any(const uint16_t *from) {
    return _mm256_loadu_si256((const __m256i_u *)(const void *)from);
}
FAST_FN void h_store(uint16_t *to, half x) {
    _mm256_store_si256((__m256i *)(void *)to, x);
}
FAST_FN half h_set1(uint16_t x) {
    return _mm256_set1_epi16((int16_t)x);
}
FAST_FN half h_max(half x, half y) {
    return _mm256_max_epu16(x, y);
}
FAST_FN half h_min(half x, half y) {
    return _mm256_min_epu16(x, y);
}
FAST_FN half h_add(half x, half y) {
    return _mm256_add_epi16(x, y);
}
FAST_FN half h_sub(half x, half y) {
    return _mm256_sub_epi16(x, y);
}
FAST_FN half h_subs(half x, half y) {
    return _mm256_subs_epu16(x, y);
}
FAST_FN half h_shl8(half x) {
    return _mm256_slli_epi16(x, 8);
}
FAST_FN half h_shr8(half x) {
    return _mm256_srli_epi16(x, 8);
}
FAST_FN half h_and(half x, half y) {
    return _mm256_and_si256(x, y);
}
FAST_FN half h_or(half x, half y) {
    return _mm256_or_si256(x, y);
}
FAST_FN half h_not(half x) {
    return _mm256_xor_si256(x, _mm256_set1_epi16(-1));
}
FAST_FN half h_select(half mask, half x, half y) {
    return _mm256_blendv_epi8(y, x, mask); /* masks are whole bytes */
}
FAST_FN half h_equal(half x, half y) {
    return _mm256_cmpeq_epi16(x, y);
}
/* Unsigned: nothing is left of x - y. */
FAST_FN half h_at_most(half x, half y) {
    return _mm256_cmpeq_epi16(_mm256_subs_epu16(x, y), _mm256_setzero_si256());
}

#include "fast_vector.h"

/* How many lanes of a mask are set. */
FAST_FN uint32_t v_count(vec mask) {
    uint32_t count = 0;
#define S(f) count += (uint32_t)__builtin_popcount((uint32_t)_mm256_movemask_epi8(mask.f));
    EACH(S)
#undef S
    return count / 2;
}

/* The halves of a row of vectors are numbered through. */
FAST_FN half v_half(const vec *x, uint32_t number) {
    half halves[FAST_WIDTH / HALF];
    memcpy(halves, &x[number / (FAST_WIDTH / HALF)], sizeof(halves));
    return halves[number % (FAST_WIDTH / HALF)];
}

/* The least of all lanes, none of which are equal unless they are FAST_NONE: where it is, and itself in every lane. */
FAST_FN uint32_t v_least(const vec *x, uint32_t vectors, uint32_t *vector, uint32_t *lane, vec *everywhere) {
    uint32_t halves = vectors * (FAST_WIDTH / HALF);
    half least = v_half(x, 0);
    for (uint32_t h = 1; h < halves; h++) {
        least = h_min(least, v_half(x, h));
    }
    __m128i eight = _mm_minpos_epu16(_mm_min_epu16(_mm256_castsi256_si128(least), _mm256_extracti128_si256(least, 1)));
    half one = _mm256_broadcastw_epi16(eight);
#define S(f) everywhere->f = one;
    EACH(S)
#undef S
    uint32_t first = 0;
    uint32_t found = 0;
    for (uint32_t h = 0; h < halves && found == 0; h += 2) {
        half second = h + 1 < halves ? h_equal(v_half(x, h + 1), one) : _mm256_setzero_si256();
        found = (uint32_t)_mm256_movemask_epi8(_mm256_packs_epi16(h_equal(v_half(x, h), one), second));
        first = h;
    }
    /* Lanes are packed eight from one half and eight from the other. */
    uint32_t at = fast_first(found);
    uint32_t inside = (at >> 1 & 8) | (at & 7);
    uint32_t number = first + (at >> 3 & 1);
    *vector = number / (FAST_WIDTH / HALF);
    *lane = number % (FAST_WIDTH / HALF) * HALF + inside;
    return (uint32_t)_mm_cvtsi128_si32(eight) & 0xFFFF;
}

FAST_FN uint64_t f_match(const uint32_t *rows, uint32_t row, uint64_t positions) {
    __m256i one = _mm256_set1_epi32((int32_t)row);
    uint64_t found = 0;
    for (uint32_t at = 0; at < FAST_WINDOW; at += 8) {
        __m256i equal = _mm256_cmpeq_epi32(_mm256_load_si256((const __m256i *)(const void *)(rows + at)), one);
        found |= (uint64_t)(uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(equal)) << at;
    }
    return found & positions;
}

#include "fast_kernel.h"
