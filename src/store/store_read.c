/* The readers of tasks, holds and the log, and what all readings are made of. A reading prepares
 * its statement, walks it and finalises it: reads are few (start-up, traces, one a checkpoint), so
 * nothing is cached and readings may nest. */
#include "store/store_private.h"

/* ---- a view ---- */

bool store_open_readonly(const char *dir, struct store_view **out, struct err *err)
{
    return STORE_SQLITE.view_beside(dir, out, err);
}

void store_view_close(struct store_view *v)
{
    if (v)
        v->backend->view_close(v);
}

bool store_view_begin(struct store_view *v, struct err *err)
{
    return v->backend->view_begin(v, err);
}

void store_view_end(struct store_view *v)
{
    v->backend->view_end(v);
}

bool store_walk(struct store_view *v, const char *sql, const struct store_param *params, size_t n,
                store_row_fn *row, void *ctx, struct err *err)
{
    return v->backend->walk(v, sql, params, n, row, ctx, err);
}

str store_row_str(const struct store_row *row, int col)
{
    return row->backend->row_str(row, col);
}

int64_t store_row_i64(const struct store_row *row, int col)
{
    return row->backend->row_i64(row, col);
}

/* ---- tasks ---- */

#define TASK_COLUMNS                                                                               \
    "SELECT t.id, t.parent, t.owner, t.agent, t.purpose, t.grants, s.state, t.opened_ms,"          \
    " s.deadline_ms, s.calls_left, s.children, s.closed_ms, s.reason, s.until_ms,"                 \
    " s.bytes_left, s.rows_left, s.tokens_left, s.money_left, t.opened_by"                         \
    " FROM task t JOIN task_state s ON s.id = t.id "

static struct store_task task_of(const struct store_row *from)
{
    return (struct store_task){.id = store_row_str(from, 0),
                               .parent = store_row_str(from, 1),
                               .owner = store_row_str(from, 2),
                               .agent = store_row_str(from, 3),
                               .purpose = store_row_str(from, 4),
                               .grants = store_row_str(from, 5),
                               .state = store_row_str(from, 6),
                               .opened_ms = store_row_i64(from, 7),
                               .deadline_ms = store_row_i64(from, 8),
                               .calls_left = store_row_i64(from, 9),
                               .children = store_row_i64(from, 10),
                               .closed_ms = store_row_i64(from, 11),
                               .reason = store_row_str(from, 12),
                               .until_ms = store_row_i64(from, 13),
                               .left = {.bytes = store_row_i64(from, 14),
                                        .rows = store_row_i64(from, 15),
                                        .tokens = store_row_i64(from, 16),
                                        .money = store_row_i64(from, 17)},
                               .opened_by = store_row_str(from, 18)};
}

struct task_walk {
    store_task_fn *each;
    void *arg;
};

static bool on_task(void *ctx, const struct store_row *from)
{
    struct task_walk *w = ctx;
    struct store_task row = task_of(from);
    return w->each(w->arg, &row);
}

bool store_read_tasks_open(struct store_view *v, store_task_fn *each, void *arg, struct err *err)
{
    struct task_walk w = {each, arg};
    return store_walk(v,
                      TASK_COLUMNS
                      "WHERE s.state IN ('active', 'suspended', 'granted', 'requested')"
                      " ORDER BY t.opened_ms, t.rowid",
                      NULL, 0, on_task, &w, err);
}

bool store_read_tasks_recent(struct store_view *v, size_t limit, store_task_fn *each, void *arg,
                             struct err *err)
{
    struct task_walk w = {each, arg};
    struct store_param p[] = {STORE_I64((int64_t)limit)};
    return store_walk(v, TASK_COLUMNS "ORDER BY t.rowid DESC LIMIT ?1", p, 1, on_task, &w, err);
}

