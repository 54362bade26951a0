/* entities: the data that policies read: each entity's attributes, tags and ancestors.
 *
 * Built in three steps: init, add each entity once, seal (computes all ancestors and refuses
 * cycles); read-only and shareable between threads after that. Everything lives in the arena given;
 * what an entity points to (names, values, parents) is borrowed and must live as long.
 *
 * A store may stand on a base: a sealed store that lives longer (agents and owners under a
 * request's own resource). Look-ups fall through to it; a uid may not be in both.
 *
 * A parent that is in no store is an ancestor all the same, with no ancestors of its own. Limits:
 * CEDAR_ENTITIES_MAX entities, CEDAR_ANCESTORS_MAX (entity, ancestor) pairs in a store. */
#pragma once
#include "cedar/value/value.h"

enum {
    CEDAR_ENTITIES_MAX = 1 << 20,
    CEDAR_ANCESTORS_MAX = 1 << 22,
};

struct cedar_ancestor {
    uint64_t hash;
    const struct cedar_uid *uid;
};

struct cedar_entity {
    struct cedar_uid uid;
    struct cedar_value attrs; /* a record */
    /* Filled in by the store: in the order of their hashes, itself not among them. */
    const struct cedar_ancestor *ancestors;
    size_t ancestor_count;
    uint64_t hash;           /* filled in by the store */
    size_t ancestor_cap;     /* the same; room for ancestors beside it */
    struct cedar_value tags; /* a record */
    const struct cedar_uid *parents;
    size_t parent_count;
};

struct cedar_entity_slot {
    uint64_t hash;
    struct cedar_entity *entity; /* NULL: free */
};

struct cedar_entities {
    struct arena *arena;
    const struct cedar_entities *base;
    uint64_t seed;
    struct cedar_entity **items; /* in the order of adding */
    size_t count, cap;
    struct cedar_entity_slot *slots; /* hash table, power of two */
    size_t slot_count;
    str names[64]; /* of types and attributes, lately seen; by a remainder of their hash */
    bool sealed;
};

/* base may be NULL. seed keys the hash table: a random number that strangers cannot know, where ids
 * come from strangers; a store on a base takes the base's. */
void cedar_entities_init(struct cedar_entities *s, struct arena *a,
                         const struct cedar_entities *base, uint64_t seed);
/* attrs and tags may be CEDAR_NONE for "none". The same entity again is accepted when it is equal
 * in all, refused otherwise. Refuses a parent that is the entity itself, and a parent of an action
 * that is none. */
MUST_USE bool cedar_entities_add(struct cedar_entities *s, const struct cedar_entity *e,
                                 struct err *err);
MUST_USE bool cedar_entities_seal(struct cedar_entities *s, struct err *err);

/* NULL if it is in no store. */
const struct cedar_entity *cedar_entities_find(const struct cedar_entities *s,
                                               const struct cedar_uid *uid);
/* The same for who has the uid's hash under the store's seed already. */
const struct cedar_entity *cedar_entities_find_hashed(const struct cedar_entities *s, uint64_t hash,
                                                      const struct cedar_uid *uid);
/* Begins to fetch what find_hashed will look at. */
static inline void cedar_entities_prefetch(const struct cedar_entities *s, uint64_t hash)
{
    for (; s; s = s->base) {
        if (s->slot_count) {
            const char *e = (const char *)s->slots[hash & (s->slot_count - 1)].entity;
            for (int line = 0; line < 4; line++)
                __builtin_prefetch(e + line * 64);
        }
    }
}
/* Where in ancestors, which are in the order of their hashes, those of that hash begin, if any. */
size_t cedar_ancestors_from(const struct cedar_ancestor *ancestors, size_t n, uint64_t hash);
/* Whether uid is an ancestor of e, which came from this store. */
bool cedar_entity_has_ancestor(const struct cedar_entities *s, const struct cedar_entity *e,
                               const struct cedar_uid *uid);
/* The language's `a in b`: the same, or an ancestor. */
bool cedar_entities_in(const struct cedar_entities *s, const struct cedar_uid *a,
                       const struct cedar_uid *b);
