#include "people/passkey.h"

#include <fido.h>
#include <fido/eddsa.h>
#include <fido/es256.h>
#include <fido/rs256.h>

bool passkey_registered(const struct relying_party *rp, str challenge, str authn_data,
                        str client_data, struct authn_data *out, struct err *err)
{
    return client_data_check(client_data, WEBAUTHN_CREATE, rp, challenge, err) &&
           authn_data_read(authn_data, WEBAUTHN_CREATE, rp, out, err);
}

/* ---- the signature ---- */

static int verify_with(const fido_assert_t *as, const struct cose_key *key)
{
    int rc = FIDO_ERR_INVALID_ARGUMENT;
    if (key->alg == COSE_ALG_ES256) {
        es256_pk_t *pk = es256_pk_new();
        if (pk && (rc = es256_pk_from_ptr(pk, key->raw, key->raw_n)) == FIDO_OK)
            rc = fido_assert_verify(as, 0, COSE_ES256, pk);
        es256_pk_free(&pk);
    } else if (key->alg == COSE_ALG_EDDSA) {
        eddsa_pk_t *pk = eddsa_pk_new();
        if (pk && (rc = eddsa_pk_from_ptr(pk, key->raw, key->raw_n)) == FIDO_OK)
            rc = fido_assert_verify(as, 0, COSE_EDDSA, pk);
        eddsa_pk_free(&pk);
    } else if (key->alg == COSE_ALG_RS256) {
        rs256_pk_t *pk = rs256_pk_new();
        if (pk && (rc = rs256_pk_from_ptr(pk, key->raw, key->raw_n)) == FIDO_OK)
            rc = fido_assert_verify(as, 0, COSE_RS256, pk);
        rs256_pk_free(&pk);
    }
    return rc;
}

static bool signature_ok(const char *rp_id, const struct cose_key *key, const struct assertion *as)
{
    fido_assert_t *fa = fido_assert_new();
    bool ok = fa && fido_assert_set_count(fa, 1) == FIDO_OK &&
              fido_assert_set_rp(fa, rp_id) == FIDO_OK &&
              fido_assert_set_clientdata(fa, (const unsigned char *)as->client_data.p,
                                         as->client_data.n) == FIDO_OK &&
              fido_assert_set_authdata_raw(fa, 0, (const unsigned char *)as->authn_data.p,
                                           as->authn_data.n) == FIDO_OK &&
              fido_assert_set_sig(fa, 0, (const unsigned char *)as->signature.p, as->signature.n) ==
                  FIDO_OK &&
              fido_assert_set_up(fa, FIDO_OPT_TRUE) == FIDO_OK &&
              fido_assert_set_uv(fa, FIDO_OPT_TRUE) == FIDO_OK && verify_with(fa, key) == FIDO_OK;
    fido_assert_free(&fa);
    return ok;
}

/* ---- assertions ---- */

static bool assertion_ok(const struct relying_party *rp, const struct cose_key *key, str challenge,
                         const struct assertion *as, struct authn_data *out, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    if (as->signature.n == 0 || as->signature.n > PASSKEY_SIGNATURE_BYTES_MAX)
        return err_input(err, "the passkey's signature is missing or too long");
    if (!client_data_check(as->client_data, WEBAUTHN_GET, rp, challenge, err) ||
        !authn_data_read(as->authn_data, WEBAUTHN_GET, rp, out, err))
        return false;
    return signature_ok(str_dup(&a, rp->id).p, key, as) ||
           err_denied(err, "the passkey's signature is wrong");
}

bool passkey_asserted(const struct relying_party *rp, const struct cose_key *key, uint32_t counter,
                      str challenge, const struct assertion *as, uint32_t *counter_out,
                      struct err *err)
{
    struct authn_data d;
    if (!assertion_ok(rp, key, challenge, as, &d, err))
        return false;
    if ((counter || d.counter) && d.counter <= counter)
        return err_denied(err, "the passkey's counter went backwards: there may be a copy of it; "
                               "have an administrator revoke it (`ambit person revoke`)");
    *counter_out = d.counter;
    return true;
}

str passkey_amr(str authn_data)
{
    enum { FLAGS_AT = 32, BACKUP_ELIGIBLE = 1 << 3 };
    bool copied = authn_data.n > FLAGS_AT && authn_data.p[FLAGS_AT] & BACKUP_ELIGIBLE;
    return copied ? S("swk user") : S("hwk user");
}

bool evidence_check(const struct relying_party *rp, const struct evidence *e, struct err *err)
{
    struct hash challenge = statement_challenge(e->statement);
    struct cose_key key;
    struct authn_data d;
    size_t used;
    if (!cose_key_read(e->cose, &used, &key, err))
        return false;
    return assertion_ok(rp, &key, hash_str(&challenge), &e->assertion, &d, err);
}
