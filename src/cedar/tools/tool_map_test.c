/* Tools as schemas and calls as requests: what each type becomes in each profile, what is refused
 * and how that is said, and that everything made conforms. The rows for mcp-generated are those of
 * cedar-policy-mcp-schema-generator 0.6.0 but where tool_map.h says otherwise. */
#include "cedar/cedar.h"
#include "cedar/check/conform.h"
#include "cedar/check/validate.h"
#include "cedar/tools/tool_map.h"
#include "cedar/tools/tool_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

enum { SEED = 7 };

/* Single quotes stand for double ones. */
static str quoted(struct arena *a, const char *text)
{
    str s = str_dup(a, str_z(text));
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\'')
            ((char *)s.p)[i] = '"';
    return s;
}

static const json *parse(struct arena *a, const char *text)
{
    const json *v;
    struct err err;
    if (!json_read(a, quoted(a, text), NULL, &v, &err))
        fail_msg("%s: %s", text, err.text);
    return v;
}

/* ---- the facts that the profiles want ---- */

static struct cedar_value record2(struct arena *a, const char *x, struct cedar_value xv,
                                  const char *y, struct cedar_value yv)
{
    struct cedar_field *f = ARENA_ARRAY(a, struct cedar_field, 2);
    struct cedar_value out;
    f[0] = (struct cedar_field){str_z(x), xv};
    f[1] = (struct cedar_field){str_z(y), yv};
    assert_true(cedar_record_of(f, y ? 2 : 1, &out));
    return out;
}

static struct cedar_value task_of(struct arena *a)
{
    struct cedar_field *f = ARENA_ARRAY(a, struct cedar_field, 6);
    struct cedar_value out;
    f[0] = (struct cedar_field){S("id"), cedar_string(S("t1"))};
    f[1] = (struct cedar_field){S("purpose"), cedar_string(S("p"))};
    f[2] = (struct cedar_field){S("owner"), cedar_string(S("ann"))};
    f[3] = (struct cedar_field){S("operations"), cedar_set_of(NULL, 0)};
    f[4] = (struct cedar_field){S("depth"), cedar_long(0)};
    f[5] = (struct cedar_field){S("callsLeft"), cedar_long(3)};
    assert_true(cedar_record_of(f, 6, &out));
    return out;
}

static void own_facts(struct arena *a, struct tool_call *call)
{
    struct cedar_field *f = ARENA_ARRAY(a, struct cedar_field, 3);
    struct cedar_value time;
    struct cedar_field *t = ARENA_ARRAY(a, struct cedar_field, 3);
    t[0] = (struct cedar_field){S("hour"), cedar_long(1)};
    t[1] = (struct cedar_field){S("weekday"), cedar_long(1)};
    t[2] = (struct cedar_field){S("unix"), cedar_long(1)};
    assert_true(cedar_record_of(t, 3, &time));
    f[0] = (struct cedar_field){S("task"), task_of(a)};
    f[1] = (struct cedar_field){S("chain"), cedar_set_of(NULL, 0)};
    f[2] = (struct cedar_field){S("time"), time};
    call->facts = f;
    call->fact_count = 3;
    call->principal.claims = parse(a, "{'name':'desk','owner':'ann','tier':'1','model':'m',"
                                      "'status':'active','assessed':true}");
}

/* ---- one call ---- */

struct made {
    const struct tool_map *map;
    struct tool_request request;
    struct cedar_entities entities;
};

static bool make(struct arena *a, const char *profile, const struct tool_options *o,
                 const char *tools, const char *tool, const char *args, struct made *m,
                 struct err *err)
{
    struct tool_call call = {.tool = str_z(tool), .principal.id = S("desk")};
    if (!tool_map_read(a, tool_profile(str_z(profile)), S("srv"), parse(a, tools), o, &m->map, err))
        return false;
    call.args = args ? parse(a, args) : NULL;
    if (strcmp(profile, "own") == 0)
        own_facts(a, &call);
    if (strcmp(profile, "toolhive") == 0 && o->claims)
        call.principal.claims = parse(a, "{'sub':'desk','roles':['a','b'],'level':2,'x':null}");
    if (strcmp(profile, "agentcore") == 0)
        call.principal.claims = parse(a, "{'username':'John'}");
    cedar_entities_init(&m->entities, a, NULL, SEED);
    return tool_request(a, m->map, &call, &m->entities, &m->request, err);
}

