/* What each profile's schema has around the types of the arguments. */
#include "cedar/schema/schema_tree.h"
#include "cedar/text/lex.h"
#include "cedar/tools/tool_parts.h"

const str tool_default_stub = {"namespace MyMcpServer {\n"
                               "  @mcp_principal entity User;\n"
                               "  @mcp_resource entity McpServer;\n"
                               "  @mcp_action action \"call_tool\";\n"
                               "}\n",
                               sizeof "namespace MyMcpServer {\n"
                                      "  @mcp_principal entity User;\n"
                                      "  @mcp_resource entity McpServer;\n"
                                      "  @mcp_action action \"call_tool\";\n"
                                      "}\n" -
                                   1};

static bool tool_in(struct tool_writer *w, const struct tool *t)
{
    return err_in(w->err, "tool `%.*s`", STR(str_take(t->name, 80)));
}

static void put_action(struct tool_writer *w, const char *prefix, str id)
{
    buf_put(w->out, S("  action "));
    cedar_quote(w->out, str_fmt(w->a, "%s%.*s", prefix, STR(id)));
}

static void put_string(struct tool_writer *w, const char *prefix, str id)
{
    cedar_quote(w->out, str_fmt(w->a, "%s%.*s", prefix, STR(id)));
}

/* ---- own ---- */

static const char own_preamble[] =
    "  entity Owner;\n"
    "  entity Agent in [Owner] = {\n"
    "    name: String, owner: String, tier: String, model: String, status: String, assessed: Bool\n"
    "  };\n"
    "  entity Human = { name: String, roles: Set<String> };\n"
    "  entity System = { name: String, kind: String };\n"
    "  type Task = {\n"
    "    id: String, purpose: String, owner: String, operations: Set<String>, depth: Long, "
    "callsLeft: Long\n"
    "  };\n"
    "  type Approval = { id: String, approver: String };\n"
    "  type Time = { hour: Long, weekday: Long, unix: Long };\n"
    "  action \"call\";\n"
    "  action \"high-impact\" in [\"call\"];\n";

static bool own_tool(struct tool_writer *w, const struct tool *t, str effect)
{
    put_action(w, "", t->action);
    buf_put(w->out, S(" in ["));
    put_string(w, "effect:", effect);
    buf_put(w->out, S(", "));
    put_string(w, "system:", w->parts->server);
    buf_put(w->out, w->parts->options->not_high_impact ? S("") : S(", \"high-impact\""));
    buf_put(w->out,
            S(", \"call\"] appliesTo {\n    principal: [Agent], resource: [System],\n"
              "    context: { operation: String, effect: String, task: Task, chain: Set<Agent>, "
              "time: Time,\n      approval?: Approval, args: "));
    if (!tool_put_record(w, w->out, t->input.fields, t->input.count, S("")))
        return tool_in(w, t);
    buf_put(w->out, S(" }\n  };\n"));
    return true;
}

bool tool_layout_own(struct tool_writer *w)
{
    const struct tool_options *o = w->parts->options;
    str effect = o->effect.n ? o->effect : S("admin");
    buf_put(w->out, str_z(own_preamble));
    put_action(w, "effect:", effect);
    buf_put(w->out, S(" in [\"call\"];\n"));
    put_action(w, "system:", w->parts->server);
    buf_put(w->out, S(" in [\"call\"];\n"));
    for (size_t i = 0; i < w->parts->count; i++)
        if (!own_tool(w, &w->parts->tools[i], effect))
            return false;
    return true;
}

/* ---- mcp-generated ---- */

static const struct cedar_annotation *note_of(const struct raw_decl *d, str name)
{
    for (size_t i = 0; i < d->annotation_count; i++)
        if (str_eq(d->annotations[i].name, name))
            return &d->annotations[i];
    return NULL;
}

static void put_notes(struct tool_writer *w, const struct cedar_annotation *notes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_starts(notes[i].name, S("mcp_")) && !w->parts->options->keep_annotations)
            continue;
        buf_printf(w->out, "  @%.*s", STR(notes[i].name));
        if (notes[i].has_value) {
            buf_putc(w->out, '(');
            cedar_quote(w->out, notes[i].value);
            buf_putc(w->out, ')');
        }
        buf_putc(w->out, '\n');
    }
}

/* The stub's own declarations, as they were written. */
static bool put_stub(struct tool_writer *w)
{
    const struct tool_stub *stub = &w->parts->stub;
    str text = w->parts->options->stub.n ? w->parts->options->stub : tool_default_stub;
    for (const struct raw_decl *d = stub->tree->decls; d; d = d->next) {
        put_notes(w, d->annotations, d->annotation_count);
        buf_printf(w->out, "  %.*s\n", STR(cedar_span_text(text, d->span)));
        for (const struct raw_ref *r = d->names.first; d->kind != RAW_ACTION && r; r = r->next)
            if (!tool_declare(w, str_fmt(w->a, "%.*s::%.*s", STR(stub->space), STR(r->id))))
                return false;
    }
    return true;
}

