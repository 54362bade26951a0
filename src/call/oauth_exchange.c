/* Token exchange (RFC 8693): an agent gives its own task token for one that can do less. Audience,
 * operations and life only shrink; who acts is who proves itself now, and `act` follows from the
 * task, so there is nothing for the client to choose. */
#include "call/oauth_int.h"

#define TYPE_ACCESS "urn:ietf:params:oauth:token-type:access_token"

static bool check_types(struct oauth_request *r)
{
    str subject = oauth_param(r, S("subject_token_type"));
    str wanted = oauth_param(r, S("requested_token_type"));
    if (!str_eq(subject, S(TYPE_ACCESS)))
        return oauth_error(r, "invalid_request", "subject_token_type must be " TYPE_ACCESS);
    if (wanted.n && !str_eq(wanted, S(TYPE_ACCESS)))
        return oauth_error(r, "invalid_request", "only access tokens are issued");
    if (oauth_param(r, S("actor_token")).n || oauth_param(r, S("actor_token_type")).n)
        return oauth_error(r, "invalid_request",
                           "the actor is the authenticated client: send no actor_token");
    return true;
}

/* The same endpoint, or one binding of the federated one: never a wider or another one. */
static bool shrinks(str from, str to)
{
    return str_eq(from, to) || (str_ends(from, S("/mcp")) && str_starts(to, from) &&
                                to.n > from.n && to.p[from.n] == '/');
}

/* The subject's own audience unless a narrower one is asked for. */
static bool pick_resource(struct oauth_request *r, const struct token_facts *t, str *out)
{
    if (!oauth_param(r, S("resource")).n && !oauth_param(r, S("audience")).n) {
        *out = t->aud;
        return true;
    }
    if (!oauth_resource(r, out))
        return false;
    return shrinks(t->aud, *out) ||
           oauth_error(r, "invalid_target", "the subject token is for another resource");
}

void oauth_exchange(struct oauth_request *r)
{
    struct token_facts t;
    struct oauth_details d;
    struct err err;
    if (!check_types(r) || !oauth_details(r, &d))
        return;
    if (d.wish || d.task.n) {
        oauth_error(r, "invalid_request", "the subject token says which task");
        return;
    }
    str token = oauth_param(r, S("subject_token"));
    if (!gate_token_read(r->g, r->a, token, r->now_ms, &t, &err)) {
        oauth_error(r, "invalid_request", "the subject token is not good: %s", err.text);
        return;
    }
    struct oauth_wanted w = {.task = t.task,
                             .narrowed = t.narrowed,
                             .operations = t.operations,
                             .operations_n = t.operations_n,
                             .expires_ms = t.exp_ms,
                             .exchanged = true};
    if (oauth_may_hold(r, t.task) && pick_resource(r, &t, &w.resource) && oauth_narrow(r, &d, &w))
        oauth_issue(r, &w);
}