static void all_conform(struct made *m)
{
    struct conform_fault fault;
    struct err err;
    if (!cedar_entities_seal(&m->entities, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < m->entities.count; i++)
        if (!conform_entity(m->map->schema, m->entities.items[i], &fault))
            fail_msg("%s\n%.*s", fault.text, STR(m->map->text));
}

/* ---- arguments ---- */

static const char *const profile_names[] = {"own", "mcp-generated", "agentcore", "toolhive"};
enum { OWN = 1, GENERATED = 2, AGENTCORE = 4, TOOLHIVE = 8, ALL = 15, INLINE = 5 };

#define OBJ                                                                                        \
    "{'type':'object','properties':{'s':{'type':'string'},'n':{'type':'integer'}},'required':['s'" \
    "]}"

static const struct {
    int profiles;
    const char *type, *value;
    const char *becomes; /* as a part of the context; NULL: refused */
    const char *says;
} arguments[] = {
    {ALL, "{'type':'boolean'}", "true", "x\": true", NULL},
    {ALL, "{'type':'boolean'}", "'SECRET'", NULL, "must be true or false, got a string"},
    {ALL, "{'type':'boolean'}", "null", NULL, "must be true or false, got null"},
    {OWN | GENERATED | AGENTCORE, "{'type':'integer'}", "-9223372036854775808",
     "x\": -9223372036854775808", NULL},
    {ALL, "{'type':'integer'}", "9223372036854775808", NULL, "64 bits"},
    {ALL, "{'type':'integer'}", "1.0", NULL, "64 bits"},
    {ALL, "{'type':'integer'}", "1e2", NULL, "64 bits"},
    {ALL ^ TOOLHIVE, "{'type':'integer'}", "'1'", NULL, "a whole number"},
    {TOOLHIVE, "{'type':'integer'}", "'1'", NULL, "must be a number"},
    {TOOLHIVE, "{'type':'integer'}", "12", "x\": decimal(\"12.0", NULL},
    {TOOLHIVE, "{'type':'integer'}", "9223372036854775807", NULL, "four places"},
    {INLINE | TOOLHIVE, "{'type':'number'}", "1.5", "x\": decimal(\"1.5", NULL},
    {INLINE | TOOLHIVE, "{'type':'number'}", "-922337203685477.5808",
     "x\": decimal(\"-922337203685477.5808\")", NULL},
    {INLINE | TOOLHIVE, "{'type':'number'}", "922337203685477.5808", NULL, "four places"},
    {INLINE | TOOLHIVE, "{'type':'number'}", "0.12345", NULL, "four places"},
    {INLINE | TOOLHIVE, "{'type':'number'}", "0.1234500", NULL, "four places"},
    {INLINE | TOOLHIVE, "{'type':'float'}", "125e-2", "x\": decimal(\"1.25", NULL},
    {GENERATED, "{'type':'number'}", "1.50", "x\": MyMcpServer::Number::\"1.50\"", NULL},
    {GENERATED, "{'type':'number'}", "'SECRET'", NULL, "must be a number"},
    {ALL, "{'type':'string'}", "'v'", "x\": \"v\"", NULL},
    {ALL, "{'type':'string'}", "1", NULL, "must be a string, got a number"},
    {INLINE | TOOLHIVE, "{'type':'string','enum':['a','b']}", "'a'", "x\": \"a\"", NULL},
    {GENERATED, "{'type':'string','enum':['a','b']}", "'a'", "x\": MyMcpServer::t::Input::x::\"a\"",
     NULL},
    {ALL, "{'type':'string','enum':['a','b']}", "'SECRET'", NULL, "none of the values"},
    {INLINE | TOOLHIVE, "{'type':'string','format':'date'}", "'whatever'", "\"whatever\"", NULL},
    {GENERATED, "{'type':'string','format':'date'}", "'2024-02-29'", "datetime(", NULL},
    {GENERATED, "{'type':'string','format':'date-time'}", "'2024-01-01T00:00:00.5+01:00'",
     "datetime(\"2023-12-31T23:00:00.500Z\")", NULL},
    {GENERATED, "{'type':'string','format':'date-time'}", "'SECRET'", NULL, "with a zone"},
    {GENERATED, "{'type':'string','format':'duration'}", "'P1DT1H0.25'", NULL, "ISO 8601"},
    {GENERATED, "{'type':'string','format':'duration'}", "'P1DT1H'", "duration(\"90000000ms\")",
     NULL},
    {GENERATED, "{'type':'string','format':'duration'}", "'P1M'", NULL, "ISO 8601"},
    {GENERATED, "{'type':'string','format':'ipv4'}", "'10.0.0.1'", "ip(\"10.0.0.1\")", NULL},
    {GENERATED, "{'type':'string','format':'ipv6'}", "'::ffff:1.2.3.4'", NULL, "an IP address"},
    {GENERATED, "{'type':'string','format':'decimal'}", "'1.5'", "decimal(\"1.5", NULL},
    {GENERATED, "{'type':'string','format':'decimal'}", "1.5", NULL, "decimal in a string"},
    {GENERATED, "{'type':'null'}", "null", "MyMcpServer::Null::\"null\"", NULL},
    {AGENTCORE, "{'type':'null'}", "null", "AgentCore::Null::\"null\"", NULL},
    {OWN, "{'type':'null'}", "null", "args\": {}", NULL},
    {TOOLHIVE, "{'type':'null'}", "null", "arg_x_present\": true", NULL},
    {OWN | GENERATED | AGENTCORE, "{'type':'array','items':{'type':'integer'}}", "[2,1,2]",
     "x\": [1, 2]", NULL},
    {OWN | GENERATED | AGENTCORE, "{'type':'array','items':{'type':'integer'}}", "[1,'SECRET']",
     NULL, "argument `x[1]` must be a whole number"},
    {OWN | GENERATED | AGENTCORE, "{'type':'array','items':{'type':'integer'}}", "[1,null]", NULL,
     "argument `x[1]` must be a whole number"},
    {TOOLHIVE, "{'type':'array','items':{'type':'integer'}}", "[1]", "arg_x_present\": true", NULL},
    {INLINE, "{'type':'array'}", "[1,'a']", "{}", NULL},
    {GENERATED, "{'type':'array'}", "[1,'a']",
     "[MyMcpServer::Unknown::\"x[0]\", MyMcpServer::Unknown::\"x[1]\"]", NULL},
    {INLINE, OBJ, "{'s':'v'}", "x\": {\"s\": \"v\"}", NULL},
    {INLINE | GENERATED, OBJ, "{}", NULL, "argument `x.s` is missing"},
    {INLINE | GENERATED, OBJ, "{'s':'v','SECRETS':1}", NULL,
     "argument `x.SECRETS` is not declared"},
    {INLINE | GENERATED, OBJ, "{'s':'v','n':'SECRET'}", NULL, "argument `x.n` must be a whole"},
    {INLINE | GENERATED, OBJ, "[1]", NULL, "argument `x` must be an object, got an array"},
    {GENERATED, OBJ, "{'s':'v'}", "x\": MyMcpServer::t::Input::x::\"x\"", NULL},
    {INLINE, "{'type':'object'}", "{'a':[null]}", "{}", NULL},
    {GENERATED, "{'type':'object','additionalProperties':{'type':'integer'}}", "{'a':1,'b':2}",
     "x\": MyMcpServer::t::Input::x::\"x\"", NULL},
    {GENERATED, "{'type':'object','additionalProperties':{'type':'integer'}}", "{'a b':'SECRET'}",
     NULL, "argument `x.\"a b\"` must be a whole number"},
    {INLINE | TOOLHIVE, "{'type':['string','null']}", "'v'", "x\": \"v\"", NULL},
    {INLINE, "{'anyOf':[{'type':'null'},{'type':'string'}]}", "null", NULL, "leave it out"},
    {TOOLHIVE, "{'anyOf':[{'type':'null'},{'type':'string'}]}", "null", "arg_x_present\": true",
     NULL},
    {GENERATED, "{'type':['string','null']}", "null",
     "{\"typeChoice1\": MyMcpServer::Null::\"null\"}", NULL},
    {GENERATED, "{'anyOf':[{'type':'integer'}," OBJ "]}", "{'s':'v'}",
     "{\"typeChoice1\": MyMcpServer::t::Input::x::TypeChoice1::\"x\"}", NULL},
    {GENERATED, "{'anyOf':[{'type':'integer'}," OBJ "]}", "'SECRET'", NULL, "none of the types"},
    {INLINE | TOOLHIVE, "{'anyOf':[{'type':'integer'},{'type':'string'}]}", "1", "{", NULL},
    {GENERATED,
     "{'type':'array','prefixItems':[{'type':'string'},{'type':'integer'}],'items':false}",
     "['a',1]", "{\"proj0\": \"a\", \"proj1\": 1}", NULL},
    {GENERATED, "{'type':'array','prefixItems':[{'type':'string'}],'items':false}", "['a',1]", NULL,
     "another number of elements"},
    {GENERATED, "{}", "{'any':'SECRET'}", "x\": MyMcpServer::Unknown::\"x\"", NULL},
    {INLINE, "{'$ref':'#/$defs/D'}", "{'v':1}", "x\": {\"v\": 1}", NULL},
    {INLINE, "{'$ref':'#/$defs/D'}", "{'v':1,'next':{'v':2}}", "x\": {\"v\": 1}", NULL},
    {GENERATED, "{'$ref':'#/$defs/D'}", "{'v':1,'next':{'v':2}}",
     "x\": MyMcpServer::t::Input::D::\"x\"", NULL},
};

static void check_argument(size_t i, const char *profile)
{
    ARENA_SCOPE struct arena a = {0};
    struct tool_options o = {0};
    struct buf b = {0};
    struct err err = {0};
    struct made m;
    str tools = str_fmt(&a,
                        "{'tools':[{'name':'t','inputSchema':{'type':'object','required':['x'],"
                        "'$defs':{'D':{'type':'object','properties':{'v':{'type':'integer'},"
                        "'next':{'$ref':'#/$defs/D'}}}},'properties':{'x':%s}}}]}",
                        arguments[i].type);
    str args = str_fmt(&a, "{'x':%s}", arguments[i].value);
    bool made = make(&a, profile, &o, tools.p, "t", args.p, &m, &err);
    if (made != (arguments[i].becomes != NULL))
        fail_msg("%s: %s := %s: %s", profile, arguments[i].type, arguments[i].value,
                 made ? "accepted" : err.text);
    if (!made && (!strstr(err.text, arguments[i].says) || strstr(err.text, "SECRET\"") ||
                  strstr(err.text, "`SECRET")))
        fail_msg("%s: %s := %s: %s", profile, arguments[i].type, arguments[i].value, err.text);
    if (made) {
        cedar_value_print(&b, &m.request.context);
        if (str_find(buf_str(&b), str_z(arguments[i].becomes)) < 0)
            fail_msg("%s: %s := %s: %.*s", profile, arguments[i].type, arguments[i].value,
                     STR(buf_str(&b)));
        all_conform(&m);
    }
    buf_fini(&b);
}

static void test_arguments(void **state)
{
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++)
        for (int p = 0; p < 4; p++)
            if (arguments[i].profiles & 1 << p)
                check_argument(i, profile_names[p]);
}