/* [A, B]: the names of the declarations that are annotated so. */
static size_t put_annotated(struct tool_writer *w, str note, bool actions)
{
    size_t n = 0;
    for (const struct raw_decl *d = w->parts->stub.tree->decls; d; d = d->next) {
        bool fits = actions ? d->kind == RAW_ACTION : d->kind == RAW_ENTITY || d->kind == RAW_ENUM;
        for (const struct raw_ref *r = d->names.first; fits && note_of(d, note) && r; r = r->next) {
            buf_put(w->out, n++ ? S(", ") : S(""));
            if (actions)
                cedar_quote(w->out, r->id);
            else
                buf_put(w->out, r->id);
        }
    }
    return n;
}

static void put_shared_context(struct tool_writer *w)
{
    for (const struct raw_decl *d = w->parts->stub.tree->decls; d; d = d->next) {
        const struct cedar_annotation *note = note_of(d, S("mcp_context"));
        if (!note || !note->has_value || d->kind == RAW_ACTION)
            continue;
        buf_put(w->out, S(", "));
        cedar_quote(w->out, note->value);
        buf_printf(w->out, ": %.*s", STR(d->names.first->id));
    }
}

/* A definition that is no entity type becomes a common type. */
static bool put_def(struct tool_writer *w, const struct tool_def *d)
{
    struct buf text = {.max = TOOL_SCHEMA_BYTES_MAX};
    str full = tool_full_name(w->a, w->parts, d->space, d->name);
    bool ok = tool_put_type(w, &text, d->type, d->space, d->name);
    if (ok && !str_eq(buf_str(&text), full))
        ok = tool_put_common(w, full, buf_str(&text));
    buf_fini(&text);
    return ok || err_in(w->err, "$defs `%.*s`", STR(str_take(d->name, 80)));
}

static bool put_defs(struct tool_writer *w, const struct tool_def *d)
{
    for (; d; d = d->next)
        if (!put_def(w, d))
            return false;
    return true;
}

/* type toolInput = {..}; */
static bool put_params(struct tool_writer *w, const struct tool *t, const struct tool_params *p,
                       str part)
{
    struct buf text = {.max = TOOL_SCHEMA_BYTES_MAX};
    str base = str_fmt(w->a, "%.*s%.*s", STR(t->name), STR(part));
    str full = str_fmt(w->a, "%.*s::%.*s", STR(w->parts->space), STR(base));
    if (!cedar_is_ident(base))
        return err_input(w->err, "its name cannot be part of the name of a type");
    bool ok =
        put_defs(w, p->defs) &&
        tool_put_record(w, &text, p->fields, p->count, tool_types_space(w->a, w->parts, t, part)) &&
        tool_put_common(w, full, buf_str(&text));
    buf_fini(&text);
    return ok;
}

static bool generated_tool(struct tool_writer *w, const struct tool *t)
{
    bool outputs = w->parts->options->outputs;
    if (!put_defs(w, t->defs) || !put_params(w, t, &t->input, S("Input")) ||
        (outputs && !put_params(w, t, &t->output, S("Output"))))
        return tool_in(w, t);
    put_action(w, "", t->action);
    size_t before = buf_len(w->out);
    buf_put(w->out, S(" in ["));
    if (put_annotated(w, S("mcp_action"), true))
        buf_putc(w->out, ']');
    else
        buf_truncate(w->out, before);
    buf_put(w->out, S(" appliesTo {\n    principal: ["));
    if (!put_annotated(w, S("mcp_principal"), false))
        return err_input(w->err, "the stub has no entity type with @mcp_principal");
    buf_put(w->out, S("],\n    resource: ["));
    if (!put_annotated(w, S("mcp_resource"), false))
        return err_input(w->err, "the stub has no entity type with @mcp_resource");
    buf_printf(w->out, "],\n    context: { input: %.*sInput", STR(t->name));
    put_shared_context(w);
    if (outputs)
        buf_printf(w->out, ", output?: %.*sOutput", STR(t->name));
    buf_put(w->out, S(" }\n  };\n"));
    return true;
}

bool tool_layout_generated(struct tool_writer *w)
{
    if (!put_stub(w) || !put_defs(w, w->parts->defs))
        return false;
    for (size_t i = 0; i < w->parts->count; i++)
        if (!generated_tool(w, &w->parts->tools[i]))
            return false;
    return true;
}

/* ---- agentcore ---- */

