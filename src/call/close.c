/* The course of a closing: what is told to whom, and what is waited for. Its text is made in
 * close_text.c; what a restart does with it stands at the end. */
#include "call/close.h"
#include "call/gate_int.h"
#include "call/lease.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/read.h"

#include <stdlib.h>

enum { LEASES_PER_TXN = 12 };

static void check(struct closing *c);

/* ---- steps ---- */

static void step_done(struct closing *c, enum close_step s, uint64_t count)
{
    if (c->steps[s].done)
        return;
    c->steps[s].done = true;
    c->steps[s].count = count;
    c->steps[s].us = clock_mono_us() - c->accepted_us;
}

static bool is_suspension(const struct closing *c)
{
    return c->state == TASK_NONE;
}

static bool is_wrapped_up(const struct closing *c)
{
    return c->store_pending == 0 && c->steps[CLOSE_STREAMS].done && c->steps[CLOSE_PROGRAMS].done &&
           c->steps[CLOSE_CALLS].done;
}

/* ---- which tasks ---- */

static bool uses(const struct task *t, str binding)
{
    for (size_t i = 0; i < t->operations_n; i++) {
        str name, tool;
        if (str_cut(t->operations[i], '/', &name, &tool) && str_eq(name, binding))
            return true;
    }
    return false;
}

static bool is_named(const struct closing *c, const struct task *t)
{
    switch (c->kind) {
    case CLOSE_TASK:
        return str_eq(id_str(&t->id), c->name);
    case CLOSE_AGENT:
        return str_eq(t->agent, c->name);
    case CLOSE_OWNER:
        return str_eq(t->owner, c->name);
    case CLOSE_BINDING:
        return uses(t, c->name);
    case CLOSE_SUSPENSION:
        return str_eq(t->agent, c->name) || str_eq(id_str(&t->id), c->name);
    case CLOSE_NONE:
    case CLOSE_KINDS:
        break;
    }
    return false;
}

static bool is_over(const struct task *t)
{
    return !task_state_is_open(t->state);
}

/* Room doubles at each power of two. */
static void make_room(struct closing *c)
{
    if (c->tasks_n & (c->tasks_n - 1))
        return;
    struct closed_task *grown =
        ARENA_ARRAY(&c->arena, struct closed_task, c->tasks_n ? 2 * c->tasks_n : 1);
    if (c->tasks_n)
        memcpy(grown, c->tasks, c->tasks_n * sizeof *grown);
    c->tasks = grown;
}

/* Each once. The map says only that it is there. */
static void add_task(struct closing *c, const struct id *id, struct task *t, enum task_state state)
{
    if (map_get(&c->by_id, id_str(id)))
        return;
    make_room(c);
    c->tasks[c->tasks_n++] = (struct closed_task){*id, t, state};
    map_put(&c->by_id, id_str(id), c);
}

static void add_named(struct closing *c, struct task *t)
{
    if (!is_over(t))
        add_task(c, &t->id, t, c->state);
}

/* The named ones, then all that is below them: with the former the latter are refused already. */
static void collect(struct closing *c)
{
    struct tasks *ts = &c->g->tasks;
    struct list *it = NULL;
    struct task *t;
    str id;
    void *v;
    size_t before = c->tasks_n;
    if ((t = tasks_find(ts, c->name)) && is_named(c, t))
        add_named(c, t);
    if (c->kind == CLOSE_AGENT || c->kind == CLOSE_SUSPENSION)
        while ((t = tasks_next_of(ts, c->name, &it)))
            add_named(c, t);
    if (c->kind == CLOSE_OWNER || c->kind == CLOSE_BINDING)
        for (size_t i = 0; map_next(&ts->by_id, &i, &id, &v);)
            if (is_named(c, v))
                add_named(c, v);
    size_t named = c->tasks_n;
    for (size_t i = before; i < named; i++) {
        struct task *top = c->tasks[i].task;
        for (t = tasks_next_below(top, top); t; t = tasks_next_below(top, t))
            if (!is_over(t))
                add_task(c, &t->id, t, is_suspension(c) ? TASK_NONE : TASK_CASCADED);
    }
}