/* ---- calls ---- */

#define TOOL                                                                                       \
    "[{'name':'refund','inputSchema':{'type':'object','required':['amount'],"                      \
    "'properties':{'amount':{'type':'number'},'note':{'type':'string'}}}}]"

static const struct {
    const char *tool, *args, *says;
} calls[] = {
    {"refund", "{'amount':5}", NULL},
    {"refund", "{'amount':5,'note':'x'}", NULL},
    {"refund", NULL, "argument `amount` is missing"},
    {"refund", "{}", "argument `amount` is missing"},
    {"refund", "{'amount':5,'more':1}", "argument `more` is not declared"},
    {"refund", "[5]", "must be an object"},
    {"Refund", "{'amount':5}", "there is no tool `Refund`"},
    {"", "{'amount':5}", "there is no tool"},
};

static void test_calls(void **state)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        for (int p = 0; p < 4; p++) {
            ARENA_SCOPE struct arena a = {0};
            struct tool_options o = {0};
            struct err err = {0};
            struct made m;
            bool made =
                make(&a, profile_names[p], &o, TOOL, calls[i].tool, calls[i].args, &m, &err);
            if (made != !calls[i].says || (!made && !strstr(err.text, calls[i].says)))
                fail_msg("%s: %s(%s): %s", profile_names[p], calls[i].tool, calls[i].args,
                         err.text);
            if (made)
                all_conform(&m);
        }
    }
}

