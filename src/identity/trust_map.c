/* Whose a proof is: the part of trust.h that ends at a configured agent. */
#include "identity/trust_int.h"

static bool fill(const struct trust *t, struct arena *a, const struct conf_agent *agent,
                 const struct claimed *c, str instance, struct proven *out, struct err *err)
{
    struct spiffe_id id;
    str path = instance.n ? str_fmt(a, "/agent/%.*s/%.*s", STR(agent->name), STR(instance))
                          : str_fmt(a, "/agent/%.*s", STR(agent->name));
    if (!spiffe_id_make(a, t->conf->trust_domain, path, &id, err))
        return false;
    *out = (struct proven){.agent = agent->name,
                           .spiffe_id = id.text,
                           .instance = instance,
                           .expires_ms = c->expires_ms,
                           .method = c->method,
                           .issuer = c->issuer,
                           .subject = str_dup(a, c->subject),
                           .token_id = str_dup(a, c->token_id),
                           .cert = c->cert};
    return true;
}

bool trust_map_own(const struct trust *t, struct arena *a, const struct claimed *c,
                   struct proven *out, struct err *err)
{
    str rest = c->id.path, name, instance;
    if (!str_starts(rest, S("/agent/")))
        return err_notfound(err,
                            "%.*s is no agent: agents are spiffe://%.*s/agent/<name>[/"
                            "<instance>]",
                            STR(c->id.text), STR(t->conf->trust_domain));
    bool has = str_cut(str_skip(rest, 7), '/', &name, &instance);
    if (has && (str_find_char(instance, '/', 0) >= 0 || instance.n > AGENT_PART_BYTES_MAX))
        return err_notfound(err,
                            "%.*s is no agent: more than a name and an instance of at most "
                            "%d characters",
                            STR(str_take(c->id.text, 200)), AGENT_PART_BYTES_MAX);
    const struct conf_agent *agent = conf_agent(t->conf, name);
    if (!agent)
        return err_notfound(err, "no agent \"%.*s\" in \"agents\" of the configuration",
                            STR(str_take(name, 64)));
    struct claimed own = *c;
    own.issuer = t->conf->trust_domain;
    return fill(t, a, agent, &own, str_dup(a, instance), out, err);
}
