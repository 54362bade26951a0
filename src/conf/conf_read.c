/* The top of the configuration: people, agents, listeners, limits, bindings, and what must agree
 * among them. */
#include "base/limits.h"
#include "conf/reader.h"

static const char *const TOP_MEMBERS[] = {
    "trustDomain", "origin", "state",  "sockets", "listen",    "metrics",  "edges",
    "uidBase",     "log",    "limits", "people",  "agents",    "policies", "mcpServers",
    "identity",    "portal", "issuer", "issuers", "templates", "gateway",  NULL};
static const char *const SOCKET_MEMBERS[] = {"agent", "control", "launch", NULL};
static const char *const LISTEN_MEMBERS[] = {"address",  "bearer",  "cert",  "key",
                                             "clientCa", "origins", "oauth", "svid",
                                             "url",      "bundle",  NULL};
static const char *const LIMIT_MEMBERS[] = {"requestBytes", "answerBytes", "connections",
                                            "answerWait",   "holdLife",    "redeemWait",
                                            "sharedWindow", NULL};
static const char *const PERSON_MEMBERS[] = {"roles", "uid", "oidc", NULL};
static const char *const AGENT_MEMBERS[] = {
    "owner",     "purpose",     "tier",   "model", "modelVersion", "assessed", "assessedFor",
    "suspended", "select",      "bearer", "ambit", "delegates",    "client",   "launch",
    "proofs",    "introspects", NULL};

static const struct {
    const char *name;
    unsigned bit;
} PERSON_ROLES[] = {{"owner", ROLE_OWNER},
                    {"approver", ROLE_APPROVER},
                    {"auditor", ROLE_AUDITOR},
                    {"administrator", ROLE_ADMINISTRATOR},
                    {"reviewer", ROLE_REVIEWER}};

static unsigned role_bit(str s)
{
    for (size_t i = 0; i < sizeof PERSON_ROLES / sizeof PERSON_ROLES[0]; i++)
        if (str_eq(s, str_z(PERSON_ROLES[i].name)))
            return PERSON_ROLES[i].bit;
    return 0;
}

static void read_person(struct reader *r, struct each *e, struct conf_person *p)
{
    p->name = str_dup(r->a, e->name);
    p->uid = -1;
    if (!conf_name_is_valid(p->name))
        problem(r, e->at, "a person's name is made of letters, digits, - _ .");
    if (!at_object(r, e->at, PERSON_MEMBERS))
        return;
    p->uid = at_int(r, at_member(r, e->at, "uid"), -1, 0, UINT32_MAX - 1);
    read_person_oidc(r, at_member(r, e->at, "oidc"), p);
    str *roles = NULL;
    size_t n = 0;
    struct at at = at_member(r, e->at, "roles");
    at_str_list(r, at, &roles, &n);
    for (size_t i = 0; i < n; i++) {
        unsigned bit = role_bit(roles[i]);
        if (!bit)
            problem(r, at,
                    "\"%.*s\" is no role; known: owner, approver, reviewer, "
                    "auditor, administrator",
                    STR(roles[i]));
        p->roles |= bit;
    }
    if (!p->roles)
        problem(r, e->at, "needs \"roles\", e.g. [\"owner\"]");
}

