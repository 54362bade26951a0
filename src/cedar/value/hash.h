/* hash: keyed 64-bit hash of short byte strings, by multiply and fold. Good against chosen keys
 * only as long as the seed is unknown to who chooses them. */
#pragma once
#include "cedar/value/value.h"

static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
    __uint128_t m = (__uint128_t)a * b;
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline uint64_t hash_bytes(uint64_t seed, str s)
{
    const uint64_t k1 = 0x9e3779b97f4a7c15, k2 = 0xd6e8feb86659fd93;
    uint64_t h = seed ^ hash_fold(s.n ^ k1, k2), w;
    const char *p = s.p;
    size_t n = s.n;
    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&w, p, 8);
        h = hash_fold(h ^ w, k1) ^ seed;
    }
    w = 0;
    if (n)
        memcpy(&w, p, n);
    return hash_fold(h ^ w, k2);
}

static inline uint64_t hash_uid(uint64_t seed, const struct cedar_uid *uid)
{
    return hash_bytes(hash_bytes(seed, uid->type) ^ seed, uid->id);
}

/* str_eq for what is short most of the time. */
static inline bool same_bytes(str a, str b)
{
    uint64_t x, y;
    if (a.n != b.n)
        return false;
    if (a.p == b.p || a.n == 0)
        return true;
    if (a.n < 8 || a.n > 32)
        return memcmp(a.p, b.p, a.n) == 0;
    for (size_t i = 0; i + 8 < a.n; i += 8) {
        memcpy(&x, a.p + i, 8);
        memcpy(&y, b.p + i, 8);
        if (x != y)
            return false;
    }
    memcpy(&x, a.p + a.n - 8, 8);
    memcpy(&y, b.p + a.n - 8, 8);
    return x == y;
}
