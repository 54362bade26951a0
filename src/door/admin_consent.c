/* The authorization endpoint's half in core: what a client asks, what its owner is shown, and what
 * the owner decides. Only the portal asks these. */
#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "call/authorize.h"
#include "door/admin_int.h"

#include <stdlib.h>

static void answer_member(struct request *r, str name, str value)
{
    struct buf b = {0};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_kstr(&w, name, value);
    jw_end_obj(&w);
    answer_text(r, buf_str(&b));
    buf_fini(&b);
}

/* ---- the request of a client, brought by a browser ---- */

static void refuse_client(struct request *r, const struct authorization_refusal *no,
                          const char *code, const struct err *err)
{
    log_info("authorization request refused", LOG_ERR(err));
    if (!no->redirect.n) {
        answer_error(r, err);
        return;
    }
    answer_member(
        r, S("redirect"),
        authorization_redirect(r->a, no->redirect, no->state, r->g->conf->issuer, (str){0}, code));
}

void on_authorize_begin(struct request *r)
{
    struct err err;
    struct authorization *z;
    struct authorization_refusal no;
    struct task *t;
    if (!authorization_read(&r->g->authorizations, r->g->conf, json_get(r->params, S("query")),
                            r->now_ms, r->a, &z, &no, &err)) {
        refuse_client(r, &no, no.code, &err);
        return;
    }
    if (!authorize_task(r->g, z, r->now_ms, &t, &err)) {
        no = (struct authorization_refusal){str_dup(r->a, z->redirect_uri), str_dup(r->a, z->state),
                                            NULL};
        authorization_decline(&r->g->authorizations, z);
        refuse_client(r, &no,
                      err.kind == ERR_DENIED ? "access_denied" : "invalid_authorization_details",
                      &err);
        return;
    }
    task_free(t);
    answer_member(r, S("request"), id_str(&z->id));
}

/* ---- what the owner sees ---- */

static void write_operations(struct jw *w, const struct gate *g, const struct task *t)
{
    jw_key(w, S("operations"));
    jw_arr(w);
    for (size_t i = 0; i < t->operations_n; i++) {
        str binding, tool;
        str_cut(t->operations[i], '/', &binding, &tool);
        const struct conf_binding *b = conf_binding(g->conf, binding);
        const struct conf_operation *op = b ? conf_operation(b, tool) : NULL;
        const struct task_grant *grant =
            grants_find(t->grants->grants, t->grants->n, t->operations[i]);
        jw_obj(w);
        jw_kstr(w, S("operation"), t->operations[i]);
        jw_kstr(w, S("effect"), effect_name(op ? op->effect : EFFECT_ADMIN));
        jw_kbool(w, S("highImpact"), op ? op->high_impact : true);
        if (grant && grant->args_n) {
            jw_key(w, S("grant"));
            grant_write(w, grant);
        }
        jw_end_obj(w);
    }
    jw_end_arr(w);
}

static void write_statement(struct jw *w, const struct authorization *z)
{
    struct buf text = {0};
    authorization_statement(z, true, &text);
    jw_kstr(w, S("statement"), buf_str(&text));
    buf_fini(&text);
}

static void write_request(struct jw *w, struct gate *g, const struct authorization *z,
                          const struct task *t)
{
    char deadline[CLOCK_TEXT_SIZE], expires[CLOCK_TEXT_SIZE];
    jw_obj(w);
    jw_kstr(w, S("request"), id_str(&z->id));
    jw_kstr(w, S("agent"), z->agent->name);
    jw_kstr(w, S("agentPurpose"), z->agent->purpose);
    jw_kstr(w, S("model"), z->agent->model);
    jw_kstr(w, S("owner"), t->owner);
    jw_kstr(w, S("client"), z->client_id);
    jw_kstr(w, S("redirectUri"), z->redirect_uri);
    jw_kstr(w, S("resource"), z->resource);
    jw_kstr(w, S("purpose"), t->purpose);
    write_operations(w, g, t);
    jw_key(w, S("task"));
    jw_obj(w);
    task_wish_write(w, t);
    jw_end_obj(w);
    jw_ki64(w, S("calls"), t->calls_left);
    jw_kstr(w, S("deadline"), clock_text(t->deadline_ms, deadline));
    jw_kstr(w, S("expires"), clock_text(z->expires_ms, expires));
    jw_kbool(w, S("readOnly"), authorize_is_read_only(g, t));
    write_statement(w, z);
    jw_end_obj(w);
}

/* The request, and the task it asks for, if it is this person's to decide. */
static struct authorization *own_request(struct request *r, struct task **t, struct err *err)
{
    str id;
    struct authorization *z;
    if (!param_str(r, S("request"), &id, err) ||
        !(z = authorization_find(&r->g->authorizations, id, r->now_ms, err)))
        return NULL;
    if (!r->peer->person || !str_eq(r->peer->person->name, z->agent->owner)) {
        err_input(err, "agent %.*s is %.*s's, who alone may consent; you are signed in as %.*s",
                  STR(z->agent->name), STR(z->agent->owner), STR(who_is(r)));
        return NULL;
    }
    return authorize_task(r->g, z, r->now_ms, t, err) ? z : NULL;
}

