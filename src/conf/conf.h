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

/* What data is: how far it may go, and of what kinds it is. Level 0: not said. */
enum confidentiality {
    CONFIDENTIALITY_NONE = 0,
    CONFIDENTIALITY_PUBLIC,
    CONFIDENTIALITY_INTERNAL,
    CONFIDENTIALITY_CONFIDENTIAL,
    CONFIDENTIALITY_RESTRICTED,
};
enum { LABEL_CATEGORIES_ALL = 0x0f }; /* pii, payment, credential, own: one bit each */
struct data_label {
    uint8_t level;      /* enum confidentiality */
    uint8_t categories; /* bits */
};
str confidentiality_name(uint8_t level);
bool confidentiality_parse(str s, uint8_t *out);
bool label_category_parse(str s, uint8_t *bits); /* adds its bit */
struct jw;
void label_categories_write(struct jw *w, uint8_t bits); /* an array of names */

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

/* ---- issuers of identities elsewhere (conf_issuer.c, conf_proof.c) ---- */
enum issuer_kind { ISSUER_NONE = 0, ISSUER_SPIFFE, ISSUER_OIDC };
/* From where its keys come. One beside a file: the file is what there is until the other answered.
 */
enum issuer_source {
    SOURCE_NONE = 0,
    SOURCE_FILE,         /* bundleFile, jwksFile */
    SOURCE_WORKLOAD_API, /* workloadSocket */
    SOURCE_HTTPS_WEB,    /* endpoint or jwks, under public authorities or `ca` */
    SOURCE_HTTPS_SPIFFE, /* endpoint that shows an SVID */
    SOURCE_DISCOVERY,    /* <oidc>/.well-known/openid-configuration says where */
};
struct conf_issuer {
    str name;
    enum issuer_kind kind;
    enum issuer_source source; /* SOURCE_NONE is not left standing; SOURCE_FILE if only a file */
    str trust_domain;          /* SPIFFE */
    str url;                   /* OIDC: `iss` of its tokens, exactly */
    str file;                  /* of a bundle or JWK Set; empty: none */
    str location;              /* the socket's path, or the URL to fetch */
    str endpoint_id;           /* the SPIFFE ID that the endpoint must show */
    str ca_file;               /* empty: public authorities */
    str *audiences;            /* OIDC: of which its tokens must name one; none: as for our own */
    size_t audiences_n;
    str *algorithms; /* JWA names; none: what the kind allows */
    size_t algorithms_n;
    int64_t max_age_ms; /* keys that were not fetched anew for so long are not used any more */
};
/* One demand on a claim. */
struct conf_claim {
    str name;     /* a member, or a JSON Pointer (RFC 6901) if it begins with a slash */
    str value;    /* of a string, `*` at the end of a segment: any characters but / and : */
    bool literal; /* value is a number, true or false as JSON writes it */
};
/* What proves an agent besides an SVID of the own trust domain. */
struct conf_proof {
    str issuer; /* in `issuers` */
    str id;     /* SPIFFE ID, `*` as in a claim; empty for OIDC */
    struct conf_claim *claims;
    size_t claims_n;
    str instance; /* the claim that tells instances apart, as conf_claim.name; empty: none */
};

/* What the kernel says of a process: all that are set must match. */
struct conf_select {
    bool any;         /* at least one is set; otherwise nobody is meant */
    int64_t uid, gid; /* -1: any */
    int64_t *groups;  /* each must be its group or one of its supplementary groups */
    size_t groups_n;
    str path;    /* of its program file; empty: any */
    str *sha256; /* of its program file, 32 bytes each: one of them */
    size_t sha256_n;
    str unit;   /* systemd unit of the system, e.g. "desk.service" */
    str cgroup; /* path in the cgroup v2 tree, with what is below */
};