/* ---- at once ---- */

static void refuse_all(struct closing *c)
{
    for (size_t i = 0; i < c->tasks_n && !is_suspension(c); i++) {
        struct task *t = c->tasks[i].task;
        if (!t || is_over(t))
            continue;
        tasks_set_state(&c->g->tasks, t, c->tasks[i].state,
                        c->tasks[i].state == TASK_CASCADED ? S("parent ended") : c->reason,
                        c->accepted_ms);
    }
    step_done(c, CLOSE_REFUSING, c->tasks_n);
}

static bool has_programs(const struct conf *conf)
{
    for (size_t i = 0; i < conf->bindings_n; i++)
        if (conf->bindings[i].kind == BINDING_STDIO)
            return true;
    return false;
}

static void wait_for_edge(struct closing *c, uint32_t life)
{
    for (size_t i = 0; i < GATE_EDGES_MAX; i++)
        if (c->edges[i].life == life || !c->edges[i].life) {
            c->edges[i].life = life;
            c->edges[i].pending++;
            return;
        }
}

static bool edges_pending(const struct closing *c)
{
    for (size_t i = 0; i < GATE_EDGES_MAX; i++)
        if (c->edges[i].pending)
            return true;
    return false;
}

static void cut_all(struct closing *c)
{
    const struct gate_out *out = &c->g->out;
    bool at_once = c->state == TASK_REVOKED || is_suspension(c);
    for (size_t i = 0; i < c->tasks_n; i++) {
        uint32_t lives[GATE_EDGES_MAX];
        str id = id_str(&c->tasks[i].id);
        size_t n = out->cut(out->ctx, c->seq, id, lives);
        for (size_t k = 0; k < n; k++)
            wait_for_edge(c, lives[k]);
        if (!out->stop_children(out->ctx, c->seq, id, at_once))
            c->awaits_runner = has_programs(c->g->conf);
        else
            c->programs_pending++;
    }
    if (!edges_pending(c))
        step_done(c, CLOSE_STREAMS, 0);
    if (!c->programs_pending && !c->awaits_runner)
        step_done(c, CLOSE_PROGRAMS, 0);
}

static void cancel_holds(struct closing *c)
{
    uint64_t n = 0;
    struct holds *hs = &c->g->holds;
    for (struct list *it = hs->all.next; it != &hs->all && !is_suspension(c); it = it->next) {
        struct hold *h = LIST_ENTRY(it, struct hold, node);
        bool live = h->state == HOLD_PENDING || h->state == HOLD_APPROVED;
        if (!live || !map_get(&c->by_id, id_str(&h->task)))
            continue;
        h->state = HOLD_CANCELLED;
        h->decided_ms = c->accepted_ms;
        n++;
    }
    step_done(c, CLOSE_HOLDS, n);
}

static void count_calls(struct closing *c)
{
    str id;
    void *v;
    for (size_t i = 0; map_next(&c->g->live, &i, &id, &v);) {
        const struct live_call *call = v;
        c->calls_left += map_get(&c->by_id, id_str(&call->task->id)) != NULL;
    }
    if (!c->calls_left)
        step_done(c, CLOSE_CALLS, 0);
}

static void take_leases(struct closing *c)
{
    size_t n;
    const struct id *only = c->tasks_n == 1 ? &c->tasks[0].id : NULL;
    struct lease **all = leases_of(c->g, &c->arena, only, &n);
    c->leases = all;
    for (size_t i = 0; i < n && !is_suspension(c); i++)
        if (map_get(&c->by_id, id_str(&all[i]->task))) {
            all[i]->revoking = true;
            c->leases[c->leases_n++] = all[i];
        }
}

/* ---- the store ---- */

struct storing {
    struct closing *c;
    bool first;
};

static void on_stored(void *arg, const struct store_result *r)
{
    struct storing *s = arg;
    struct closing *c = s->c;
    if (r->outcome == STORE_FAILED)
        c->failed = true;
    if (r->outcome == STORE_COMMITTED && r->leaves && !c->has_leaf) {
        c->has_leaf = true;
        c->leaf = r->first_leaf;
    }
    free(s);
    if (--c->store_pending == 0) {
        step_done(c, CLOSE_DURABLE, c->tasks_n);
        if (c->order->durable)
            c->order->durable(c->order->arg, c);
        check(c);
    }
}

