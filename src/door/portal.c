/* The portal's frame: who may ask at all, which page, cookies, and the answers' fields. */
#include "base/clock.h"
#include "base/hex.h"
#include "base/limits.h"
#include "base/rand.h"
#include "crypto/hash.h"
#include "door/portal_int.h"
#include "http/url.h"
#include "portal_assets.h"

#include <stdlib.h>

enum { COOKIE_BYTES = 43, COOKIE_FIELD_BYTES_MAX = 4096 };

/* ---- routes ---- */

enum kind {
    GET = 0,
    SCRIPT, /* a POST by our own script: JSON both ways */
    FORM,   /* a POST by a form of ours */
};

static const struct {
    const char *path; /* ends with '/': a prefix, the rest is one segment */
    enum kind kind;
    page *fn;
} ROUTES[] = {
    {"/", GET, page_home},
    {"/signin", GET, page_sign_in},
    {"/signin/begin", SCRIPT, page_sign_in_begin},
    {"/signin/finish", SCRIPT, page_sign_in_finish},
    {"/signin/provider", GET, page_provider},
    {"/signin/callback", GET, page_callback},
    {"/signout", FORM, page_sign_out},
    {"/enrol", GET, page_enrol},
    {"/enrol/begin", SCRIPT, page_enrol_begin},
    {"/enrol/finish", SCRIPT, page_enrol_finish},
    {"/holds", GET, page_holds},
    {"/hold/", GET, page_hold},
    {"/decide", SCRIPT, page_decide},
    {"/tasks", GET, page_tasks},
    {"/task/close", FORM, page_close_task},
    {"/authorize", GET, page_authorize},
    {"/consent/decide", SCRIPT, page_consent_decide},
    {"/consent/", GET, page_consent},
};

static const struct {
    const char *path, *type, *text;
} ASSETS[] = {
    {"/portal.js", "text/javascript; charset=utf-8", PORTAL_JS},
    {"/portal.css", "text/css; charset=utf-8", PORTAL_CSS},
};

static bool route_fits(const char *path, str asked, str *rest)
{
    str p = str_z(path);
    bool prefix = p.n > 1 && str_ends(p, S("/"));
    *rest = prefix ? str_skip(asked, p.n) : (str){0};
    if (!prefix)
        return str_eq(p, asked);
    return str_starts(asked, p) && rest->n && rest->n < 64 && str_find_char(*rest, '/', 0) < 0 &&
           str_find_char(*rest, '%', 0) < 0;
}

/* ---- cookies ---- */

static bool is_cookie_value(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_';
        if (!ok)
            return false;
    }
    return s.n == COOKIE_BYTES;
}

/* A cookie of ours that comes twice is none: somebody else may have set one of the two. */
static str cookie_of(const struct http_head *head, str name)
{
    str found = {0};
    size_t times = 0;
    for (size_t i = 0; i < head->fields.n; i++) {
        str rest = head->fields.v[i].value, part, key, value;
        if (!str_eq_nocase(head->fields.v[i].name, S("cookie")) || rest.n > COOKIE_FIELD_BYTES_MAX)
            continue;
        while (rest.n) {
            str_cut(rest, ';', &part, &rest);
            if (str_cut(str_trim(part), '=', &key, &value) && str_eq(key, name)) {
                found = value;
                times++;
            }
        }
    }
    return times == 1 && is_cookie_value(found) ? found : (str){0};
}

static void set_cookie(struct visit *v, str name, str value, const char *life)
{
    v->cookies[v->cookies_n++] = (struct field){
        S("Set-Cookie"), str_fmt(v->a, "%.*s=%.*s; Path=/; HttpOnly; SameSite=Lax%s%s", STR(name),
                                 STR(value), v->d->secure ? "; Secure" : "", life)};
}

void visit_set_cookie(struct visit *v, str name, str value)
{
    set_cookie(v, name, value, value.n ? "" : "; Max-Age=0");
}

void visit_set_session(struct visit *v, str id)
{
    visit_set_cookie(v, v->d->session_cookie, id);
}

