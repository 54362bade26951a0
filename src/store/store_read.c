/* The read-only connection. A reading prepares its statement, walks it and finalises it: reads are
 * few (start-up, traces, one a checkpoint), so nothing is cached and readings may nest. */
#include "store/store_private.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- connecting ---- */

bool view_init(struct store_view *v, struct store_file *f, struct err *err)
{
    v->file = f;
    return store_file_connect(f, false, &v->db, err);
}

void view_fini(struct store_view *v)
{
    sqlite3_close(v->db);
    v->db = NULL;
}

bool store_open_readonly(const char *dir, struct store_view **out, struct err *err)
{
    int fd = -1;
    if (!store_dir_open(dir, false, &fd, err))
        return false;
    if (faccessat(fd, STORE_FILE, R_OK, 0) != 0) {
        close(fd);
        return err_system(err, "store: %s/" STORE_FILE, dir);
    }
    struct store_view *v = calloc(1, sizeof *v);
    if (!v)
        abort();
    v->own.dir_fd = -1;
    bool ok = store_file_init(&v->own, fd, err) && view_init(v, &v->own, err) &&
              store_file_migrate(&v->own, v->db, false, err);
    close(fd);
    if (!ok) {
        store_view_close(v);
        return false;
    }
    *out = v;
    return true;
}

void store_view_close(struct store_view *v)
{
    if (!v)
        return;
    view_fini(v);
    store_file_fini(&v->own);
    free(v);
}

bool store_view_begin(struct store_view *v, struct err *err)
{
    return store_file_exec(v->file, v->db, "BEGIN; SELECT count(*) FROM meta", "begin to read",
                           err);
}

void store_view_end(struct store_view *v)
{
    sqlite3_exec(v->db, "COMMIT", NULL, NULL, NULL);
}

/* ---- walking ---- */

/* One row; false ends the walk. */
typedef bool row_fn(void *ctx, sqlite3_stmt *st);

static void bind_all(sqlite3_stmt *st, const struct store_param *params, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct store_param *p = &params[i];
        if (p->kind == STORE_PARAM_I64)
            sqlite3_bind_int64(st, (int)i + 1, p->number);
        else if (p->kind == STORE_PARAM_STR)
            sqlite3_bind_text(st, (int)i + 1, p->bytes.p ? p->bytes.p : "", (int)p->bytes.n,
                              SQLITE_STATIC);
        else if (p->kind == STORE_PARAM_BLOB)
            sqlite3_bind_blob(st, (int)i + 1, p->bytes.p ? p->bytes.p : "", (int)p->bytes.n,
                              SQLITE_STATIC);
    }
}

static bool walk(struct store_view *v, const char *sql, const struct store_param *params, size_t n,
                 row_fn *row, void *ctx, struct err *err)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(v->db, sql, -1, &st, NULL) != SQLITE_OK)
        return store_file_error(v->file, v->db, "read", err);
    bind_all(st, params, n);
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW)
        if (!row(ctx, st))
            break;
    bool ok = rc == SQLITE_ROW || rc == SQLITE_DONE;
    if (!ok)
        store_file_error(v->file, v->db, "read", err);
    sqlite3_finalize(st);
    return ok;
}

static str text(sqlite3_stmt *st, int col)
{
    const void *p = sqlite3_column_blob(st, col);
    return str_of(p, (size_t)sqlite3_column_bytes(st, col));
}

static int64_t number(sqlite3_stmt *st, int col)
{
    return sqlite3_column_int64(st, col);
}

/* ---- tasks ---- */

#define TASK_COLUMNS                                                                               \
    "SELECT t.id, t.parent, t.owner, t.agent, t.purpose, t.grants, s.state, t.opened_ms,"          \
    " s.deadline_ms, s.calls_left, s.children, s.closed_ms, s.reason, s.until_ms,"                 \
    " s.bytes_left, s.rows_left, s.tokens_left, s.money_left, t.opened_by"                         \
    " FROM task t JOIN task_state s ON s.id = t.id "

static struct store_task task_of(sqlite3_stmt *st)
{
    return (struct store_task){.id = text(st, 0),
                               .parent = text(st, 1),
                               .owner = text(st, 2),
                               .agent = text(st, 3),
                               .purpose = text(st, 4),
                               .grants = text(st, 5),
                               .state = text(st, 6),
                               .opened_ms = number(st, 7),
                               .deadline_ms = number(st, 8),
                               .calls_left = number(st, 9),
                               .children = number(st, 10),
                               .closed_ms = number(st, 11),
                               .reason = text(st, 12),
                               .until_ms = number(st, 13),
                               .left = {.bytes = number(st, 14),
                                        .rows = number(st, 15),
                                        .tokens = number(st, 16),
                                        .money = number(st, 17)},
                               .opened_by = text(st, 18)};
}

