/* The set of vouchers already used: chained hash table over a fixed array of entries, swept when it
 * runs full. */
#include "crypto/voucher.h"

#include <stdlib.h>

enum { CAPACITY_MAX = 1 << 22 };
/* Links are indexes plus one, so zeroed memory is an empty table and costs no page until it is used. */
#define NONE 0u

struct entry {
    struct hash key; /* of (kind, call, secret), so that entries are small and all alike */
    int64_t expires_ms;
    uint32_t next;
};

struct voucher_used {
    struct entry *entries;
    uint32_t *heads; /* first entry of each bucket */
    uint32_t capacity, buckets, count;
    uint32_t free;       /* first entry given back, linked by next */
    uint32_t fresh;      /* entries from here on were never used */
    int64_t seen_ms;     /* latest time ever given */
    int64_t earliest_ms; /* no entry expires before this: a sweep sooner is for nothing */
};

bool voucher_used_new(size_t capacity, struct voucher_used **out, struct err *err)
{
    if (capacity == 0 || capacity > CAPACITY_MAX)
        return err_input(err, "room for 1 to %d vouchers", CAPACITY_MAX);
    struct voucher_used *u = calloc(1, sizeof *u);
    if (!u)
        abort();
    u->capacity = (uint32_t)capacity;
    for (u->buckets = 8; u->buckets < capacity;)
        u->buckets *= 2;
    u->entries = calloc(capacity, sizeof *u->entries);
    u->heads = calloc(u->buckets, sizeof *u->heads);
    if (!u->entries || !u->heads)
        abort();
    u->earliest_ms = INT64_MAX;
    *out = u;
    return true;
}

void voucher_used_free(struct voucher_used *u)
{
    if (!u)
        return;
    free(u->entries);
    free(u->heads);
    free(u);
}

/* Fixed widths before the one part that varies, so no framing is needed. Only core can mint, so
 * nobody chooses collisions. */
static struct hash key_of(const struct voucher *v)
{
    char kind = (char)v->kind;
    const str parts[] = {str_of(&kind, 1), v->call, v->secret};
    return sha256_parts(parts, 3);
}

static uint32_t *bucket(struct voucher_used *u, const struct hash *key)
{
    uint32_t h;
    memcpy(&h, key->b, sizeof h);
    return &u->heads[h & (u->buckets - 1)];
}

static void sweep_bucket(struct voucher_used *u, uint32_t *link)
{
    while (*link != NONE) {
        uint32_t i = *link;
        struct entry *e = &u->entries[i - 1];
        if (e->expires_ms > u->seen_ms) {
            if (e->expires_ms < u->earliest_ms)
                u->earliest_ms = e->expires_ms;
            link = &e->next;
            continue;
        }
        *link = e->next;
        e->next = u->free;
        u->free = i;
        u->count--;
    }
}

static void sweep(struct voucher_used *u)
{
    u->earliest_ms = INT64_MAX;
    for (uint32_t b = 0; b < u->buckets; b++)
        sweep_bucket(u, &u->heads[b]);
}

bool voucher_used_take(struct voucher_used *u, const struct voucher *v, int64_t now_ms,
                       struct err *err)
{
    if (now_ms > u->seen_ms)
        u->seen_ms = now_ms;
    if (v->expires_ms <= u->seen_ms)
        return err_denied(err, "voucher: expired");
    struct hash key = key_of(v);
    uint32_t *head = bucket(u, &key);
    for (uint32_t i = *head; i != NONE; i = u->entries[i - 1].next)
        if (hash_eq(&u->entries[i - 1].key, &key))
            return err_denied(err, "voucher: already used");
    bool full = u->free == NONE && u->fresh == u->capacity;
    if (full && u->earliest_ms <= u->seen_ms)
        sweep(u);
    uint32_t i = u->free;
    if (i != NONE)
        u->free = u->entries[i - 1].next;
    else if (u->fresh < u->capacity)
        i = ++u->fresh;
    else
        return err_limit(err, "voucher: too many in use, try again shortly");
    u->entries[i - 1] = (struct entry){.key = key, .expires_ms = v->expires_ms, .next = *head};
    *head = i;
    u->count++;
    if (v->expires_ms < u->earliest_ms)
        u->earliest_ms = v->expires_ms;
    return true;
}

size_t voucher_used_count(const struct voucher_used *u)
{
    return u->count;
}
