/* After a start: tasks, holds and pins as they were committed; what had ended meanwhile, ends. */
#include "call/gate.h"
#include "call/oauth.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "store/read.h"

#include <stdlib.h>

struct restoring {
    struct gate *g;
    struct err *err;
    bool ok;
};

static bool each_task(void *arg, const struct store_task *row)
{
    struct restoring *r = arg;
    struct task *parent = row->parent.n ? tasks_find(&r->g->tasks, row->parent) : NULL;
    struct task *t;
    if (row->parent.n && !parent)
        return true; /* its parent has ended, and so has it, by ancestry */
    struct task_row in = {.id = row->id,
                          .owner = row->owner,
                          .agent = row->agent,
                          .purpose = row->purpose,
                          .grants = row->grants,
                          .opened_ms = row->opened_ms,
                          .deadline_ms = row->deadline_ms,
                          .calls_left = row->calls_left};
    r->ok = task_restore(&in, parent, &t, r->err);
    if (!r->ok)
        return false;
    tasks_add(&r->g->tasks, t);
    return true;
}

static bool set_children(void *arg, const struct store_task *row)
{
    struct restoring *r = arg;
    struct task *t = tasks_find(&r->g->tasks, row->id);
    if (t)
        t->children = (unsigned)row->children;
    return true;
}

static bool each_hold(void *arg, const struct store_hold *row)
{
    struct restoring *r = arg;
    struct task *t = tasks_find(&r->g->tasks, row->task);
    str digest;
    struct hold *h = hold_new();
    if (!t || !id_is_valid(row->id, 'h') || !id_is_valid(row->call, 'c') ||
        !hex_decode(&h->arena, row->digest, &digest) || digest.n != HASH_LEN) {
        arena_fini(&h->arena);
        free(h);
        return true; /* of a task that has ended */
    }
    memcpy(h->id.s, row->id.p, ID_LEN);
    memcpy(h->call.s, row->call.p, ID_LEN);
    memcpy(h->digest.b, digest.p, HASH_LEN);
    h->task = t->id;
    h->owner = str_dup(&h->arena, t->owner);
    h->agent = str_dup(&h->arena, t->agent);
    h->purpose = str_dup(&h->arena, t->purpose);
    h->binding = str_dup(&h->arena, row->binding);
    h->tool = str_dup(&h->arena, row->tool);
    h->effect = str_dup(&h->arena, row->effect);
    h->args = str_dup(&h->arena, row->args);
    h->policies = str_dup(&h->arena, row->policies);
    h->approver = str_dup(&h->arena, row->approver);
    h->state = hold_state_parse(row->state);
    h->created_ms = row->created_ms;
    h->expires_ms = row->expires_ms;
    h->decided_ms = row->decided_ms;
    holds_add(&r->g->holds, h);
    return true;
}

static bool each_pin(void *arg, const struct store_pin *row)
{
    struct restoring *r = arg;
    ARENA_SCOPE struct arena a = {0};
    const json *def;
    struct catalog_tool *t;
    struct err err;
    if (!json_read(&a, row->definition, NULL, &def, &err) ||
        catalog_put(&r->g->catalog, r->g->conf, row->binding, def, true, &t, &err) == CATALOG_BAD)
        log_warn("pin left out", LOG_STR("binding", row->binding), LOG_STR("tool", row->tool),
                 LOG_ERR(&err));
    return true;
}

static bool put_internal(struct gate *g, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    const json *def;
    struct catalog_tool *t;
    return json_read(&a, gate_delegate_definition(), NULL, &def, err) &&
           catalog_put(&g->catalog, g->conf, S("ambit"), def, true, &t, err) != CATALOG_BAD;
}

bool gate_restore(struct gate *g, struct err *err)
{
    struct restoring r = {.g = g, .err = err, .ok = true};
    struct store_view *v = store_view(g->store);
    g->oauth = oauth_new();
    if (!store_read_tasks_active(v, each_task, &r, err) || !r.ok)
        return false;
    if (!store_read_tasks_active(v, set_children, &r, err))
        return false;
    return store_read_holds_live(v, each_hold, &r, err) && store_read_pins(v, each_pin, &r, err) &&
           put_internal(g, err);
}

static void free_values(struct map *m)
{
    str key;
    void *v;
    for (size_t i = 0; map_next(m, &i, &key, &v);)
        free(v);
    map_fini(m);
}

void gate_fini(struct gate *g)
{
    str key;
    void *v;
    for (size_t i = 0; map_next(&g->live, &i, &key, &v);) {
        struct live_call *c = v;
        arena_fini(&c->arena);
        free(c);
    }
    map_fini(&g->live);
    free_values(&g->sessions);
    free_values(&g->conns);
    gate_tokens_forget(g);
    map_fini(&g->tokens);
    oauth_free(g->oauth);
    holds_fini(&g->holds);
    catalog_fini(&g->catalog);
    tasks_fini(&g->tasks);
    policy_free(g->policy);
    keyset_fini(&g->token_keys);
    trust_free(g->trust);
    buf_fini(&g->token_jwks);
    buf_fini(&g->txn_jwks);
    secret_free(g->keeper_key);
    secret_free(g->runner_key);
    buf_fini(&g->scratch);
}
