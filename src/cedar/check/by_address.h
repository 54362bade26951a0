/* by_address: what is known of the expressions of one policy, found by where they stand. Internal.
 *
 * Open addressing in an arena, which takes the memory back. Addresses are ours, so nobody can
 * choose them to collide, and no key is needed. */
#pragma once
#include "cedar/policy/ast.h"

struct by_address_slot {
    const struct cedar_expr *e; /* NULL: free */
    void *value;
};

struct by_address {
    struct by_address_slot *slots;
    size_t count, slot_count; /* a power of two, or 0 */
};

static inline struct by_address_slot *by_address_slot(const struct by_address *t,
                                                      const struct cedar_expr *e)
{
    size_t i = (size_t)(((uint64_t)(uintptr_t)e * 0x9e3779b97f4a7c15) >> 32);
    for (;; i++) {
        struct by_address_slot *s = &t->slots[i & (t->slot_count - 1)];
        if (!s->e || s->e == e)
            return s;
    }
}

/* NULL if nothing is known of e. */
static inline void *by_address_get(const struct by_address *t, const struct cedar_expr *e)
{
    return t->slot_count ? by_address_slot(t, e)->value : NULL;
}

static inline void by_address_grow(struct arena *a, struct by_address *t)
{
    struct by_address bigger = {.slot_count = t->slot_count ? t->slot_count * 2 : 32};
    bigger.slots = ARENA_ARRAY(a, struct by_address_slot, bigger.slot_count);
    bigger.count = t->count;
    for (size_t i = 0; i < t->slot_count; i++)
        if (t->slots[i].e)
            *by_address_slot(&bigger, t->slots[i].e) = t->slots[i];
    *t = bigger;
}

static inline void by_address_put(struct arena *a, struct by_address *t, const struct cedar_expr *e,
                                  void *value)
{
    if (t->count * 2 >= t->slot_count)
        by_address_grow(a, t);
    struct by_address_slot *s = by_address_slot(t, e);
    t->count += s->e == NULL;
    *s = (struct by_address_slot){e, value};
}
