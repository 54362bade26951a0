/* tool_map: tools of an MCP server as Cedar sees them: their input schemas become a Cedar schema, a
 * call becomes a request and entities that conform to it.
 *
 *     struct tool_options o = {0};
 *     tool_map_read(&a, tool_profile(S("own")), S("helpdesk"), tools, &o, &map, &err);
 *     ... map->schema validates policies; map->text is for people
 *     tool_request(&scratch, map, &call, &entities, &request, &err);
 *
 * There is no one mapping, so there are profiles. Each is a row of a table (tool_profile.c) that
 * says for every JSON type what becomes of it, and a layout (tool_layout.c):
 *
 *   own            Ambit::Agent, action "server/tool", Ambit::System; context.args is a record of
 *                  what has an exact form (docs/policies.md)
 *   mcp-generated  cedar-policy-mcp-schema-generator 0.6.0: principals, resources, groups and
 *                  shared context come from a stub schema with @mcp_principal, @mcp_resource,
 *                  @mcp_action and @mcp_context; context.input; types in Stub::tool::Input
 *   agentcore      AgentCore::OAuthUser (claims are string tags) or IamEntity, action
 *                  "target___tool" in "target" in "CallTool" in "Mcp", AgentCore::Gateway;
 *                  context.input. Only what is documented of it: the basic types, records, sets;
 *                  strings with an enum or a format are strings
 *   toolhive       Client (claim_x), action "call_tool", Tool (arg_x), both also in the context;
 *                  every number is a decimal, what is no scalar is arg_x_present. ToolHive has no
 *                  schema: here all of it is optional, and one argument name has one type in all
 *                  tools
 *
 *                  own            mcp-generated          agentcore   toolhive
 *   boolean        Bool           Bool                   Bool        Bool
 *   integer        Long           Long                   Long        decimal
 *   number, float  decimal        entity Number, Float   decimal     decimal
 *   string         String         String                 String      String
 *   with enum      String         enumerated entity      String      String
 *   with format    String         decimal, datetime ..   String      String
 *   null           hidden         entity Null            entity Null present
 *   array          Set            Set                    Set         present
 *   tuple          hidden         record proj0 ..        hidden      present
 *   anyOf, [..]    hidden         record typeChoice0 ..  hidden      hidden
 *   object         record         entity                 record      present
 *   with tags      hidden         entity with tags       hidden      present
 *   anything       hidden         entity Unknown         hidden      present
 *
 * "X or null" is X in all but mcp-generated, and a null is then refused (toolhive: present). Hidden
 * means that no policy can read it, and strict validation says so. Where a type refers to itself
 * without an entity in between, that reference is hidden.
 *
 * Nothing is rounded, guessed or dropped. Refused, naming the argument and never its value: one
 * that the tool does not declare, a required one that is missing, a value of another type, an
 * integer beyond 64 bits or written with a fraction, a number that is not exactly a decimal of four
 * places where it becomes one, a null where none is declared, an array with one element of another
 * type, a string that is none of its enum, a date without zone or finer than a millisecond, a
 * duration with months or years, an unknown tool.
 *
 * Unlike the generator (tests/cedar/tools.py compares; docs/cedar.md has what it does instead):
 *
 *   refused here   inexact decimals, times and durations finer than a millisecond, times without a
 *                  zone or with t and z, years and months, weeks beside days, a bare PT, IPv4 in
 *                  IPv6, two tools of one name, a definition whose name would serve two types, a
 *                  choice that contains itself
 *   made here      reserved names of tools and any name of a property, where no type is called by
 *                  it; decimal strings with a leading zero, the largest decimal, floats beyond a
 *                  double as ids; with objects_as_records: an object that takes other members and
 *                  has none, and one that contains itself (the inner reference is hidden)
 *   other here     ids of entities that stand for objects and unknown values are the argument's
 *                  path ("order.items[2]") and not random; floats that become entities keep their
 *                  spelling as ids; large decimals are exact; an object among the other members of
 *                  an object has the type that the schema says; each tool has entity types of its
 *                  own
 *
 * Everything lives in the arena given and may borrow the JSON. A map is immutable and may be used
 * by several threads, each with its own scratch arena. JSON must come from json_read, which refuses
 * duplicate names and bounds depth. */
#pragma once
#include "base/json.h"
#include "cedar/schema/schema.h"
#include "cedar/value/entities.h"

enum {
    TOOLS_MAX = 10000,
    TOOL_SCHEMA_BYTES_MAX = 8 << 20, /* of text made for one map */
    TOOL_TYPE_STEPS_MAX = 1 << 20,   /* types walked for one map, or for one call */
};

struct tool_profile;
/* "own", "mcp-generated", "agentcore", "toolhive"; NULL for any other name. */
const struct tool_profile *tool_profile(str name);

struct tool_options {
    /* mcp-generated */
    str stub; /* the stub schema; empty: tool_default_stub */
    bool outputs, objects_as_records, numbers_as_decimal, flatten_namespaces, keep_annotations;
    /* own: zero is an operation of effect "admin" that is high-impact */
    str effect;
    bool not_high_impact;
    str server_kind; /* "http", "stdio", "internal"; empty: "http" */
    /* toolhive: {"sub": "String", "roles": "Set<String>", ..}: the claims that policies may read:
     * String, Bool, decimal, or a Set of one of them. NULL: none. */
    const json *claims;
};
extern const str tool_default_stub;

struct tool_map {
    const struct tool_profile *profile;
    const struct schema *schema;
    str text; /* the schema as a person reads it */
    const struct tool_parts *parts;
};

/* tools: an array of tool definitions, one definition, or a tools/list answer ({"tools": [..]} with
 * or without {"result": ..} around it). server: the binding's name, or AgentCore's target. */
MUST_USE bool tool_map_read(struct arena *a, const struct tool_profile *profile, str server,
                            const json *tools, const struct tool_options *options,
                            const struct tool_map **out, struct err *err);

struct tool_call {
    struct {
        str type; /* empty: the profile's first; a bare name is in the profile's namespace */
        str id;
        const json *claims; /* own: name, owner, tier, model, status, assessed; NULL: none */
        const str *groups;  /* toolhive: of type THVGroup */
        size_t group_count;
    } principal;
    str resource;      /* id; empty: the server. In agentcore the ARN; in toolhive it is the tool */
    str resource_type; /* mcp-generated: empty is the stub's first @mcp_resource */
    str tool;          /* as the server calls it */
    const json *args;  /* an object; NULL: {} */
    /* What else belongs to the context, as the schema has it: own: task, chain, time and, if there
     * is one, approval; mcp-generated: what the stub's @mcp_context asks for. */
    const struct cedar_field *facts;
    size_t fact_count;
};

/* The action that a call of the tool is; with it a caller finds in the schema what else the context
 * wants. ERR_NOTFOUND: there is no such tool. */
MUST_USE bool tool_action(struct arena *a, const struct tool_map *m, str tool,
                          struct cedar_uid *out, struct err *err);

struct tool_request {
    struct cedar_uid principal, action, resource;
    struct cedar_value context;
};

/* Adds to entities (not sealed yet) what the call is about: principal and resource where the
 * profile says what they are (all but mcp-generated), and what arguments became entities. The
 * request conforms to the schema (it is checked). */
MUST_USE bool tool_request(struct arena *a, const struct tool_map *m, const struct tool_call *call,
                           struct cedar_entities *entities, struct tool_request *out,
                           struct err *err);
