/* Attributes and tags: what may be read, and what a test for it tells. */
#include "cedar/check/check.h"

/* ---- what a type offers ---- */

/* The attributes that an entity type has for certain: of a union, those that all have. */
static const struct ctype *entity_shape(struct checker *c, const struct ctype *t)
{
    const struct ctype *shape = c->s->etypes[t->etypes[0]].shape;
    for (uint32_t i = 1; i < t->n; i++) {
        enum ctype_clash why;
        const struct ctype *next = c->s->etypes[t->etypes[i]].shape;
        if (!check_pay(c, c->policy->span, shape, next))
            break;
        shape = ctype_lub(&c->scratch, shape, next, CTYPE_PERMISSIVE, &why);
    }
    return shape;
}

const struct ctype_attr *check_find_attr(struct checker *c, const struct ctype *t, str name)
{
    if (t->kind == CTYPE_RECORD)
        return ctype_attr(t, name);
    return t->kind == CTYPE_ENTITY ? ctype_attr(entity_shape(c, t), name) : NULL;
}

static bool may_have_attr(struct checker *c, const struct ctype *t, str name)
{
    if (t->kind == CTYPE_RECORD)
        return t->open || ctype_attr(t, name);
    for (uint32_t i = 0; t->kind == CTYPE_ENTITY && i < t->n; i++)
        if (ctype_attr(c->s->etypes[t->etypes[i]].shape, name))
            return true;
    return t->kind == CTYPE_ANY_ENTITY || t->kind == CTYPE_NEVER;
}

static str guess_attr(struct checker *c, const struct ctype *t, str name)
{
    const struct ctype *shape = t->kind == CTYPE_RECORD   ? t
                                : t->kind == CTYPE_ENTITY ? entity_shape(c, t)
                                                          : NULL;
    struct name_guess g = {.wanted = name};
    for (uint32_t i = 0; shape && i < shape->n; i++)
        name_guess_try(&g, shape->attrs[i].name);
    return g.best;
}

/* ---- .name and has ---- */

/* The receiver of an access, which may be a link of `has a.b.c` that no node stands for. */
struct receiver {
    struct answer x;
    uint32_t number;            /* 0: not asked for yet */
    const struct cedar_expr *e; /* NULL: such a link */
};

static uint32_t receiver_number(struct checker *c, struct receiver *r)
{
    if (r->number == 0)
        r->number = expr_number(c, r->e);
    return r->number;
}

/* For a record that was read from the request: whose it is, so that it is told apart from another
 * environment's. Empty for others, and for entities, whose type says it. */
static str whose_record(struct checker *c, const struct receiver *r)
{
    const struct cedar_expr *e = r->e;
    struct buf b = {0};
    if (r->x.type->kind != CTYPE_RECORD)
        return (str){0};
    while (e && e->kind == CEDAR_E_ATTR)
        e = e->kids[0];
    if (!e || e->kind != CEDAR_E_VAR)
        return (str){0};
    if (e->var != CEDAR_CONTEXT)
        return str_fmt(&c->scratch, ", with %s of type %.*s", cedar_var_names[e->var],
                       STR(check_type_text(c, c->env.types[e->var])));
    cedar_uid_print(&b, &c->env.action->uid);
    str text = str_fmt(&c->scratch, ", in the context of %.*s", STR(str_take(buf_str(&b), 160)));
    buf_fini(&b);
    return text;
}

/* The same for any receiver. */
static str whose_attribute(struct checker *c, const struct receiver *r)
{
    if (r->x.type->kind == CTYPE_ENTITY)
        return str_fmt(&c->scratch, ", on %.*s", STR(check_type_text(c, r->x.type)));
    return whose_record(c, r);
}

static struct answer attr_of(struct checker *c, const struct caps *prior, struct receiver *r,
                             str name, struct cedar_span span)
{
    if (!r->x.type)
        return answer_fail(NULL);
    const struct ctype_attr *attr = check_find_attr(c, r->x.type, name);
    str of = attr ? (str){0} : check_type_text(c, r->x.type);
    if (!attr) {
        struct cedar_diag *one =
            check_report(c, FIND_UNKNOWN_ATTRIBUTE, span, "%.*s has no attribute `%.*s`%.*s",
                         STR(of), STR(str_take(name, 80)), STR(whose_record(c, r)));
        str best = one ? guess_attr(c, r->x.type, name) : (str){0};
        if (best.n)
            check_help(c, one, "did you mean `%.*s`?", STR(best));
        return answer_fail(NULL);
    }
    if (attr->required || caps_has(prior, attr_cap(c, receiver_number(c, r), name)))
        return answer_after(answer_ok(attr->type), r->x.ok);
    struct cedar_diag *one =
        check_report(c, FIND_OPTIONAL_ATTRIBUTE, span,
                     "attribute `%.*s` is optional and may be missing here%.*s",
                     STR(str_take(name, 80)), STR(whose_attribute(c, r)));
    check_help(c, one, "test with `has %.*s &&` first", STR(str_take(name, 80)));
    return answer_fail(attr->type);
}