bool store_read_children(struct store_view *v, str parent, store_task_fn *each, void *arg,
                         struct err *err)
{
    struct task_walk w = {each, arg};
    struct store_param p[] = {STORE_STR(parent)};
    return store_walk(v, TASK_COLUMNS "WHERE t.parent = ?1 ORDER BY t.opened_ms, t.rowid", p, 1,
                      on_task, &w, err);
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

static bool on_one_task(void *ctx, const struct store_row *from)
{
    struct one *o = ctx;
    struct store_task *r = o->out;
    *r = task_of(from);
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
    return store_walk(v, TASK_COLUMNS "WHERE t.id = ?1", p, 1, on_one_task, &o, err) &&
           found(&o, "task", id, err);
}

/* ---- holds ---- */

#define HOLD_COLUMNS                                                                               \
    "SELECT id, task, call, binding, tool, digest, args, effect, state, created_ms, expires_ms,"   \
    " approver, decided_ms, policies, approvers FROM hold "

static struct store_hold hold_of(const struct store_row *from)
{
    return (struct store_hold){.id = store_row_str(from, 0),
                               .task = store_row_str(from, 1),
                               .call = store_row_str(from, 2),
                               .binding = store_row_str(from, 3),
                               .tool = store_row_str(from, 4),
                               .digest = store_row_str(from, 5),
                               .args = store_row_str(from, 6),
                               .effect = store_row_str(from, 7),
                               .state = store_row_str(from, 8),
                               .created_ms = store_row_i64(from, 9),
                               .expires_ms = store_row_i64(from, 10),
                               .approver = store_row_str(from, 11),
                               .decided_ms = store_row_i64(from, 12),
                               .policies = store_row_str(from, 13),
                               .approvers = store_row_str(from, 14)};
}

struct hold_walk {
    store_hold_fn *each;
    void *arg;
};

static bool on_hold(void *ctx, const struct store_row *from)
{
    struct hold_walk *w = ctx;
    struct store_hold row = hold_of(from);
    return w->each(w->arg, &row);
}

bool store_read_holds_live(struct store_view *v, store_hold_fn *each, void *arg, struct err *err)
{
    struct hold_walk w = {each, arg};
    return store_walk(
        v, HOLD_COLUMNS "WHERE state IN ('pending', 'approved') ORDER BY created_ms, rowid", NULL,
        0, on_hold, &w, err);
}

static bool on_one_hold(void *ctx, const struct store_row *from)
{
    struct one *o = ctx;
    struct store_hold *r = o->out;
    *r = hold_of(from);
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
    return store_walk(v, HOLD_COLUMNS "WHERE id = ?1", p, 1, on_one_hold, &o, err) &&
           found(&o, "hold", id, err);
}

/* ---- pins, operators, open calls, payloads ---- */

struct pin_walk {
    store_pin_fn *each;
    void *arg;
};

static bool on_pin(void *ctx, const struct store_row *from)
{
    struct pin_walk *w = ctx;
    struct store_pin row = {.binding = store_row_str(from, 0),
                            .tool = store_row_str(from, 1),
                            .digest = store_row_str(from, 2),
                            .definition = store_row_str(from, 3),
                            .state = store_row_str(from, 4),
                            .seen_ms = store_row_i64(from, 5)};
    return w->each(w->arg, &row);
}

bool store_read_pins(struct store_view *v, store_pin_fn *each, void *arg, struct err *err)
{
    struct pin_walk w = {each, arg};
    return store_walk(v,
                      "SELECT binding, tool, digest, definition, state, seen_ms FROM pin"
                      " ORDER BY binding, tool",
                      NULL, 0, on_pin, &w, err);
}

struct operator_walk {
    store_operator_fn *each;
    void *arg;
};

static bool on_operator(void *ctx, const struct store_row *from)
{
    struct operator_walk *w = ctx;
    struct store_operator row = {.name = store_row_str(from, 0),
                                 .public_key = store_row_str(from, 1),
                                 .added_ms = store_row_i64(from, 2),
                                 .added_by = store_row_str(from, 3)};
    return w->each(w->arg, &row);
}

bool store_read_operators(struct store_view *v, store_operator_fn *each, void *arg, struct err *err)
{
    struct operator_walk w = {each, arg};
    return store_walk(v, "SELECT name, public_key, added_ms, added_by FROM operator ORDER BY name",
                      NULL, 0, on_operator, &w, err);
}

struct agent_walk {
    store_agent_fn *each;
    void *arg;
};

static bool on_agent(void *ctx, const struct store_row *from)
{
    struct agent_walk *w = ctx;
    struct store_agent row = {.name = store_row_str(from, 0),
                              .state = store_row_str(from, 1),
                              .by = store_row_str(from, 2),
                              .reason = store_row_str(from, 3),
                              .at_ms = store_row_i64(from, 4)};
    return w->each(w->arg, &row);
}

bool store_read_agents(struct store_view *v, store_agent_fn *each, void *arg, struct err *err)
{
    struct agent_walk w = {each, arg};
    return store_walk(v, "SELECT name, state, changed_by, reason, at_ms FROM agent ORDER BY name",
                      NULL, 0, on_agent, &w, err);
}

struct open_call_walk {
    store_open_call_fn *each;
    void *arg;
};

static bool on_open_call(void *ctx, const struct store_row *from)
{
    struct open_call_walk *w = ctx;
    struct store_open_call row = {.id = store_row_str(from, 0),
                                  .task = store_row_str(from, 1),
                                  .high = store_row_i64(from, 2) != 0};
    return w->each(w->arg, &row);
}

bool store_read_open_calls(struct store_view *v, store_open_call_fn *each, void *arg,
                           struct err *err)
{
    struct open_call_walk w = {each, arg};
    return store_walk(v, "SELECT id, task, high FROM open_call ORDER BY id", NULL, 0, on_open_call,
                      &w, err);
}

static bool on_payload(void *ctx, const struct store_row *from)
{
    struct one *o = ctx;
    struct store_payload *r = o->out;
    *r = (struct store_payload){store_row_str(from, 0), store_row_str(from, 1),
                                store_row_str(from, 2)};
    COPY_ALL(o->a, &r->call, &r->salt, &r->args);
    o->found = true;
    return false;
}

bool store_read_payload(struct store_view *v, struct arena *a, str call, struct store_payload *out,
                        struct err *err)
{
    struct one o = {a, out, false};
    struct store_param p[] = {STORE_STR(call)};
    return store_walk(v, "SELECT call, salt, args FROM payload WHERE call = ?1", p, 1, on_payload,
                      &o, err) &&
           found(&o, "payload of call", call, err);
}

/* ---- the log ---- */

struct leaf_walk {
    store_leaf_fn *each;
    void *arg;
};

static bool on_leaf(void *ctx, const struct store_row *from)
{
    struct leaf_walk *w = ctx;
    struct store_leaf_row row = {.index = (uint64_t)store_row_i64(from, 0),
                                 .hash = store_row_str(from, 1),
                                 .body = store_row_str(from, 2),
                                 .call = store_row_str(from, 3),
                                 .task = store_row_str(from, 4)};
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
    return store_walk(v, sql, p, 4, on_leaf, &w, err);
}

struct checkpoint_walk {
    store_checkpoint_fn *each;
    void *arg;
};

static struct store_checkpoint checkpoint_of(const struct store_row *from)
{
    return (struct store_checkpoint){.size = store_row_i64(from, 0),
                                     .root = store_row_str(from, 1),
                                     .note = store_row_str(from, 2),
                                     .at_ms = store_row_i64(from, 3)};
}

static bool on_checkpoint(void *ctx, const struct store_row *from)
{
    struct checkpoint_walk *w = ctx;
    struct store_checkpoint row = checkpoint_of(from);
    return w->each(w->arg, &row);
}

bool store_read_checkpoints(struct store_view *v, store_checkpoint_fn *each, void *arg,
                            struct err *err)
{
    struct checkpoint_walk w = {each, arg};
    return store_walk(v, "SELECT size, root, note, at_ms FROM checkpoint ORDER BY size", NULL, 0,
                      on_checkpoint, &w, err);
}

static bool on_one_checkpoint(void *ctx, const struct store_row *from)
{
    struct one *o = ctx;
    struct store_checkpoint *r = o->out;
    *r = checkpoint_of(from);
    COPY_ALL(o->a, &r->root, &r->note);
    o->found = true;
    return false;
}

bool store_read_checkpoint_last(struct store_view *v, struct arena *a, struct store_checkpoint *out,
                                struct err *err)
{
    struct one o = {a, out, false};
    return store_walk(v,
                      "SELECT size, root, note, at_ms FROM checkpoint ORDER BY size DESC LIMIT 1",
                      NULL, 0, on_one_checkpoint, &o, err) &&
           found(&o, "checkpoint", S("yet"), err);
}

struct tree_row {
    uint64_t size;
    str frontier;
};

static bool on_tree(void *ctx, const struct store_row *from)
{
    struct one *o = ctx;
    struct tree_row *r = o->out;
    *r = (struct tree_row){(uint64_t)store_row_i64(from, 0), str_dup(o->a, store_row_str(from, 1))};
    return false;
}

bool store_read_tree(struct store_view *v, struct arena *a, uint64_t *out_size, str *out_frontier,
                     struct err *err)
{
    struct tree_row r = {0};
    struct one o = {a, &r, false};
    if (!store_walk(v, "SELECT size, frontier FROM tree", NULL, 0, on_tree, &o, err))
        return false;
    *out_size = r.size;
    *out_frontier = r.frontier;
    return true;
}

static bool on_value(void *ctx, const struct store_row *from)
{
    struct one *o = ctx;
    *(str *)o->out = str_dup(o->a, store_row_str(from, 0));
    o->found = true;
    return false;
}

bool store_read_meta(struct store_view *v, struct arena *a, str name, str *out, struct err *err)
{
    struct one o = {a, out, false};
    struct store_param p[] = {STORE_STR(name)};
    return store_walk(v, "SELECT value FROM meta WHERE name = ?1", p, 1, on_value, &o, err) &&
           found(&o, "value named", name, err);
}
