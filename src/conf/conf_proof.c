/* agents.<name>.proofs: which identities of other issuers are this agent, and what is too wide. */
#include "conf/reader.h"

static const char *const PROOF_MEMBERS[] = {"issuer", "id", "claims", "instance", NULL};

enum { PROOFS_MAX = 16, CLAIMS_MAX = 16, CLAIM_BYTES_MAX = 1024, POINTER_DEPTH_MAX = 8 };

static bool is_border(char c)
{
    return c == '/' || c == ':';
}

/* The length of the segment that s begins with. */
static size_t segment(str s)
{
    size_t n = 0;
    while (n < s.n && !is_border(s.p[n]))
        n++;
    return n;
}

bool conf_segments_match(str pattern, str value)
{
    for (;;) {
        size_t n = segment(pattern), m = segment(value);
        bool open = n && pattern.p[n - 1] == '*';
        if (open ? m < n - 1 || m == 0 || !str_starts(value, str_take(pattern, n - 1))
                 : m != n || !str_eq(str_take(value, m), str_take(pattern, n)))
            return false;
        if (n == pattern.n || m == value.n)
            return n == pattern.n && m == value.n;
        if (pattern.p[n] != value.p[m])
            return false;
        pattern = str_skip(pattern, n + 1);
        value = str_skip(value, m + 1);
    }
}

static bool is_pattern(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '*' && i + 1 < s.n && !is_border(s.p[i + 1]))
            return false;
    return s.n > 0 && s.n <= CLAIM_BYTES_MAX;
}

static void check_pattern(struct reader *r, struct at at, str s)
{
    if (!is_pattern(s))
        problem(r, at,
                "must be 1 to %d characters, with * only at the end of a segment (before "
                "/, : or the end)",
                CLAIM_BYTES_MAX);
}

/* A member's name, or a JSON Pointer. */
static void check_claim_name(struct reader *r, struct at at, str name)
{
    size_t depth = 0;
    bool ok = name.n > 0 && name.n <= 256;
    for (size_t i = 0; name.n && name.p[0] == '/' && i < name.n; i++) {
        depth += name.p[i] == '/';
        if (name.p[i] == '~' && (i + 1 == name.n || (name.p[i + 1] != '0' && name.p[i + 1] != '1')))
            ok = false;
    }
    if (!ok || depth > POINTER_DEPTH_MAX)
        problem(r, at,
                "\"%.*s\" is neither the name of a claim nor a JSON Pointer to one (e.g. "
                "\"/kubernetes.io/namespace\")",
                STR(name));
}

static void read_claim(struct reader *r, struct each *e, struct conf_claim *c)
{
    enum json_type t = json_type(e->at.v);
    c->name = str_dup(r->a, e->name);
    check_claim_name(r, e->at, c->name);
    if (t == JSON_STRING) {
        c->value = at_str(r, e->at, (str){0});
        check_pattern(r, e->at, c->value);
    } else if (t == JSON_BOOL || t == JSON_NUMBER) {
        c->literal = true;
        c->value = t == JSON_NUMBER     ? str_dup(r->a, json_number(e->at.v))
                   : json_bool(e->at.v) ? S("true")
                                        : S("false");
    } else {
        problem(r, e->at, "must be a string, a number, true or false");
    }
}

static void read_proof(struct reader *r, struct at at, struct conf_proof *p)
{
    if (!at_object(r, at, PROOF_MEMBERS))
        return;
    struct at id = at_member(r, at, "id"), claims = at_member(r, at, "claims"),
              instance = at_member(r, at, "instance");
    p->issuer = at_str(r, at_member(r, at, "issuer"), (str){0});
    p->id = at_str(r, id, (str){0});
    p->instance = at_str(r, instance, (str){0});
    if (instance.v)
        check_claim_name(r, instance, p->instance);
    if (claims.v && json_type(claims.v) != JSON_OBJECT)
        problem(r, claims, "must be an object of claims, e.g. {\"sub\": \"...\"}");
    size_t n = json_type(claims.v) == JSON_OBJECT ? json_count(claims.v) : 0;
    if (n > CLAIMS_MAX)
        problem(r, claims, "over %d claims", CLAIMS_MAX);
    p->claims = ARENA_ARRAY(r->a, struct conf_claim, n + 1);
    if (n)
        for (struct each e = each_of(r, claims); each_next(&e);)
            read_claim(r, &e, &p->claims[p->claims_n++]);
}

void read_proofs(struct reader *r, struct at at, struct conf_agent *g)
{
    if (!at.v)
        return;
    if (json_type(at.v) != JSON_ARRAY) {
        problem(r, at,
                "must be an array of rules such as {\"issuer\": \"...\", \"id\": "
                "\"spiffe://...\"}");
        return;
    }
    if (json_count(at.v) > PROOFS_MAX)
        problem(r, at, "over %d proofs", PROOFS_MAX);
    g->proofs = ARENA_ARRAY(r->a, struct conf_proof, json_count(at.v) + 1);
    for (struct each e = each_of(r, at); each_next(&e);)
        read_proof(r, e.at, &g->proofs[g->proofs_n++]);
}

/* ---- too wide ---- */

