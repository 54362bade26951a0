/* The registry: found by id, by agent, by what is due, by what ended. Each look-up costs what it
 * finds, not what there is. */
#include "task/task.h"
#include "task/task_int.h"

#include <stdlib.h>

struct agent_tasks {
    struct list open;
};

/* ---- the heap of what is due ---- */

static int64_t due_ms(const struct task *t)
{
    bool waits = t->state == TASK_GRANTED || t->state == TASK_REQUESTED;
    return waits && t->until_ms < t->deadline_ms ? t->until_ms : t->deadline_ms;
}

static void heap_put(struct tasks *ts, size_t i, struct task *t)
{
    ts->heap[i] = t;
    t->heap_at = (uint32_t)i + 1;
}

static void heap_up(struct tasks *ts, size_t i)
{
    struct task *t = ts->heap[i];
    for (; i && due_ms(ts->heap[(i - 1) / 2]) > due_ms(t); i = (i - 1) / 2)
        heap_put(ts, i, ts->heap[(i - 1) / 2]);
    heap_put(ts, i, t);
}

static void heap_down(struct tasks *ts, size_t i)
{
    struct task *t = ts->heap[i];
    for (;;) {
        size_t k = 2 * i + 1;
        if (k + 1 < ts->heap_n && due_ms(ts->heap[k + 1]) < due_ms(ts->heap[k]))
            k++;
        if (k >= ts->heap_n || due_ms(ts->heap[k]) >= due_ms(t))
            break;
        heap_put(ts, i, ts->heap[k]);
        i = k;
    }
    heap_put(ts, i, t);
}

static void heap_add(struct tasks *ts, struct task *t)
{
    if (ts->heap_n == ts->heap_cap) {
        ts->heap_cap = ts->heap_cap ? ts->heap_cap * 2 : 64;
        ts->heap = realloc(ts->heap, ts->heap_cap * sizeof(struct task *));
        if (!ts->heap)
            abort();
    }
    heap_put(ts, ts->heap_n++, t);
    heap_up(ts, ts->heap_n - 1);
}

static void heap_remove(struct tasks *ts, struct task *t)
{
    if (!t->heap_at)
        return;
    size_t i = t->heap_at - 1;
    struct task *last = ts->heap[--ts->heap_n];
    t->heap_at = 0;
    if (last == t)
        return;
    heap_put(ts, i, last);
    heap_up(ts, i);
    heap_down(ts, last->heap_at - 1);
}

/* ---- lists ---- */

static struct agent_tasks *of_agent(struct tasks *ts, str agent)
{
    struct agent_tasks *g = map_get(&ts->by_agent, agent);
    if (g)
        return g;
    g = calloc(1, sizeof *g);
    if (!g)
        abort();
    list_init(&g->open);
    map_put(&ts->by_agent, agent, g);
    return g;
}

/* Puts a task where its state belongs. One that stays open stays where it is in its list: somebody
 * may be walking it. */
static void place(struct tasks *ts, struct task *t, bool was_open)
{
    bool open = task_state_is_open(t->state);
    heap_remove(ts, t);
    if (open)
        heap_add(ts, t);
    if (open && was_open)
        return;
    if (!ts->ended.next)
        list_init(&ts->ended);
    list_remove(&t->node);
    list_append(open ? &of_agent(ts, t->agent)->open : &ts->ended, &t->node);
}

/* Grants equal to those of another task become the same ones. */
static void share_grants(struct tasks *ts, struct task *t)
{
    struct buf text = {0};
    struct jw w = jw(&text);
    grant_set_write(&w, t->grants);
    struct grant_set *same = map_get(&ts->sets, buf_str(&text));
    if (same)
        task_take_grants(t, grant_set_ref(same));
    else
        map_put(&ts->sets, buf_str(&text), grant_set_ref(t->grants));
    buf_fini(&text);
}

/* The registry's own reference goes with the last task that has it. */
static void unshare_grants(struct tasks *ts, struct task *t)
{
    if (t->grants->refs > 2)
        return;
    struct buf text = {0};
    struct jw w = jw(&text);
    grant_set_write(&w, t->grants);
    if (map_get(&ts->sets, buf_str(&text)) == t->grants)
        grant_set_unref(map_del(&ts->sets, buf_str(&text)));
    buf_fini(&text);
}

