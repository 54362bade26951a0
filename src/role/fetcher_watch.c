/* A foreign Workload API (a SPIRE agent's socket): what bundles it hands out, as they change.
 *
 *     connect -> FetchX509Bundles and FetchJWTBundles, both streams
 *             -> each answer: the two as one bundle document, once both have spoken
 *             -> every PING_MS a ping; its answer confirms what was said last
 *             -> anything ends: an error, and core asks anew when it thinks fit
 *
 * The API says its bundles without sequence: the newest is what counts. */
#include "base/log.h"
#include "identity/bundle.h"
#include "identity/grpc_client.h"
#include "identity/workload_msg.h"
#include "net/timer.h"
#include "role/fetcher_int.h"

#include <stdlib.h>

enum { PING_MS = 30 * 1000, PONG_MS_MAX = 10 * 1000, TAG_X509 = 1, TAG_JWT = 2 };

struct watch_api { /* freed in on_close */
    struct list node;
    struct fetcher *f;
    struct source *source;
    uint64_t id;
    struct conn *conn;
    struct grpc_client *grpc;
    struct timer ping;
    struct buf roots, jwks; /* of the issuer's trust domain, as said last */
    bool has_roots, has_jwks, said, waits_pong;
    struct err why; /* ERR_NONE: it is for the connection to say */
};

/* ---- what is said ---- */

/* A JWK Set of the API has no `use`, or jwt-svid: nothing else is in it (SPIFFE Workload API
 * section 6.2.2). The document's entries must say so. */
static bool put_jwt_keys(struct jw *w, str jwks, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    const struct json_limits limits = {
        .bytes_max = BUNDLE_BYTES_MAX, .depth_max = 8, .values_max = 4096};
    const json *root, *entry, *v;
    str name;
    if (!json_read(&a, jwks, &limits, &root, err))
        return err_in(err, "JWT bundle");
    for (struct json_iter it = json_iter(json_get(root, S("keys")));
         json_next(&it, NULL, &entry);) {
        if (json_type(entry) != JSON_OBJECT)
            return err_input(err, "JWT bundle: an entry is not an object");
        jw_obj(w);
        for (struct json_iter m = json_iter(entry); json_next(&m, &name, &v);)
            if (!str_eq(name, S("use")))
                jw_kvalue(w, name, v);
        jw_kstr(w, S("use"), S("jwt-svid"));
        jw_end_obj(w);
    }
    return true;
}

/* The roots as bundle_write says them, without those of kinds that are not used here. */
static bool put_roots(struct jw *w, str trust_domain, str roots, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    str ders[BUNDLE_CERTS_MAX];
    size_t n = 0;
    struct bundle *b;
    struct buf text = {0};
    const json *root, *entry;
    if (roots.n && !x509_split(roots, ders, BUNDLE_CERTS_MAX, &n, err))
        return err_in(err, "X.509 bundle");
    if (!bundle_new(trust_domain, &b, err))
        return false;
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++)
        ok = bundle_add_x509(b, ders[i], err) || err->kind == ERR_NOTFOUND;
    if (ok)
        bundle_write(b, &text);
    bundle_free(b);
    ok = ok && json_read(&a, buf_str(&text), NULL, &root, err);
    if (ok)
        for (struct json_iter it = json_iter(json_get(root, S("keys")));
             json_next(&it, NULL, &entry);)
            jw_value(w, entry);
    buf_fini(&text);
    return ok;
}

static void say(struct watch_api *w)
{
    struct buf text = {.max = FETCH_BYTES_MAX};
    struct jw out = jw(&text);
    struct err err = {0};
    if (!w->has_roots || !w->has_jwks)
        return;
    jw_obj(&out);
    jw_ki64(&out, S("spiffe_refresh_hint"), PING_MS / 1000);
    jw_key(&out, S("keys"));
    jw_arr(&out);
    bool ok = put_roots(&out, w->source->conf->trust_domain, buf_str(&w->roots), &err) &&
              put_jwt_keys(&out, buf_str(&w->jwks), &err);
    jw_end_arr(&out);
    jw_end_obj(&out);
    if (ok && text.over)
        ok = err_limit(&err, "the bundles are over %d bytes", FETCH_BYTES_MAX);
    w->said = ok;
    fetcher_answer(w->f, w->id, w->source, 200, buf_str(&text), ok ? NULL : &err);
    if (!ok) {
        w->id = 0; /* the last word on it */
        conn_abort(w->conn);
    }
    buf_fini(&text);
}

/* ---- the streams ---- */

static bool bundle_of(struct watch_api *w, const struct proto_pairs *all, str *out)
{
    ARENA_SCOPE struct arena a = {0};
    str id = str_fmt(&a, "spiffe://%.*s", STR(w->source->conf->trust_domain));
    for (size_t i = 0; i < all->n; i++)
        if (str_eq(all->at[i].key, id)) {
            *out = all->at[i].value;
            return true;
        }
    return false;
}

static void end_watch(struct watch_api *w)
{
    if (!conn_is_closing(w->conn))
        conn_abort(w->conn);
}

