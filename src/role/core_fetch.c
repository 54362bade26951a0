/* Documents of issuers elsewhere: core says when and what, the fetcher fetches, identity/trust
 * judges. The life of one issuer:
 *
 *     due -> [discovery ->] asked -> taken: due again after its refresh hint
 *                                 -> failed: due again after 1 s, doubling to FAILED_MS_MAX
 *
 * with a jitter of a tenth each way. What fails leaves in force what there was; identity/trust.h
 * says until when. A file beside an endpoint or a socket is read only while that has not answered,
 * or its keys are stale: the way to begin, and to begin again. */
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "identity/spiffe_id.h"
#include "role/core_int.h"

#include <stdlib.h>

enum {
    FILE_MS = 2 * 1000,
    REFRESH_MS_MIN = 2 * 1000,
    REFRESH_MS_MAX = 3600 * 1000,
    WANTED_MS_MIN = 10 * 1000, /* between two questions that strangers cause */
    FAILED_MS = 1000,
    FAILED_MS_MAX = 5 * 60 * 1000,
    ANSWER_MS_MAX = 30 * 1000, /* of the fetcher, which gives up earlier */
    FETCHES_MAX = 256,
};

struct core_source {
    const struct conf_issuer *conf;
    int64_t due_ms, file_due_ms; /* of the loop's clock */
    int64_t asked_ms;
    uint64_t open, file_open; /* request under way; 0: none */
    bool discovering, watching;
    bool answered; /* the endpoint or socket has, since keys were last missing */
    unsigned failures;
    enum trust_age age; /* as it was last logged */
};

/* For others than the issuers' own documents. */
struct fetch_wait {
    void (*done)(void *arg, uint32_t status, str document, str why);
    void *arg;
    int64_t until_ms;
};

static str id_key(const uint64_t *id)
{
    return str_of((const char *)id, sizeof *id);
}

static int64_t jitter(int64_t ms)
{
    uint64_t r;
    rand_bytes(&r, sizeof r);
    return ms - ms / 10 + (int64_t)(r % (uint64_t)(ms / 5 + 1));
}

void core_fetch_start(struct core *c)
{
    size_t n = c->env->conf.issuers_n;
    c->sources = ARENA_ARRAY(&c->env->arena, struct core_source, n + 1);
    for (size_t i = 0; i < n; i++)
        c->sources[i].conf = &c->env->conf.issuers[i];
}

/* Ends those whose time is over. done may fetch anew. */
static void end_waits(struct core *c, int64_t now, str why)
{
    struct fetch_wait *over[FETCHES_MAX];
    size_t n = 0;
    str key;
    void *v;
    for (size_t i = 0; map_next(&c->fetches, &i, &key, &v);)
        if (now >= ((struct fetch_wait *)v)->until_ms && n < FETCHES_MAX)
            over[n++] = map_del(&c->fetches, key);
    for (size_t i = 0; i < n; i++) {
        over[i]->done(over[i]->arg, 0, (str){0}, why);
        free(over[i]);
    }
}

/* ---- asking ---- */

/* The roots that an https_spiffe endpoint is checked with: of the trust domain that its own
 * expected SPIFFE ID names. */
static void put_roots(struct core *c, const struct conf_issuer *conf, struct buf *out)
{
    struct spiffe_id id;
    struct err err;
    if (conf->source != SOURCE_HTTPS_SPIFFE || !spiffe_id_parse(conf->endpoint_id, &id, &err))
        return;
    const struct bundle *b = trust_bundle(c->gate.trust, id.trust_domain, clock_wall_ms());
    for (size_t i = 0; b && i < bundle_x509_count(b); i++)
        buf_put(out, bundle_x509(b, i));
}

static uint64_t send_fetch(struct core *c, const struct conf_issuer *conf, enum fetch_what what,
                           str url, str form)
{
    struct buf roots = {0};
    uint64_t id = core_new_id(c);
    put_roots(c, conf, &roots);
    struct msg_fetch m = {.source = conf->name,
                          .what = (uint8_t)what,
                          .url = url,
                          .form = form,
                          .roots = buf_str(&roots)};
    role_send(c->fetcher, MSG_FETCH, id, &m);
    buf_fini(&roots);
    return id;
}

