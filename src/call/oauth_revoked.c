/* Tokens that were revoked before they expired (RFC 7009), for as long as they would live. Memory
 * first, so the next request is refused; the store keeps the list as one value, which stays small
 * because a token lives minutes, and it comes back at a start. */
#include "call/oauth_int.h"
#include "store/read.h"

#include <stdlib.h>

static const str META = {"oauth.revoked", 13};

/* For all, and for one agent, so that none can use up what the others need. */
enum { REVOKED_TOKENS_MAX = 2048, REVOKED_TOKENS_PER_AGENT_MAX = 256 };

struct revoked_token {
    int64_t until_ms;
    char agent[64]; /* empty: from before the start */
};

void oauth_revoked_fini(struct oauth *o)
{
    str jti;
    void *v;
    for (size_t i = 0; map_next(&o->revoked, &i, &jti, &v);)
        free(v);
    map_fini(&o->revoked);
}

void oauth_sweep(struct oauth *o, int64_t now_ms)
{
    str jti;
    void *v;
    if (o)
        oauth_proofs_sweep(o, now_ms);
    for (size_t i = 0; o && map_next(&o->revoked, &i, &jti, &v);) {
        struct revoked_token *t = v;
        if (now_ms >= t->until_ms)
            free(map_del(&o->revoked, jti));
    }
}

bool oauth_is_revoked(const struct oauth *o, str jti)
{
    return o && map_get(&o->revoked, jti) != NULL;
}

static void put(struct oauth *o, str jti, str agent, int64_t until_ms)
{
    struct revoked_token *v = calloc(1, sizeof *v);
    if (!v)
        abort();
    v->until_ms = until_ms;
    memcpy(v->agent, agent.p ? agent.p : "", agent.n < sizeof v->agent ? agent.n : 0);
    free(map_put(&o->revoked, jti, v));
}

static size_t count_of(const struct oauth *o, str agent)
{
    size_t n = 0;
    str jti;
    void *v;
    for (size_t i = 0; map_next(&o->revoked, &i, &jti, &v);)
        n += str_eq(str_z(((struct revoked_token *)v)->agent), agent);
    return n;
}

static void write_all(const struct oauth *o, struct buf *out)
{
    struct jw w = jw(out);
    str jti;
    void *v;
    jw_obj(&w);
    for (size_t i = 0; map_next(&o->revoked, &i, &jti, &v);)
        jw_ki64(&w, jti, ((struct revoked_token *)v)->until_ms);
    jw_end_obj(&w);
}

bool oauth_revoked_add(struct gate *g, str jti, str agent, int64_t until_ms, int64_t now_ms,
                       store_done_fn *done, void *arg, struct err *err)
{
    struct oauth *o = g->oauth;
    struct buf all = {0};
    oauth_sweep(o, now_ms);
    if (map_count(&o->revoked) >= REVOKED_TOKENS_MAX ||
        count_of(o, agent) >= REVOKED_TOKENS_PER_AGENT_MAX)
        return err_limit(err, "too many tokens are being revoked; complete the task instead");
    put(o, jti, agent, until_ms);
    write_all(o, &all);
    struct store_txn *txn = store_txn_new(g->store);
    store_meta_put(txn, META, buf_str(&all));
    gate_submit(g, txn, done, arg);
    buf_fini(&all);
    return true;
}

bool oauth_revoked_restore(struct gate *g, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    str text, jti;
    const json *all, *v;
    int64_t until_ms;
    if (!store_read_meta(store_view(g->store), &a, META, &text, err))
        return err->kind == ERR_NOTFOUND;
    if (!json_read(&a, text, NULL, &all, err))
        return err_in(err, "the stored list of revoked tokens");
    for (struct json_iter it = json_iter(all); json_next(&it, &jti, &v);)
        if (json_i64(v, &until_ms))
            put(g->oauth, jti, (str){0}, until_ms);
    return true;
}
