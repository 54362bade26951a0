/* The grammar of `.cedarschema` by recursive descent: one function a production, one token of
 * look-ahead (two after a name, to tell A::B from A::"b"). Nesting is bounded by CEDAR_DEPTH_MAX.
 */
#include "cedar/schema/schema_tree.h"
#include "cedar/schema/finding.h"
#include "cedar/text/lex.h"
#include "cedar/text/names.h"

struct parser {
    struct arena *a;
    struct cedar_diags *d;
    const struct cedar_token *t; /* the next one; the last is always CEDAR_T_END */
    unsigned depth;
};

/* ---- tokens ---- */

static bool at(const struct parser *p, enum cedar_token_kind k)
{
    return p->t->kind == k;
}

static bool at_word(const struct parser *p, str word)
{
    return at(p, CEDAR_T_IDENT) && str_eq(p->t->text, word);
}

static const struct cedar_token *take(struct parser *p)
{
    const struct cedar_token *t = p->t;
    if (t->kind != CEDAR_T_END)
        p->t++;
    return t;
}

static bool take_if(struct parser *p, enum cedar_token_kind k)
{
    if (!at(p, k))
        return false;
    take(p);
    return true;
}

static bool take_word(struct parser *p, str word)
{
    if (!at_word(p, word))
        return false;
    take(p);
    return true;
}

static bool expected(struct parser *p, const char *what)
{
    const struct cedar_token *t = p->t;
    if (t->kind == CEDAR_T_IDENT)
        finding_add(p->d, FIND_SCHEMA_SYNTAX, t->span, "expected %s, found `%.*s`", what,
                    STR(str_take(t->text, 60)));
    else
        finding_add(p->d, FIND_SCHEMA_SYNTAX, t->span, "expected %s, found %s", what,
                    cedar_token_name(t->kind));
    return false;
}

static bool need(struct parser *p, enum cedar_token_kind k)
{
    return take_if(p, k) || expected(p, cedar_token_name(k));
}

/* ---- names ---- */

/* Any word but those that Cedar reserves; __cedar may begin a reference. */
static bool word(struct parser *p, const char *what, str *out)
{
    if (!at(p, CEDAR_T_IDENT))
        return expected(p, what);
    if (cedar_is_reserved(p->t->text) && !str_eq(p->t->text, S("__cedar"))) {
        finding_add(p->d, FIND_SCHEMA_RESERVED, p->t->span,
                    "`%.*s` is a reserved word and cannot be %s", STR(p->t->text), what);
        return false;
    }
    *out = take(p)->text;
    return true;
}

static bool string(struct parser *p, str *out)
{
    if (!at(p, CEDAR_T_STRING))
        return expected(p, "a string");
    const struct cedar_token *t = take(p);
    struct cedar_span bad;
    if (cedar_unescape(p->a, t->text, out, &bad))
        return true;
    struct cedar_span where = {t->span.start + 1 + bad.start, t->span.start + 1 + bad.end};
    finding_add(p->d, FIND_SCHEMA_SYNTAX, where, "this is no escape that a string may hold");
    return false;
}

/* Name := IDENT | STR */
static bool name_or_string(struct parser *p, const char *what, str *out)
{
    return at(p, CEDAR_T_STRING) ? string(p, out) : word(p, what, out);
}

static struct cedar_span from(const struct parser *p, uint32_t start)
{
    return (struct cedar_span){start, p->t[-1].span.end};
}

/* Path := IDENT {'::' IDENT}. Stops before a '::' that a string follows. */
static bool path(struct parser *p, const char *what, struct raw_name *out)
{
    uint32_t start = p->t->span.start;
    str part;
    if (!word(p, what, &part))
        return false;
    struct buf joined = {.max = CEDAR_TEXT_BYTES_MAX};
    bool ok = true, qualified = false;
    while (ok && at(p, CEDAR_T_PATH) && p->t[1].kind != CEDAR_T_STRING) {
        if (!qualified)
            buf_put(&joined, part);
        qualified = true;
        take(p);
        ok = word(p, "a name", &part);
        buf_put(&joined, S("::"));
        buf_put(&joined, part);
    }
    if (ok)
        *out = (struct raw_name){.text = qualified ? str_dup(p->a, buf_str(&joined)) : part,
                                 .span = from(p, start),
                                 .qualified = qualified};
    buf_fini(&joined);
    return ok;
}

