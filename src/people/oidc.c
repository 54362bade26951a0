#include "people/oidc.h"
#include "base/hex.h"

/* ---- the provider ---- */

static bool is_endpoint(str url)
{
    static const char *const hosts[] = {"http://127.0.0.1", "http://localhost", "http://[::1]"};
    if (!str_is_visible_ascii(url) || str_find_char(url, '#', 0) >= 0 ||
        str_find_char(url, '@', 0) >= 0)
        return false;
    for (size_t i = 0; i < 3; i++) {
        str rest = str_skip(url, strlen(hosts[i]));
        if (str_starts(url, str_z(hosts[i])) && rest.n && (rest.p[0] == ':' || rest.p[0] == '/'))
            return true;
    }
    return str_starts(url, S("https://"));
}

bool oidc_provider_read(struct arena *a, str document, str issuer, struct oidc_provider *out,
                        struct err *err)
{
    const struct json_limits limits = {.bytes_max = 256 << 10, .depth_max = 8, .values_max = 4096};
    struct oidc_provider p;
    const json *root;
    if (!json_read(a, document, &limits, &root, err))
        return err_in(err, "the login provider's discovery document");
    if (!issuer.n || !str_eq(json_get_str(root, S("issuer")), issuer))
        return err_denied(err, "the discovery document is of another login provider");
    p.authorization_endpoint = json_get_str(root, S("authorization_endpoint"));
    p.token_endpoint = json_get_str(root, S("token_endpoint"));
    p.says_iss = json_bool(json_get(root, S("authorization_response_iss_parameter_supported")));
    if (!is_endpoint(p.authorization_endpoint) || !is_endpoint(p.token_endpoint))
        return err_input(err, "the login provider's endpoints are no https addresses");
    *out = p;
    return true;
}

/* ---- what is sent ---- */

static str derived(struct arena *a, const struct ceremony *c, str what)
{
    str key = str_of((const char *)c->challenge, sizeof c->challenge);
    struct hash h = hmac_sha256(key, what);
    return base64url_dup(a, hash_str(&h));
}

str oidc_state(struct arena *a, const struct ceremony *c)
{
    return derived(a, c, S("ambit oidc state v1"));
}

str oidc_nonce(struct arena *a, const struct ceremony *c)
{
    return derived(a, c, S("ambit oidc nonce v1"));
}

str oidc_verifier(struct arena *a, const struct ceremony *c)
{
    return derived(a, c, S("ambit oidc verifier v1"));
}

static void put_param(struct buf *out, const char *name, str value)
{
    char last = buf_len(out) ? buf_str(out).p[buf_len(out) - 1] : '?';
    if (last != '?' && buf_len(out))
        buf_putc(out, '&');
    buf_put(out, str_z(name));
    buf_putc(out, '=');
    for (size_t i = 0; i < value.n; i++) {
        char ch = value.p[i];
        bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                     (ch >= '0' && ch <= '9') || ch == '-' || ch == '.' || ch == '_' || ch == '~';
        if (plain)
            buf_putc(out, ch);
        else
            buf_printf(out, "%%%02X", (uint8_t)ch);
    }
}

static str taken(struct arena *a, struct buf *b)
{
    str out = str_dup(a, buf_str(b));
    buf_fini(b);
    return out;
}

static str redirect_uri(struct arena *a, const struct conf_portal *conf)
{
    return str_fmt(a, "%.*s/signin/callback", STR(conf->origin));
}

str oidc_request(struct arena *a, const struct oidc_provider *p, const struct conf_portal *conf,
                 const struct ceremony *c)
{
    struct buf b = {0};
    struct hash challenge = sha256(oidc_verifier(a, c));
    buf_put(&b, p->authorization_endpoint);
    if (str_find_char(p->authorization_endpoint, '?', 0) < 0)
        buf_putc(&b, '?');
    put_param(&b, "response_type", S("code"));
    put_param(&b, "client_id", conf->login_client);
    put_param(&b, "redirect_uri", redirect_uri(a, conf));
    put_param(&b, "scope", S("openid"));
    put_param(&b, "state", oidc_state(a, c));
    put_param(&b, "nonce", oidc_nonce(a, c));
    put_param(&b, "code_challenge", base64url_dup(a, hash_str(&challenge)));
    put_param(&b, "code_challenge_method", S("S256"));
    if (conf->login_max_age_s)
        put_param(&b, "max_age", str_fmt(a, "%lld", (long long)conf->login_max_age_s));
    return taken(a, &b);
}