static void submit(struct closing *c, struct store_txn *t)
{
    struct storing *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->c = c;
    gate_submit(c->g, t, on_stored, s);
}

static void store_order(struct closing *c)
{
    struct store_txn *t = store_txn_new(c->g->store);
    struct store_receipt row = {.id = id_str(&c->id),
                                .kind = close_kind_name(c->kind),
                                .name = c->name,
                                .closes = is_suspension(c) ? (str){0} : task_state_name(c->state),
                                .by = c->by,
                                .reason = c->reason,
                                .opened_ms = c->accepted_ms};
    store_receipt_insert(t, &row);
    if (c->kind != CLOSE_TASK) {
        struct record_revocation r = {.time_ms = c->accepted_ms,
                                      .receipt = row.id,
                                      .kind = row.kind,
                                      .name = c->name,
                                      .by = c->by,
                                      .reason = c->reason};
        store_leaf(t, record_revocation(&c->g->scratch, &r), (str){0}, (str){0});
    }
    submit(c, t);
}

/* One transaction a task: a fan-out of any size stays within its limits, in order. */
static void store_end(struct closing *c, const struct closed_task *e)
{
    ARENA_SCOPE struct arena a = {0};
    const struct task *t = e->task;
    str id = id_str(&e->id);
    struct store_txn *txn = store_txn_new(c->g->store);
    if (!is_suspension(c)) {
        store_task_close(txn, id, task_state_name(e->state), c->accepted_ms, t->reason);
        store_hold_cancel_task(txn, id, c->accepted_ms);
        store_lease_revoke(txn, id, c->accepted_ms);
        struct record_task_close r = {.time_ms = c->accepted_ms,
                                      .chain = gate_chain(c->g, &a, t, (str){0}),
                                      .state = task_state_name(e->state),
                                      .reason = t->reason,
                                      .closed_by = c->by,
                                      .calls_left = t->calls_left > 0 ? t->calls_left : 0};
        store_leaf(txn, record_task_close(&c->g->scratch, &r), (str){0}, id);
    }
    store_receipt_task(txn, id_str(&c->id), id);
    submit(c, txn);
}

/* ---- the end of a closing ---- */

static void closing_free(struct closing *c)
{
    list_remove(&c->node);
    map_fini(&c->by_id);
    arena_fini(&c->arena);
    free(c);
}

static void on_receipt_stored(void *arg, const struct store_result *r)
{
    struct closing *c = arg;
    if (r->outcome == STORE_FAILED)
        c->failed = true;
    if (c->order->ended)
        c->order->ended(c->order->arg, c);
    for (size_t i = 0; i < c->leases_n; i++)
        lease_drop(c->g, c->leases[i]);
    closing_free(c);
}

static void end_leases(struct closing *c)
{
    struct store_txn *t = NULL;
    bool programs_ended = c->steps[CLOSE_PROGRAMS].done;
    for (size_t i = 0; i < c->leases_n; i++) {
        struct lease *l = c->leases[i];
        lease_end(l, programs_ended);
        c->leases_quarantined += l->quarantined;
        if (!t)
            t = store_txn_new(c->g->store);
        store_lease_end(t, &(struct store_lease){.task = id_str(&l->task),
                                                 .binding = l->binding_name,
                                                 .state = lease_state(l),
                                                 .changed_ms = clock_wall_ms(),
                                                 .why = l->why});
        if (i + 1 == c->leases_n || (i + 1) % LEASES_PER_TXN == 0) {
            gate_submit(c->g, t, NULL, NULL);
            t = NULL;
        }
    }
    step_done(c, CLOSE_LEASES, c->leases_n);
}

