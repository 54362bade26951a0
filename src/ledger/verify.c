/* One pass over the leaves. Beside it run the tree (one frontier), the list of stored checkpoints
 * in order of size, and what must be remembered of calls, holds and tasks to judge the leaves that
 * refer to them. */
#include "ledger/verify.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/map.h"
#include "crypto/note.h"
#include "ledger/record.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* What a map remembers of a call or task: the pointer itself is the state. */
enum { CALL_OPEN = 1, CALL_SETTLED, CALL_REFUSED };
enum { TASK_OPEN = 1, TASK_CLOSED, TASK_WAITING, TASK_SUSPENDED };

enum hold_state { HOLD_PENDING = 1, HOLD_APPROVED, HOLD_DENIED, HOLD_USED };
struct hold {
    enum hold_state state;
    str task, digest;
};

struct verify {
    struct store_view *view;
    struct ledger_report *r;
    struct frontier tree;
    struct arena memory; /* holds and checkpoints */
    struct arena leaf;   /* reset for each leaf */
    struct buf canonical;
    struct map calls, holds, tasks;
    struct map agents, names; /* task -> its agent's name, which is in names once */
    struct checkpoint_row {
        struct checkpoint_row *next;
        uint64_t size;
        struct hash root;
    } * checkpoint, **last; /* not yet reached, by size */
    struct key *key;
    struct note_verifier verifier;
    uint64_t last_checkpoint;
};