static struct raw_ref *append(struct parser *p, struct raw_refs *list)
{
    struct raw_ref *r = ARENA_NEW(p->a, struct raw_ref);
    if (list->last)
        list->last->next = r;
    else
        list->first = r;
    list->last = r;
    list->count++;
    return r;
}

static bool one_path(struct parser *p, struct raw_refs *list)
{
    struct raw_name n;
    if (!path(p, "an entity type", &n))
        return false;
    struct raw_ref *r = append(p, list);
    r->name = n;
    r->span = n.span;
    return true;
}

static bool one_ident(struct parser *p, struct raw_refs *list)
{
    struct cedar_span span = p->t->span;
    str name;
    if (!word(p, "a name", &name))
        return false;
    struct raw_ref *r = append(p, list);
    r->id = name;
    r->span = span;
    return true;
}

static bool one_name(struct parser *p, struct raw_refs *list)
{
    struct cedar_span span = p->t->span;
    str name;
    if (!name_or_string(p, "an action name", &name))
        return false;
    struct raw_ref *r = append(p, list);
    r->id = name;
    r->span = span;
    return true;
}

static bool one_id(struct parser *p, struct raw_refs *list)
{
    struct cedar_span span = p->t->span;
    str id;
    if (!string(p, &id))
        return false;
    struct raw_ref *r = append(p, list);
    r->id = id;
    r->span = span;
    return true;
}

/* QualName := Name | Path '::' STR */
static bool one_action(struct parser *p, struct raw_refs *list)
{
    uint32_t start = p->t->span.start;
    struct raw_name type = {0};
    str id;
    if (at(p, CEDAR_T_IDENT) && p->t[1].kind == CEDAR_T_PATH) {
        if (!path(p, "an action's type", &type) || !need(p, CEDAR_T_PATH) || !string(p, &id))
            return false;
    } else if (!name_or_string(p, "an action", &id)) {
        return false;
    }
    struct raw_ref *r = append(p, list);
    r->name = type;
    r->id = id;
    r->span = from(p, start);
    return true;
}

static bool comma_list(struct parser *p, struct raw_refs *list,
                       bool (*one)(struct parser *, struct raw_refs *))
{
    do {
        if (!one(p, list))
            return false;
    } while (take_if(p, CEDAR_T_COMMA));
    return true;
}

/* One, or [ one, one ]; brackets may be empty only where the language says so. */
static bool one_or_list(struct parser *p, struct raw_refs *list, bool may_be_empty,
                        bool (*one)(struct parser *, struct raw_refs *))
{
    if (!take_if(p, CEDAR_T_LBRACKET))
        return one(p, list);
    if (may_be_empty && take_if(p, CEDAR_T_RBRACKET))
        return true;
    return comma_list(p, list, one) && need(p, CEDAR_T_RBRACKET);
}

/* ---- annotations ---- */

struct notes {
    struct cedar_annotation *items;
    size_t count, cap;
    struct cedar_names names;
};

static bool note_add(struct parser *p, struct notes *n, struct cedar_annotation one)
{
    if (!cedar_names_add(&n->names, one.name)) {
        finding_add(p->d, FIND_SCHEMA_DUPLICATE, one.span, "annotation `@%.*s` occurs twice",
                    STR(one.name));
        return false;
    }
    ARENA_GROW(p->a, n->items, n->count, n->cap);
    n->items[n->count++] = one;
    return true;
}

/* {'@' IDENT ['(' STR ')']}; here even reserved words are names. */
static bool read_notes(struct parser *p, struct notes *out)
{
    while (at(p, CEDAR_T_AT)) {
        struct cedar_annotation one = {0};
        uint32_t start = take(p)->span.start;
        if (!at(p, CEDAR_T_IDENT))
            return expected(p, "the annotation's name");
        one.name = take(p)->text;
        if (take_if(p, CEDAR_T_LPAREN)) {
            one.has_value = true;
            if (!string(p, &one.value) || !need(p, CEDAR_T_RPAREN))
                return false;
        }
        one.span = from(p, start);
        if (!note_add(p, out, one))
            return false;
    }
    return true;
}

static bool annotations(struct parser *p, struct notes *out)
{
    *out = (struct notes){0};
    bool ok = read_notes(p, out);
    cedar_names_fini(&out->names);
    return ok;
}

/* ---- types ---- */

static bool type(struct parser *p, struct raw_type **out);

static bool attribute(struct parser *p, struct raw_attr *out)
{
    struct notes notes;
    if (!annotations(p, &notes))
        return false;
    out->annotations = notes.items;
    out->annotation_count = notes.count;
    out->span = p->t->span;
    if (!name_or_string(p, "an attribute name", &out->name))
        return false;
    out->optional = take_if(p, CEDAR_T_QUESTION);
    return need(p, CEDAR_T_COLON) && type(p, &out->type);
}

