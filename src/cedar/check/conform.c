#include "cedar/check/conform.h"

#include <stdarg.h>
#include <stdio.h>

static bool wrong(struct conform_fault *f, enum finding finding, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), cold));

static bool wrong(struct conform_fault *f, enum finding finding, const char *fmt, ...)
{
    va_list ap;
    f->finding = finding;
    va_start(ap, fmt);
    vsnprintf(f->text, sizeof f->text, fmt, ap);
    va_end(ap);
    return false;
}

/* Puts ".name" or "[]" before the path that the text begins with. */
static bool wrong_in(struct conform_fault *f, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), cold));

static bool wrong_in(struct conform_fault *f, const char *fmt, ...)
{
    char step[100], rest[sizeof f->text];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(step, sizeof step, fmt, ap);
    va_end(ap);
    memcpy(rest, f->text, sizeof rest);
    rest[sizeof rest - 1] = '\0';
    (void)snprintf(f->text, sizeof f->text, "%.99s%.299s", step, rest);
    return false;
}

/* ---- values ---- */

/* The value kind of each simple type; records, sets and entities are looked into. */
static enum cedar_kind kind_of(const struct ctype *t)
{
    static const uint8_t simple[] = {
        [CTYPE_BOOL] = CEDAR_BOOL, [CTYPE_LONG] = CEDAR_LONG,     [CTYPE_STRING] = CEDAR_STRING,
        [CTYPE_SET] = CEDAR_SET,   [CTYPE_RECORD] = CEDAR_RECORD, [CTYPE_ENTITY] = CEDAR_ENTITY,
        [CTYPE_EXT] = CEDAR_NONE};
    static const uint8_t exts[] = {[CTYPE_DECIMAL] = CEDAR_DECIMAL,
                                   [CTYPE_IPADDR] = CEDAR_IPADDR,
                                   [CTYPE_DATETIME] = CEDAR_DATETIME,
                                   [CTYPE_DURATION] = CEDAR_DURATION};
    return t->kind == CTYPE_EXT ? exts[t->ext] : simple[t->kind];
}

static bool mismatch(const struct schema *s, const struct ctype *t, const struct cedar_value *v,
                     struct conform_fault *f)
{
    struct buf b = {.max = 64 << 10};
    ctype_print(&b, s, t);
    bool is_uid = v->kind == CEDAR_ENTITY;
    (void)wrong(f, FIND_REQUEST_CONTEXT, ": expected %.*s, got %.*s",
                STR(str_take(buf_str(&b), 120)),
                STR(is_uid ? str_take(v->uid->type, 120) : str_z(cedar_kind_name(v->kind))));
    buf_fini(&b);
    return false;
}

/* A uid of a type that the schema has: does that very entity exist, as far as the schema tells? */
static bool is_listed(const struct schema_etype *e, str id)
{
    return (!e->is_enum && !e->is_action) || map_get(&e->ids, id);
}

static bool wrong_id(struct conform_fault *f, const struct cedar_uid *uid)
{
    return wrong(f, FIND_REQUEST_ENUM_ID, ": the schema does not list %.*s::\"%.*s\"",
                 STR(str_take(uid->type, 120)), STR(str_take(uid->id, 80)));
}

static bool conform_uid(const struct schema *s, const struct ctype *t, const struct cedar_value *v,
                        struct conform_fault *f)
{
    for (uint32_t i = 0; i < t->n; i++) {
        const struct schema_etype *e = &s->etypes[t->etypes[i]];
        if (str_eq(e->name, v->uid->type))
            return is_listed(e, v->uid->id) || wrong_id(f, v->uid);
    }
    return mismatch(s, t, v, f);
}

/* Fields and attributes are both in byte order of their names: one walk over the two. */
static bool conform_record(const struct schema *s, const struct ctype *t,
                           const struct cedar_value *v, struct conform_fault *f)
{
    uint32_t i = 0;
    for (uint32_t j = 0; j < t->n; j++) {
        const struct ctype_attr *want = &t->attrs[j];
        int order = i < v->n ? str_cmp(v->fields[i].name, want->name) : 1;
        if (order < 0)
            break; /* a field that is no attribute */
        if (order == 0) {
            if (!conform_value(s, want->type, &v->fields[i].value, f))
                return wrong_in(f, ".%.*s", STR(str_take(want->name, 80)));
            i++;
        } else if (want->required) {
            return wrong(f, FIND_REQUEST_CONTEXT, ": attribute `%.*s` is missing",
                         STR(str_take(want->name, 80)));
        }
    }
    if (i == v->n)
        return true;
    return wrong(f, FIND_REQUEST_CONTEXT, ": attribute `%.*s` is not in the schema",
                 STR(str_take(v->fields[i].name, 80)));
}

