#include "people/authorization.h"
#include "base/hex.h"

#include <stdlib.h>

void authorizations_init(struct authorizations *as)
{
    *as = (struct authorizations){0};
    list_init(&as->by_age);
}

static void drop(struct authorizations *as, struct authorization *z)
{
    map_del(&as->by_id, id_str(&z->id));
    if (z->has_code)
        map_del(&as->by_code, hash_str(&z->code));
    list_remove(&z->node);
    arena_fini(&z->arena);
    free(z);
}

void authorizations_fini(struct authorizations *as)
{
    if (as->by_age.next)
        LIST_EACH(&as->by_age, it)
        {
            drop(as, LIST_ENTRY(it, struct authorization, node));
        }
    map_fini(&as->by_id);
    map_fini(&as->by_code);
}

static int64_t ends_ms(const struct authorization *z)
{
    return z->has_code ? z->code_expires_ms + CODE_REMEMBERED_MS : z->expires_ms;
}

void authorizations_sweep(struct authorizations *as, int64_t now_ms)
{
    LIST_EACH(&as->by_age, it)
    {
        struct authorization *z = LIST_ENTRY(it, struct authorization, node);
        if (ends_ms(z) <= now_ms)
            drop(as, z);
    }
}

/* ---- who asks, and where the browser is to go back to ---- */

static const struct conf_agent *client_of(const struct conf *conf, struct arena *a, str client_id)
{
    str prefix = str_fmt(a, "spiffe://%.*s/agent/", STR(conf->trust_domain));
    str name = str_starts(client_id, prefix) ? str_skip(client_id, prefix.n) : client_id;
    const struct conf_agent *agent = conf_agent(conf, name);
    return agent && agent->redirect_uris_n ? agent : NULL;
}

/* "http://127.0.0.1:4711/back" -> "http://127.0.0.1" and "/back": native programs listen on a port
 * that they learn late (RFC 8252 section 7.3). False: no loopback address with a port. */
static bool cut_port(str uri, str *front, str *back)
{
    static const char *const hosts[] = {"http://127.0.0.1", "http://[::1]"};
    for (size_t i = 0; i < 2; i++) {
        str host = str_z(hosts[i]), rest = str_skip(uri, host.n);
        size_t n = 0;
        if (!str_starts(uri, host))
            continue;
        *front = str_take(uri, host.n);
        if (rest.n && rest.p[0] == ':')
            for (n = 1; n < rest.n && n <= 5 && rest.p[n] >= '0' && rest.p[n] <= '9';)
                n++;
        *back = str_skip(rest, n);
        return n != 1 && (!back->n || back->p[0] == '/' || back->p[0] == '?');
    }
    return false;
}

static bool same_redirect(str registered, str asked)
{
    str front, back, front2, back2;
    if (str_eq(registered, asked))
        return true;
    return cut_port(registered, &front, &back) && cut_port(asked, &front2, &back2) &&
           str_eq(front, front2) && str_eq(back, back2);
}

static bool is_registered(const struct conf_agent *agent, str uri)
{
    for (size_t i = 0; i < agent->redirect_uris_n; i++)
        if (uri.n && same_redirect(agent->redirect_uris[i], uri))
            return true;
    return false;
}

/* ---- the rest of the request ---- */

struct reading {
    const json *params;
    struct arena *a;
    struct authorization *z;
    struct authorization_refusal *no;
    struct err *err;
};

static bool tell(struct reading *r, const char *code, const char *why)
{
    r->no->code = code;
    return err_input(r->err, "%s", why);
}

static str param(const struct reading *r, const char *name)
{
    return json_get_str(r->params, str_z(name));
}

static bool is_plain(str s, size_t max)
{
    for (size_t i = 0; i < s.n; i++)
        if ((uint8_t)s.p[i] < 0x20 || (uint8_t)s.p[i] > 0x7e)
            return false;
    return s.n <= max;
}

static bool read_pkce(struct reading *r)
{
    str challenge = param(r, "code_challenge"), bytes;
    if (!str_eq(param(r, "code_challenge_method"), S("S256")))
        return tell(r, "invalid_request",
                    "code_challenge_method must be S256: a code without PKCE could be stolen");
    if (!base64url_decode(r->a, challenge, &bytes) || bytes.n != HASH_LEN)
        return tell(r, "invalid_request", "code_challenge must be a SHA-256 as base64url");
    r->z->challenge = str_dup(&r->z->arena, challenge);
    return true;
}

