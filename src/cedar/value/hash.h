/* hash: keyed 64-bit hash of short byte strings, by multiply and fold. Good against chosen keys
 * only as long as the seed is unknown to who chooses them. */
#pragma once
#include "cedar/value/value.h"

static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
    __uint128_t m = (__uint128_t)a * b;
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline uint64_t hash_load(const char *p, size_t n)
{
    uint64_t w = 0;
    uint32_t low, high;
    if (n >= 8) {
        memcpy(&w, p, 8);
    } else if (n >= 4) {
        memcpy(&low, p, 4);
        memcpy(&high, p + n - 4, 4);
        w = (uint64_t)high << 32 | low;
    } else if (n) {
        w = (uint64_t)(unsigned char)p[0] << 16 | (uint64_t)(unsigned char)p[n / 2] << 8 |
            (unsigned char)p[n - 1];
    }
    return w;
}

/* 16 bytes at a time; the last ones may be read twice. Both factors of each product depend on the
 * seed, so no bytes make it zero for who does not know it. */
static inline uint64_t hash_bytes(uint64_t seed, str s)
{
    const uint64_t k1 = 0x9e3779b97f4a7c15, k2 = 0xd6e8feb86659fd93;
    uint64_t h = seed ^ k2, mask = seed ^ k1;
    const char *p = s.p;
    size_t n = s.n;
    for (; n > 16; n -= 16, p += 16)
        h = hash_fold(hash_load(p, 8) ^ mask, hash_load(p + 8, 8) ^ h);
    if (n > 8)
        h = hash_fold(hash_load(p, 8) ^ mask, hash_load(p + n - 8, 8) ^ h);
    else
        h ^= hash_load(p, n);
    return hash_fold(h ^ s.n, k1);
}

static inline uint64_t hash_uid(uint64_t seed, const struct cedar_uid *uid)
{
    return hash_bytes(hash_bytes(seed, uid->type) ^ seed, uid->id);
}
