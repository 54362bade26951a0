/* The state of the authorization server, and which endpoint does what. */
#include "call/oauth_int.h"
#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- state ---- */

struct oauth *oauth_new(void)
{
    struct oauth *o = calloc(1, sizeof *o);
    if (!o)
        abort();
    o->replay = replay_new(OAUTH_PROOFS_MAX);
    dpop_nonces_init(&o->nonces);
    return o;
}

void oauth_free(struct oauth *o)
{
    if (!o)
        return;
    replay_free(o->replay);
    oauth_revoked_fini(o);
    oauth_proofs_fini(o);
    free(o);
}

bool oauth_take_proof(struct oauth *o, const struct dpop_proof *proof, int64_t now_s,
                      struct challenge *c, struct err *err)
{
    c->dpop = true;
    if (!dpop_nonce_good(&o->nonces, proof->nonce, now_s)) {
        c->error = S("use_dpop_nonce");
        c->nonce = dpop_nonce_now(&o->nonces, now_s);
        return err_denied(err, "DPoP proof: put the nonce of the field DPoP-Nonce into it");
    }
    if (dpop_nonce_aging(&o->nonces, proof->nonce, now_s))
        c->nonce = dpop_nonce_now(&o->nonces, now_s);
    c->error = S("invalid_dpop_proof");
    return replay_take(o->replay, key_id_str(&proof->jkt), proof->jti, now_s, proof->until_s, err);
}

/* ---- requests ---- */

str oauth_param(const struct oauth_request *r, str name)
{
    str run = r->m->form, n, v;
    bool bad = false;
    while (unpack_str(&run, &n, &bad) && unpack_str(&run, &v, &bad))
        if (str_eq(n, name))
            return v;
    return (str){0};
}

void oauth_reply(const struct oauth_request *r, unsigned status, str body)
{
    struct buf fields = {0};
    if (r->challenge.nonce.s[0]) {
        pack_str(&fields, S("DPoP-Nonce"));
        pack_str(&fields, str_z(r->challenge.nonce.s));
    }
    struct msg_oauth_answer m = {.status = status, .body = body, .fields = buf_str(&fields)};
    r->g->out.to_edge(r->g->out.ctx, r->edge, MSG_OAUTH_ANSWER, r->id, &m);
    buf_fini(&fields);
}

bool oauth_error(const struct oauth_request *r, const char *code, const char *fmt, ...)
{
    char text[500];
    struct buf b = {0};
    struct jw w = jw(&b);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    jw_obj(&w);
    jw_kstr(&w, S("error"), str_z(code));
    jw_kstr(&w, S("error_description"), str_z(text));
    jw_end_obj(&w);
    bool who = strcmp(code, "invalid_client") == 0;
    bool away = strcmp(code, "temporarily_unavailable") == 0;
    oauth_reply(r, who ? 401 : away ? 503 : 400, buf_str(&b));
    buf_fini(&b);
    return false;
}

static void put_keys(struct oauth_request *r, struct jw *w, str set)
{
    const json *v, *key;
    struct err err;
    if (!set.n || !json_read(r->a, set, NULL, &v, &err))
        return;
    for (struct json_iter it = json_iter(json_get(v, S("keys"))); json_next(&it, NULL, &key);)
        jw_value(w, key);
}

/* Task tokens and transaction tokens have keys of their own and types that tell them apart. */
static void jwks(struct oauth_request *r)
{
    struct buf b = {0};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_key(&w, S("keys"));
    jw_arr(&w);
    put_keys(r, &w, buf_str(&r->g->token_jwks));
    put_keys(r, &w, buf_str(&r->g->txn_jwks));
    jw_end_arr(&w);
    jw_end_obj(&w);
    oauth_reply(r, 200, buf_str(&b));
    buf_fini(&b);
}

static void (*const ENDPOINTS[OAUTH_ENDPOINTS])(struct oauth_request *r) = {
    [OAUTH_TOKEN] = oauth_token,
    [OAUTH_INTROSPECT] = oauth_introspect,
    [OAUTH_REVOKE] = oauth_revoke,
    [OAUTH_JWKS] = jwks,
};

/* The edge has refused forms with a name twice; that it did is not taken on trust. */
static bool form_is_single(str form)
{
    str name, value, other, rest;
    bool bad = false;
    size_t n = 0;
    while (form.n) {
        if (!unpack_str(&form, &name, &bad) || !unpack_str(&form, &value, &bad) || ++n > 64)
            return false;
        for (rest = form; unpack_str(&rest, &other, &bad) && unpack_str(&rest, &value, &bad);)
            if (str_eq(name, other))
                return false;
    }
    return !bad;
}

void gate_oauth(struct gate *g, uint32_t edge, uint64_t request, const struct msg_oauth *m)
{
    ARENA_SCOPE struct arena a = {0};
    struct oauth_request r = {
        .g = g, .edge = edge, .id = request, .m = m, .a = &a, .now_ms = clock_wall_ms()};
    bool known = m->endpoint < OAUTH_ENDPOINTS && ENDPOINTS[m->endpoint];
    if (!known || m->proof.listener >= g->conf->listeners_n ||
        !g->conf->listeners[m->proof.listener].oauth) {
        oauth_reply(&r, 404, (str){0});
        return;
    }
    r.listener = &g->conf->listeners[m->proof.listener];
    if (!form_is_single(m->form)) {
        oauth_error(&r, "invalid_request", "a parameter comes twice");
        return;
    }
    ENDPOINTS[m->endpoint](&r);
}