str oidc_exchange(struct arena *a, const struct conf_portal *conf, const struct ceremony *c,
                  str code)
{
    struct buf b = {0};
    put_param(&b, "grant_type", S("authorization_code"));
    put_param(&b, "code", code);
    put_param(&b, "redirect_uri", redirect_uri(a, conf));
    put_param(&b, "client_id", conf->login_client);
    put_param(&b, "code_verifier", oidc_verifier(a, c));
    return taken(a, &b);
}

/* ---- what comes back ---- */

bool oidc_answer_check(struct arena *a, const struct oidc_provider *p, str issuer,
                       const struct ceremony *c, str state, str iss, struct err *err)
{
    if (!str_eq_secret(state, oidc_state(a, c)))
        return err_denied(err, "this answer belongs to another sign-in; begin again");
    if ((iss.n || p->says_iss) && !str_eq(iss, issuer))
        return err_denied(err, "this answer comes from another login provider");
    return true;
}

bool oidc_token_read(struct arena *a, str document, str *id_token, struct err *err)
{
    const struct json_limits limits = {.bytes_max = 256 << 10, .depth_max = 8, .values_max = 1024};
    const json *root;
    struct err why;
    if (!json_read(a, document, &limits, &root, &why))
        return err_peer(err, "the login provider's answer is not strict JSON");
    *id_token = json_get_str(root, S("id_token"));
    if (!id_token->n)
        return err_denied(err, "the login provider gave no ID token%s",
                          json_get(root, S("error")) ? ": it refused the code" : "");
    return true;
}

/* One client or a list; of a list azp must say that it is us (OpenID Connect Core 3.1.3.7). */
static bool meant_for(const struct jwt *t, str client)
{
    const json *aud = json_get(t->claims, S("aud")), *azp = json_get(t->claims, S("azp"));
    bool several = json_type(aud) == JSON_ARRAY && json_count(aud) > 1;
    if (azp || several)
        return str_eq(json_str(azp), client);
    return true;
}

static bool read_amr(struct arena *a, const json *list, str *out, struct err *err)
{
    struct buf b = {.max = AMR_BYTES_MAX};
    const json *item;
    bool ok = !list || json_type(list) == JSON_ARRAY;
    for (struct json_iter it = json_iter(list); ok && json_next(&it, NULL, &item);) {
        ok = str_is_visible_ascii(json_str(item)) && json_str(item).n;
        if (buf_len(&b))
            buf_putc(&b, ' ');
        buf_put(&b, json_str(item));
    }
    ok = ok && !b.over;
    *out = str_dup(a, buf_str(&b));
    buf_fini(&b);
    return ok || err_input(err, "the ID token's amr is no short list of words");
}

bool oidc_claims_check(struct arena *a, const struct jwt *t, const struct conf_portal *conf,
                       const struct ceremony *c, int64_t now_ms, struct oidc_person *out,
                       struct err *err)
{
    struct oidc_person p = {.sub = t->sub};
    int64_t auth_s, now_s = now_ms / 1000;
    if (!str_eq_secret(json_get_str(t->claims, S("nonce")), oidc_nonce(a, c)))
        return err_denied(err, "the ID token belongs to another sign-in");
    if (!meant_for(t, conf->login_client))
        return err_denied(err, "the ID token was made for another client");
    if (!jwt_time(t->claims, S("auth_time"), &auth_s, err) ||
        !jwt_text(t->claims, S("acr"), AMR_BYTES_MAX, &p.acr, err) ||
        !read_amr(a, json_get(t->claims, S("amr")), &p.amr, err))
        return false;
    if (auth_s > now_s + OIDC_AUTH_SKEW_S)
        return err_denied(err, "the ID token says that you signed in in the future");
    if (conf->login_max_age_s &&
        (auth_s < 0 || now_s - auth_s > conf->login_max_age_s + OIDC_AUTH_SKEW_S))
        return err_denied(err, "you signed in at the login provider too long ago; sign in there "
                               "anew");
    if (!p.sub.n)
        return err_input(err, "the ID token names nobody");
    p.auth_ms = auth_s < 0 ? now_ms : auth_s * 1000;
    *out = p;
    return true;
}

const struct conf_person *oidc_person_find(const struct conf *conf, str sub)
{
    for (size_t i = 0; i < conf->people_n; i++) {
        const struct conf_person *p = &conf->people[i];
        if (p->oidc_sub.n && str_eq(p->oidc_issuer, conf->portal.login_issuer) &&
            str_eq(p->oidc_sub, sub))
            return p;
    }
    return NULL;
}
