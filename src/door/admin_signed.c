/* Signed decisions: the statement, by an operator's key or by a passkey, and what is kept of it. */
#include "base/clock.h"
#include "base/hex.h"
#include "base/limits.h"
#include "crypto/key.h"
#include "door/admin_int.h"

static bool member_bytes(struct request *r, const json *v, str name, size_t max, str *out,
                         struct err *err)
{
    str text = json_get_str(v, name);
    if (!text.n || text.n > max * 2 || !base64url_decode(r->a, text, out) || out->n > max)
        return err_input(err, "\"%.*s\" must be 1 to %zu bytes as base64url", STR(name), max);
    return true;
}

bool read_assertion(struct request *r, const json *v, struct assertion *out, struct err *err)
{
    return member_bytes(r, v, S("credential"), WEBAUTHN_CREDENTIAL_BYTES_MAX, &out->credential,
                        err) &&
           member_bytes(r, v, S("authenticatorData"), WEBAUTHN_AUTHN_DATA_BYTES_MAX,
                        &out->authn_data, err) &&
           member_bytes(r, v, S("clientData"), WEBAUTHN_CLIENT_DATA_BYTES_MAX, &out->client_data,
                        err) &&
           member_bytes(r, v, S("signature"), PASSKEY_SIGNATURE_BYTES_MAX, &out->signature, err);
}

static bool by_operator_key(struct request *r, str statement, struct signed_decision *out,
                            struct err *err)
{
    str text = json_get_str(r->params, S("signature")), sig;
    const struct key *key = map_get(&r->ad->operators, r->peer->person->name);
    if (!key || !base64url_decode(r->a, text, &sig) || !key_verify(key, statement, sig))
        return err_denied(err,
                          "the signature is not over exactly what is decided: look at it again "
                          "with `ambit hold show`");
    *out = (struct signed_decision){.method = S("key"), .signature = text};
    return true;
}

static bool by_passkey(struct request *r, str statement, struct signed_decision *out,
                       struct err *err)
{
    struct signed_decision d = {.method = S("passkey"), .by_passkey = true};
    struct passkey *k;
    const json *v = json_get(r->params, S("assertion"));
    d.evidence.statement = statement;
    if (!v)
        return err_denied(err, "a decision made in a browser is signed with a passkey");
    if (!read_assertion(r, v, &d.evidence.assertion, err) ||
        !people_signed(&r->g->people, r->peer->person, statement, &d.evidence.assertion, &k,
                       &d.counter, err))
        return false;
    d.evidence.cose = str_dup(r->a, k->cose);
    d.signature = base64url_dup(r->a, d.evidence.assertion.signature);
    *out = d;
    return true;
}

bool decision_signed(struct request *r, str statement, struct signed_decision *out, struct err *err)
{
    if (r->peer->portal)
        return by_passkey(r, statement, out, err);
    if (r->peer->by_key)
        return by_operator_key(r, statement, out, err);
    *out = (struct signed_decision){.method = S("uid")};
    return true;
}

void decision_keep(struct request *r, struct store_txn *t, str id, const struct signed_decision *d)
{
    if (!d->by_passkey)
        return;
    const struct assertion *as = &d->evidence.assertion;
    struct store_evidence row = {.id = id,
                                 .person = r->peer->person->name,
                                 .statement = d->evidence.statement,
                                 .public_key = d->evidence.cose,
                                 .credential = as->credential,
                                 .authn_data = as->authn_data,
                                 .client_data = as->client_data,
                                 .signature = as->signature,
                                 .at_ms = r->now_ms};
    store_passkey_use(t, as->credential, d->counter, r->now_ms);
    store_evidence_insert(t, &row);
}

void passkey_use_of(struct passkey_use *u, str credential, uint32_t counter)
{
    u->counter = counter;
    u->credential_n = credential.n;
    memcpy(u->credential, credential.p, credential.n);
}

void passkey_used(struct people *p, const struct passkey_use *u, int64_t now_ms)
{
    struct passkey *k = people_passkey(p, str_of(u->credential, u->credential_n));
    if (!k)
        return;
    k->counter = u->counter > k->counter ? u->counter : k->counter;
    k->used_ms = now_ms;
}

/* ---- what was kept ---- */

struct evidence_walk {
    struct jw *w;
    struct arena *a;
};

static void put_bytes(struct evidence_walk *ew, str name, str bytes)
{
    jw_kstr(ew->w, name, base64url_dup(ew->a, bytes));
}

static bool write_evidence(void *arg, const struct store_evidence *e)
{
    struct evidence_walk *ew = arg;
    struct jw *w = ew->w;
    char at[CLOCK_TEXT_SIZE];
    jw_obj(w);
    jw_kstr(w, S("person"), e->person);
    jw_kstr(w, S("at"), clock_text(e->at_ms, at));
    jw_kstr(w, S("statement"), e->statement);
    put_bytes(ew, S("publicKey"), e->public_key);
    put_bytes(ew, S("credential"), e->credential);
    put_bytes(ew, S("authenticatorData"), e->authn_data);
    put_bytes(ew, S("clientData"), e->client_data);
    put_bytes(ew, S("signature"), e->signature);
    jw_end_obj(w);
    return true;
}

/* By the id of a hold or a consent. Everything that is needed to check it elsewhere. */
void on_evidence(struct request *r)
{
    struct err err;
    str id;
    struct buf b = {.max = HTTP_ANSWER_BYTES_MAX};
    struct jw w = jw(&b);
    struct evidence_walk ew = {&w, r->a};
    bool ok = param_str(r, S("id"), &id, &err);
    if (ok) {
        jw_obj(&w);
        jw_kstr(&w, S("id"), id);
        jw_kstr(&w, S("rpId"), r->g->people.rp.id);
        jw_kstr(&w, S("origin"), r->g->people.rp.origin);
        jw_key(&w, S("evidence"));
        jw_arr(&w);
        ok = store_read_evidence(store_view(r->g->store), id, write_evidence, &ew, &err);
        jw_end_arr(&w);
        jw_end_obj(&w);
    }
    if (ok)
        answer_text(r, buf_str(&b));
    else
        answer_error(r, &err);
    buf_fini(&b);
}
