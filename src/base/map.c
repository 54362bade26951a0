#include "base/map.h"
#include "base/rand.h"

#include <stdlib.h>

struct map_slot {
    char *key; /* NULL: empty, or a tombstone when dead */
    uint32_t key_n;
    uint32_t hash;
    void *value;
    bool dead;
};

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
#define SIPROUND(v0, v1, v2, v3)                                                                   \
    do {                                                                                           \
        v0 += v1, v1 = ROTL(v1, 13), v1 ^= v0, v0 = ROTL(v0, 32);                                  \
        v2 += v3, v3 = ROTL(v3, 16), v3 ^= v2;                                                     \
        v0 += v3, v3 = ROTL(v3, 21), v3 ^= v0;                                                     \
        v2 += v1, v1 = ROTL(v1, 17), v1 ^= v2, v2 = ROTL(v2, 32);                                  \
    } while (0)

/* SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF"). */
static uint64_t siphash(const uint64_t key[2], str s)
{
    uint64_t v0 = key[0] ^ 0x736f6d6570736575u, v1 = key[1] ^ 0x646f72616e646f6du;
    uint64_t v2 = key[0] ^ 0x6c7967656e657261u, v3 = key[1] ^ 0x7465646279746573u;
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        uint64_t m;
        memcpy(&m, s.p + i, 8);
        v3 ^= m;
        SIPROUND(v0, v1, v2, v3);
        v0 ^= m;
    }
    uint64_t last = (uint64_t)s.n << 56;
    for (size_t k = 0; i + k < s.n; k++)
        last |= (uint64_t)(unsigned char)s.p[i + k] << (8 * k);
    v3 ^= last;
    SIPROUND(v0, v1, v2, v3);
    v0 ^= last;
    v2 ^= 0xff;
    SIPROUND(v0, v1, v2, v3);
    SIPROUND(v0, v1, v2, v3);
    SIPROUND(v0, v1, v2, v3);
    return v0 ^ v1 ^ v2 ^ v3;
}

static struct map_slot *probe(const struct map *m, str key, uint32_t hash)
{
    for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        struct map_slot *s = &m->slots[i];
        if (!s->key && !s->dead)
            return NULL;
        if (s->key && s->hash == hash && str_eq(str_of(s->key, s->key_n), key))
            return s;
    }
}

void *map_get(const struct map *m, str key)
{
    if (m->count == 0)
        return NULL;
    struct map_slot *s = probe(m, key, (uint32_t)siphash(m->key, key));
    return s ? s->value : NULL;
}

static struct map_slot *free_slot(const struct map *m, uint32_t hash)
{
    size_t i = hash & (m->cap - 1);
    while (m->slots[i].key)
        i = (i + 1) & (m->cap - 1);
    return &m->slots[i];
}

static void rehash(struct map *m, size_t cap)
{
    struct map old = *m;
    m->slots = calloc(cap, sizeof *m->slots);
    if (!m->slots)
        abort();
    m->cap = cap;
    m->used = m->count;
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i].key)
            *free_slot(m, old.slots[i].hash) = old.slots[i];
    free(old.slots);
}

void *map_put(struct map *m, str key, void *value)
{
    if (m->cap == 0) {
        rand_bytes(m->key, sizeof m->key);
        rehash(m, 16);
    }
    uint32_t hash = (uint32_t)siphash(m->key, key);
    struct map_slot *s = probe(m, key, hash);
    if (s) {
        void *former = s->value;
        s->value = value;
        return former;
    }
    if ((m->used + 1) * 4 > m->cap * 3)
        rehash(m, m->count * 2 >= m->cap ? m->cap * 2 : m->cap);
    s = free_slot(m, hash);
    if (!s->dead)
        m->used++;
    char *copy = malloc(key.n + 1);
    if (!copy || key.n > UINT32_MAX)
        abort();
    if (key.n)
        memcpy(copy, key.p, key.n);
    copy[key.n] = 0;
    *s = (struct map_slot){.key = copy, .key_n = (uint32_t)key.n, .hash = hash, .value = value};
    m->count++;
    return NULL;
}

void *map_del(struct map *m, str key)
{
    if (m->count == 0)
        return NULL;
    struct map_slot *s = probe(m, key, (uint32_t)siphash(m->key, key));
    if (!s)
        return NULL;
    void *value = s->value;
    free(s->key);
    *s = (struct map_slot){.dead = true};
    m->count--;
    return value;
}

void map_fini(struct map *m)
{
    for (size_t i = 0; i < m->cap; i++)
        free(m->slots[i].key);
    free(m->slots);
    *m = (struct map){0};
}

bool map_next(const struct map *m, size_t *i, str *key, void **value)
{
    for (; *i < m->cap; ++*i) {
        struct map_slot *s = &m->slots[*i];
        if (!s->key)
            continue;
        *key = str_of(s->key, s->key_n);
        *value = s->value;
        ++*i;
        return true;
    }
    return false;
}
