/* Whose a proof is: the part of trust.h that ends at a configured agent. */
#include "identity/trust_int.h"

/* ---- the answer ---- */

/* What tells instances apart becomes one segment of a SPIFFE ID: as it is, or by its digest. */
static str instance_of(struct arena *a, str text)
{
    struct spiffe_id id;
    struct err err;
    char hex[HASH_HEX_SIZE];
    if (text.n == 0)
        return (str){0};
    if (text.n <= AGENT_PART_BYTES_MAX && str_find_char(text, '/', 0) < 0 &&
        spiffe_id_make(a, S("a"), str_fmt(a, "/%.*s", STR(text)), &id, &err))
        return str_dup(a, text);
    struct hash h = sha256(text);
    return str_fmt(a, "sha256-%.32s", hash_hex(&h, hex).p);
}

static bool answer(const struct trust *t, struct arena *a, const struct conf_agent *agent,
                   const struct claimed *c, str instance, struct proven *out, struct err *err)
{
    struct spiffe_id id;
    instance = instance_of(a, instance);
    str path = instance.n ? str_fmt(a, "/agent/%.*s/%.*s", STR(agent->name), STR(instance))
                          : str_fmt(a, "/agent/%.*s", STR(agent->name));
    if (!spiffe_id_make(a, t->conf->trust_domain, path, &id, err))
        return false;
    *out = (struct proven){.agent = agent->name,
                           .spiffe_id = id.text,
                           .instance = instance,
                           .expires_ms = c->expires_ms,
                           .method = c->method,
                           .issuer = c->by ? c->by->name : t->conf->trust_domain,
                           .subject = str_dup(a, c->subject),
                           .token_id = str_dup(a, c->token_id),
                           .cert = c->cert};
    return true;
}

/* ---- our own: the name is in the path ---- */

static bool map_own(const struct trust *t, struct arena *a, const struct claimed *c,
                    struct proven *out, struct err *err)
{
    str rest = c->id.path, name, instance;
    if (!str_starts(rest, S("/agent/")))
        return err_notfound(err,
                            "%.*s is no agent: agents are spiffe://%.*s/agent/<name>[/"
                            "<instance>]",
                            STR(str_take(c->id.text, 128)), STR(t->conf->trust_domain));
    bool has = str_cut(str_skip(rest, 7), '/', &name, &instance);
    if (has && (str_find_char(instance, '/', 0) >= 0 || instance.n > AGENT_PART_BYTES_MAX))
        return err_notfound(err,
                            "%.*s is no agent: more than a name and an instance of at most "
                            "%d characters",
                            STR(str_take(c->id.text, 128)), AGENT_PART_BYTES_MAX);
    const struct conf_agent *agent = conf_agent(t->conf, name);
    if (!agent)
        return err_notfound(err, "no agent \"%.*s\" in \"agents\" of the configuration",
                            STR(str_take(name, 64)));
    return answer(t, a, agent, c, instance, out, err);
}

/* ---- others: by rule ---- */

/* RFC 6901 sections 3 and 4, without lists: one step of a pointer. */
static str unescape(struct arena *a, str token)
{
    struct buf b = {0};
    for (size_t i = 0; i < token.n; i++)
        if (token.p[i] == '~' && i + 1 < token.n)
            buf_putc(&b, token.p[++i] == '1' ? '/' : '~');
        else
            buf_putc(&b, token.p[i]);
    str out = str_dup(a, buf_str(&b));
    buf_fini(&b);
    return out;
}

static const json *claim_of(struct arena *a, const json *claims, str name)
{
    if (!str_starts(name, S("/")))
        return json_get(claims, name);
    str token, rest = str_skip(name, 1);
    for (bool more = true; more && claims;) {
        more = str_cut(rest, '/', &token, &rest);
        claims = json_get(claims, unescape(a, token));
    }
    return claims;
}