static void on_message(void *owner, unsigned tag, str message)
{
    struct watch_api *w = owner;
    ARENA_SCOPE struct arena a = {0};
    union workload_answer answer = {0};
    bool x509 = tag == TAG_X509;
    enum workload_method m = x509 ? WORKLOAD_FETCH_X509_BUNDLES : WORKLOAD_FETCH_JWT_BUNDLES;
    struct buf *kept = x509 ? &w->roots : &w->jwks;
    str bundle = {0};
    if (!proto_decode(&a, workload_methods[m].answer, message, &answer, &w->why)) {
        end_watch(w);
        return;
    }
    bool there =
        bundle_of(w, x509 ? &answer.x509_bundles.bundles : &answer.jwt_bundles.bundles, &bundle);
    if (!there) { /* redacted, or never given: it vouches for nobody */
        err_denied(&w->why, "the Workload API hands out no bundle of %.*s",
                   STR(w->source->conf->trust_domain));
        end_watch(w);
        return;
    }
    buf_clear(kept);
    buf_put(kept, bundle);
    *(x509 ? &w->has_roots : &w->has_jwks) = true;
    say(w);
}

static void on_end(void *owner, unsigned tag, enum grpc_status status, str text)
{
    struct watch_api *w = owner;
    if (w->why.kind == ERR_NONE)
        err_peer(&w->why, "the Workload API ended %s with gRPC status %d: %.*s",
                 tag == TAG_X509 ? "FetchX509Bundles" : "FetchJWTBundles", (int)status, STR(text));
    end_watch(w);
}

static void on_pong(void *owner)
{
    struct watch_api *w = owner;
    w->waits_pong = false;
    conn_deadline(w->conn, 0, "answer to a ping");
    if (w->said)
        say(w);
}

static const struct grpc_client_ops GRPC_OPS = {on_message, on_end, on_pong};

/* ---- the connection ---- */

static void send_all(struct watch_api *w)
{
    struct buf out = {0};
    grpc_client_pull(w->grpc, &out);
    conn_write(w->conn, buf_str(&out));
    buf_fini(&out);
}

static void on_ping_due(void *owner)
{
    struct watch_api *w = owner;
    timer_start(&w->ping, w->f->env->loop, PING_MS, on_ping_due, w);
    if (w->waits_pong)
        return;
    w->waits_pong = true;
    conn_deadline(w->conn, PONG_MS_MAX, "answer to a ping");
    grpc_client_ping(w->grpc);
    send_all(w);
}

static void on_conn_open(struct conn *conn)
{
    struct watch_api *w = conn_owner(conn);
    static const struct grpc_field metadata = {S("workload.spiffe.io"), S("true")};
    if (!grpc_client_call(w->grpc, TAG_X509,
                          str_z(workload_methods[WORKLOAD_FETCH_X509_BUNDLES].path), &metadata, 1,
                          (str){0}, &w->why) ||
        !grpc_client_call(w->grpc, TAG_JWT,
                          str_z(workload_methods[WORKLOAD_FETCH_JWT_BUNDLES].path), &metadata, 1,
                          (str){0}, &w->why)) {
        end_watch(w);
        return;
    }
    timer_start(&w->ping, w->f->env->loop, PING_MS, on_ping_due, w);
    send_all(w);
}

static void on_conn_data(struct conn *conn)
{
    struct watch_api *w = conn_owner(conn);
    struct err err;
    struct buf in = {0};
    buf_put(&in, conn_in(conn)); /* callbacks use the connection */
    conn_consume(conn, buf_len(&in));
    bool ok = grpc_client_feed(w->grpc, buf_str(&in), &err);
    buf_fini(&in);
    if (conn_is_closing(conn))
        return;
    if (!ok) {
        if (w->why.kind == ERR_NONE)
            w->why = err;
        end_watch(w);
        return;
    }
    send_all(w);
}

static void on_conn_close(struct conn *conn, const struct err *err)
{
    struct watch_api *w = conn_owner(conn);
    struct err gone = {0};
    if (w->why.kind == ERR_NONE)
        err_peer(&w->why, "%s", err ? err->text : "the Workload API closed the connection");
    gone = w->why;
    if (w->id)
        fetcher_answer(w->f, w->id, w->source, 0, (str){0}, &gone);
    list_remove(&w->node);
    timer_stop(&w->ping);
    grpc_client_free(w->grpc);
    buf_fini(&w->roots);
    buf_fini(&w->jwks);
    free(w);
}

static const struct conn_ops CONN_OPS = {
    .on_open = on_conn_open, .on_data = on_conn_data, .on_close = on_conn_close};

void fetcher_watch(struct fetcher *f, uint64_t id, struct source *s)
{
    struct addr to;
    struct err err = {0};
    struct watch_api *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    *w = (struct watch_api){.f = f, .source = s, .id = id};
    bool ok = s->conf->source == SOURCE_WORKLOAD_API
                  ? addr_unix(s->conf->location, &to, &err)
                  : err_denied(&err, "this issuer has no \"workloadSocket\"");
    if (!ok || !conn_connect(f->env->loop, &to, NULL, &CONN_OPS, w, &w->conn, &err)) {
        free(w);
        fetcher_answer(f, id, s, 0, (str){0}, &err);
        return;
    }
    w->grpc = grpc_client_new(&GRPC_OPS, w);
    list_append(&f->watches, &w->node);
}

void fetcher_watches_drop(struct fetcher *f)
{
    LIST_EACH(&f->watches, it)
    {
        struct watch_api *w = LIST_ENTRY(it, struct watch_api, node);
        w->id = 0;
        end_watch(w);
    }
}
