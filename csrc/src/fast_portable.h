/* SPDX-License-Identifier: MIT */
/*
 * Lanes for any processor: SSE2 where the compiler may take it for granted (every 64-bit x86), else 128-bit vectors as the compiler
 * knows them, else loops. FAST_PLAIN leaves SSE2 out, for tests.
 */
#define FAST_TARGET
#define HALF 8u
#if defined(__GNUC__)
#define FAST_FN static inline __attribute__((always_inline))
#else
#define FAST_FN static inline
#endif

#if defined(__SSE2__) && !defined(FAST_PLAIN)
#include <emmintrin.h>
#define FAST_SSE2 1
typedef __m128i half;
FAST_FN half h_add(half x, half y) {
    return _mm_add_epi16(x, y);
}
FAST_FN half h_sub(half x, half y) {
    return _mm_sub_epi16(x, y);
}
FAST_FN half h_and(half x, half y) {
    return _mm_and_si128(x, y);
}
FAST_FN half h_or(half x, half y) {
    return _mm_or_si128(x, y);
}
FAST_FN half h_not(half x) {
    return _mm_xor_si128(x, _mm_set1_epi16(-1));
}
FAST_FN half h_subs(half x, half y) {
    return _mm_subs_epu16(x, y);
}
FAST_FN half h_max(half x, half y) {
    return _mm_add_epi16(x, _mm_subs_epu16(y, x));
}
FAST_FN half h_min(half x, half y) {
    return _mm_sub_epi16(x, _mm_subs_epu16(x, y));
}
FAST_FN half h_equal(half x, half y) {
    return _mm_cmpeq_epi16(x, y);
}
FAST_FN half h_greater(half x, half y) {
    return h_not(_mm_cmpeq_epi16(_mm_subs_epu16(x, y), _mm_setzero_si128()));
}
FAST_FN half h_shl8(half x) {
    return _mm_slli_epi16(x, 8);
}
FAST_FN half h_shr8(half x) {
    return _mm_srli_epi16(x, 8);
}
FAST_FN half h_set1(uint16_t x) {
    return _mm_set1_epi16((int16_t)x);
}
FAST_FN half h_select(half mask, half x, half y) {
    return _mm_or_si128(_mm_and_si128(mask, x), _mm_andnot_si128(mask, y));
}
#elif defined(__GNUC__) && !defined(FAST_LOOPS)
typedef uint16_t half __attribute__((vector_size(16)));
FAST_FN half h_add(half x, half y) {
    return x + y;
}
FAST_FN half h_sub(half x, half y) {
    return x - y;
}
FAST_FN half h_and(half x, half y) {
    return x & y;
}
FAST_FN half h_or(half x, half y) {
    return x | y;
}
FAST_FN half h_not(half x) {
    return ~x;
}
FAST_FN half h_greater(half x, half y) {
    return (half)(x > y);
}
FAST_FN half h_equal(half x, half y) {
    return (half)(x == y);
}
FAST_FN half h_shl8(half x) {
    return x << 8;
}
FAST_FN half h_shr8(half x) {
    return x >> 8;
}
FAST_FN half h_set1(uint16_t x) {
    return (half){x, x, x, x, x, x, x, x};
}
#else
typedef struct {
    uint16_t lane[HALF];
} half;
#define H_EACH(expression)                                                                                                               \
    half r;                                                                                                                              \
    for (uint32_t i = 0; i < HALF; i++) {                                                                                                \
        r.lane[i] = (uint16_t)(expression);                                                                                              \
    }                                                                                                                                    \
    return r;
FAST_FN half h_add(half x, half y) {
    H_EACH(x.lane[i] + y.lane[i])
}
FAST_FN half h_sub(half x, half y) {
    H_EACH(x.lane[i] - y.lane[i])
}
FAST_FN half h_and(half x, half y) {
    H_EACH(x.lane[i] & y.lane[i])
}
FAST_FN half h_or(half x, half y) {
    H_EACH(x.lane[i] | y.lane[i])
}
FAST_FN half h_not(half x) {
    H_EACH(~x.lane[i])
}
FAST_FN half h_greater(half x, half y) {
    H_EACH(x.lane[i] > y.lane[i] ? 0xFFFF : 0)
}
FAST_FN half h_equal(half x, half y) {
    H_EACH(x.lane[i] == y.lane[i] ? 0xFFFF : 0)
}
FAST_FN half h_shl8(half x) {
    H_EACH(x.lane[i] << 8)
}
FAST_FN half h_shr8(half x) {
    H_EACH(x.lane[i] >> 8)
}
FAST_FN half h_set1(uint16_t x) {
    H_EACH(x)
}
#endif

