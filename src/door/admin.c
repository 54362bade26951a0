/* The table of methods, who may use each, and who a connection is. */
#include "door/admin_int.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/limits.h"
#include "base/log.h"
#include "crypto/key.h"
#include "store/read.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ANYBODY = 0,
    ANY_PERSON = ROLE_OWNER | ROLE_APPROVER | ROLE_REVIEWER | ROLE_AUDITOR | ROLE_ADMINISTRATOR
};

enum door { CONTROL = 0, BOTH, PORTAL };

static const struct {
    const char *name;
    unsigned roles; /* one of these; ANYBODY: no question asked */
    handler *fn;
    enum door door; /* what the portal may ask changes nothing, narrows, or is signed */
} METHODS[] = {
    {"login", ANYBODY, on_login},
    {"status", ANYBODY, on_status},
    {"task.open", ROLE_OWNER, on_task_open},
    {"task.list", ANY_PERSON, on_task_list, BOTH},
    {"task.show", ANY_PERSON, on_task_show, BOTH},
    {"task.close", ROLE_OWNER | ROLE_ADMINISTRATOR, on_task_close, BOTH},
    {"task.token", ROLE_OWNER, on_task_token},
    /* tasks and agents: who may is a policy (admin_state.c) */
    {"task.suspend", ROLE_OWNER | ROLE_ADMINISTRATOR, on_task_suspend},
    {"task.resume", ROLE_OWNER | ROLE_ADMINISTRATOR, on_task_resume},
    {"task.history", ANY_PERSON, on_task_history},
    {"agent.list", ANY_PERSON, on_agent_list},
    {"agent.show", ANY_PERSON, on_agent_show},
    {"agent.suspend", ROLE_OWNER | ROLE_ADMINISTRATOR, on_agent_suspend},
    {"agent.resume", ROLE_OWNER | ROLE_ADMINISTRATOR, on_agent_resume},
    {"task.receipt", ANY_PERSON, on_task_receipt, BOTH},
    {"revoke", ROLE_OWNER | ROLE_ADMINISTRATOR, on_revoke},
    {"hold.list", ANY_PERSON, on_hold_list, BOTH},
    {"hold.show", ANY_PERSON, on_hold_show, BOTH},
    {"hold.approve", ANY_PERSON, on_hold_approve, BOTH},
    {"hold.deny", ANY_PERSON, on_hold_deny, BOTH},
    {"trace", ANY_PERSON, on_trace},
    {"explain", ANY_PERSON, on_explain},
    {"tools", ANY_PERSON, on_tools},
    {"policy", ANY_PERSON, on_policy},
    {"pin.list", ANY_PERSON, on_pin_list},
    {"pin.show", ANY_PERSON, on_pin_show},
    {"pin.accept", ROLE_ADMINISTRATOR, on_pin_accept},
    {"discover", ROLE_ADMINISTRATOR, on_discover},
    {"operator.add", ROLE_ADMINISTRATOR, on_operator_add},
    {"operator.remove", ROLE_ADMINISTRATOR, on_operator_remove},
    {"operator.list", ANY_PERSON, on_operator_list},
    {"identity.issuers", ANY_PERSON, on_identity_issuers},
    {"secrets.changed", ROLE_ADMINISTRATOR, on_secrets_changed},
    {"identity.show", ANY_PERSON, on_identity_show},
    {"identity.rotate", ROLE_ADMINISTRATOR, on_identity_rotate},
    {"identity.revoke", ROLE_ADMINISTRATOR, on_identity_revoke},
    {"identity.lift", ROLE_ADMINISTRATOR, on_identity_lift},
    /* people */
    {"evidence", ANY_PERSON, on_evidence, BOTH},
    {"person.list", ANY_PERSON, on_person_list},
    {"person.show", ANY_PERSON, on_person_show},
    {"person.invite", ROLE_ADMINISTRATOR, on_person_invite},
    {"person.revoke", ROLE_ADMINISTRATOR, on_person_revoke},
    {"session.show", ANYBODY, on_session_show, PORTAL},
    {"session.end", ANYBODY, on_session_end, PORTAL},
    {"signin.begin", ANYBODY, on_sign_in_begin, PORTAL},
    {"signin.finish", ANYBODY, on_sign_in_finish, PORTAL},
    {"oidc.begin", ANYBODY, on_oidc_begin, PORTAL},
    {"oidc.finish", ANYBODY, on_oidc_finish, PORTAL},
    {"enrol.begin", ANYBODY, on_enrol_begin, PORTAL},
    {"enrol.finish", ANYBODY, on_enrol_finish, PORTAL},
    {"authorize.begin", ANYBODY, on_authorize_begin, PORTAL},
    {"consent.show", ANY_PERSON, on_consent_show, PORTAL},
    {"consent.decide", ROLE_OWNER, on_consent_decide, PORTAL},
};