static void read_agent(struct reader *r, struct each *e, struct conf_agent *g)
{
    g->name = str_dup(r->a, e->name);
    if (!conf_name_is_valid(g->name))
        problem(r, e->at, "an agent's name is made of letters, digits, - _ .");
    conf_select_none(&g->select);
    conf_select_none(&g->launch);
    if (!at_object(r, e->at, AGENT_MEMBERS))
        return;
    struct at owner = at_member(r, e->at, "owner");
    g->owner = at_str(r, owner, (str){0});
    if (!g->owner.n)
        problem(r, owner, "every agent has an accountable owner: name a person from \"people\"");
    g->purpose = at_str(r, at_member(r, e->at, "purpose"), (str){0});
    read_agent_review(r, e->at, g);
    g->suspended = at_bool(r, at_member(r, e->at, "suspended"), false);
    g->bearer = at_bool(r, at_member(r, e->at, "bearer"), false);
    read_select(r, at_member(r, e->at, "select"), g);
    read_launch(r, at_member(r, e->at, "launch"), g);
    g->attestable = g->select.any || g->launch.any;
    g->introspects = at_bool(r, at_member(r, e->at, "introspects"), false);
    at_str_list(r, at_member(r, e->at, "ambit"), &g->ambit, &g->ambit_n);
    at_str_list(r, at_member(r, e->at, "delegates"), &g->delegates, &g->delegates_n);
    read_proofs(r, at_member(r, e->at, "proofs"), g);
    read_agent_client(r, at_member(r, e->at, "client"), g);
    if (!g->attestable && !g->bearer && !g->proofs_n)
        warning(r, e->at,
                "can neither be attested (\"select\", \"launch\") nor use a token (\"bearer\": "
                "true) nor prove itself (\"proofs\"), so it cannot come in");
}

bool address_is_loopback(str address)
{
    return str_starts(address, S("127.")) || str_starts(address, S("[::1]:")) ||
           str_starts(address, S("localhost:"));
}

static void read_listener(struct reader *r, struct each *e, struct conf_listener *l)
{
    if (!at_object(r, e->at, LISTEN_MEMBERS))
        return;
    l->address = at_str(r, at_member(r, e->at, "address"), (str){0});
    l->bearer = at_bool(r, at_member(r, e->at, "bearer"), false);
    l->cert_file = at_path(r, at_member(r, e->at, "cert"), (str){0});
    l->key_file = at_path(r, at_member(r, e->at, "key"), (str){0});
    struct at ca = at_member(r, e->at, "clientCa");
    l->client_ca_agents = str_eq(at_str(r, ca, (str){0}), S("agents"));
    if (!l->client_ca_agents)
        l->client_ca_file = at_path(r, ca, (str){0});
    at_str_list(r, at_member(r, e->at, "origins"), &l->origins, &l->origins_n);
    if (!l->address.n || str_find_char(l->address, ':', 0) < 0)
        problem(r, e->at, "needs \"address\", e.g. \"127.0.0.1:8931\"");
    read_listener_oauth(r, e->at, l);
    if (read_listener_bundle(r, e->at, l))
        return;
    bool tls = l->cert_file.n || l->key_file.n;
    if (tls && (!l->cert_file.n || !l->key_file.n))
        problem(r, e->at, "TLS needs both \"cert\" and \"key\"");
    if ((l->client_ca_file.n || l->client_ca_agents) && !tls)
        problem(r, e->at, "\"clientCa\" needs \"cert\" and \"key\"");
    if (l->bearer && !address_is_loopback(l->address))
        problem(r, e->at,
                "bearer tokens are accepted on loopback only; bind 127.0.0.1 or use \"clientCa\"");
    if (!tls && !address_is_loopback(l->address))
        problem(r, e->at, "an address beyond loopback needs TLS: give \"cert\" and \"key\"");
    if (!l->bearer && !l->client_ca_file.n && !l->client_ca_agents && !l->oauth)
        problem(r, e->at,
                "nobody could come in here: set \"bearer\": true (loopback) or \"clientCa\", or "
                "leave \"oauth\" on");
}

static void read_limits(struct reader *r, struct at at, struct conf *c)
{
    if (at.v)
        at_object(r, at, LIMIT_MEMBERS);
    c->request_bytes_max = (size_t)at_int(r, at_member(r, at, "requestBytes"), HTTP_BODY_BYTES_MAX,
                                          1024, HTTP_ANSWER_BYTES_MAX);
    c->answer_bytes_max = (size_t)at_int(r, at_member(r, at, "answerBytes"), HTTP_ANSWER_BYTES_MAX,
                                         1024, HTTP_ANSWER_BYTES_MAX);
    c->connections_max =
        (unsigned)at_int(r, at_member(r, at, "connections"), CONNS_MAX, 1, 1 << 20);
    c->answer_wait_ms = at_duration(r, at_member(r, at, "answerWait"), ANSWER_WAIT_MS_MAX);
    r->answer_wait_ms = c->answer_wait_ms;
    c->hold_life_ms = at_duration(r, at_member(r, at, "holdLife"), HOLD_LIFE_MS);
    read_task_limits(r, at, c);
}

