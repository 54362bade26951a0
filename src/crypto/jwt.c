#include "crypto/jwt.h"

bool jwt_time(const json *claims, str name, int64_t *out_s, struct err *err)
{
    const json *v = json_get(claims, name);
    int64_t t = -1;
    if (v && (!json_i64(v, &t) || t < 0 || t > JWT_TIME_MAX))
        return err_input(err, "claim %.*s is not a time in whole seconds", STR(name));
    *out_s = t;
    return true;
}

bool jwt_text(const json *claims, str name, size_t max, str *out, struct err *err)
{
    const json *v = json_get(claims, name);
    str s = json_str(v);
    if (v && (json_type(v) != JSON_STRING || s.n == 0 || s.n > max))
        return err_input(err, "claim %.*s is not a string of 1 to %zu bytes", STR(name), max);
    *out = v ? s : (str){0};
    return true;
}

static bool jwt_object(const json *claims, str name, enum json_type type, const json **out,
                       struct err *err)
{
    const json *v = json_get(claims, name);
    if (v && json_type(v) != type)
        return err_input(err, "claim %.*s is not %s", STR(name), json_type_name(type));
    *out = v;
    return true;
}

bool jwt_read(const json *claims, struct jwt *out, struct err *err)
{
    if (json_type(claims) != JSON_OBJECT)
        return err_input(err, "claims are not an object");
    struct jwt t = {.claims = claims, .jws = out->jws};
    const json *aud = json_get(claims, S("aud"));
    if (!jwt_time(claims, S("exp"), &t.exp_s, err) || !jwt_time(claims, S("nbf"), &t.nbf_s, err) ||
        !jwt_time(claims, S("iat"), &t.iat_s, err) ||
        !jwt_text(claims, S("iss"), JWT_CLAIM_BYTES_MAX, &t.iss, err) ||
        !jwt_text(claims, S("sub"), JWT_CLAIM_BYTES_MAX, &t.sub, err) ||
        !jwt_text(claims, S("client_id"), JWT_CLAIM_BYTES_MAX, &t.client_id, err) ||
        !jwt_text(claims, S("jti"), JWT_JTI_BYTES_MAX, &t.jti, err) ||
        !jwt_object(claims, S("act"), JSON_OBJECT, &t.act, err) ||
        !jwt_object(claims, S("cnf"), JSON_OBJECT, &t.cnf, err) ||
        !jwt_object(claims, S("task"), JSON_OBJECT, &t.task, err) ||
        !jwt_object(claims, S("authorization_details"), JSON_ARRAY, &t.authorization_details, err))
        return false;
    if (json_type(aud) == JSON_STRING &&
        !jwt_text(claims, S("aud"), JWT_CLAIM_BYTES_MAX, &t.aud, err))
        return false;
    *out = t;
    return true;
}

static bool check_times(const struct jwt *t, const struct jwt_want *want, struct err *err)
{
    if (want->skew_s < 0 || want->skew_s > JWT_SKEW_S_MAX || want->now_s < JWT_SKEW_S_MAX ||
        want->now_s > JWT_TIME_MAX)
        return err_input(err, "no sensible time to judge a token by");
    if (t->exp_s < 0)
        return err_input(err, "claim exp is missing");
    if (want->now_s - want->skew_s >= t->exp_s)
        return err_denied(err, "token: expired");
    if (t->nbf_s > want->now_s + want->skew_s)
        return err_denied(err, "token: not valid yet");
    if (t->iat_s > want->now_s + want->skew_s)
        return err_denied(err, "token: issued in the future");
    if (want->life_s_max < 0 ||
        (want->life_s_max && (t->iat_s < 0 || t->exp_s - t->iat_s > want->life_s_max)))
        return err_denied(err, "token: lives longer than allowed here");
    return true;
}

static bool list_has(const json *list, str wanted)
{
    const json *v;
    bool found = false;
    if (json_type(list) != JSON_ARRAY || json_count(list) > JWT_AUD_MAX)
        return false;
    for (struct json_iter it = json_iter(list); json_next(&it, NULL, &v);) {
        if (json_type(v) != JSON_STRING)
            return false;
        found |= str_eq(json_str(v), wanted);
    }
    return found;
}

static bool check_parties(const struct jwt_want *want, struct jwt *t, struct err *err)
{
    if (!want->iss_any && (want->iss.n == 0 || !str_eq(t->iss, want->iss)))
        return err_denied(err, "token: from another issuer");
    if (want->aud_any)
        return t->aud.n > 0 || err_denied(err, "token: for no one audience");
    bool here = want->aud.n && str_eq(t->aud, want->aud);
    if (!here && want->aud_list && want->aud.n)
        here = list_has(json_get(t->claims, S("aud")), want->aud);
    if (!here)
        return err_denied(err, "token: for another audience");
    t->aud = want->aud;
    return true;
}

bool jwt_check(const json *claims, const struct jwt_want *want, struct jwt *out, struct err *err)
{
    struct jwt t = {.jws = out->jws};
    if (!jwt_read(claims, &t, err) || !check_times(&t, want, err) || !check_parties(want, &t, err))
        return false;
    *out = t;
    return true;
}

bool jwt_payload(struct arena *a, str payload, const json **claims, struct err *err)
{
    const struct json_limits limits = {
        .bytes_max = JWS_BYTES_MAX, .depth_max = JWS_DEPTH_MAX, .values_max = 2048};
    const json *v;
    if (!json_read(a, payload, &limits, &v, err))
        return err_in(err, "token claims");
    if (json_type(v) != JSON_OBJECT)
        return err_input(err, "token claims: not an object");
    *claims = v;
    return true;
}

bool jwt_verify(struct arena *a, str token, const struct keyset *set, const struct jwt_want *want,
                struct jwt *out, struct err *err)
{
    struct jwt t = {0};
    const json *claims;
    if (!jws_verify(a, token, set, want->typ, &t.jws, err) ||
        !jwt_payload(a, t.jws.payload, &claims, err) || !jwt_check(claims, want, &t, err))
        return false;
    *out = t;
    return true;
}

bool jwt_sign(const struct key *key, str kid, str typ, str claims_json, struct buf *out,
              struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    const json *claims;
    return jwt_payload(&a, claims_json, &claims, err) &&
           jws_sign(key, kid, typ, claims_json, out, err);
}
