/* One member of mcpServers: the members that MCP clients know (command, args, env, cwd, url,
 * headers, type, disabled) and ours (operations, sandbox, ...). */
#include "base/limits.h"
#include "conf/reader.h"

static const char *const BINDING_MEMBERS[] = {
    "type",     "command",      "args",       "env",      "cwd", "url",        "headers",
    "disabled", "era",          "ca",         "cert",     "key", "operations", "sandbox",
    "network",  "durableReads", "answerWait", "identity", NULL};
static const char *const OPERATION_MEMBERS[] = {"effect", "highImpact", "args",
                                                "label",  "amount",     NULL};
static const char *const SANDBOX_MEMBERS[] = {"read", "write", NULL};
static const char *const VALUE_MEMBERS[] = {"secret", "prefix", NULL};

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

static bool holds_word(str name, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= name.n; i++) {
        size_t k = 0;
        while (k < n && upper(name.p[i + k]) == word[k])
            k++;
        if (k == n)
            return true;
    }
    return false;
}

/* A literal under a name like API_KEY or Authorization is taken for a secret in the wrong place. */
static bool looks_secret(str name)
{
    static const char *const words[] = {"KEY",    "TOKEN",  "SECRET",        "PASSWORD",
                                        "PASSWD", "COOKIE", "AUTHORIZATION", "CREDENTIAL"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (holds_word(name, words[i]))
            return true;
    return false;
}

static void read_value(struct reader *r, struct each *e, struct conf_value *v)
{
    v->name = str_dup(r->a, e->name);
    if (json_type(e->at.v) == JSON_OBJECT) {
        at_object(r, e->at, VALUE_MEMBERS);
        v->secret = at_str(r, at_member(r, e->at, "secret"), (str){0});
        v->prefix = at_str(r, at_member(r, e->at, "prefix"), (str){0});
        if (!conf_name_is_valid(v->secret))
            problem(r, e->at,
                    "must be {\"secret\": \"NAME\"} with a name of letters, digits, - _ .");
        return;
    }
    v->literal = at_str(r, e->at, (str){0});
    if (looks_secret(v->name) && v->literal.n)
        problem(r, e->at,
                "a secret stands in the configuration; store it with `ambit secret set NAME` "
                "(it reads standard input) and write {\"secret\": \"NAME\"} here");
}

static void read_values(struct reader *r, struct at at, struct conf_value **out, size_t *n)
{
    if (!at.v)
        return;
    if (json_type(at.v) != JSON_OBJECT) {
        problem(r, at, "must be an object of names and values");
        return;
    }
    *out = ARENA_ARRAY(r->a, struct conf_value, json_count(at.v));
    for (struct each e = each_of(r, at); each_next(&e);)
        read_value(r, &e, &(*out)[(*n)++]);
}

/* What call/policy_input.c can make of an argument without rounding. */
static bool type_is_known(str t)
{
    static const char *const types[] = {"Long", "String", "Bool", "decimal"};
    if (str_starts(t, S("Set<")) && str_ends(t, S(">")))
        t = str_take(str_skip(t, 4), t.n - 5);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (str_eq(t, str_z(types[i])))
            return true;
    return false;
}

static void read_args(struct reader *r, struct at at, struct conf_operation *op)
{
    if (!at.v)
        return;
    if (json_type(at.v) != JSON_OBJECT) {
        problem(r, at,
                "must be an object: argument name -> Cedar type, e.g. {\"amount\": \"Long\"}");
        return;
    }
    op->args = ARENA_ARRAY(r->a, struct conf_arg, json_count(at.v));
    for (struct each e = each_of(r, at); each_next(&e);) {
        struct conf_arg *arg = &op->args[op->args_n++];
        arg->name = str_dup(r->a, e.name);
        arg->type = at_str(r, e.at, S("String"));
        if (str_ends(arg->type, S("?"))) {
            arg->optional = true;
            arg->type.n--;
        }
        if (!type_is_known(arg->type))
            problem(r, e.at,
                    "must be \"Long\", \"String\", \"Bool\", \"decimal\" or a Set<> of one of "
                    "these; a final ? makes it optional");
    }
}

static void read_operations(struct reader *r, struct at at, struct conf_binding *b)
{
    if (!at.v)
        return;
    if (json_type(at.v) != JSON_OBJECT) {
        problem(r, at, "must be an object: tool name -> {\"effect\": ...}");
        return;
    }
    b->operations = ARENA_ARRAY(r->a, struct conf_operation, json_count(at.v));
    for (struct each e = each_of(r, at); each_next(&e);) {
        struct conf_operation *op = &b->operations[b->operations_n++];
        op->tool = str_dup(r->a, e.name);
        op->effect = EFFECT_ADMIN;
        if (!at_object(r, e.at, OPERATION_MEMBERS))
            continue;
        struct at effect = at_member(r, e.at, "effect");
        if (!effect_parse(at_str(r, effect, S("admin")), &op->effect))
            problem(r, effect,
                    "must be one of read, advise, write, delete, transfer, approve, "
                    "export, execute, admin");
        op->high_impact = at_bool(r, at_member(r, e.at, "highImpact"), op->effect != EFFECT_READ);
        read_args(r, at_member(r, e.at, "args"), op);
        read_label(r, at_member(r, e.at, "label"), &op->label);
        read_amount(r, at_member(r, e.at, "amount"), &op->amount);
    }
}

static void read_transport(struct reader *r, struct at at, struct conf_binding *b)
{
    str type = at_str(r, at_member(r, at, "type"), (str){0});
    b->url = at_str(r, at_member(r, at, "url"), (str){0});
    b->command = at_str(r, at_member(r, at, "command"), (str){0});
    if (b->url.n && b->command.n)
        problem(r, at, "has both \"url\" and \"command\"; keep the one that is meant");
    else if (b->url.n)
        b->kind = BINDING_HTTP;
    else if (b->command.n)
        b->kind = BINDING_STDIO;
    else
        problem(r, at, "needs \"url\" (Streamable HTTP) or \"command\" (stdio)");
    if (str_eq(type, S("sse")))
        problem(r, at,
                "the old HTTP+SSE transport is not spoken; use the server's Streamable HTTP URL");
    else if (type.n && !str_eq(type, S("http")) && !str_eq(type, S("streamable-http")) &&
             !str_eq(type, S("stdio")))
        problem(r, at_member(r, at, "type"), "must be \"http\" or \"stdio\"");
    struct at era = at_member(r, at, "era");
    str e = at_str(r, era, S("auto"));
    b->era = str_eq(e, S("modern")) ? ERA_MODERN : str_eq(e, S("legacy")) ? ERA_LEGACY : ERA_AUTO;
    if (b->era == ERA_AUTO && !str_eq(e, S("auto")))
        problem(r, era, "must be \"auto\", \"modern\" or \"legacy\"");
}

static void read_binding_identity(struct reader *r, struct at at, struct conf_binding *b)
{
    str text = at_str(r, at, (str){0});
    b->txn = str_eq(text, S("txn"));
    if (text.n && !b->txn)
        problem(r, at, "must be \"txn\" (a transaction token with each call), or left out");
    if (b->txn && b->kind != BINDING_HTTP)
        problem(r, at, "only servers that are reached by \"url\" get transaction tokens");
    for (size_t i = 0; b->txn && i < b->headers_n; i++)
        if (str_eq_nocase(b->headers[i].name, S("Txn-Token")))
            problem(r, at, "\"headers\" has a Txn-Token of its own");
}

void read_binding(struct reader *r, str name, struct at at, struct conf_binding *b)
{
    b->name = str_dup(r->a, name);
    if (!conf_name_is_valid(name) || name.n > 24)
        problem(r, at,
                "a binding's name is at most 24 letters, digits, - _ . and begins with a "
                "letter or digit");
    if (str_eq(name, S("ambit")))
        problem(r, at, "\"ambit\" is the gateway's own binding; choose another name");
    if (!at_object(r, at, BINDING_MEMBERS))
        return;
    read_transport(r, at, b);
    at_str_list(r, at_member(r, at, "args"), &b->args, &b->args_n);
    read_values(r, at_member(r, at, "env"), &b->env, &b->env_n);
    read_values(r, at_member(r, at, "headers"), &b->headers, &b->headers_n);
    b->cwd = at_path(r, at_member(r, at, "cwd"), (str){0});
    b->ca_file = at_path(r, at_member(r, at, "ca"), (str){0});
    b->cert_file = at_path(r, at_member(r, at, "cert"), (str){0});
    b->key_file = at_path(r, at_member(r, at, "key"), (str){0});
    struct at sandbox = at_member(r, at, "sandbox");
    if (sandbox.v && at_object(r, sandbox, SANDBOX_MEMBERS)) {
        at_path_list(r, at_member(r, sandbox, "read"), &b->read_paths, &b->read_paths_n);
        at_path_list(r, at_member(r, sandbox, "write"), &b->write_paths, &b->write_paths_n);
    }
    b->network = at_bool(r, at_member(r, at, "network"), false);
    b->durable_reads = at_bool(r, at_member(r, at, "durableReads"), false);
    b->answer_wait_ms = at_duration(r, at_member(r, at, "answerWait"), r->answer_wait_ms);
    read_binding_identity(r, at_member(r, at, "identity"), b);
    read_operations(r, at_member(r, at, "operations"), b);
}

void internal_binding(struct arena *a, struct conf_binding *b)
{
    *b = (struct conf_binding){.name = S("ambit"), .kind = BINDING_INTERNAL};
    b->operations = ARENA_ARRAY(a, struct conf_operation, 3);
    b->operations_n = 3;
    b->operations[0] = (struct conf_operation){.tool = S("delegate"), .effect = EFFECT_EXECUTE};
    b->operations[0].args = ARENA_ARRAY(a, struct conf_arg, 1);
    b->operations[0].args_n = 1;
    b->operations[0].args[0] = (struct conf_arg){.name = S("agent"), .type = S("String")};
    b->operations[1] = (struct conf_operation){.tool = S("request_task"), .effect = EFFECT_READ};
    b->operations[2] = (struct conf_operation){.tool = S("redeem_task"), .effect = EFFECT_READ};
    for (size_t i = 0; i < b->operations_n; i++)
        b->operations[i].label = (struct data_label){CONFIDENTIALITY_PUBLIC, 0};
    b->durable_reads = true;
    b->answer_wait_ms = ANSWER_WAIT_MS_MAX;
}
