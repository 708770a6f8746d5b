/* SPDX-License-Identifier: MIT */
/* Lanes in AVX2 registers of 16. */
#include <immintrin.h>

#define FAST_TARGET __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define FAST_FN static inline __attribute__((always_inline, target("avx2,bmi,bmi2,popcnt")))
#define HALF 16u

typedef __m256i half;

FAST_FN half h_load(const uint16_t *from) {
    return _mm256_load_si256((const __m256i *)(const void *)from);
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

typedef vec lane_t;

static const _Alignas(32) uint16_t numbers[FAST_LANES] = {
    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
    32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};

FAST_FN lane_t v_lane(uint32_t lane) {
    vec r = v_load(numbers);
    half one = h_set1((uint16_t)lane);
#define S(f) r.f = h_equal(r.f, one);
    EACH(S)
#undef S
    return r;
}

FAST_FN vec v_put(vec x, lane_t at, uint32_t value) {
    return v_select(at, v_set1(value), x);
}

/* A bit per lane, from lane masks. */
FAST_FN uint64_t bits_of(vec mask) {
    uint64_t bits = 0;
    uint32_t at = 0;
    half zero = _mm256_setzero_si256();
#define S(f)                                                                                                                             \
    bits |= (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_permute4x64_epi64(_mm256_packs_epi16(mask.f, zero), 0xD8)) << at;            \
    at += HALF;
    EACH(S)
#undef S
    (void)at;
    return bits;
}

/* How many lanes are less than or equal to a value. */
FAST_FN uint32_t v_below(vec x, uint32_t value) {
    half limit = h_set1((uint16_t)value);
#define S(f) x.f = h_at_most(x.f, limit);
    EACH(S)
#undef S
    return (uint32_t)__builtin_popcountll(bits_of(x));
}

/* Makes room among the ranks for a new stamp. */
FAST_FN vec v_rank_in(vec rank, vec stamp, uint32_t value) {
    half limit = h_set1((uint16_t)value);
#define S(f) rank.f = h_add(h_add(rank.f, h_set1(1)), h_at_most(stamp.f, limit));
    EACH(S)
#undef S
    return rank;
}

FAST_FN vec v_rank_out(vec rank, uint32_t value) {
    half limit = h_set1((uint16_t)value);
#define S(f) rank.f = h_sub(h_sub(rank.f, h_set1(1)), h_at_most(rank.f, limit));
    EACH(S)
#undef S
    return rank;
}

FAST_FN uint32_t v_least(vec x, uint32_t *lane, lane_t *here, vec *key) {
    half least = h_set1(0xFFFF);
#define S(f) least = h_min(least, x.f);
    EACH(S)
#undef S
    __m128i eight = _mm_minpos_epu16(_mm_min_epu16(_mm256_castsi256_si128(least), _mm256_extracti128_si256(least, 1)));
    half one = _mm256_broadcastw_epi16(eight);
#define S(f) key->f = one, x.f = h_equal(x.f, one);
    EACH(S)
#undef S
    *here = x;
    *lane = fast_first(bits_of(x));
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