/* ---- answers ---- */

static void send_line(struct admin *ad, uint64_t conn, str id, str name, str value)
{
    struct buf b = {.max = HTTP_ANSWER_BYTES_MAX};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_key(&w, S("id"));
    jw_raw(&w, id.n ? id : S("null"));
    jw_key(&w, name);
    jw_raw(&w, value);
    jw_end_obj(&w);
    buf_putc(&b, '\n');
    ad->out.reply(ad->out.ctx, conn, buf_str(&b));
    buf_fini(&b);
}

static void send_error(struct admin *ad, uint64_t conn, str id, const char *code, str message)
{
    struct buf b = {0};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_kstr(&w, S("code"), str_z(code));
    jw_kstr(&w, S("message"), message);
    jw_end_obj(&w);
    send_line(ad, conn, id, S("error"), buf_str(&b));
    buf_fini(&b);
}

static const char *code_of(enum err_kind kind)
{
    static const char *const codes[] = {
        [ERR_NONE] = "error",         [ERR_INPUT] = "input", [ERR_DENIED] = "denied",
        [ERR_LIMIT] = "limit",        [ERR_PEER] = "peer",   [ERR_SYSTEM] = "system",
        [ERR_NOTFOUND] = "not_found",
    };
    return codes[kind];
}

void answer_error(struct request *r, const struct err *err)
{
    send_error(r->ad, r->peer->conn, r->id, code_of(err->kind), str_z(err->text));
}

void answer_text(struct request *r, str result_json)
{
    send_line(r->ad, r->peer->conn, r->id, S("result"), result_json);
}

struct later *later_new(struct request *r, void *arg)
{
    struct later *l = calloc(1, sizeof *l);
    if (!l)
        abort();
    *l = (struct later){.ad = r->ad, .conn = r->peer->conn, .arg = arg};
    memcpy(l->id, r->id.p, r->id.n < sizeof l->id ? r->id.n : 0);
    return l;
}

void later_error(struct later *l, const char *code, str message)
{
    send_error(l->ad, l->conn, str_z(l->id), code, message);
}

void later_text(struct later *l, str result_json)
{
    send_line(l->ad, l->conn, str_z(l->id), S("result"), result_json);
}

str asker_method(const struct request *r)
{
    if (r->peer->session)
        return sign_in_name(r->peer->session->method);
    return r->peer->by_key ? S("key") : S("uid");
}

str who_is(struct request *r)
{
    if (r->peer->person)
        return r->peer->person->name;
    if (r->peer->portal)
        return S("portal");
    return str_fmt(r->a, "uid:%lld", (long long)r->peer->uid);
}

bool param_str(struct request *r, str name, str *out, struct err *err)
{
    str s = json_get_str(r->params, name);
    if (s.n == 0 || str_find_char(s, 0, 0) >= 0)
        return err_input(err, "\"%.*s\" must be given", STR(name));
    *out = s;
    return true;
}

/* ---- who a connection is ---- */

void admin_greet(struct admin *ad, uint64_t conn, int64_t uid, struct admin_peer *out,
                 struct buf *greeting)
{
    ARENA_SCOPE struct arena a = {0};
    *out = (struct admin_peer){.conn = conn, .uid = uid};
    rand_bytes(out->nonce, sizeof out->nonce);
    const struct conf *c = ad->g->conf;
    for (size_t i = 0; i < c->people_n && !out->person; i++)
        if (c->people[i].uid >= 0 && c->people[i].uid == uid)
            out->person = &c->people[i];
    if (out->person)
        out->roles = out->person->roles;
    if (uid == 0 || uid == ad->own_uid)
        out->roles |= ROLE_ADMINISTRATOR;
    struct jw w = jw(greeting);
    jw_obj(&w);
    jw_kstr(&w, S("ambit"), S(AMBIT_VERSION));
    jw_kstr(&w, S("nonce"), hex_dup(&a, str_of((const char *)out->nonce, sizeof out->nonce)));
    jw_kstr(&w, S("person"), out->person ? out->person->name : (str){0});
    jw_end_obj(&w);
    buf_putc(greeting, '\n');
}

void admin_login_message(str nonce_hex, str operator_name, struct buf *out)
{
    buf_put(out, S("ambit control login v1\n"));
    buf_put(out, nonce_hex);
    buf_putc(out, '\n');
    buf_put(out, operator_name);
    buf_putc(out, '\n');
}