static bool read_small(struct reading *r)
{
    static const char *const refused[][2] = {{"request", "request_not_supported"},
                                             {"request_uri", "request_uri_not_supported"},
                                             {"registration", "registration_not_supported"}};
    str jkt = param(r, "dpop_jkt"), resource = param(r, "resource"), bytes;
    for (size_t i = 0; i < 3; i++)
        if (param(r, refused[i][0]).n)
            return tell(r, refused[i][1], "parameters stand in the request itself, nowhere else");
    if (!str_eq(param(r, "response_type"), S("code")))
        return tell(r, "unsupported_response_type", "response_type must be code");
    if (param(r, "response_mode").n && !str_eq(param(r, "response_mode"), S("query")))
        return tell(r, "invalid_request", "response_mode must be query");
    if (jkt.n && (!base64url_decode(r->a, jkt, &bytes) || bytes.n != HASH_LEN))
        return tell(r, "invalid_request", "dpop_jkt must be a key's SHA-256 thumbprint");
    if (!is_plain(resource, 1024) || str_find_char(resource, '#', 0) >= 0)
        return tell(r, "invalid_target", "resource must be a URL without a fragment");
    r->z->jkt = str_dup(&r->z->arena, jkt);
    r->z->resource = str_dup(&r->z->arena, resource);
    return true;
}

/* The object of type ambit_task, without its type, in canonical form. Its members are judged by
 * whoever makes a task of them. */
static bool keep_task(struct reading *r, const json *v)
{
    struct buf plain = {.max = AUTHORIZATION_DETAILS_BYTES_MAX}, b = plain;
    struct jw w = jw(&plain);
    const json *member, *again;
    struct err err;
    str name;
    jw_obj(&w);
    for (struct json_iter it = json_iter(v); json_next(&it, &name, &member);)
        if (!str_eq(name, S("type")))
            jw_kvalue(&w, name, member);
    jw_end_obj(&w);
    bool ok = !plain.over && json_read(r->a, buf_str(&plain), NULL, &again, &err);
    if (ok)
        json_write_canonical(&b, again);
    ok = ok && !b.over;
    r->z->task = str_dup(&r->z->arena, buf_str(&b));
    buf_fini(&plain);
    buf_fini(&b);
    return ok || tell(r, "invalid_authorization_details", "the task's description is too long");
}

static bool read_details(struct reading *r)
{
    struct json_limits limits = {
        .bytes_max = AUTHORIZATION_DETAILS_BYTES_MAX, .depth_max = 12, .values_max = 4096};
    const json *list, *v = NULL;
    struct err why;
    if (param(r, "scope").n)
        return tell(r, "invalid_scope",
                    "say what is wanted in authorization_details: a scope has no purpose, "
                    "budgets and deadline");
    if (!json_read(r->a, param(r, "authorization_details"), &limits, &list, &why))
        return tell(r, "invalid_authorization_details",
                    "authorization_details must be one strict JSON array");
    struct json_iter it = json_iter(list);
    if (json_type(list) != JSON_ARRAY || json_count(list) != 1 || !json_next(&it, NULL, &v) ||
        !str_eq(json_get_str(v, S("type")), S("ambit_task")))
        return tell(r, "invalid_authorization_details",
                    "authorization_details must hold one object of type ambit_task");
    return keep_task(r, v);
}

/* First of all the two things on which it hangs whether anything may be sent anywhere. */
static bool read_address(struct reading *r, const struct conf *conf)
{
    str uri = param(r, "redirect_uri"), state = param(r, "state"), client = param(r, "client_id");
    struct authorization *z = r->z;
    z->agent = client_of(conf, r->a, client);
    if (!z->agent)
        return err_denied(r->err, "the program that sent you here is none that this gateway knows "
                                  "as a client (\"agents\", \"client\"); nothing was granted");
    if (!is_registered(z->agent, uri))
        return err_denied(r->err,
                          "the address to which you would be sent back is none of %.*s's; nothing "
                          "was granted",
                          STR(z->agent->name));
    z->client_id = str_fmt(&z->arena, "spiffe://%.*s/agent/%.*s", STR(conf->trust_domain),
                           STR(z->agent->name));
    z->redirect_uri = str_dup(&z->arena, uri);
    r->no->redirect = str_dup(r->a, uri);
    if (!is_plain(state, AUTHORIZATION_STATE_BYTES_MAX))
        return tell(r, "invalid_request", "state must be visible ASCII of at most 512 bytes");
    z->state = str_dup(&z->arena, state);
    r->no->state = str_dup(r->a, state);
    return true;
}

bool authorization_read(struct authorizations *as, const struct conf *conf, const json *params,
                        int64_t now_ms, struct arena *a, struct authorization **out,
                        struct authorization_refusal *refusal, struct err *err)
{
    struct authorization *z = calloc(1, sizeof *z);
    struct reading r = {params, a, z, refusal, err};
    uint8_t nonce[16];
    if (!z)
        abort();
    *refusal = (struct authorization_refusal){0};
    authorizations_sweep(as, now_ms);
    bool ok = read_address(&r, conf) && read_small(&r) && read_pkce(&r) && read_details(&r);
    if (ok && map_count(&as->by_id) >= AUTHORIZATIONS_MAX)
        ok = tell(&r, "temporarily_unavailable", "too many requests wait for their owners");
    if (!ok) {
        arena_fini(&z->arena);
        free(z);
        return false;
    }
    rand_bytes(nonce, sizeof nonce);
    z->nonce = base64url_dup(&z->arena, str_of((const char *)nonce, sizeof nonce));
    z->id = id_new('r');
    z->created_ms = now_ms;
    z->expires_ms = now_ms + AUTHORIZATION_LIFE_MS;
    map_put(&as->by_id, id_str(&z->id), z);
    list_append(&as->by_age, &z->node);
    *out = z;
    return true;
}