struct conf_agent {
    str name;
    str owner; /* a person with ROLE_OWNER */
    str purpose, model, model_version;
    str tier; /* low, medium, high or critical */
    bool suspended;
    int64_t assessed_ms;       /* midnight UTC of the last assessment; 0: never */
    int64_t assessed_for_ms;   /* how long one counts */
    struct conf_select select; /* the processes that are this agent */
    struct conf_select launch; /* the processes that may `ambit run` it */
    bool launch_descendants;   /* a launched program's descendants are the agent, too */
    bool attestable;           /* select or launch is set */
    bool bearer;               /* may use bearer task tokens where the listener allows them */
    bool introspects;          /* may ask about every token, not only its own */
    str *ambit; /* patterns "binding/tool", '*' allowed: the most it may be granted */
    size_t ambit_n;
    str *delegates; /* agents to which it may delegate */
    size_t delegates_n;
    struct conf_proof *proofs; /* by issuers elsewhere */
    size_t proofs_n;
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

/* What a call of an operation costs: an argument of it. arg empty: nothing is said. */
struct conf_amount {
    str arg;
    char currency[4]; /* "EUR" */
    uint8_t scale;    /* digits of minor units: 2 where the argument says 12.50, 0 where 1250 */
};

struct conf_operation {
    str tool;
    enum effect effect;
    struct data_label label; /* of what it reads */
    struct conf_amount amount;
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
    bool txn;           /* HTTP: each call carries a transaction token */
    bool durable_reads; /* reads too wait for the commit of their intent */
    int64_t answer_wait_ms;
};

struct conf_policy_file {
    str name, text;
};

/* The two profiles of a SPIFFE bundle endpoint. */
enum conf_bundle {
    BUNDLE_NONE = 0,
    BUNDLE_WEB,    /* https_web: the listener's own certificate */
    BUNDLE_SPIFFE, /* https_spiffe: an X.509-SVID of spiffe://<trust domain>/ambit/bundle */
};

struct conf_listener {
    str address;                             /* "127.0.0.1:8931"; empty: off */
    bool bearer;                             /* bearer task tokens accepted here; loopback only */
    str cert_file, key_file, client_ca_file; /* set: TLS */
    str *origins;                            /* Origin values accepted besides none */
    size_t origins_n;
    /* The built-in issuer (conf_identity.c) */
    bool client_ca_agents; /* "clientCa": "agents": certificates of the trust bundles in force */
    uint8_t bundle;        /* enum conf_bundle: serves the trust bundle, and nothing else */
    /* OAuth (conf_oauth.c) */
    bool oauth; /* serves the endpoints of the authorization server; the default */
    bool svid;  /* TLS asks for a client certificate of any issuer: core judges it, as an SVID */
    str url;    /* how clients name this listener, without a slash at the end */
};

/* Work that recurs: a task opened by name. */
struct conf_template {
    str name, agent, purpose;
    str grants; /* JSON object: operations, ceiling, budgets, delegation (task/task.h reads it) */
    int64_t life_ms;
    str *users; /* people who may use it; none: the agent's owner */
    size_t users_n;
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
    str gateway;              /* what this gateway is called in records; empty: not at all */
    str issuer;               /* URL of the authorization server, without a slash at the end */
    str state_dir;
    str agent_socket, control_socket;
    struct conf_lives lives;
    str workload_socket; /* of the SPIFFE Workload API; empty: off */
    str launch_socket;   /* of `ambit run`; open if an agent has "launch" */
    bool wit;            /* the Workload API serves WIT-SVIDs */
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
    int64_t redeem_wait_ms;   /* a delegated task is redeemed within it */
    int64_t shared_window_ms; /* one identity at two places within it is reported */
    struct conf_template *templates;
    size_t templates_n;
    struct conf_person *people;
    size_t people_n;
    struct conf_agent *agents;
    size_t agents_n;
    struct conf_issuer *issuers;
    size_t issuers_n;
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
const struct conf_issuer *conf_issuer(const struct conf *c, str name);
const struct conf_binding *conf_binding(const struct conf *c, str name);
const struct conf_operation *conf_operation(const struct conf_binding *b, str tool);
const struct conf_template *conf_template(const struct conf *c, str name);
/* It has an assessment that still counts. */
bool conf_agent_is_assessed(const struct conf_agent *agent, int64_t now_ms);
/* True if the value is what the pattern says: segments between '/' and ':', each exactly, or up to
 * a `*` that ends it. */
bool conf_segments_match(str pattern, str value);
/* True if the agent's ambit covers binding/tool. */
bool conf_agent_covers(const struct conf_agent *agent, str operation);
/* Does it take a look at the program file (path, sha256)? Does any agent, and may any be launched?
 */
bool conf_select_looks(const struct conf_select *s);
bool conf_looks(const struct conf *c);
bool conf_launches(const struct conf *c);
/* The resource (RFC 8707) that an endpoint of this listener is: its URL and "/mcp" or
 * "/mcp/<binding>"; binding empty: the federated endpoint. */
str conf_resource(struct arena *a, const struct conf_listener *l, str binding);
/* "binding/tool" names: a letter or digit, then letters, digits, '_', '-', '.'. */
bool conf_name_is_valid(str name);
