#include "role/edge_trust.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "crypto/key.h"
#include "door/http_server.h"
#include "identity/x509_svid.h"
#include "net/chan.h"
#include "net/timer.h"
#include "net/tls.h"

#include <stdlib.h>

enum { LAZY_MAX = 16, ANCHORS_MAX = 1024, RETRY_MS = 2000, RENEW_MS_MIN = 1000, BODY_MAX = 1024 };

/* A listener that waits for what core sends. */
struct lazy {
    struct edge_trust *trust;
    uint32_t index;
    int fd; /* until it is served */
    struct listen_opts opts;
    const struct conf_listener *conf;
    str cert, key;
    struct listener *listener;
    /* of "bundle": "spiffe" */
    struct key *own, *asked; /* the key in use, the one that a certificate was asked for */
    struct timer renew;
};

struct edge_trust {
    struct role_env *env;
    struct chan *core;
    struct lazy lazy[LAZY_MAX];
    size_t n;
    struct buf anchors_pem, document;
    char digest[HASH_HEX_SIZE]; /* of the document */
    int64_t refresh_s;
};

struct edge_trust *edge_trust_new(struct role_env *env)
{
    struct edge_trust *t = calloc(1, sizeof *t);
    if (!t)
        abort();
    t->env = env;
    return t;
}

bool edge_trust_wants(const struct conf_listener *l)
{
    return l->client_ca_agents || l->bundle;
}

/* ---- PEM (RFC 7468) ---- */

static void pem_write(const char *label, str der, struct buf *out)
{
    enum { LINE = 64 };
    struct buf text = {.wipe = true};
    base64_encode(&text, der);
    buf_printf(out, "-----BEGIN %s-----\n", label);
    for (str rest = buf_str(&text); rest.n; rest = str_skip(rest, str_take(rest, LINE).n)) {
        buf_put(out, str_take(rest, LINE));
        buf_putc(out, '\n');
    }
    buf_printf(out, "-----END %s-----\n", label);
    buf_wipe(&text);
}

static bool pem_of_certs(str der, struct buf *out, struct err *err)
{
    static str parts[ANCHORS_MAX];
    size_t n = 0;
    if (der.n && !x509_split(der, parts, ANCHORS_MAX, &n, err))
        return false;
    buf_clear(out);
    for (size_t i = 0; i < n; i++)
        pem_write("CERTIFICATE", parts[i], out);
    return true;
}

/* ---- the bundle endpoint ---- */

static bool has_tag(const struct http_request *r, str tag)
{
    str known;
    return fields_first(&r->head.fields, S("If-None-Match"), &known) && str_eq(known, tag);
}

static void on_bundle_request(struct http_request *r)
{
    struct edge_trust *t = http_client_owner(r->client);
    str tag = str_fmt(&r->arena, "\"%s\"", t->digest);
    const struct field fields[] = {
        {S("Cache-Control"), str_fmt(&r->arena, "public, max-age=%lld", (long long)t->refresh_s)},
        {S("ETag"), tag}};
    struct http_answer a = {.status = 200,
                            .content_type = S("application/json"),
                            .body = buf_str(&t->document),
                            .fields = fields,
                            .fields_n = 2};
    static const struct field allow[] = {{{"Allow", 5}, {"GET", 3}}};
    if (!str_eq(r->head.parts.path, S(EDGE_BUNDLE_PATH)))
        a = (struct http_answer){.status = 404,
                                 .content_type = S("text/plain"),
                                 .body = S("the trust bundle is at " EDGE_BUNDLE_PATH "\n")};
    else if (!str_eq(r->head.method, S("GET")))
        a = (struct http_answer){.status = 405, .fields = allow, .fields_n = 1};
    else if (has_tag(r, tag))
        a = (struct http_answer){.status = 304, .fields = fields, .fields_n = 2};
    http_respond(r, &a);
}

static void on_bundle_gone(struct http_request *r)
{
    (void)r; /* answered at once, so nothing waits */
}

static void on_bundle_conn(void *owner, struct conn *conn)
{
    static const struct http_server_ops ops = {.on_request = on_bundle_request,
                                               .on_gone = on_bundle_gone};
    struct lazy *z = owner;
    struct http_server_opts o = {.body_bytes_max = BODY_MAX, .ops = &ops, .owner = z->trust};
    http_serve(&o, conn, 0);
}

/* ---- serving ---- */

/* From now on with this; the first time also opens the listener. */
static bool serve(struct lazy *z, const struct tls_server_opts *o, struct err *err)
{
    struct tls *tls;
    if (!tls_server_new(o, &tls, err))
        return false;
    bool ok = true;
    if (z->listener) {
        listener_set_tls(z->listener, tls);
    } else if (z->fd >= 0) {
        z->opts.tls = tls;
        ok = listener_adopt(z->trust->env->loop, z->fd, &z->opts, &z->listener, err);
        z->fd = -1;
    }
    tls_unref(tls);
    return ok;
}

