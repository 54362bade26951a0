/* The built-in issuer as core sees it: its bundle goes to whoever must know, and a bundle endpoint
 * gets its certificate. What an edge may have is fixed here, not asked for: one name. */
#include "role/core_int.h"
#include "base/clock.h"
#include "base/log.h"
#include "identity/trust.h"

#include <stdlib.h>

/* ---- who must know ---- */

static bool edges_need_trust(const struct conf *c)
{
    for (size_t i = 0; i < c->listeners_n; i++)
        if (c->listeners[i].client_ca_agents || c->listeners[i].bundle)
            return true;
    return false;
}

/* The own CAs, and those of other trust domains whose bundles are in force. Whose certificate names
 * which agent is core's to judge; at the TLS layer any of them may come in. */
static void write_anchors(const struct core *c, struct buf *out)
{
    const struct conf *conf = &c->env->conf;
    buf_put(out, buf_str(&c->bundle.roots));
    for (size_t i = 0; i < conf->issuers_n; i++) {
        if (conf->issuers[i].kind != ISSUER_SPIFFE)
            continue;
        const struct bundle *b =
            trust_bundle(c->gate.trust, conf->issuers[i].trust_domain, clock_wall_ms());
        for (size_t k = 0; b && k < bundle_x509_count(b); k++)
            buf_put(out, bundle_x509(b, k));
    }
}

void core_send_trust(struct core *c, struct chan *edge)
{
    struct buf anchors = {0};
    if (!edges_need_trust(&c->env->conf) || !buf_len(&c->bundle.jwks))
        return;
    write_anchors(c, &anchors);
    struct msg_trust m = {.anchors = buf_str(&anchors),
                          .document = buf_str(&c->bundle.jwks),
                          .sequence = c->bundle.sequence,
                          .refresh_s = c->env->conf.lives.refresh_s};
    role_send(edge, MSG_TRUST, 0, &m);
    buf_fini(&anchors);
}

void core_bundle_changed(struct core *c)
{
    for (size_t i = 0; i < CORE_EDGES_MAX; i++)
        if (c->edges[i].life)
            core_send_trust(c, c->edges[i].chan);
    core_workload_bundles(c);
}

/* ---- for administrators ---- */

static void write_keys(struct jw *w, struct arena *a, str jwks, str use)
{
    const json *root, *key;
    struct err err;
    if (!jwks.n || !json_read(a, jwks, NULL, &root, &err))
        return;
    for (struct json_iter it = json_iter(json_get(root, S("keys"))); json_next(&it, NULL, &key);) {
        str kid = json_get_str(key, S("kid"));
        jw_obj(w);
        jw_kstr(w, S("use"), use.n ? use : json_get_str(key, S("use")));
        if (kid.n)
            jw_kstr(w, S("kid"), kid);
        jw_end_obj(w);
    }
}

void core_show_issuer(void *ctx, struct jw *w)
{
    struct core *c = ctx;
    ARENA_SCOPE struct arena a = {0};
    jw_ki64(w, S("sequence"), c->bundle.sequence);
    jw_key(w, S("keys"));
    jw_arr(w);
    write_keys(w, &a, buf_str(&c->bundle.jwks), (str){0});
    write_keys(w, &a, buf_str(&c->gate.token_jwks), S("task-token"));
    write_keys(w, &a, buf_str(&c->gate.txn_jwks), S("transaction-token"));
    jw_end_arr(w);
    if (buf_len(&c->bundle.jwks)) {
        jw_key(w, S("bundle"));
        jw_raw(w, buf_str(&c->bundle.jwks));
    }
}

void core_identities_revoked(void *ctx)
{
    core_workload_recheck(ctx);
}

/* ---- the SVID of a bundle endpoint ---- */

struct endpoint_svid {
    struct core *core;
    uint32_t life, listener;
};

static void on_endpoint_svid(void *arg, str chain, int64_t not_after_s, str why)
{
    struct endpoint_svid *s = arg;
    struct msg_svid m = {.listener = s->listener, .chain = chain, .not_after_s = not_after_s};
    for (size_t i = 0; i < CORE_EDGES_MAX; i++) {
        struct core_edge *e = &s->core->edges[i];
        if (!e->life || e->life != s->life)
            continue;
        e->svid_waits &= ~(UINT32_C(1) << s->listener);
        role_send(e->chan, MSG_SVID, 0, &m);
    }
    if (!chain.n)
        log_warn("no certificate for the bundle endpoint", LOG_STR("why", why));
    free(s);
}

bool core_on_svid_wanted(struct core *c, uint32_t life, const struct msg_svid_wanted *m,
                         struct err *err)
{
    const struct conf *conf = &c->env->conf;
    struct core_edge *edge = NULL;
    for (size_t i = 0; i < CORE_EDGES_MAX; i++)
        if (c->edges[i].life && c->edges[i].life == life)
            edge = &c->edges[i];
    if (!edge || m->listener >= conf->listeners_n ||
        conf->listeners[m->listener].bundle != BUNDLE_SPIFFE)
        return err_denied(err, "a certificate for a listener that has none");
    if (m->listener >= 32 || edge->svid_waits & UINT32_C(1) << m->listener)
        return err_denied(err, "a certificate is asked for while one is on its way");
    struct endpoint_svid *s = malloc(sizeof *s);
    if (!s)
        abort();
    *s = (struct endpoint_svid){c, life, m->listener};
    edge->svid_waits |= UINT32_C(1) << m->listener;
    ARENA_SCOPE struct arena a = {0};
    core_sign_x509(c, str_fmt(&a, "spiffe://%.*s" CORE_BUNDLE_PATH, STR(conf->trust_domain)),
                   m->spki, conf->lives.x509_s, on_endpoint_svid, s);
    return true;
}