void tasks_add(struct tasks *ts, struct task *t)
{
    map_put(&ts->by_id, id_str(&t->id), t);
    share_grants(ts, t);
    place(ts, t, false);
    struct task *p = t->parent;
    if (!p)
        return;
    p->children++;
    p->live_children++;
    t->older = NULL;
    t->younger = p->first_child;
    if (p->first_child)
        p->first_child->older = t;
    p->first_child = t;
}

static void drop(struct tasks *ts, struct task *t)
{
    struct task *p = t->parent;
    if (p) {
        p->live_children--;
        if (p->first_child == t)
            p->first_child = t->younger;
        if (t->older)
            t->older->younger = t->younger;
        if (t->younger)
            t->younger->older = t->older;
    }
    list_remove(&t->node);
    heap_remove(ts, t);
    unshare_grants(ts, t);
    map_del(&ts->by_id, id_str(&t->id));
    task_free(t);
}

/* ---- changes ---- */

void tasks_set_state(struct tasks *ts, struct task *t, enum task_state state, str reason,
                     int64_t now_ms)
{
    bool was_open = task_state_is_open(t->state);
    char *copy = reason.n ? malloc(reason.n) : NULL;
    if (reason.n && !copy)
        abort();
    if (copy)
        memcpy(copy, reason.p, reason.n);
    free((void *)(uintptr_t)t->reason.p);
    t->reason = str_of(copy, copy ? reason.n : 0);
    t->state = state;
    if (!task_state_is_open(state))
        t->closed_ms = now_ms;
    place(ts, t, was_open);
}

void tasks_begin(struct tasks *ts, struct task *t, int64_t deadline_ms)
{
    t->deadline_ms = deadline_ms;
    t->until_ms = 0;
    tasks_set_state(ts, t, TASK_ACTIVE, (str){0}, 0);
}

/* ---- looking ---- */

struct task *tasks_find(const struct tasks *ts, str id)
{
    return map_get(&ts->by_id, id);
}

struct task *tasks_next_of(const struct tasks *ts, str agent, struct list **it)
{
    const struct agent_tasks *g = map_get(&ts->by_agent, agent);
    if (!g)
        return NULL;
    *it = *it ? *it : g->open.next;
    if (*it == &g->open)
        return NULL;
    struct task *t = LIST_ENTRY(*it, struct task, node);
    *it = (*it)->next;
    return t;
}

struct task *tasks_only_of(const struct tasks *ts, str agent, int64_t now_ms, size_t *count)
{
    struct task *found = NULL, *t;
    struct err err;
    *count = 0;
    for (struct list *it = NULL; *count < 2 && (t = tasks_next_of(ts, agent, &it));)
        if (task_is_live(t, now_ms, &err)) {
            found = t;
            ++*count;
        }
    return *count == 1 ? found : NULL;
}

struct task *tasks_due(const struct tasks *ts, int64_t now_ms)
{
    return ts->heap_n && now_ms >= due_ms(ts->heap[0]) ? ts->heap[0] : NULL;
}

struct task *tasks_next_below(const struct task *t, const struct task *at)
{
    if (at->first_child)
        return at->first_child;
    for (; at != t; at = at->parent)
        if (at->younger)
            return at->younger;
    return NULL;
}

/* ---- the end ---- */

void tasks_sweep(struct tasks *ts, int64_t keep_from_ms)
{
    if (!ts->ended.next)
        return;
    LIST_EACH(&ts->ended, it)
    {
        struct task *t = LIST_ENTRY(it, struct task, node);
        if (t->closed_ms >= keep_from_ms)
            return;
        if (!t->live_children && !t->uses)
            drop(ts, t);
    }
}

void tasks_fini(struct tasks *ts)
{
    str key;
    void *v;
    for (size_t i = 0; map_next(&ts->by_id, &i, &key, &v);)
        task_free(v);
    for (size_t i = 0; map_next(&ts->by_agent, &i, &key, &v);)
        free(v);
    for (size_t i = 0; map_next(&ts->sets, &i, &key, &v);)
        grant_set_unref(v);
    map_fini(&ts->by_id);
    map_fini(&ts->by_agent);
    map_fini(&ts->sets);
    free(ts->heap);
    *ts = (struct tasks){0};
}
