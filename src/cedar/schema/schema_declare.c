/* Declarations: every name of the tree gets its place in the model, or a finding. */
#include "cedar/schema/schema_resolve.h"

/* Words of the syntax that no common type may be called. */
static const str common_reserved[] = {{"Bool", 4}, {"Boolean", 7}, {"Entity", 6}, {"Extension", 9},
                                      {"Long", 4}, {"Record", 6},  {"Set", 3},    {"String", 6}};

static bool is_common_reserved(str name)
{
    for (size_t i = 0; i < sizeof common_reserved / sizeof *common_reserved; i++)
        if (str_eq(common_reserved[i], name))
            return true;
    return false;
}

static void report_name(struct resolver *r, enum finding f, const struct raw_ref *ref,
                        const char *fmt_with_name)
{
    if (r->quiet && finding_infos[f].severity[CEDAR_SDK_4_12] == CEDAR_WARNING)
        return;
    struct buf text = {.max = 400};
    str name = str_take(ref->id, 80);
    for (const char *c = fmt_with_name; *c; c++) {
        if (*c == '%')
            buf_put(&text, name);
        else
            buf_putc(&text, *c);
    }
    finding_add(r->d, f, ref->span, "%.*s", STR(buf_str(&text)));
    buf_fini(&text);
}

static bool is_own_space(str space)
{
    return str_eq(space, S("__cedar")) || str_starts(space, S("__cedar::")) ||
           str_find(space, S("::__cedar")) >= 0;
}

static void check_spaces(struct resolver *r, struct raw_schema *tree)
{
    struct map seen = {0};
    for (struct raw_space *s = tree->spaces; s; s = s->next) {
        if (is_own_space(s->name.text))
            finding_add(r->d, FIND_SCHEMA_RESERVED, s->name.span,
                        "`__cedar` is reserved and cannot be part of a namespace");
        if (map_put(&seen, s->name.text, s))
            finding_add(r->d, FIND_SCHEMA_DUPLICATE, s->name.span,
                        "namespace `%.*s` is declared twice", STR(s->name.text));
    }
    map_fini(&seen);
}

/* ---- entity types ---- */

static struct schema_etype *new_etype(struct resolver *r, str name, struct cedar_span span)
{
    struct schema *s = r->s;
    struct schema_etype *e = &s->etypes[s->etype_count];
    e->name = name;
    e->span = span;
    e->index = (uint32_t)s->etype_count++;
    e->type = ctype_entity(r->a, e->index);
    e->shape = ctype_record(r->a, NULL, 0, false);
    (void)map_put(&s->by_name, name, e);
    return e;
}

static void add_enum_ids(struct resolver *r, struct schema_etype *e, const struct raw_decl *d)
{
    e->is_enum = true;
    for (struct raw_ref *id = d->ids.first; id; id = id->next)
        (void)map_put(&e->ids, id->id, id); /* an id that is listed twice is there once */
}

static void declare_entity(struct resolver *r, struct raw_decl *d, const struct raw_ref *ref)
{
    if (str_eq(ref->id, S("Action"))) {
        report_name(r, FIND_SCHEMA_RESERVED, ref, "no entity type can be called `%`");
        return;
    }
    str full = schema_full_name(r->a, d->space, ref->id);
    if (map_get(&r->s->by_name, full)) {
        report_name(r, FIND_SCHEMA_DUPLICATE, ref, "entity type `%` is declared twice");
        return;
    }
    if (schema_builtin(ref->id))
        report_name(r, FIND_SCHEMA_SHADOWS_BUILTIN, ref, "entity type `%` hides the built-in type");
    struct schema_etype *e = new_etype(r, full, ref->span);
    e->annotations = d->annotations;
    e->annotation_count = d->annotation_count;
    r->etype_decls[e->index] = d;
    if (d->kind == RAW_ENUM)
        add_enum_ids(r, e, d);
}

/* ---- common types ---- */

static void declare_common(struct resolver *r, struct raw_decl *d, const struct raw_ref *ref)
{
    if (is_common_reserved(ref->id)) {
        report_name(r, FIND_SCHEMA_RESERVED, ref, "no common type can be called `%`");
        return;
    }
    struct common_def *c = ARENA_NEW(r->a, struct common_def);
    c->name = schema_full_name(r->a, d->space, ref->id);
    c->decl = d;
    c->ref = ref;
    if (map_get(&r->commons, c->name)) {
        report_name(r, FIND_SCHEMA_DUPLICATE, ref, "common type `%` is declared twice");
        return;
    }
    if (schema_builtin(ref->id))
        report_name(r, FIND_SCHEMA_SHADOWS_BUILTIN, ref, "common type `%` hides the built-in type");
    (void)map_put(&r->commons, c->name, c);
    c->next = r->first_common;
    r->first_common = c;
}

