/* From JSON to the tree. One function an object of the format; a table says which members it has.
 * Every thing that may be reported later is a place: its number travels as the start of its span.
 */
#include "cedar/schema/schema_json.h"
#include "cedar/schema/schema_resolve.h"
#include "cedar/text/lex.h"

enum { JSON_VALUES_OF_SCHEMA_MAX = 4 << 20, PATH_NAME_BYTES_MAX = 80 };

struct place {
    uint32_t up;
    uint32_t index; /* of an element, where key.p is NULL */
    str key;
    struct cedar_span span; /* in the text, if there is one */
};

struct reader {
    struct arena *a;
    struct cedar_diags *d;
    struct raw_schema *tree;
    str text;
    const char *base; /* where the strings of the JSON lie as in text; NULL: no text */
    struct place *places;
    uint32_t place_count, place_cap;
    unsigned depth;
};

/* ---- places ---- */

/* The quotes of the string that s was read from. */
static struct cedar_span span_of(const struct reader *r, str s)
{
    if (!r->base || !s.p || s.p <= r->base || s.p >= r->base + r->text.n)
        return (struct cedar_span){0};
    uint32_t start = (uint32_t)(s.p - r->base), end = start;
    while (end < r->text.n && r->text.p[end] != '"')
        end += r->text.p[end] == '\\' ? 2 : 1;
    return (struct cedar_span){start - 1, end < r->text.n ? end + 1 : (uint32_t)r->text.n};
}

static uint32_t add_place(struct reader *r, struct place one)
{
    if (r->place_count == r->place_cap) {
        r->place_cap = r->place_cap ? r->place_cap * 2 : 64;
        struct place *grown = ARENA_ARRAY(r->a, struct place, r->place_cap);
        if (r->place_count)
            memcpy(grown, r->places, r->place_count * sizeof *grown);
        r->places = grown;
    }
    r->places[r->place_count] = one;
    return r->place_count++;
}

static uint32_t at_key(struct reader *r, uint32_t up, str key)
{
    struct cedar_span span = span_of(r, key);
    return add_place(r, (struct place){up, 0, key, span.end ? span : r->places[up].span});
}

/* A member that the format names, so that its own place in the text is not known. */
static uint32_t at_member(struct reader *r, uint32_t up, const char *name, const json *v)
{
    struct cedar_span span = span_of(r, json_str(v));
    return add_place(r, (struct place){up, 0, str_z(name), span.end ? span : r->places[up].span});
}

static uint32_t at_index(struct reader *r, uint32_t up, size_t i, const json *v)
{
    struct cedar_span span = span_of(r, json_str(v));
    return add_place(r, (struct place){up, (uint32_t)i, {0}, span.end ? span : r->places[up].span});
}

static struct cedar_span mark(uint32_t place)
{
    return (struct cedar_span){place, place};
}

static bool is_plain(str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!((name.p[i] >= '0' && name.p[i] <= ':') || cedar_is_ident(str_of(name.p + i, 1))))
            return false;
    return name.n > 0 && name.n <= PATH_NAME_BYTES_MAX;
}

static void put_name(struct buf *out, str name)
{
    size_t n = name.n;
    if (is_plain(name)) {
        buf_put(out, name);
        return;
    }
    for (n = n > PATH_NAME_BYTES_MAX ? PATH_NAME_BYTES_MAX : n;
         n < name.n && n > 0 && (name.p[n] & 0xc0) == 0x80;)
        n--; /* never half a character */
    json_write_str(out, str_take(name, n));
    if (n < name.n)
        buf_put(out, S("..."));
}

/* NS.entityTypes.User.memberOfTypes[0] */
static void put_path(struct buf *out, const struct reader *r, uint32_t place)
{
    uint32_t chain[2 * CEDAR_DEPTH_MAX + 16], n = 0;
    for (; place && n < sizeof chain / sizeof *chain; place = r->places[place].up)
        chain[n++] = place;
    for (bool first = true; n-- > 0; first = false) {
        const struct place *p = &r->places[chain[n]];
        if (!p->key.p) {
            buf_printf(out, "[%u]", p->index);
            continue;
        }
        if (!first)
            buf_putc(out, '.');
        put_name(out, p->key);
    }
}

