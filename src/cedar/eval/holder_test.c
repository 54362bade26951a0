/* Two threads decide while a third swaps the policies: every decision is that of one version, and
 * every version goes exactly once. */
#include "cedar/eval/holder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SEED = 3, VERSIONS = 300, DECISIONS_MIN = 1000 };

struct version {
    struct arena arena;
    struct cedar_policies policies;
    struct cedar_set *set;
    struct cedar_entities entities;
    atomic_uint *alive;
};

struct run {
    struct cedar_holder holder;
    atomic_uint alive;
    atomic_bool over;
    atomic_uint wrong;
    atomic_uint decisions;
};

static void release(void *owner)
{
    struct version *v = owner;
    cedar_set_free(v->set);
    arena_fini(&v->arena);
    atomic_fetch_sub(v->alive, 1);
    free(v);
}

/* Version n permits the principal n and nobody else; its store knows n and nobody else. */
static struct cedar_snapshot *make(struct run *run, unsigned n)
{
    struct version *v = calloc(1, sizeof *v);
    struct cedar_diags d;
    struct err err;
    assert_non_null(v);
    v->alive = &run->alive;
    atomic_fetch_add(&run->alive, 1);
    str text = str_fmt(&v->arena,
                       "permit(principal in G::\"%u\", action, resource);"
                       "forbid(principal, action, resource) when { principal.n != %u };",
                       n, n);
    assert_true(cedar_policies_parse(&v->arena, S("t"), text, &v->policies, &d));
    const struct cedar_policies *texts[] = {&v->policies};
    v->set = cedar_compile(texts, 1, SEED, &err);
    struct cedar_uid group = {S("G"), str_fmt(&v->arena, "%u", n)};
    struct cedar_field field = {S("n"), cedar_long(n)};
    struct cedar_entity e = {.uid = {S("U"), S("a")},
                             .parents = arena_dup(&v->arena, &group, sizeof group),
                             .parent_count = 1};
    cedar_entities_init(&v->entities, &v->arena, NULL, SEED);
    assert_true(cedar_record_of(arena_dup(&v->arena, &field, sizeof field), 1, &e.attrs));
    assert_true(cedar_entities_add(&v->entities, &e, &err));
    assert_true(cedar_entities_seal(&v->entities, &err));
    return cedar_snapshot_new(v->set, NULL, &v->entities, release, v);
}

static void *decide(void *arg)
{
    struct run *run = arg;
    struct arena scratch = {0};
    struct cedar_request req = {{S("U"), S("a")}, {S("Action"), S("v")}, {S("R"), S("r")}, NULL};
    while (!atomic_load(&run->over)) {
        struct cedar_response res;
        struct err err;
        struct cedar_snapshot *s = cedar_holder_take(&run->holder);
        arena_reset(&scratch);
        bool ok = cedar_authorize(s->set, &req, s->entities, &scratch, &res, &err);
        if (!ok || res.decision != CEDAR_ALLOW || res.error_count || res.reason_count != 1)
            atomic_fetch_add(&run->wrong, 1);
        atomic_fetch_add(&run->decisions, 1);
        cedar_snapshot_unref(s);
    }
    arena_fini(&scratch);
    return NULL;
}

static void test_swapping(void **state)
{
    (void)state;
    struct run run = {0};
    pthread_t threads[2];
    cedar_holder_init(&run.holder);
    assert_null(cedar_holder_take(&run.holder));
    cedar_holder_put(&run.holder, make(&run, 0));
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, decide, &run), 0);
    for (unsigned n = 1; n < VERSIONS || atomic_load(&run.decisions) < DECISIONS_MIN; n++)
        cedar_holder_put(&run.holder, make(&run, n));
    atomic_store(&run.over, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&run.wrong), 0);
    assert_int_equal(atomic_load(&run.alive), 1);
    cedar_holder_fini(&run.holder);
    assert_int_equal(atomic_load(&run.alive), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_swapping)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
