/* conf: the configuration in force, read once into an immutable snapshot.
 *
 * One JSON file, comments and trailing commas allowed, whose `mcpServers` block has the shape that
 * MCP clients use, so an existing block pastes in (docs/configuration.md lists every member).
 * Secrets are never in it: a header or environment value that is one is {"secret": "NAME"}.
 * Everything borrowed by the structs lives in the arena given to conf_read. Zero means absent, off
 * or denied throughout.
 *
 * Every problem found is reported, each with file, line, the path of the member and what to do. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"

/* What an operation does to the world (design, "operation"). Unlabelled is ADMIN. */
enum effect {
    EFFECT_NONE = 0,
    EFFECT_READ,
    EFFECT_ADVISE,
    EFFECT_WRITE,
    EFFECT_DELETE,
    EFFECT_TRANSFER,
    EFFECT_APPROVE,
    EFFECT_EXPORT,
    EFFECT_EXECUTE,
    EFFECT_ADMIN,
    EFFECT_COUNT,
};
str effect_name(enum effect e);
bool effect_parse(str s, enum effect *out);

enum person_role {
    ROLE_OWNER = 1 << 0,
    ROLE_APPROVER = 1 << 1,
    ROLE_AUDITOR = 1 << 2,
    ROLE_ADMINISTRATOR = 1 << 3,
    ROLE_REVIEWER = 1 << 4, /* of what widens reach */
};

struct conf_person {
    str name;
    unsigned roles; /* enum person_role */
    int64_t uid;    /* the kernel's word on the control socket; -1: known by operator key only */
    str oidc_issuer, oidc_sub; /* who they are at the login provider; empty: not known there */
};

struct conf_agent {
    str name;
    str owner; /* a person with ROLE_OWNER */
    str purpose, tier, model;
    bool suspended;
    int64_t assessed_ms; /* midnight UTC of the last assessment; 0: never */
    /* Selectors: all that are set must match the peer (kernel's credentials). */
    int64_t uid, gid; /* -1: any */
    bool attestable;  /* at least one selector is set */
    bool bearer;      /* may use bearer task tokens where the listener allows them */
    bool introspects; /* may ask about every token, not only its own */
    str *ambit;       /* patterns "binding/tool", '*' allowed: the most it may be granted */
    size_t ambit_n;
    str *delegates; /* agents to which it may delegate */
    size_t delegates_n;
    str *redirect_uris; /* where a browser may be sent with a code; none: no authorization code */
    size_t redirect_uris_n;
};

/* A header or environment variable sent upstream. */
struct conf_value {
    str name;
    str literal; /* when secret is empty */
    str secret;  /* name of the sealed secret */
    str prefix;  /* put before the secret, e.g. "Bearer " */
};

/* An argument that policies may read, with its Cedar type. What is not declared is opaque to
 * policies. */
struct conf_arg {
    str name;
    str type; /* Cedar type: Long, String, Bool, Set<String>, decimal, ... */
    bool optional;
};

struct conf_operation {
    str tool;
    enum effect effect;
    bool high_impact; /* needs an approval by the shipped guardrail */
    struct conf_arg *args;
    size_t args_n;
};

enum binding_kind { BINDING_NONE = 0, BINDING_HTTP, BINDING_STDIO, BINDING_INTERNAL };
enum binding_era { ERA_AUTO = 0, ERA_MODERN, ERA_LEGACY };

struct conf_binding {
    str name;
    enum binding_kind kind;
    enum binding_era era;
    /* HTTP */
    str url, ca_file, cert_file, key_file;
    struct conf_value *headers;
    size_t headers_n;
    /* stdio */
    str command;
    str *args;
    size_t args_n;
    struct conf_value *env;
    size_t env_n;
    str cwd;
    str *read_paths, *write_paths; /* sandbox, beyond the system's own read-only folders */
    size_t read_paths_n, write_paths_n;
    bool network; /* children may use the network; default no */
    /* both */
    struct conf_operation *operations;
    size_t operations_n;
    bool durable_reads; /* reads too wait for the commit of their intent */
    int64_t answer_wait_ms;
};

struct conf_policy_file {
    str name, text;
};

