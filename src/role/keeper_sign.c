#include "role/keeper_sign.h"
#include "base/limits.h"
#include "identity/jwt_svid.h"

enum { IAT_SKEW_S = 60 };

struct rule {
    const char *typ;
    enum ca_kind key;
    const char *what;
    bool adds_iss;
    const char *const *only; /* members that may be there; NULL: any */
    bool (*check)(const struct keeper_keys *k, const json *claims, struct err *err);
};

/* ---- names ---- */

static bool check_name(const struct keeper_keys *k, str text, struct err *err)
{
    struct spiffe_id id;
    if (!spiffe_id_parse_workload(text, &id, err))
        return false;
    if (!str_eq(id.trust_domain, k->trust_domain))
        return err_denied(err, "a SPIFFE ID of another trust domain");
    if (!str_starts(id.path, S("/agent/")) && !str_starts(id.path, S("/ambit/")))
        return err_denied(err, "a SPIFFE ID that is neither below /agent/ nor below /ambit/");
    return true;
}

static bool is_text(const json *claims, const char *name)
{
    return json_get_str(claims, str_z(name)).n > 0;
}

/* ---- claims of each kind ---- */

static bool is_below(str url, str base)
{
    return base.n && str_starts(url, base) && url.n >= base.n + 2 && url.p[base.n] == '/';
}

static bool check_task(const struct keeper_keys *k, const json *claims, struct err *err)
{
    str issuer = buf_str(&k->issuer), aud = json_get_str(claims, S("aud"));
    bool ours = is_below(aud, issuer);
    for (size_t i = 0; k->conf && i < k->conf->listeners_n; i++)
        ours |= is_below(aud, k->conf->listeners[i].url);
    if (!ours)
        return err_denied(err,
                          "a task token is for a resource of this gateway only: its audience "
                          "must begin with %.*s/",
                          STR(issuer));
    return true;
}

static bool check_txn(const struct keeper_keys *k, const json *claims, struct err *err)
{
    static const char *const needed[] = {"txn", "sub", "scope", "req_wl"};
    int64_t iat_s;
    if (!str_eq(json_get_str(claims, S("aud")), k->trust_domain))
        return err_denied(err, "the audience of a transaction token is the trust domain");
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (!is_text(claims, needed[i]))
            return err_input(err, "a transaction token needs %s", needed[i]);
    if (!json_get(claims, S("iat")) || !jwt_time(claims, S("iat"), &iat_s, err))
        return err_input(err, "a transaction token needs iat");
    return true;
}

static bool check_audience(str aud, struct err *err)
{
    if (aud.n == 0 || aud.n > JWT_SVID_AUD_BYTES_MAX)
        return err_input(err, "an audience is 1 to %d bytes", JWT_SVID_AUD_BYTES_MAX);
    return true;
}

static bool check_jwt_svid(const struct keeper_keys *k, const json *claims, struct err *err)
{
    const json *aud = json_get(claims, S("aud")), *one;
    if (json_type(aud) == JSON_ARRAY) {
        if (json_count(aud) == 0 || json_count(aud) > JWT_AUD_MAX)
            return err_input(err, "a JWT-SVID is for 1 to %d audiences", JWT_AUD_MAX);
        for (struct json_iter it = json_iter(aud); json_next(&it, NULL, &one);)
            if (!check_audience(json_str(one), err))
                return false;
    } else if (!check_audience(json_str(aud), err)) {
        return false;
    }
    return check_name(k, json_get_str(claims, S("sub")), err);
}

static bool check_wit_svid(const struct keeper_keys *k, const json *claims, struct err *err)
{
    const json *cnf = json_get(claims, S("cnf")), *jwk = json_get(cnf, S("jwk"));
    struct key *key;
    if (json_count(cnf) != 1 || !str_eq(json_get_str(jwk, S("alg")), S("ES256")))
        return err_input(err, "a WIT-SVID needs cnf with one jwk that says alg ES256");
    if (!key_from_jwk(jwk, &key, err))
        return err_in(err, "cnf");
    bool ok = key_alg(key) == KEY_ES256;
    key_free(key);
    return ok ? check_name(k, json_get_str(claims, S("sub")), err)
              : err_input(err, "cnf holds a key of another kind");
}

static const char *const JWT_SVID_ONLY[] = {"aud", "exp", "iat", "sub", NULL};
static const char *const WIT_SVID_ONLY[] = {"cnf", "exp", "iat", "jti", "sub", NULL};

