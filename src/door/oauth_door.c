#include "door/oauth_door.h"
#include "base/json.h"
#include "base/limits.h"
#include "http/form.h"

#include <stdlib.h>

/* ---- answers ---- */

enum { FIELDS_MAX = 8 };

static void respond(struct http_request *r, int status, str body, str run)
{
    struct field f[FIELDS_MAX] = {{S("Cache-Control"), S("no-store")}};
    size_t n = 1;
    bool bad = false;
    while (n < FIELDS_MAX && unpack_str(&run, &f[n].name, &bad) &&
           unpack_str(&run, &f[n].value, &bad))
        n++;
    struct http_answer a = {.status = status,
                            .content_type = body.n ? S("application/json") : (str){0},
                            .body = body,
                            .fields = f,
                            .fields_n = n};
    http_respond(r, &a);
}

static void respond_error(struct http_request *r, int status, const char *code, const char *text)
{
    struct buf b = {0};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_kstr(&w, S("error"), str_z(code));
    jw_kstr(&w, S("error_description"), str_z(text));
    jw_end_obj(&w);
    respond(r, status, buf_str(&b), (str){0});
    buf_fini(&b);
}

static void respond_method(struct http_request *r, str allowed)
{
    struct buf run = {0};
    pack_str(&run, S("Allow"));
    pack_str(&run, allowed);
    respond(r, 405, (str){0}, buf_str(&run));
    buf_fini(&run);
}

/* ---- asking core ---- */

struct oauth_asked {
    struct oauth_door *door;
    struct http_request *http;
    uint64_t id;
    struct timer timer;
};

static str key_of(const uint64_t *id)
{
    return str_of((const char *)id, sizeof *id);
}

static struct http_request *asked_end(struct oauth_door *d, uint64_t id)
{
    struct oauth_asked *q = map_del(&d->asked, key_of(&id));
    if (!q)
        return NULL;
    struct http_request *r = q->http;
    timer_stop(&q->timer);
    free(q);
    return r;
}

static void unavailable(struct http_request *r)
{
    respond_error(r, 503, "temporarily_unavailable", "The gateway is restarting. Try again.");
}

static void on_silent(void *owner)
{
    struct oauth_asked *q = owner;
    unavailable(asked_end(q->door, q->id));
}

static void ask(struct oauth_door *d, struct http_request *r, const struct msg_oauth *m)
{
    struct oauth_asked *q = calloc(1, sizeof *q);
    if (!q)
        abort();
    *q = (struct oauth_asked){.door = d, .http = r, .id = ++d->next_id};
    map_put(&d->asked, key_of(&q->id), q);
    timer_start(&q->timer, d->loop, CORE_WAIT_MS_MAX, on_silent, q);
    if (!d->send(d->ctx, ROLE_CORE, MSG_OAUTH, q->id, m))
        unavailable(asked_end(d, q->id));
}

bool oauth_door_answer(struct oauth_door *d, uint64_t id, str payload, struct err *err)
{
    struct msg_oauth_answer m;
    if (!message_unpack(MSG_OAUTH_ANSWER, payload, &m, err))
        return false;
    struct http_request *r = asked_end(d, id);
    if (r)
        respond(r, (int)m.status, m.body, m.fields);
    return true;
}

void oauth_door_gone(struct oauth_door *d, struct http_request *r)
{
    str id;
    void *v;
    for (size_t i = 0; map_next(&d->asked, &i, &id, &v);) {
        struct oauth_asked *q = v;
        if (q->http == r) {
            asked_end(d, q->id);
            return;
        }
    }
}

void oauth_door_core_lost(struct oauth_door *d)
{
    str id;
    void *v;
    for (size_t i = 0; map_next(&d->asked, &i, &id, &v);)
        unavailable(asked_end(d, ((struct oauth_asked *)v)->id));
}

/* ---- requests ---- */

