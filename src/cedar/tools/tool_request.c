/* What each profile makes of a call besides its arguments: who, what, on what, and which facts. */
#include "cedar/check/conform.h"
#include "cedar/schema/schema_tree.h"
#include "cedar/text/lex.h"
#include "cedar/tools/tool_parts.h"

/* ---- parts of requests ---- */

/* One of the types that a principal may have: as given, or a bare name of the profile's namespace.
 */
static bool principal_type(const struct tool_call *call, const char *const *types, size_t n,
                           str *out, struct err *err)
{
    str given = call->principal.type;
    for (size_t i = 0; i < n; i++) {
        str full = str_z(types[i]);
        if (given.n && !str_eq(given, full) && !str_eq(given, cedar_name_base(full)))
            continue;
        *out = full;
        return true;
    }
    return err_input(err, "principals of this profile are of type %s", types[0]);
}

struct fields {
    struct arena *a;
    struct cedar_field *items;
    size_t count, cap;
};

static struct fields fields_new(struct arena *a, size_t cap)
{
    return (struct fields){a, ARENA_ARRAY(a, struct cedar_field, cap), 0, cap};
}

static void put(struct fields *f, str name, struct cedar_value value)
{
    if (f->count < f->cap)
        f->items[f->count++] = (struct cedar_field){name, value};
}

/* The profile's own fields and the caller's facts. */
static bool context_of(struct fields *f, const struct tool_call *call, struct cedar_value *out,
                       struct err *err)
{
    struct fields all = fields_new(f->a, f->count + call->fact_count);
    for (size_t i = 0; i < f->count; i++)
        put(&all, f->items[i].name, f->items[i].value);
    for (size_t i = 0; i < call->fact_count; i++)
        put(&all, call->facts[i].name, call->facts[i].value);
    return cedar_record_of(all.items, all.count, out) ||
           err_input(err, "a fact has the name of something else in the context");
}

static bool add_entity(struct cedar_entities *entities, struct cedar_uid uid, struct fields *attrs,
                       struct cedar_value tags, const struct cedar_uid *parents, size_t n,
                       struct err *err)
{
    struct cedar_entity e = {.uid = uid, .tags = tags, .parents = parents, .parent_count = n};
    if (!cedar_record_of(attrs->items, attrs->count, &e.attrs))
        return err_input(err, "an attribute of `%.*s` is given twice", STR(uid.type));
    return cedar_entities_add(entities, &e, err);
}

static bool claim_error(str name, const char *wanted, struct err *err)
{
    return err_input(err, "claim `%.*s` must be %s", STR(str_take(name, 80)), wanted);
}

/* ---- own ---- */

static bool own_principal(struct arena *a, const struct tool_call *call, struct cedar_uid uid,
                          struct cedar_entities *entities, struct err *err)
{
    static const str texts[] = {
        {"name", 4}, {"owner", 5}, {"tier", 4}, {"model", 5}, {"status", 6}};
    const json *claims = call->principal.claims, *assessed = json_get(claims, S("assessed"));
    struct cedar_uid *owner = ARENA_NEW(a, struct cedar_uid);
    struct fields f = fields_new(a, 6);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const json *v = json_get(claims, texts[i]);
        if (json_type(v) != JSON_STRING)
            return claim_error(texts[i], "a string", err);
        put(&f, texts[i], cedar_string(json_str(v)));
    }
    if (json_type(assessed) != JSON_BOOL)
        return claim_error(S("assessed"), "true or false", err);
    put(&f, S("assessed"), cedar_bool(json_bool(assessed)));
    *owner = (struct cedar_uid){S("Ambit::Owner"), json_get_str(claims, S("owner"))};
    return add_entity(entities, uid, &f, (struct cedar_value){0}, owner, 1, err);
}

