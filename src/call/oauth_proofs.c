/* Proofs of identity that were verified a moment ago. A client that asks for one token after the
 * other shows the same certificate or assertion each time, and checking a chain costs more than all
 * the rest of a request. What is kept is worth OAUTH_PROOF_MS at most, and never outlives the
 * proof: whether the identity was revoked, and whether the agent may act, is asked every time. */
#include "call/oauth_int.h"

#include <stdlib.h>

enum { OAUTH_PROOF_MS = 2000, PROOFS_KEPT_MAX = 4096 };

struct kept_proof {
    int64_t until_ms;
    struct proven who;
    struct arena arena; /* of who */
};

static void kept_free(struct kept_proof *k)
{
    if (k)
        arena_fini(&k->arena);
    free(k);
}

void oauth_proofs_sweep(struct oauth *o, int64_t now_ms)
{
    str key;
    void *v;
    for (size_t i = 0; map_next(&o->proofs, &i, &key, &v);)
        if (now_ms >= ((struct kept_proof *)v)->until_ms)
            kept_free(map_del(&o->proofs, key));
}

void oauth_proofs_fini(struct oauth *o)
{
    oauth_proofs_sweep(o, INT64_MAX);
    map_fini(&o->proofs);
}

static void keep(struct oauth *o, str key, const struct proven *who, int64_t now_ms)
{
    struct kept_proof *k = calloc(1, sizeof *k);
    if (!k)
        abort();
    k->who = *who;
    k->who.spiffe_id = str_dup(&k->arena, who->spiffe_id);
    k->who.instance = str_dup(&k->arena, who->instance);
    k->who.issuer = str_dup(&k->arena, who->issuer);
    k->who.subject = str_dup(&k->arena, who->subject);
    k->who.token_id = str_dup(&k->arena, who->token_id);
    k->until_ms =
        now_ms + OAUTH_PROOF_MS < who->expires_ms ? now_ms + OAUTH_PROOF_MS : who->expires_ms;
    if (map_count(&o->proofs) >= PROOFS_KEPT_MAX)
        oauth_proofs_sweep(o, INT64_MAX);
    kept_free(map_put(&o->proofs, key, k));
}

bool oauth_prove(struct oauth_request *r, str token, const str *audiences, size_t n,
                 struct proven *out, struct err *err)
{
    struct oauth *o = r->g->oauth;
    str parts[] = {n ? S("jwt") : S("x509"), r->listener->url, S(" "), token};
    struct hash key = sha256_parts(parts, 4);
    struct kept_proof *k = map_get(&o->proofs, hash_str(&key));
    if (k && r->now_ms < k->until_ms) {
        *out = k->who;
        return true;
    }
    bool ok = n ? trust_prove_jwt(r->g->trust, r->a, token, audiences, n, r->now_ms, out, err)
                : trust_prove_x509(r->g->trust, r->a, token, r->now_ms, out, err);
    if (ok)
        keep(o, hash_str(&key), out, r->now_ms);
    return ok;
}