static const struct rule RULES[SIGN_KINDS] = {
    [SIGN_TASK_TOKEN] = {"at+jwt", CA_TASK, "task token", true, NULL, check_task},
    [SIGN_TXN] = {"txntoken+jwt", CA_TXN, "transaction token", true, NULL, check_txn},
    [SIGN_JWT_SVID] = {"JWT", CA_TOKEN, "JWT-SVID", false, JWT_SVID_ONLY, check_jwt_svid},
    [SIGN_WIT_SVID] = {"wit+jwt", CA_WIT, "WIT-SVID", false, WIT_SVID_ONLY, check_wit_svid},
};

/* ---- what holds for all ---- */

static bool is_listed(const char *const *names, str name)
{
    for (; *names; names++)
        if (str_eq(name, str_z(*names)))
            return true;
    return false;
}

static bool check_members(const struct keeper_keys *k, const struct rule *r, const json *claims,
                          struct err *err)
{
    str name;
    const json *value;
    if (json_type(claims) != JSON_OBJECT)
        return err_input(err, "claims must be an object");
    for (struct json_iter it = json_iter(claims); json_next(&it, &name, &value);) {
        if (str_eq(name, S("iss")) &&
            !(r->adds_iss && str_eq(json_str(value), buf_str(&k->issuer))))
            return err_denied(err, "the issuer is not the caller's to say");
        if (r->only && !is_listed(r->only, name))
            return err_denied(err, "a %s has no other claims than its own", r->what);
    }
    return true;
}

static bool check_times(const struct rule *r, const struct ca_conf *lives, const json *claims,
                        int64_t now_s, int64_t *exp_s, struct err *err)
{
    int64_t iat_s, life_s = ca_signed_life_s(lives, r->key);
    if (!json_get(claims, S("exp")) || !jwt_time(claims, S("exp"), exp_s, err) ||
        !jwt_time(claims, S("iat"), &iat_s, err))
        return err_input(err, "claims must say in whole seconds when they expire");
    if (*exp_s <= now_s)
        return err_input(err, "claims have expired");
    if (*exp_s > now_s + life_s)
        return err_denied(err, "a %s may live %lld seconds at most", r->what, (long long)life_s);
    if (iat_s > now_s + IAT_SKEW_S)
        return err_input(err, "claims were issued in the future");
    return true;
}

/* The key of now; one that became due in this second is made first. */
static bool key_for(struct keeper_keys *k, enum ca_kind kind, int64_t now_s,
                    struct keyring_key *out, struct err *err)
{
    if (keyring_current(k->ring, kind, now_s, out))
        return true;
    if (!keeper_tend(k, now_s, err))
        return false;
    return keyring_current(k->ring, kind, now_s, out) ||
           err_system(err, "there is no %s", ca_kind_name(kind));
}

static void write_claims(const struct keeper_keys *k, const struct rule *r, const json *claims,
                         struct buf *out)
{
    str name;
    const json *value;
    struct jw w = jw(out);
    jw_obj(&w);
    if (r->adds_iss)
        jw_kstr(&w, S("iss"), buf_str(&k->issuer));
    for (struct json_iter it = json_iter(claims); json_next(&it, &name, &value);)
        if (!str_eq(name, S("iss")))
            jw_kvalue(&w, name, value);
    jw_end_obj(&w);
}

bool keeper_sign_jwt(struct keeper_keys *k, enum sign_kind kind, str claims, int64_t now_ms,
                     struct buf *out, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    const json *tree;
    struct keyring_key by;
    struct buf text = {.max = JWS_BYTES_MAX};
    int64_t now_s = now_ms / 1000, exp_s;
    if (kind <= SIGN_NONE || kind >= SIGN_KINDS)
        return err_input(err, "no such kind of token");
    const struct rule *r = &RULES[kind];
    if (!jwt_payload(&a, claims, &tree, err) || !check_members(k, r, tree, err) ||
        !check_times(r, &keyring_ca(k->ring)->conf, tree, now_s, &exp_s, err) ||
        !r->check(k, tree, err) || !key_for(k, r->key, now_s, &by, err))
        return false;
    if (exp_s > by.life.end_s)
        return err_denied(err, "the %s does not live that long", ca_kind_name(r->key));
    write_claims(k, r, tree, &text);
    bool ok = text.over ? err_limit(err, "the claims are too large")
                        : jws_sign(by.key, by.kid, str_z(r->typ), buf_str(&text), out, err);
    buf_fini(&text);
    return ok;
}

bool keeper_sign_x509(struct keeper_keys *k, struct arena *a, const struct msg_sign_x509 *ask,
                      int64_t now_ms, str *chain, int64_t *not_after_s, struct err *err)
{
    struct keyring_key by;
    int64_t now_s = now_ms / 1000;
    return check_name(k, ask->spiffe_id, err) && key_for(k, CA_SIGNER, now_s, &by, err) &&
           keyring_issue(k->ring, a, ask->spiffe_id, ask->spki, ask->life_s, now_s, chain,
                         not_after_s, err);
}
