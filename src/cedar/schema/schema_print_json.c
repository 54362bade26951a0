/* JSON, without white space. A type's members are written without its braces, because an attribute
 * and a common type add members of their own to them. */
#include "cedar/schema/schema_print.h"
#include "cedar/schema/schema_resolve.h"
#include "cedar/text/lex.h"

struct printer {
    struct buf *out;
    const struct raw_schema *tree;
    bool resolved;
};

static void put_key(struct printer *p, str key, bool *first)
{
    if (!*first)
        buf_putc(p->out, ',');
    *first = false;
    json_write_str(p->out, key);
    buf_putc(p->out, ':');
}

/* ,"annotations":{..} with what stands before it. A note without a value is null in JSON; the human
 * syntax knows no difference between @x and @x(""). */
static void put_annotations(struct printer *p, str before, const struct cedar_annotation *notes,
                            size_t n)
{
    bool first = true;
    if (n == 0)
        return;
    buf_put(p->out, before);
    buf_put(p->out, S("\"annotations\":{"));
    for (size_t i = 0; i < n; i++) {
        put_key(p, notes[i].name, &first);
        if (notes[i].has_value || !p->tree->from_json)
            json_write_str(p->out, notes[i].value);
        else
            buf_put(p->out, S("null"));
    }
    buf_putc(p->out, '}');
}

static void put_name(struct printer *p, const struct raw_name *n)
{
    json_write_str(p->out, p->resolved ? n->full : n->text);
}

static void put_entity_name(struct printer *p, const struct raw_ref *ref)
{
    put_name(p, &ref->name);
}

static void put_id(struct printer *p, const struct raw_ref *ref)
{
    json_write_str(p->out, ref->id);
}

static void put_action(struct printer *p, const struct raw_ref *ref)
{
    buf_put(p->out, S("{\"id\":"));
    json_write_str(p->out, ref->id);
    if (p->resolved || ref->name.text.n) {
        buf_put(p->out, S(",\"type\":"));
        put_name(p, &ref->name);
    }
    buf_putc(p->out, '}');
}

static void put_list(struct printer *p, const struct raw_refs *list,
                     void (*put)(struct printer *p, const struct raw_ref *ref))
{
    buf_putc(p->out, '[');
    for (const struct raw_ref *ref = list->first; ref; ref = ref->next) {
        put(p, ref);
        if (ref->next)
            buf_putc(p->out, ',');
    }
    buf_putc(p->out, ']');
}

/* ---- types ---- */

static void put_type(struct printer *p, const struct raw_type *t);

static void put_record(struct printer *p, const struct raw_type *t)
{
    bool first = true;
    buf_put(p->out, S("\"Record\",\"attributes\":{"));
    for (const struct raw_attr *at = t->attrs; at; at = at->next) {
        put_key(p, at->name, &first);
        buf_putc(p->out, '{');
        put_type(p, at->type);
        put_annotations(p, S(","), at->annotations, at->annotation_count);
        buf_put(p->out, at->optional ? S(",\"required\":false}") : S("}"));
    }
    buf_putc(p->out, '}');
}

static void put_named(struct printer *p, str type, const struct raw_type *t)
{
    buf_put(p->out, type);
    buf_put(p->out, S(",\"name\":"));
    if (t->kind == RAW_EXTENSION)
        json_write_str(p->out, t->name.text);
    else
        put_name(p, &t->name);
}

/* A common type may be called so, and its bare name would be taken for the keyword. (SDK 4.12
 * prints it all the same, and cannot read it.) */
static bool is_keyword(const struct printer *p, const struct raw_type *t)
{
    return str_eq(p->resolved ? t->name.full : t->name.text, S("EntityOrCommon"));
}

/* "type":.. and what belongs to it */
static void put_type(struct printer *p, const struct raw_type *t)
{
    buf_put(p->out, S("\"type\":"));
    bool entity = t->kind == RAW_ENTITY_NAME || (p->resolved && t->name.is_entity);
    if (t->kind == RAW_SET) {
        buf_put(p->out, S("\"Set\",\"element\":{"));
        put_type(p, t->elem);
        buf_putc(p->out, '}');
    } else if (t->kind == RAW_RECORD) {
        put_record(p, t);
    } else if (t->kind == RAW_EXTENSION) {
        put_named(p, S("\"Extension\""), t);
    } else if (entity) {
        put_named(p, S("\"Entity\""), t);
    } else if ((t->kind == RAW_NAME && !p->resolved) || is_keyword(p, t)) {
        put_named(p, S("\"EntityOrCommon\""), t);
    } else if (t->kind == RAW_BUILTIN) {
        json_write_str(p->out, t->name.text);
    } else {
        put_name(p, &t->name);
    }
}

static bool is_empty_record(const struct raw_type *t)
{
    return !t || (t->kind == RAW_RECORD && !t->attrs);
}

/* ---- declarations: all but the name and the braces ---- */

static void put_common(struct printer *p, const struct raw_decl *d)
{
    put_type(p, d->shape);
    put_annotations(p, S(","), d->annotations, d->annotation_count);
}