str visit_cookie(const struct visit *v, str name)
{
    return cookie_of(&v->r->head, name);
}

static str csrf_of(struct visit *v)
{
    struct buf b = {0};
    str parts[] = {S("ambit portal csrf v1\n"), v->session};
    struct hash mac = hmac_sha256_parts(v->browser, parts, 2);
    base64url_encode(&b, hash_str(&mac));
    str out = str_dup(v->a, buf_str(&b));
    buf_fini(&b);
    return out;
}

static void read_cookies(struct visit *v)
{
    v->session = cookie_of(&v->r->head, v->d->session_cookie);
    v->browser = cookie_of(&v->r->head, v->d->browser_cookie);
    if (!v->browser.n) {
        uint8_t bytes[32];
        rand_bytes(bytes, sizeof bytes);
        v->browser = base64url_dup(v->a, str_of((const char *)bytes, sizeof bytes));
        v->browser_is_new = true;
    }
    v->csrf = csrf_of(v);
}

/* ---- answers ---- */

#define ALWAYS(name, value)                                                                        \
    {                                                                                              \
        {name, sizeof(name) - 1},                                                                  \
        {                                                                                          \
            value, sizeof(value) - 1                                                               \
        }                                                                                          \
    }
static const struct field SAFETY[] = {
    ALWAYS("Content-Security-Policy",
           "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
           "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"),
    ALWAYS("X-Content-Type-Options", "nosniff"),
    ALWAYS("X-Frame-Options", "DENY"),
    ALWAYS("Referrer-Policy", "same-origin"),
    ALWAYS("Cross-Origin-Opener-Policy", "same-origin"),
    ALWAYS("Cross-Origin-Resource-Policy", "same-origin"),
    ALWAYS("Cache-Control", "no-store"),
};
enum { SAFETY_N = sizeof SAFETY / sizeof SAFETY[0] };

static void answer(struct visit *v, int status, str type, str body, str location)
{
    struct field fields[SAFETY_N + 5];
    size_t n = SAFETY_N;
    memcpy(fields, SAFETY, sizeof SAFETY);
    if (v->browser_is_new && v->browser.n)
        set_cookie(v, v->d->browser_cookie, v->browser, "");
    for (size_t i = 0; i < v->cookies_n; i++)
        fields[n++] = v->cookies[i];
    if (v->d->secure)
        fields[n++] = (struct field){S("Strict-Transport-Security"), S("max-age=31536000")};
    if (location.n)
        fields[n++] = (struct field){S("Location"), location};
    struct http_answer a = {
        .status = status, .content_type = type, .body = body, .fields = fields, .fields_n = n};
    http_respond(v->r, &a);
}

void visit_page(struct visit *v, int status, struct buf *html)
{
    answer(v, status, S("text/html; charset=utf-8"), buf_str(html), (str){0});
    buf_fini(html);
}

void visit_json(struct visit *v, int status, str body)
{
    answer(v, status, S("application/json"), body, (str){0});
}

void visit_redirect(struct visit *v, str to)
{
    answer(v, 303, S("text/plain"), S("see the address in Location\n"), to);
}

void visit_static(struct visit *v, str type, str body)
{
    v->browser_is_new = false;
    answer(v, 200, type, body, (str){0});
}

static bool is_script(const struct visit *v)
{
    str type;
    return str_eq(v->r->head.method, S("POST")) &&
           fields_first(&v->r->head.fields, S("content-type"), &type) &&
           str_starts(type, S("application/json"));
}

void visit_refuse(struct visit *v, int status, str text)
{
    struct buf b = {0};
    if (is_script(v)) {
        struct jw w = jw(&b);
        jw_obj(&w);
        jw_kstr(&w, S("error"), text);
        jw_end_obj(&w);
        visit_json(v, status, buf_str(&b));
        buf_fini(&b);
        return;
    }
    html_begin(v, &b, "Not done", "", (str){0});
    HTML(&b, "<p class=\"bad\">$</p><p><a href=\"/\">Back to the start</a></p>", text);
    html_end(&b);
    visit_page(v, status, &b);
}

