/* Revocation: leases and the receipts of closings. Tables, steps, readings. */
#include "store/store_private.h"

/* receipt_task leads from a task to the receipts that cover it. */
const char STORE_REVOKE_TABLES[] =
    "CREATE TABLE lease("
    "  task TEXT NOT NULL, binding TEXT NOT NULL,"
    "  holder TEXT NOT NULL CHECK(holder IN ('edge', 'program')),"
    "  state TEXT NOT NULL CHECK(state IN ('live', 'revoking', 'ended', 'quarantined')),"
    "  opened_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, why TEXT NOT NULL,"
    "  PRIMARY KEY(task, binding)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX lease_open ON lease(task) WHERE state IN ('live', 'revoking');"
    "CREATE TABLE receipt("
    "  id TEXT PRIMARY KEY NOT NULL,"
    "  kind TEXT NOT NULL CHECK(kind IN ('task', 'agent', 'owner', 'binding', 'suspension')),"
    "  name TEXT NOT NULL, closes TEXT NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL,"
    "  opened_ms INTEGER NOT NULL, state TEXT NOT NULL CHECK(state IN ('open', 'ended')),"
    "  body TEXT NOT NULL) STRICT;"
    "CREATE INDEX receipt_open ON receipt(id) WHERE state = 'open';"
    "CREATE TABLE receipt_task("
    "  task TEXT NOT NULL, receipt TEXT NOT NULL, PRIMARY KEY(task, receipt))"
    "  STRICT, WITHOUT ROWID;"
    "CREATE INDEX receipt_tasks ON receipt_task(receipt);";

/* ---- steps ---- */

void store_lease_open(struct store_txn *t, const struct store_lease *r)
{
    store_step(t, STORE_PLAIN, STORE_LEASE_OPEN, STORE_STR(r->task), STORE_STR(r->binding),
               STORE_STR(r->holder), STORE_I64(r->opened_ms));
}

void store_lease_revoke(struct store_txn *t, str task, int64_t now_ms)
{
    store_step(t, STORE_PLAIN, STORE_LEASE_REVOKE, STORE_STR(task), STORE_I64(now_ms));
}

void store_lease_end(struct store_txn *t, const struct store_lease *r)
{
    store_step(t, STORE_PLAIN, STORE_LEASE_END, STORE_STR(r->task), STORE_STR(r->binding),
               STORE_STR(r->state), STORE_I64(r->changed_ms), STORE_STR(r->why));
}

void store_receipt_insert(struct store_txn *t, const struct store_receipt *r)
{
    store_step(t, STORE_MUST, STORE_RECEIPT_INSERT, STORE_STR(r->id), STORE_STR(r->kind),
               STORE_STR(r->name), STORE_STR(r->closes), STORE_STR(r->by), STORE_STR(r->reason),
               STORE_I64(r->opened_ms));
}

void store_receipt_task(struct store_txn *t, str receipt, str task)
{
    store_step(t, STORE_PLAIN, STORE_RECEIPT_TASK, STORE_STR(task), STORE_STR(receipt));
}

void store_receipt_end(struct store_txn *t, str receipt, str body)
{
    store_step(t, STORE_MUST, STORE_RECEIPT_END, STORE_STR(receipt), STORE_STR(body));
}

/* ---- readings ---- */

struct lease_walk {
    store_lease_fn *each;
    void *arg;
};

static bool on_lease(void *ctx, const struct store_row *from)
{
    struct lease_walk *w = ctx;
    struct store_lease row = {.task = store_row_str(from, 0),
                              .binding = store_row_str(from, 1),
                              .holder = store_row_str(from, 2),
                              .state = store_row_str(from, 3),
                              .opened_ms = store_row_i64(from, 4),
                              .changed_ms = store_row_i64(from, 5),
                              .why = store_row_str(from, 6)};
    return w->each(w->arg, &row);
}

#define LEASE_COLUMNS "SELECT task, binding, holder, state, opened_ms, changed_ms, why FROM lease "