static void ask(struct core *c, struct core_source *s, int64_t now)
{
    bool watch = s->conf->source == SOURCE_WORKLOAD_API;
    s->discovering = s->conf->source == SOURCE_DISCOVERY;
    s->watching = watch;
    s->asked_ms = now;
    s->open = send_fetch(c, s->conf, watch ? FETCH_WATCH : FETCH_GET, (str){0}, (str){0});
}

static bool wants_file(const struct core *c, const struct core_source *s)
{
    if (!s->conf->file.n)
        return false;
    return s->conf->source == SOURCE_FILE || !s->answered;
}

static void log_age(struct core *c, struct core_source *s, const struct trust_state *now)
{
    if (now->age == s->age)
        return;
    bool worse = now->age == TRUST_LATE || now->age == TRUST_STALE;
    s->age = now->age;
    if (now->age == TRUST_STALE)
        s->answered = false; /* the file may help */
    if (worse)
        log_warn(now->age == TRUST_STALE
                     ? "the keys of an issuer are too old: what it signs proves nothing now"
                     : "the keys of an issuer were not confirmed for long",
                 LOG_STR("issuer", s->conf->name), LOG_STR("problem", now->problem));
}

void core_fetch_tick(struct core *c)
{
    int64_t now = loop_now_ms(c->env->loop), wall_ms = clock_wall_ms();
    for (size_t i = 0; i < c->env->conf.issuers_n; i++) {
        struct core_source *s = &c->sources[i];
        struct trust_state state;
        trust_state(c->gate.trust, i, wall_ms, &state);
        log_age(c, s, &state);
        if (!c->fetcher)
            continue;
        if (s->open && !s->watching && now - s->asked_ms > ANSWER_MS_MAX)
            s->open = 0;
        if (!s->file_open && wants_file(c, s) && now >= s->file_due_ms) {
            s->file_due_ms = now + FILE_MS;
            s->file_open = send_fetch(c, s->conf, FETCH_FILE, (str){0}, (str){0});
        }
        /* A key that is not known here may be new there. */
        if (trust_wanted(c->gate.trust, i) && now - s->asked_ms > WANTED_MS_MIN && !s->failures)
            s->due_ms = now;
        /* An SVID cannot be checked before the file has come. */
        bool begins =
            s->conf->source == SOURCE_HTTPS_SPIFFE && state.age == TRUST_WAITING && s->file_open;
        if (!s->open && !begins && s->conf->source != SOURCE_FILE && now >= s->due_ms)
            ask(c, s, now);
    }
    end_waits(c, now, S("the fetcher did not answer in time"));
}

/* ---- answers ---- */

static void failed(struct core *c, struct core_source *s, str why)
{
    int64_t ms = FAILED_MS;
    for (unsigned i = 0; i < s->failures && ms < FAILED_MS_MAX; i++)
        ms *= 2;
    ms = ms < FAILED_MS_MAX ? ms : FAILED_MS_MAX;
    if (s->failures++ == 0)
        log_warn("the keys of an issuer cannot be fetched; what there is stays in force",
                 LOG_STR("issuer", s->conf->name), LOG_STR("problem", why));
    s->due_ms = loop_now_ms(c->env->loop) + jitter(ms);
    trust_missed(c->gate.trust, s->conf->name, why, clock_wall_ms());
}

static bool take(struct core *c, struct core_source *s, str document)
{
    struct err err;
    bool changed;
    if (!trust_take(c->gate.trust, s->conf->name, document, clock_wall_ms(), &changed, &err)) {
        failed(c, s, str_z(err.text));
        return false;
    }
    if (changed) {
        log_info("keys of an issuer", LOG_STR("issuer", s->conf->name));
        core_bundle_changed(c);
    }
    return true;
}

static void taken(struct core *c, struct core_source *s)
{
    struct trust_state state;
    trust_state(c->gate.trust, (size_t)(s - c->sources), clock_wall_ms(), &state);
    int64_t ms = state.refresh_s * 1000;
    ms = ms < REFRESH_MS_MIN ? REFRESH_MS_MIN : ms > REFRESH_MS_MAX ? REFRESH_MS_MAX : ms;
    if (ms > s->conf->max_age_ms / 4)
        ms = s->conf->max_age_ms / 4;
    s->failures = 0;
    s->answered = true;
    s->due_ms = loop_now_ms(c->env->loop) + jitter(ms);
}