void visit_error(struct visit *v, const json *error)
{
    static const struct {
        const char *code;
        int status;
    } codes[] = {{"input", 400}, {"denied", 403}, {"unauthenticated", 403}, {"not_found", 404},
                 {"limit", 429}, {"system", 503}, {"unavailable", 503}};
    str code = json_get_str(error, S("code"));
    int status = 500;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (str_eq(code, str_z(codes[i].code)))
            status = codes[i].status;
    visit_refuse(v, status, json_get_str(error, S("message")));
}

/* ---- questions ---- */

static str id_key(const uint64_t *id)
{
    return str_of((const char *)id, sizeof *id);
}

void visit_ask(struct visit *v, const char *method, str params, visit_then *then)
{
    struct buf line = {.max = CONTROL_LINE_BYTES_MAX};
    struct jw w = jw(&line);
    jw_obj(&w);
    jw_kstr(&w, S("method"), str_z(method));
    jw_key(&w, S("params"));
    jw_raw(&w, params.n ? params : S("{}"));
    jw_end_obj(&w);
    struct msg_people_ask m = {.session = v->session, .line = buf_str(&line)};
    v->id = ++v->d->next_id;
    v->then = then;
    v->since_ms = clock_mono_us() / 1000;
    map_put(&v->d->waiting, id_key(&v->id), v);
    if (line.over || !v->d->o.ask(v->d->o.ctx, v->id, &m)) {
        map_del(&v->d->waiting, id_key(&v->id));
        v->id = 0;
        visit_refuse(v, 503, S("the gateway is restarting; try again"));
    }
    buf_fini(&line);
}

void portal_door_answer(struct portal_door *d, uint64_t id, str line)
{
    struct visit *v = map_del(&d->waiting, id_key(&id));
    const json *root;
    struct err err;
    if (!v)
        return; /* the browser went away */
    v->id = 0;
    if (!json_read(v->a, line, NULL, &root, &err)) {
        visit_refuse(v, 500, S("the gateway's answer cannot be read"));
        return;
    }
    v->then(v, json_get(root, S("result")), json_get(root, S("error")));
}

static void give_up(struct portal_door *d, int64_t before_ms)
{
    str key;
    void *p;
    for (size_t i = 0; map_next(&d->waiting, &i, &key, &p);) {
        struct visit *v = p;
        if (v->since_ms > before_ms)
            continue;
        map_del(&d->waiting, id_key(&v->id));
        v->id = 0;
        visit_refuse(v, 503, S("the gateway does not answer; try again"));
    }
}

void portal_door_core_lost(struct portal_door *d)
{
    give_up(d, INT64_MAX);
}

void portal_door_tick(struct portal_door *d)
{
    give_up(d, clock_mono_us() / 1000 - PORTAL_WAIT_MS);
}

size_t portal_door_busy(const struct portal_door *d)
{
    return map_count(&d->waiting);
}

/* ---- who may ask at all ---- */

static bool one_field(struct visit *v, str name, str *value)
{
    struct err err;
    bool present;
    return fields_single(&v->r->head.fields, name, value, &present, &err) && present;
}

static bool form_value(struct visit *v, str body, str wanted, str *out)
{
    struct err err;
    str name, value;
    size_t times = 0;
    while (body.n) {
        if (!url_form_next(v->a, &body, &name, &value, &err))
            return false;
        if (str_eq(name, wanted)) {
            *out = value;
            times++;
        }
    }
    return times == 1;
}

/* A POST is of our own pages: the browser says so (Origin), and it brings the token that only a
 * page of this browser and session has. */
