#include "cedar/tools/tool_map.h"
#include "cedar/schema/schema_tree.h"
#include "cedar/tools/tool_parts.h"

static void free_names(void *arg)
{
    struct tool_parts *p = arg;
    map_fini(&p->by_name);
}

/* What is wrong with text of a schema, in one line. */
static bool schema_wrong(const char *what, const struct cedar_diags *d, struct err *err)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->items[i].severity == CEDAR_ERROR)
            return err_input(err, "%s: %.*s", what, STR(d->items[i].text));
    return err_input(err, "%s cannot be read", what);
}

/* The stub is one namespace. */
static bool read_stub(struct arena *a, struct tool_parts *p, struct err *err)
{
    str text = p->options->stub.n ? p->options->stub : tool_default_stub;
    struct raw_schema *tree = ARENA_NEW(a, struct raw_schema);
    struct cedar_diags d;
    cedar_diags_init(&d, a, S("stub"), text);
    if (!schema_parse(a, text, tree, &d))
        return schema_wrong("the stub", &d, err);
    if (!tree->spaces || tree->spaces->next || raw_decl_of(tree->decls, S("")))
        return err_input(err, "the stub must be one namespace and nothing besides");
    p->stub = (struct tool_stub){tree->spaces->name.text, tree};
    p->space = p->stub.space;
    return true;
}

/* ---- the text ---- */

static void put_space(struct buf *out, str name, str text)
{
    if (buf_len(out))
        buf_putc(out, '\n');
    buf_printf(out, "namespace %.*s {\n", STR(name));
    buf_put(out, text);
    buf_put(out, S("}\n"));
}

static void put_all(struct buf *out, const struct tool_writer *w)
{
    if (w->parts->space.n)
        put_space(out, w->parts->space, buf_str(w->out));
    else
        buf_put(out, buf_str(w->out));
    for (const struct tool_space *s = w->spaces; s; s = s->next)
        put_space(out, s->name, buf_str(&s->text));
}

/* One pass; *clash: a type is called like a built-in one, so that those need their long names. */
static bool write_text(struct arena *a, const struct tool_parts *p, str prefix, bool *clash,
                       str *out, struct err *err)
{
    struct buf own = {.max = TOOL_SCHEMA_BYTES_MAX}, all = own;
    struct tool_writer w = {.a = a, .parts = p, .out = &own, .prefix = prefix, .err = err};
    bool ok = p->profile->layout(&w);
    if (ok)
        put_all(&all, &w);
    for (struct tool_space *s = w.spaces; s; s = s->next) {
        all.over = all.over || s->text.over;
        buf_fini(&s->text);
    }
    if (ok && (all.over || own.over))
        ok = err_limit(err, "the schema is over %d bytes", TOOL_SCHEMA_BYTES_MAX);
    if (ok)
        *out = str_dup(a, buf_str(&all));
    *clash = w.clash;
    map_fini(&w.declared);
    map_fini(&w.spaces_by_name);
    buf_fini(&own);
    buf_fini(&all);
    return ok;
}

bool tool_map_read(struct arena *a, const struct tool_profile *profile, str server,
                   const json *tools, const struct tool_options *options,
                   const struct tool_map **out, struct err *err)
{
    struct tool_parts *p = ARENA_NEW(a, struct tool_parts);
    struct tool_map *m = ARENA_NEW(a, struct tool_map);
    struct cedar_diags d;
    bool clash;
    *p = (struct tool_parts){.profile = profile,
                             .options = arena_dup(a, options, sizeof *options),
                             .server = server,
                             .space = str_z(profile->space)};
    *m = (struct tool_map){.profile = profile, .parts = p};
    arena_on_reset(a, free_names, p);
    if (profile->named_records && !read_stub(a, p, err))
        return false;
    if (!tool_parts_read(a, tools, p, err) || !tool_settle(p, err) ||
        !write_text(a, p, S(""), &clash, &m->text, err))
        return false;
    if (clash && !write_text(a, p, S("__cedar::"), &clash, &m->text, err))
        return false;
    cedar_diags_init(&d, a, S("schema"), m->text);
    if (!schema_read(a, m->text, &m->schema, &d))
        return schema_wrong("the schema made of these tools", &d, err);
    *out = m;
    return true;
}