/* Objects of named things: counts, allocates, reads each. */
#define READ_NAMED(member, type, list, count, fn)                                                  \
    do {                                                                                           \
        struct at at_ = at_member(r, top, member);                                                 \
        if (at_.v && json_type(at_.v) != JSON_OBJECT)                                              \
            problem(r, at_, "must be an object of names");                                         \
        list = ARENA_ARRAY(r->a, type, json_count(at_.v) + 1);                                     \
        for (struct each e = each_of(r, at_); each_next(&e);)                                      \
            fn(r, &e, &list[count++]);                                                             \
    } while (0)

static void read_named_binding(struct reader *r, struct each *e, struct conf_binding *b)
{
    read_binding(r, e->name, e->at, b);
}

static void drop_disabled(struct reader *r, struct at servers, struct conf *c)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->bindings_n; i++) {
        const json *v = json_get(servers.v, c->bindings[i].name);
        if (!json_bool(json_get(v, S("disabled"))))
            c->bindings[kept++] = c->bindings[i];
    }
    c->bindings_n = kept;
    internal_binding(r->a, &c->bindings[c->bindings_n++]);
}

static void check_references(struct reader *r, struct at top, const struct conf *c)
{
    struct at agents = at_member(r, top, "agents");
    for (struct each e = each_of(r, agents); each_next(&e);) {
        const struct conf_agent *g = conf_agent(c, e.name);
        const struct conf_person *owner = conf_person(c, g->owner);
        struct at at = at_member(r, e.at, "owner");
        if (g->owner.n && !owner)
            problem(r, at, "\"%.*s\" is not in \"people\"", STR(g->owner));
        else if (owner && !(owner->roles & ROLE_OWNER))
            problem(r, at, "\"%.*s\" does not have the role owner", STR(g->owner));
        for (size_t i = 0; i < g->delegates_n; i++)
            if (!conf_agent(c, g->delegates[i]))
                problem(r, at_member(r, e.at, "delegates"), "\"%.*s\" is not in \"agents\"",
                        STR(g->delegates[i]));
        for (size_t i = 0; i < g->ambit_n; i++) {
            str binding, tool;
            if (!str_cut(g->ambit[i], '/', &binding, &tool) || !tool.n)
                problem(r, at_member(r, e.at, "ambit"),
                        "\"%.*s\" must be \"binding/tool\"; * stands for any", STR(g->ambit[i]));
            else if (str_find_char(binding, '*', 0) < 0 && !conf_binding(c, binding))
                problem(r, at_member(r, e.at, "ambit"), "\"%.*s\" is not in \"mcpServers\"",
                        STR(binding));
        }
    }
}

/* Short, since every record has it. */
static void read_gateway(struct reader *r, struct at at, struct conf *c)
{
    enum { GATEWAY_NAME_BYTES_MAX = 32 };
    c->gateway = at_str(r, at, (str){0});
    bool ok = c->gateway.n <= GATEWAY_NAME_BYTES_MAX && (!at.v || c->gateway.n > 0);
    for (size_t i = 0; ok && i < c->gateway.n; i++)
        ok = memchr("abcdefghijklmnopqrstuvwxyz0123456789.-_", c->gateway.p[i], 39) != NULL;
    if (!ok)
        problem(r, at, "a gateway's name is 1 to 32 lower case letters, digits, . - _");
}