/* '{' [Attr {',' Attr} [',']] '}' */
static bool record(struct parser *p, struct raw_type **out)
{
    struct raw_type *t = ARENA_NEW(p->a, struct raw_type);
    struct raw_attr **link = &t->attrs;
    uint32_t start = p->t->span.start;
    t->kind = RAW_RECORD;
    if (!need(p, CEDAR_T_LBRACE))
        return false;
    while (!at(p, CEDAR_T_RBRACE)) {
        struct raw_attr *one = ARENA_NEW(p->a, struct raw_attr);
        if (!attribute(p, one))
            return false;
        *link = one;
        link = &one->next;
        t->attr_count++;
        if (!take_if(p, CEDAR_T_COMMA) && !at(p, CEDAR_T_RBRACE))
            return expected(p, "`,` or `}`");
    }
    take(p);
    t->span = from(p, start);
    *out = t;
    return true;
}

static bool type_inside(struct parser *p, struct raw_type **out)
{
    if (at(p, CEDAR_T_LBRACE))
        return record(p, out);
    struct raw_type *t = ARENA_NEW(p->a, struct raw_type);
    uint32_t start = p->t->span.start;
    if (at_word(p, S("Set")) && p->t[1].kind == CEDAR_T_LT) {
        t->kind = RAW_SET;
        take(p);
        take(p);
        if (!type(p, &t->elem) || !need(p, CEDAR_T_GT))
            return false;
    } else if (!path(p, "a type", &t->name)) {
        return false;
    }
    t->span = from(p, start);
    *out = t;
    return true;
}

/* Type := Path | 'Set' '<' Type '>' | Record */
static bool type(struct parser *p, struct raw_type **out)
{
    if (p->depth >= CEDAR_DEPTH_MAX) {
        finding_add(p->d, FIND_SCHEMA_LIMIT, p->t->span, "types nest more than %d deep",
                    CEDAR_DEPTH_MAX);
        return false;
    }
    p->depth++;
    bool ok = type_inside(p, out);
    p->depth--;
    return ok;
}

/* ---- declarations ---- */

/* 'entity' Idents ['in' Types] [['='] Record] ['tags' Type] ';'  or  'entity' Idents 'enum'
 * [STR,..] ';' */
static bool entity(struct parser *p, struct raw_decl *d)
{
    d->kind = RAW_ENTITY;
    if (!comma_list(p, &d->names, one_ident))
        return false;
    if (take_word(p, S("enum"))) {
        d->kind = RAW_ENUM;
        return need(p, CEDAR_T_LBRACKET) && comma_list(p, &d->ids, one_id) &&
               need(p, CEDAR_T_RBRACKET);
    }
    if (take_word(p, S("in")) && !one_or_list(p, &d->parents, true, one_path))
        return false;
    if (take_if(p, CEDAR_T_ASSIGN) || at(p, CEDAR_T_LBRACE))
        if (!record(p, &d->shape))
            return false;
    return !take_word(p, S("tags")) || type(p, &d->tags);
}

static bool said_twice(struct parser *p, const char *what)
{
    finding_add(p->d, FIND_SCHEMA_DUPLICATE, p->t[-1].span, "`%s` is given twice", what);
    return false;
}

static bool applies_types(struct parser *p, struct raw_refs *list, const char *what)
{
    if (list->count)
        return said_twice(p, what);
    struct cedar_span span = p->t[-1].span;
    if (!need(p, CEDAR_T_COLON) || !one_or_list(p, list, true, one_path))
        return false;
    if (list->count)
        return true;
    finding_add(p->d, FIND_SCHEMA_APPLIES_TO, span, "the list of %s types is empty", what);
    return false;
}

static bool applies_context(struct parser *p, struct raw_decl *d)
{
    if (d->shape)
        return said_twice(p, "context");
    if (!need(p, CEDAR_T_COLON))
        return false;
    if (at(p, CEDAR_T_LBRACE))
        return record(p, &d->shape);
    d->shape = ARENA_NEW(p->a, struct raw_type);
    d->shape->kind = RAW_COMMON_NAME;
    if (!path(p, "a record or the name of a common type", &d->shape->name))
        return false;
    d->shape->span = d->shape->name.span;
    return true;
}

