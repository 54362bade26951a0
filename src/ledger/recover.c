#include "ledger/recover.h"
#include "base/limits.h"
#include "store/read.h"

/* The open calls, copied out of the table before it is changed. */
struct open_calls {
    struct arena a;
    struct open_call {
        struct open_call *next;
        str id, task;
    } * first, **last;
    size_t n;
};

static bool on_open_call(void *arg, const struct store_open_call *row)
{
    struct open_calls *o = arg;
    struct open_call *c = ARENA_NEW(&o->a, struct open_call);
    c->id = str_dup(&o->a, row->id);
    c->task = str_dup(&o->a, row->task);
    *o->last = c;
    o->last = &c->next;
    o->n++;
    return true;
}

/* ---- from an intent to its outcome ---- */

struct intent {
    struct arena *a;
    const json *leaf;
};

static bool on_leaf(void *arg, const struct store_leaf_row *row)
{
    struct intent *in = arg;
    const json *leaf = NULL;
    struct err ignored = {0};
    if (json_read(in->a, row->body, NULL, &leaf, &ignored) &&
        str_eq(json_get_str(leaf, S("type")), S("intent")))
        in->leaf = leaf;
    return in->leaf == NULL;
}

/* The texts of a list of the intent; NULL if it has none. */
static str *texts_of(struct arena *a, const json *intent, str name, size_t *n)
{
    const json *list = json_get(intent, name), *v;
    str *texts = ARENA_ARRAY(a, str, json_count(list) + 1);
    *n = 0;
    for (struct json_iter it = json_iter(list); json_next(&it, NULL, &v);)
        texts[(*n)++] = json_str(v);
    return *n ? texts : NULL;
}

static str outcome_of(struct buf *out, struct arena *a, str call, const json *intent,
                      const struct record_start *start)
{
    size_t n, delegators_n;
    const str *parents = texts_of(a, intent, S("parents"), &n);
    const str *delegators = texts_of(a, intent, S("delegators"), &delegators_n);
    struct record_outcome r = {.time_ms = start->time_ms,
                               .call = call,
                               .chain = {.task = json_get_str(intent, S("task")),
                                         .parents = parents,
                                         .parents_n = n,
                                         .owner = json_get_str(intent, S("owner")),
                                         .agent = json_get_str(intent, S("agent")),
                                         .instance = json_get_str(intent, S("instance")),
                                         .delegators = delegators_n == n ? delegators : NULL,
                                         .gateway = start->gateway},
                               .op = {json_get_str(intent, S("binding")),
                                      json_get_str(intent, S("tool")),
                                      json_get_str(intent, S("effect"))},
                               .status = RECORD_UNKNOWN,
                               .reason = S("restart")};
    return record_outcome(out, &r);
}

static bool settle(struct store *s, const struct open_call *c, const struct record_start *start,
                   struct buf *leaf, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    struct intent in = {.a = &a};
    if (!store_read_leaves(store_view(s), &(struct store_leaf_query){.call = c->id}, on_leaf, &in,
                           err))
        return false;
    if (!in.leaf)
        return err_input(err, "the store is damaged: open call %.*s has no intent",
                         STR(str_take(c->id, 64)));
    struct store_txn *t = store_txn_new(s);
    store_open_call_delete(t, c->id);
    store_leaf(t, outcome_of(leaf, &a, c->id, in.leaf, start), c->id, c->task);
    return store_submit(s, t, NULL, NULL, err);
}

bool ledger_recover(struct store *s, const struct record_start *r, size_t *out_recovered,
                    struct err *err)
{
    struct open_calls o = {.last = &o.first};
    struct buf leaf = {.max = STORE_LEAF_BYTES_MAX};
    bool ok = store_read_open_calls(store_view(s), on_open_call, &o, err);
    for (const struct open_call *c = o.first; ok && c; c = c->next)
        ok = settle(s, c, r, &leaf, err);
    if (ok) {
        struct record_start start = *r;
        start.recovered = (int64_t)o.n;
        struct store_txn *t = store_txn_new(s);
        store_leaf(t, record_start(&leaf, &start), (str){0}, (str){0});
        ok = store_submit(s, t, NULL, NULL, err);
    }
    store_flush(s);
    if (ok && store_failed(s))
        ok = err_input(err, "%.*s", STR(store_failure(s)));
    if (ok && out_recovered)
        *out_recovered = o.n;
    arena_fini(&o.a);
    buf_fini(&leaf);
    return ok;
}