static bool conform_set(const struct schema *s, const struct ctype *t, const struct cedar_value *v,
                        struct conform_fault *f)
{
    for (uint32_t i = 0; i < v->n; i++)
        if (!conform_value(s, t->elem, &v->items[i], f))
            return wrong_in(f, "[]");
    return true;
}

bool conform_value(const struct schema *s, const struct ctype *t, const struct cedar_value *v,
                   struct conform_fault *f)
{
    if (v->kind != kind_of(t) || v->kind == CEDAR_NONE)
        return mismatch(s, t, v, f);
    switch (t->kind) {
    case CTYPE_RECORD:
        return conform_record(s, t, v, f);
    case CTYPE_SET:
        return conform_set(s, t, v, f);
    case CTYPE_ENTITY:
        return conform_uid(s, t, v, f);
    default:
        return true;
    }
}

/* ---- requests ---- */

static bool conform_side(const struct schema *s, const struct cedar_uid *uid, const char *side,
                         enum finding unknown, const struct schema_etype **out,
                         struct conform_fault *f)
{
    const struct schema_etype *e = schema_etype(s, uid->type);
    if (!e || e->is_action)
        return wrong(f, unknown, "the schema has no entity type `%.*s` for the %s",
                     STR(str_take(uid->type, 120)), side);
    if (!is_listed(e, uid->id))
        return wrong_id(f, uid) || wrong_in(f, "%s", side);
    *out = e;
    return true;
}

static bool conform_applies(struct schema_set types, const struct schema_etype *e,
                            const struct schema_action *x, const char *side, enum finding finding,
                            struct conform_fault *f)
{
    return schema_set_has(types, e->index) ||
           wrong(f, finding, "action \"%.*s\" does not apply to a %s of type `%.*s`",
                 STR(str_take(x->uid.id, 80)), side, STR(str_take(e->name, 120)));
}

bool conform_request(const struct schema *s, const struct cedar_uid *principal,
                     const struct cedar_uid *action, const struct cedar_uid *resource,
                     const struct cedar_value *context, struct conform_fault *f)
{
    const struct schema_etype *p, *r;
    const struct schema_action *x = schema_action(s, action);
    if (!x)
        return wrong(f, FIND_REQUEST_ACTION, "the schema has no action %.*s::\"%.*s\"",
                     STR(str_take(action->type, 120)), STR(str_take(action->id, 80)));
    if (!conform_side(s, principal, "principal", FIND_REQUEST_PRINCIPAL_TYPE, &p, f) ||
        !conform_side(s, resource, "resource", FIND_REQUEST_RESOURCE_TYPE, &r, f) ||
        !conform_applies(x->principals, p, x, "principal", FIND_REQUEST_PRINCIPAL, f) ||
        !conform_applies(x->resources, r, x, "resource", FIND_REQUEST_RESOURCE, f))
        return false;
    return conform_value(s, x->context, context, f) || wrong_in(f, "context");
}

/* ---- entities ---- */

static bool conform_action(const struct schema *s, const struct cedar_entity *e,
                           struct conform_fault *f)
{
    const struct schema_action *x = schema_action(s, &e->uid);
    if (!x)
        return wrong(f, FIND_ENTITY_ACTION, "the schema has no action \"%.*s\"",
                     STR(str_take(e->uid.id, 80)));
    bool same = e->attrs.n == 0 && e->tags.n == 0 && e->ancestor_count == x->ancestors.count;
    for (size_t i = 0; same && i < e->ancestor_count; i++) {
        const struct schema_action *y = schema_action(s, e->ancestors[i].uid);
        same = y && schema_set_has(x->ancestors, y->index);
    }
    return same || wrong(f, FIND_ENTITY_ACTION, "action \"%.*s\" differs from its declaration",
                         STR(str_take(e->uid.id, 80)));
}