bool tool_request_own(struct arena *a, const struct tool_parts *p, const struct tool *t,
                      const struct tool_call *call, struct cedar_entities *entities,
                      struct tool_request *out, struct err *err)
{
    static const char *const types[] = {"Ambit::Agent"};
    const struct tool_options *o = p->options;
    struct fields f = fields_new(a, 3), system = fields_new(a, 2);
    struct cedar_value args;
    if (!principal_type(call, types, 1, &out->principal.type, err) ||
        !tool_arguments(a, p, t, call->args, entities, &args, err))
        return false;
    out->resource =
        (struct cedar_uid){S("Ambit::System"), call->resource.n ? call->resource : p->server};
    put(&f, S("args"), args);
    put(&f, S("operation"), cedar_string(t->action));
    put(&f, S("effect"), cedar_string(o->effect.n ? o->effect : S("admin")));
    put(&system, S("name"), cedar_string(p->server));
    put(&system, S("kind"), cedar_string(o->server_kind.n ? o->server_kind : S("http")));
    return context_of(&f, call, &out->context, err) &&
           own_principal(a, call, out->principal, entities, err) &&
           add_entity(entities, out->resource, &system, (struct cedar_value){0}, NULL, 0, err);
}

/* ---- mcp-generated ---- */

/* The full name of the type given, or of the first that the stub annotates so. */
static bool stub_type(struct arena *a, const struct tool_parts *p, str given, str note, str *out,
                      struct err *err)
{
    const struct raw_decl *d = p->stub.tree->decls;
    for (; given.n == 0 && d; d = d->next)
        for (size_t i = 0; i < d->annotation_count; i++)
            if (str_eq(d->annotations[i].name, note) && d->kind != RAW_ACTION)
                given = d->names.first->id;
    if (given.n == 0)
        return err_input(err, "the stub annotates no type with @%.*s", STR(note));
    *out = str_find(given, S("::")) >= 0 ? given
                                         : str_fmt(a, "%.*s::%.*s", STR(p->stub.space), STR(given));
    return true;
}

bool tool_request_generated(struct arena *a, const struct tool_parts *p, const struct tool *t,
                            const struct tool_call *call, struct cedar_entities *entities,
                            struct tool_request *out, struct err *err)
{
    struct fields f = fields_new(a, 1);
    struct cedar_value input;
    if (!stub_type(a, p, call->principal.type, S("mcp_principal"), &out->principal.type, err) ||
        !stub_type(a, p, call->resource_type, S("mcp_resource"), &out->resource.type, err) ||
        !tool_arguments(a, p, t, call->args, entities, &input, err))
        return false;
    out->resource.id = call->resource.n ? call->resource : p->server;
    put(&f, S("input"), input);
    return context_of(&f, call, &out->context, err);
}

/* ---- agentcore ---- */

static bool tags_of_claims(struct arena *a, const json *claims, struct cedar_value *out,
                           struct err *err)
{
    struct fields f = fields_new(a, json_count(claims));
    const json *v;
    str name;
    for (struct json_iter it = json_iter(claims); json_next(&it, &name, &v);) {
        if (json_type(v) != JSON_STRING)
            return claim_error(name, "a string: tags are strings", err);
        put(&f, name, cedar_string(json_str(v)));
    }
    return cedar_record_of(f.items, f.count, out) || claim_error(S("?"), "there once", err);
}

bool tool_request_agentcore(struct arena *a, const struct tool_parts *p, const struct tool *t,
                            const struct tool_call *call, struct cedar_entities *entities,
                            struct tool_request *out, struct err *err)
{
    static const char *const types[] = {"AgentCore::OAuthUser", "AgentCore::IamEntity"};
    struct fields f = fields_new(a, 1), who = fields_new(a, 1), none = fields_new(a, 0);
    struct cedar_value input, tags = {0};
    if (!principal_type(call, types, 2, &out->principal.type, err) ||
        !tool_arguments(a, p, t, call->args, entities, &input, err))
        return false;
    bool oauth = str_ends(out->principal.type, S("OAuthUser"));
    if (!oauth && json_count(call->principal.claims))
        return err_input(err, "an IamEntity has no claims");
    if (oauth && !tags_of_claims(a, call->principal.claims, &tags, err))
        return false;
    out->resource =
        (struct cedar_uid){S("AgentCore::Gateway"), call->resource.n ? call->resource : p->server};
    put(&f, S("input"), input);
    put(&who, S("id"), cedar_string(call->principal.id));
    return context_of(&f, call, &out->context, err) &&
           add_entity(entities, out->principal, &who, tags, NULL, 0, err) &&
           add_entity(entities, out->resource, &none, (struct cedar_value){0}, NULL, 0, err);
}

