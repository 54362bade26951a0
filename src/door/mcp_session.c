/* Sessions with upstreams, one for each (binding, principal), so that two principals never share
 * one (mcp.md section 4); and the credential that a job carries. */
#include "door/mcp_int.h"
#include "base/limits.h"

#include <stdlib.h>

/* ---- jobs ---- */

static str secret_value(const struct job *j, str name)
{
    str run = buf_str(&j->secrets), key, value;
    bool bad = false;
    while (unpack_str(&run, &key, &bad) && unpack_str(&run, &value, &bad))
        if (str_eq(key, name))
            return value;
    return (str){0};
}

struct post *job_post(struct job *j, const struct mcp_out *out, const struct post_ops *ops,
                      void *owner, struct err *err)
{
    struct upstream_secret s[9];
    size_t n = 0;
    const struct conf_binding *b = j->up->conf;
    struct post_request req = {.method = S("POST"),
                               .out = out,
                               .wait_ms = j->wait_ms,
                               .ops = ops,
                               .owner = owner,
                               .secrets = s};
    if (b->kind == BINDING_STDIO) {
        req.principal = j->principal;
        if (j->voucher.n)
            s[n++] = (struct upstream_secret){S("Ambit-Secret-Voucher"), {0}, j->voucher};
        if (j->run_voucher.n)
            s[n++] = (struct upstream_secret){S("Ambit-Run-Voucher"), {0}, j->run_voucher};
    } else {
        for (size_t i = 0; i < b->headers_n && n < 8; i++)
            if (b->headers[i].secret.n)
                s[n++] = (struct upstream_secret){b->headers[i].name, b->headers[i].prefix,
                                                  secret_value(j, b->headers[i].secret)};
        if (j->txn.n)
            s[n++] = (struct upstream_secret){S("Txn-Token"), {0}, j->txn};
    }
    req.secrets_n = n;
    return upstream_post(j->up, &req, err);
}

void job_release(struct job *j, str voucher)
{
    struct mcp_door *d = j->door;
    struct map_key room;
    struct err err;
    if (!voucher.n) {
        j->on_secret(j, NULL);
        return;
    }
    uint64_t id = ++d->next_id;
    map_put(&d->released, id_key(id, &room), j);
    if (d->o.send(d->o.ctx, ROLE_KEEPER, MSG_RELEASE, id, &(struct msg_release){voucher}))
        return;
    map_del(&d->released, id_key(id, &room));
    err_peer(&err, "the keeper is restarting");
    j->on_secret(j, &err);
}

void job_fini(struct job *j)
{
    str id;
    void *v;
    if (!j->door)
        return;
    session_leave(j);
    for (size_t i = 0; map_next(&j->door->released, &i, &id, &v);)
        if (v == j)
            map_del(&j->door->released, id);
    buf_fini(&j->secrets);
}

/* ---- sessions ---- */

static void opening_step(struct up_session *s, enum mcp_step step, struct mcp_out *out,
                         struct err *err);
static void open_session(struct up_session *s, enum mcp_era era);

static void fail_waiters(struct up_session *s, const struct err *err)
{
    struct list waiters;
    list_init(&waiters);
    LIST_EACH(&s->waiters, it)
    {
        list_remove(it);
        list_append(&waiters, it);
    }
    LIST_EACH(&waiters, it2)
    {
        struct job *j = LIST_ENTRY(it2, struct job, waiting);
        list_remove(&j->waiting);
        j->on_session(j, err);
    }
}

static bool on_opening_message(void *owner, const struct mcp_answer *answer)
{
    struct up_session *s = owner;
    struct mcp_out out = {0};
    struct err err = {0};
    enum mcp_step step = mcp_client_opened(&s->client, &s->arena, answer, &out, &err);
    if (step == MCP_READ_ON)
        return true;
    s->post = NULL;
    opening_step(s, step, &out, &err);
    return false;
}

static void on_opening_end(void *owner, const struct err *err, bool sent)
{
    struct up_session *s = owner;
    struct err why = {0};
    (void)sent;
    s->post = NULL;
    err_peer(&why, "%s", err ? err->text : "the upstream's answer to the opening is missing");
    opening_step(s, MCP_FAILED, NULL, &why);
}

static void opening_failed(struct up_session *s, const struct err *err)
{
    /* A stdio server that refuses the old handshake may speak the new one only. */
    bool again = s->up->conf->kind == BINDING_STDIO && s->up->conf->era == ERA_AUTO &&
                 !s->second_try && err->kind == ERR_PEER;
    if (again) {
        s->second_try = true;
        open_session(s, MCP_ERA_MODERN);
        return;
    }
    s->opener = NULL;
    s->second_try = false;
    fail_waiters(s, err);
}

