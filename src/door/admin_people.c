/* People on the control door: links and revocation for administrators, and for the portal the
 * ceremonies by which a browser comes to a session. */
#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "door/admin_int.h"

#include <stdlib.h>

static const struct {
    unsigned bit;
    const char *name;
} ROLES[] = {{ROLE_OWNER, "owner"},
             {ROLE_APPROVER, "approver"},
             {ROLE_REVIEWER, "reviewer"},
             {ROLE_AUDITOR, "auditor"},
             {ROLE_ADMINISTRATOR, "administrator"}};

static void write_roles(struct jw *w, unsigned roles)
{
    jw_key(w, S("roles"));
    jw_arr(w);
    for (size_t i = 0; i < sizeof ROLES / sizeof ROLES[0]; i++)
        if (roles & ROLES[i].bit)
            jw_str(w, str_z(ROLES[i].name));
    jw_end_arr(w);
}

static void answer_buf(struct request *r, struct buf *b)
{
    answer_text(r, buf_str(b));
    buf_fini(b);
}

/* The short name of a passkey, for people and records: the digest of its public key. */
static str passkey_name(struct record_commitment *room, str cose)
{
    record_digest(cose, room);
    return record_commitment_str(room);
}

/* ---- who there is ---- */

static void write_person(struct jw *w, const struct people *p, const struct conf_person *who)
{
    jw_obj(w);
    jw_kstr(w, S("name"), who->name);
    write_roles(w, who->roles);
    jw_ki64(w, S("passkeys"), (int64_t)people_passkeys_of(p, who));
    jw_ki64(w, S("sessions"), (int64_t)people_sessions_of(p, who));
    jw_kbool(w, S("oidc"), who->oidc_sub.n != 0);
}

void on_person_list(struct request *r)
{
    struct buf b = {0};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_key(&w, S("people"));
    jw_arr(&w);
    for (size_t i = 0; i < r->g->conf->people_n; i++) {
        write_person(&w, &r->g->people, &r->g->conf->people[i]);
        jw_end_obj(&w);
    }
    jw_end_arr(&w);
    jw_end_obj(&w);
    answer_buf(r, &b);
}

static const struct conf_person *named_person(struct request *r, struct err *err)
{
    str name;
    if (!param_str(r, S("name"), &name, err))
        return NULL;
    const struct conf_person *who = conf_person(r->g->conf, name);
    if (!who)
        err_notfound(err, "\"%.*s\" is not in the configuration's \"people\"",
                     STR(str_take(name, 64)));
    return who;
}

static void write_passkey(struct jw *w, const struct passkey *k)
{
    char added[CLOCK_TEXT_SIZE], used[CLOCK_TEXT_SIZE];
    struct record_commitment name;
    jw_obj(w);
    jw_kstr(w, S("passkey"), passkey_name(&name, k->cose));
    jw_kstr(w, S("algorithm"), str_z(cose_alg_name(k->key.alg)));
    jw_kstr(w, S("added"), clock_text(k->added_ms, added));
    if (k->used_ms)
        jw_kstr(w, S("used"), clock_text(k->used_ms, used));
    jw_ki64(w, S("counter"), k->counter);
    jw_end_obj(w);
}

static void write_session(struct jw *w, const struct person_session *s)
{
    char since[CLOCK_TEXT_SIZE], used[CLOCK_TEXT_SIZE], auth[CLOCK_TEXT_SIZE];
    jw_kstr(w, S("method"), sign_in_name(s->method));
    jw_kstr(w, S("amr"), str_z(s->amr));
    if (s->acr[0])
        jw_kstr(w, S("acr"), str_z(s->acr));
    jw_kstr(w, S("authenticated"), clock_text(s->auth_ms, auth));
    jw_kstr(w, S("since"), clock_text(s->created_ms, since));
    jw_kstr(w, S("used"), clock_text(s->used_ms, used));
}

void on_person_show(struct request *r)
{
    struct err err;
    const struct conf_person *who = named_person(r, &err);
    struct buf b = {0};
    struct jw w = jw(&b);
    str key;
    void *v;
    if (!who) {
        answer_error(r, &err);
        return;
    }
    write_person(&w, &r->g->people, who);
    jw_key(&w, S("keys"));
    jw_arr(&w);
    for (size_t i = 0; map_next(&r->g->people.passkeys, &i, &key, &v);)
        if (((struct passkey *)v)->person == who)
            write_passkey(&w, v);
    jw_end_arr(&w);
    jw_key(&w, S("signedIn"));
    jw_arr(&w);
    for (size_t i = 0; map_next(&r->g->people.sessions, &i, &key, &v);)
        if (((struct person_session *)v)->person == who) {
            jw_obj(&w);
            write_session(&w, v);
            jw_end_obj(&w);
        }
    jw_end_arr(&w);
    jw_end_obj(&w);
    answer_buf(r, &b);
}

