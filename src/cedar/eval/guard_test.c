/* The wrapper: whatever is not as the schema says, and whatever fails, is denied. */
#include "cedar/check/validate.h"
#include "cedar/eval/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { SEED = 7 };

static const char schema_text[] =
    "entity Agent { limit: Long }; entity System;\n"
    "action call; action look in [call] appliesTo {\n"
    "  principal: [Agent], resource: [System], context: { amount: Long, note?: String } };\n"
    "action other appliesTo { principal: [System], resource: [System] };\n";

/* A forbid on a group, as guardrails are; and one that can fail. */
static const char policy_text[] =
    "permit(principal, action, resource);\n"
    "forbid(principal, action in Action::\"call\", resource) when { context.amount > 100 };\n"
    "forbid(principal, action in Action::\"call\", resource) when {\n"
    "  context.amount * 1000000000000000000 > 1 && principal.limit < 0 };\n";

struct world {
    struct arena arena;
    const struct schema *schema;
    struct cedar_policies policies;
    struct cedar_set *set;
    struct cedar_entities entities;
};

static void open_world(struct world *w, bool with_action)
{
    static const struct cedar_uid group = {{"Action", 6}, {"call", 4}};
    struct cedar_diags d;
    struct err err;
    struct cedar_field limit = {S("limit"), cedar_long(5)};
    *w = (struct world){0};
    cedar_diags_init(&d, &w->arena, S("schema"), str_z(schema_text));
    assert_true(schema_read(&w->arena, str_z(schema_text), &w->schema, &d));
    assert_true(cedar_policies_parse(&w->arena, S("test"), str_z(policy_text), &w->policies, &d));
    assert_true(validate_policies(w->schema, &w->policies, NULL, &d));
    const struct cedar_policies *texts[] = {&w->policies};
    w->set = cedar_compile(texts, 1, SEED, &err);
    cedar_entities_init(&w->entities, &w->arena, NULL, SEED);
    struct cedar_entity agent = {.uid = {S("Agent"), S("a")}};
    assert_true(cedar_record_of(arena_dup(&w->arena, &limit, sizeof limit), 1, &agent.attrs));
    struct cedar_entity action = {
        .uid = {S("Action"), S("look")}, .parents = &group, .parent_count = with_action};
    assert_true(cedar_entities_add(&w->entities, &agent, &err));
    assert_true(cedar_entities_add(&w->entities, &action, &err));
}

static void close_world(struct world *w)
{
    cedar_set_free(w->set);
    arena_fini(&w->arena);
}

static struct cedar_verdict ask(struct world *w, const char *principal, const char *action,
                                struct cedar_field *fields, size_t n)
{
    struct cedar_value *context = ARENA_NEW(&w->arena, struct cedar_value);
    assert_true(cedar_record_of(arena_dup(&w->arena, fields, n * sizeof *fields), n, context));
    struct cedar_request req = {
        {str_z(principal), S("a")}, {S("Action"), str_z(action)}, {S("System"), S("s")}, context};
    return cedar_enforce(w->set, w->schema, &req, &w->entities, &w->arena);
}

static void test_conforming(void **state)
{
    struct world w;
    struct err err;
    open_world(&w, true);
    struct cedar_field f[] = {{S("amount"), cedar_long(5)}, {S("note"), cedar_string(S("x"))}};
    struct cedar_verdict v = ask(&w, "Agent", "look", f, 1);
    assert_true(!v.allowed && v.failed); /* not sealed */
    assert_true(cedar_entities_seal(&w.entities, &err));
    v = ask(&w, "Agent", "look", f, 1);
    assert_true(v.allowed && !v.failed);
    assert_true(ask(&w, "Agent", "look", f, 2).allowed);
    f[0].value = cedar_long(101); /* both forbids: the one denies, the other overflows */
    v = ask(&w, "Agent", "look", f, 1);
    assert_true(!v.allowed && v.failed && v.response.decision == CEDAR_DENY);
    f[0].value = cedar_long(50); /* the language would allow */
    v = ask(&w, "Agent", "look", f, 1);
    assert_true(!v.allowed && v.failed && v.response.decision == CEDAR_ALLOW);
    assert_true(str_find(v.why, S("policy2")) >= 0);
    close_world(&w);
}

static void test_not_conforming(void **state)
{
    struct world w;
    struct err err;
    open_world(&w, true);
    assert_true(cedar_entities_seal(&w.entities, &err));
    struct cedar_field f[] = {{S("amount"), cedar_long(5)}, {S("note"), cedar_long(1)}};
    struct cedar_field more[] = {{S("amount"), cedar_long(5)}, {S("more"), cedar_long(1)}};
    const struct cedar_verdict all[] = {
        ask(&w, "System", "look", f, 1), /* not such a principal */
        ask(&w, "Robot", "look", f, 1),  /* no such type */
        ask(&w, "Agent", "walk", f, 1),  /* no such action */
        ask(&w, "Agent", "call", f, 1),  /* a group */
        ask(&w, "Agent", "look", f, 0),  /* amount is missing */
        ask(&w, "Agent", "look", f, 2),  /* note is no string */
        ask(&w, "Agent", "look", more, 2),
        ask(&w, "System", "other", f, 0), /* as it should be, but not in the store */
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].allowed || !all[i].failed || all[i].why.n == 0)
            fail_msg("row %zu is not denied as a failure", i);
    close_world(&w);
}

/* With an action that lacks its groups in the store, forbids on groups would never match. */
static void test_action_without_groups(void **state)
{
    struct world w;
    struct err err;
    open_world(&w, false);
    assert_true(cedar_entities_seal(&w.entities, &err));
    struct cedar_field f[] = {{S("amount"), cedar_long(101)}};
    struct cedar_verdict v = ask(&w, "Agent", "look", f, 1);
    assert_true(!v.allowed && v.failed);
    struct cedar_value context;
    assert_true(cedar_record_of(f, 1, &context));
    struct cedar_request req = {
        {S("Agent"), S("a")}, {S("Action"), S("look")}, {S("System"), S("s")}, &context};
    assert_true(cedar_guard(w.set, &req, &w.entities, &w.arena).allowed);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conforming),
        cmocka_unit_test(test_not_conforming),
        cmocka_unit_test(test_action_without_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