/* ---- actions ---- */

/* The type of the actions of a namespace, made with the first of them. */
static struct schema_etype *action_type(struct resolver *r, str space, struct cedar_span span)
{
    str full = schema_full_name(r->a, space, S("Action"));
    struct schema_etype *e = map_get(&r->s->by_name, full);
    if (!e) {
        e = new_etype(r, full, span);
        e->is_action = true;
    }
    return e;
}

static void declare_action(struct resolver *r, struct raw_decl *d, const struct raw_ref *ref)
{
    struct schema *s = r->s;
    struct schema_etype *e = action_type(r, d->space, ref->span);
    if (map_get(&e->ids, ref->id)) {
        report_name(r, FIND_SCHEMA_DUPLICATE, ref, "action `%` is declared twice");
        return;
    }
    struct schema_action *x = &s->actions[s->action_count];
    x->uid = (struct cedar_uid){e->name, ref->id};
    x->span = ref->span;
    x->index = (uint32_t)s->action_count++;
    x->etype = e;
    x->context = ctype_record(r->a, NULL, 0, false);
    x->annotations = d->annotations;
    x->annotation_count = d->annotation_count;
    r->action_decls[x->index] = d;
    (void)map_put(&e->ids, ref->id, x);
}

/* ---- shadowing (RFC 70) ---- */

static void check_shadow(struct resolver *r, str full, struct cedar_span span)
{
    str base = cedar_name_base(full);
    if (base.n == full.n)
        return;
    const struct schema_etype *e = schema_etype(r->s, base);
    if (map_get(&r->commons, base) || (e && !e->is_action))
        finding_add(r->d, FIND_SCHEMA_SHADOW, span,
                    "`%.*s` has the name of the type `%.*s` in the empty namespace", STR(full),
                    STR(base));
}

static void check_shadows(struct resolver *r)
{
    const struct schema *s = r->s;
    for (size_t i = 0; i < s->etype_count; i++)
        if (!s->etypes[i].is_action)
            check_shadow(r, s->etypes[i].name, s->etypes[i].span);
    for (const struct common_def *c = r->first_common; c; c = c->next) {
        check_shadow(r, c->name, c->ref->span);
        const struct schema_etype *hidden = schema_etype(s, c->name);
        if (hidden && !hidden->is_action)
            report_name(r, FIND_SCHEMA_SHADOWS_ENTITY, c->ref,
                        "common type `%` hides the entity type of that name");
    }
    const struct schema_etype *plain = schema_etype(s, S("Action"));
    for (size_t i = 0; plain && i < s->action_count; i++)
        if (s->actions[i].etype != plain && map_get(&plain->ids, s->actions[i].uid.id))
            finding_add(r->d, FIND_SCHEMA_SHADOW, s->actions[i].span,
                        "action `%.*s` of `%.*s` has the name of one in the empty namespace",
                        STR(str_take(s->actions[i].uid.id, 80)), STR(s->actions[i].uid.type));
}

static void allocate(struct resolver *r, struct raw_schema *tree)
{
    size_t etypes = 1, actions = 0; /* 1: the actions of the empty namespace */
    for (struct raw_space *s = tree->spaces; s; s = s->next)
        etypes++;
    for (struct raw_decl *d = tree->decls; d; d = d->next) {
        actions += d->kind == RAW_ACTION ? d->names.count : 0;
        etypes += d->kind == RAW_ENTITY || d->kind == RAW_ENUM ? d->names.count : 0;
    }
    r->s->etypes = ARENA_ARRAY(r->a, struct schema_etype, etypes);
    r->s->actions = ARENA_ARRAY(r->a, struct schema_action, actions);
    r->etype_decls = ARENA_ARRAY(r->a, struct raw_decl *, etypes);
    r->action_decls = ARENA_ARRAY(r->a, struct raw_decl *, actions);
}

void schema_declare(struct resolver *r, struct raw_schema *tree)
{
    typedef void declare_fn(struct resolver *, struct raw_decl *, const struct raw_ref *);
    static declare_fn *const declare[] = {[RAW_ENTITY] = declare_entity,
                                          [RAW_ENUM] = declare_entity,
                                          [RAW_ACTION] = declare_action,
                                          [RAW_COMMON] = declare_common};
    allocate(r, tree);
    check_spaces(r, tree);
    for (struct raw_decl *d = tree->decls; d; d = d->next) {
        for (struct raw_ref *ref = d->names.first; ref; ref = ref->next) {
            if (str_eq(ref->id, S("__cedar")) && d->kind != RAW_ACTION)
                report_name(r, FIND_SCHEMA_RESERVED, ref, "`%` is reserved");
            else
                declare[d->kind](r, d, ref);
        }
    }
    check_shadows(r);
}
