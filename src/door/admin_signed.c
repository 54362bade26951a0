/* Signed decisions: the statement, by an operator's key or by a passkey, and what is kept of it. */
#include "base/hex.h"
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
