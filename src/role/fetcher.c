/* fetcher: the process that gets documents from outside for core: key sets, trust bundles,
 * discovery. It connects to what the configuration names, at the addresses that the supervisor
 * resolved, and believes nothing: core judges what it brings. It reads the files of issuers too,
 * since core opens none. */
#include "role/fetcher_int.h"
#include "base/hex.h"
#include "base/log.h"
#include "os/file.h"

#include <fcntl.h>
#include <stdlib.h>

/* ---- answers ---- */

void fetcher_answer(struct fetcher *f, uint64_t id, const struct source *s, uint32_t status,
                    str document, const struct err *err)
{
    struct msg_fetched m = {.source = s->conf->name,
                            .status = status,
                            .document = err ? (str){0} : document,
                            .error = err ? str_z(err->text) : (str){0}};
    if (f->core)
        role_send(f->core, MSG_FETCHED, id, &m);
}

static struct source *find_source(struct fetcher *f, str name)
{
    for (size_t i = 0; i < f->env->conf.issuers_n; i++)
        if (str_eq(f->sources[i].conf->name, name))
            return &f->sources[i];
    return NULL;
}

/* ---- files ---- */

static void read_one_file(struct fetcher *f, uint64_t id, struct source *s)
{
    ARENA_SCOPE struct arena a = {0};
    const struct file_rules rules = {.follow = true};
    struct err err;
    str text;
    if (file_read(AT_FDCWD, str_dup(&a, s->conf->file).p, FETCH_BYTES_MAX, &rules, &a, &text, &err))
        fetcher_answer(f, id, s, 200, text, NULL);
    else
        fetcher_answer(f, id, s, 0, (str){0}, &err);
}

/* ---- HTTPS ---- */

struct asking { /* one exchange under way; freed in on_end */
    struct list node;
    struct fetcher *f;
    struct source *source;
    uint64_t id;
    struct fetch *fetch;
};

static void on_end(void *owner, int status, str body, const struct err *err)
{
    struct asking *q = owner;
    /* The next attempt goes to the next of its addresses. */
    if (err && status == 0 && q->source->addrs_n)
        q->source->next = (q->source->next + 1) % q->source->addrs_n;
    fetcher_answer(q->f, q->id, q->source, (uint32_t)status, body, err);
    list_remove(&q->node);
    free(q);
}