/* Parameters without a value are left out (RFC 6749 section 3.2). */
static bool read_form(struct http_request *r, struct buf *run)
{
    struct form *f = ARENA_NEW(&r->arena, struct form);
    struct err err;
    str type = {0};
    if (!fields_single(&r->head.fields, S("Content-Type"), &type, NULL, &err) ||
        !form_is_type(type)) {
        respond_error(r, 400, "invalid_request",
                      "Content-Type must be application/x-www-form-urlencoded");
        return false;
    }
    if (!form_read(&r->arena, r->body, f, &err)) {
        respond_error(r, 400, "invalid_request", err.text);
        return false;
    }
    for (size_t i = 0; i < f->n; i++)
        if (f->v[i].value.n) {
            pack_str(run, f->v[i].name);
            pack_str(run, f->v[i].value);
        }
    return true;
}

/* What the connection and the fields prove; core judges it. False: answered. */
static bool read_proof(struct http_request *r, uint32_t listener, struct proof *p)
{
    const struct tls_peer *peer = conn_tls_peer(http_client_conn(r->client));
    struct err err;
    str authorization;
    *p = (struct proof){.listener = listener, .htm = r->head.method};
    if (!fields_single(&r->head.fields, S("DPoP"), &p->dpop, NULL, &err)) {
        respond_error(r, 400, "invalid_dpop_proof", "a request has one DPoP field");
        return false;
    }
    if (p->dpop.n > 4096) {
        respond_error(r, 400, "invalid_dpop_proof", "the DPoP proof is too long");
        return false;
    }
    if (fields_first(&r->head.fields, S("Authorization"), &authorization)) {
        respond_error(r, 401, "invalid_client",
                      "agents have no client secrets: use a client certificate or a "
                      "client_assertion, and no Authorization field");
        return false;
    }
    if (peer && peer->has_cert) {
        p->cert = str_of((const char *)peer->sha256, 32);
        p->chain = peer->chain_der;
    }
    return true;
}

static void post_form(struct oauth_door *d, struct http_request *r, uint32_t listener,
                      enum oauth_endpoint endpoint)
{
    struct msg_oauth m = {.endpoint = (uint8_t)endpoint};
    struct buf run = {0};
    if (!str_eq(r->head.method, S("POST")))
        respond_method(r, S("POST"));
    else if (r->head.parts.has_query)
        respond_error(r, 400, "invalid_request", "parameters stand in the body, never in the URL");
    else if (read_form(r, &run) && read_proof(r, listener, &m.proof)) {
        m.form = buf_str(&run);
        ask(d, r, &m);
    }
    buf_fini(&run);
}

static bool is_get(struct http_request *r)
{
    if (str_eq(r->head.method, S("GET")))
        return true;
    respond_method(r, S("GET"));
    return false;
}

static void get_keys(struct oauth_door *d, struct http_request *r, uint32_t listener)
{
    if (is_get(r))
        ask(d, r,
            &(struct msg_oauth){.endpoint = OAUTH_JWKS,
                                .proof = {.listener = listener, .htm = S("GET")}});
}

static void get_server(struct oauth_door *d, struct http_request *r)
{
    struct buf b = {0};
    oauth_write_server(&b, d->conf);
    if (is_get(r))
        respond(r, 200, buf_str(&b), (str){0});
    buf_fini(&b);
}

/* "", "/mcp" or "/mcp/<binding>", after the path of the listener's URL, if that has one. */
static bool resource_of(const struct oauth_door *d, const struct conf_listener *l, str suffix,
                        str *binding)
{
    str url = str_skip(l->url, str_starts(l->url, S("https://")) ? 8 : 7), host, base;
    if (str_cut(url, '/', &host, &base) && str_starts(suffix, S("/")) &&
        str_starts(str_skip(suffix, 1), base))
        suffix = str_skip(suffix, 1 + base.n);
    *binding = (str){0};
    if (!suffix.n || str_eq(suffix, S("/mcp")))
        return true;
    if (!str_starts(suffix, S("/mcp/")))
        return false;
    *binding = str_skip(suffix, 5);
    const struct conf_binding *b = conf_binding(d->conf, *binding);
    return b && b->kind != BINDING_INTERNAL;
}