static void end(struct closing *c)
{
    struct buf text = {0};
    struct record_commitment digest;
    struct jw w = jw(&text);
    c->ending = true;
    end_leases(c);
    closing_write(c, &w);
    record_digest(buf_str(&text), &digest);
    str task = c->kind == CLOSE_TASK ? c->name : (str){0};
    struct record_receipt r = {.time_ms = clock_wall_ms(),
                               .receipt = id_str(&c->id),
                               .task = task,
                               .digest = record_commitment_str(&digest),
                               .status = c->incomplete ? S("incomplete") : S("complete")};
    struct store_txn *t = store_txn_new(c->g->store);
    store_receipt_end(t, id_str(&c->id), buf_str(&text));
    store_leaf(t, record_receipt(&c->g->scratch, &r), (str){0}, task);
    buf_fini(&text);
    gate_submit(c->g, t, on_receipt_stored, c);
}

static void check(struct closing *c)
{
    if (!c->ending && (is_wrapped_up(c) || c->failed))
        end(c);
}

/* ---- the order ---- */

static struct closing *closing_new(struct gate *g, const struct close_order *o)
{
    struct closing *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->g = g;
    c->accepted_us = clock_mono_us();
    c->accepted_ms = clock_wall_ms();
    c->seq = ++g->closings_n;
    c->id = id_new('r');
    c->kind = o->kind;
    c->state = o->kind == CLOSE_SUSPENSION ? TASK_NONE : o->state;
    c->name = str_dup(&c->arena, o->name);
    c->reason = str_dup(&c->arena, str_take(o->reason, CLOSE_REASON_BYTES_MAX));
    c->by = str_dup(&c->arena, o->by);
    c->order = ARENA_NEW(&c->arena, struct close_order);
    *c->order = *o;
    list_append(&g->closings, &c->node);
    return c;
}

void gate_close(struct gate *g, const struct close_order *o, struct id *out)
{
    struct closing *c = closing_new(g, o);
    collect(c);
    refuse_all(c);
    cut_all(c);
    cancel_holds(c);
    count_calls(c);
    take_leases(c);
    c->store_pending = 1 + c->tasks_n;
    store_order(c);
    for (size_t i = 0; i < c->tasks_n; i++)
        store_end(c, &c->tasks[i]);
    if (out)
        *out = c->id;
}

/* ---- for those who only want to hear of the commit ---- */

struct hearing {
    store_done_fn *done;
    void *arg;
};

static void on_durable(void *arg, const struct closing *c)
{
    struct hearing *h = arg;
    h->done(h->arg, &(struct store_result){.outcome = c->failed ? STORE_FAILED : STORE_COMMITTED,
                                           .first_leaf = c->leaf,
                                           .leaves = c->has_leaf});
    free(h);
}

void gate_close_task(struct gate *g, struct task *t, enum task_state state, str reason, str by,
                     store_done_fn *done, void *arg)
{
    struct close_order o = {
        .kind = CLOSE_TASK, .name = id_str(&t->id), .state = state, .reason = reason, .by = by};
    if (done) {
        struct hearing *h = malloc(sizeof *h);
        if (!h)
            abort();
        *h = (struct hearing){done, arg};
        o.durable = on_durable;
        o.arg = h;
    }
    gate_close(g, &o, NULL);
}

void gate_cut_agent(struct gate *g, str agent_or_task, str reason, str by)
{
    struct close_order o = {
        .kind = CLOSE_SUSPENSION, .name = agent_or_task, .reason = reason, .by = by};
    gate_close(g, &o, NULL);
}

/* ---- what the ends say ---- */

static struct closing *closing_of(struct gate *g, uint64_t seq)
{
    LIST_EACH(&g->closings, it)
    {
        struct closing *c = LIST_ENTRY(it, struct closing, node);
        if (c->seq == seq)
            return c;
    }
    return NULL;
}

static void streams_checked(struct closing *c)
{
    if (!edges_pending(c) && !c->steps[CLOSE_STREAMS].done) {
        step_done(c, CLOSE_STREAMS, c->streams);
        check(c);
    }
}