void admin_decision_message(str hold, const struct hash *digest, bool approve, struct buf *out)
{
    char hex[HASH_HEX_SIZE];
    buf_put(out, S("ambit decision v1\n"));
    buf_put(out, hold);
    buf_putc(out, '\n');
    buf_put(out, hash_hex(digest, hex));
    buf_put(out, approve ? S("\napprove\n") : S("\ndeny\n"));
}

void on_login(struct request *r)
{
    struct err err;
    str name, text, sig;
    struct buf message = {0};
    if (!param_str(r, S("operator"), &name, &err) || !param_str(r, S("signature"), &text, &err)) {
        answer_error(r, &err);
        return;
    }
    const struct key *key = map_get(&r->ad->operators, name);
    const struct conf_person *person = conf_person(r->g->conf, name);
    str nonce = hex_dup(r->a, str_of((const char *)r->peer->nonce, ADMIN_NONCE_LEN));
    admin_login_message(nonce, name, &message);
    bool ok = key && person && base64url_decode(r->a, text, &sig) &&
              key_verify(key, buf_str(&message), sig);
    buf_fini(&message);
    if (!ok) {
        log_warn("operator login refused", LOG_NUM("uid", r->peer->uid));
        err_denied(&err, "login refused: the operator is unknown here or the key is another one; "
                         "`ambit operator list` shows who is known");
        answer_error(r, &err);
        return;
    }
    r->peer->person = person;
    r->peer->roles = person->roles;
    r->peer->by_key = true;
    answer_text(r, S("{\"ok\":true}"));
}

/* ---- operators ---- */

static bool load_operator(void *arg, const struct store_operator *row)
{
    ARENA_SCOPE struct arena a = {0};
    struct admin *ad = arg;
    struct key *key;
    struct err err;
    str raw;
    if (base64url_decode(&a, row->public_key, &raw) && key_from_raw(KEY_ED25519, raw, &key, &err))
        key_free(map_put(&ad->operators, row->name, key));
    else
        log_warn("stored operator key is not valid", LOG_STR("operator", row->name));
    return true;
}

bool admin_init(struct admin *ad, struct gate *g, const struct admin_out *out, int64_t own_uid,
                struct err *err)
{
    *ad = (struct admin){.g = g, .out = *out, .own_uid = own_uid};
    return store_read_operators(store_view(g->store), load_operator, ad, err);
}

void admin_fini(struct admin *ad)
{
    str name;
    void *v;
    for (size_t i = 0; map_next(&ad->operators, &i, &name, &v);)
        key_free(v);
    map_fini(&ad->operators);
}

struct operator_change {
    struct later *later;
    struct key *key; /* NULL: removed */
    char name[72];
};

static void on_operator_stored(void *arg, const struct store_result *r)
{
    struct operator_change *c = arg;
    struct admin *ad = c->later->ad;
    if (r->outcome == STORE_COMMITTED) {
        key_free(c->key ? map_put(&ad->operators, str_z(c->name), c->key)
                        : map_del(&ad->operators, str_z(c->name)));
        later_text(c->later, S("{\"ok\":true}"));
    } else {
        key_free(c->key);
        later_error(c->later, "denied",
                    r->outcome == STORE_GUARDED ? S("an operator of that name exists already "
                                                    "(remove it first), or there is none to remove")
                                                : S("it could not be recorded"));
    }
    free(c->later);
    free(c);
}

static void change_operator(struct request *r, str name, str public_key, struct key *key)
{
    struct operator_change *c = calloc(1, sizeof *c);
    struct record_commitment digest;
    if (!c)
        abort();
    *c = (struct operator_change){.later = later_new(r, NULL), .key = key};
    memcpy(c->name, name.p, name.n);
    struct store_txn *t = store_txn_new(r->g->store);
    if (key)
        store_operator_insert(t, &(struct store_operator){name, public_key, r->now_ms, who_is(r)});
    else
        store_operator_delete(t, name);
    record_digest(public_key, &digest);
    struct record_operator_change rec = {.time_ms = r->now_ms,
                                         .name = name,
                                         .key = record_commitment_str(&digest),
                                         .state = key ? S("added") : S("removed"),
                                         .by = who_is(r)};
    store_leaf(t, record_operator_change(&r->g->scratch, &rec), (str){0}, (str){0});
    gate_submit(r->g, t, on_operator_stored, c);
}