/* ---- tools that cannot be mapped ---- */

static const struct {
    int profiles;
    const char *tools, *says;
} refused[] = {
    {ALL, "{}", "no tools"},
    {ALL, "[{'inputSchema':{}}]", "without a name"},
    {ALL, "[{'name':'t'}]", "no inputSchema"},
    {ALL, "[{'name':'t','inputSchema':[]}]", "must be an object"},
    {ALL, "[{'name':'t','inputSchema':{'properties':{'a':3}}}]", "property `a`"},
    {ALL, "[{'name':'t','inputSchema':{'properties':{'a':{'type':'any'}}}}]", "no type"},
    {ALL, "[{'name':'t','inputSchema':{'properties':{'a':{'type':3}}}}]", "`type` must be"},
    {ALL, "[{'name':'t','inputSchema':{'required':'a'}}]", "`required`"},
    {ALL, "[{'name':'t','inputSchema':{'properties':{'a':{'type':'string','enum':[]}}}}]", "empty"},
    {ALL, "[{'name':'t','inputSchema':{'properties':{'a':{'type':'string','enum':[1]}}}}]", "enum"},
    {ALL, "[{'name':'t','inputSchema':{'properties':{'a':{'type':'array','items':3}}}}]", "items"},
    {ALL, "[{'name':'t','inputSchema':{'properties':{'a':{'$ref':'#/$defs/X'}}}}]",
     "no definition"},
    {ALL, "[{'name':'t','inputSchema':{'properties':{'a':{'$ref':'http:x'}}}}]", "$defs/"},
    {ALL, "[{'name':'t','inputSchema':{}},{'name':'t','inputSchema':{}}]", "two tools"},
    {GENERATED, "[{'name':'a-b','inputSchema':{}}]", "its name"},
    {GENERATED, "[{'name':'a::b','inputSchema':{}}]", "its name"},
    {GENERATED,
     "[{'name':'t','inputSchema':{'properties':{'a::b':{'type':'string','enum':['x']}}}}]", "none"},
    {GENERATED,
     "[{'name':'t','inputSchema':{'properties':{'a::b':{'anyOf':[{'type':'string',"
     "'enum':['x']}]}}}}]",
     "none"},
    {GENERATED, "[{'name':'t','inputSchema':{'properties':{'a-b':{'type':'object'}}}}]", "none"},
    {GENERATED,
     "[{'name':'t','inputSchema':{'properties':{'a':{'$ref':'#/$defs/A'}},"
     "'$defs':{'A':{'$ref':'#/$defs/B'},'B':{'$ref':'#/$defs/A'}}}}]",
     "contains itself"},
    {GENERATED,
     "[{'name':'t','inputSchema':{'properties':{'a':{'$ref':'#/$defs/A'}},"
     "'$defs':{'A':{'anyOf':[{'type':'string'},{'$ref':'#/$defs/A'}]}}}}]",
     "contains itself"},
    {TOOLHIVE,
     "[{'name':'t','inputSchema':{'properties':{'a':{'type':'string'}}}},"
     "{'name':'u','inputSchema':{'properties':{'a':{'type':'integer'}}}}]",
     "argument `a` has another type"},
};