bool gate_cut_done(struct gate *g, uint32_t edge, uint64_t seq, const struct msg_cut_done *m,
                   struct err *err)
{
    struct closing *c = closing_of(g, seq);
    if (!c)
        return seq <= g->closings_n || err_peer(err, "acknowledged a cut that nobody asked for");
    for (size_t i = 0; i < GATE_EDGES_MAX; i++)
        if (c->edges[i].life == edge && c->edges[i].pending) {
            c->edges[i].pending--;
            c->streams += m->streams;
            streams_checked(c);
            return true;
        }
    return err_peer(err, "acknowledged a cut twice");
}

void closings_edge_lost(struct gate *g, uint32_t edge)
{
    LIST_EACH(&g->closings, it)
    {
        struct closing *c = LIST_ENTRY(it, struct closing, node);
        for (size_t i = 0; i < GATE_EDGES_MAX; i++)
            if (c->edges[i].life == edge && c->edges[i].pending) {
                c->edges[i].pending = 0;
                c->edge_lost = true;
                streams_checked(c);
                break;
            }
    }
}

static void programs_checked(struct closing *c)
{
    if (!c->programs_pending && !c->awaits_runner && !c->steps[CLOSE_PROGRAMS].done) {
        step_done(c, CLOSE_PROGRAMS, c->steps[CLOSE_PROGRAMS].count);
        check(c);
    }
}

void gate_child_stopped(struct gate *g, uint64_t seq, uint32_t programs)
{
    struct closing *c = closing_of(g, seq);
    if (!c || !c->programs_pending)
        return;
    c->programs_pending--;
    c->steps[CLOSE_PROGRAMS].count += programs;
    programs_checked(c);
}

void gate_runner_lost(struct gate *g)
{
    LIST_EACH(&g->closings, it)
    {
        struct closing *c = LIST_ENTRY(it, struct closing, node);
        c->runner_lost = c->runner_lost || c->programs_pending;
        c->programs_pending = 0;
        programs_checked(c);
    }
}

void closings_call_over(struct gate *g, const struct live_call *call)
{
    if (list_is_empty(&g->closings))
        return;
    LIST_EACH(&g->closings, it)
    {
        struct closing *c = LIST_ENTRY(it, struct closing, node);
        if (!c->calls_left || !map_get(&c->by_id, id_str(&call->task->id)))
            continue;
        c->settled[call->outcome]++;
        if (--c->calls_left == 0) {
            uint64_t n = 0;
            for (size_t i = 0; i < OUTCOME_COUNT; i++)
                n += c->settled[i];
            step_done(c, CLOSE_CALLS, n);
            check(c);
        }
    }
}

/* ---- those that take too long ---- */

static void press(struct closing *c)
{
    const struct gate_out *out = &c->g->out;
    for (size_t i = 0; i < GATE_EDGES_MAX; i++)
        if (c->edges[i].pending) {
            c->edges_ended++;
            out->end_edge(out->ctx, c->edges[i].life,
                          "it did not acknowledge the cut of a closed task in time");
        }
}

/* Calls whose edge said that it ended them, and not how. */
static void settle_rest(struct closing *c)
{
    str id;
    void *v;
    for (size_t i = 0; map_next(&c->g->live, &i, &id, &v);) {
        struct live_call *call = v;
        if (call->released && call->give_up_ms != INT64_MAX &&
            map_get(&c->by_id, id_str(&call->task->id)))
            live_settle(c->g, call, OUTCOME_UNKNOWN, "no_outcome_after_close");
    }
}

static void give_up(struct closing *c)
{
    c->incomplete = true;
    log_warn("a closing has not ended in time; its receipt says what is not known to be dead",
             LOG_STR("receipt", id_str(&c->id)));
    end(c);
}

void closings_tick(struct gate *g)
{
    LIST_EACH(&g->closings, it)
    {
        struct closing *c = LIST_ENTRY(it, struct closing, node);
        int64_t waited_ms = (clock_mono_us() - c->accepted_us) / 1000;
        if (c->ending || waited_ms < CLOSE_ACK_MS_MAX)
            continue;
        press(c);
        settle_rest(c);
        if (!c->ending && waited_ms >= CLOSE_WAIT_MS_MAX && c->store_pending == 0)
            give_up(c);
    }
}