void on_operator_add(struct request *r)
{
    struct err err;
    str name, text, raw;
    struct key *key = NULL;
    if (!param_str(r, S("name"), &name, &err) || !param_str(r, S("publicKey"), &text, &err)) {
        answer_error(r, &err);
        return;
    }
    if (!conf_person(r->g->conf, name))
        err_notfound(
            &err,
            "\"%.*s\" is not in the configuration's \"people\": add the person with roles first",
            STR(str_take(name, 64)));
    else if (map_get(&r->ad->operators, name))
        err_input(&err, "operator %.*s has a key already; remove it first", STR(name));
    else if (!base64url_decode(r->a, text, &raw) || !key_from_raw(KEY_ED25519, raw, &key, &err))
        err_input(&err, "publicKey must be an Ed25519 key as base64url");
    if (key)
        change_operator(r, name, text, key);
    else
        answer_error(r, &err);
}

void on_operator_remove(struct request *r)
{
    struct err err;
    str name;
    if (param_str(r, S("name"), &name, &err) && name.n <= 64)
        change_operator(r, name, (str){0}, NULL);
    else
        answer_error(r, &err);
}

void on_operator_list(struct request *r)
{
    struct buf b = {0};
    struct jw w = jw(&b);
    str name;
    void *v;
    jw_obj(&w);
    jw_key(&w, S("operators"));
    jw_arr(&w);
    for (size_t i = 0; map_next(&r->ad->operators, &i, &name, &v);)
        jw_str(&w, name);
    jw_end_arr(&w);
    jw_end_obj(&w);
    answer_text(r, buf_str(&b));
    buf_fini(&b);
}

void on_secrets_changed(struct request *r)
{
    str name = json_get_str(r->params, S("name"));
    struct record_secret_set rec = {
        .time_ms = r->now_ms, .name = conf_name_is_valid(name) ? name : S("?"), .by = who_is(r)};
    struct store_txn *t = store_txn_new(r->g->store);
    store_leaf(t, record_secret_set(&r->g->scratch, &rec), (str){0}, (str){0});
    gate_submit(r->g, t, NULL, NULL);
    r->ad->out.secrets_changed(r->ad->out.ctx);
    answer_text(r, S("{\"ok\":true}"));
}

/* ---- dispatch ---- */

static void refuse_stranger(struct request *r)
{
    struct err err;
    if (r->peer->portal) {
        send_error(r->ad, r->peer->conn, r->id, "unauthenticated",
                   S("you are not signed in, or no longer: sign in again"));
        return;
    }
    err_denied(&err,
               "uid %lld is nobody that the configuration knows: give a person this \"uid\", or "
               "log in with --as NAME --key FILE",
               (long long)r->peer->uid);
    answer_error(r, &err);
}

static void dispatch(struct request *r, str method)
{
    struct err err;
    for (size_t i = 0; i < sizeof METHODS / sizeof METHODS[0]; i++) {
        if (!str_eq(method, str_z(METHODS[i].name)) ||
            METHODS[i].door == (r->peer->portal ? CONTROL : PORTAL))
            continue;
        if (METHODS[i].roles == ANYBODY || r->peer->roles & METHODS[i].roles) {
            METHODS[i].fn(r);
            return;
        }
        if (r->peer->roles == 0) {
            refuse_stranger(r);
            return;
        }
        err_denied(&err, "%.*s does not have the role for %.*s", STR(who_is(r)), STR(method));
        answer_error(r, &err);
        return;
    }
    err_input(&err, "there is no method \"%.*s\"", STR(str_take(method, 64)));
    answer_error(r, &err);
}

void admin_line(struct admin *ad, struct admin_peer *peer, str line)
{
    ARENA_SCOPE struct arena a = {0};
    struct request r = {.ad = ad, .g = ad->g, .peer = peer, .a = &a, .now_ms = clock_wall_ms()};
    struct json_limits limits = {.bytes_max = CONTROL_LINE_BYTES_MAX, .depth_max = 16};
    struct err err;
    const json *root;
    if (!json_read(&a, line, &limits, &root, &err)) {
        answer_error(&r, &err);
        return;
    }
    const json *id = json_get(root, S("id"));
    struct buf id_text = {0};
    json_write(&id_text, id);
    r.id = str_dup(&a, buf_len(&id_text) < 60 ? buf_str(&id_text) : S("null"));
    buf_fini(&id_text);
    r.params = json_get(root, S("params"));
    dispatch(&r, json_get_str(root, S("method")));
}

void admin_portal_line(struct admin *ad, uint64_t conn, str session, str line)
{
    struct person_session *s = people_session(&ad->g->people, session, clock_wall_ms());
    struct admin_peer peer = {.conn = conn,
                              .uid = -1,
                              .portal = true,
                              .session = s,
                              .person = s ? s->person : NULL,
                              .roles = s ? s->person->roles : 0};
    admin_line(ad, &peer, line);
}
