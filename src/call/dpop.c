#include "call/dpop.h"
#include "base/hex.h"
#include "base/rand.h"
#include "crypto/jwt.h"

/* ---- proofs ---- */

static bool check_address(const struct jwt *t, const struct dpop_want *want, struct err *err)
{
    str htm, htu;
    if (!jwt_text(t->claims, S("htm"), 32, &htm, err) ||
        !jwt_text(t->claims, S("htu"), JWT_CLAIM_BYTES_MAX, &htu, err))
        return false;
    if (!htm.n || !str_eq(htm, want->htm))
        return err_denied(err, "DPoP proof: made for another method (htm)");
    for (size_t i = 0; htu.n && i < want->htu_n; i++)
        if (str_eq(htu, want->htu[i]))
            return true;
    return err_denied(err, "DPoP proof: made for another address (htu)");
}

static bool check_time(const struct jwt *t, int64_t now_s, struct err *err)
{
    if (t->iat_s < 0)
        return err_input(err, "DPoP proof: iat is missing");
    if (t->iat_s > now_s + DPOP_AHEAD_S_MAX)
        return err_denied(err, "DPoP proof: made in the future (iat)");
    if (t->iat_s <= now_s - DPOP_AGE_S_MAX)
        return err_denied(err, "DPoP proof: too old (iat)");
    if (t->exp_s >= 0 && t->exp_s <= now_s)
        return err_denied(err, "DPoP proof: expired");
    if (t->nbf_s > now_s + DPOP_AHEAD_S_MAX)
        return err_denied(err, "DPoP proof: not valid yet");
    return true;
}

static bool check_token(struct arena *a, const struct jwt *t, str token, struct err *err)
{
    str ath;
    if (!jwt_text(t->claims, S("ath"), 64, &ath, err))
        return false;
    if (!token.n)
        return !ath.n || err_denied(err, "DPoP proof: ath without a token");
    struct hash h = sha256(token);
    if (!ath.n || !str_eq_secret(ath, base64url_dup(a, hash_str(&h))))
        return err_denied(err, "DPoP proof: not for this token (ath)");
    return true;
}

static bool read_claims(struct arena *a, str payload, const struct dpop_want *want,
                        struct dpop_proof *out, struct err *err)
{
    const json *claims;
    struct jwt t = {0};
    if (!jwt_payload(a, payload, &claims, err) || !jwt_read(claims, &t, err) ||
        !check_address(&t, want, err) || !check_time(&t, want->now_s, err) ||
        !check_token(a, &t, want->token, err) ||
        !jwt_text(claims, S("nonce"), 256, &out->nonce, err))
        return false;
    if (!t.jti.n || t.jti.n > DPOP_JTI_BYTES_MAX)
        return err_input(err, "DPoP proof: jti is missing or too long");
    out->jti = t.jti;
    out->iat_s = t.iat_s;
    out->until_s = t.iat_s + DPOP_AGE_S_MAX;
    return true;
}

bool dpop_check(struct arena *a, str proof, const struct dpop_want *want, struct dpop_proof *out,
                struct err *err)
{
    struct jws jws;
    struct key *key;
    struct dpop_proof p = {.jti = {0}};
    if (proof.n > DPOP_PROOF_BYTES_MAX)
        return err_limit(err, "DPoP proof: over %d bytes", DPOP_PROOF_BYTES_MAX);
    if (!jws_verify_proof(a, proof, S("dpop+jwt"), &jws, &key, err))
        return err_in(err, "DPoP proof");
    p.jkt = key_id(key);
    key_free(key);
    if (!read_claims(a, jws.payload, want, &p, err))
        return false;
    *out = p;
    return true;
}

/* ---- nonces: base64url of slot (8 bytes, big-endian) and 16 bytes of its MAC ---- */

enum { MAC_LEN = 16, RAW_LEN = 8 + MAC_LEN };

void dpop_nonces_init(struct dpop_nonces *n)
{
    rand_bytes(n->key, sizeof n->key);
}

static struct dpop_nonce of_slot(const struct dpop_nonces *n, uint64_t slot)
{
    uint8_t raw[RAW_LEN];
    struct dpop_nonce out = {{0}};
    struct buf text = {0};
    for (size_t i = 0; i < 8; i++)
        raw[i] = (uint8_t)(slot >> (56 - 8 * i));
    struct hash mac =
        hmac_sha256(str_of((const char *)n->key, sizeof n->key), str_of((const char *)raw, 8));
    memcpy(raw + 8, mac.b, MAC_LEN);
    base64url_encode(&text, str_of((const char *)raw, RAW_LEN));
    memcpy(out.s, buf_str(&text).p, DPOP_NONCE_LEN);
    buf_fini(&text);
    return out;
}

static uint64_t slot_at(int64_t now_s)
{
    return (uint64_t)now_s / DPOP_NONCE_S;
}

struct dpop_nonce dpop_nonce_now(const struct dpop_nonces *n, int64_t now_s)
{
    return of_slot(n, slot_at(now_s));
}

static bool is_of_slot(const struct dpop_nonces *n, str nonce, uint64_t slot)
{
    struct dpop_nonce want = of_slot(n, slot);
    return str_eq_secret(nonce, str_of(want.s, DPOP_NONCE_LEN));
}

bool dpop_nonce_aging(const struct dpop_nonces *n, str nonce, int64_t now_s)
{
    return is_of_slot(n, nonce, slot_at(now_s) - 1);
}

bool dpop_nonce_good(const struct dpop_nonces *n, str nonce, int64_t now_s)
{
    return is_of_slot(n, nonce, slot_at(now_s)) || dpop_nonce_aging(n, nonce, now_s);
}