static void test_refused(void **state)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        for (int p = 0; p < 4; p++) {
            ARENA_SCOPE struct arena a = {0};
            const struct tool_options o = {0};
            const struct tool_map *m;
            struct err err = {0};
            if (!(refused[i].profiles & 1 << p))
                continue;
            if (tool_map_read(&a, tool_profile(str_z(profile_names[p])), S("srv"),
                              parse(&a, refused[i].tools), &o, &m, &err))
                fail_msg("%s: accepted: %s", profile_names[p], refused[i].tools);
            if (!strstr(err.text, refused[i].says))
                fail_msg("%s: %s: %s", profile_names[p], refused[i].tools, err.text);
        }
    }
    assert_null(tool_profile(S("other")));
    assert_null(tool_profile(S("")));
}

/* ---- whole schemas, and policies written for them ---- */

static const struct {
    const char *profile, *text;
} schemas[] = {
    {"mcp-generated", "namespace MyMcpServer {\n"
                      "  entity User;\n"
                      "  entity McpServer;\n"
                      "  action \"call_tool\";\n"
                      "  entity Number;\n"
                      "  type refundInput = { amount: MyMcpServer::Number, note?: String };\n"
                      "  action \"refund\" in [\"call_tool\"] appliesTo {\n"
                      "    principal: [User],\n"
                      "    resource: [McpServer],\n"
                      "    context: { input: refundInput }\n"
                      "  };\n"
                      "}\n"},
    {"agentcore", "namespace AgentCore {\n"
                  "  entity OAuthUser = { id: String } tags String;\n"
                  "  entity IamEntity = { id: String };\n"
                  "  entity Gateway;\n"
                  "  action \"Mcp\";\n"
                  "  action \"CallTool\" in [\"Mcp\"];\n"
                  "  action \"srv\" in [\"CallTool\"];\n"
                  "  action \"srv___refund\" in [\"srv\"] appliesTo {\n"
                  "    principal: [OAuthUser, IamEntity], resource: [Gateway],\n"
                  "    context: { input: { amount: decimal, note?: String } }\n"
                  "  };\n"
                  "}\n"},
    {"toolhive",
     "entity THVGroup;\n"
     "entity MCP;\n"
     "entity Client in [THVGroup] = { };\n"
     "entity Tool in [MCP] = { name: String, operation: String, feature: String,\n"
     "  readOnlyHint?: Bool, destructiveHint?: Bool, idempotentHint?: Bool, openWorldHint?: Bool, "
     "\"arg_amount\"?: decimal, \"arg_note\"?: String };\n"
     "action \"call_tool\" appliesTo {\n"
     "  principal: [Client], resource: [Tool],\n"
     "  context: { \"arg_amount\"?: decimal, \"arg_note\"?: String }\n"
     "};\n"},
};