static struct answer has_of(struct checker *c, const struct caps *prior, struct receiver *r,
                            str name)
{
    if (!r->x.type)
        return answer_fail(&ctype_bool);
    const struct ctype_attr *attr = check_find_attr(c, r->x.type, name);
    if (!attr) {
        bool may = may_have_attr(c, r->x.type, name);
        return answer_after(answer_ok(may ? &ctype_bool : &ctype_false), r->x.ok);
    }
    uint32_t cap = attr_cap(c, receiver_number(c, r), name);
    /* An entity may be missing from the store, and then has nothing, required or not. */
    bool certain = caps_has(prior, cap) || (attr->required && r->x.type->kind == CTYPE_RECORD);
    struct answer x = {certain ? &ctype_true : &ctype_bool, caps_one(c, cap), true};
    return answer_after(x, r->x.ok);
}

struct answer check_attr(struct checker *c, const struct caps *prior, const struct cedar_expr *e)
{
    struct receiver r = {check_as(c, prior, e->kids[0], &expect_entity_or_record), 0, e->kids[0]};
    return attr_of(c, prior, &r, e->name, e->span);
}

/* x has a.b is x has a && x.a has b; each link knows what those before it tell. */
struct answer check_has(struct checker *c, const struct caps *prior, const struct cedar_expr *e)
{
    struct receiver r = {check_as(c, prior, e->kids[0], &expect_entity_or_record), 0, e->kids[0]};
    struct answer all = has_of(c, prior, &r, e->names[0]);
    for (uint32_t i = 1; i < e->name_count && !answer_is_false(all); i++) {
        const struct caps *known = caps_union(c, prior, all.caps);
        struct answer link = attr_of(c, known, &r, e->names[i - 1], e->span);
        link.caps = NULL;
        struct receiver next = {answer_as(c, link, e->span, &expect_entity_or_record),
                                attr_number(c, receiver_number(c, &r), e->names[i - 1]), NULL};
        r = next;
        all = answer_and(c, all, has_of(c, known, &r, e->names[i]));
    }
    if (answer_is_false(all))
        all.caps = NULL;
    return all;
}

/* ---- tags ---- */

struct tag_access {
    struct answer entity;
    bool ok;
    const struct ctype *type; /* what tags hold; NULL: no entity it can be has any */
    bool clash;               /* tags of different entity types hold different types */
    uint32_t cap;
};

static const struct ctype *tag_type(struct checker *c, const struct ctype *t, bool *clash)
{
    const struct ctype *all = NULL;
    size_t n = t->kind == CTYPE_ENTITY ? t->n : t->kind == CTYPE_ANY_ENTITY ? c->s->etype_count : 0;
    for (size_t i = 0; i < n; i++) {
        enum ctype_clash why;
        const struct ctype *one = c->s->etypes[t->kind == CTYPE_ENTITY ? t->etypes[i] : i].tags;
        if (all && one && !check_pay(c, c->policy->span, all, one))
            break;
        const struct ctype *lub = all && one ? ctype_lub(&c->scratch, all, one, c->mode, &why)
                                  : one      ? one
                                             : all;
        *clash = *clash || (all && !lub);
        all = lub ? lub : all;
    }
    return all;
}

static struct tag_access tag_access(struct checker *c, const struct caps *prior,
                                    const struct cedar_expr *e)
{
    struct tag_access t = {.entity = check_as(c, prior, e->kids[0], &expect_entity)};
    struct answer key = check_as(c, prior, e->kids[1], &expect_string);
    t.ok = t.entity.ok && key.ok;
    if (!t.entity.type)
        return t;
    t.type = tag_type(c, t.entity.type, &t.clash);
    t.cap = tag_cap(c, expr_number(c, e->kids[0]), expr_number(c, e->kids[1]));
    return t;
}

struct answer check_has_tag(struct checker *c, const struct caps *prior, const struct cedar_expr *e)
{
    struct tag_access t = tag_access(c, prior, e);
    if (!t.entity.type)
        return answer_fail(NULL);
    const struct ctype *type = !t.type                  ? &ctype_false
                               : caps_has(prior, t.cap) ? &ctype_true
                                                        : &ctype_bool;
    struct answer x = {type, caps_one(c, t.cap), true};
    return answer_after(x, t.ok);
}

struct answer check_get_tag(struct checker *c, const struct caps *prior, const struct cedar_expr *e)
{
    struct tag_access t = tag_access(c, prior, e);
    if (!t.entity.type)
        return answer_fail(NULL);
    str of = check_type_text(c, t.entity.type);
    if (!caps_has(prior, t.cap))
        check_report(c, FIND_UNSAFE_TAG, e->span, "this tag of %.*s may be missing here", STR(of));
    else if (!t.type)
        check_report(c, FIND_NO_TAGS, e->span, "%.*s can have no tags", STR(of));
    else if (t.clash)
        check_report(c, FIND_INCOMPATIBLE_TYPES, e->span, "tags of %.*s hold different types",
                     STR(of));
    else
        return answer_after(answer_ok(t.type), t.ok);
    return answer_fail(NULL);
}
