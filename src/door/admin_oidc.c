/* Signing in at an OpenID provider, core's half: the browser is sent there with a challenge of ours
 * and comes back with a code, which the fetcher exchanges for an ID token. */
#include "base/clock.h"
#include "call/authorize.h"
#include "door/admin_int.h"
#include "people/oidc.h"

#include <stdlib.h>

/* A sign-in that waits for the fetcher. The request is gone by then; this is what is left of it. */
struct oidc_wait {
    struct admin *ad;
    struct ceremony ceremony;
    uint64_t conn;
    char id[64];
    char code[OIDC_CODE_BYTES_MAX];
    size_t code_n;
    char state[BEARER_TEXT];
    size_t state_n;
    char iss[512];
    size_t iss_n;
    struct oidc_provider provider;
    struct arena arena;
};

static void wait_free(struct oidc_wait *w)
{
    crypto_wipe(w->code, sizeof w->code);
    arena_fini(&w->arena);
    free(w);
}

/* The request again, for answering. */
static struct request request_of(struct oidc_wait *w, struct admin_peer *peer)
{
    *peer = (struct admin_peer){.conn = w->conn, .uid = -1, .portal = true};
    return (struct request){.ad = w->ad,
                            .g = w->ad->g,
                            .peer = peer,
                            .id = str_z(w->id),
                            .a = &w->arena,
                            .now_ms = clock_wall_ms()};
}

static struct oidc_wait *wait_new(struct request *r, const struct ceremony *c)
{
    struct oidc_wait *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->ad = r->ad;
    w->conn = r->peer->conn;
    w->ceremony = *c;
    memcpy(w->id, r->id.p, r->id.n < sizeof w->id ? r->id.n : 0);
    return w;
}

static void fail(struct oidc_wait *w, const struct err *err)
{
    struct admin_peer peer;
    struct request r = request_of(w, &peer);
    person_failed(&r, (str){0}, S("oidc"), err);
    wait_free(w);
}

static const struct conf_issuer *login_issuer(const struct conf *conf)
{
    return conf->portal.login_issuer.n ? conf_issuer(conf, conf->portal.login_issuer) : NULL;
}

static bool discovered(struct oidc_wait *w, uint32_t status, str document, str why, struct err *err)
{
    const struct conf_issuer *issuer = login_issuer(w->ad->g->conf);
    if (why.n || status != 200)
        return err_peer(err, "the login provider cannot be reached; try again");
    return oidc_provider_read(&w->arena, document, issuer->url, &w->provider, err);
}

/* ---- to the provider ---- */

static void on_discovered(void *arg, uint32_t status, str document, str why)
{
    struct oidc_wait *w = arg;
    struct admin_peer peer;
    struct err err;
    struct buf b = {0};
    struct jw out = jw(&b);
    if (!discovered(w, status, document, why, &err)) {
        fail(w, &err);
        return;
    }
    struct request r = request_of(w, &peer);
    jw_obj(&out);
    jw_kstr(&out, S("redirect"),
            oidc_request(&w->arena, &w->provider, &w->ad->g->conf->portal, &w->ceremony));
    jw_kstr(&out, S("handle"), bearer_str(&w->ceremony.handle));
    jw_end_obj(&out);
    answer_text(&r, buf_str(&b));
    buf_fini(&b);
    wait_free(w);
}

void on_oidc_begin(struct request *r)
{
    struct err err;
    const struct ceremony *c;
    const struct conf_issuer *issuer = login_issuer(r->g->conf);
    if (!issuer) {
        err_input(&err, "no login provider is configured (\"portal\", \"login\")");
        answer_error(r, &err);
        return;
    }
    if (!people_begin_oidc(&r->g->people, json_get_str(r->params, S("next")), r->now_ms, &c,
                           &err)) {
        answer_error(r, &err);
        return;
    }
    r->ad->out.fetch(r->ad->out.ctx, issuer->name, FETCH_GET, issuer->location, (str){0},
                     on_discovered, wait_new(r, c));
}

/* ---- and back ---- */