static void test_schemas(void **state)
{
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) {
        ARENA_SCOPE struct arena a = {0};
        const struct tool_options o = {0};
        const struct tool_map *m;
        struct err err;
        assert_true(tool_map_read(&a, tool_profile(str_z(schemas[i].profile)), S("srv"),
                                  parse(&a, TOOL), &o, &m, &err));
        if (!str_eq(m->text, str_z(schemas[i].text)))
            fail_msg("%.*s", STR(m->text));
    }
}

static const struct {
    const char *profile, *policy;
    enum cedar_decision decision;
} decisions[] = {
    {"own",
     "permit (principal, action == Ambit::Action::\"srv/refund\", resource)"
     "when { context.args.amount.lessThan(decimal(\"10.0\")) && resource.name == \"srv\" };",
     CEDAR_ALLOW},
    {"own",
     "permit (principal in Ambit::Owner::\"ann\", action in Ambit::Action::\"high-impact\", "
     "resource)"
     "when { context.args has note };",
     CEDAR_DENY},
    {"mcp-generated",
     "permit (principal == MyMcpServer::User::\"desk\", action in "
     "MyMcpServer::Action::\"call_tool\", resource == MyMcpServer::McpServer::\"srv\")"
     "when { context.input.amount == MyMcpServer::Number::\"5\" };",
     CEDAR_ALLOW},
    {"agentcore",
     "permit (principal is AgentCore::OAuthUser, action == AgentCore::Action::\"srv___refund\", "
     "resource == AgentCore::Gateway::\"srv\") when { principal.hasTag(\"username\") && "
     "principal.getTag(\"username\") == \"John\" && "
     "context.input.amount.lessThan(decimal(\"500.0\")) };",
     CEDAR_ALLOW},
    {"agentcore",
     "permit (principal, action in AgentCore::Action::\"CallTool\", resource); forbid (principal, "
     "action in AgentCore::Action::\"srv\", resource) when { principal has id && "
     "principal.id == \"desk\" };",
     CEDAR_DENY},
    {"toolhive",
     "permit (principal == Client::\"desk\", action == Action::\"call_tool\", resource == "
     "Tool::\"refund\") when { context has arg_amount && resource has arg_amount && "
     "context.arg_amount == resource.arg_amount && resource in MCP::\"srv\" };",
     CEDAR_ALLOW},
    {"toolhive",
     "permit (principal, action == Action::\"call_tool\", resource) when { principal has "
     "claim_roles && principal.claim_roles.contains(\"b\") && context has claim_level && "
     "context.claim_level.greaterThan(decimal(\"1.0\")) };",
     CEDAR_ALLOW},
};

static void test_decisions(void **state)
{
    for (size_t i = 0; i < sizeof decisions / sizeof *decisions; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct tool_options o = {
            .claims = parse(&a, "{'sub':'String','roles':'Set<String>','level':'decimal'}")};
        struct cedar_policies ps;
        const struct cedar_policies *texts[] = {&ps};
        struct cedar_diags d;
        struct cedar_response res;
        struct err err = {0};
        struct made m;
        if (!make(&a, decisions[i].profile, &o, TOOL, "refund", "{'amount':5}", &m, &err))
            fail_msg("%s: %s", decisions[i].profile, err.text);
        all_conform(&m);
        assert_true(cedar_policies_parse(&a, S("test"), str_z(decisions[i].policy), &ps, &d));
        if (!validate_policies(m.map->schema, &ps, NULL, &d))
            fail_msg("%s\n%.*s", decisions[i].policy, STR(d.items[0].text));
        struct cedar_set *set = cedar_compile(texts, 1, SEED, &err);
        struct cedar_request req = {m.request.principal, m.request.action, m.request.resource,
                                    &m.request.context};
        assert_true(cedar_authorize(set, &req, &m.entities, &a, &res, &err));
        if (res.decision != decisions[i].decision || res.error_count)
            fail_msg("%s: %d", decisions[i].policy, res.decision);
        cedar_set_free(set);
    }
}