static bool post_is_ours(struct visit *v, enum kind kind)
{
    str origin, site, token = {0};
    if (!one_field(v, S("origin"), &origin) || !str_eq(origin, v->d->o.conf->portal.origin))
        return false;
    if (fields_count(&v->r->head.fields, S("sec-fetch-site")) &&
        !(one_field(v, S("sec-fetch-site"), &site) && str_eq(site, S("same-origin"))))
        return false;
    bool there = kind == SCRIPT ? one_field(v, S("x-ambit-csrf"), &token)
                                : form_value(v, v->r->body, S("csrf"), &token);
    return there && !v->browser_is_new && str_eq_secret(token, v->csrf);
}

static bool read_body(struct visit *v, enum kind kind)
{
    struct json_limits limits = {
        .bytes_max = PORTAL_BODY_BYTES_MAX, .depth_max = 8, .values_max = 200};
    struct err err;
    str type;
    if (!one_field(v, S("content-type"), &type))
        return false;
    if (kind == FORM)
        return str_eq_nocase(type, S("application/x-www-form-urlencoded"));
    return str_eq_nocase(type, S("application/json")) &&
           json_read(v->a, v->r->body, &limits, &v->body, &err) &&
           json_type(v->body) == JSON_OBJECT;
}

static void enter(struct visit *v, enum kind kind, page *fn)
{
    if ((kind == GET) != str_eq(v->r->head.method, S("GET")) ||
        (kind != GET && !str_eq(v->r->head.method, S("POST"))))
        visit_refuse(v, 405, S("this address is not used in this way"));
    else if (kind != GET && !post_is_ours(v, kind))
        visit_refuse(v, 403,
                     S("the request does not come from a page of this portal that is up to date; "
                       "reload the page and try again"));
    else if (kind != GET && !read_body(v, kind))
        visit_refuse(v, 400, S("the request's body cannot be read"));
    else
        fn(v);
}

static void on_request(struct http_request *r)
{
    struct portal_door *d = http_client_owner(r->client);
    struct visit *v = ARENA_NEW(&r->arena, struct visit);
    *v = (struct visit){.d = d, .r = r, .a = &r->arena};
    r->owner = v;
    if (!str_eq(r->head.host, d->host)) {
        visit_refuse(v, 421,
                     S("this portal has another name: see \"portal\" in the gateway's "
                       "configuration"));
        return;
    }
    str path = r->head.parts.path;
    for (size_t i = 0; i < sizeof ASSETS / sizeof ASSETS[0]; i++)
        if (str_eq(path, str_z(ASSETS[i].path)) && str_eq(r->head.method, S("GET"))) {
            visit_static(v, str_z(ASSETS[i].type), str_z(ASSETS[i].text));
            return;
        }
    read_cookies(v);
    for (size_t i = 0; i < sizeof ROUTES / sizeof ROUTES[0]; i++)
        if (route_fits(ROUTES[i].path, path, &v->rest)) {
            enter(v, ROUTES[i].kind, ROUTES[i].fn);
            return;
        }
    visit_refuse(v, 404, S("there is no such page"));
}

static void on_gone(struct http_request *r)
{
    struct visit *v = r->owner;
    if (v && v->id)
        map_del(&v->d->waiting, id_key(&v->id));
}

static const struct http_server_ops OPS = {.on_request = on_request, .on_gone = on_gone};

void portal_door_serve(struct portal_door *d, struct conn *conn)
{
    struct http_server_opts o = {.body_bytes_max = PORTAL_BODY_BYTES_MAX, .ops = &OPS, .owner = d};
    http_serve(&o, conn, 0);
}

struct portal_door *portal_door_new(const struct portal_door_opts *o)
{
    struct portal_door *d = calloc(1, sizeof *d);
    if (!d)
        abort();
    d->o = *o;
    str origin = o->conf->portal.origin;
    d->secure = str_starts(origin, S("https://"));
    d->host = str_skip(origin, d->secure ? 8 : 7);
    d->session_cookie = d->secure ? S("__Host-ambit-session") : S("ambit-session");
    d->login_cookie = d->secure ? S("__Host-ambit-login") : S("ambit-login");
    d->browser_cookie = d->secure ? S("__Host-ambit-browser") : S("ambit-browser");
    return d;
}