struct conf_listener {
    str address;                             /* "127.0.0.1:8931"; empty: off */
    bool bearer;                             /* bearer task tokens accepted here; loopback only */
    str cert_file, key_file, client_ca_file; /* set: TLS */
    str *origins;                            /* Origin values accepted besides none */
    size_t origins_n;
    /* OAuth (conf_oauth.c) */
    bool oauth; /* serves the endpoints of the authorization server; the default */
    bool svid;  /* TLS asks for a client certificate of any issuer: core judges it, as an SVID */
    str url;    /* how clients name this listener, without a slash at the end */
};

/* Where people come in with a browser. */
struct conf_portal {
    str address; /* empty: off */
    str origin;  /* as browsers see it: "https://ambit.example.org" */
    str rp_id;   /* its host: to whom passkeys belong */
    str cert_file, key_file;
    str login_issuer, login_client, login_name; /* OpenID provider; empty: passkeys only */
    int64_t login_max_age_s;                    /* 0: any sign-in there will do */
};

/* Of the built-in issuer, in seconds. */
struct conf_lives {
    int64_t x509_s;    /* of an X.509-SVID and of a WIT-SVID */
    int64_t jwt_s;     /* of a JWT-SVID */
    int64_t ca_s;      /* of the signing CA and of the keys of tokens */
    int64_t root_s;    /* of the root CA */
    int64_t refresh_s; /* how often a consumer of the bundle should look again */
};

struct conf {
    str file, dir;            /* dir: of the file; relative paths in it start there */
    str trust_domain, origin; /* origin: name of the ledger */
    str issuer;               /* URL of the authorization server, without a slash at the end */
    str state_dir;
    str agent_socket, control_socket;
    struct conf_lives lives;
    str workload_socket; /* of the SPIFFE Workload API; empty: off */
    struct conf_portal portal;
    bool fetches; /* something is to be fetched from outside: the fetcher is started */
    struct conf_listener *listeners;
    size_t listeners_n;
    str metrics_address;
    unsigned edges;
    int64_t uid_base; /* roles get uid_base + n where started as root; 0: keep */
    enum log_level log_level;
    size_t request_bytes_max, answer_bytes_max;
    unsigned connections_max;
    int64_t answer_wait_ms, hold_life_ms;
    struct conf_person *people;
    size_t people_n;
    struct conf_agent *agents;
    size_t agents_n;
    struct conf_binding *bindings; /* includes the internal binding "ambit" */
    size_t bindings_n;
    str *policy_patterns;
    size_t policy_patterns_n;
    struct conf_policy_file *policies; /* filled by conf_load, or from SETUP by a role */
    size_t policies_n;
};

struct conf_problem {
    bool warning;
    unsigned line;
    str where; /* "agents.support.owner" */
    str text;  /* what is wrong and what to do */
};
struct conf_problems {
    struct conf_problem *list;
    size_t n, cap, errors;
};

/* From text. name is for messages; dir resolves relative paths. False if there is at least one
 * error in *problems (never NULL); warnings may be there on success too. Reads no other file. */
MUST_USE bool conf_read(struct arena *a, str name, str dir, str text, struct conf *out,
                        struct conf_problems *problems);
/* Reads the file and the policy files it names. For commands and the supervisor. */
MUST_USE bool conf_load(struct arena *a, const char *path, struct conf *out, str *out_text,
                        struct conf_problems *problems);
/* "file:line: where: text", one a line. */
void conf_problems_print(const struct conf_problems *p, str file, struct buf *out);

const struct conf_person *conf_person(const struct conf *c, str name);
const struct conf_agent *conf_agent(const struct conf *c, str name);
const struct conf_binding *conf_binding(const struct conf *c, str name);
const struct conf_operation *conf_operation(const struct conf_binding *b, str tool);
/* True if the agent's ambit covers binding/tool. */
bool conf_agent_covers(const struct conf_agent *agent, str operation);
/* The resource (RFC 8707) that an endpoint of this listener is: its URL and "/mcp" or
 * "/mcp/<binding>"; binding empty: the federated endpoint. */
str conf_resource(struct arena *a, const struct conf_listener *l, str binding);
/* "binding/tool" names: a letter or digit, then letters, digits, '_', '-', '.'. */
bool conf_name_is_valid(str name);