/* ---- exactness ---- */

static const struct {
    const char *text;
    int64_t is; /* INT64_MIN + 1: refused */
} decimals[] =
    {
        {"0", 0},
        {"-0", 0},
        {"1", 10000},
        {"-1.5", -15000},
        {"1.2345", 12345},
        {"1.23450", 12345},
        {"1.23456", INT64_MIN + 1},
        {"1e4", 100000000},
        {"1E-4", 1},
        {"1e-5", INT64_MIN + 1},
        {"10e-5", 1},
        {"0e-399", 0},
        {"0e999", INT64_MIN + 1},
        {"922337203685477.5807", INT64_MAX},
        {"-922337203685477.5808", INT64_MIN},
        {"922337203685477.5808", INT64_MIN + 1},
        {"9223372036854775807e-4", INT64_MAX},
        {"92233720368547758080e-5", INT64_MIN + 1},
        {"1e300", INT64_MIN + 1},
        {"", INT64_MIN + 1},
        {".5", INT64_MIN + 1},
        {"1.", INT64_MIN + 1},
        {"1e", INT64_MIN + 1},
        {"1x", INT64_MIN + 1},
        {"--1", INT64_MIN + 1},
},
  durations[] =
      {
          {"PT0S", 0},
          {"P1D", 86400000},
          {"P2W", 1209600000},
          {"P1DT2H3M4.5S", 93784500},
          {"PT1.001S", 1001},
          {"PT1.0010S", 1001},
          {"PT1.0011S", INT64_MIN + 1},
          {"P1W1D", INT64_MIN + 1},
          {"P", INT64_MIN + 1},
          {"PT", INT64_MIN + 1},
          {"P1DT", INT64_MIN + 1},
          {"P1Y", INT64_MIN + 1},
          {"P1M", INT64_MIN + 1},
          {"PT1M", 60000},
          {"PT1S1M", INT64_MIN + 1},
          {"PT1H1H", INT64_MIN + 1},
          {"P1H", INT64_MIN + 1},
          {"PT1D", INT64_MIN + 1},
          {"PT1.5H", INT64_MIN + 1},
          {"P99999999999999999D", INT64_MIN + 1},
          {"-P1D", INT64_MIN + 1},
          {"P1D ", INT64_MIN + 1},
},
  datetimes[] = {
      {"1970-01-01", 0},
      {"1970-01-01T00:00:01Z", 1000},
      {"1970-01-01T00:00:00.1Z", 100},
      {"1970-01-01T00:00:00.123000Z", 123},
      {"1970-01-01T00:00:00.1234Z", INT64_MIN + 1},
      {"1970-01-01T01:00:00+01:00", 0},
      {"1970-01-01T01:00:00+0100", 0},
      {"1970-01-01T00:00:00-00:30", 1800000},
      {"1970-01-01T00:00:00", INT64_MIN + 1},
      {"1970-01-01T00:00:00.Z", INT64_MIN + 1},
      {"1970-01-01 00:00:00Z", INT64_MIN + 1},
      {"1970-01-01t00:00:00z", INT64_MIN + 1},
      {"1970-02-30", INT64_MIN + 1},
      {"1970-01-01T", INT64_MIN + 1},
      {"", INT64_MIN + 1},
      {"1970-01-01T00:00:60Z", INT64_MIN + 1},
      {"1970-01-01T00:00:00+01:00x", INT64_MIN + 1},
      {"1970-01-01T00:00:00+1:00", INT64_MIN + 1},
};

#define CHECK_ALL(table, read)                                                                     \
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {                                    \
        int64_t got = 0;                                                                           \
        bool ok = read(str_z(table[i].text), &got);                                                \
        if (ok != (table[i].is != INT64_MIN + 1) || (ok && got != table[i].is))                    \
            fail_msg("%s: %d %lld", table[i].text, ok, (long long)got);                            \
    }

static void test_scalars(void **state)
{
    CHECK_ALL(decimals, tool_exact_decimal);
    CHECK_ALL(durations, tool_duration);
    CHECK_ALL(datetimes, tool_datetime);
}

/* ---- limits ---- */