static bool problem(struct verify *v, bool is_leaf, uint64_t at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static bool problem(struct verify *v, bool is_leaf, uint64_t at, const char *fmt, ...)
{
    if (v->r->problem[0])
        return false;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(v->r->problem, sizeof v->r->problem, fmt, ap);
    va_end(ap);
    v->r->problem_is_leaf = is_leaf;
    v->r->problem_at = at;
    return false;
}

/* ---- the leaves that speak of calls ---- */

struct leaf {
    struct verify *v;
    uint64_t index;
    const json *body;
    str call, task;
};
#define BAD(l, ...) problem((l)->v, true, (l)->index, __VA_ARGS__)

static str field(const struct leaf *l, str name)
{
    return json_get_str(l->body, name);
}

static uintptr_t state_of(const struct map *m, str key)
{
    return (uintptr_t)map_get(m, key);
}

static void set_state(struct map *m, str key, uintptr_t state)
{
    map_put(m, key, (void *)state);
}

static bool task_is_open(const struct leaf *l, str task)
{
    static const char *const names[] = {"not opened", "open", "closed", "not begun", "suspended"};
    uintptr_t state = state_of(&l->v->tasks, task);
    if (state == TASK_OPEN)
        return true;
    return BAD(l, "task %.*s was %s at that point", STR(str_take(task, 64)), names[state]);
}

static bool parents_are_open(const struct leaf *l)
{
    const json *v;
    for (struct json_iter it = json_iter(json_get(l->body, S("parents")));
         json_next(&it, NULL, &v);)
        if (!task_is_open(l, json_str(v)))
            return false;
    return true;
}

/* One copy of each name, and there are few. */
static str *kept_name(struct verify *v, str name)
{
    str *kept = map_get(&v->names, name);
    if (!kept) {
        kept = ARENA_NEW(&v->memory, str);
        *kept = str_dup(&v->memory, name);
        map_put(&v->names, name, kept);
    }
    return kept;
}

/* Each of them is the agent for whom that ancestor was opened. A record from before there were
 * delegators has none. */
static bool delegators_are_right(const struct leaf *l)
{
    const json *list = json_get(l->body, S("delegators")), *parents, *agent, *task;
    if (!list)
        return true;
    parents = json_get(l->body, S("parents"));
    if (json_count(list) != json_count(parents))
        return BAD(l, "it does not name one delegator for each parent");
    struct json_iter at = json_iter(parents);
    for (struct json_iter it = json_iter(list); json_next(&it, NULL, &agent);) {
        const str *known =
            json_next(&at, NULL, &task) ? map_get(&l->v->agents, json_str(task)) : NULL;
        if (!known || !str_eq(json_str(agent), *known))
            return BAD(l, "delegator %.*s is not the agent of that parent",
                       STR(str_take(json_str(agent), 200)));
    }
    return true;
}

/* The task and all its ancestors. */
static bool chain_is_open(const struct leaf *l)
{
    return parents_are_open(l) && task_is_open(l, l->task);
}

static struct hold *hold_in(const struct leaf *l, str id, enum hold_state state)
{
    struct hold *h = map_get(&l->v->holds, id);
    if (!h)
        BAD(l, "hold %.*s was not opened before", STR(str_take(id, 64)));
    else if (h->state != state)
        BAD(l, "hold %.*s is not %s", STR(str_take(id, 64)),
            state == HOLD_PENDING ? "pending" : "approved and unused");
    else if (!str_eq(h->task, l->task))
        BAD(l, "hold %.*s belongs to another task", STR(str_take(id, 64)));
    else
        return h;
    return NULL;
}

static bool on_intent(const struct leaf *l)
{
    l->v->r->intents++;
    if (state_of(&l->v->calls, l->call))
        return BAD(l, "call %.*s has an intent or refusal already", STR(str_take(l->call, 64)));
    if (!chain_is_open(l))
        return false;
    str approval = field(l, S("approval"));
    if (approval.n) {
        struct hold *h = hold_in(l, approval, HOLD_APPROVED);
        if (!h)
            return false;
        h->state = HOLD_USED;
    }
    set_state(&l->v->calls, l->call, CALL_OPEN);
    l->v->r->open_calls++;
    return true;
}

/* No part takes longer than the whole. */
static bool timings_are_right(const struct leaf *l)
{
    static const struct {
        const char *part, *whole;
    } rows[] = {{"committed_us", "latency_us"},
                {"released_us", "latency_us"},
                {"upstream_us", "latency_us"},
                {"first_us", "upstream_us"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const json *part = json_get(l->body, str_z(rows[i].part));
        int64_t us, whole;
        if (part && (!json_i64(part, &us) || us <= 0 ||
                     !json_i64(json_get(l->body, str_z(rows[i].whole)), &whole) || us > whole))
            return BAD(l, "%s is no part of %s", rows[i].part, rows[i].whole);
    }
    return true;
}

static bool on_outcome(const struct leaf *l)
{
    l->v->r->outcomes++;
    uintptr_t state = state_of(&l->v->calls, l->call);
    if (state != CALL_OPEN)
        return BAD(l, "call %.*s has %s", STR(str_take(l->call, 64)),
                   state == CALL_SETTLED ? "an outcome already" : "no intent before this outcome");
    set_state(&l->v->calls, l->call, CALL_SETTLED);
    l->v->r->open_calls--;
    return timings_are_right(l);
}

static bool on_refusal(const struct leaf *l)
{
    l->v->r->refusals++;
    uintptr_t state = state_of(&l->v->calls, l->call);
    if (state == CALL_OPEN || state == CALL_SETTLED)
        return BAD(l, "call %.*s is refused after its intent", STR(str_take(l->call, 64)));
    if (l->task.n && (field(l, S("owner")).n == 0 || field(l, S("agent")).n == 0))
        return BAD(l, "a refusal with a task lacks owner or agent");
    set_state(&l->v->calls, l->call, CALL_REFUSED);
    return true;
}

/* ---- tasks and holds ---- */

static bool on_task_open(const struct leaf *l)
{
    l->v->r->tasks++;
    if (state_of(&l->v->tasks, l->task))
        return BAD(l, "task %.*s was opened before", STR(str_take(l->task, 64)));
    if (!parents_are_open(l))
        return false;
    set_state(&l->v->tasks, l->task, field(l, S("state")).n ? TASK_WAITING : TASK_OPEN);
    map_put(&l->v->agents, l->task, kept_name(l->v, field(l, S("agent"))));
    return true;
}

/* It begins, is suspended or resumed. */
static bool on_task_change(const struct leaf *l)
{
    l->v->r->others++;
    uintptr_t from = state_of(&l->v->tasks, l->task);
    str state = field(l, S("state"));
    bool ends_wait = str_eq(state, S("active")) && (from == TASK_WAITING || from == TASK_SUSPENDED);
    bool suspends = str_eq(state, S("suspended")) && from == TASK_OPEN;
    if (!ends_wait && !suspends)
        return BAD(l, "task %.*s cannot become %.*s at that point", STR(str_take(l->task, 64)),
                   STR(str_take(state, 40)));
    set_state(&l->v->tasks, l->task, suspends ? TASK_SUSPENDED : TASK_OPEN);
    return true;
}

static bool on_task_close(const struct leaf *l)
{
    l->v->r->others++;
    uintptr_t from = state_of(&l->v->tasks, l->task);
    if ((from == 0 || from == TASK_CLOSED) && !task_is_open(l, l->task))
        return false;
    set_state(&l->v->tasks, l->task, TASK_CLOSED);
    return true;
}

static bool on_delegation(const struct leaf *l)
{
    l->v->r->others++;
    return chain_is_open(l);
}

static bool on_hold_open(const struct leaf *l)
{
    l->v->r->holds++;
    str id = field(l, S("hold"));
    if (map_get(&l->v->holds, id))
        return BAD(l, "hold %.*s was opened before", STR(str_take(id, 64)));
    /* A task that its agent asks for waits for this very hold. */
    bool waits = state_of(&l->v->tasks, l->task) == TASK_WAITING;
    if (waits ? !parents_are_open(l) : !chain_is_open(l))
        return false;
    struct hold *h = ARENA_NEW(&l->v->memory, struct hold);
    *h = (struct hold){HOLD_PENDING, str_dup(&l->v->memory, l->task),
                       str_dup(&l->v->memory, field(l, S("digest")))};
    map_put(&l->v->holds, id, h);
    return true;
}

static bool decide(const struct leaf *l, enum hold_state to)
{
    struct hold *h = hold_in(l, field(l, S("hold")), HOLD_PENDING);
    if (!h)
        return false;
    if (!str_eq(h->digest, field(l, S("digest"))))
        return BAD(l, "it was given for another digest than the hold's");
    if (!str_eq(field(l, S("state")), S("counted")))
        h->state = to;
    return true;
}

static bool on_approval(const struct leaf *l)
{
    l->v->r->approvals++;
    return decide(l, HOLD_APPROVED);
}

static bool on_denial(const struct leaf *l)
{
    l->v->r->denials++;
    return decide(l, HOLD_DENIED);
}

static bool on_other(const struct leaf *l)
{
    l->v->r->others++;
    return true;
}

/* ---- what every leaf must be ---- */

#define CHAIN     "task", "owner", "agent"
#define OPERATION "binding", "tool", "effect"
static const struct type {
    const char *name;
    bool (*check)(const struct leaf *l);
    const char *fields[16]; /* that must be there; NULL ends them */
} TYPES[] = {
    {"intent",
     on_intent,
     {"call", CHAIN, OPERATION, "policy", "policy_version", "policies", "decision", "args",
      "budget_left"}},
    {"outcome", on_outcome, {"call", CHAIN, "status", "latency_us", "bytes"}},
    {"refusal", on_refusal, {"call", "decision", "reason"}},
    {"task_open", on_task_open, {CHAIN, "grants", "deadline", "calls", "by"}},
    {"task_close", on_task_close, {CHAIN, "state", "by"}},
    {"task_change", on_task_change, {CHAIN, "state", "by"}},
    {"agent_change", on_other, {"agent", "state", "by"}},
    {"identity_change", on_other, {"kind", "name", "state", "by"}},
    {"shared_use", on_other, {"agent", "reason"}},
    {"delegation", on_delegation, {CHAIN, "child", "child_agent", "grants", "deadline", "calls"}},
    {"hold_open",
     on_hold_open,
     {"hold", "call", CHAIN, OPERATION, "policy", "policies", "args", "digest", "expires"}},
    {"approval", on_approval, {"hold", "call", "task", "approver", "method", "digest"}},
    {"denial", on_denial, {"hold", "call", "task", "approver", "method", "digest"}},
    {"pin_change", on_other, {"binding", "tool", "state"}},
    {"policy_load", on_other, {"policy", "policy_version"}},
    {"operator_change", on_other, {"name", "state", "by"}},
    {"person_event", on_other, {"state"}},
    {"consent", on_other, {"request", "owner", "agent", "decision", "method", "digest"}},
    {"secret_set", on_other, {"name", "by"}},
    {"start", on_other, {"software", "recovered"}},
    {"revocation", on_other, {"receipt", "kind", "name", "by"}},
    {"receipt", on_other, {"receipt", "digest", "status"}},
};

static bool check_type(const struct leaf *l)
{
    int64_t version = 0;
    if (!json_i64(json_get(l->body, S("v")), &version) || version != RECORD_VERSION)
        return BAD(l, "a record of an unknown version");
    if (field(l, S("time")).n == 0)
        return BAD(l, "a record without time");
    str type = field(l, S("type"));
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        if (!str_eq(type, str_z(TYPES[i].name)))
            continue;
        for (const char *const *f = TYPES[i].fields; *f; f++)
            if (!json_get(l->body, str_z(*f)))
                return BAD(l, "a record of type %s without %s", TYPES[i].name, *f);
        return delegators_are_right(l) && TYPES[i].check(l);
    }
    return BAD(l, "a record of unknown type \"%.*s\"", STR(str_take(type, 40)));
}

static bool check_body(struct verify *v, const struct store_leaf_row *row)
{
    struct leaf l = {.v = v, .index = row->index};
    struct err err = {0};
    arena_reset(&v->leaf);
    if (!json_read(&v->leaf, row->body, &(struct json_limits){.bytes_max = STORE_LEAF_BYTES_MAX},
                   &l.body, &err))
        return BAD(&l, "the leaf is not JSON: %.200s", err.text);
    buf_clear(&v->canonical);
    json_write_canonical(&v->canonical, l.body);
    if (!str_eq(buf_str(&v->canonical), row->body))
        return BAD(&l, "the leaf is not in canonical form");
    l.call = field(&l, S("call"));
    l.task = field(&l, S("task"));
    if ((row->call.n && !str_eq(row->call, l.call)) || (row->task.n && !str_eq(row->task, l.task)))
        return BAD(&l, "the leaf is filed under another call or task than it names");
    return check_type(&l);
}

/* ---- the tree ---- */

static bool check_checkpoint_reached(struct verify *v)
{
    struct checkpoint_row *c = v->checkpoint;
    if (!c || c->size != v->tree.size)
        return true;
    struct hash root = frontier_root(&v->tree);
    if (!hash_eq(&root, &c->root))
        return problem(v, false, c->size, "the leaves do not give the root that was signed");
    v->checkpoint = c->next;
    return true;
}

static bool on_leaf(void *arg, const struct store_leaf_row *row)
{
    struct verify *v = arg;
    struct err err = {0};
    if (row->index != v->tree.size)
        return problem(v, true, v->tree.size, "the leaf is missing (the next is %llu)",
                       (unsigned long long)row->index);
    struct hash h = merkle_leaf(row->body);
    if (!str_eq(hash_str(&h), row->hash))
        return problem(v, true, row->index, "the stored hash is not that of the leaf");
    if (!frontier_append(&v->tree, &h, &err))
        return problem(v, true, row->index, "%s", err.text);
    v->r->leaves++;
    return check_body(v, row) && check_checkpoint_reached(v);
}

static bool on_checkpoint(void *arg, const struct store_checkpoint *row)
{
    struct verify *v = arg;
    struct err err = {0};
    struct note note;
    struct checkpoint c;
    uint64_t size = (uint64_t)row->size;
    arena_reset(&v->leaf);
    bool ok = v->key ? note_open(&v->leaf, row->note, &v->verifier, 1, &note, &err)
                     : note_parse(&v->leaf, row->note, &note, &err);
    if (!ok)
        return problem(v, false, size, "%.300s", err.text);
    str origin = v->verifier.name, rest;
    if (!v->key)
        str_cut(note.text, '\n', &origin, &rest);
    if (!checkpoint_parse(note.text, origin, &c, &err))
        return problem(v, false, size, "%.300s", err.text);
    if (c.size != size || !str_eq(hash_str(&c.root), row->root))
        return problem(v, false, size, "the signed note is for another size or root");
    struct checkpoint_row *keep = ARENA_NEW(&v->memory, struct checkpoint_row);
    *keep = (struct checkpoint_row){.size = size, .root = c.root};
    *v->last = keep;
    v->last = &keep->next;
    v->last_checkpoint = size;
    v->r->checkpoints++;
    return true;
}

/* The stored frontier is what the next start continues from. */
static bool check_tree_row(struct verify *v, struct err *err)
{
    uint64_t size = 0;
    str bytes = {0};
    struct frontier stored = {0};
    struct err bad = {0};
    arena_reset(&v->leaf);
    if (!store_read_tree(v->view, &v->leaf, &size, &bytes, err))
        return false;
    if (bytes.n && !frontier_read(bytes, &stored, &bad)) {
        problem(v, true, size, "the stored tree: %.200s", bad.text);
        return true;
    }
    struct hash a = frontier_root(&stored), b = frontier_root(&v->tree);
    if (size != v->tree.size || stored.size != size || !hash_eq(&a, &b))
        problem(v, true, v->tree.size, "the stored tree is not that of the leaves");
    return true;
}

/* ---- open calls ---- */

struct open_walk {
    struct verify *v;
    uint64_t rows;
};

static bool on_open_call(void *arg, const struct store_open_call *row)
{
    struct open_walk *w = arg;
    struct ledger_report *r = w->v->r;
    if (state_of(&w->v->calls, row->id) != CALL_OPEN)
        return problem(w->v, true, r->leaves, "call %.*s is open in the table and not in the log",
                       STR(str_take(row->id, 64)));
    if (w->rows < sizeof r->open / sizeof r->open[0])
        snprintf(r->open[w->rows], sizeof r->open[0], "%.*s", STR(str_take(row->id, 31)));
    w->rows++;
    return true;
}

static bool check_open_calls(struct verify *v, struct err *err)
{
    struct open_walk w = {.v = v};
    if (!store_read_open_calls(v->view, on_open_call, &w, err))
        return false;
    if (!v->r->problem[0] && w.rows != v->r->open_calls)
        problem(v, true, v->r->leaves, "%llu calls have no outcome, but the table has %llu open",
                (unsigned long long)v->r->open_calls, (unsigned long long)w.rows);
    return true;
}

/* ---- all of it ---- */

/* False only when the store could not be read. */
static bool check_all(struct verify *v, struct err *err)
{
    if (!store_read_checkpoints(v->view, on_checkpoint, v, err))
        return false;
    if (!v->r->problem[0] && check_checkpoint_reached(v) &&
        !store_read_leaves(v->view, &(struct store_leaf_query){0}, on_leaf, v, err))
        return false;
    struct hash root = frontier_root(&v->tree);
    memcpy(v->r->root, root.b, sizeof root.b);
    if (v->r->problem[0])
        return true;
    if (v->checkpoint)
        problem(v, false, v->checkpoint->size, "the log ends at %llu, before the checkpoint",
                (unsigned long long)v->tree.size);
    v->r->unsigned_leaves = v->tree.size - v->last_checkpoint;
    return check_tree_row(v, err) && check_open_calls(v, err);
}

bool ledger_verify(struct store_view *view, const struct ledger_verify_options *opt,
                   struct ledger_report *out, struct err *err)
{
    struct ledger_report report = {0};
    struct verify v = {.view = view, .r = &report};
    v.last = &v.checkpoint;
    v.canonical.max = STORE_LEAF_BYTES_MAX;
    if (opt->vkey.n && !note_vkey_parse(opt->vkey, &v.verifier, &v.key, err))
        return false;
    bool ok = store_view_begin(view, err);
    if (ok) {
        ok = check_all(&v, err);
        store_view_end(view);
    }
    report.signatures_checked = v.key != NULL;
    report.ok = ok && !report.problem[0];
    if (ok)
        *out = report;
    map_fini(&v.calls);
    map_fini(&v.holds);
    map_fini(&v.tasks);
    map_fini(&v.agents);
    map_fini(&v.names);
    arena_fini(&v.memory);
    arena_fini(&v.leaf);
    buf_fini(&v.canonical);
    key_free(v.key);
    return ok;
}
