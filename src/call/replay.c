#include "call/replay.h"
#include "base/rand.h"
#include "crypto/hash.h"

#include <stdlib.h>

enum { MARK_LEN = 24, CAP_MIN = 1024 };

struct slot {
    uint8_t mark[MARK_LEN]; /* of a keyed digest: nobody outside can choose where it falls */
    int64_t until_s;        /* 0: free */
};

struct replay {
    uint8_t key[HASH_LEN];
    struct slot *slots;
    size_t cap, used, max;
    int64_t cleaned_s;
};

static struct slot *table_new(size_t cap)
{
    struct slot *t = calloc(cap, sizeof *t);
    if (!t)
        abort();
    return t;
}

struct replay *replay_new(size_t max)
{
    struct replay *r = calloc(1, sizeof *r);
    if (!r)
        abort();
    rand_bytes(r->key, sizeof r->key);
    r->max = max;
    r->cap = CAP_MIN;
    r->slots = table_new(r->cap);
    return r;
}

void replay_free(struct replay *r)
{
    if (!r)
        return;
    free(r->slots);
    free(r);
}

static size_t home_of(const uint8_t mark[MARK_LEN], size_t cap)
{
    uint64_t h;
    memcpy(&h, mark, sizeof h);
    return (size_t)h & (cap - 1);
}

/* The slot that holds the mark, or the free one where it belongs. There is always a free one. */
static struct slot *find(struct slot *slots, size_t cap, const uint8_t mark[MARK_LEN])
{
    size_t i = home_of(mark, cap);
    while (slots[i].until_s && memcmp(slots[i].mark, mark, MARK_LEN) != 0)
        i = (i + 1) & (cap - 1);
    return &slots[i];
}

/* Leaves the dead behind; doubles if the living fill half. */
static void rebuild(struct replay *r, int64_t now_s)
{
    size_t live = 0;
    for (size_t i = 0; i < r->cap; i++)
        live += r->slots[i].until_s > now_s;
    size_t cap = live * 2 > r->cap ? r->cap * 2 : r->cap;
    struct slot *fresh = table_new(cap);
    for (size_t i = 0; i < r->cap; i++)
        if (r->slots[i].until_s > now_s)
            *find(fresh, cap, r->slots[i].mark) = r->slots[i];
    free(r->slots);
    r->slots = fresh;
    r->cap = cap;
    r->used = live;
    r->cleaned_s = now_s;
}

bool replay_take(struct replay *r, str who, str what, int64_t now_s, int64_t until_s,
                 struct err *err)
{
    uint64_t n = who.n;
    str parts[] = {str_of((const char *)&n, sizeof n), who, what};
    struct hash mark = hmac_sha256_parts(str_of((const char *)r->key, sizeof r->key), parts, 3);
    struct slot *s = find(r->slots, r->cap, mark.b);
    if (s->until_s > now_s)
        return err_denied(err, "it has been used already");
    bool crowded = (r->used + 1) * 4 > r->cap * 3, full = r->used >= r->max;
    /* A full table is gone through once a second, not once for each who asks. */
    if (!s->until_s && (crowded || full) && (!full || r->cleaned_s != now_s)) {
        rebuild(r, now_s);
        s = find(r->slots, r->cap, mark.b);
    }
    if (!s->until_s && r->used >= r->max)
        return err_limit(err, "too many proofs are in use at this moment; try again in a minute");
    r->used += !s->until_s;
    memcpy(s->mark, mark.b, MARK_LEN);
    s->until_s = until_s > now_s ? until_s : now_s + 1;
    return true;
}

size_t replay_count(const struct replay *r)
{
    return r->used;
}