struct authorization *authorization_find(const struct authorizations *as, str id, int64_t now_ms,
                                         struct err *err)
{
    struct authorization *z = map_get(&as->by_id, id);
    if (z && !z->decided && z->expires_ms > now_ms)
        return z;
    err_notfound(err, "this request was decided, is older than 10 minutes or never was; go back to "
                      "the program and start again");
    return NULL;
}

/* ---- deciding ---- */

/* Everything the code will be good for, in one line of canonical JSON. */
void authorization_statement(const struct authorization *z, bool consent, struct buf *out)
{
    struct jw w = jw(out);
    buf_put(out, S("ambit consent v1\n"));
    jw_obj(&w);
    jw_kstr(&w, S("agent"), z->agent->name);
    jw_kstr(&w, S("client"), z->client_id);
    jw_kstr(&w, S("codeChallenge"), z->challenge);
    jw_kstr(&w, S("decision"), consent ? S("consent") : S("decline"));
    jw_ki64(&w, S("expires"), z->expires_ms);
    jw_kstr(&w, S("jkt"), z->jkt);
    jw_kstr(&w, S("nonce"), z->nonce);
    jw_kstr(&w, S("owner"), z->agent->owner);
    jw_kstr(&w, S("redirectUri"), z->redirect_uri);
    jw_kstr(&w, S("request"), id_str(&z->id));
    jw_kstr(&w, S("resource"), z->resource);
    jw_key(&w, S("task"));
    jw_raw(&w, z->task);
    jw_end_obj(&w);
    buf_putc(out, '\n');
}

void authorization_consent(struct authorizations *as, struct authorization *z, str owner,
                           int64_t now_ms, struct bearer *code)
{
    bearer_new(code, &z->code);
    z->decided = z->has_code = true;
    z->owner = str_dup(&z->arena, owner);
    z->code_expires_ms = now_ms + CODE_LIFE_MS;
    map_put(&as->by_code, hash_str(&z->code), z);
}

void authorization_decline(struct authorizations *as, struct authorization *z)
{
    drop(as, z);
}

static void put_query(struct buf *out, bool *first, const char *name, str value)
{
    buf_putc(out, *first ? '?' : '&');
    *first = false;
    buf_put(out, str_z(name));
    buf_putc(out, '=');
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (plain)
            buf_putc(out, c);
        else
            buf_printf(out, "%%%02X", (uint8_t)c);
    }
}

str authorization_redirect(struct arena *a, str redirect_uri, str state, str issuer, str code,
                           const char *error)
{
    struct buf b = {0};
    bool first = str_find_char(redirect_uri, '?', 0) < 0;
    buf_put(&b, redirect_uri);
    if (error)
        put_query(&b, &first, "error", str_z(error));
    else
        put_query(&b, &first, "code", code);
    if (state.n)
        put_query(&b, &first, "state", state);
    put_query(&b, &first, "iss", issuer);
    str out = str_dup(a, buf_str(&b));
    buf_fini(&b);
    return out;
}

/* ---- codes ---- */

static bool verifier_fits(str verifier, str challenge)
{
    struct buf b = {0};
    bool chars = verifier.n >= VERIFIER_BYTES_MIN && verifier.n <= VERIFIER_BYTES_MAX;
    for (size_t i = 0; chars && i < verifier.n; i++) {
        char c = verifier.p[i];
        chars = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                c == '-' || c == '.' || c == '_' || c == '~';
    }
    struct hash h = sha256(verifier);
    base64url_encode(&b, hash_str(&h));
    bool ok = chars && str_eq_secret(buf_str(&b), challenge);
    buf_fini(&b);
    return ok;
}

bool authorization_use(struct authorizations *as, const struct code_use *use, int64_t now_ms,
                       struct authorization **out, bool *replayed, struct err *err)
{
    *replayed = false;
    struct hash hash = sha256(use->code);
    struct authorization *z = map_get(&as->by_code, hash_str(&hash));
    if (!z)
        return err_input(err, "the code is unknown, or was used long ago");
    *out = z;
    if (z->redeemed) {
        *replayed = true;
        return err_denied(err, "the code was used before; what it opened is closed");
    }
    z->redeemed = true;
    if (z->code_expires_ms <= now_ms)
        return err_denied(err, "the code has run out (60 s)");
    if (!str_eq(use->client_id, z->client_id))
        return err_denied(err, "the code was given to another client");
    if (!str_eq(use->redirect_uri, z->redirect_uri))
        return err_denied(err, "redirect_uri is not the one of the authorization request");
    if (!verifier_fits(use->verifier, z->challenge))
        return err_denied(err, "code_verifier does not fit the code_challenge");
    if (z->jkt.n && !str_eq(use->jkt, z->jkt))
        return err_denied(err, "the code is bound to another DPoP key");
    if (z->resource.n && use->resource.n && !str_eq(use->resource, z->resource))
        return err_denied(err, "resource is not the one that was consented to");
    return true;
}
