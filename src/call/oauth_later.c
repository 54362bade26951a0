/* A request whose answer has to wait: for a commit, or for somebody's decision. It outlives the
 * form and the arena of its first part. */
#include "call/oauth_int.h"

#include <stdlib.h>

struct oauth_later *oauth_later(const struct oauth_request *r, const struct oauth_wanted *w)
{
    static const struct msg_oauth nothing;
    struct oauth_later *l = calloc(1, sizeof *l);
    if (!l)
        abort();
    struct arena *a = &l->arena;
    l->r = *r;
    l->r.m = &nothing;
    l->r.a = a;
    l->r.cert = str_dup(a, r->cert);
    l->r.who.spiffe_id = str_dup(a, r->who.spiffe_id);
    l->r.who.instance = str_dup(a, r->who.instance);
    l->r.who.subject = str_dup(a, r->who.subject);
    l->r.who.issuer = l->r.who.token_id = (str){0};
    l->w = *w;
    l->w.resource = str_dup(a, w->resource);
    return l;
}

void oauth_later_free(struct oauth_later *l)
{
    arena_fini(&l->arena);
    free(l);
}
