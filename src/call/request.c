/* Tasks that agents ask for: granted by policy, or held for their owner. */
#include "call/request.h"
#include "base/clock.h"
#include "base/limits.h"
#include "crypto/digest.h"

#include <stdlib.h>

/* ---- opening ---- */

struct opening {
    struct gate *g;
    struct task *task;
    task_opened_fn *done;
    void *arg;
};

static void on_opened(void *arg, const struct store_result *r)
{
    struct opening *o = arg;
    struct task *t = o->task;
    if (r->outcome == STORE_COMMITTED) {
        tasks_add(&o->g->tasks, t);
        o->done(o->arg, t, (str){0});
    } else {
        task_free(t);
        o->done(o->arg, NULL,
                r->outcome == STORE_GUARDED
                    ? S("the task above it has ended, or may open no more")
                    : S("the task could not be recorded, so it is not open"));
    }
    free(o);
}

void gate_open_task(struct gate *g, struct task *t, task_opened_fn *done, void *arg)
{
    struct err err;
    if (!agents_may(&g->agents, t->agent, &err)) {
        task_free(t);
        done(arg, NULL, str_z(err.text));
        return;
    }
    struct opening *o = malloc(sizeof *o);
    if (!o)
        abort();
    *o = (struct opening){g, t, done, arg};
    struct store_txn *txn = store_txn_new(g->store);
    gate_add_task_open(g, txn, t, t->opened_by);
    gate_submit(g, txn, on_opened, o);
}

/* ---- what is asked for ---- */

struct asking {
    struct gate *g;
    task_answer_fn *done;
    void *arg;
    struct task *task;
    struct hold *hold; /* NULL: granted */
    str policies;
    struct arena arena;
};

static void asking_free(struct asking *q)
{
    arena_fini(&q->arena);
    free(q);
}

static void answer(struct gate *g, task_answer_fn *done, void *arg, enum task_answer_kind kind,
                   struct task *t, const struct hold *h, str text, str policies)
{
    (void)g;
    struct task_answer a = {.kind = kind,
                            .task = t,
                            .hold = h,
                            .text = text,
                            .policies = policies.n ? policies : S("[]")};
    done(arg, &a);
}

static void answer_granted(struct gate *g, task_answer_fn *done, void *arg, struct task *t)
{
    ARENA_SCOPE struct arena a = {0};
    answer(g, done, arg, TASK_ANSWER_GRANTED, t, NULL,
           str_fmt(&a,
                   "Task %s is open. Use it on this connection; where you have several, name it "
                   "(ambit connect --task %s).",
                   t->id.s, t->id.s),
           (str){0});
}

static void answer_held(struct gate *g, task_answer_fn *done, void *arg, struct task *t,
                        const struct hold *h)
{
    ARENA_SCOPE struct arena a = {0};
    char until[CLOCK_TEXT_SIZE];
    answer(g, done, arg, TASK_ANSWER_HELD, t, h,
           str_fmt(&a,
                   "Task %s waits for its owner %.*s as %s (ambit hold approve %s). Ask again with "
                   "{\"task\":\"%s\"} to see how it stands. It is over at %.*s.",
                   t->id.s, STR(t->owner), h->id.s, h->id.s, t->id.s,
                   STR(clock_text(h->expires_ms, until))),
           h->policies);
}

/* Recorded, too: who was refused what. */
static void refuse(struct gate *g, const struct asker *who, task_answer_fn *done, void *arg,
                   str text, const struct verdict *v, str tool)
{
    static const struct verdict none;
    struct id call = id_new('c');
    const struct conf_agent *agent = conf_agent(g->conf, who->agent);
    struct record_refusal r = {.time_ms = clock_wall_ms(),
                               .call = id_str(&call),
                               .chain = {.owner = agent ? agent->owner : (str){0},
                                         .agent = who->agent,
                                         .instance = who->instance,
                                         .gateway = g->conf->gateway},
                               .op = {S("ambit"), tool, S("execute")},
                               .policy = gate_policy(g, v ? v : &none),
                               .reason = v ? S("policy") : S("task")};
    struct store_txn *t = store_txn_new(g->store);
    store_leaf(t, record_refusal(&g->scratch, &r), id_str(&call), (str){0});
    gate_submit(g, t, NULL, NULL);
    g->counts.denied++;
    if (done)
        answer(g, done, arg, TASK_ANSWER_REFUSED, NULL, NULL, text, (str){0});
}