struct task_walk {
    store_task_fn *each;
    void *arg;
};

static bool on_task(void *ctx, sqlite3_stmt *st)
{
    struct task_walk *w = ctx;
    struct store_task row = task_of(st);
    return w->each(w->arg, &row);
}

bool store_read_tasks_open(struct store_view *v, store_task_fn *each, void *arg, struct err *err)
{
    struct task_walk w = {each, arg};
    return walk(v,
                TASK_COLUMNS "WHERE s.state IN ('active', 'suspended', 'granted', 'requested')"
                             " ORDER BY t.opened_ms, t.rowid",
                NULL, 0, on_task, &w, err);
}

bool store_read_tasks_recent(struct store_view *v, size_t limit, store_task_fn *each, void *arg,
                             struct err *err)
{
    struct task_walk w = {each, arg};
    struct store_param p[] = {STORE_I64((int64_t)limit)};
    return walk(v, TASK_COLUMNS "ORDER BY t.rowid DESC LIMIT ?1", p, 1, on_task, &w, err);
}

bool store_read_children(struct store_view *v, str parent, store_task_fn *each, void *arg,
                         struct err *err)
{
    struct task_walk w = {each, arg};
    struct store_param p[] = {STORE_STR(parent)};
    return walk(v, TASK_COLUMNS "WHERE t.parent = ?1 ORDER BY t.opened_ms, t.rowid", p, 1, on_task,
                &w, err);
}

/* For the readings of one row: where its copy goes. */
struct one {
    struct arena *a;
    void *out;
    bool found;
};

static str *const *copy_all(struct arena *a, str *const *fields, size_t n)
{
    for (size_t i = 0; i < n; i++)
        *fields[i] = str_dup(a, *fields[i]);
    return fields;
}
#define COPY_ALL(a, ...)                                                                           \
    copy_all((a), (str *const[]){__VA_ARGS__}, sizeof((str *const[]){__VA_ARGS__}) / sizeof(str *))

/* found or not, in the words of err. */
static bool found(const struct one *o, const char *what, str id, struct err *err)
{
    return o->found || err_notfound(err, "no %s %.*s", what, STR(str_take(id, 64)));
}

static bool on_one_task(void *ctx, sqlite3_stmt *st)
{
    struct one *o = ctx;
    struct store_task *r = o->out;
    *r = task_of(st);
    COPY_ALL(o->a, &r->id, &r->parent, &r->owner, &r->agent, &r->purpose, &r->grants, &r->state,
             &r->reason, &r->opened_by);
    o->found = true;
    return false;
}

bool store_read_task(struct store_view *v, struct arena *a, str id, struct store_task *out,
                     struct err *err)
{
    struct one o = {a, out, false};
    struct store_param p[] = {STORE_STR(id)};
    return walk(v, TASK_COLUMNS "WHERE t.id = ?1", p, 1, on_one_task, &o, err) &&
           found(&o, "task", id, err);
}

/* ---- holds ---- */

#define HOLD_COLUMNS                                                                               \
    "SELECT id, task, call, binding, tool, digest, args, effect, state, created_ms, expires_ms,"   \
    " approver, decided_ms, policies, approvers FROM hold "

static struct store_hold hold_of(sqlite3_stmt *st)
{
    return (struct store_hold){.id = text(st, 0),
                               .task = text(st, 1),
                               .call = text(st, 2),
                               .binding = text(st, 3),
                               .tool = text(st, 4),
                               .digest = text(st, 5),
                               .args = text(st, 6),
                               .effect = text(st, 7),
                               .state = text(st, 8),
                               .created_ms = number(st, 9),
                               .expires_ms = number(st, 10),
                               .approver = text(st, 11),
                               .decided_ms = number(st, 12),
                               .policies = text(st, 13),
                               .approvers = text(st, 14)};
}

struct hold_walk {
    store_hold_fn *each;
    void *arg;
};

static bool on_hold(void *ctx, sqlite3_stmt *st)
{
    struct hold_walk *w = ctx;
    struct store_hold row = hold_of(st);
    return w->each(w->arg, &row);
}

bool store_read_holds_live(struct store_view *v, store_hold_fn *each, void *arg, struct err *err)
{
    struct hold_walk w = {each, arg};
    return walk(v, HOLD_COLUMNS "WHERE state IN ('pending', 'approved') ORDER BY created_ms, rowid",
                NULL, 0, on_hold, &w, err);
}

