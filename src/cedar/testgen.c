#include "cedar/testgen.h"

#include <assert.h>

const char testgen_schema[] =
    "type Address = {zip: Long, city?: String};\n"
    "type Point = {x: Long, y: Long};\n"
    "type Profile = {level: Long, nick?: String, home?: Address, at: Point};\n"
    "entity Color enum [\"red\", \"green\"];\n"
    "entity Org;\n"
    "entity Team in [Team, Org] = {lead?: User, size: Long, color: Color} tags String;\n"
    "entity User in [Team, Org] = {age: Long, name: String, admin: Bool, manager?: User,\n"
    "  friends: Set<User>, nums?: Set<Long>, profile: Profile, extra?: Profile, color: Color,\n"
    "  ip?: ipaddr, joined: datetime, ttl?: duration, score: decimal, spots: Set<Point>\n"
    "} tags Set<String>;\n"
    "entity Folder in [Folder, Org] = {owner?: User, title: String};\n"
    "entity Doc in [Folder] = {owner: User, team?: Team, public: Bool, size: Long, title: String,\n"
    "  when?: datetime, from: ipaddr, seen: Set<String>, parent?: Folder} tags Long;\n"
    "action all;\n"
    "action read in [all];\n"
    "action view in [read] appliesTo {principal: [User, Team], resource: [Doc, Folder],\n"
    "  context: {mfa: Bool, ip?: ipaddr, now: datetime, n: Long, as?: User, tag: String}};\n"
    "action edit in [all] appliesTo {principal: User, resource: Doc,\n"
    "  context: {mfa: Bool, reason?: String, p?: Point, size: Long}};\n"
    "action share appliesTo {principal: User, resource: [Doc, Folder], context: {with: User}};\n"
    "action join in [all] appliesTo {principal: User, resource: [Team, Color]};\n";