static void read_top(struct reader *r, struct at top, struct conf *c)
{
    at_object(r, top, TOP_MEMBERS);
    struct at domain = at_member(r, top, "trustDomain");
    c->trust_domain = at_str(r, domain, S("ambit.local"));
    for (size_t i = 0; i < c->trust_domain.n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789.-_", c->trust_domain.p[i]))
            problem(r, domain, "a trust domain is lower case letters, digits, . - _");
    c->origin =
        at_str(r, at_member(r, top, "origin"), str_fmt(r->a, "%.*s/ledger", STR(c->trust_domain)));
    read_gateway(r, at_member(r, top, "gateway"), c);
    c->state_dir = at_path(r, at_member(r, top, "state"), str_fmt(r->a, "%.*s/state", STR(r->dir)));
    struct at sockets = at_member(r, top, "sockets");
    if (sockets.v)
        at_object(r, sockets, SOCKET_MEMBERS);
    c->agent_socket = at_path(r, at_member(r, sockets, "agent"),
                              str_fmt(r->a, "%.*s/agent.sock", STR(c->state_dir)));
    c->control_socket = at_path(r, at_member(r, sockets, "control"),
                                str_fmt(r->a, "%.*s/control.sock", STR(c->state_dir)));
    c->launch_socket = at_path(r, at_member(r, sockets, "launch"),
                               str_fmt(r->a, "%.*s/launch.sock", STR(c->state_dir)));
    c->metrics_address = at_str(r, at_member(r, top, "metrics"), (str){0});
    if (c->metrics_address.n && !address_is_loopback(c->metrics_address))
        problem(r, at_member(r, top, "metrics"), "metrics are served on loopback only");
    c->edges = (unsigned)at_int(r, at_member(r, top, "edges"), 1, 1, 8);
    c->uid_base = at_int(r, at_member(r, top, "uidBase"), 62900, 0, 4000000000);
    struct at level = at_member(r, top, "log");
    c->log_level = LOG_INFO;
    if (!log_level_parse(at_str(r, level, S("info")), &c->log_level))
        problem(r, level, "must be error, warn, info or debug");
    read_limits(r, at_member(r, top, "limits"), c);
    read_identity(r, at_member(r, top, "identity"), c);
    read_portal(r, at_member(r, top, "portal"), c);
    READ_NAMED("people", struct conf_person, c->people, c->people_n, read_person);
    READ_NAMED("agents", struct conf_agent, c->agents, c->agents_n, read_agent);
    READ_NAMED("issuers", struct conf_issuer, c->issuers, c->issuers_n, read_issuer);
    READ_NAMED("mcpServers", struct conf_binding, c->bindings, c->bindings_n, read_named_binding);
    drop_disabled(r, at_member(r, top, "mcpServers"), c);
    struct at listen = at_member(r, top, "listen");
    c->listeners = ARENA_ARRAY(r->a, struct conf_listener, json_count(listen.v) + 1);
    if (listen.v && json_type(listen.v) != JSON_ARRAY)
        problem(r, listen, "must be an array of listeners");
    else
        for (struct each e = each_of(r, listen); each_next(&e);)
            read_listener(r, &e, &c->listeners[c->listeners_n++]);
    read_oauth(r, top, c);
    at_path_list(r, at_member(r, top, "policies"), &c->policy_patterns, &c->policy_patterns_n);
    check_references(r, top, c);
    check_login(r, top, c);
    read_templates(r, at_member(r, top, "templates"), c);
    check_issuers(r, top, c);
    check_proofs(r, top, c);
    if (c->policy_patterns_n == 0)
        warning(r, top,
                "no \"policies\": every call will be denied (nothing is permitted by default)");
}

bool conf_read(struct arena *a, str name, str dir, str text, struct conf *out,
               struct conf_problems *problems)
{
    struct reader r = {.a = a, .problems = problems, .dir = str_dup(a, dir)};
    struct conf c = {.file = str_dup(a, name), .dir = r.dir};
    struct err err;
    if (!json_read_file_text(a, name, str_dup(a, text), &r.file, &err)) {
        problem(&r, (struct at){0}, "%s", err.text);
        return false;
    }
    if (json_type(r.file.root) != JSON_OBJECT) {
        problem(&r, (struct at){.line = 1}, "the configuration must be one JSON object");
        return false;
    }
    read_top(&r, (struct at){r.file.root, (str){0}, 1}, &c);
    if (problems->errors)
        return false;
    *out = c;
    return true;
}
