/* The human syntax: two spaces a level, one declaration a paragraph. */
#include "cedar/schema/schema_print.h"
#include "cedar/schema/schema_resolve.h"
#include "cedar/text/lex.h"

struct printer {
    struct buf *out;
    const struct schema *schema;
    struct map commons; /* full names */
    str space;          /* of the declaration being printed */
    struct err *err;
};

static void indent(struct printer *p, unsigned level)
{
    for (unsigned i = 0; i < level; i++)
        buf_put(p->out, S("  "));
}

static void annotations(struct printer *p, unsigned level, const struct cedar_annotation *notes,
                        size_t n)
{
    for (size_t i = 0; i < n; i++) {
        indent(p, level);
        buf_putc(p->out, '@');
        buf_put(p->out, notes[i].name);
        if (notes[i].has_value) {
            buf_putc(p->out, '(');
            cedar_quote(p->out, notes[i].value);
            buf_putc(p->out, ')');
        }
        buf_putc(p->out, '\n');
    }
}

/* ---- types ---- */

static bool put_type(struct printer *p, unsigned level, const struct raw_type *t);

/* The human syntax takes a name for a common type first and an entity type next: whether that finds
 * something other than what JSON means. */
static bool is_hidden(const struct printer *p, const struct raw_type *t)
{
    ARENA_SCOPE struct arena a = {0};
    const struct raw_name *n = &t->name;
    str own = p->space.n && !n->qualified ? schema_full_name(&a, p->space, n->text) : n->full;
    if (t->kind == RAW_ENTITY_NAME)
        return map_get(&p->commons, n->full) || map_get(&p->commons, own);
    return t->kind == RAW_COMMON_NAME && !str_eq(own, n->full) && schema_etype(p->schema, own);
}

static bool put_type_name(struct printer *p, const struct raw_type *t)
{
    const struct raw_name *n = &t->name;
    bool builtin = t->kind == RAW_BUILTIN || t->kind == RAW_EXTENSION;
    if (is_hidden(p, t)) {
        builtin = t->kind == RAW_COMMON_NAME && !map_get(&p->commons, n->full);
        if (!builtin)
            return err_input(p->err,
                             "`%.*s` means another type in the human syntax, which has one kind of "
                             "name for common and entity types: rename one of them",
                             STR(str_take(n->full, 80)));
    }
    if (builtin)
        buf_put(p->out, S("__cedar::"));
    buf_put(p->out, t->kind == RAW_BUILTIN && str_eq(n->text, S("Boolean")) ? S("Bool") : n->text);
    return true;
}

static bool put_attribute(struct printer *p, unsigned level, const struct raw_attr *at)
{
    annotations(p, level, at->annotations, at->annotation_count);
    indent(p, level);
    if (cedar_is_ident(at->name) && !cedar_is_reserved(at->name))
        buf_put(p->out, at->name);
    else
        cedar_quote(p->out, at->name);
    buf_put(p->out, at->optional ? S("?: ") : S(": "));
    return put_type(p, level, at->type);
}

static bool put_record(struct printer *p, unsigned level, const struct raw_type *t)
{
    if (!t->attrs) {
        buf_put(p->out, S("{}"));
        return true;
    }
    buf_put(p->out, S("{\n"));
    for (const struct raw_attr *at = t->attrs; at; at = at->next) {
        if (!put_attribute(p, level + 1, at))
            return false;
        buf_put(p->out, at->next ? S(",\n") : S("\n"));
    }
    indent(p, level);
    buf_putc(p->out, '}');
    return true;
}

static bool put_type(struct printer *p, unsigned level, const struct raw_type *t)
{
    if (t->kind == RAW_RECORD)
        return put_record(p, level, t);
    if (t->kind != RAW_SET)
        return put_type_name(p, t);
    buf_put(p->out, S("Set<"));
    if (!put_type(p, level, t->elem))
        return false;
    buf_putc(p->out, '>');
    return true;
}

/* ---- lists ---- */