static void opening_step(struct up_session *s, enum mcp_step step, struct mcp_out *out,
                         struct err *err)
{
    static const struct post_ops ops = {on_opening_message, on_opening_end};
    if (step == MCP_FAILED) {
        opening_failed(s, err);
        return;
    }
    if (step == MCP_READY) {
        s->ready = true;
        s->second_try = false;
        s->opener = NULL;
        fail_waiters(s, NULL); /* no error: they go on */
        return;
    }
    s->post = job_post(s->opener, out, &ops, s, err);
    if (!s->post)
        opening_failed(s, err);
}

static enum mcp_era era_of(const struct conf_binding *b)
{
    if (b->era == ERA_MODERN)
        return MCP_ERA_MODERN;
    if (b->era == ERA_LEGACY || b->kind == BINDING_STDIO)
        return MCP_ERA_LEGACY;
    return MCP_ERA_AUTO;
}

static void open_session(struct up_session *s, enum mcp_era era)
{
    struct mcp_out out = {0};
    struct err err = {0};
    struct mcp_client_config config = {
        .era = era, .self_name = s->door->self.name, .self_version = s->door->self.version};
    arena_reset(&s->arena);
    mcp_client_init(&s->client, &config);
    s->opener = LIST_ENTRY(list_first(&s->waiters), struct job, waiting);
    enum mcp_step step = mcp_client_open(&s->client, &s->arena, &out);
    opening_step(s, step, &out, &err);
}

static struct up_session *session_of(struct job *j)
{
    struct mcp_door *d = j->door;
    struct buf key = {0};
    buf_put(&key, j->up->conf->name);
    buf_putc(&key, 0);
    buf_put(&key, j->principal);
    struct up_session *s = map_get(&d->sessions, buf_str(&key));
    if (!s) {
        s = calloc(1, sizeof *s);
        if (!s)
            abort();
        s->door = d;
        s->up = j->up;
        list_init(&s->waiters);
        s->key =
            str_of(memcpy(malloc(buf_len(&key)), buf_str(&key).p, buf_len(&key)), buf_len(&key));
        map_put(&d->sessions, s->key, s);
    }
    buf_fini(&key);
    return s;
}

void session_want(struct job *j)
{
    struct up_session *s = session_of(j);
    j->session = s;
    s->used_ms = loop_now_ms(j->door->o.loop);
    if (s->ready) {
        j->on_session(j, NULL);
        return;
    }
    list_append(&s->waiters, &j->waiting);
    if (!s->opener)
        open_session(s, era_of(s->up->conf));
}

void session_lost(struct up_session *s)
{
    s->ready = false;
}

static void on_reopen(void *owner)
{
    struct up_session *s = owner;
    if (!s->opener && !s->ready && !list_is_empty(&s->waiters))
        open_session(s, era_of(s->up->conf));
}

void session_leave(struct job *j)
{
    struct up_session *s = j->session;
    j->session = NULL;
    if (!s)
        return;
    list_remove(&j->waiting);
    if (s->opener != j)
        return;
    /* Its credential goes with it: the next in the queue opens anew. */
    if (s->post)
        post_cancel(s->post);
    s->post = NULL;
    s->opener = NULL;
    /* Not at once: the caller may be walking a list that a failure here would change. */
    loop_defer(s->door->o.loop, &s->reopen, on_reopen, s);
}

static void session_free(struct up_session *s)
{
    struct err err = {0};
    if (s->post)
        post_cancel(s->post);
    s->post = NULL;
    deferred_cancel(&s->reopen);
    err_peer(&err, "the session with the upstream was closed");
    s->opener = NULL;
    fail_waiters(s, &err);
    arena_fini(&s->arena);
    free((char *)(uintptr_t)s->key.p);
    free(s);
}

void sessions_end_of(struct mcp_door *d, str principal)
{
    str key;
    void *v;
    for (size_t i = 0; map_next(&d->sessions, &i, &key, &v);) {
        ptrdiff_t nul = str_find_char(key, 0, 0);
        if (!str_eq(str_skip(key, (size_t)nul + 1), principal))
            continue;
        map_del(&d->sessions, key);
        session_free(v);
    }
}

void sessions_sweep(struct mcp_door *d, int64_t idle_ms)
{
    str key;
    void *v;
    int64_t now = loop_now_ms(d->o.loop);
    for (size_t i = 0; map_next(&d->sessions, &i, &key, &v);) {
        struct up_session *s = v;
        if (s->opener || now - s->used_ms < idle_ms || mcp_door_busy(d))
            continue;
        map_del(&d->sessions, key);
        session_free(s);
    }
}
