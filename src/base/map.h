/* map: str -> pointer, open addressing, keyed hash (SipHash-1-3 with a random key per map), so a
 * stranger who chooses keys cannot choose collisions. Keys are copied and owned by the map; values
 * are borrowed. Iteration is in no useful order. One thread at a time. Zero value = empty map. */
#pragma once
#include "base/str.h"

struct map_slot;

struct map {
    struct map_slot *slots;
    size_t count, used, cap; /* used counts tombstones too */
    uint64_t key[2];
};

void *map_get(const struct map *m, str key); /* NULL if absent */
/* Stores value (not NULL) and returns the former value or NULL. */
void *map_put(struct map *m, str key, void *value);
/* Removes and returns the value, NULL if absent. Safe during iteration for the current entry. */
void *map_del(struct map *m, str key);
/* Frees the table and keys, not the values. */
void map_fini(struct map *m);
/* for (size_t i = 0; map_next(&m, &i, &key, &value);) ; puts during the walk are not allowed. */
bool map_next(const struct map *m, size_t *i, str *key, void **value);
static inline size_t map_count(const struct map *m)
{
    return m->count;
}