void closings_fini(struct gate *g)
{
    if (!g->closings.next)
        return;
    LIST_EACH(&g->closings, it)
    closing_free(LIST_ENTRY(it, struct closing, node));
}

/* ---- after a restart ---- */

void gate_edge_joined(struct gate *g, uint32_t edge)
{
    /* Its calls ended with the core before; sessions with upstreams may be left. */
    LIST_EACH(&g->closings, it)
    {
        struct closing *c = LIST_ENTRY(it, struct closing, node);
        for (size_t i = 0; c->resumed && i < c->tasks_n; i++)
            g->out.to_edge(g->out.ctx, edge, MSG_CUT, 0,
                           &(struct msg_cut){id_str(&c->tasks[i].id)});
    }
}

void gate_runner_joined(struct gate *g)
{
    LIST_EACH(&g->closings, it)
    {
        struct closing *c = LIST_ENTRY(it, struct closing, node);
        bool at_once = c->state == TASK_REVOKED || is_suspension(c);
        if (!c->awaits_runner || c->ending)
            continue;
        c->awaits_runner = false;
        for (size_t i = 0; i < c->tasks_n; i++)
            c->programs_pending +=
                g->out.stop_children(g->out.ctx, c->seq, id_str(&c->tasks[i].id), at_once);
        programs_checked(c);
    }
}

static bool add_stored(void *arg, str task)
{
    struct closing *c = arg;
    if (id_is_valid(task, 't')) {
        struct id id = {{0}};
        memcpy(id.s, task.p, ID_LEN);
        add_task(c, &id, NULL, c->state);
    }
    return true;
}

/* Tasks that ended by ancestry and were closed at this start go with the first order there is. */
static void add_orphans(struct closing *c)
{
    struct gate *g = c->g;
    str id;
    void *v;
    for (size_t i = 0; map_next(&g->orphans, &i, &id, &v);)
        if (id_is_valid(id, 't')) {
            struct id copy = {{0}};
            memcpy(copy.s, id.p, ID_LEN);
            add_task(c, &copy, NULL, TASK_CASCADED);
        }
    map_fini(&g->orphans);
    g->orphans = (struct map){0};
}

/* An order that was durable, whatever of it was carried out. Its calls were settled at the start,
 * and the edges ended theirs with the core before. */
static bool resume(void *arg, const struct store_receipt *row)
{
    struct gate *g = arg;
    struct err err;
    struct close_order o = {.kind = close_kind_parse(row->kind),
                            .name = row->name,
                            .state = task_state_parse(row->closes),
                            .reason = row->reason,
                            .by = row->by};
    if (o.kind == CLOSE_NONE || !id_is_valid(row->id, 'r'))
        return true;
    struct closing *c = closing_new(g, &o);
    memcpy(c->id.s, row->id.p, ID_LEN);
    c->accepted_ms = row->opened_ms;
    c->resumed = true;
    if (!store_read_receipt_tasks(store_view(g->store), row->id, add_stored, c, &err))
        log_warn("tasks of a receipt cannot be read", LOG_ERR(&err));
    if (!is_suspension(c))
        add_orphans(c);
    size_t before = c->tasks_n;
    if (!is_suspension(c))
        collect(c);
    refuse_all(c);
    cancel_holds(c);
    take_leases(c);
    step_done(c, CLOSE_STREAMS, 0);
    step_done(c, CLOSE_CALLS, 0);
    c->awaits_runner = has_programs(g->conf);
    if (!c->awaits_runner)
        step_done(c, CLOSE_PROGRAMS, 0);
    for (size_t i = 0; i < CLOSE_STEPS; i++)
        c->steps[i].us = -1;
    /* One empty transaction, so that there is always an end to wait for. */
    c->store_pending = 1 + c->tasks_n - before;
    for (size_t i = before; i < c->tasks_n; i++)
        store_end(c, &c->tasks[i]);
    submit(c, store_txn_new(g->store));
    return true;
}

bool closings_restore(struct gate *g, struct err *err)
{
    list_init(&g->closings);
    return store_read_receipts_open(store_view(g->store), resume, g, err);
}