/* ---- links and revocation ---- */

static void add_event(struct gate *g, struct store_txn *t, const struct record_person_event *rec)
{
    store_leaf(t, record_person_event(&g->scratch, rec), (str){0}, (str){0});
}

static void submit_invite(struct gate *g, const struct store_invite *row, store_done_fn *done,
                          void *arg)
{
    struct store_txn *t = store_txn_new(g->store);
    store_invite_insert(t, row);
    add_event(g, t,
              &(struct record_person_event){.time_ms = row->created_ms,
                                            .name = row->person,
                                            .state = S("invited"),
                                            .by = row->made_by});
    people_add_invite(&g->people, row); /* of no use to anybody before its URL is told */
    gate_submit(g, t, done, arg);
}

struct inviting {
    struct later *later;
    struct buf answer;
};

static void on_invited(void *arg, const struct store_result *res)
{
    struct inviting *i = arg;
    if (res->outcome == STORE_COMMITTED)
        later_text(i->later, buf_str(&i->answer));
    else
        later_error(i->later, "system", S("the link could not be recorded, so it does not work"));
    buf_wipe(&i->answer);
    free(i->later);
    free(i);
}

void on_person_invite(struct request *r)
{
    struct err err;
    struct bearer code;
    struct store_invite row;
    char expires[CLOCK_TEXT_SIZE];
    const struct conf_person *who = named_person(r, &err);
    if (!who || !people_invite(&r->g->people, r->a, who, who_is(r), r->now_ms, &code, &row, &err)) {
        answer_error(r, &err);
        return;
    }
    struct inviting *i = calloc(1, sizeof *i);
    if (!i)
        abort();
    i->later = later_new(r, NULL);
    i->answer.wipe = true;
    struct jw w = jw(&i->answer);
    jw_obj(&w);
    jw_kstr(&w, S("name"), who->name);
    jw_kstr(&w, S("url"), people_invite_url(&r->g->people, r->a, &code));
    jw_kstr(&w, S("expires"), clock_text(row.expires_ms, expires));
    jw_end_obj(&w);
    submit_invite(r->g, &row, on_invited, i);
}

bool admin_first_invite(struct admin *ad, struct arena *a, const struct conf_person *who, str *url,
                        store_done_fn *done, void *arg, struct err *err)
{
    struct bearer code;
    struct store_invite row;
    if (!people_invite(&ad->g->people, a, who, S("start"), clock_wall_ms(), &code, &row, err))
        return false;
    *url = people_invite_url(&ad->g->people, a, &code);
    submit_invite(ad->g, &row, done, arg);
    return true;
}

static void on_ok(void *arg, const struct store_result *res)
{
    struct later *l = arg;
    if (res->outcome == STORE_COMMITTED)
        later_text(l, S("{\"ok\":true}"));
    else
        later_error(l, "system", S("it could not be recorded"));
    free(l);
}

/* Memory first, so that nothing is accepted from here on. */
void on_person_revoke(struct request *r)
{
    struct err err;
    const struct conf_person *who = named_person(r, &err);
    if (!who) {
        answer_error(r, &err);
        return;
    }
    struct store_txn *t = store_txn_new(r->g->store);
    people_revoke(&r->g->people, who);
    store_person_revoke(t, who->name);
    add_event(r->g, t,
              &(struct record_person_event){
                  .time_ms = r->now_ms, .name = who->name, .state = S("revoked"), .by = who_is(r)});
    gate_submit(r->g, t, on_ok, later_new(r, NULL));
}

/* ---- sessions ---- */

void on_session_show(struct request *r)
{
    struct buf b = {0};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_kstr(&w, S("person"), r->peer->person ? r->peer->person->name : (str){0});
    if (r->peer->session) {
        write_roles(&w, r->peer->roles);
        write_session(&w, r->peer->session);
    }
    if (r->g->conf->portal.login_issuer.n)
        jw_kstr(&w, S("provider"), r->g->conf->portal.login_name);
    jw_end_obj(&w);
    answer_buf(r, &b);
}

void on_session_end(struct request *r)
{
    const struct person_session *s = r->peer->session;
    if (!s) {
        answer_text(r, S("{\"ok\":true}"));
        return;
    }
    struct store_txn *t = store_txn_new(r->g->store);
    struct hash hash = s->hash;
    store_session_delete(t, hash_str(&hash));
    add_event(r->g, t,
              &(struct record_person_event){.time_ms = r->now_ms,
                                            .name = s->person->name,
                                            .state = S("signed_out"),
                                            .method = sign_in_name(s->method)});
    people_end_session(&r->g->people, &hash);
    gate_submit(r->g, t, on_ok, later_new(r, NULL));
}