bool tool_layout_agentcore(struct tool_writer *w)
{
    buf_put(w->out, S("  entity OAuthUser = { id: String } tags String;\n"
                      "  entity IamEntity = { id: String };\n"
                      "  entity Gateway;\n"
                      "  action \"Mcp\";\n"
                      "  action \"CallTool\" in [\"Mcp\"];\n"));
    put_action(w, "", w->parts->server);
    buf_put(w->out, S(" in [\"CallTool\"];\n"));
    for (size_t i = 0; i < w->parts->count; i++) {
        const struct tool *t = &w->parts->tools[i];
        struct buf input = {.max = TOOL_SCHEMA_BYTES_MAX};
        bool ok = tool_put_record(w, &input, t->input.fields, t->input.count, S(""));
        put_action(w, "", t->action);
        buf_put(w->out, S(" in ["));
        put_string(w, "", w->parts->server);
        buf_put(w->out, S("] appliesTo {\n    principal: [OAuthUser, IamEntity], "
                          "resource: [Gateway],\n    context: { input: "));
        buf_put(w->out, buf_str(&input));
        buf_put(w->out, S(" }\n  };\n"));
        buf_fini(&input);
        if (!ok)
            return tool_in(w, t);
    }
    return true;
}

/* ---- toolhive ---- */

static void put_optional(struct tool_writer *w, struct buf *out, str name, str type)
{
    buf_put(out, buf_len(out) ? S(", ") : S(" "));
    cedar_quote(out, name);
    buf_printf(out, "?: %.*s", STR(type));
}

static bool claims_text(struct tool_writer *w, struct buf *out)
{
    static const str known[] = {{"String", 6},       {"Bool", 4},      {"decimal", 7},
                                {"Set<String>", 11}, {"Set<Bool>", 9}, {"Set<decimal>", 12}};
    const json *v;
    str name;
    for (struct json_iter it = json_iter(w->parts->options->claims); json_next(&it, &name, &v);) {
        size_t i = 0;
        while (i < sizeof known / sizeof *known && !str_eq(known[i], json_str(v)))
            i++;
        if (i == sizeof known / sizeof *known)
            return err_input(w->err,
                             "claim `%.*s`: its type must be String, Bool, decimal or a Set "
                             "of one of them",
                             STR(str_take(name, 80)));
        put_optional(w, out, str_fmt(w->a, "claim_%.*s", STR(name)), known[i]);
    }
    return true;
}

/* One attribute for an argument of that name in whatever tool. */
static bool argument_text(struct tool_writer *w, struct map *seen, struct buf *out, str name,
                          str type)
{
    str *stored = map_get(seen, name);
    if (stored)
        return str_eq(*stored, type) ||
               err_input(w->err, "argument `%.*s` has another type in another tool",
                         STR(str_take(str_skip(name, 4), 80)));
    stored = ARENA_NEW(w->a, str);
    *stored = type;
    (void)map_put(seen, name, stored);
    put_optional(w, out, name, type);
    return true;
}

static bool arguments_text(struct tool_writer *w, const struct tool *t, struct map *seen,
                           struct buf *out)
{
    for (size_t i = 0; i < t->input.count; i++) {
        const struct tool_field *f = &t->input.fields[i];
        struct buf type = {.max = 256};
        bool present = f->type->as == AS_PRESENT, ok = true;
        if (f->type->as == AS_HIDDEN)
            continue;
        if (!present)
            ok = tool_put_type(w, &type, f->type, S(""), f->name) &&
                 argument_text(w, seen, out, str_fmt(w->a, "arg_%.*s", STR(f->name)),
                               str_dup(w->a, buf_str(&type)));
        if (ok && (present || f->type->nullable))
            ok = argument_text(w, seen, out, str_fmt(w->a, "arg_%.*s_present", STR(f->name)),
                               S("Bool"));
        buf_fini(&type);
        if (!ok)
            return tool_in(w, t);
    }
    return true;
}

bool tool_layout_toolhive(struct tool_writer *w)
{
    struct buf claims = {.max = TOOL_SCHEMA_BYTES_MAX}, args = claims;
    struct map seen = {0};
    bool ok = claims_text(w, &claims);
    for (size_t i = 0; ok && i < w->parts->count; i++)
        ok = arguments_text(w, &w->parts->tools[i], &seen, &args);
    buf_printf(w->out,
               "entity THVGroup;\nentity MCP;\nentity Client in [THVGroup] = {%.*s };\n"
               "entity Tool in [MCP] = { name: String, operation: String, feature: String,\n"
               "  readOnlyHint?: Bool, destructiveHint?: Bool, idempotentHint?: Bool, "
               "openWorldHint?: Bool%s%.*s };\n",
               STR(buf_str(&claims)), buf_len(&args) ? "," : "", STR(buf_str(&args)));
    buf_printf(w->out,
               "action \"call_tool\" appliesTo {\n  principal: [Client], resource: [Tool],\n"
               "  context: {%.*s%s%.*s }\n};\n",
               STR(buf_str(&claims)), buf_len(&claims) && buf_len(&args) ? "," : "",
               STR(buf_str(&args)));
    map_fini(&seen);
    buf_fini(&claims);
    buf_fini(&args);
    return ok;
}