static void put_entity(struct printer *p, const struct raw_decl *d)
{
    bool first = true;
    if (d->kind == RAW_ENUM) {
        put_key(p, S("enum"), &first);
        put_list(p, &d->ids, put_id);
    }
    if (d->parents.count) {
        put_key(p, S("memberOfTypes"), &first);
        put_list(p, &d->parents, put_entity_name);
    }
    if (!is_empty_record(d->shape)) {
        put_key(p, S("shape"), &first);
        buf_putc(p->out, '{');
        put_type(p, d->shape);
        buf_putc(p->out, '}');
    }
    if (d->tags) {
        put_key(p, S("tags"), &first);
        buf_putc(p->out, '{');
        put_type(p, d->tags);
        buf_putc(p->out, '}');
    }
    put_annotations(p, first ? S("") : S(","), d->annotations, d->annotation_count);
}

static void put_applies_to(struct printer *p, const struct raw_decl *d)
{
    buf_put(p->out, S("{\"resourceTypes\":"));
    put_list(p, &d->resources, put_entity_name);
    buf_put(p->out, S(",\"principalTypes\":"));
    put_list(p, &d->principals, put_entity_name);
    if (!is_empty_record(d->shape)) {
        buf_put(p->out, S(",\"context\":{"));
        put_type(p, d->shape);
        buf_putc(p->out, '}');
    }
    buf_putc(p->out, '}');
}

static void put_action_decl(struct printer *p, const struct raw_decl *d)
{
    bool first = true;
    if (d->applies) {
        put_key(p, S("appliesTo"), &first);
        put_applies_to(p, d);
    }
    if (d->has_parents) {
        put_key(p, S("memberOf"), &first);
        put_list(p, &d->parents, put_action);
    }
    put_annotations(p, first ? S("") : S(","), d->annotations, d->annotation_count);
}

/* ---- namespaces ---- */

static const struct section {
    str key;
    bool may_lack; /* left out when there is nothing in it */
    bool kinds[RAW_COMMON + 1];
    void (*put)(struct printer *p, const struct raw_decl *d);
} sections[] = {
    {{"commonTypes", 11}, true, {[RAW_COMMON] = true}, put_common},
    {{"entityTypes", 11}, false, {[RAW_ENTITY] = true, [RAW_ENUM] = true}, put_entity},
    {{"actions", 7}, false, {[RAW_ACTION] = true}, put_action_decl},
};

/* Every name of every declaration of that kind; the last of them in *at. */
static void put_section(struct printer *p, const struct section *s, str space,
                        const struct raw_decl *from, bool *first)
{
    bool first_name = true;
    if (!s->may_lack)
        put_key(p, s->key, first);
    for (const struct raw_decl *d = raw_decl_of(from, space); d; d = raw_decl_of(d->next, space)) {
        for (struct raw_ref *name = d->names.first; s->kinds[d->kind] && name; name = name->next) {
            if (first_name) {
                if (s->may_lack)
                    put_key(p, s->key, first);
                buf_putc(p->out, '{');
            }
            put_key(p, name->id, &first_name);
            buf_putc(p->out, '{');
            s->put(p, d);
            buf_putc(p->out, '}');
            if (p->out->over)
                return; /* many names may share a long declaration */
        }
    }
    if (!first_name)
        buf_putc(p->out, '}');
    else if (!s->may_lack)
        buf_put(p->out, S("{}"));
}

static void put_space(struct printer *p, str name, const struct raw_space *space,
                      const struct raw_decl *from)
{
    bool first = true;
    buf_putc(p->out, '{');
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        put_section(p, &sections[i], name, from, &first);
    if (space)
        put_annotations(p, S(","), space->annotations, space->annotation_count);
    buf_putc(p->out, '}');
}

static void put_schema(struct printer *p)
{
    const struct raw_schema *tree = p->tree;
    const struct raw_decl *at = tree->decls;
    bool first = true;
    buf_putc(p->out, '{');
    if (tree->bare || raw_decl_of(tree->decls, S(""))) {
        put_key(p, S(""), &first);
        put_space(p, S(""), NULL, tree->decls);
    }
    for (const struct raw_space *s = tree->spaces; s; s = s->next) {
        put_key(p, s->name.text, &first);
        put_space(p, s->name.text, s, at);
        for (const struct raw_decl *d; (d = raw_decl_of(at, s->name.text));)
            at = d->next;
    }
    buf_putc(p->out, '}');
}

static bool print(struct arena *a, const struct schema_source *s, bool resolved, str *out,
                  struct err *err)
{
    struct buf text = {.max = CEDAR_TEXT_BYTES_MAX};
    struct printer p = {.out = &text, .tree = s->tree, .resolved = resolved};
    put_schema(&p);
    bool ok = !text.over;
    if (ok)
        *out = str_dup(a, buf_str(&text));
    buf_fini(&text);
    return ok || err_limit(err, "the schema is over %d bytes when printed", CEDAR_TEXT_BYTES_MAX);
}

bool schema_print_json(struct arena *a, const struct schema_source *s, str *out, struct err *err)
{
    return print(a, s, false, out, err);
}

bool schema_print_resolved_json(struct arena *a, const struct schema_source *s, str *out,
                                struct err *err)
{
    return print(a, s, true, out, err);
}