static void put_entity_name(struct buf *out, const struct raw_ref *ref)
{
    buf_put(out, ref->name.text);
}

static void put_ident(struct buf *out, const struct raw_ref *ref)
{
    buf_put(out, ref->id);
}

static void put_quoted(struct buf *out, const struct raw_ref *ref)
{
    cedar_quote(out, ref->id);
}

static void put_action(struct buf *out, const struct raw_ref *ref)
{
    buf_put(out, ref->name.text.n ? ref->name.text : S("Action"));
    buf_put(out, S("::"));
    cedar_quote(out, ref->id);
}

static void put_list(struct printer *p, const struct raw_refs *list,
                     void (*put)(struct buf *out, const struct raw_ref *ref))
{
    for (const struct raw_ref *ref = list->first; ref; ref = ref->next) {
        put(p->out, ref);
        if (ref->next)
            buf_put(p->out, S(", "));
    }
}

static void put_in_brackets(struct printer *p, str before, const struct raw_refs *list,
                            void (*put)(struct buf *out, const struct raw_ref *ref))
{
    buf_put(p->out, before);
    buf_putc(p->out, '[');
    put_list(p, list, put);
    buf_putc(p->out, ']');
}

/* ---- declarations ---- */

static bool put_common(struct printer *p, unsigned level, const struct raw_decl *d)
{
    buf_put(p->out, S("type "));
    put_list(p, &d->names, put_ident);
    buf_put(p->out, S(" = "));
    return put_type(p, level, d->shape);
}

static bool put_enum(struct printer *p, unsigned level, const struct raw_decl *d)
{
    buf_put(p->out, S("entity "));
    put_list(p, &d->names, put_ident);
    put_in_brackets(p, S(" enum "), &d->ids, put_quoted);
    return true;
}

static bool put_entity(struct printer *p, unsigned level, const struct raw_decl *d)
{
    if (d->shape && d->shape->kind != RAW_RECORD)
        return err_input(p->err,
                         "the shape of entity type `%.*s` is a common type, which the human syntax "
                         "cannot say: write the record out",
                         STR(str_take(d->names.first->id, 80)));
    buf_put(p->out, S("entity "));
    put_list(p, &d->names, put_ident);
    if (d->parents.count)
        put_in_brackets(p, S(" in "), &d->parents, put_entity_name);
    if (d->shape && d->shape->attrs) {
        buf_put(p->out, S(" = "));
        if (!put_record(p, level, d->shape))
            return false;
    }
    if (!d->tags)
        return true;
    buf_put(p->out, S(" tags "));
    return put_type(p, level, d->tags);
}

static bool put_applies_to(struct printer *p, unsigned level, const struct raw_decl *d)
{
    buf_put(p->out, S(" appliesTo {\n"));
    indent(p, level + 1);
    put_in_brackets(p, S("principal: "), &d->principals, put_entity_name);
    buf_put(p->out, S(",\n"));
    indent(p, level + 1);
    put_in_brackets(p, S("resource: "), &d->resources, put_entity_name);
    if (d->shape) {
        buf_put(p->out, S(",\n"));
        indent(p, level + 1);
        buf_put(p->out, S("context: "));
        if (!put_type(p, level + 1, d->shape))
            return false;
    }
    buf_putc(p->out, '\n');
    indent(p, level);
    buf_putc(p->out, '}');
    return true;
}

static bool put_action_decl(struct printer *p, unsigned level, const struct raw_decl *d)
{
    buf_put(p->out, S("action "));
    put_list(p, &d->names, put_quoted);
    if (d->parents.count)
        put_in_brackets(p, S(" in "), &d->parents, put_action);
    return !d->principals.count || !d->resources.count || put_applies_to(p, level, d);
}