static bool on_one_hold(void *ctx, sqlite3_stmt *st)
{
    struct one *o = ctx;
    struct store_hold *r = o->out;
    *r = hold_of(st);
    COPY_ALL(o->a, &r->id, &r->task, &r->call, &r->binding, &r->tool, &r->digest, &r->args,
             &r->effect, &r->state, &r->approver, &r->policies, &r->approvers);
    o->found = true;
    return false;
}

bool store_read_hold(struct store_view *v, struct arena *a, str id, struct store_hold *out,
                     struct err *err)
{
    struct one o = {a, out, false};
    struct store_param p[] = {STORE_STR(id)};
    return walk(v, HOLD_COLUMNS "WHERE id = ?1", p, 1, on_one_hold, &o, err) &&
           found(&o, "hold", id, err);
}

/* ---- pins, operators, open calls, payloads ---- */

struct pin_walk {
    store_pin_fn *each;
    void *arg;
};

static bool on_pin(void *ctx, sqlite3_stmt *st)
{
    struct pin_walk *w = ctx;
    struct store_pin row = {.binding = text(st, 0),
                            .tool = text(st, 1),
                            .digest = text(st, 2),
                            .definition = text(st, 3),
                            .state = text(st, 4),
                            .seen_ms = number(st, 5)};
    return w->each(w->arg, &row);
}

bool store_read_pins(struct store_view *v, store_pin_fn *each, void *arg, struct err *err)
{
    struct pin_walk w = {each, arg};
    return walk(v,
                "SELECT binding, tool, digest, definition, state, seen_ms FROM pin"
                " ORDER BY binding, tool",
                NULL, 0, on_pin, &w, err);
}

struct operator_walk {
    store_operator_fn *each;
    void *arg;
};

static bool on_operator(void *ctx, sqlite3_stmt *st)
{
    struct operator_walk *w = ctx;
    struct store_operator row = {.name = text(st, 0),
                                 .public_key = text(st, 1),
                                 .added_ms = number(st, 2),
                                 .added_by = text(st, 3)};
    return w->each(w->arg, &row);
}

bool store_read_operators(struct store_view *v, store_operator_fn *each, void *arg, struct err *err)
{
    struct operator_walk w = {each, arg};
    return walk(v, "SELECT name, public_key, added_ms, added_by FROM operator ORDER BY name", NULL,
                0, on_operator, &w, err);
}

struct agent_walk {
    store_agent_fn *each;
    void *arg;
};

static bool on_agent(void *ctx, sqlite3_stmt *st)
{
    struct agent_walk *w = ctx;
    struct store_agent row = {.name = text(st, 0),
                              .state = text(st, 1),
                              .by = text(st, 2),
                              .reason = text(st, 3),
                              .at_ms = number(st, 4)};
    return w->each(w->arg, &row);
}

bool store_read_agents(struct store_view *v, store_agent_fn *each, void *arg, struct err *err)
{
    struct agent_walk w = {each, arg};
    return walk(v, "SELECT name, state, changed_by, reason, at_ms FROM agent ORDER BY name", NULL,
                0, on_agent, &w, err);
}

struct open_call_walk {
    store_open_call_fn *each;
    void *arg;
};

static bool on_open_call(void *ctx, sqlite3_stmt *st)
{
    struct open_call_walk *w = ctx;
    struct store_open_call row = {
        .id = text(st, 0), .task = text(st, 1), .high = number(st, 2) != 0};
    return w->each(w->arg, &row);
}

bool store_read_open_calls(struct store_view *v, store_open_call_fn *each, void *arg,
                           struct err *err)
{
    struct open_call_walk w = {each, arg};
    return walk(v, "SELECT id, task, high FROM open_call ORDER BY id", NULL, 0, on_open_call, &w,
                err);
}

static bool on_payload(void *ctx, sqlite3_stmt *st)
{
    struct one *o = ctx;
    struct store_payload *r = o->out;
    *r = (struct store_payload){text(st, 0), text(st, 1), text(st, 2)};
    COPY_ALL(o->a, &r->call, &r->salt, &r->args);
    o->found = true;
    return false;
}

bool store_read_payload(struct store_view *v, struct arena *a, str call, struct store_payload *out,
                        struct err *err)
{
    struct one o = {a, out, false};
    struct store_param p[] = {STORE_STR(call)};
    return walk(v, "SELECT call, salt, args FROM payload WHERE call = ?1", p, 1, on_payload, &o,
                err) &&
           found(&o, "payload of call", call, err);
}

/* ---- the log ---- */

struct leaf_walk {
    store_leaf_fn *each;
    void *arg;
};