/* What its owner will see: the whole task, as canonical JSON. */
static str wish_text(struct arena *a, const struct task *t)
{
    struct buf b = {0}, canonical = {0};
    struct jw w = jw(&b);
    const json *v;
    struct err err;
    jw_obj(&w);
    jw_kstr(&w, S("agent"), t->agent);
    jw_kstr(&w, S("purpose"), t->purpose);
    jw_ki64(&w, S("seconds"), (t->deadline_ms - t->opened_ms) / 1000);
    task_wish_write(&w, t);
    jw_end_obj(&w);
    if (json_read(a, buf_str(&b), NULL, &v, &err))
        json_write_canonical(&canonical, v);
    str s = str_dup(a, buf_str(&canonical));
    buf_fini(&b);
    buf_fini(&canonical);
    return s;
}

static str policies_text(struct arena *a, const struct verdict *v)
{
    struct buf b = {0};
    struct jw w = jw(&b);
    jw_arr(&w);
    for (size_t i = 0; i < v->policies_n; i++)
        jw_str(&w, v->policies[i]);
    jw_end_arr(&w);
    str s = str_dup(a, buf_str(&b));
    buf_fini(&b);
    return s;
}

static struct hold *hold_of_request(const struct gate *g, const struct task *t)
{
    for (struct list *it = g->holds.all.next; it != &g->holds.all; it = it->next) {
        struct hold *h = LIST_ENTRY(it, struct hold, node);
        if (gate_hold_is_request(h) && str_eq(id_str(&h->task), id_str(&t->id)))
            return h;
    }
    return NULL;
}

/* Open tasks that this agent asked for itself; the one that asks for just this and waits. */
static size_t own_requests(struct gate *g, const struct task *wish, str text, struct task **same)
{
    size_t n = 0;
    struct task *t;
    for (struct list *it = NULL; (t = tasks_next_of(&g->tasks, wish->agent, &it));) {
        if (!str_eq(t->opened_by, wish->opened_by))
            continue;
        const struct hold *h = t->state == TASK_REQUESTED ? hold_of_request(g, t) : NULL;
        n++;
        if (h && str_eq(h->args, text))
            *same = t;
    }
    return n;
}

static struct hold *new_hold(struct gate *g, const struct task *t, str text, str policies,
                             int64_t now_ms)
{
    struct hold *h = hold_new();
    h->id = id_new('h');
    h->call = id_new('c');
    h->task = t->id;
    h->owner = str_dup(&h->arena, t->owner);
    h->agent = str_dup(&h->arena, t->agent);
    h->purpose = str_dup(&h->arena, t->purpose);
    h->opened_by = str_dup(&h->arena, t->opened_by);
    h->binding = S("ambit");
    h->tool = S("request_task");
    h->effect = S("execute");
    h->args = str_dup(&h->arena, text);
    h->policies = str_dup(&h->arena, policies);
    h->digest = call_digest(id_str(&t->id), h->binding, h->tool, h->args);
    h->state = HOLD_PENDING;
    h->created_ms = now_ms;
    h->expires_ms = t->until_ms;
    (void)g;
    return h;
}

static void on_asked(void *arg, const struct store_result *r)
{
    struct asking *q = arg;
    if (r->outcome == STORE_COMMITTED) {
        tasks_add(&q->g->tasks, q->task);
        if (q->hold)
            holds_add(&q->g->holds, q->hold);
        if (q->hold)
            answer_held(q->g, q->done, q->arg, q->task, q->hold);
        else
            answer_granted(q->g, q->done, q->arg, q->task);
    } else {
        task_free(q->task);
        if (q->hold) {
            arena_fini(&q->hold->arena);
            free(q->hold);
        }
        answer(q->g, q->done, q->arg, TASK_ANSWER_REFUSED, NULL, NULL,
               S("The task could not be recorded, so it is not open. Try again later."), (str){0});
    }
    asking_free(q);
}