static bool believe(struct oidc_wait *w, str document, struct oidc_person *who,
                    const struct conf_person **person, struct err *err)
{
    const struct conf *conf = w->ad->g->conf;
    str token;
    struct jwt jwt;
    int64_t now_ms = clock_wall_ms();
    if (!oidc_token_read(&w->arena, document, &token, err) ||
        !trust_verify_oidc(w->ad->g->trust, &w->arena, token, login_issuer(conf)->url,
                           &conf->portal.login_client, 1, now_ms, &jwt, err) ||
        !oidc_claims_check(&w->arena, &jwt, &conf->portal, &w->ceremony, now_ms, who, err))
        return false;
    *person = oidc_person_find(conf, who->sub);
    return *person || err_denied(err, "the login provider knows you, but this gateway does not: "
                                      "an administrator adds \"oidc\" to a person of its "
                                      "configuration");
}

static void on_exchanged(void *arg, uint32_t status, str document, str why)
{
    struct oidc_wait *w = arg;
    struct admin_peer peer;
    struct err err;
    struct oidc_person who;
    const struct conf_person *person;
    (void)status; /* what it says is in the document */
    if (why.n) {
        err_peer(&err, "the login provider cannot be reached; try again");
        fail(w, &err);
        return;
    }
    if (!believe(w, document, &who, &person, &err)) {
        fail(w, &err);
        return;
    }
    struct request r = request_of(w, &peer);
    struct coming *c = coming_new(&r, person, SIGN_IN_OIDC, who.amr, who.acr, who.auth_ms, &err);
    if (c) {
        coming_next(c, w->ceremony.next);
        coming_submit(&r, c, store_txn_new(w->ad->g->store), S("signed_in"), (str){0});
    } else {
        answer_error(&r, &err);
    }
    wait_free(w);
}

static void on_discovered_again(void *arg, uint32_t status, str document, str why)
{
    struct oidc_wait *w = arg;
    struct err err;
    const struct conf *conf = w->ad->g->conf;
    const struct conf_issuer *issuer = login_issuer(conf);
    if (!discovered(w, status, document, why, &err) ||
        !oidc_answer_check(&w->arena, &w->provider, issuer->url, &w->ceremony,
                           str_of(w->state, w->state_n), str_of(w->iss, w->iss_n), &err)) {
        fail(w, &err);
        return;
    }
    w->ad->out.fetch(
        w->ad->out.ctx, issuer->name, FETCH_POST, w->provider.token_endpoint,
        oidc_exchange(&w->arena, &conf->portal, &w->ceremony, str_of(w->code, w->code_n)),
        on_exchanged, w);
}

static bool keep(char *to, size_t room, size_t *n, str s)
{
    if (s.n > room)
        return false;
    memcpy(to, s.n ? s.p : "", s.n);
    *n = s.n;
    return true;
}

void on_oidc_finish(struct request *r)
{
    struct err err;
    struct ceremony c;
    const struct conf_issuer *issuer = login_issuer(r->g->conf);
    str code = json_get_str(r->params, S("code"));
    if (!issuer || !people_take_oidc(&r->g->people, json_get_str(r->params, S("handle")), r->now_ms,
                                     &c, &err)) {
        if (!issuer)
            err_input(&err, "no login provider is configured (\"portal\", \"login\")");
        person_failed(r, (str){0}, S("oidc"), &err);
        return;
    }
    struct oidc_wait *w = wait_new(r, &c);
    bool ok = code.n && keep(w->code, sizeof w->code, &w->code_n, code) &&
              keep(w->state, sizeof w->state, &w->state_n, json_get_str(r->params, S("state"))) &&
              keep(w->iss, sizeof w->iss, &w->iss_n, json_get_str(r->params, S("iss")));
    if (!ok) {
        err_denied(&err, "the login provider did not sign you in");
        fail(w, &err);
        return;
    }
    r->ad->out.fetch(r->ad->out.ctx, issuer->name, FETCH_GET, issuer->location, (str){0},
                     on_discovered_again, w);
}