/* What was found since: from numbers of places to paths and places in the text. */
static void name_places(const struct reader *r, size_t first)
{
    for (size_t i = first; i < r->d->count; i++) {
        struct cedar_diag *one = &r->d->items[i];
        uint32_t place = one->span.start < r->place_count ? one->span.start : 0;
        struct buf path = {.max = 64 << 10};
        put_path(&path, r, place);
        if (buf_len(&path))
            one->text = str_fmt(r->d->arena, "%.*s: %.*s", STR(buf_str(&path)), STR(one->text));
        one->span = r->places[place].span;
        buf_fini(&path);
    }
}

/* ---- objects and their members ---- */

struct member {
    const char *name;
    enum json_type type;
    bool required, null_too;
};

static bool wrong_type(struct reader *r, uint32_t at, const char *wanted, const json *v)
{
    finding_add(r->d, FIND_SCHEMA_SYNTAX, mark(at), "expected %s, found %s", wanted,
                json_type_name(json_type(v)));
    return false;
}

static bool is_a(struct reader *r, uint32_t at, enum json_type type, const json *v)
{
    return json_type(v) == type || wrong_type(r, at, json_type_name(type), v);
}

static void report_unknown(struct reader *r, uint32_t at, str name, const struct member *m,
                           size_t n)
{
    struct name_guess g = {.wanted = name};
    for (size_t i = 0; i < n; i++)
        name_guess_try(&g, str_z(m[i].name));
    struct cedar_diag *one = finding_add(r->d, FIND_SCHEMA_SYNTAX, mark(at_key(r, at, name)),
                                         "there is no such member in this object");
    if (one && g.best.n)
        one->help = str_fmt(r->d->arena, "did you mean `%.*s`?", STR(g.best));
}