void on_consent_show(struct request *r)
{
    struct err err;
    struct task *t = NULL;
    struct authorization *z = own_request(r, &t, &err);
    if (!z) {
        answer_error(r, &err);
        return;
    }
    struct buf b = {0};
    struct jw w = jw(&b);
    write_request(&w, r->g, z, t);
    task_free(t);
    answer_text(r, buf_str(&b));
    buf_fini(&b);
}

/* ---- what the owner decides ---- */

struct consenting {
    struct later *later;
    struct id id;
    const struct conf_person *who;
    bool consent;
    struct passkey_use use;
    int64_t now_ms;
};

static void finish(struct consenting *c, struct authorization *z)
{
    ARENA_SCOPE struct arena a = {0};
    struct gate *g = c->later->ad->g;
    struct buf b = {.wipe = true};
    struct jw w = jw(&b);
    struct bearer code = {0};
    if (c->consent)
        authorization_consent(&g->authorizations, z, c->who->name, c->now_ms, &code);
    jw_obj(&w);
    jw_kstr(&w, S("redirect"),
            authorization_redirect(&a, z->redirect_uri, z->state, g->conf->issuer,
                                   bearer_str(&code), c->consent ? NULL : "access_denied"));
    jw_end_obj(&w);
    if (!c->consent)
        authorization_decline(&g->authorizations, z);
    later_text(c->later, buf_str(&b));
    buf_wipe(&b);
    crypto_wipe(&code, sizeof code);
}

static void on_consented(void *arg, const struct store_result *res)
{
    struct consenting *c = arg;
    struct gate *g = c->later->ad->g;
    struct authorization *z = map_get(&g->authorizations.by_id, id_str(&c->id));
    if (z)
        z->decided = false;
    if (res->outcome == STORE_COMMITTED && z) {
        passkey_used(&g->people, &c->use, c->now_ms);
        finish(c, z);
    } else {
        later_error(c->later, res->outcome == STORE_FAILED ? "system" : "denied",
                    S("the decision could not be recorded, so it does not count; start again"));
    }
    free(c->later);
    free(c);
}

static void record_it(struct request *r, struct store_txn *t, const struct authorization *z,
                      const struct signed_decision *d, bool consent, const struct verdict *v)
{
    const struct person_session *s = r->peer->session;
    struct record_commitment digest;
    struct buf statement = {0};
    authorization_statement(z, consent, &statement);
    record_digest(buf_str(&statement), &digest);
    struct record_consent rec = {.time_ms = r->now_ms,
                                 .id = id_str(&z->id),
                                 .owner = r->peer->person->name,
                                 .agent = z->agent->name,
                                 .decision = consent ? S("consented") : S("declined"),
                                 .method = d->method,
                                 .digest = record_commitment_str(&digest),
                                 .assertion = d->signature,
                                 .amr = s ? str_z(s->amr) : (str){0},
                                 .acr = s ? str_z(s->acr) : (str){0},
                                 .auth_ms = s ? s->auth_ms : 0,
                                 .policy = v->policies_n ? gate_policy(r->g, v)
                                                         : (struct record_policy){0}};
    store_leaf(t, record_consent(&r->g->scratch, &rec), (str){0}, (str){0});
    buf_fini(&statement);
}

/* Signed by a passkey where there is one to sign; else the session's word, as far as policy lets it
 * reach. */
static bool check_consent(struct request *r, const struct authorization *z, const struct task *t,
                          struct signed_decision *d, struct verdict *v, struct err *err)
{
    struct buf statement = {0};
    bool passkey = json_get(r->params, S("assertion")) != NULL;
    authorization_statement(z, true, &statement);
    *d = (struct signed_decision){.method = asker_method(r)};
    bool ok = !passkey || decision_signed(r, str_dup(r->a, buf_str(&statement)), d, err);
    buf_fini(&statement);
    if (ok && !passkey && r->peer->session && r->peer->session->method == SIGN_IN_PASSKEY)
        return err_denied(err, "the consent must be signed with your passkey");
    return ok && authorize_may_consent(r->g, r->peer->person, r->peer->session, passkey, t,
                                       r->now_ms, r->a, v, err);
}

void on_consent_decide(struct request *r)
{
    struct err err;
    struct task *t = NULL;
    struct verdict v = {0};
    struct signed_decision d = {.method = asker_method(r)};
    bool consent = str_eq(json_get_str(r->params, S("decision")), S("consent"));
    struct authorization *z = own_request(r, &t, &err);
    bool ok = z && (!consent || check_consent(r, z, t, &d, &v, &err));
    task_free(t);
    if (!ok) {
        answer_error(r, &err);
        return;
    }
    struct consenting *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    *c = (struct consenting){.later = later_new(r, NULL),
                             .id = z->id,
                             .who = r->peer->person,
                             .consent = consent,
                             .now_ms = r->now_ms};
    if (d.by_passkey)
        passkey_use_of(&c->use, d.evidence.assertion.credential, d.counter);
    struct store_txn *txn = store_txn_new(r->g->store);
    decision_keep(r, txn, id_str(&z->id), &d);
    record_it(r, txn, z, &d, consent, &v);
    z->decided = true; /* once, while the record is on its way */
    gate_submit(r->g, txn, on_consented, c);
}