static void serve_lazy(struct lazy *z)
{
    struct edge_trust *t = z->trust;
    struct tls_server_opts o = {.cert_pem = z->cert, .key_pem = z->key};
    struct err err;
    if (z->conf->client_ca_agents)
        o.client_ca_pem = buf_str(&t->anchors_pem);
    if (z->conf->client_ca_agents && !o.client_ca_pem.n)
        log_error("no trust bundle holds a certificate: nobody can come in at this listener",
                  LOG_STR("address", z->conf->address));
    else if (!serve(z, &o, &err))
        log_error("listener not served", LOG_STR("address", z->conf->address), LOG_ERR(&err));
}

/* ---- the SVID of a bundle endpoint ---- */

static void ask_svid(void *owner);

static void ask_again(struct lazy *z, int64_t ms)
{
    timer_start(&z->renew, z->trust->env->loop, ms, ask_svid, z);
}

static void ask_svid(void *owner)
{
    struct lazy *z = owner;
    struct buf spki = {0};
    struct err err;
    if (!z->trust->core || z->asked)
        return;
    if (key_generate(KEY_ES256, &z->asked, &err) && key_to_spki(z->asked, &spki, &err)) {
        role_send(z->trust->core, MSG_SVID_WANTED, 0,
                  &(struct msg_svid_wanted){z->index, buf_str(&spki)});
    } else {
        log_error("no key for the bundle endpoint", LOG_ERR(&err));
        key_free(z->asked);
        z->asked = NULL;
        ask_again(z, RETRY_MS);
    }
    buf_fini(&spki);
}

static bool serve_svid(struct lazy *z, str chain, struct err *err)
{
    struct buf cert = {0}, key = {.wipe = true};
    struct secret *der;
    if (!key_to_pkcs8(z->asked, &der, err))
        return false;
    pem_write("PRIVATE KEY", secret_str(der), &key);
    secret_free(der);
    bool ok =
        pem_of_certs(chain, &cert, err) &&
        serve(z, &(struct tls_server_opts){.cert_pem = buf_str(&cert), .key_pem = buf_str(&key)},
              err);
    buf_fini(&cert);
    buf_wipe(&key);
    return ok;
}

static void on_svid(struct edge_trust *t, const struct msg_svid *m)
{
    struct err err;
    struct lazy *z = NULL;
    for (size_t i = 0; i < t->n; i++)
        if (t->lazy[i].index == m->listener && t->lazy[i].conf->bundle == BUNDLE_SPIFFE)
            z = &t->lazy[i];
    if (!z || !z->asked)
        return;
    int64_t wait_ms = RETRY_MS;
    if (m->chain.n && serve_svid(z, m->chain, &err)) {
        key_free(z->own);
        z->own = z->asked;
        wait_ms = (m->not_after_s * 1000 - clock_wall_ms()) / 2;
    } else {
        if (m->chain.n)
            log_error("bundle endpoint not served", LOG_ERR(&err));
        key_free(z->asked);
    }
    z->asked = NULL;
    ask_again(z, wait_ms > RENEW_MS_MIN ? wait_ms : RENEW_MS_MIN);
}

/* ---- what core sends ---- */

static bool on_trust(struct edge_trust *t, const struct msg_trust *m, struct err *err)
{
    if (!pem_of_certs(m->anchors, &t->anchors_pem, err))
        return false;
    buf_clear(&t->document);
    buf_put(&t->document, m->document);
    struct hash h = sha256(m->document);
    hash_hex(&h, t->digest);
    t->refresh_s = m->refresh_s;
    for (size_t i = 0; i < t->n; i++) {
        if (t->lazy[i].conf->bundle == BUNDLE_SPIFFE)
            ask_svid(&t->lazy[i]);
        else if (!t->lazy[i].listener || t->lazy[i].conf->client_ca_agents)
            serve_lazy(&t->lazy[i]);
    }
    return true;
}

bool edge_trust_message(struct edge_trust *t, uint16_t type, str payload, struct err *err)
{
    union {
        struct msg_trust trust;
        struct msg_svid svid;
    } m = {0};
    if (!message_unpack((enum message_type)type, payload, &m, err))
        return false;
    if (type == MSG_TRUST)
        return on_trust(t, &m.trust, err);
    on_svid(t, &m.svid);
    return true;
}

/* ---- life ---- */

void edge_trust_listen(struct edge_trust *t, uint32_t index, int fd, const struct listen_opts *o,
                       str cert, str key)
{
    if (t->n == LAZY_MAX)
        abort(); /* an edge has no more listeners than that */
    struct lazy *z = &t->lazy[t->n++];
    *z = (struct lazy){.trust = t,
                       .index = index,
                       .fd = fd,
                       .opts = *o,
                       .conf = &t->env->conf.listeners[index],
                       .cert = cert,
                       .key = key};
    if (z->conf->bundle) {
        z->opts.on_conn = on_bundle_conn;
        z->opts.owner = z;
    }
}

void edge_trust_core(struct edge_trust *t, struct chan *core)
{
    t->core = core;
    for (size_t i = 0; i < t->n; i++) {
        key_free(t->lazy[i].asked); /* nobody will answer for it */
        t->lazy[i].asked = NULL;
    }
}

void edge_trust_drain(struct edge_trust *t)
{
    for (size_t i = 0; i < t->n; i++) {
        timer_stop(&t->lazy[i].renew);
        listener_close(t->lazy[i].listener);
        t->lazy[i].listener = NULL;
    }
}