bool store_read_leases(struct store_view *v, str task, store_lease_fn *each, void *arg,
                       struct err *err)
{
    struct lease_walk w = {each, arg};
    struct store_param p[] = {STORE_STR(task)};
    return store_walk(v,
                      task.n ? LEASE_COLUMNS "WHERE task = ?1 ORDER BY binding"
                             : LEASE_COLUMNS "WHERE state IN ('live', 'revoking')",
                      p, task.n ? 1 : 0, on_lease, &w, err);
}

#define RECEIPT_COLUMNS                                                                            \
    "SELECT r.id, r.kind, r.name, r.closes, r.by, r.reason, r.opened_ms, r.state, r.body"          \
    " FROM receipt r "

static struct store_receipt receipt_of(const struct store_row *from)
{
    return (struct store_receipt){.id = store_row_str(from, 0),
                                  .kind = store_row_str(from, 1),
                                  .name = store_row_str(from, 2),
                                  .closes = store_row_str(from, 3),
                                  .by = store_row_str(from, 4),
                                  .reason = store_row_str(from, 5),
                                  .opened_ms = store_row_i64(from, 6),
                                  .state = store_row_str(from, 7),
                                  .body = store_row_str(from, 8)};
}

struct receipt_walk {
    store_receipt_fn *each;
    void *arg;
};

static bool on_receipt(void *ctx, const struct store_row *from)
{
    struct receipt_walk *w = ctx;
    struct store_receipt row = receipt_of(from);
    return w->each(w->arg, &row);
}

bool store_read_receipts_open(struct store_view *v, store_receipt_fn *each, void *arg,
                              struct err *err)
{
    struct receipt_walk w = {each, arg};
    return store_walk(v, RECEIPT_COLUMNS "WHERE r.state = 'open' ORDER BY r.rowid", NULL, 0,
                      on_receipt, &w, err);
}

struct one_receipt {
    struct arena *a;
    struct store_receipt *out;
    bool found;
};

static bool on_one_receipt(void *ctx, const struct store_row *from)
{
    struct one_receipt *o = ctx;
    struct store_receipt *r = o->out;
    *r = receipt_of(from);
    str *const all[] = {&r->id, &r->kind,   &r->name,  &r->closes,
                        &r->by, &r->reason, &r->state, &r->body};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        *all[i] = str_dup(o->a, *all[i]);
    o->found = true;
    return false;
}

bool store_read_receipt(struct store_view *v, struct arena *a, str id, struct store_receipt *out,
                        struct err *err)
{
    struct store_receipt row;
    struct one_receipt o = {a, &row, false};
    struct store_param p[] = {STORE_STR(id)};
    if (!store_walk(v, RECEIPT_COLUMNS "WHERE r.id = ?1", p, 1, on_one_receipt, &o, err) ||
        (!o.found && !store_walk(v,
                                 RECEIPT_COLUMNS "JOIN receipt_task t ON t.receipt = r.id"
                                                 " WHERE t.task = ?1 ORDER BY r.rowid DESC LIMIT 1",
                                 p, 1, on_one_receipt, &o, err)))
        return false;
    if (!o.found)
        return err_notfound(err, "no receipt %.*s, and none of a task of that id",
                            STR(str_take(id, 64)));
    *out = row;
    return true;
}

struct id_walk {
    store_id_fn *each;
    void *arg;
};

static bool on_id(void *ctx, const struct store_row *from)
{
    struct id_walk *w = ctx;
    return w->each(w->arg, store_row_str(from, 0));
}

bool store_read_receipt_tasks(struct store_view *v, str receipt, store_id_fn *each, void *arg,
                              struct err *err)
{
    struct id_walk w = {each, arg};
    struct store_param p[] = {STORE_STR(receipt)};
    return store_walk(v, "SELECT task FROM receipt_task WHERE receipt = ?1 ORDER BY task", p, 1,
                      on_id, &w, err);
}