static const struct conf_claim *claim(const struct conf_proof *p, const char *name)
{
    for (size_t i = 0; i < p->claims_n; i++)
        if (str_eq(p->claims[i].name, str_z(name)))
            return &p->claims[i];
    return NULL;
}

static bool is_exact(const struct conf_claim *c)
{
    return c && (c->literal || str_find_char(c->value, '*', 0) < 0);
}

/* Names that their bearer, or anybody who comes after him, can choose. */
static const struct {
    const char *claim, *instead;
} MUTABLE[] = {
    {"email", "sub"}, {"preferred_username", "sub"}, {"name", "sub"},       {"nickname", "sub"},
    {"upn", "sub"},   {"unique_name", "sub"},        {"actor", "actor_id"},
};

#define GITHUB S("https://token.actions.githubusercontent.com")

/* "repo:<owner>/<name>:..." with both in full. */
static bool names_repository(const struct conf_claim *sub)
{
    if (!sub || !str_starts(sub->value, S("repo:")))
        return false;
    str rest = str_skip(sub->value, 5);
    str owner = str_take(rest, segment(rest)), name = str_skip(rest, owner.n + 1);
    name = str_take(name, segment(name));
    return owner.n && name.n && !str_ends(owner, S("*")) && !str_ends(name, S("*"));
}

/* https://docs.github.com/actions/reference/security/oidc: what its claims mean. */
static void lint_github(struct reader *r, struct at at, const struct conf_proof *p)
{
    static const char *const NARROW[] = {"ref",          "environment",      "workflow_ref",
                                         "workflow_sha", "job_workflow_ref", "sub"};
    bool by_id = is_exact(claim(p, "repository_id")) || is_exact(claim(p, "repository_owner_id"));
    if (!is_exact(claim(p, "repository")) && !is_exact(claim(p, "repository_id")) &&
        !names_repository(claim(p, "sub")))
        warning(r, at,
                "names no \"repository\": workflows of strangers' repositories would be "
                "this agent");
    else if (!by_id)
        warning(r, at,
                "a repository's name can be taken by somebody else after it was deleted or "
                "renamed: add \"repository_id\" or \"repository_owner_id\"");
    for (size_t i = 0; i < sizeof NARROW / sizeof *NARROW; i++)
        if (claim(p, NARROW[i]))
            return;
    warning(r, at,
            "any branch and any workflow of the repository would be this agent: add "
            "\"ref\", \"environment\" or \"job_workflow_ref\"");
}

static void lint_claims(struct reader *r, struct at at, const struct conf_issuer *issuer,
                        const struct conf_proof *p)
{
    bool exact = false;
    for (size_t i = 0; i < p->claims_n; i++) {
        exact |= is_exact(&p->claims[i]);
        for (size_t k = 0; k < sizeof MUTABLE / sizeof *MUTABLE; k++)
            if (str_eq(p->claims[i].name, str_z(MUTABLE[k].claim)))
                warning(r, at, "\"%s\" is a name that changes hands; use \"%s\"", MUTABLE[k].claim,
                        MUTABLE[k].instead);
    }
    if (str_eq(issuer->url, GITHUB))
        lint_github(r, at, p);
    else if (!claim(p, "sub"))
        warning(r, at,
                "does not say \"sub\": whoever its issuer gives the other claims would be "
                "this agent");
    else if (!exact)
        warning(r, at, "no claim is exact: each has a *");
}

static void lint_id(struct reader *r, struct at at, const struct conf_issuer *issuer,
                    const struct conf_proof *p)
{
    str path = str_skip(p->id, 9 + issuer->trust_domain.n);
    if (str_starts(path, S("/*")))
        warning(r, at,
                "every workload of %.*s with such a path would be this agent: name the "
                "first segment",
                STR(issuer->trust_domain));
}

/* ---- what must agree ---- */

static void check_proof(struct reader *r, struct at at, const struct conf *c,
                        const struct conf_proof *p)
{
    const struct conf_issuer *issuer = conf_issuer(c, p->issuer);
    if (!issuer) {
        problem(r, at, "\"issuer\" must name one of \"issuers\"");
        return;
    }
    if (issuer->kind == ISSUER_OIDC) {
        if (p->id.n || !p->claims_n)
            problem(r, at, "a proof of an OIDC issuer is a rule over \"claims\", not an \"id\"");
        else
            lint_claims(r, at, issuer, p);
        return;
    }
    str want = str_fmt(r->a, "spiffe://%.*s/", STR(issuer->trust_domain));
    if (!str_starts(p->id, want) || p->id.n == want.n || !is_pattern(p->id))
        problem(r, at,
                "needs an \"id\" of that trust domain: %.*s..., with * only at the end of a "
                "segment",
                STR(want));
    else
        lint_id(r, at, issuer, p);
    if (p->claims_n)
        problem(r, at, "\"claims\" are for OIDC issuers");
}

void check_proofs(struct reader *r, struct at top, const struct conf *c)
{
    for (struct each e = each_of(r, at_member(r, top, "agents")); each_next(&e);) {
        const struct conf_agent *g = conf_agent(c, e.name);
        size_t i = 0;
        for (struct each p = each_of(r, at_member(r, e.at, "proofs")); g && each_next(&p); i++)
            if (i < g->proofs_n)
                check_proof(r, p.at, c, &g->proofs[i]);
    }
}