static bool put_decl(struct printer *p, unsigned level, const struct raw_decl *d)
{
    static bool (*const puts[])(struct printer *, unsigned,
                                const struct raw_decl *) = {[RAW_ENTITY] = put_entity,
                                                            [RAW_ENUM] = put_enum,
                                                            [RAW_ACTION] = put_action_decl,
                                                            [RAW_COMMON] = put_common};
    p->space = d->space;
    annotations(p, level, d->annotations, d->annotation_count);
    indent(p, level);
    if (!puts[d->kind](p, level, d))
        return false;
    buf_put(p->out, S(";\n"));
    return true;
}

/* ---- the whole ---- */

static void paragraph(struct printer *p)
{
    if (buf_len(p->out))
        buf_putc(p->out, '\n');
}

static bool put_space(struct printer *p, const struct raw_space *space, const struct raw_decl **at)
{
    bool first = true;
    paragraph(p);
    annotations(p, 0, space->annotations, space->annotation_count);
    buf_put(p->out, S("namespace "));
    buf_put(p->out, space->name.text);
    buf_put(p->out, S(" {\n"));
    for (const struct raw_decl *d = raw_decl_of(*at, space->name.text); d; first = false) {
        if (!first)
            buf_putc(p->out, '\n');
        if (!put_decl(p, 1, d))
            return false;
        *at = d->next;
        d = raw_decl_of(d->next, space->name.text);
    }
    buf_put(p->out, S("}\n"));
    return true;
}

static bool put_schema(struct printer *p, const struct raw_schema *tree)
{
    const struct raw_decl *d = raw_decl_of(tree->decls, S(""));
    for (; d; d = raw_decl_of(d->next, S(""))) {
        paragraph(p);
        if (!put_decl(p, 0, d))
            return false;
    }
    d = tree->decls;
    for (const struct raw_space *s = tree->spaces; s; s = s->next)
        if (!put_space(p, s, &d))
            return false;
    return !p->out->over ||
           err_limit(p->err, "the schema is over %d bytes when printed", CEDAR_TEXT_BYTES_MAX);
}

/* Notes the common types; false if one has the name of an entity type in a namespace. */
static bool take_names(struct printer *p, const struct raw_schema *tree)
{
    ARENA_SCOPE struct arena a = {0};
    for (struct raw_decl *d = tree->decls; d; d = d->next) {
        if (d->kind != RAW_COMMON)
            continue;
        str full = schema_full_name(&a, d->space, d->names.first->id);
        (void)map_put(&p->commons, full, d);
        const struct schema_etype *e = schema_etype(p->schema, full);
        if (d->space.n && e && !e->is_action)
            return err_input(p->err,
                             "`%.*s` is a common type and an entity type, which the human syntax "
                             "cannot tell apart: rename one of them",
                             STR(str_take(full, 80)));
    }
    return true;
}

bool schema_print_text(struct arena *a, const struct schema_source *s, str *out, struct err *err)
{
    struct buf text = {.max = CEDAR_TEXT_BYTES_MAX};
    struct printer p = {.out = &text, .schema = s->schema, .err = err};
    bool ok = take_names(&p, s->tree) && put_schema(&p, s->tree);
    if (ok)
        *out = str_dup(a, buf_str(&text));
    map_fini(&p.commons);
    buf_fini(&text);
    return ok;
}

/* ---- sources ---- */

bool schema_source_read(struct arena *a, str text, struct schema_source *out, struct cedar_diags *d)
{
    struct raw_schema *tree = ARENA_NEW(a, struct raw_schema);
    out->tree = tree;
    return schema_tree_read(a, text, tree, &out->schema, d);
}

bool schema_source_read_json(struct arena *a, str text, struct schema_source *out,
                             struct cedar_diags *d)
{
    struct raw_schema *tree = ARENA_NEW(a, struct raw_schema);
    out->tree = tree;
    return schema_tree_read_json(a, text, tree, &out->schema, d);
}

bool schema_source_read_value(struct arena *a, const json *v, struct schema_source *out,
                              struct cedar_diags *d)
{
    struct raw_schema *tree = ARENA_NEW(a, struct raw_schema);
    out->tree = tree;
    return schema_tree_read_value(a, v, tree, &out->schema, d);
}