static bool applies_one(struct parser *p, struct raw_decl *d)
{
    if (take_word(p, S("principal")))
        return applies_types(p, &d->principals, "principal");
    if (take_word(p, S("resource")))
        return applies_types(p, &d->resources, "resource");
    if (take_word(p, S("context")))
        return applies_context(p, d);
    return expected(p, "`principal`, `resource` or `context`");
}

/* 'appliesTo' '{' one {',' one} [','] '}' */
static bool applies_to(struct parser *p, struct raw_decl *d)
{
    struct cedar_span span = p->t[-1].span;
    if (!need(p, CEDAR_T_LBRACE))
        return false;
    do {
        if (!applies_one(p, d))
            return false;
    } while (take_if(p, CEDAR_T_COMMA) && !at(p, CEDAR_T_RBRACE));
    if (!need(p, CEDAR_T_RBRACE))
        return false;
    if (d->principals.count && d->resources.count)
        return true;
    finding_add(p->d, FIND_SCHEMA_APPLIES_TO, span, "appliesTo names no %s",
                d->principals.count ? "resource" : "principal");
    return false;
}

/* 'action' Names ['in' Actions] ['appliesTo' {..}] ['attributes' '{' '}'] ';' */
static bool action(struct parser *p, struct raw_decl *d)
{
    d->kind = RAW_ACTION;
    d->applies = true;
    if (!comma_list(p, &d->names, one_name))
        return false;
    d->has_parents = take_word(p, S("in"));
    if (d->has_parents && !one_or_list(p, &d->parents, false, one_action))
        return false;
    if (take_word(p, S("appliesTo")) && !applies_to(p, d))
        return false;
    return !take_word(p, S("attributes")) || (need(p, CEDAR_T_LBRACE) && need(p, CEDAR_T_RBRACE));
}

/* 'type' IDENT '=' Type ';' */
static bool common(struct parser *p, struct raw_decl *d)
{
    d->kind = RAW_COMMON;
    return one_ident(p, &d->names) && need(p, CEDAR_T_ASSIGN) && type(p, &d->shape);
}

static const struct {
    str word;
    bool (*parse)(struct parser *p, struct raw_decl *d);
} declarations[] = {{{"entity", 6}, entity}, {{"action", 6}, action}, {{"type", 4}, common}};

static bool declaration(struct parser *p, struct raw_schema *s, str space, struct notes notes)
{
    struct raw_decl *d = ARENA_NEW(p->a, struct raw_decl);
    uint32_t start = p->t->span.start;
    size_t i = 0, n = sizeof declarations / sizeof *declarations;
    while (i < n && !at_word(p, declarations[i].word))
        i++;
    if (i == n)
        return expected(p, space.n ? "`entity`, `action`, `type` or `}`"
                                   : "`entity`, `action`, `type` or `namespace`");
    take(p);
    d->space = space;
    d->annotations = notes.items;
    d->annotation_count = notes.count;
    if (!declarations[i].parse(p, d) || !need(p, CEDAR_T_SEMICOLON))
        return false;
    d->span = from(p, start);
    if (s->last_decl)
        s->last_decl->next = d;
    else
        s->decls = d;
    s->last_decl = d;
    s->decl_count++;
    return true;
}

/* 'namespace' Path '{' {Declaration} '}' */
static bool namespace(struct parser *p, struct raw_schema *s, struct notes of_space)
{
    struct raw_space *space = ARENA_NEW(p->a, struct raw_space);
    space->annotations = of_space.items;
    space->annotation_count = of_space.count;
    if (!path(p, "a namespace", &space->name) || !need(p, CEDAR_T_LBRACE))
        return false;
    if (s->last_space)
        s->last_space->next = space;
    else
        s->spaces = space;
    s->last_space = space;
    while (!take_if(p, CEDAR_T_RBRACE)) {
        struct notes notes;
        if (!annotations(p, &notes) || !declaration(p, s, space->name.text, notes))
            return false;
    }
    return true;
}

bool schema_parse(struct arena *a, str text, struct raw_schema *out, struct cedar_diags *d)
{
    struct cedar_tokens tokens;
    *out = (struct raw_schema){0};
    if (!cedar_lex(a, text, &tokens, d))
        return false;
    struct parser p = {.a = a, .d = d, .t = tokens.items};
    while (!at(&p, CEDAR_T_END)) {
        struct notes notes;
        if (!annotations(&p, &notes))
            return false;
        bool ok = take_word(&p, S("namespace")) ? namespace(&p, out, notes)
                                                : declaration(&p, out, (str){0}, notes);
        if (!ok)
            return false;
    }
    return true;
}
