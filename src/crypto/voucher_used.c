/* The set of vouchers already used: a chained hash table whose entries also stand in a queue, in
 * the order in which they came. Vouchers live equally long, so the oldest die first and are dropped
 * from the front, a bounded number at each take: no take ever walks the whole set. Memory is
 * touched only as far as it was needed. */
#include "crypto/voucher.h"

#include <stdlib.h>

enum { CAPACITY_MAX = 1 << 22, KEY_BYTES = 16, DROPPED_MAX = 1024 };

/* Numbers of entries are kept plus one, so that fresh memory (zeros) reads as "none". */
struct entry {
    uint8_t key[KEY_BYTES]; /* of (kind, call, secret) */
    int64_t expires_ms;
    uint32_t next;  /* in its bucket, or in the list of free ones */
    uint32_t later; /* the next in the queue */
};

struct voucher_used {
    struct entry *entries;
    uint32_t *heads; /* first entry of each bucket */
    uint32_t capacity, buckets, count;
    uint32_t used; /* entries below this have been used at least once */
    uint32_t free, oldest, newest;
    int64_t seen_ms; /* latest time ever given */
};

bool voucher_used_new(size_t capacity, struct voucher_used **out, struct err *err)
{
    if (capacity == 0 || capacity > CAPACITY_MAX)
        return err_input(err, "room for 1 to %d vouchers", CAPACITY_MAX);
    struct voucher_used *u = calloc(1, sizeof *u);
    if (!u)
        abort();
    u->capacity = (uint32_t)capacity;
    for (u->buckets = 8; u->buckets < capacity / 2;)
        u->buckets *= 2;
    u->entries = calloc(capacity, sizeof *u->entries);
    u->heads = calloc(u->buckets, sizeof *u->heads);
    if (!u->entries || !u->heads)
        abort();
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
 * nobody chooses collisions; should two meet by chance, the later is refused. */
static struct hash key_of(const struct voucher *v)
{
    char kind = (char)v->kind;
    const str parts[] = {str_of(&kind, 1), v->call, v->secret};
    return sha256_parts(parts, 3);
}

static struct entry *at(struct voucher_used *u, uint32_t number)
{
    return &u->entries[number - 1];
}

static uint32_t *bucket(struct voucher_used *u, const uint8_t *key)
{
    uint32_t h;
    memcpy(&h, key, sizeof h);
    return &u->heads[h & (u->buckets - 1)];
}

static void drop_oldest(struct voucher_used *u)
{
    uint32_t number = u->oldest;
    struct entry *e = at(u, number);
    uint32_t *link = bucket(u, e->key);
    while (*link != number)
        link = &at(u, *link)->next;
    *link = e->next;
    u->oldest = e->later;
    if (!u->oldest)
        u->newest = 0;
    e->next = u->free;
    u->free = number;
    u->count--;
}

static void add(struct voucher_used *u, uint32_t *head, const uint8_t *key, int64_t expires_ms)
{
    uint32_t number = u->free;
    if (number)
        u->free = at(u, number)->next;
    else
        number = ++u->used;
    struct entry *e = at(u, number);
    *e = (struct entry){.expires_ms = expires_ms, .next = *head};
    memcpy(e->key, key, KEY_BYTES);
    *head = number;
    if (u->newest)
        at(u, u->newest)->later = number;
    else
        u->oldest = number;
    u->newest = number;
    u->count++;
}

bool voucher_used_take(struct voucher_used *u, const struct voucher *v, int64_t now_ms,
                       struct err *err)
{
    if (now_ms > u->seen_ms)
        u->seen_ms = now_ms;
    if (v->expires_ms <= u->seen_ms)
        return err_denied(err, "voucher: expired");
    struct hash key = key_of(v);
    uint32_t *head = bucket(u, key.b);
    for (uint32_t i = *head; i; i = at(u, i)->next)
        if (memcmp(at(u, i)->key, key.b, KEY_BYTES) == 0)
            return err_denied(err, "voucher: already used");
    for (int i = 0; i < DROPPED_MAX && u->oldest && at(u, u->oldest)->expires_ms <= u->seen_ms; i++)
        drop_oldest(u);
    if (u->count == u->capacity)
        return err_limit(err, "voucher: too many in use, try again shortly");
    add(u, head, key.b, v->expires_ms);
    return true;
}

size_t voucher_used_count(const struct voucher_used *u)
{
    return u->count;
}
