#include "cedar/check/request_envs.h"

#include "cedar/check/check.h"

struct finder {
    struct checker checker; /* first: the checker's callback gets it alone */
    bool *principals, *resources, *actions;
};

static void on_env(struct checker *c, struct answer a)
{
    struct finder *f = (struct finder *)c;
    if (answer_is_false(a))
        return;
    f->principals[c->env.types[CEDAR_PRINCIPAL]->etypes[0]] = true;
    f->resources[c->env.types[CEDAR_RESOURCE]->etypes[0]] = true;
    f->actions[c->env.action->index] = true;
}

static struct schema_set set_of(struct arena *a, const bool *marked, size_t n)
{
    uint32_t *items = ARENA_ARRAY(a, uint32_t, n);
    size_t count = 0;
    for (uint32_t i = 0; i < n; i++)
        if (marked[i])
            items[count++] = i;
    return (struct schema_set){items, count};
}

void request_envs(struct arena *a, const struct schema *s, const struct cedar_policy *p,
                  struct request_env_sets *out)
{
    struct finder f = {.principals = ARENA_ARRAY(a, bool, s->etype_count),
                       .resources = ARENA_ARRAY(a, bool, s->etype_count),
                       .actions = ARENA_ARRAY(a, bool, s->action_count)};
    struct cedar_diags ignored;
    cedar_diags_init(&ignored, a, (str){0}, (str){0});
    checker_init(&f.checker, s, p, NULL, &ignored);
    f.checker.on_env = on_env;
    (void)check_envs(&f.checker);
    checker_fini(&f.checker);
    *out = (struct request_env_sets){
        .principals = set_of(a, f.principals, s->etype_count),
        .resources = set_of(a, f.resources, s->etype_count),
        .actions = set_of(a, f.actions, s->action_count),
    };
}