/* OpenID Connect Discovery section 4.3: the issuer must be the one that was asked. */
static bool discovered(struct arena *a, const struct conf_issuer *conf, str document, str *jwks,
                       struct err *err)
{
    const struct json_limits limits = {.bytes_max = 256 << 10, .depth_max = 8, .values_max = 4096};
    const json *root;
    if (!json_read(a, document, &limits, &root, err))
        return err_in(err, "discovery document");
    if (!str_eq(json_get_str(root, S("issuer")), conf->url))
        return err_denied(err, "the discovery document is of another issuer than %.*s",
                          STR(conf->url));
    *jwks = json_get_str(root, S("jwks_uri"));
    return jwks->n > 0 || err_input(err, "the discovery document has no jwks_uri");
}

static void go_on(struct core *c, struct core_source *s, str document)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    str jwks;
    if (!discovered(&a, s->conf, document, &jwks, &err)) {
        failed(c, s, str_z(err.text));
        return;
    }
    s->discovering = false;
    s->asked_ms = loop_now_ms(c->env->loop);
    s->open = send_fetch(c, s->conf, FETCH_GET, jwks, (str){0});
}

static void on_document(struct core *c, struct core_source *s, const struct msg_fetched *m)
{
    bool watching = s->watching && !m->error.n;
    uint64_t open = s->open;
    s->open = watching ? open : 0;
    if (m->error.n)
        failed(c, s, m->error);
    else if (s->discovering)
        go_on(c, s, m->document);
    else if (take(c, s, m->document))
        taken(c, s);
}

static void on_file(struct core *c, struct core_source *s, const struct msg_fetched *m)
{
    struct err err;
    bool changed = false, only = s->conf->source == SOURCE_FILE;
    s->file_open = 0;
    if (!only && s->answered)
        return; /* the endpoint was faster */
    if (!m->error.n &&
        trust_take(c->gate.trust, s->conf->name, m->document, clock_wall_ms(), &changed, &err)) {
        s->failures = 0;
        if (changed) {
            log_info("keys of an issuer, from its file", LOG_STR("issuer", s->conf->name));
            core_bundle_changed(c);
        }
        if (changed && !only)
            s->due_ms = 0; /* the endpoint can be checked now */
        return;
    }
    str why = m->error.n ? m->error : str_z(err.text);
    trust_missed(c->gate.trust, s->conf->name, why, clock_wall_ms());
    if (only && s->failures++ == 0)
        log_warn("the file of an issuer cannot be used; what there is stays in force",
                 LOG_STR("issuer", s->conf->name), LOG_STR("problem", why));
}

void core_on_fetched(struct core *c, uint64_t id, const struct msg_fetched *m)
{
    struct fetch_wait *w = map_del(&c->fetches, id_key(&id));
    if (w) {
        w->done(w->arg, m->status, m->document, m->error);
        free(w);
        return;
    }
    for (size_t i = 0; id && i < c->env->conf.issuers_n; i++) {
        if (c->sources[i].open == id)
            on_document(c, &c->sources[i], m);
        else if (c->sources[i].file_open == id)
            on_file(c, &c->sources[i], m);
        else
            continue;
        return;
    }
}

/* ---- for others ---- */

void core_fetch(void *ctx, str source, enum fetch_what what, str url, str form,
                void (*done)(void *arg, uint32_t status, str document, str why), void *arg)
{
    struct core *c = ctx;
    const struct conf_issuer *conf = conf_issuer(&c->env->conf, source);
    if (!conf || !c->fetcher || map_count(&c->fetches) >= FETCHES_MAX) {
        done(arg, 0, (str){0},
             !conf ? S("no such issuer in the configuration") : S("the fetcher is not there"));
        return;
    }
    struct fetch_wait *w = malloc(sizeof *w);
    if (!w)
        abort();
    *w = (struct fetch_wait){done, arg, loop_now_ms(c->env->loop) + ANSWER_MS_MAX};
    uint64_t id = send_fetch(c, conf, what, url, form);
    free(map_put(&c->fetches, id_key(&id), w));
}

void core_fetch_peer(struct core *c, struct chan *chan)
{
    c->fetcher = chan;
    for (size_t i = 0; i < c->env->conf.issuers_n; i++) {
        struct core_source *s = &c->sources[i];
        s->open = s->file_open = 0;
        s->due_ms = s->file_due_ms = 0;
    }
    if (!chan)
        end_waits(c, INT64_MAX, S("the fetcher ended"));
    else
        core_fetch_tick(c);
}
