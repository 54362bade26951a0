/* The grant type authorization_code (RFC 6749 section 4.1.3, RFC 7636): a code that an owner's
 * consent has made, for a task that opens now. The client may be public: what it proves then is
 * that it began the flow (PKCE) and holds the key that the token is bound to. */
#include "base/clock.h"
#include "call/authorize.h"
#include "call/oauth_int.h"

static void on_redeemed(void *arg, struct task *t, str resource, const struct err *why)
{
    struct oauth_later *l = arg;
    l->r.now_ms = clock_wall_ms();
    if (!t) {
        bool ours = why->kind == ERR_SYSTEM || why->kind == ERR_LIMIT;
        oauth_error(&l->r, ours ? "temporarily_unavailable" : "invalid_grant", "%s", why->text);
    } else if (oauth_may_hold(&l->r, t)) {
        l->w.task = t;
        if (resource.n)
            l->w.resource = resource;
        oauth_issue(&l->r, &l->w);
    }
    oauth_later_free(l);
}

/* A public client is whom it says it is only as far as its code goes. */
static bool public_client(struct oauth_request *r, str client_id)
{
    for (size_t i = 0; i < r->g->conf->agents_n; i++) {
        const struct conf_agent *agent = &r->g->conf->agents[i];
        if (!agent->redirect_uris_n ||
            !str_eq(client_id, task_agent_id(r->a, r->g->conf, agent->name)))
            continue;
        r->agent = agent;
        r->who =
            (struct proven){.agent = agent->name, .spiffe_id = client_id, .expires_ms = INT64_MAX};
        return true;
    }
    return oauth_error(r, "invalid_client", "client_id names no client of the code flow");
}

void oauth_code(struct oauth_request *r)
{
    str client_id = oauth_param(r, S("client_id"));
    bool shows = oauth_param(r, S("client_assertion")).n || r->m->proof.chain.n ||
                 oauth_param(r, S("client_secret")).n;
    if (!(shows ? oauth_client(r) : public_client(r, client_id)) || !oauth_binding(r))
        return;
    struct oauth_wanted w = {.expires_ms = INT64_MAX};
    if (!oauth_resource(r, &w.resource))
        return;
    struct code_use use = {.code = oauth_param(r, S("code")),
                           .client_id = task_agent_id(r->a, r->g->conf, r->agent->name),
                           .redirect_uri = oauth_param(r, S("redirect_uri")),
                           .verifier = oauth_param(r, S("code_verifier")),
                           .resource = oauth_param(r, S("resource")),
                           .jkt = r->has_jkt ? key_id_str(&r->jkt) : (str){0}};
    authorize_redeem(r->g, &use, r->now_ms, on_redeemed, oauth_later(r, &w));
}
