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
FAST_FN half h_at_most(half x, half y) {
    return _mm_cmpeq_epi16(_mm_subs_epu16(x, y), _mm_setzero_si128());
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
FAST_FN half h_at_most(half x, half y) {
    return (half)(x <= y);
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
FAST_FN half h_at_most(half x, half y) {
    H_EACH(x.lane[i] <= y.lane[i] ? 0xFFFF : 0)
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

FAST_FN half h_load_any(const uint16_t *from) {
    half r;
    memcpy(&r, from, sizeof(r));
    return r;
}
FAST_FN half h_load(const uint16_t *from) {
    return h_load_any(from);
}
FAST_FN void h_store(uint16_t *to, half x) {
    memcpy(to, &x, sizeof(x));
}
#if !defined(FAST_SSE2)
FAST_FN half h_select(half mask, half x, half y) {
    return h_or(h_and(mask, x), h_and(h_not(mask), y));
}
FAST_FN half h_max(half x, half y) {
    return h_select(h_at_most(x, y), y, x);
}
FAST_FN half h_min(half x, half y) {
    return h_select(h_at_most(x, y), x, y);
}
FAST_FN half h_subs(half x, half y) {
    return h_and(h_not(h_at_most(x, y)), h_sub(x, y));
}
#endif

#include "fast_vector.h"

/* How many lanes of a mask are set. */
FAST_FN uint32_t v_count(vec mask) {
    half count = h_set1(0);
#define S(f) count = h_sub(count, mask.f);
    EACH(S)
#undef S
    uint16_t lane[HALF];
    memcpy(lane, &count, sizeof(count));
    uint32_t r = 0;
    for (uint32_t i = 0; i < HALF; i++) {
        r += lane[i];
    }
    return r;
}

/* The least of some lanes. */
FAST_FN uint32_t h_least(half least) {
#if defined(FAST_SSE2)
    least = h_min(least, _mm_srli_si128(least, 8));
    least = h_min(least, _mm_srli_si128(least, 4)); /* the zeros shifted in stay in the upper lanes */
    least = h_min(least, _mm_srli_si128(least, 2));
    return (uint32_t)_mm_cvtsi128_si32(least) & 0xFFFF;
#else
    uint16_t lanes[HALF];
    memcpy(lanes, &least, sizeof(least));
    uint32_t value = lanes[0];
    for (uint32_t i = 1; i < HALF; i++) {
        value = lanes[i] < value ? lanes[i] : value;
    }
    return value;
#endif
}

/* A bit per lane of a mask. */
FAST_FN uint64_t v_bits(vec mask) {
    uint64_t bits = 0;
    uint32_t at = 0;
#if defined(FAST_SSE2)
#define S(f)                                                                                                                             \
    bits |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_packs_epi16(mask.f, _mm_setzero_si128())) << at;                                   \
    at += HALF;
#else
    uint16_t lanes[HALF];
#define S(f)                                                                                                                             \
    memcpy(lanes, &mask.f, sizeof(lanes));                                                                                               \
    for (uint32_t i = 0; i < HALF; i++) {                                                                                                \
        bits |= (uint64_t)(lanes[i] & 1u) << at++;                                                                                       \
    }
#endif
    EACH(S)
#undef S
    (void)at;
    return bits;
}

/* The least of all lanes, none of which are equal unless they are FAST_NONE: where it is, and itself in every lane. */
FAST_FN uint32_t v_least(const vec *x, uint32_t vectors, uint32_t *vector, uint32_t *lane, vec *everywhere) {
    half least = h_set1(0xFFFF);
    for (uint32_t v = 0; v < vectors; v++) {
#define S(f) least = h_min(least, x[v].f);
        EACH(S)
#undef S
    }
    uint32_t value = h_least(least);
    *everywhere = v_set1(value);
    *vector = *lane = 0;
    for (uint32_t v = 0; v < vectors; v++) {
        uint64_t found = v_bits(v_equal(x[v], *everywhere));
        *vector = found != 0 ? v : *vector;
        *lane = found != 0 ? fast_first(found) : *lane;
    }
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
