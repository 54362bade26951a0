#include "ledger/trace.h"
#include "base/clock.h"
#include "base/limits.h"

#include <stdlib.h>

/* The entries gathered so far, growing in the arena. */
struct gather {
    struct arena *a;
    struct store_view *view;
    struct trace *t;
    size_t cap, tasks_cap;
    unsigned depth;      /* of the task whose leaves are being read */
    bool only_lifecycle; /* of an ancestor we want what made the task possible, not its calls */
    struct err *err;
    bool failed;
};

static void *grow(struct arena *a, void *old, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return old;
    size_t more = *cap ? *cap * 2 : 16;
    void *p = arena_alloc_array(a, more, size);
    if (n)
        memcpy(p, old, n * size);
    *cap = more;
    return p;
}

/* ---- one leaf ---- */

static str policies_of(struct arena *a, const json *leaf)
{
    struct buf b = {0};
    const json *v;
    for (struct json_iter it = json_iter(json_get(leaf, S("policies")));
         json_next(&it, NULL, &v);) {
        if (buf_len(&b))
            buf_put(&b, S(", "));
        buf_put(&b, json_str(v));
    }
    str s = str_dup(a, buf_str(&b));
    buf_fini(&b);
    return s;
}

bool trace_entry_read(struct arena *a, uint64_t index, str body, struct trace_entry *out,
                      struct err *err)
{
    const json *leaf;
    if (!json_read(a, body, NULL, &leaf, err))
        return err_in(err, "leaf %llu", (unsigned long long)index);
    struct trace_entry e = {.index = index, .leaf = leaf};
    const struct {
        str *to, name;
    } fields[] = {
        {&e.type, S("type")},         {&e.time, S("time")},         {&e.call, S("call")},
        {&e.task, S("task")},         {&e.owner, S("owner")},       {&e.agent, S("agent")},
        {&e.instance, S("instance")}, {&e.binding, S("binding")},   {&e.tool, S("tool")},
        {&e.effect, S("effect")},     {&e.decision, S("decision")}, {&e.approver, S("approver")},
        {&e.hold, S("hold")},         {&e.reason, S("reason")},     {&e.by, S("by")},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        *fields[i].to = json_get_str(leaf, fields[i].name);
    if (e.hold.n == 0)
        e.hold = json_get_str(leaf, S("approval"));
    if (e.decision.n == 0)
        e.decision = json_get_str(leaf, S("status"));
    if (!json_i64(json_get(leaf, S("policy_version")), &e.policy_version))
        e.policy_version = 0;
    e.policies = policies_of(a, leaf);
    e.body = str_dup(a, body);
    *out = e;
    return true;
}

static bool is_lifecycle(str type)
{
    return str_eq(type, S("task_open")) || str_eq(type, S("delegation")) ||
           str_eq(type, S("task_close"));
}

static bool on_leaf(void *arg, const struct store_leaf_row *row)
{
    struct gather *g = arg;
    struct trace_entry e;
    if (g->t->n == TRACE_ENTRIES_MAX) {
        g->t->cut = true;
        return false;
    }
    if (!trace_entry_read(g->a, row->index, row->body, &e, g->err)) {
        g->failed = true;
        return false;
    }
    if (g->only_lifecycle && !is_lifecycle(e.type))
        return true;
    e.depth = g->depth;
    g->t->entries = grow(g->a, g->t->entries, g->t->n, &g->cap, sizeof *g->t->entries);
    g->t->entries[g->t->n++] = e;
    return true;
}

static bool read_leaves(struct gather *g, struct store_leaf_query q)
{
    return store_read_leaves(g->view, &q, on_leaf, g, g->err) && !g->failed;
}

/* ---- tasks ---- */

static void add_task(struct gather *g, const struct store_task *row)
{
    g->t->tasks = grow(g->a, g->t->tasks, g->t->tasks_n, &g->tasks_cap, sizeof *g->t->tasks);
    struct store_task *t = &g->t->tasks[g->t->tasks_n++];
    *t = *row;
    str *fields[] = {&t->id,     &t->parent, &t->owner,  &t->agent,    &t->purpose,
                     &t->grants, &t->state,  &t->reason, &t->opened_by};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        *fields[i] = str_dup(g->a, *fields[i]);
}

/* The chain of a task, root first. */
static bool add_chain(struct gather *g, str task)
{
    struct store_task chain[TASK_DEPTH_MAX + 1];
    size_t n = 0;
    for (str id = task; id.n && n < TASK_DEPTH_MAX + 1; id = chain[n++].parent)
        if (!store_read_task(g->view, g->a, id, &chain[n], g->err))
            return false;
    while (n)
        add_task(g, &chain[--n]);
    return true;
}

static bool on_child(void *arg, const struct store_task *row)
{
    struct gather *g = arg;
    if (g->t->tasks_n >= TRACE_ENTRIES_MAX) {
        g->t->cut = true;
        return false;
    }
    add_task(g, row);
    return true;
}

/* Breadth first: tasks[from..] grows while it is walked. */
static bool add_descendants(struct gather *g, size_t from)
{
    for (size_t i = from; i < g->t->tasks_n; i++)
        if (!store_read_children(g->view, g->t->tasks[i].id, on_child, g, g->err))
            return false;
    return true;
}

static unsigned depth_of(const struct trace *t, str id)
{
    unsigned depth = 0;
    for (size_t i = t->tasks_n; i-- > 0;)
        if (str_eq(t->tasks[i].id, id) && t->tasks[i].parent.n) {
            id = t->tasks[i].parent;
            depth++;
        }
    return depth;
}

/* Parents stand before children in tasks, so walking it backwards climbs one chain. */
static bool read_tasks(struct gather *g, size_t chain)
{
    for (size_t i = 0; i < g->t->tasks_n; i++) {
        g->depth = depth_of(g->t, g->t->tasks[i].id);
        g->only_lifecycle = i < chain;
        if (!read_leaves(g, (struct store_leaf_query){.task = g->t->tasks[i].id}))
            return false;
    }
    return true;
}

/* ---- in order, each once ---- */

static int by_index(const void *x, const void *y)
{
    uint64_t a = ((const struct trace_entry *)x)->index, b = ((const struct trace_entry *)y)->index;
    return (a > b) - (a < b);
}

static void put_in_order(struct trace *t)
{
    if (t->n == 0)
        return;
    qsort(t->entries, t->n, sizeof *t->entries, by_index);
    size_t n = 1;
    for (size_t i = 1; i < t->n; i++)
        if (t->entries[i].index != t->entries[n - 1].index)
            t->entries[n++] = t->entries[i];
    t->n = n;
}

/* ---- the two questions ---- */

/* A call that used an approval was held before, as a call of its own: whoever asks for the one
 * wants to see the hold and the decision on it. */
static bool read_approval(struct gather *g)
{
    struct store_hold hold;
    str approval = {0};
    for (size_t i = 0; i < g->t->n && approval.n == 0; i++)
        approval = json_get_str(g->t->entries[i].leaf, S("approval"));
    return approval.n == 0 || (store_read_hold(g->view, g->a, approval, &hold, g->err) &&
                               read_leaves(g, (struct store_leaf_query){.call = hold.call}));
}

static bool call_in_view(struct gather *g, str call)
{
    if (!read_leaves(g, (struct store_leaf_query){.call = call}))
        return false;
    if (g->t->n == 0)
        return err_notfound(g->err, "the ledger has no call %.*s", STR(str_take(call, 64)));
    if (!read_approval(g))
        return false;
    str task = {0};
    for (size_t i = 0; i < g->t->n && task.n == 0; i++)
        task = g->t->entries[i].task;
    if (task.n == 0)
        return true; /* refused before it was known whose it was */
    if (!add_chain(g, task))
        return false;
    for (size_t i = 0; i < g->t->n; i++)
        g->t->entries[i].depth = (unsigned)g->t->tasks_n - 1;
    return read_tasks(g, g->t->tasks_n);
}

static bool task_in_view(struct gather *g, str task, bool descendants)
{
    if (!add_chain(g, task))
        return false;
    size_t chain = g->t->tasks_n - 1;
    return (!descendants || add_descendants(g, chain)) && read_tasks(g, chain);
}

bool trace_call(struct store_view *v, struct arena *a, str call, struct trace *out, struct err *err)
{
    struct trace t = {0};
    struct gather g = {.a = a, .view = v, .t = &t, .err = err};
    if (!store_view_begin(v, err))
        return false;
    bool ok = call_in_view(&g, call);
    store_view_end(v);
    put_in_order(&t);
    if (ok)
        *out = t;
    return ok;
}

bool trace_task(struct store_view *v, struct arena *a, str task, bool descendants,
                struct trace *out, struct err *err)
{
    struct trace t = {0};
    struct gather g = {.a = a, .view = v, .t = &t, .err = err};
    if (!store_view_begin(v, err))
        return false;
    bool ok = task_in_view(&g, task, descendants);
    store_view_end(v);
    put_in_order(&t);
    if (ok)
        *out = t;
    return ok;
}

/* ---- as JSON ---- */

static void write_task(struct jw *w, const struct store_task *t)
{
    char opened[CLOCK_TEXT_SIZE];
    jw_obj(w);
    jw_kstr(w, S("task"), t->id);
    jw_kstr(w, S("parent"), t->parent);
    jw_kstr(w, S("owner"), t->owner);
    jw_kstr(w, S("agent"), t->agent);
    jw_kstr(w, S("purpose"), t->purpose);
    jw_kstr(w, S("state"), t->state);
    jw_kstr(w, S("opened"), clock_text(t->opened_ms, opened));
    jw_end_obj(w);
}

void trace_entry_write(struct jw *w, const struct trace_entry *e)
{
    jw_obj(w);
    jw_ki64(w, S("index"), (int64_t)e->index);
    jw_ki64(w, S("depth"), e->depth);
    jw_kvalue(w, S("record"), e->leaf);
    jw_end_obj(w);
}

void trace_write(struct jw *w, const struct trace *t)
{
    jw_obj(w);
    jw_key(w, S("tasks"));
    jw_arr(w);
    for (size_t i = 0; i < t->tasks_n; i++)
        write_task(w, &t->tasks[i]);
    jw_end_arr(w);
    jw_key(w, S("entries"));
    jw_arr(w);
    for (size_t i = 0; i < t->n; i++)
        trace_entry_write(w, &t->entries[i]);
    jw_end_arr(w);
    jw_kbool(w, S("cut"), t->cut);
    jw_end_obj(w);
}