static void get_resource(struct oauth_door *d, struct http_request *r, uint32_t listener,
                         str suffix)
{
    const struct conf_listener *l = &d->conf->listeners[listener];
    struct buf b = {0};
    str binding;
    if (!resource_of(d, l, suffix, &binding))
        respond(r, 404, (str){0}, (str){0});
    else if (is_get(r)) {
        oauth_write_resource(&b, d->conf, l, binding);
        respond(r, 200, buf_str(&b), (str){0});
    }
    buf_fini(&b);
}

static const struct {
    const char *path;
    enum oauth_endpoint endpoint;
} FORMS[] = {{"/oauth/token", OAUTH_TOKEN},
             {"/oauth/introspect", OAUTH_INTROSPECT},
             {"/oauth/revoke", OAUTH_REVOKE}};

#define SERVER   "/.well-known/oauth-authorization-server"
#define RESOURCE "/.well-known/oauth-protected-resource"

bool oauth_door_request(struct oauth_door *d, struct http_request *r, uint32_t listener)
{
    str path = r->head.parts.path;
    if (listener >= d->conf->listeners_n || !d->conf->listeners[listener].oauth)
        return false;
    for (size_t i = 0; i < sizeof FORMS / sizeof FORMS[0]; i++)
        if (str_eq(path, str_z(FORMS[i].path))) {
            post_form(d, r, listener, FORMS[i].endpoint);
            return true;
        }
    if (str_eq(path, S("/oauth/jwks"))) {
        get_keys(d, r, listener);
        return true;
    }
    str after = str_skip(path, sizeof SERVER - 1);
    if (str_starts(path, S(SERVER)) && (!after.n || str_ends(d->conf->issuer, after))) {
        get_server(d, r);
        return true;
    }
    if (str_starts(path, S(RESOURCE))) {
        get_resource(d, r, listener, str_skip(path, sizeof RESOURCE - 1));
        return true;
    }
    return false;
}

/* ---- challenges ---- */

/* The well-known part stands between the host and the path of the resource (RFC 9728 section 3.1).
 */
str oauth_metadata_url(struct arena *a, const struct conf_listener *l, str binding)
{
    str resource = conf_resource(a, l, binding), host, path;
    size_t scheme = str_starts(resource, S("https://")) ? 8 : 7;
    str_cut(str_skip(resource, scheme), '/', &host, &path);
    return str_fmt(a, "%.*s%.*s" RESOURCE "/%.*s", STR(str_take(resource, scheme)), STR(host),
                   STR(path));
}

str oauth_challenge(struct arena *a, const struct conf_listener *l, str binding, str error,
                    bool by_dpop)
{
    str more = {0}, code = {0};
    if (l->oauth)
        more = str_fmt(a, ", resource_metadata=\"%.*s\"", STR(oauth_metadata_url(a, l, binding)));
    if (binding.n)
        more = str_fmt(a, "%.*s, scope=\"%.*s/*\"", STR(more), STR(binding));
    if (error.n)
        code = str_fmt(a, ", error=\"%.*s\"", STR(error));
    str dpop = str_fmt(a, "DPoP realm=\"ambit\", algs=\"ES256\"%.*s%.*s", STR(code), STR(more));
    str bearer = str_fmt(a, "Bearer realm=\"ambit\"%.*s%.*s", STR(code), STR(more));
    if (!error.n)
        return str_fmt(a, "%.*s, %.*s", STR(bearer), STR(dpop));
    /* One scheme with an error is one answer: what else there is, the client knows. */
    return by_dpop ? dpop : bearer;
}
