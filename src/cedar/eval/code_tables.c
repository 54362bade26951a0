/* What instructions refer to, each thing once. */
#include "cedar/eval/code.h"

/* Numbers of things by their hash; open addressing. */
struct table {
    uint64_t *hashes;
    uint32_t *numbers; /* + 1; 0: free */
    size_t slot_count, count;
};

struct name_range {
    uint32_t first, n;
};

struct code_tables {
    struct arena *arena;
    struct table consts, keys, names, ranges;
    str *strings; /* the names, each once */
    size_t string_count, string_cap;
    struct name_range *known_ranges;
    size_t range_count, range_cap;
};

struct code_tables *code_tables_new(struct arena *a)
{
    struct code_tables *t = ARENA_NEW(a, struct code_tables);
    t->arena = a;
    return t;
}

/* ---- the table ---- */

static void table_place(struct table *t, uint64_t hash, uint32_t number)
{
    size_t mask = t->slot_count - 1, i = hash & mask;
    while (t->numbers[i])
        i = (i + 1) & mask;
    t->hashes[i] = hash;
    t->numbers[i] = number + 1;
}

static void table_add(struct arena *a, struct table *t, uint64_t hash, uint32_t number)
{
    if (++t->count * 2 > t->slot_count) {
        struct table old = *t;
        t->slot_count = old.slot_count ? old.slot_count * 2 : 256;
        t->hashes = ARENA_ARRAY(a, uint64_t, t->slot_count);
        t->numbers = ARENA_ARRAY(a, uint32_t, t->slot_count);
        for (size_t i = 0; i < old.slot_count; i++) {
            if (old.numbers[i])
                table_place(t, old.hashes[i], old.numbers[i] - 1);
        }
    }
    table_place(t, hash, number);
}

/* for (size_t i = hash; table_next(t, hash, &i, &number);) : all that have this hash. */
static bool table_next(const struct table *t, uint64_t hash, size_t *i, uint32_t *number)
{
    size_t mask = t->slot_count - 1;
    for (; t->slot_count && t->numbers[*i & mask]; ++*i) {
        if (t->hashes[*i & mask] == hash) {
            *number = t->numbers[(*i)++ & mask] - 1;
            return true;
        }
    }
    return false;
}

/* ---- constants ---- */

static uint64_t hash_value(uint64_t seed, const struct cedar_value *v)
{
    uint64_t h = hash_fold(seed ^ v->kind, 0xd6e8feb86659fd93 ^ v->n);
    switch ((enum cedar_kind)v->kind) {
    case CEDAR_BOOL:
        return h ^ v->b;
    case CEDAR_STRING:
        return hash_bytes(h, cedar_str(*v));
    case CEDAR_ENTITY:
        return hash_uid(h, v->uid);
    case CEDAR_SET:
        for (uint32_t i = 0; i < v->n; i++)
            h = hash_value(h, &v->items[i]);
        return h;
    case CEDAR_RECORD:
        for (uint32_t i = 0; i < v->n; i++)
            h = hash_value(hash_bytes(h, v->fields[i].name), &v->fields[i].value);
        return h;
    case CEDAR_IPADDR:
        return hash_bytes(h, str_of((const char *)v->ip->bytes, v->ip->is_v6 ? 16 : 4));
    default:
        return hash_fold(h ^ (uint64_t)v->i, 0x9e3779b97f4a7c15);
    }
}

uint32_t code_const(struct code *c, const struct cedar_value *v)
{
    uint32_t number = (uint32_t)c->const_count;
    struct cedar_value kept = *v;
    if (c->tables) {
        uint64_t hash = hash_value(c->seed, v);
        for (size_t i = hash; table_next(&c->tables->consts, hash, &i, &number);) {
            if (cedar_value_eq(&c->consts[number], v))
                return number;
        }
        number = (uint32_t)c->const_count;
        table_add(c->tables->arena, &c->tables->consts, hash, number);
        kept = cedar_value_copy(c->keep, *v);
    }
    PUSH(c->grow, c->consts, c->const_count, c->const_cap, kept);
    return number;
}

/* ---- names ---- */

static str one_name(struct code *c, str name)
{
    struct code_tables *t = c->tables;
    uint64_t hash = hash_bytes(c->seed, name);
    uint32_t number;
    for (size_t i = hash; table_next(&t->names, hash, &i, &number);) {
        if (str_eq(t->strings[number], name))
            return t->strings[number];
    }
    table_add(t->arena, &t->names, hash, (uint32_t)t->string_count);
    str kept = str_dup(c->keep, name);
    PUSH(t->arena, t->strings, t->string_count, t->string_cap, kept);
    return kept;
}

static bool same_names(const str *a, const str *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!str_eq(a[i], b[i]))
            return false;
    }
    return true;
}

uint32_t code_names(struct code *c, const str *names, size_t n)
{
    struct code_tables *t = c->tables;
    struct name_range range = {(uint32_t)c->name_count, (uint32_t)n};
    if (t) {
        uint64_t hash = c->seed ^ n;
        uint32_t number;
        for (size_t i = 0; i < n; i++)
            hash = hash_bytes(hash, names[i]);
        for (size_t i = hash; table_next(&t->ranges, hash, &i, &number);) {
            const struct name_range *had = &t->known_ranges[number];
            if (had->n == n && same_names(c->names + had->first, names, n))
                return had->first;
        }
        table_add(t->arena, &t->ranges, hash, (uint32_t)t->range_count);
        PUSH(t->arena, t->known_ranges, t->range_count, t->range_cap, range);
    }
    for (size_t i = 0; i < n; i++)
        PUSH(c->grow, c->names, c->name_count, c->name_cap, t ? one_name(c, names[i]) : names[i]);
    return range.first;
}

/* ---- uids ---- */

/* The uid and its id in one piece; its type is one of the names. */
static const struct cedar_uid *keep_uid(struct code *c, const struct cedar_uid *uid)
{
    struct cedar_uid *kept = arena_alloc(c->keep, sizeof *kept + uid->id.n);
    char *id = (char *)(kept + 1);
    if (uid->id.n)
        memcpy(id, uid->id.p, uid->id.n);
    *kept = (struct cedar_uid){one_name(c, uid->type), str_of(id, uid->id.n)};
    return kept;
}

uint32_t code_key(struct code *c, const struct cedar_uid *uid)
{
    struct key key = {hash_uid(c->seed, uid), uid};
    uint32_t number;
    if (c->tables) {
        for (size_t i = key.hash; table_next(&c->tables->keys, key.hash, &i, &number);) {
            if (cedar_uid_eq(c->keys[number].uid, uid))
                return number;
        }
        table_add(c->tables->arena, &c->tables->keys, key.hash, (uint32_t)c->key_count);
        key.uid = keep_uid(c, uid);
    }
    PUSH(c->grow, c->keys, c->key_count, c->key_cap, key);
    return (uint32_t)c->key_count - 1;
}