uint64_t testgen_next(struct testgen *g)
{
    uint64_t z = g->state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

unsigned testgen_below(struct testgen *g, size_t n)
{
    return (unsigned)((testgen_next(g) >> 11) % n);
}

/* ---- what the schema offers ---- */

#define ADD(g, array, count, cap, item)                                                            \
    do {                                                                                           \
        if ((count) == (cap)) {                                                                    \
            (cap) = (cap) ? (cap)*2 : 16;                                                          \
            void *bigger_ = arena_alloc_array((g)->arena, (cap), sizeof *(array));                 \
            if (count)                                                                             \
                memcpy(bigger_, (array), (count) * sizeof *(array));                               \
            (array) = bigger_;                                                                     \
        }                                                                                          \
        (array)[(count)++] = (item);                                                               \
    } while (0)

static void add_type(struct testgen *g, const struct ctype *t)
{
    for (size_t i = 0; i < g->type_count; i++)
        if (ctype_equal(g->types[i], t))
            return;
    ADD(g, g->types, g->type_count, g->type_cap, t);
}

static void add_sources(struct testgen *g, struct testgen_source from, const struct ctype *record)
{
    if (from.n == 4)
        return;
    for (uint32_t i = 0; i < record->n; i++) {
        struct testgen_source s = from;
        s.names[s.n] = record->attrs[i].name;
        s.optional[s.n++] = !record->attrs[i].required;
        s.type = record->attrs[i].type;
        ADD(g, g->sources, g->source_count, g->source_cap, s);
        if (s.type->kind == CTYPE_RECORD)
            add_sources(g, s, s.type);
        if (from.etype != SCHEMA_NO_TYPE)
            add_type(g, s.type);
    }
}

void testgen_init(struct testgen *g, struct arena *a, const struct schema *schema, uint64_t seed)
{
    *g = (struct testgen){.state = seed, .arena = a, .schema = schema};
    add_type(g, &ctype_bool);
    add_type(g, &ctype_long);
    add_type(g, &ctype_string);
    for (size_t i = 0; i < CTYPE_EXT_COUNT; i++)
        add_type(g, &ctype_exts[i]);
    for (size_t i = 0; i < schema->etype_count; i++) {
        const struct schema_etype *e = &schema->etypes[i];
        if (e->is_action)
            continue;
        add_type(g, e->type);
        add_sources(g, (struct testgen_source){.etype = e->index}, e->shape);
    }
    g->fixed_sources = g->source_count;
}

void testgen_env(struct testgen *g)
{
    const struct schema_action *x;
    do
        x = &g->schema->actions[testgen_below(g, g->schema->action_count)];
    while (x->principals.count == 0 || x->resources.count == 0);
    g->action = x;
    g->principal = x->principals.items[testgen_below(g, x->principals.count)];
    g->resource = x->resources.items[testgen_below(g, x->resources.count)];
    g->source_count = g->fixed_sources;
    add_sources(g, (struct testgen_source){.etype = SCHEMA_NO_TYPE}, x->context);
}

/* ---- values ---- */

static const char *const ids[] = {"a", "b", "c", "d"};
enum { STORED_IDS = 3, IDS = 4 };

struct cedar_uid testgen_uid(struct testgen *g, uint32_t etype)
{
    const struct schema_etype *e = &g->schema->etypes[etype];
    struct cedar_uid uid = {e->name, str_z(ids[testgen_below(g, IDS)])};
    str id;
    void *value;
    unsigned skip = testgen_below(g, map_count(&e->ids) + 1);
    for (size_t i = 0; (e->is_enum || e->is_action) && map_next(&e->ids, &i, &id, &value);) {
        uid.id = id;
        if (skip-- == 0)
            break;
    }
    return uid;
}

static int64_t some_long(struct testgen *g)
{
    static const int64_t longs[] = {0, 1, 2, 3, -1, 10, INT64_MAX, INT64_MIN};
    return longs[testgen_below(g, testgen_chance(g, 250) ? 8 : 5)];
}

static struct cedar_value some_ext(struct testgen *g, struct arena *a, enum ctype_ext ext)
{
    static const char *const addresses[] = {"10.0.0.1", "10.0.0.0/8", "127.0.0.1", "::1"};
    struct cedar_ip *ip = ARENA_NEW(a, struct cedar_ip);
    struct err err;
    switch (ext) {
    case CTYPE_DECIMAL:
        return cedar_decimal((int64_t)testgen_below(g, 4) * 5000);
    case CTYPE_DATETIME:
        return cedar_datetime(testgen_chance(g, 50) ? 253402300799999
                                                    : (int64_t)testgen_below(g, 4) * 43200000);
    case CTYPE_DURATION:
        return cedar_duration(testgen_chance(g, 100) ? INT64_MAX
                                                     : (int64_t)testgen_below(g, 4) * 43200000);
    default:
        assert(cedar_ip_read(str_z(addresses[testgen_below(g, 4)]), ip, &err));
        return (struct cedar_value){.kind = CEDAR_IPADDR, .ip = ip};
    }
}

static struct cedar_value some_record(struct testgen *g, struct arena *a, const struct ctype *t)
{
    struct cedar_field *fields = ARENA_ARRAY(a, struct cedar_field, t->n);
    struct cedar_value v;
    size_t n = 0;
    for (uint32_t i = 0; i < t->n; i++)
        if (t->attrs[i].required || testgen_chance(g, 500))
            fields[n++] =
                (struct cedar_field){t->attrs[i].name, testgen_value(g, a, t->attrs[i].type)};
    assert(cedar_record_of(fields, n, &v));
    return v;
}

struct cedar_value testgen_value(struct testgen *g, struct arena *a, const struct ctype *t)
{
    static const char *const strings[] = {"", "a", "b", "ab", "a*b"};
    struct cedar_value *items;
    struct cedar_uid *uid;
    size_t n;
    switch (t->kind) {
    case CTYPE_LONG:
        return cedar_long(some_long(g));
    case CTYPE_STRING:
        return cedar_string(str_z(strings[testgen_below(g, 5)]));
    case CTYPE_SET:
        n = testgen_below(g, 4);
        items = ARENA_ARRAY(a, struct cedar_value, n);
        for (size_t i = 0; i < n; i++)
            items[i] = testgen_value(g, a, t->elem);
        return cedar_set_of(items, n);
    case CTYPE_RECORD:
        return some_record(g, a, t);
    case CTYPE_ENTITY:
        uid = ARENA_NEW(a, struct cedar_uid);
        *uid = testgen_uid(g, t->etypes[testgen_below(g, t->n)]);
        return cedar_entity_value(uid);
    case CTYPE_EXT:
        return some_ext(g, a, t->ext);
    default:
        return cedar_bool(testgen_chance(g, 500));
    }
}

/* ---- entities and requests ---- */

static struct cedar_value some_tags(struct testgen *g, struct arena *a, const struct ctype *t)
{
    static const char *const keys[] = {"a", "b", "ab"};
    struct cedar_field *fields = ARENA_ARRAY(a, struct cedar_field, 3);
    struct cedar_value v = {0};
    size_t n = 0;
    for (size_t i = 0; t && i < 3; i++)
        if (testgen_chance(g, 500))
            fields[n++] = (struct cedar_field){str_z(keys[i]), testgen_value(g, a, t)};
    assert(cedar_record_of(fields, n, &v));
    return v;
}

/* Parents come later in an order of all (id, type), so there are no cycles. */
static void some_parents(struct testgen *g, struct arena *a, const struct schema_etype *e,
                         size_t id, struct cedar_entity *out)
{
    struct cedar_uid *parents = ARENA_ARRAY(a, struct cedar_uid, e->parents.count * IDS);
    for (size_t i = 0; i < e->parents.count; i++) {
        const struct schema_etype *p = &g->schema->etypes[e->parents.items[i]];
        for (size_t j = id + 1; j < IDS && !p->is_enum; j++)
            if (testgen_chance(g, 350))
                parents[out->parent_count++] = (struct cedar_uid){p->name, str_z(ids[j])};
    }
    out->parents = parents;
}

static bool has_item(const struct cedar_entities *s, const struct cedar_uid *uid)
{
    for (size_t i = 0; i < s->count; i++)
        if (cedar_uid_eq(&s->items[i]->uid, uid))
            return true;
    return false;
}

void testgen_add_actions(const struct schema *s, struct arena *a, struct cedar_entities *out)
{
    struct err err;
    for (size_t i = 0; i < s->action_count; i++) {
        const struct schema_action *x = &s->actions[i];
        struct cedar_uid *parents = ARENA_ARRAY(a, struct cedar_uid, x->parents.count);
        for (size_t j = 0; j < x->parents.count; j++)
            parents[j] = s->actions[x->parents.items[j]].uid;
        struct cedar_entity one = {
            .uid = x->uid, .parents = parents, .parent_count = x->parents.count};
        assert(has_item(out, &x->uid) || cedar_entities_add(out, &one, &err));
    }
}

void testgen_entities(struct testgen *g, struct arena *a, struct cedar_entities *out)
{
    struct err err;
    cedar_entities_init(out, a, NULL, 12345);
    for (size_t i = 0; i < g->schema->etype_count; i++) {
        const struct schema_etype *e = &g->schema->etypes[i];
        for (size_t id = 0; id < STORED_IDS && !e->is_action && !e->is_enum; id++) {
            struct cedar_entity one = {.uid = {e->name, str_z(ids[id])}};
            if (testgen_chance(g, 150))
                continue;
            one.attrs = some_record(g, a, e->shape);
            one.tags = some_tags(g, a, e->tags);
            some_parents(g, a, e, id, &one);
            assert(cedar_entities_add(out, &one, &err));
        }
    }
    testgen_add_actions(g->schema, a, out);
    assert(cedar_entities_seal(out, &err));
}

struct cedar_request testgen_request(struct testgen *g, struct arena *a)
{
    struct cedar_value *context = ARENA_NEW(a, struct cedar_value);
    *context = testgen_value(g, a, g->action->context);
    return (struct cedar_request){.principal = testgen_uid(g, g->principal),
                                  .action = g->action->uid,
                                  .resource = testgen_uid(g, g->resource),
                                  .context = context};
}