/* D0 refers twice to D1, that twice to D2 ..: written out, or tried, it would never end. */
static void test_bombs(void **state)
{
    for (size_t f = 0; f < 2; f++) {
        for (int p = 0; p < 4; p++) {
            ARENA_SCOPE struct arena a = {0};
            struct tool_options o = {0};
            struct buf b = {0};
            struct err err = {0};
            struct made m;
            buf_put(&b, S("[{'name':'t','inputSchema':{'properties':{'x':{'$ref':'#/$defs/D0'}},"
                          "'$defs':{"));
            for (int i = 0; i < 40; i++)
                buf_printf(&b,
                           f ? "'D%d':{'anyOf':[{'$ref':'#/$defs/D%d'},{'$ref':'#/$defs/D%d'}]},"
                             : "'D%d':{'type':'object','properties':{'a':{'$ref':'#/$defs/D%d'},"
                               "'b':{'$ref':'#/$defs/D%d'}}},",
                           i, i + 1, i + 1);
            buf_put(&b, S("'D40':{'type':'boolean'}}}}]"));
            buf_putc(&b, '\0');
            bool made = make(&a, profile_names[p], &o, buf_str(&b).p, "t", "{'x':1}", &m, &err);
            assert_true(made || err.kind == ERR_LIMIT || err.kind == ERR_INPUT);
            buf_fini(&b);
        }
    }
}

/* The claims and facts that a principal needs, and what happens when they are wrong. */
static void test_principals(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct tool_options o = {.claims = parse(&a, "{'level':'decimal'}")};
    const struct tool_map *m;
    struct tool_request r;
    struct cedar_entities e;
    struct err err;
    for (int p = 0; p < 4; p++) {
        assert_true(tool_map_read(&a, tool_profile(str_z(profile_names[p])), S("srv"),
                                  parse(&a, TOOL), &o, &m, &err));
        struct tool_call call = {.tool = S("refund"), .args = parse(&a, "{'amount':5}")};
        cedar_entities_init(&e, &a, NULL, SEED);
        assert_false(tool_request(&a, m, &call, &e, &r, &err)); /* nobody */
        call.principal.id = S("desk");
        call.principal.type = S("Nobody");
        assert_false(tool_request(&a, m, &call, &e, &r, &err));
        call.principal.type = S("");
        call.principal.claims = parse(&a, "{'level':'SECRET','name':7,'other':[1]}");
        bool made = tool_request(&a, m, &call, &e, &r, &err);
        assert_int_equal(made, p == 1);
        assert_true(made || (strstr(err.text, "claim") && !strstr(err.text, "SECRET")));
    }
    struct cedar_field twice = {S("input"), record2(&a, "a", cedar_long(1), NULL, cedar_long(1))};
    struct tool_call call = {.tool = S("refund"),
                             .args = parse(&a, "{'amount':5}"),
                             .principal.id = S("desk"),
                             .facts = &twice,
                             .fact_count = 1};
    assert_true(
        tool_map_read(&a, tool_profile(S("agentcore")), S("srv"), parse(&a, TOOL), &o, &m, &err));
    assert_false(tool_request(&a, m, &call, &e, &r, &err));
    assert_true(strstr(err.text, "fact") != NULL);
}

/* A stub's types, its shared context and its own names. */
static void test_stub(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    static const char *const bad[] = {"entity A;", "namespace A {} namespace B {}", "nonsense",
                                      "namespace A { entity U; }",
                                      "namespace A { @mcp_principal entity U; }"};
    const struct tool_map *m;
    struct err err;
    struct tool_options o = {
        .stub =
            S("namespace Shop { @mcp_principal @doc(\"d\") entity Clerk; @mcp_resource entity Till;"
              " @mcp_context(\"session\") type Session = { at: datetime }; entity decimal; }")};
    assert_true(tool_map_read(&a, tool_profile(S("mcp-generated")), S("srv"), parse(&a, TOOL), &o,
                              &m, &err));
    const struct schema_action *x =
        schema_action(m->schema, &(struct cedar_uid){S("Shop::Action"), S("refund")});
    assert_non_null(x);
    assert_non_null(ctype_attr(x->context, S("session")));
    assert_int_equal(ctype_attr(ctype_attr(x->context, S("input"))->type, S("note"))->type->kind,
                     CTYPE_STRING);
    assert_true(str_find(m->text, S("@doc(\"d\")")) > 0 && str_find(m->text, S("mcp_")) < 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        o.stub = str_z(bad[i]);
        assert_false(tool_map_read(&a, tool_profile(S("mcp-generated")), S("srv"), parse(&a, TOOL),
                                   &o, &m, &err));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments), cmocka_unit_test(test_calls),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_schemas),
        cmocka_unit_test(test_decisions), cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_bombs),     cmocka_unit_test(test_principals),
        cmocka_unit_test(test_stub),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