static bool on_leaf(void *ctx, sqlite3_stmt *st)
{
    struct leaf_walk *w = ctx;
    struct store_leaf_row row = {.index = (uint64_t)number(st, 0),
                                 .hash = text(st, 1),
                                 .body = text(st, 2),
                                 .call = text(st, 3),
                                 .task = text(st, 4)};
    return w->each(w->arg, &row);
}

bool store_read_leaves(struct store_view *v, const struct store_leaf_query *q, store_leaf_fn *each,
                       void *arg, struct err *err)
{
    struct leaf_walk w = {each, arg};
#define LEAF_COLUMNS "SELECT idx, hash, body, call, task FROM leaf "
#define LEAF_RANGE   "idx >= ?2 AND idx < ?3 ORDER BY idx LIMIT ?4"
    const char *sql = q->call.n   ? LEAF_COLUMNS "WHERE call = ?1 AND " LEAF_RANGE
                      : q->task.n ? LEAF_COLUMNS "WHERE task = ?1 AND " LEAF_RANGE
                                  : LEAF_COLUMNS "WHERE ?1 = '' AND " LEAF_RANGE;
    struct store_param p[] = {STORE_STR(q->call.n ? q->call : q->task), STORE_I64((int64_t)q->from),
                              STORE_I64(q->to ? (int64_t)q->to : INT64_MAX),
                              STORE_I64(q->limit ? (int64_t)q->limit : -1)};
    return walk(v, sql, p, 4, on_leaf, &w, err);
}

struct checkpoint_walk {
    store_checkpoint_fn *each;
    void *arg;
};

static struct store_checkpoint checkpoint_of(sqlite3_stmt *st)
{
    return (struct store_checkpoint){
        .size = number(st, 0), .root = text(st, 1), .note = text(st, 2), .at_ms = number(st, 3)};
}

static bool on_checkpoint(void *ctx, sqlite3_stmt *st)
{
    struct checkpoint_walk *w = ctx;
    struct store_checkpoint row = checkpoint_of(st);
    return w->each(w->arg, &row);
}

bool store_read_checkpoints(struct store_view *v, store_checkpoint_fn *each, void *arg,
                            struct err *err)
{
    struct checkpoint_walk w = {each, arg};
    return walk(v, "SELECT size, root, note, at_ms FROM checkpoint ORDER BY size", NULL, 0,
                on_checkpoint, &w, err);
}

static bool on_one_checkpoint(void *ctx, sqlite3_stmt *st)
{
    struct one *o = ctx;
    struct store_checkpoint *r = o->out;
    *r = checkpoint_of(st);
    COPY_ALL(o->a, &r->root, &r->note);
    o->found = true;
    return false;
}

bool store_read_checkpoint_last(struct store_view *v, struct arena *a, struct store_checkpoint *out,
                                struct err *err)
{
    struct one o = {a, out, false};
    return walk(v, "SELECT size, root, note, at_ms FROM checkpoint ORDER BY size DESC LIMIT 1",
                NULL, 0, on_one_checkpoint, &o, err) &&
           found(&o, "checkpoint", S("yet"), err);
}

struct tree_row {
    uint64_t size;
    str frontier;
};

static bool on_tree(void *ctx, sqlite3_stmt *st)
{
    struct one *o = ctx;
    struct tree_row *r = o->out;
    *r = (struct tree_row){(uint64_t)number(st, 0), str_dup(o->a, text(st, 1))};
    return false;
}

bool store_read_tree(struct store_view *v, struct arena *a, uint64_t *out_size, str *out_frontier,
                     struct err *err)
{
    struct tree_row r = {0};
    struct one o = {a, &r, false};
    if (!walk(v, "SELECT size, frontier FROM tree", NULL, 0, on_tree, &o, err))
        return false;
    *out_size = r.size;
    *out_frontier = r.frontier;
    return true;
}

static bool on_value(void *ctx, sqlite3_stmt *st)
{
    struct one *o = ctx;
    *(str *)o->out = str_dup(o->a, text(st, 0));
    o->found = true;
    return false;
}

bool store_read_meta(struct store_view *v, struct arena *a, str name, str *out, struct err *err)
{
    struct one o = {a, out, false};
    struct store_param p[] = {STORE_STR(name)};
    return walk(v, "SELECT value FROM meta WHERE name = ?1", p, 1, on_value, &o, err) &&
           found(&o, "value named", name, err);
}

/* ---- for readings in other files ---- */

bool store_walk(struct store_view *v, const char *sql, const struct store_param *params, size_t n,
                store_row_fn *row, void *ctx, struct err *err)
{
    return walk(v, sql, params, n, row, ctx, err);
}

str store_column(sqlite3_stmt *st, int col)
{
    return text(st, col);
}
