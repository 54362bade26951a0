#include "role/material.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/rand.h"
#include "broker/secrets.h"
#include "crypto/hash.h"
#include "http/url.h"
#include "net/addr.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { PEM_BYTES_MAX = 1 << 20, ADDRESSES_PER_BINDING_MAX = 8, KEY_LEN = 32 };

/* Where the system keeps the roots it trusts: Debian, Fedora, Alpine. */
static const char *const SYSTEM_ROOTS[] = {"/etc/ssl/certs/ca-certificates.crt",
                                           "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};

static bool pack_file(struct buf *out, str path, bool private, struct err *err)
{
    struct arena a = {0};
    struct file_rules rules = {.owner_only = private, .follow = true};
    str text = {0};
    bool ok =
        !path.n || file_read(AT_FDCWD, str_dup(&a, path).p, PEM_BYTES_MAX, &rules, &a, &text, err);
    if (ok)
        pack_str(out, text);
    crypto_wipe((void *)(uintptr_t)text.p, text.n);
    arena_fini(&a);
    return ok;
}

static bool gather_listener_tls(struct material *m, struct err *err)
{
    for (size_t i = 0; i < m->conf->listeners_n; i++) {
        const struct conf_listener *l = &m->conf->listeners[i];
        if (!l->cert_file.n)
            continue;
        pack_str(&m->tls, str_fmt(m->arena, "%zu", i));
        if (!pack_file(&m->tls, l->cert_file, false, err) ||
            !pack_file(&m->tls, l->key_file, true, err) ||
            !pack_file(&m->tls, l->client_ca_file, false, err))
            return err_in(err, "TLS of listener %.*s", STR(l->address));
    }
    return true;
}

static bool gather_portal_tls(struct material *m, struct err *err)
{
    const struct conf_portal *p = &m->conf->portal;
    return !p->cert_file.n ||
           (pack_file(&m->portal_tls, p->cert_file, false, err) &&
            pack_file(&m->portal_tls, p->key_file, true, err)) ||
           err_in(err, "TLS of the portal");
}

static bool gather_system_roots(struct buf *out, struct err *err)
{
    for (size_t i = 0; i < sizeof SYSTEM_ROOTS / sizeof SYSTEM_ROOTS[0]; i++) {
        pack_str(out, (str){0});
        if (pack_file(out, str_z(SYSTEM_ROOTS[i]), false, err)) {
            pack_str(out, (str){0});
            pack_str(out, (str){0});
            return true;
        }
        buf_clear(out);
        if (err->kind != ERR_NOTFOUND)
            return false;
    }
    return err_notfound(err, "this machine has no certificates of public authorities: install "
                             "ca-certificates, or name a \"ca\" for each https server");
}

/* Appends a run of name, numeric address. */
static bool resolve(struct material *m, struct buf *out, str name, str text, bool *secure,
                    struct err *err)
{
    struct url url;
    struct addr found[ADDRESSES_PER_BINDING_MAX];
    char numeric[ADDR_TEXT_SIZE];
    size_t n;
    if (!url_parse(m->arena, text, &url, err))
        return false;
    *secure = url.secure;
    if (!addr_resolve(url.host.name, url.port, found, ADDRESSES_PER_BINDING_MAX, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        pack_str(out, name);
        pack_str(out, addr_text(&found[i], numeric));
    }
    return true;
}

static bool gather_upstreams(struct material *m, struct err *err)
{
    bool needs_roots = false;
    for (size_t i = 0; i < m->conf->bindings_n; i++) {
        const struct conf_binding *b = &m->conf->bindings[i];
        bool secure;
        if (b->kind != BINDING_HTTP)
            continue;
        if (!resolve(m, &m->addresses, b->name, b->url, &secure, err))
            return err_in(err, "server %.*s", STR(b->name));
        needs_roots |= secure && !b->ca_file.n;
    }
    if (needs_roots && !gather_system_roots(&m->upstream_tls, err))
        return false;
    for (size_t i = 0; i < m->conf->bindings_n; i++) {
        const struct conf_binding *b = &m->conf->bindings[i];
        if (b->kind != BINDING_HTTP || (!b->ca_file.n && !b->cert_file.n))
            continue;
        pack_str(&m->upstream_tls, b->name);
        if (!pack_file(&m->upstream_tls, b->ca_file, false, err) ||
            !pack_file(&m->upstream_tls, b->cert_file, false, err) ||
            !pack_file(&m->upstream_tls, b->key_file, true, err))
            return err_in(err, "TLS of server %.*s", STR(b->name));
    }
    return true;
}

/* An issuer that cannot be found now is no reason not to start: its keys are missing, and
 * `ambit identity issuers` says so. */
static bool gather_issuers(struct material *m, struct err *err)
{
    bool needs_roots = false;
    for (size_t i = 0; i < m->conf->issuers_n; i++) {
        const struct conf_issuer *c = &m->conf->issuers[i];
        struct err why;
        bool web = c->source == SOURCE_HTTPS_WEB || c->source == SOURCE_DISCOVERY, secure = false;
        if (!web && c->source != SOURCE_HTTPS_SPIFFE)
            continue;
        if (!resolve(m, &m->issuer_addresses, c->name, c->location, &secure, &why))
            log_warn("issuer has no address", LOG_STR("issuer", c->name), LOG_ERR(&why));
        needs_roots |= web && secure && !c->ca_file.n;
    }
    if (needs_roots && !gather_system_roots(&m->issuer_tls, err))
        return false;
    for (size_t i = 0; i < m->conf->issuers_n; i++) {
        const struct conf_issuer *c = &m->conf->issuers[i];
        if (!c->ca_file.n)
            continue;
        pack_str(&m->issuer_tls, c->name);
        if (!pack_file(&m->issuer_tls, c->ca_file, false, err))
            return err_in(err, "\"ca\" of issuer %.*s", STR(c->name));
        pack_str(&m->issuer_tls, (str){0});
        pack_str(&m->issuer_tls, (str){0});
    }
    return true;
}

static void gather_policies(struct material *m)
{
    struct buf run = {0};
    for (size_t i = 0; i < m->conf->policies_n; i++) {
        pack_str(&run, m->conf->policies[i].name);
        pack_str(&run, m->conf->policies[i].text);
    }
    m->policies = str_dup(m->arena, buf_str(&run));
    buf_fini(&run);
}

bool material_gather(struct arena *a, const struct conf *c, str config_text, struct material *out,
                     struct err *err)
{
    out->arena = a;
    out->conf = c;
    out->config_text = config_text;
    rand_bytes(out->keeper_key, sizeof out->keeper_key);
    rand_bytes(out->runner_key, sizeof out->runner_key);
    gather_policies(out);
    return gather_listener_tls(out, err) && gather_portal_tls(out, err) &&
           gather_upstreams(out, err) && gather_issuers(out, err) &&
           secrets_environment_key(&out->seal_key, err);
}

static int64_t uid_of(const struct role_uids *u, enum role role)
{
    const int64_t uids[ROLE_COUNT] = {[ROLE_NONE] = -1,
                                      [ROLE_SUPERVISOR] = -1,
                                      [ROLE_EDGE] = u->edge,
                                      [ROLE_CORE] = u->core,
                                      [ROLE_KEEPER] = u->keeper,
                                      [ROLE_RUNNER] = u->runner,
                                      [ROLE_PORTAL] = u->portal,
                                      [ROLE_WORKLOAD] = u->workload,
                                      [ROLE_FETCHER] = u->fetcher,
                                      [ROLE_WITNESS] = u->witness,
                                      [ROLE_PUBLISHER] = u->publisher};
    return uids[role];
}

void material_setup(const struct material *m, enum role role, uint32_t index, struct msg_setup *out)
{
    bool edge = role == ROLE_EDGE, core = role == ROLE_CORE, keeper = role == ROLE_KEEPER,
         runner = role == ROLE_RUNNER;
    *out = (struct msg_setup){
        .index = index,
        .config_name = m->conf->file,
        .config_dir = m->conf->dir,
        .config = m->config_text,
        .uid = uid_of(&m->uids, role),
        .child_uid = runner ? m->uids.child : -1,
        .started_us = m->started_us,
    };
    if (core) {
        out->policies = m->policies;
        out->own_uid = geteuid();
    }
    if (core || keeper)
        out->keeper_key = str_of((const char *)m->keeper_key, KEY_LEN);
    if (core || runner)
        out->runner_key = str_of((const char *)m->runner_key, KEY_LEN);
    if (edge || runner)
        out->runner_socket = m->runner_socket;
    if (keeper)
        out->seal_key = secret_str(m->seal_key);
    if (role == ROLE_PORTAL)
        out->tls = buf_str(&m->portal_tls);
    if (edge) {
        out->addresses = buf_str(&m->addresses);
        out->tls = buf_str(&m->tls);
        out->upstream_tls = buf_str(&m->upstream_tls);
    }
    if (role == ROLE_FETCHER) {
        out->addresses = buf_str(&m->issuer_addresses);
        out->upstream_tls = buf_str(&m->issuer_tls);
    }
}

void material_fini(struct material *m)
{
    buf_fini(&m->addresses);
    buf_fini(&m->issuer_addresses);
    buf_fini(&m->issuer_tls);
    buf_wipe(&m->tls);
    buf_wipe(&m->portal_tls);
    buf_wipe(&m->upstream_tls);
    crypto_wipe(m->keeper_key, sizeof m->keeper_key);
    crypto_wipe(m->runner_key, sizeof m->runner_key);
    secret_free(m->seal_key);
}
