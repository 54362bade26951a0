/* `ambit cedar tool-schema` and `tool-request`: tools of an MCP server as Cedar sees them. */
#include "base/rand.h"
#include "cedar/schema/typed_json.h"
#include "cedar/tools/tool_map.h"
#include "cmd/cedar.h"

/* ---- options ---- */

enum { OWN = 1, GENERATED, AGENTCORE, TOOLHIVE };
static const char *const PROFILES[] = {"", "own", "mcp-generated", "agentcore", "toolhive", NULL};

/* Those that mean something in one profile alone. */
static const struct {
    const char *option;
    size_t profile;
} PARTIAL[] = {{"stub", GENERATED},
               {"outputs", GENERATED},
               {"objects-as-records", GENERATED},
               {"numbers-as-decimal", GENERATED},
               {"flatten-namespaces", GENERATED},
               {"keep-annotations", GENERATED},
               {"effect", OWN},
               {"not-high-impact", OWN},
               {"server-kind", OWN},
               {"claim-types", TOOLHIVE},
               {"group", TOOLHIVE}};

static bool misused(struct work *w)
{
    w->misused = true;
    return false;
}

static bool read_profile(struct work *w, size_t *out)
{
    const struct args *args = &w->cli->args;
    if (!work_choice(w, "profile", PROFILES, out))
        return false;
    if (*out == 0) {
        calls_fail(&w->call, "--profile is missing: own, mcp-generated, agentcore or toolhive");
        return misused(w);
    }
    for (size_t i = 0; i < sizeof PARTIAL / sizeof *PARTIAL; i++) {
        if (PARTIAL[i].profile == *out || !args_has(args, PARTIAL[i].option))
            continue;
        calls_fail(&w->call, "--%s goes with --profile %s", PARTIAL[i].option,
                   PROFILES[PARTIAL[i].profile]);
        return misused(w);
    }
    return true;
}

/* The option's value is an object, or names a file that holds one. NULL: not given. */
static bool read_object(struct work *w, const char *option, const json **out)
{
    str text = args_get(&w->cli->args, option), name = str_fmt(w->call.a, "--%s", option);
    *out = NULL;
    if (!args_has(&w->cli->args, option))
        return true;
    if (!str_starts(str_trim(text), S("{"))) {
        name = text;
        if (!work_file(w, name, &text))
            return false;
    }
    if (!work_json(w, name, text, out))
        return false;
    if (json_type(*out) == JSON_OBJECT)
        return true;
    calls_fail(&w->call, "--%s must be a JSON object", option);
    return false;
}

static bool read_options(struct work *w, struct tool_options *o)
{
    static const char *const kinds[] = {"", "http", "stdio", "internal", NULL};
    const struct args *args = &w->cli->args;
    enum effect effect;
    size_t kind;
    *o = (struct tool_options){.effect = args_get(args, "effect"),
                               .outputs = args_has(args, "outputs"),
                               .objects_as_records = args_has(args, "objects-as-records"),
                               .numbers_as_decimal = args_has(args, "numbers-as-decimal"),
                               .flatten_namespaces = args_has(args, "flatten-namespaces"),
                               .keep_annotations = args_has(args, "keep-annotations"),
                               .not_high_impact = args_has(args, "not-high-impact")};
    if (args_has(args, "effect") && !effect_parse(o->effect, &effect)) {
        calls_fail(&w->call, "--effect: there is no `%.*s`", STR(str_take(o->effect, 80)));
        return misused(w);
    }
    if (!work_choice(w, "server-kind", kinds, &kind))
        return false;
    o->server_kind = str_z(kinds[kind]);
    if (args_has(args, "stub") && !work_file(w, args_get(args, "stub"), &o->stub))
        return false;
    return read_object(w, "claim-types", &o->claims);
}

/* ---- the map ---- */

static bool read_map(struct work *w, const struct tool_map **out)
{
    struct tool_options options;
    size_t profile;
    str server = args_get(&w->cli->args, "server"), name, text;
    const json *tools;
    struct err err;
    if (!read_profile(w, &profile) || !read_options(w, &options))
        return false;
    if (!server.n) {
        calls_fail(&w->call, "--server is missing: the name that the server goes by");
        return misused(w);
    }
    if (!work_input(w, "tools", &name, &text) || !work_json(w, name, text, &tools))
        return false;
    if (tool_map_read(w->call.a, tool_profile(str_z(PROFILES[profile])), server, tools, &options,
                      out, &err))
        return true;
    calls_fail(&w->call, "%.*s: %s", STR(name), err.text);
    return false;
}

int cedar_tool_schema_verb(struct cli *c)
{
    struct work w;
    const struct tool_map *map;
    struct schema_source source;
    struct err err;
    str text;
    work_begin(&w, c);
    if (!read_map(&w, &map))
        return work_end(&w, EXIT_FAILED);
    text = map->text;
    if (c->json && calls_read_schema_text(&w.call, S("schema"), map->text, false, &source) &&
        !schema_print_json(&c->arena, &source, &text, &err))
        calls_fail(&w.call, "%s", err.text);
    if (w.call.errors.count == 0)
        buf_put(&w.out, text);
    if (c->json)
        buf_putc(&w.out, '\n');
    return work_end(&w, 0);
}