/* Certificates in DER, as the PEM that TLS wants (RFC 7468). */
static bool put_pem(struct buf *out, str roots, struct err *err)
{
    str ders[BUNDLE_CERTS_MAX];
    size_t n;
    if (!roots.n)
        return err_notfound(err, "there is no bundle yet to check the endpoint with");
    if (!x509_split(roots, ders, BUNDLE_CERTS_MAX, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct buf b = {0};
        base64_encode(&b, ders[i]);
        buf_put(out, S("-----BEGIN CERTIFICATE-----\n"));
        for (str rest = buf_str(&b); rest.n; rest = str_skip(rest, 64)) {
            buf_put(out, str_take(rest, 64));
            buf_putc(out, '\n');
        }
        buf_put(out, S("-----END CERTIFICATE-----\n"));
        buf_fini(&b);
    }
    return true;
}

/* The authorities that were configured, or for https_spiffe the roots of the moment. */
static bool tls_for(const struct source *s, str roots, struct tls **out, struct err *err)
{
    struct buf pem = {0};
    *out = NULL;
    if (s->conf->source != SOURCE_HTTPS_SPIFFE) {
        *out = s->tls ? tls_ref(s->tls) : NULL;
        return true;
    }
    bool ok = put_pem(&pem, roots, err);
    if (ok)
        ok = tls_client_new(&(struct tls_client_opts){.ca_pem = buf_str(&pem)}, out, err);
    buf_fini(&pem);
    return ok;
}

/* Of the source's own scheme, host and port: what a document says of where to go on, and what core
 * says, ends here. */
static bool check_url(struct arena *a, const struct source *s, str text, struct url *out,
                      struct err *err)
{
    struct url url;
    if (!s->has_url)
        return err_denied(err, "this issuer has no URL in the configuration");
    if (!url_parse(a, text.n ? text : s->conf->location, &url, err))
        return false;
    if (url.secure != s->url.secure || url.port != s->url.port ||
        !str_eq(url.host.name, s->url.host.name))
        return err_denied(err,
                          "the URL is of another host or port than the configuration's "
                          "%.*s; only that is fetched from",
                          STR(s->host));
    *out = url;
    return true;
}

static bool ask(struct fetcher *f, struct asking *q, const struct msg_fetch *m, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    static const struct fetch_ops ops = {on_end};
    const struct source *s = q->source;
    struct tls *tls = NULL;
    struct url url = {0};
    if (!check_url(&a, s, m->url, &url, err))
        return false;
    if (!s->addrs_n)
        return err_notfound(err,
                            "%.*s had no address when the gateway started; restart it once "
                            "the name resolves",
                            STR(s->host));
    if (!tls_for(s, m->roots, &tls, err))
        return false;
    struct fetch_request req = {.to = &s->addrs[s->next],
                                .tls = tls,
                                .tls_name = s->url.host.name,
                                .tls_uri = s->conf->endpoint_id,
                                .host = s->host,
                                .target = url.target,
                                .form = m->what == FETCH_POST ? m->form : (str){0},
                                .any_status = m->what == FETCH_POST};
    bool ok = url.secure != (tls != NULL)
                  ? err_system(err, "no authorities to check %.*s with", STR(s->host))
                  : fetch_start(f->env->loop, &req, &ops, q, &q->fetch, err);
    tls_unref(tls);
    return ok;
}

static void start_asking(struct fetcher *f, uint64_t id, struct source *s,
                         const struct msg_fetch *m)
{
    struct err err = {0};
    struct asking *q = calloc(1, sizeof *q);
    if (!q)
        abort();
    *q = (struct asking){.f = f, .source = s, .id = id};
    if (m->what == FETCH_POST && !m->form.n)
        (void)err_input(&err, "a POST without a form");
    else if (ask(f, q, m, &err)) {
        list_append(&f->askings, &q->node);
        return;
    }
    free(q);
    fetcher_answer(f, id, s, 0, (str){0}, &err);
}

/* ---- messages ---- */

static bool on_fetch(struct fetcher *f, uint64_t id, const struct msg_fetch *m, struct err *err)
{
    struct source *s = find_source(f, m->source);
    if (!s)
        return err_peer(err, "core asks for an issuer that is not in the configuration");
    switch ((enum fetch_what)m->what) {
    case FETCH_FILE:
        read_one_file(f, id, s);
        return true;
    case FETCH_GET:
    case FETCH_POST:
        start_asking(f, id, s, m);
        return true;
    case FETCH_WATCH:
        fetcher_watch(f, id, s);
        return true;
    case FETCH_NONE:
    case FETCH_COUNT:
        break;
    }
    return err_peer(err, "core asks for a kind of document that there is not");
}

static void on_message(void *state, enum role peer, uint32_t index, struct chan *chan,
                       uint16_t type, uint64_t id, str payload, int fd)
{
    struct fetcher *f = state;
    struct msg_fetch m;
    struct err err;
    (void)index;
    (void)fd;
    if (peer != ROLE_CORE || type != MSG_FETCH)
        return;
    if (!message_unpack(MSG_FETCH, payload, &m, &err) || !on_fetch(f, id, &m, &err))
        role_kill_peer(chan, &err);
}

/* What was asked by a core that is gone is of no use to its successor, which asks anew. */
static void drop_all(struct fetcher *f)
{
    while (!list_is_empty(&f->askings)) {
        struct asking *q = LIST_ENTRY(list_first(&f->askings), struct asking, node);
        fetch_cancel(q->fetch);
        list_remove(&q->node);
        free(q);
    }
    fetcher_watches_drop(f);
}

static void on_peer(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    struct fetcher *f = state;
    (void)index;
    if (peer == ROLE_CORE)
        f->core = chan;
}

static void on_peer_lost(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    struct fetcher *f = state;
    (void)peer;
    (void)index;
    if (f->core != chan)
        return;
    f->core = NULL;
    drop_all(f);
}

/* ---- start ---- */

/* The supervisor's runs: (issuer, address) and (issuer, CA, "", ""); "" holds the system's CAs. */
static bool give_addresses(struct fetcher *f, struct source *s, struct err *err)
{
    str run = f->env->setup.addresses, name, text;
    bool bad = false;
    while (unpack_str(&run, &name, &bad) && unpack_str(&run, &text, &bad)) {
        if (!str_eq(name, s->conf->name) || s->addrs_n == SOURCE_ADDRS_MAX)
            continue;
        if (!addr_parse(text, &s->addrs[s->addrs_n], err))
            return false;
        s->addrs_n++;
    }
    return true;
}

static bool give_tls(struct fetcher *f, struct source *s, struct err *err)
{
    str run = f->env->setup.upstream_tls, name, ca, cert, key, found = {0}, common = {0};
    bool bad = false;
    while (unpack_str(&run, &name, &bad) && unpack_str(&run, &ca, &bad) &&
           unpack_str(&run, &cert, &bad) && unpack_str(&run, &key, &bad)) {
        if (!name.n)
            common = ca;
        else if (str_eq(name, s->conf->name))
            found = ca;
    }
    if (!found.n)
        found = common;
    return !s->url.secure || s->conf->source == SOURCE_HTTPS_SPIFFE ||
           tls_client_new(&(struct tls_client_opts){.ca_pem = found}, &s->tls, err);
}

static bool open_source(struct fetcher *f, struct source *s, const struct conf_issuer *c,
                        struct err *err)
{
    s->conf = c;
    s->has_url = c->source == SOURCE_HTTPS_WEB || c->source == SOURCE_HTTPS_SPIFFE ||
                 c->source == SOURCE_DISCOVERY;
    if (!s->has_url)
        return true;
    if (!url_parse(&f->env->arena, c->location, &s->url, err) || !give_addresses(f, s, err) ||
        !give_tls(f, s, err))
        return err_in(err, "issuer %.*s", STR(c->name));
    s->host = url_host_field(&f->env->arena, &s->url);
    return true;
}

static void *start(struct role_env *env, struct err *err)
{
    struct fetcher *f = calloc(1, sizeof *f);
    if (!f)
        abort();
    f->env = env;
    list_init(&f->askings);
    list_init(&f->watches);
    f->sources = ARENA_ARRAY(&env->arena, struct source, env->conf.issuers_n + 1);
    for (size_t i = 0; i < env->conf.issuers_n; i++)
        if (!open_source(f, &f->sources[i], &env->conf.issuers[i], err)) {
            free(f); /* the process ends with this error */
            return NULL;
        }
    return f;
}

static void on_drain(void *state)
{
    struct fetcher *f = state;
    drop_all(f);
    role_drained(f->env);
}

int role_fetcher(void)
{
    static const struct role_ops ops = {ROLE_FETCHER, start,      on_peer,
                                        on_peer_lost, on_message, on_drain};
    return role_main(&ops);
}