/* ---- toolhive ---- */

static bool claim_scalar(str type, const json *v, struct cedar_value *out)
{
    int64_t i;
    if (str_eq(type, S("String"))) {
        *out = cedar_string(json_str(v));
        return json_type(v) == JSON_STRING;
    }
    if (str_eq(type, S("Bool"))) {
        *out = cedar_bool(json_bool(v));
        return json_type(v) == JSON_BOOL;
    }
    if (json_type(v) != JSON_NUMBER || !tool_exact_decimal(json_number(v), &i))
        return false;
    *out = cedar_decimal(i);
    return true;
}

static bool claim_value(struct arena *a, str type, const json *v, struct cedar_value *out)
{
    const json *one;
    size_t n = 0;
    if (!str_starts(type, S("Set<")))
        return claim_scalar(type, v, out);
    if (json_type(v) != JSON_ARRAY)
        return false;
    struct cedar_value *items = ARENA_ARRAY(a, struct cedar_value, json_count(v) + 1);
    for (struct json_iter it = json_iter(v); json_next(&it, NULL, &one); n++)
        if (!claim_scalar(str_of(type.p + 4, type.n - 5), one, &items[n]))
            return false;
    *out = cedar_set_of(items, n);
    return true;
}

/* The claims that the schema knows; policies cannot read others. */
static bool put_claims(struct fields *f, const json *declared, const json *claims, struct err *err)
{
    const json *type, *v;
    str name;
    for (struct json_iter it = json_iter(declared); json_next(&it, &name, &type);) {
        struct cedar_value value;
        if (!(v = json_get(claims, name)))
            continue;
        if (!claim_value(f->a, json_str(type), v, &value))
            return claim_error(name, str_fmt(f->a, "a %.*s", STR(json_str(type))).p, err);
        put(f, str_fmt(f->a, "claim_%.*s", STR(name)), value);
    }
    return true;
}

static const struct tool_field *field_named(const struct tool *t, str name)
{
    for (size_t i = 0; i < t->input.count; i++)
        if (str_eq(t->input.fields[i].name, name))
            return &t->input.fields[i];
    return NULL;
}

static void put_present(struct fields *f, str name)
{
    put(f, str_fmt(f->a, "arg_%.*s_present", STR(name)), cedar_bool(true));
}

static bool put_arguments(struct fields *f, const struct tool_parts *p, const struct tool *t,
                          const json *args, struct cedar_entities *entities, struct err *err)
{
    struct cedar_value record;
    const json *v;
    str name;
    if (!tool_arguments(f->a, p, t, args, entities, &record, err))
        return false;
    for (size_t i = 0; i < record.n; i++) {
        const struct cedar_field *one = &record.fields[i];
        if (field_named(t, one->name)->type->as == AS_PRESENT)
            put_present(f, one->name);
        else
            put(f, str_fmt(f->a, "arg_%.*s", STR(one->name)), one->value);
    }
    for (struct json_iter it = json_iter(args); json_next(&it, &name, &v);)
        if (json_type(v) == JSON_NULL && field_named(t, name)->type->nullable)
            put_present(f, name);
    return true;
}

static void put_tool(struct fields *f, const struct tool *t)
{
    static const str hints[] = {{"readOnlyHint", 12},
                                {"destructiveHint", 15},
                                {"idempotentHint", 14},
                                {"openWorldHint", 13}};
    put(f, S("name"), cedar_string(t->name));
    put(f, S("operation"), cedar_string(S("call")));
    put(f, S("feature"), cedar_string(S("tool")));
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
        const json *v = json_get(t->annotations, hints[i]);
        if (json_type(v) == JSON_BOOL)
            put(f, hints[i], cedar_bool(json_bool(v)));
    }
}

