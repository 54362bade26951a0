#include "identity/jwt_svid.h"
#include "base/hex.h"

bool jwt_svid_mint(const struct key *key, str kid, const struct spiffe_id *id, str aud,
                   int64_t now_s, int64_t life_s, struct buf *out, struct err *err)
{
    struct spiffe_id checked;
    if (!spiffe_id_parse_workload(id->text, &checked, err))
        return false;
    if (aud.n == 0 || aud.n > JWT_SVID_AUD_BYTES_MAX || !str_is_utf8(aud))
        return err_input(err, "JWT-SVID: an audience is 1 to %d bytes of UTF-8",
                         JWT_SVID_AUD_BYTES_MAX);
    if (now_s < 0 || now_s > JWT_TIME_MAX - JWT_SVID_LIFE_S || life_s < 1 ||
        life_s > JWT_SVID_LIFE_S)
        return err_input(err, "JWT-SVID: lives 1 to %d s from a sensible time", JWT_SVID_LIFE_S);
    if (kid.n == 0)
        return err_input(err, "JWT-SVID: needs a kid");
    struct buf claims = {0};
    struct jw w = jw(&claims);
    jw_obj(&w);
    jw_kstr(&w, S("aud"), aud);
    jw_ki64(&w, S("exp"), now_s + life_s);
    jw_ki64(&w, S("iat"), now_s);
    jw_kstr(&w, S("sub"), checked.text);
    jw_end_obj(&w);
    bool ok = jwt_sign(key, kid, S("JWT"), buf_str(&claims), out, err);
    buf_fini(&claims);
    return ok;
}

/* Who the token says it is for, before anything is verified: only to find the bundle that decides.
 */
static bool peek(struct arena *a, str token, struct spiffe_id *out, struct err *err)
{
    str head, rest, body, sig, payload;
    const json *claims;
    if (token.n > JWS_BYTES_MAX)
        return err_limit(err, "token over %d bytes", JWS_BYTES_MAX);
    if (!str_cut(token, '.', &head, &rest) || !str_cut(rest, '.', &body, &sig) ||
        !base64url_decode(a, body, &payload))
        return err_input(err, "not a token of three parts in base64url");
    return jwt_payload(a, payload, &claims, err) &&
           spiffe_id_parse_workload(json_get_str(claims, S("sub")), out, err);
}

static bool check_audience(const json *claims, struct err *err)
{
    const json *aud = json_get(claims, S("aud"));
    if (json_type(aud) == JSON_ARRAY && json_count(aud) != 1)
        return err_denied(err, "for several audiences, or none");
    return true;
}

static bool verify(struct arena *a, str token, const struct bundles *trusted, str aud, bool shared,
                   int64_t now_s, struct jwt_svid *out, struct err *err)
{
    struct spiffe_id id;
    if (!peek(a, token, &id, err))
        return false;
    const struct bundle *b = bundles_get(trusted, id.trust_domain);
    if (!b)
        return err_notfound(err, "no bundle of its trust domain %.*s", STR(id.trust_domain));
    const struct jwt_want want = {.typ = S("JWT|JOSE|"),
                                  .iss_any = true,
                                  .aud = aud,
                                  .aud_list = true,
                                  .now_s = now_s,
                                  .skew_s = JWT_SVID_SKEW_S};
    struct jwt t;
    if (!jwt_verify(a, token, bundle_jwt_keys(b), &want, &t, err) ||
        (!shared && !check_audience(t.claims, err)))
        return false;
    if (t.exp_s - now_s > JWT_SVID_LIFE_S_MAX + JWT_SVID_SKEW_S)
        return err_denied(err, "lives longer than %d s", JWT_SVID_LIFE_S_MAX);
    if (!str_eq(t.sub, id.text))
        return err_input(err, "sub is not one string");
    *out = (struct jwt_svid){
        .id = id, .exp_s = t.exp_s, .iat_s = t.iat_s, .kid = t.jws.kid, .claims = t.claims};
    return true;
}

bool jwt_svid_verify(struct arena *a, str token, const struct bundles *trusted, str aud,
                     int64_t now_s, struct jwt_svid *out, struct err *err)
{
    return verify(a, token, trusted, aud, false, now_s, out, err) || err_in(err, "JWT-SVID");
}

bool jwt_svid_verify_shared(struct arena *a, str token, const struct bundles *trusted, str aud,
                            int64_t now_s, struct jwt_svid *out, struct err *err)
{
    return verify(a, token, trusted, aud, true, now_s, out, err) || err_in(err, "JWT-SVID");
}
