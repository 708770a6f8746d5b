/* SPDX-License-Identifier: MIT */
/*
 * Vectors of FAST_WIDTH 16-bit lanes, built of native vectors `half` (as many as EACH names). Included by the file of an instruction
 * set after it has defined: FAST_FN, half, HALF (its lanes), EACH(S), and h_load, h_load_any (wherever it lies), h_store, h_set1, h_max, h_min, h_add, h_sub, h_subs, h_shl8, h_shr8, h_and,
 * h_or, h_not, h_select(mask, a, b), h_equal and h_at_most (both give all ones or nothing in every lane).
 */
#define MEMBER(f) half f;
typedef struct {
    EACH(MEMBER)
} vec;
#undef MEMBER

#define BINARY(name)                                                                                                                     \
    FAST_FN vec v_##name(vec x, vec y) {                                                                                                 \
        vec r;                                                                                                                           \
        EACH(BINARY_##name)                                                                                                              \
        return r;                                                                                                                        \
    }
#define BINARY_max(f) r.f = h_max(x.f, y.f);
#define BINARY_min(f) r.f = h_min(x.f, y.f);
#define BINARY_add(f) r.f = h_add(x.f, y.f);
#define BINARY_sub(f) r.f = h_sub(x.f, y.f);
#define BINARY_equal(f) r.f = h_equal(x.f, y.f);
#define BINARY_at_most(f) r.f = h_at_most(x.f, y.f);
#define BINARY_subs(f) r.f = h_subs(x.f, y.f);
#define BINARY_and(f) r.f = h_and(x.f, y.f);
#define BINARY_or(f) r.f = h_or(x.f, y.f);
#define BINARY_orn(f) r.f = h_or(x.f, h_not(y.f));
BINARY(max)
BINARY(min)
BINARY(add)
BINARY(sub)
BINARY(equal)
BINARY(at_most)
BINARY(subs)
BINARY(and)
BINARY(or)
BINARY(orn)

FAST_FN vec v_load(const uint16_t *from) {
    vec r;
    uint32_t at = 0;
#define S(f) r.f = h_load(from + at), at += HALF;
    EACH(S)
#undef S
    (void)at;
    return r;
}

FAST_FN void v_store(uint16_t *to, vec x) {
    uint32_t at = 0;
#define S(f) h_store(to + at, x.f), at += HALF;
    EACH(S)
#undef S
    (void)at;
}

FAST_FN vec v_set1(uint32_t value) {
    vec r;
    half one = h_set1((uint16_t)value);
#define S(f) r.f = one;
    EACH(S)
#undef S
    return r;
}

FAST_FN vec v_shl8(vec x) {
    vec r;
#define S(f) r.f = h_shl8(x.f);
    EACH(S)
#undef S
    return r;
}

FAST_FN vec v_shr8(vec x) {
    vec r;
#define S(f) r.f = h_shr8(x.f);
    EACH(S)
#undef S
    return r;
}

/* Bit by bit: mask ? x : y. */
FAST_FN vec v_select(vec mask, vec x, vec y) {
    vec r;
#define S(f) r.f = h_select(mask.f, x.f, y.f);
    EACH(S)
#undef S
    return r;
}

/* All ones in one lane. */
FAST_FN vec v_lane(uint32_t lane) {
    static const _Alignas(64) uint16_t one[2 * FAST_WIDTH] = {[FAST_WIDTH] = 0xFFFF};
    vec r;
    const uint16_t *from = one + FAST_WIDTH - lane;
#define S(f) r.f = h_load_any(from), from += HALF;
    EACH(S)
#undef S
    return r;
}