static bool toolhive_entities(struct arena *a, const struct tool_parts *p, const struct tool *t,
                              const struct tool_call *call, struct fields *claims,
                              struct fields *args, struct cedar_entities *entities,
                              struct tool_request *out, struct err *err)
{
    size_t groups = call->principal.group_count;
    struct cedar_uid *up = ARENA_ARRAY(a, struct cedar_uid, groups + 1);
    struct fields tool = fields_new(a, args->count + 7);
    for (size_t i = 0; i < groups; i++)
        up[i] = (struct cedar_uid){S("THVGroup"), call->principal.groups[i]};
    up[groups] = (struct cedar_uid){S("MCP"), p->server};
    put_tool(&tool, t);
    for (size_t i = 0; i < args->count; i++)
        put(&tool, args->items[i].name, args->items[i].value);
    return add_entity(entities, out->principal, claims, (struct cedar_value){0}, up, groups, err) &&
           add_entity(entities, out->resource, &tool, (struct cedar_value){0}, up + groups, 1, err);
}

bool tool_request_toolhive(struct arena *a, const struct tool_parts *p, const struct tool *t,
                           const struct tool_call *call, struct cedar_entities *entities,
                           struct tool_request *out, struct err *err)
{
    static const char *const types[] = {"Client"};
    const json *declared = p->options->claims;
    struct fields claims = fields_new(a, json_count(declared));
    struct fields args = fields_new(a, json_count(call->args));
    if (call->args && json_type(call->args) != JSON_OBJECT)
        return err_input(err, "the arguments must be an object");
    if (!principal_type(call, types, 1, &out->principal.type, err) ||
        !put_claims(&claims, declared, call->principal.claims, err) ||
        !put_arguments(&args, p, t, call->args, entities, err))
        return false;
    struct fields both = fields_new(a, claims.count + args.count);
    for (size_t i = 0; i < claims.count; i++)
        put(&both, claims.items[i].name, claims.items[i].value);
    for (size_t i = 0; i < args.count; i++)
        put(&both, args.items[i].name, args.items[i].value);
    out->resource = (struct cedar_uid){S("Tool"), t->name};
    return context_of(&both, call, &out->context, err) &&
           toolhive_entities(a, p, t, call, &claims, &args, entities, out, err);
}

/* ---- any ---- */

/* The action with its groups, which only the schema knows. */
static bool add_action(struct arena *a, const struct schema *s, const struct cedar_uid *uid,
                       struct cedar_entities *entities, struct err *err)
{
    const struct schema_action *x = schema_action(s, uid);
    struct schema_set groups = x ? x->ancestors : (struct schema_set){0};
    struct cedar_uid *parents = ARENA_ARRAY(a, struct cedar_uid, groups.count + 1);
    struct fields none = fields_new(a, 0);
    for (size_t i = 0; i < groups.count; i++)
        parents[i] = s->actions[groups.items[i]].uid;
    return add_entity(entities, *uid, &none, (struct cedar_value){0}, parents, groups.count, err);
}

static struct cedar_uid action_of(struct arena *a, const struct tool_parts *p, const struct tool *t)
{
    str space = p->space;
    return (struct cedar_uid){
        space.n ? str_fmt(a, "%.*s::Action", STR(space)) : S("Action"),
        p->profile->action ? str_z(p->profile->action) : t->action,
    };
}

static const struct tool *find_tool(const struct tool_map *m, str name, struct err *err)
{
    const struct tool *t = map_get(&m->parts->by_name, name);
    if (!t)
        (void)err_notfound(err, "there is no tool `%.*s`", STR(str_take(name, 80)));
    return t;
}

bool tool_action(struct arena *a, const struct tool_map *m, str tool, struct cedar_uid *out,
                 struct err *err)
{
    const struct tool *t = find_tool(m, tool, err);
    if (t)
        *out = action_of(a, m->parts, t);
    return t != NULL;
}

bool tool_request(struct arena *a, const struct tool_map *m, const struct tool_call *call,
                  struct cedar_entities *entities, struct tool_request *out, struct err *err)
{
    const struct tool *t = find_tool(m, call->tool, err);
    struct tool_request r = {.principal = {.id = call->principal.id}};
    struct conform_fault fault;
    if (!t)
        return false;
    r.action = action_of(a, m->parts, t);
    if (call->principal.id.n == 0)
        return err_input(err, "the principal has no id");
    if (!m->profile->request(a, m->parts, t, call, entities, &r, err) ||
        !add_action(a, m->schema, &r.action, entities, err))
        return false;
    if (!conform_request(m->schema, &r.principal, &r.action, &r.resource, &r.context, &fault))
        return err_input(err, "%s", fault.text);
    *out = r;
    return true;
}