/* Turns a finding about a value into one about this part of this entity. */
static bool in_entity(struct conform_fault *f, const struct cedar_entity *e, enum finding finding)
{
    f->finding = f->finding == FIND_REQUEST_ENUM_ID ? FIND_ENTITY_ENUM_ID : finding;
    return wrong_in(f, "%.*s", STR(str_take(e->uid.type, 90)));
}

static bool conform_attrs(const struct schema *s, const struct schema_etype *t,
                          const struct cedar_entity *e, struct conform_fault *f)
{
    str who = str_take(t->name, 120);
    for (uint32_t j = 0; j < t->shape->n; j++) {
        const struct ctype_attr *want = &t->shape->attrs[j];
        if (want->required && !cedar_record_get(&e->attrs, want->name))
            return wrong(f, FIND_ENTITY_MISSING_ATTRIBUTE, "%.*s: attribute `%.*s` is missing",
                         STR(who), STR(str_take(want->name, 80)));
    }
    for (uint32_t i = 0; i < e->attrs.n; i++) {
        const struct cedar_field *field = &e->attrs.fields[i];
        const struct ctype_attr *want = ctype_attr(t->shape, field->name);
        if (!want)
            return wrong(f, FIND_ENTITY_UNEXPECTED_ATTRIBUTE,
                         "%.*s: attribute `%.*s` is not in the schema", STR(who),
                         STR(str_take(field->name, 80)));
        if (!conform_value(s, want->type, &field->value, f))
            return wrong_in(f, ".%.*s", STR(str_take(field->name, 80))) ||
                   in_entity(f, e, FIND_ENTITY_ATTRIBUTE_TYPE);
    }
    return true;
}

static bool conform_tags(const struct schema *s, const struct schema_etype *t,
                         const struct cedar_entity *e, struct conform_fault *f)
{
    if (e->tags.n && !t->tags)
        return wrong(f, FIND_ENTITY_UNEXPECTED_TAG, "%.*s can have no tags",
                     STR(str_take(t->name, 120)));
    for (uint32_t i = 0; i < e->tags.n; i++)
        if (!conform_value(s, t->tags, &e->tags.fields[i].value, f))
            return wrong_in(f, " tag") || in_entity(f, e, FIND_ENTITY_TAG_TYPE);
    return true;
}

static bool conform_ancestors(const struct schema *s, const struct schema_etype *t,
                              const struct cedar_entity *e, struct conform_fault *f)
{
    for (size_t i = 0; i < e->ancestor_count; i++) {
        const struct cedar_uid *uid = e->ancestors[i].uid;
        const struct schema_etype *a = schema_etype(s, uid->type);
        if (a && !is_listed(a, uid->id))
            return wrong_id(f, uid) || in_entity(f, e, FIND_ENTITY_ENUM_ID);
        if (!a || !schema_set_has(t->ancestors, a->index))
            return wrong(f, FIND_ENTITY_ANCESTOR, "%.*s cannot be in an entity of type `%.*s`",
                         STR(str_take(t->name, 120)), STR(str_take(uid->type, 120)));
    }
    return true;
}

bool conform_entity_parts(const struct schema *s, const struct cedar_entity *e, unsigned parts,
                          struct conform_fault *f)
{
    const struct schema_etype *t = schema_etype(s, e->uid.type);
    if (!t)
        return wrong(f, FIND_ENTITY_TYPE, "the schema has no entity type `%.*s`",
                     STR(str_take(e->uid.type, 120)));
    if (!is_listed(t, e->uid.id))
        return wrong_id(f, &e->uid) || in_entity(f, e, FIND_ENTITY_ENUM_ID);
    return (!(parts & CONFORM_ATTRS) || conform_attrs(s, t, e, f)) &&
           (!(parts & CONFORM_ANCESTORS) || conform_ancestors(s, t, e, f)) &&
           (!(parts & CONFORM_TAGS) || conform_tags(s, t, e, f));
}

bool conform_entity(const struct schema *s, const struct cedar_entity *e, struct conform_fault *f)
{
    return schema_is_action_type(e->uid.type) ? conform_action(s, e, f)
                                              : conform_entity_parts(s, e, CONFORM_ALL, f);
}
