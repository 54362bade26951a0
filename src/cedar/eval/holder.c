#include "cedar/eval/holder.h"

#include <stdlib.h>

struct cedar_snapshot *cedar_snapshot_new(const struct cedar_set *set, const struct schema *schema,
                                          const struct cedar_entities *entities,
                                          void (*release)(void *owner), void *owner)
{
    struct cedar_snapshot *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->set = set;
    s->schema = schema;
    s->entities = entities;
    s->release = release;
    s->owner = owner;
    atomic_init(&s->refs, 1);
    return s;
}

void cedar_snapshot_unref(struct cedar_snapshot *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    s->release(s->owner);
    free(s);
}

void cedar_holder_init(struct cedar_holder *h)
{
    *h = (struct cedar_holder){0};
    pthread_mutex_init(&h->lock, NULL);
}

void cedar_holder_fini(struct cedar_holder *h)
{
    cedar_snapshot_unref(h->now);
    pthread_mutex_destroy(&h->lock);
}

struct cedar_snapshot *cedar_holder_take(struct cedar_holder *h)
{
    pthread_mutex_lock(&h->lock);
    struct cedar_snapshot *s = h->now;
    if (s)
        atomic_fetch_add(&s->refs, 1);
    pthread_mutex_unlock(&h->lock);
    return s;
}

void cedar_holder_put(struct cedar_holder *h, struct cedar_snapshot *s)
{
    pthread_mutex_lock(&h->lock);
    struct cedar_snapshot *before = h->now;
    h->now = s;
    pthread_mutex_unlock(&h->lock);
    cedar_snapshot_unref(before); /* outside: freeing a large set takes its time */
}