/* A sign-in or enrolment on its way to the store. */
struct coming {
    struct later *later;
    struct person_session *session;
    struct bearer id;
    struct passkey *enrolled; /* NULL: a sign-in */
    struct hash invite;
    struct passkey_use use;
    char next[NEXT_BYTES_MAX + 1];
    int64_t now_ms;
};

static void on_come(void *arg, const struct store_result *res)
{
    struct coming *c = arg;
    struct people *p = &c->later->ad->g->people;
    if (res->outcome == STORE_COMMITTED) {
        struct buf b = {.wipe = true};
        struct jw w = jw(&b);
        jw_obj(&w);
        jw_kstr(&w, S("session"), bearer_str(&c->id));
        jw_kstr(&w, S("person"), c->session->person->name);
        jw_kstr(&w, S("next"), str_z(c->next));
        jw_end_obj(&w);
        if (c->enrolled)
            people_add_passkey(p, c->enrolled, &c->invite);
        passkey_used(p, &c->use, c->now_ms);
        people_add_session(p, c->session);
        later_text(c->later, buf_str(&b));
        buf_wipe(&b);
    } else {
        passkey_free(c->enrolled);
        free(c->session);
        later_error(c->later, res->outcome == STORE_FAILED ? "system" : "denied",
                    res->outcome == STORE_FAILED
                        ? S("it could not be recorded, so it does not count")
                        : S("the link or the passkey was used meanwhile; reload the page"));
    }
    crypto_wipe(&c->id, sizeof c->id);
    free(c->later);
    free(c);
}

/* Recorded, but not so often that a flood fills the disk. */
void person_failed(struct request *r, str name, str method, const struct err *err)
{
    log_warn("sign-in refused", LOG_STR("person", name), LOG_ERR(err));
    if (people_count_failure(&r->g->people, r->now_ms)) {
        struct store_txn *t = store_txn_new(r->g->store);
        add_event(r->g, t,
                  &(struct record_person_event){.time_ms = r->now_ms,
                                                .name = name,
                                                .state = S("failed"),
                                                .method = method,
                                                .reason = S("refused")});
        gate_submit(r->g, t, NULL, NULL);
    }
    answer_error(r, err);
}

struct coming *coming_new(struct request *r, const struct conf_person *who, enum sign_in method,
                          str amr, str acr, int64_t auth_ms, struct err *err)
{
    struct coming *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->now_ms = r->now_ms;
    if (!people_session_new(&r->g->people, who, method, amr, acr, auth_ms, r->now_ms, &c->id,
                            &c->session, err)) {
        free(c);
        return NULL;
    }
    c->later = later_new(r, NULL);
    return c;
}

void coming_next(struct coming *c, const char *next)
{
    memcpy(c->next, next, strnlen(next, NEXT_BYTES_MAX));
}

void coming_submit(struct request *r, struct coming *c, struct store_txn *t, str state, str key)
{
    const struct person_session *s = c->session;
    struct store_session row = {.hash = hash_str(&s->hash),
                                .person = s->person->name,
                                .method = sign_in_name(s->method),
                                .amr = str_z(s->amr),
                                .acr = str_z(s->acr),
                                .auth_ms = s->auth_ms,
                                .created_ms = s->created_ms};
    store_session_insert(t, &row);
    add_event(r->g, t,
              &(struct record_person_event){.time_ms = r->now_ms,
                                            .name = row.person,
                                            .state = state,
                                            .method = row.method,
                                            .key = key});
    gate_submit(r->g, t, on_come, c);
}

static void answer_ceremony(struct request *r, const struct bearer *handle,
                            const struct ceremony *c)
{
    struct buf b = {.wipe = true};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_kstr(&w, S("handle"), bearer_str(handle));
    jw_kstr(&w, S("challenge"),
            base64url_dup(r->a, str_of((const char *)c->challenge, sizeof c->challenge)));
    jw_kstr(&w, S("rpId"), r->g->people.rp.id);
    if (c->person) {
        struct hash user = sha256(c->person->name); /* an opaque user handle, the same each time */
        jw_kstr(&w, S("user"), c->person->name);
        jw_kstr(&w, S("userId"), base64url_dup(r->a, hash_str(&user)));
    }
    jw_end_obj(&w);
    answer_text(r, buf_str(&b));
    buf_wipe(&b);
}

void on_sign_in_begin(struct request *r)
{
    struct err err;
    struct bearer handle;
    const struct ceremony *c;
    if (people_begin_sign_in(&r->g->people, r->now_ms, &handle, &c, &err))
        answer_ceremony(r, &handle, c);
    else
        answer_error(r, &err);
}