/* Takes v apart into got[n], NULL for what is absent or null. */
static bool members(struct reader *r, uint32_t at, const json *v, const struct member *m, size_t n,
                    const json **got)
{
    const json *value;
    str name;
    bool ok = true;
    memset(got, 0, n * sizeof(const json *));
    if (!is_a(r, at, JSON_OBJECT, v))
        return false;
    for (struct json_iter it = json_iter(v); json_next(&it, &name, &value);) {
        size_t i = 0;
        while (i < n && !str_eq(name, str_z(m[i].name)))
            i++;
        if (i == n) {
            report_unknown(r, at, name, m, n);
            ok = false;
        } else if (!m[i].null_too || json_type(value) != JSON_NULL) {
            ok = is_a(r, at_key(r, at, name), m[i].type, value) && ok;
            got[i] = value;
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (!m[i].required || got[i])
            continue;
        finding_add(r->d, FIND_SCHEMA_SYNTAX, mark(at), "member `%s` is missing", m[i].name);
        ok = false;
    }
    return ok;
}
#define MEMBERS(r, at, v, table, got) members(r, at, v, table, sizeof table / sizeof *table, got)

/* ---- names ---- */

/* One word; or, for a path, words between "::". __cedar passes: where it may stand, the resolver
 * knows. */
static bool is_name(struct reader *r, uint32_t at, str s, bool path)
{
    for (str rest = s;;) {
        ptrdiff_t end = path ? str_find(rest, S("::")) : -1;
        str one = end < 0 ? rest : str_take(rest, (size_t)end);
        if (!cedar_is_ident(one)) {
            finding_add(r->d, FIND_SCHEMA_SYNTAX, mark(at), "`%.*s` is no name",
                        STR(str_take(s, PATH_NAME_BYTES_MAX)));
            return false;
        }
        if (cedar_is_reserved(one) && !str_eq(one, S("__cedar"))) {
            finding_add(r->d, FIND_SCHEMA_RESERVED, mark(at),
                        "`%.*s` is a reserved word and cannot be a name", STR(one));
            return false;
        }
        if (end < 0)
            return true;
        rest = str_skip(rest, (size_t)end + 2);
    }
}

static bool reference(struct reader *r, uint32_t at, str s, struct raw_name *out)
{
    *out =
        (struct raw_name){.text = s, .span = mark(at), .qualified = str_find_char(s, ':', 0) >= 0};
    return is_name(r, at, s, true);
}

static struct raw_ref *append(struct reader *r, struct raw_refs *list, uint32_t at)
{
    struct raw_ref *ref = ARENA_NEW(r->a, struct raw_ref);
    ref->span = mark(at);
    if (list->last)
        list->last->next = ref;
    else
        list->first = ref;
    list->last = ref;
    list->count++;
    return ref;
}

static bool entity_names(struct reader *r, uint32_t at, const json *array, struct raw_refs *out)
{
    const json *v;
    size_t i = 0;
    bool ok = true;
    for (struct json_iter it = json_iter(array); json_next(&it, NULL, &v); i++) {
        uint32_t here = at_index(r, at, i, v);
        ok = is_a(r, here, JSON_STRING, v) &&
             reference(r, here, json_str(v), &append(r, out, here)->name) && ok;
    }
    return ok;
}

/* {name: string or null} */
static bool annotations(struct reader *r, uint32_t up, const json *v,
                        const struct cedar_annotation **out, size_t *count)
{
    uint32_t at = v ? at_member(r, up, "annotations", NULL) : 0;
    struct cedar_annotation *items = ARENA_ARRAY(r->a, struct cedar_annotation, json_count(v));
    const json *value;
    size_t n = 0;
    bool ok = true;
    str name;
    for (struct json_iter it = json_iter(v); json_next(&it, &name, &value); n++) {
        uint32_t here = at_key(r, at, name);
        items[n] = (struct cedar_annotation){
            .name = name, .value = json_str(value), .has_value = json_type(value) != JSON_NULL};
        if (!cedar_is_ident(name)) {
            finding_add(r->d, FIND_SCHEMA_SYNTAX, mark(here), "this is no name of an annotation");
            ok = false;
        }
        ok = (!items[n].has_value || is_a(r, here, JSON_STRING, value)) && ok;
    }
    *out = items;
    *count = n;
    return ok;
}

/* ---- types ---- */

enum type_member { TYPE, ELEMENT, ATTRIBUTES, ADDITIONAL, NAME, NOTES, REQUIRED, TYPE_MEMBERS };
static const struct member type_members[TYPE_MEMBERS] = {
    [TYPE] = {"type", JSON_STRING, true, false},
    [ELEMENT] = {"element", JSON_OBJECT, false, false},
    [ATTRIBUTES] = {"attributes", JSON_OBJECT, false, false},
    [ADDITIONAL] = {"additionalAttributes", JSON_BOOL, false, false},
    [NAME] = {"name", JSON_STRING, false, false},
    [NOTES] = {"annotations", JSON_OBJECT, false, false},
    [REQUIRED] = {"required", JSON_BOOL, false, false},
};
/* How many of them a type may have: alone, as a common type, as an attribute. */
enum type_role { TYPE_ALONE = NOTES, TYPE_COMMON = REQUIRED, TYPE_ATTRIBUTE = TYPE_MEMBERS };

static const struct type_form {
    const char *type;
    enum raw_type_kind kind;
    enum type_member needs; /* TYPE: nothing more */
} type_forms[] = {
    {"String", RAW_BUILTIN, TYPE},      {"Long", RAW_BUILTIN, TYPE},
    {"Boolean", RAW_BUILTIN, TYPE},     {"Set", RAW_SET, ELEMENT},
    {"Record", RAW_RECORD, ATTRIBUTES}, {"Entity", RAW_ENTITY_NAME, NAME},
    {"EntityOrCommon", RAW_NAME, NAME}, {"Extension", RAW_EXTENSION, NAME},
    {NULL, RAW_COMMON_NAME, TYPE},
};

static bool type_of(struct reader *r, uint32_t at, const json *const *got, struct raw_type **out);

static bool type_alone(struct reader *r, uint32_t at, const json *v, struct raw_type **out)
{
    const json *got[TYPE_MEMBERS];
    return members(r, at, v, type_members, TYPE_ALONE, got) && type_of(r, at, got, out);
}

static bool attribute(struct reader *r, uint32_t at, str name, const json *v, struct raw_attr *out)
{
    const json *got[TYPE_MEMBERS];
    out->name = name;
    out->span = mark(at);
    if (!members(r, at, v, type_members, TYPE_ATTRIBUTE, got))
        return false;
    out->optional = got[REQUIRED] && !json_bool(got[REQUIRED]);
    return annotations(r, at, got[NOTES], &out->annotations, &out->annotation_count) &&
           type_of(r, at, got, &out->type);
}

static bool record(struct reader *r, uint32_t up, const json *const *got, struct raw_type *t)
{
    struct raw_attr **link = &t->attrs;
    uint32_t at = at_member(r, up, "attributes", NULL);
    const json *v;
    str name;
    bool ok = true;
    if (json_bool(got[ADDITIONAL])) {
        finding_add(r->d, FIND_SCHEMA_SYNTAX, mark(up),
                    "records with additionalAttributes are not supported");
        ok = false;
    }
    for (struct json_iter it = json_iter(got[ATTRIBUTES]); json_next(&it, &name, &v);) {
        struct raw_attr *one = ARENA_NEW(r->a, struct raw_attr);
        ok = attribute(r, at_key(r, at, name), name, v, one) && ok;
        *link = one;
        link = &one->next;
        t->attr_count++;
    }
    return ok;
}

/* Members that belong to another form of type. */
static bool no_others(struct reader *r, uint32_t at, const struct type_form *form,
                      const json *const *got)
{
    bool ok = true;
    for (enum type_member i = ELEMENT; i <= NAME; i++) {
        if (!got[i] || i == form->needs || (i == ADDITIONAL && form->needs == ATTRIBUTES))
            continue;
        finding_add(r->d, FIND_SCHEMA_SYNTAX, mark(at), "type `%.*s` has no member `%s`",
                    STR(str_take(json_str(got[TYPE]), PATH_NAME_BYTES_MAX)), type_members[i].name);
        ok = false;
    }
    if (got[form->needs])
        return ok;
    finding_add(r->d, FIND_SCHEMA_SYNTAX, mark(at), "type `%s` needs the member `%s`", form->type,
                type_members[form->needs].name);
    return false;
}

static bool type_body(struct reader *r, uint32_t at, const struct type_form *form,
                      const json *const *got, struct raw_type *t)
{
    if (form->needs == ELEMENT)
        return type_alone(r, at_member(r, at, "element", NULL), got[ELEMENT], &t->elem);
    if (form->needs == ATTRIBUTES)
        return record(r, at, got, t);
    const char *member = type_members[form->needs].name;
    const json *name = got[form->needs];
    uint32_t here = at_member(r, at, member, name);
    if (t->kind == RAW_EXTENSION) {
        t->name = (struct raw_name){.text = json_str(name), .span = mark(here)};
        return is_name(r, here, json_str(name), false);
    }
    return reference(r, here, json_str(name), &t->name);
}

static bool type_of(struct reader *r, uint32_t at, const json *const *got, struct raw_type **out)
{
    const struct type_form *form = type_forms;
    while (form->type && !str_eq(json_str(got[TYPE]), str_z(form->type)))
        form++;
    if (!no_others(r, at, form, got))
        return false;
    if (r->depth >= CEDAR_DEPTH_MAX) {
        finding_add(r->d, FIND_SCHEMA_LIMIT, mark(at), "types nest more than %d deep",
                    CEDAR_DEPTH_MAX);
        return false;
    }
    struct raw_type *t = ARENA_NEW(r->a, struct raw_type);
    t->kind = form->kind;
    t->span = mark(at);
    *out = t;
    r->depth++;
    bool ok = type_body(r, at, form, got, t);
    r->depth--;
    return ok;
}

/* ---- declarations ---- */

static struct raw_decl *declare(struct reader *r, enum raw_decl_kind kind, str space, str name,
                                uint32_t at)
{
    struct raw_schema *s = r->tree;
    struct raw_decl *d = ARENA_NEW(r->a, struct raw_decl);
    d->kind = kind;
    d->space = space;
    d->span = mark(at);
    append(r, &d->names, at)->id = name;
    if (s->last_decl)
        s->last_decl->next = d;
    else
        s->decls = d;
    s->last_decl = d;
    s->decl_count++;
    return d;
}

static bool common(struct reader *r, uint32_t at, str space, str name, const json *v)
{
    const json *got[TYPE_MEMBERS];
    struct raw_decl *d = declare(r, RAW_COMMON, space, name, at);
    return is_name(r, at, name, false) && members(r, at, v, type_members, TYPE_COMMON, got) &&
           annotations(r, at, got[NOTES], &d->annotations, &d->annotation_count) &&
           type_of(r, at, got, &d->shape);
}

static bool enum_ids(struct reader *r, uint32_t at, const json *array, struct raw_refs *out)
{
    const json *v;
    size_t i = 0;
    bool ok = true;
    for (struct json_iter it = json_iter(array); json_next(&it, NULL, &v); i++) {
        uint32_t here = at_index(r, at, i, v);
        ok = is_a(r, here, JSON_STRING, v) && ok;
        append(r, out, here)->id = json_str(v);
    }
    if (i)
        return ok;
    finding_add(r->d, FIND_SCHEMA_SYNTAX, mark(at), "there must be at least one id");
    return false;
}

enum entity_member { PARENTS, SHAPE, TAGS, ENUM, ENTITY_NOTES, ENTITY_MEMBERS };
static const struct member entity_members[ENTITY_MEMBERS] = {
    [PARENTS] = {"memberOfTypes", JSON_ARRAY, false, false},
    [SHAPE] = {"shape", JSON_OBJECT, false, false},
    [TAGS] = {"tags", JSON_OBJECT, false, false},
    [ENUM] = {"enum", JSON_ARRAY, false, false},
    [ENTITY_NOTES] = {"annotations", JSON_OBJECT, false, false},
};

static bool entity(struct reader *r, uint32_t at, str space, str name, const json *v)
{
    const json *got[ENTITY_MEMBERS];
    struct raw_decl *d = declare(r, RAW_ENTITY, space, name, at);
    if (!is_name(r, at, name, false) || !MEMBERS(r, at, v, entity_members, got) ||
        !annotations(r, at, got[ENTITY_NOTES], &d->annotations, &d->annotation_count))
        return false;
    if (got[ENUM]) {
        d->kind = RAW_ENUM;
        if (!got[PARENTS] && !got[SHAPE] && !got[TAGS])
            return enum_ids(r, at_member(r, at, "enum", NULL), got[ENUM], &d->ids);
        finding_add(r->d, FIND_SCHEMA_SYNTAX, mark(at),
                    "an enumerated entity type has no parents, attributes or tags");
        return false;
    }
    bool ok = !got[PARENTS] ||
              entity_names(r, at_member(r, at, "memberOfTypes", NULL), got[PARENTS], &d->parents);
    if (got[SHAPE])
        ok = type_alone(r, at_member(r, at, "shape", NULL), got[SHAPE], &d->shape) && ok;
    if (got[TAGS])
        ok = type_alone(r, at_member(r, at, "tags", NULL), got[TAGS], &d->tags) && ok;
    return ok;
}

/* ---- actions ---- */

enum applies_member { PRINCIPALS, RESOURCES, CONTEXT, APPLIES_MEMBERS };
static const struct member applies_members[APPLIES_MEMBERS] = {
    [PRINCIPALS] = {"principalTypes", JSON_ARRAY, true, false},
    [RESOURCES] = {"resourceTypes", JSON_ARRAY, true, false},
    [CONTEXT] = {"context", JSON_OBJECT, false, false},
};

static bool applies_to(struct reader *r, uint32_t at, const json *v, struct raw_decl *d)
{
    const json *got[APPLIES_MEMBERS];
    d->applies = true;
    if (!MEMBERS(r, at, v, applies_members, got))
        return false;
    bool ok =
        entity_names(r, at_member(r, at, "principalTypes", NULL), got[PRINCIPALS], &d->principals);
    ok = entity_names(r, at_member(r, at, "resourceTypes", NULL), got[RESOURCES], &d->resources) &&
         ok;
    if (got[CONTEXT])
        ok = type_alone(r, at_member(r, at, "context", NULL), got[CONTEXT], &d->shape) && ok;
    return ok;
}

static const struct member group_members[] = {{"id", JSON_STRING, true, false},
                                              {"type", JSON_STRING, false, true}};

static bool groups(struct reader *r, uint32_t at, const json *array, struct raw_decl *d)
{
    const json *v, *got[2];
    size_t i = 0;
    bool ok = true;
    d->has_parents = true;
    for (struct json_iter it = json_iter(array); json_next(&it, NULL, &v); i++) {
        uint32_t here = at_index(r, at, i, json_get(v, S("id")));
        struct raw_ref *ref = append(r, &d->parents, here);
        ok = MEMBERS(r, here, v, group_members, got) && ok;
        ref->id = json_str(got[0]);
        if (got[1])
            ok = reference(r, at_member(r, here, "type", got[1]), json_str(got[1]), &ref->name) &&
                 ok;
    }
    return ok;
}

enum action_member { ACTION_ATTRIBUTES, APPLIES_TO, MEMBER_OF, ACTION_NOTES, ACTION_MEMBERS };
static const struct member action_members[ACTION_MEMBERS] = {
    [ACTION_ATTRIBUTES] = {"attributes", JSON_OBJECT, false, true},
    [APPLIES_TO] = {"appliesTo", JSON_OBJECT, false, true},
    [MEMBER_OF] = {"memberOf", JSON_ARRAY, false, true},
    [ACTION_NOTES] = {"annotations", JSON_OBJECT, false, false},
};

static bool action(struct reader *r, uint32_t at, str space, str name, const json *v)
{
    const json *got[ACTION_MEMBERS];
    struct raw_decl *d = declare(r, RAW_ACTION, space, name, at);
    if (!MEMBERS(r, at, v, action_members, got) ||
        !annotations(r, at, got[ACTION_NOTES], &d->annotations, &d->annotation_count))
        return false;
    if (got[ACTION_ATTRIBUTES]) {
        finding_add(r->d, FIND_SCHEMA_SYNTAX, mark(at), "actions cannot have attributes");
        return false;
    }
    bool ok = !got[MEMBER_OF] || groups(r, at_member(r, at, "memberOf", NULL), got[MEMBER_OF], d);
    if (got[APPLIES_TO])
        ok = applies_to(r, at_member(r, at, "appliesTo", NULL), got[APPLIES_TO], d) && ok;
    return ok;
}

/* ---- namespaces ---- */

enum space_member { COMMONS, ENTITIES, ACTIONS, SPACE_NOTES, SPACE_MEMBERS };
static const struct member space_members[SPACE_MEMBERS] = {
    [COMMONS] = {"commonTypes", JSON_OBJECT, false, false},
    [ENTITIES] = {"entityTypes", JSON_OBJECT, true, false},
    [ACTIONS] = {"actions", JSON_OBJECT, true, false},
    [SPACE_NOTES] = {"annotations", JSON_OBJECT, false, false},
};
static bool (*const space_readers[])(struct reader *r, uint32_t at, str space, str name,
                                     const json *v) = {
    [COMMONS] = common, [ENTITIES] = entity, [ACTIONS] = action};

static struct raw_space *add_space(struct reader *r, uint32_t at, str name)
{
    struct raw_schema *s = r->tree;
    struct raw_space *space = ARENA_NEW(r->a, struct raw_space);
    space->name = (struct raw_name){.text = name, .span = mark(at)};
    if (s->last_space)
        s->last_space->next = space;
    else
        s->spaces = space;
    s->last_space = space;
    return space;
}

static bool space_notes(struct reader *r, uint32_t at, struct raw_space *space, const json *v)
{
    if (space)
        return annotations(r, at, v, &space->annotations, &space->annotation_count);
    if (json_count(v) == 0)
        return true;
    finding_add(r->d, FIND_SCHEMA_SYNTAX, mark(at), "the empty namespace cannot be annotated");
    return false;
}

static bool space(struct reader *r, uint32_t at, str name, const json *v)
{
    const json *got[SPACE_MEMBERS], *one;
    struct raw_space *named = name.n ? add_space(r, at, name) : NULL;
    str key;
    r->tree->bare = r->tree->bare || !named;
    if ((named && !is_name(r, at, name, true)) || !MEMBERS(r, at, v, space_members, got))
        return false;
    bool ok = space_notes(r, at, named, got[SPACE_NOTES]);
    for (enum space_member m = COMMONS; m <= ACTIONS; m++) {
        uint32_t here = got[m] ? at_member(r, at, space_members[m].name, NULL) : 0;
        for (struct json_iter it = json_iter(got[m]); json_next(&it, &key, &one);)
            ok = space_readers[m](r, at_key(r, here, key), name, key, one) && ok;
    }
    return ok;
}

static bool spaces(struct reader *r, const json *v)
{
    const json *one;
    str name;
    if (!is_a(r, 0, JSON_OBJECT, v))
        return false;
    bool ok = true;
    for (struct json_iter it = json_iter(v); json_next(&it, &name, &one);)
        ok = space(r, at_key(r, 0, name), name, one) && ok;
    return ok;
}

/* The model keeps spans for whoever asks: those of the text. */
static void settle_spans(const struct reader *r, struct schema *s)
{
    for (size_t i = 0; i < s->etype_count; i++)
        s->etypes[i].span = r->places[s->etypes[i].span.start].span;
    for (size_t i = 0; i < s->action_count; i++)
        s->actions[i].span = r->places[s->actions[i].span.start].span;
}

static bool read_all(struct reader *r, const json *v, struct raw_schema *tree,
                     const struct schema **out)
{
    size_t first = r->d->count;
    struct schema *s;
    *tree = (struct raw_schema){.from_json = true};
    r->tree = tree;
    add_place(r, (struct place){0});
    bool ok = spaces(r, v) && schema_resolve(r->a, tree, r->text, &s, r->d);
    name_places(r, first);
    if (!ok)
        return false;
    settle_spans(r, s);
    *out = s;
    return true;
}

bool schema_tree_read_json(struct arena *a, str text, struct raw_schema *tree,
                           const struct schema **out, struct cedar_diags *d)
{
    const struct json_limits limits = {.bytes_max = CEDAR_TEXT_BYTES_MAX,
                                       .depth_max = 2 * CEDAR_DEPTH_MAX + 8,
                                       .values_max = JSON_VALUES_OF_SCHEMA_MAX};
    struct reader r = {.a = a, .d = d, .text = text};
    struct err err;
    const json *v;
    if (json_read_based(a, text, &limits, &v, &r.base, &err))
        return read_all(&r, v, tree, out);
    finding_add(d, err.kind == ERR_LIMIT ? FIND_SCHEMA_LIMIT : FIND_SCHEMA_SYNTAX,
                (struct cedar_span){0}, "%s", err.text);
    return false;
}

bool schema_tree_read_value(struct arena *a, const json *v, struct raw_schema *tree,
                            const struct schema **out, struct cedar_diags *d)
{
    struct reader r = {.a = a, .d = d};
    return read_all(&r, v, tree, out);
}

bool schema_read_json(struct arena *a, str text, const struct schema **out, struct cedar_diags *d)
{
    struct raw_schema tree;
    return schema_tree_read_json(a, text, &tree, out, d);
}

bool schema_read_json_value(struct arena *a, const json *v, const struct schema **out,
                            struct cedar_diags *d)
{
    struct raw_schema tree;
    return schema_tree_read_value(a, v, &tree, out, d);
}
