/* Revoked identities. Table, steps, reading. */
#include "store/store_private.h"

const char STORE_IDENTITY_TABLES[] =
    "CREATE TABLE revoked("
    "  kind TEXT NOT NULL CHECK(kind IN ('id', 'certificate', 'serial', 'key')),"
    "  name TEXT NOT NULL, at_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL,"
    "  by TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY(kind, name)) STRICT, WITHOUT ROWID;";

void store_revoked_put(struct store_txn *t, const struct store_revoked *r)
{
    store_step(t, STORE_MUST, STORE_REVOKED_PUT, STORE_STR(r->kind), STORE_STR(r->name),
               STORE_I64(r->at_ms), STORE_I64(r->until_ms), STORE_STR(r->by), STORE_STR(r->reason));
}

void store_revoked_delete(struct store_txn *t, str kind, str name)
{
    store_step(t, STORE_MUST, STORE_REVOKED_DELETE, STORE_STR(kind), STORE_STR(name));
}

void store_revoked_sweep(struct store_txn *t, int64_t now_ms)
{
    store_step(t, STORE_PLAIN, STORE_REVOKED_SWEEP, STORE_I64(now_ms));
}

struct revoked_walk {
    store_revoked_fn *each;
    void *arg;
};

static bool on_revoked(void *ctx, const struct store_row *from)
{
    struct revoked_walk *w = ctx;
    struct store_revoked row = {.kind = store_row_str(from, 0),
                                .name = store_row_str(from, 1),
                                .at_ms = store_row_i64(from, 2),
                                .until_ms = store_row_i64(from, 3),
                                .by = store_row_str(from, 4),
                                .reason = store_row_str(from, 5)};
    return w->each(w->arg, &row);
}

bool store_read_revoked(struct store_view *v, store_revoked_fn *each, void *arg, struct err *err)
{
    struct revoked_walk w = {each, arg};
    return store_walk(v,
                      "SELECT kind, name, at_ms, until_ms, by, reason FROM revoked"
                      " ORDER BY at_ms, kind, name",
                      NULL, 0, on_revoked, &w, err);
}
