#include "call/lease.h"
#include "store/read.h"

#include <stdlib.h>

static str key_of(struct arena *a, str task, str binding)
{
    return str_fmt(a, "%.*s %.*s", STR(task), STR(binding));
}

static bool has_secret(const struct conf_value *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (values[i].secret.n)
            return true;
    return false;
}

bool binding_needs_secret(const struct conf_binding *b)
{
    return b->kind == BINDING_STDIO ? has_secret(b->env, b->env_n)
                                    : has_secret(b->headers, b->headers_n);
}

static struct lease *add(struct gate *g, str task, str binding, bool in_program, int64_t opened_ms)
{
    ARENA_SCOPE struct arena a = {0};
    struct lease *l = calloc(1, sizeof *l);
    if (!l)
        abort();
    memcpy(l->task.s, task.p, ID_LEN);
    l->binding = conf_binding(g->conf, binding);
    l->binding_name = str_dup(&l->arena, binding);
    l->in_program = in_program;
    l->opened_ms = opened_ms;
    map_put(&g->leases, key_of(&a, task, binding), l);
    return l;
}

void lease_open(struct gate *g, const struct id *task, const struct conf_binding *b, int64_t now_ms)
{
    ARENA_SCOPE struct arena a = {0};
    if (!binding_needs_secret(b) || map_get(&g->leases, key_of(&a, id_str(task), b->name)))
        return;
    struct lease *l = add(g, id_str(task), b->name, b->kind == BINDING_STDIO, now_ms);
    struct store_lease row = {.task = id_str(task),
                              .binding = b->name,
                              .holder = l->in_program ? S("program") : S("edge"),
                              .opened_ms = now_ms};
    struct store_txn *t = store_txn_new(g->store);
    store_lease_open(t, &row);
    gate_submit(g, t, NULL, NULL);
}

struct lease **leases_of(struct gate *g, struct arena *a, const struct id *task, size_t *n)
{
    struct lease **out;
    str key;
    void *v;
    *n = 0;
    if (!task) {
        out = ARENA_ARRAY(a, struct lease *, map_count(&g->leases) + 1);
        for (size_t i = 0; map_next(&g->leases, &i, &key, &v);)
            out[(*n)++] = v;
        return out;
    }
    out = ARENA_ARRAY(a, struct lease *, g->conf->bindings_n + 1);
    if (!map_count(&g->leases))
        return out;
    for (size_t i = 0; i < g->conf->bindings_n; i++) {
        struct lease *l = map_get(&g->leases, key_of(a, id_str(task), g->conf->bindings[i].name));
        if (l)
            out[(*n)++] = l;
    }
    return out;
}

void lease_end(struct lease *l, bool programs_ended)
{
    l->revoking = false;
    l->over = true;
    l->quarantined = !(l->in_program && programs_ended);
    if (!l->quarantined)
        l->why = S("the program that had it in its environment has ended");
    else if (l->in_program)
        l->why = S("nobody has confirmed that the program that has it in its environment has "
                   "ended: look for it, and change the secret");
    else
        l->why = S("a static secret cannot be revoked by Ambit: an edge had it for single requests "
                   "and gets it no more; if it may have leaked, change it at the system and then "
                   "with `ambit secret set`");
}

str lease_state(const struct lease *l)
{
    if (l->over)
        return l->quarantined ? S("quarantined") : S("ended");
    return l->revoking ? S("revoking") : S("live");
}

static void lease_free(struct lease *l)
{
    arena_fini(&l->arena);
    free(l);
}

void lease_drop(struct gate *g, struct lease *l)
{
    ARENA_SCOPE struct arena a = {0};
    map_del(&g->leases, key_of(&a, id_str(&l->task), l->binding_name));
    lease_free(l);
}

/* Nothing releases it any more, and nothing else will end it. */
static void end_stray(struct gate *g, const struct store_lease *row)
{
    struct store_lease end = *row;
    end.state = S("quarantined");
    end.why = S("its binding is not in the configuration any more; if the secret may have leaked, "
                "change it at the system");
    struct store_txn *t = store_txn_new(g->store);
    store_lease_end(t, &end);
    gate_submit(g, t, NULL, NULL);
}

static bool each_lease(void *arg, const struct store_lease *row)
{
    struct gate *g = arg;
    if (!id_is_valid(row->task, 't') || !conf_binding(g->conf, row->binding)) {
        end_stray(g, row);
        return true;
    }
    struct lease *l =
        add(g, row->task, row->binding, str_eq(row->holder, S("program")), row->opened_ms);
    l->revoking = str_eq(row->state, S("revoking"));
    return true;
}

bool leases_restore(struct gate *g, struct err *err)
{
    return store_read_leases(store_view(g->store), (str){0}, each_lease, g, err);
}

void leases_fini(struct gate *g)
{
    str key;
    void *v;
    for (size_t i = 0; map_next(&g->leases, &i, &key, &v);)
        lease_free(v);
    map_fini(&g->leases);
}