FAST_FN half h_load(const uint16_t *from) {
    half r;
    memcpy(&r, from, sizeof(r));
    return r;
}
FAST_FN void h_store(uint16_t *to, half x) {
    memcpy(to, &x, sizeof(x));
}
#if !defined(FAST_SSE2)
FAST_FN half h_select(half mask, half x, half y) {
    return h_or(h_and(mask, x), h_and(h_not(mask), y));
}
FAST_FN half h_max(half x, half y) {
    return h_select(h_greater(x, y), x, y);
}
FAST_FN half h_min(half x, half y) {
    return h_select(h_greater(x, y), y, x);
}
FAST_FN half h_subs(half x, half y) {
    return h_and(h_greater(x, y), h_sub(x, y));
}
#endif

#include "fast_vector.h"

typedef vec lane_t;

static const uint16_t numbers[FAST_LANES] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
                                             22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
                                             44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};

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

FAST_FN uint32_t sum(half x) {
    uint16_t lane[HALF];
    memcpy(lane, &x, sizeof(x));
    uint32_t r = 0;
    for (uint32_t i = 0; i < HALF; i++) {
        r += lane[i];
    }
    return r;
}

/* How many lanes are less than or equal to a value. */
FAST_FN uint32_t v_below(vec x, uint32_t value) {
    half limit = h_set1((uint16_t)value);
    half count = h_set1(0);
#define S(f) count = h_add(count, h_add(h_set1(1), h_greater(x.f, limit)));
    EACH(S)
#undef S
    return sum(count);
}

/* Makes room among the ranks for a new stamp. */
FAST_FN vec v_rank_in(vec rank, vec stamp, uint32_t value) {
    half limit = h_set1((uint16_t)value);
#define S(f) rank.f = h_sub(rank.f, h_greater(stamp.f, limit));
    EACH(S)
#undef S
    return rank;
}

FAST_FN vec v_rank_out(vec rank, uint32_t value) {
    half limit = h_set1((uint16_t)value);
#define S(f) rank.f = h_add(rank.f, h_greater(rank.f, limit));
    EACH(S)
#undef S
    return rank;
}

FAST_FN uint32_t v_least(vec x, uint32_t *lane, lane_t *here, vec *key) {
    half least = h_set1(0xFFFF);
#define S(f) least = h_min(least, x.f);
    EACH(S)
#undef S
#if defined(FAST_SSE2)
    least = h_min(least, _mm_srli_si128(least, 8));
    least = h_min(least, _mm_srli_si128(least, 4)); /* the zeros shifted in stay in the upper lanes */
    least = h_min(least, _mm_srli_si128(least, 2));
    uint32_t value = (uint32_t)_mm_cvtsi128_si32(least) & 0xFFFF;
    *key = v_set1(value);
    uint64_t found = 0;
    uint32_t at = 0;
#define S(f)                                                                                                                             \
    here->f = h_equal(x.f, key->f);                                                                                                      \
    found |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_packs_epi16(here->f, _mm_setzero_si128())) << at;                                 \
    at += HALF;
    EACH(S)
#undef S
    (void)at;
    *lane = fast_first(found);
#else
    uint16_t lanes[HALF];
    memcpy(lanes, &least, sizeof(least));
    uint32_t value = lanes[0];
    for (uint32_t i = 1; i < HALF; i++) {
        value = lanes[i] < value ? lanes[i] : value;
    }
    vec number = v_load(numbers);
    half found = h_set1(0);
    *key = v_set1(value);
#define S(f) here->f = h_equal(x.f, key->f), found = h_or(found, h_and(here->f, number.f));
    EACH(S)
#undef S
    *lane = sum(found); /* keys differ: one lane at most is not zero */
#endif
    return value;
}

FAST_FN uint64_t f_match(const uint32_t *rows, uint32_t row, uint64_t positions) {
    uint64_t found = 0;
    for (uint64_t rest = positions; rest != 0; rest &= rest - 1) {
        uint32_t at = fast_first(rest);
        found |= (uint64_t)(rows[at] == row) << at;
    }
    return found;
}

#include "fast_kernel.h"