static void open_or_hold(struct gate *g, struct task *t, const struct verdict *v, str text,
                         const struct asker *who, int64_t now_ms, task_answer_fn *done, void *arg)
{
    struct asking *q = calloc(1, sizeof *q);
    if (!q)
        abort();
    *q = (struct asking){.g = g, .done = done, .arg = arg, .task = t};
    if (v->decision == DECISION_HOLD) {
        t->state = TASK_REQUESTED;
        t->until_ms = now_ms + g->conf->hold_life_ms;
        if (t->until_ms > t->deadline_ms)
            t->until_ms = t->deadline_ms;
        q->hold = new_hold(g, t, text, policies_text(&q->arena, v), now_ms);
        g->counts.held++;
    }
    struct store_txn *txn = store_txn_new(g->store);
    gate_add_task_open(g, txn, t, t->opened_by);
    if (q->hold)
        gate_add_hold(g, txn, q->hold, t, who->instance, v);
    gate_submit(g, txn, on_asked, q);
}

static str refusal_text(struct arena *a, const struct verdict *v)
{
    struct buf b = {0};
    buf_put(&b, S("Refused: no policy gives this agent such a task."));
    for (size_t i = 0; i < v->policies_n; i++)
        buf_printf(&b, "%s%.*s", i ? ", " : " Determined by: ", STR(v->policies[i]));
    if (v->advice.n)
        buf_printf(&b, ". %.*s", STR(v->advice));
    str s = str_dup(a, buf_str(&b));
    buf_fini(&b);
    return s;
}

static void decide(struct gate *g, struct task *t, const struct asker *who, int64_t now_ms,
                   task_answer_fn *done, void *arg)
{
    ARENA_SCOPE struct arena a = {0};
    struct verdict v = {0};
    struct err err;
    struct task *same = NULL;
    str text = wish_text(&a, t);
    size_t n = own_requests(g, t, text, &same);
    if (same) {
        task_free(t);
        answer_held(g, done, arg, same, hold_of_request(g, same));
    } else if (n >= TASK_REQUESTS_MAX) {
        task_free(t);
        refuse(g, who, done, arg,
               S("Refused: this agent has too many tasks that it asked for. Use or close those "
                 "first."),
               NULL, S("request_task"));
    } else if (!policy_open_task(g->policy, g->conf, t, NULL, now_ms, &a, &v, &err)) {
        task_free(t);
        refuse(g, who, done, arg, str_fmt(&a, "Refused: %s.", err.text), NULL, S("request_task"));
    } else if (v.decision == DECISION_DENY) {
        task_free(t);
        refuse(g, who, done, arg, refusal_text(&a, &v), &v, S("request_task"));
    } else {
        open_or_hold(g, t, &v, text, who, now_ms, done, arg);
    }
}

void gate_task_request(struct gate *g, const struct task_wish *wish, const struct asker *who,
                       task_answer_fn *done, void *arg)
{
    ARENA_SCOPE struct arena a = {0};
    int64_t now_ms = clock_wall_ms();
    struct task_wish w = *wish;
    struct err err;
    struct task *t;
    const struct conf_agent *agent = conf_agent(g->conf, who->agent);
    w.owner = agent ? agent->owner : (str){0};
    w.agent = who->agent;
    w.opened_by = str_fmt(&a, "agent/%.*s", STR(who->agent));
    w.parent = NULL;
    w.state = TASK_ACTIVE;
    bool ok = agents_may(&g->agents, who->agent, &err) && task_new(g->conf, &w, now_ms, &t, &err);
    if (ok)
        decide(g, t, who, now_ms, done, arg);
    else
        refuse(g, who, done, arg, str_fmt(&a, "Refused: %s.", err.text), NULL, S("request_task"));
}