static bool claim_matches(struct arena *a, const struct conf_claim *rule, const json *claims)
{
    const json *v = claim_of(a, claims, rule->name);
    switch (json_type(v)) {
    case JSON_STRING:
        return !rule->literal && conf_segments_match(rule->value, json_str(v));
    case JSON_BOOL:
        return rule->literal && str_eq(rule->value, json_bool(v) ? S("true") : S("false"));
    case JSON_NUMBER:
        return rule->literal && str_eq(rule->value, json_number(v));
    default:
        return false;
    }
}

static bool rule_matches(struct arena *a, const struct conf_proof *rule, const struct claimed *c)
{
    if (!str_eq(rule->issuer, c->by->name))
        return false;
    if (c->by->kind == ISSUER_SPIFFE)
        return rule->id.n && conf_segments_match(rule->id, c->id.text);
    for (size_t i = 0; i < rule->claims_n; i++)
        if (!claim_matches(a, &rule->claims[i], c->claims))
            return false;
    return rule->claims_n > 0;
}

static str instance_by(struct arena *a, const struct conf_proof *rule, const struct claimed *c)
{
    if (c->by->kind == ISSUER_OIDC) {
        const json *v = rule->instance.n ? claim_of(a, c->claims, rule->instance) : NULL;
        return json_type(v) == JSON_NUMBER ? json_number(v) : json_str(v);
    }
    size_t from = c->id.text.n;
    while (from > 0 && c->id.text.p[from - 1] != '/')
        from--;
    return str_ends(rule->id, S("*")) ? str_skip(c->id.text, from) : (str){0};
}

static bool map_foreign(const struct trust *t, struct arena *a, const struct claimed *c,
                        struct proven *out, struct err *err)
{
    const struct conf_agent *agent = NULL;
    const struct conf_proof *rule = NULL;
    for (size_t i = 0; i < t->conf->agents_n; i++)
        for (size_t k = 0; k < t->conf->agents[i].proofs_n; k++) {
            const struct conf_agent *g = &t->conf->agents[i];
            if (g == agent || !rule_matches(a, &g->proofs[k], c))
                continue;
            if (agent)
                return err_denied(err,
                                  "what issuer \"%.*s\" says would be agent %.*s and agent %.*s; "
                                  "make their \"proofs\" tell them apart",
                                  STR(c->by->name), STR(agent->name), STR(g->name));
            agent = g;
            rule = &g->proofs[k];
        }
    if (!agent)
        return err_notfound(err,
                            "issuer \"%.*s\" is trusted, but no agent's \"proofs\" match what it "
                            "says of %.*s",
                            STR(c->by->name), STR(str_take(c->subject, 128)));
    return answer(t, a, agent, c, instance_by(a, rule, c), out, err);
}

static bool check_revoked(const struct revoked *r, const struct claimed *c, str agent_id,
                          struct err *err)
{
    static const struct hash none;
    char hex[HASH_HEX_SIZE];
    for (size_t i = 0; i < c->keys_n; i++)
        if (!revoked_check(r, REVOKED_KEY, c->keys[i], c->now_ms, err))
            return false;
    if (memcmp(&c->cert, &none, sizeof none) != 0 &&
        !revoked_check(r, REVOKED_CERTIFICATE, hash_hex(&c->cert, hex), c->now_ms, err))
        return false;
    return revoked_check(r, REVOKED_SERIAL, c->serial, c->now_ms, err) &&
           revoked_check_id(r, c->id.text, c->now_ms, err) &&
           revoked_check_id(r, agent_id, c->now_ms, err);
}

bool trust_map(const struct trust *t, struct arena *a, const struct claimed *c, struct proven *out,
               struct err *err)
{
    struct proven p;
    if (!(c->by ? map_foreign : map_own)(t, a, c, &p, err))
        return false;
    if (t->revoked && !revoked_is_empty(t->revoked) &&
        !check_revoked(t->revoked, c, p.spiffe_id, err))
        return false;
    *out = p;
    return true;
}