/* ---- one call ---- */

static bool read_uid(struct work *w, const char *option, struct cedar_uid *out)
{
    struct err err;
    if (cedar_uid_read(w->call.a, args_get(&w->cli->args, option), out, &err))
        return true;
    calls_fail(&w->call, "--%s: %s", option, err.text);
    return false;
}

/* What the context has beside the arguments, read with the types that the schema gives it. */
static bool read_facts(struct work *w, const struct tool_map *map, struct tool_call *call)
{
    struct typed_json typed = {.schema = map->schema};
    struct cedar_json_hook hook = typed_json_hook(&typed);
    struct cedar_uid action;
    struct cedar_value facts;
    const json *v;
    struct err err;
    if (!read_object(w, "context", &v))
        return false;
    if (!tool_action(w->call.a, map, call->tool, &action, &err)) {
        calls_fail(&w->call, "--tool: %s", err.text);
        return false;
    }
    typed.action = schema_action(map->schema, &action);
    if (!cedar_context_from_json(w->call.a, v, &hook, &facts, &err)) {
        calls_fail(&w->call, "--context: %s", err.text);
        return false;
    }
    call->facts = facts.fields;
    call->fact_count = facts.n;
    return true;
}

static bool read_call(struct work *w, const struct tool_map *map, struct cedar_uid *resource,
                      struct tool_call *call)
{
    const struct args *args = &w->cli->args;
    struct cedar_uid who;
    str *groups;
    *call = (struct tool_call){.tool = args_get(args, "tool")};
    if (!read_uid(w, "principal", &who) ||
        (args_has(args, "resource") && !read_uid(w, "resource", resource)) ||
        !read_object(w, "claims", &call->principal.claims) ||
        !read_object(w, "arguments", &call->args) || !read_facts(w, map, call))
        return false;
    call->principal.type = who.type;
    call->principal.id = who.id;
    call->principal.group_count = args_all(args, w->call.a, "group", &groups);
    call->principal.groups = groups;
    call->resource = resource->id;
    call->resource_type = resource->type;
    return true;
}

/* A profile may know better than the caller what a call is on. */
static bool is_resource(struct work *w, const struct cedar_uid *given, const struct cedar_uid *made)
{
    bool same_type =
        str_eq(given->type, made->type) || str_eq(given->type, cedar_name_base(made->type));
    if (given->type.n == 0 || (same_type && str_eq(given->id, made->id)))
        return true;
    struct buf b = {0};
    cedar_uid_print(&b, made);
    calls_fail(&w->call, "--resource: in this profile the call is on %.*s", STR(buf_str(&b)));
    buf_fini(&b);
    return false;
}

static void put_uid(struct buf *out, const char *before, const struct cedar_uid *uid)
{
    struct buf text = {0};
    cedar_uid_print(&text, uid);
    buf_put(out, str_z(before));
    json_write_str(out, buf_str(&text));
    buf_fini(&text);
}

/* As `authorize --request-json` takes it. */
static bool put_request(struct buf *out, const struct tool_request *r,
                        const struct cedar_entities *entities, struct err *err)
{
    put_uid(out, "{\"principal\":", &r->principal);
    put_uid(out, ",\"action\":", &r->action);
    put_uid(out, ",\"resource\":", &r->resource);
    buf_put(out, S(",\"context\":"));
    if (!cedar_value_to_json(out, &r->context, err))
        return false;
    buf_put(out, S(",\"entities\":"));
    if (!cedar_entities_to_json(out, entities, err))
        return false;
    buf_put(out, S("}\n"));
    return true;
}

static void make_request(struct work *w, const struct tool_map *map)
{
    struct tool_call call;
    struct cedar_uid resource = {0};
    struct tool_request request;
    struct cedar_entities entities;
    struct err err;
    uint64_t seed;
    if (!read_call(w, map, &resource, &call))
        return;
    rand_salt(&seed, sizeof seed);
    cedar_entities_init(&entities, w->call.a, NULL, seed);
    if (!tool_request(w->call.a, map, &call, &entities, &request, &err) ||
        !cedar_entities_seal(&entities, &err)) {
        calls_fail(&w->call, "%s", err.text);
        return;
    }
    if (!is_resource(w, &resource, &request.resource))
        return;
    if (!put_request(&w->out, &request, &entities, &err)) {
        buf_clear(&w->out);
        calls_fail(&w->call, "%s", err.text);
    }
}

int cedar_tool_request_verb(struct cli *c)
{
    struct work w;
    const struct tool_map *map;
    if (!args_has(&c->args, "principal") || !args_has(&c->args, "tool"))
        return cli_usage(c, "--principal and --tool are needed");
    work_begin(&w, c);
    if (read_map(&w, &map))
        make_request(&w, map);
    return work_end(&w, 0);
}