void gate_task_poll(struct gate *g, str id, const struct asker *who, task_answer_fn *done,
                    void *arg)
{
    struct task *t = tasks_find(&g->tasks, id);
    struct err err;
    ARENA_SCOPE struct arena a = {0};
    if (!t || !str_eq(t->agent, who->agent)) {
        answer(g, done, arg, TASK_ANSWER_REFUSED, NULL, NULL,
               S("There is no such task of this agent."), (str){0});
        return;
    }
    const struct hold *h = hold_of_request(g, t);
    if (t->state == TASK_REQUESTED && h)
        answer_held(g, done, arg, t, h);
    else if (task_is_live(t, clock_wall_ms(), &err))
        answer_granted(g, done, arg, t);
    else
        answer(g, done, arg, TASK_ANSWER_REFUSED, t, h, str_fmt(&a, "Refused: %s.", err.text),
               (str){0});
}

/* ---- consent ---- */

bool gate_hold_is_request(const struct hold *h)
{
    return str_eq(h->binding, S("ambit")) && str_eq(h->tool, S("request_task"));
}

bool gate_may_consent(struct gate *g, const struct policy_person *who, const struct hold *h,
                      int64_t now_ms, struct arena *a, struct verdict *out, struct err *err)
{
    struct task *t = tasks_find(&g->tasks, id_str(&h->task));
    struct verdict open;
    if (!t || t->state != TASK_REQUESTED)
        return err_denied(err, "the task that it asks for is over");
    if (!agents_may(&g->agents, t->agent, err) ||
        !policy_consent(g->policy, g->conf, who, t, now_ms, a, out, err))
        return false;
    if (out->decision != DECISION_ALLOW)
        return true;
    if (!policy_open_task(g->policy, g->conf, t, h, now_ms, a, &open, err))
        return false;
    if (open.decision != DECISION_ALLOW)
        *out = open;
    return true;
}

void gate_add_consent(struct gate *g, struct store_txn *txn, const struct hold *h, bool consent,
                      str by, int64_t now_ms)
{
    ARENA_SCOPE struct arena a = {0};
    char hex[HASH_HEX_SIZE];
    const struct task *t = tasks_find(&g->tasks, id_str(&h->task));
    if (!t)
        return; /* the guard of store_hold_decide refuses: the task's end cancelled the hold */
    struct record_chain chain = gate_chain(g, &a, t, (str){0});
    if (consent) {
        int64_t deadline = now_ms + t->deadline_ms - t->opened_ms;
        store_hold_consume(txn, id_str(&h->id), id_str(&h->task), hash_hex(&h->digest, hex),
                           now_ms);
        store_task_begin(txn, id_str(&t->id), S("requested"), deadline, now_ms);
        struct record_task_change r = {.time_ms = now_ms,
                                       .chain = chain,
                                       .state = S("active"),
                                       .by = by,
                                       .deadline_ms = deadline};
        store_leaf(txn, record_task_change(&g->scratch, &r), (str){0}, id_str(&t->id));
        return;
    }
    store_task_close(txn, id_str(&t->id), S("revoked"), now_ms, S("request denied"));
    struct record_task_close r = {.time_ms = now_ms,
                                  .chain = chain,
                                  .state = S("revoked"),
                                  .reason = S("request denied"),
                                  .closed_by = by,
                                  .calls_left = t->calls_left};
    store_leaf(txn, record_task_close(&g->scratch, &r), (str){0}, id_str(&t->id));
}

void gate_consented(struct gate *g, struct hold *h, bool consent, int64_t now_ms)
{
    struct task *t = tasks_find(&g->tasks, id_str(&h->task));
    if (consent)
        h->state = HOLD_USED;
    if (t && t->state == TASK_REQUESTED && consent)
        tasks_begin(&g->tasks, t, now_ms + t->deadline_ms - t->opened_ms);
    else if (t && t->state == TASK_REQUESTED)
        tasks_set_state(&g->tasks, t, TASK_REVOKED, S("request denied"), now_ms);
}