void on_sign_in_finish(struct request *r)
{
    struct err err;
    struct assertion as;
    struct passkey *k;
    struct coming *c;
    uint32_t counter;
    struct record_commitment name;
    if (!read_assertion(r, json_get(r->params, S("assertion")), &as, &err)) {
        answer_error(r, &err);
        return;
    }
    if (!people_finish_sign_in(&r->g->people, json_get_str(r->params, S("handle")), &as, r->now_ms,
                               &k, &counter, &err)) {
        struct passkey *claimed = people_passkey(&r->g->people, as.credential);
        person_failed(r, claimed ? claimed->person->name : (str){0}, S("passkey"), &err);
        return;
    }
    c = coming_new(r, k->person, SIGN_IN_PASSKEY, passkey_amr(as.authn_data), (str){0}, r->now_ms,
                   &err);
    if (!c) {
        answer_error(r, &err);
        return;
    }
    struct store_txn *t = store_txn_new(r->g->store);
    passkey_use_of(&c->use, as.credential, counter);
    store_passkey_use(t, as.credential, counter, r->now_ms);
    coming_submit(r, c, t, S("signed_in"), passkey_name(&name, k->cose));
}

/* ---- enrolment ---- */

void on_enrol_begin(struct request *r)
{
    struct err err;
    struct bearer handle;
    const struct ceremony *c;
    if (people_begin_enrol(&r->g->people, json_get_str(r->params, S("code")), r->now_ms, &handle,
                           &c, &err))
        answer_ceremony(r, &handle, c);
    else
        person_failed(r, (str){0}, S("link"), &err);
}

static bool read_registration(struct request *r, str *credential, str *authn_data, str *client_data,
                              struct err *err)
{
    const json *v = json_get(r->params, S("registration"));
    return (base64url_decode(r->a, json_get_str(v, S("credential")), credential) &&
            base64url_decode(r->a, json_get_str(v, S("authenticatorData")), authn_data) &&
            base64url_decode(r->a, json_get_str(v, S("clientData")), client_data)) ||
           err_input(err, "\"registration\" must have credential, authenticatorData and "
                          "clientData as base64url");
}

void on_enrol_finish(struct request *r)
{
    struct err err;
    str credential, authn_data, client_data;
    struct passkey *k;
    struct hash invite;
    struct coming *c;
    struct record_commitment name;
    if (!read_registration(r, &credential, &authn_data, &client_data, &err)) {
        answer_error(r, &err);
        return;
    }
    if (!people_finish_enrol(&r->g->people, json_get_str(r->params, S("handle")), credential,
                             authn_data, client_data, r->now_ms, &k, &invite, &err)) {
        person_failed(r, (str){0}, S("link"), &err);
        return;
    }
    c = coming_new(r, k->person, SIGN_IN_PASSKEY, passkey_amr(authn_data), (str){0}, r->now_ms,
                   &err);
    if (!c) {
        passkey_free(k);
        answer_error(r, &err);
        return;
    }
    c->enrolled = k;
    c->invite = invite;
    struct store_txn *t = store_txn_new(r->g->store);
    store_invite_use(t, hash_str(&invite), r->now_ms);
    store_passkey_insert(t, &(struct store_passkey){.credential = k->credential,
                                                    .person = k->person->name,
                                                    .public_key = k->cose,
                                                    .counter = k->counter,
                                                    .added_ms = r->now_ms});
    coming_submit(r, c, t, S("enrolled"), passkey_name(&name, k->cose));
}

/* ---- time ---- */

void admin_people_tick(struct admin *ad, int64_t now_ms)
{
    enum { TOUCHES_MAX = STORE_STEPS_MAX - 4 };
    struct people *p = &ad->g->people;
    struct store_txn *t = store_txn_new(ad->g->store);
    size_t touched = 0;
    str key;
    void *v;
    people_sweep(p, now_ms);
    authorizations_sweep(&ad->g->authorizations, now_ms);
    for (size_t i = 0; touched < TOUCHES_MAX && map_next(&p->sessions, &i, &key, &v);) {
        struct person_session *s = v;
        if (s->used_ms - s->stored_ms < SESSION_STORE_MS)
            continue;
        store_session_touch(t, hash_str(&s->hash), s->used_ms);
        s->stored_ms = s->used_ms;
        touched++;
    }
    store_people_sweep(t, now_ms - SIGNED_IN_LIFE_MS,
                       now_ms - SIGNED_IN_IDLE_MS - 2 * SESSION_STORE_MS, now_ms);
    gate_submit(ad->g, t, NULL, NULL);
}
