/* Templates and the policies linked from them; lists put together by hand. */
#include "cedar/policy/link.h"
#include "cedar/policy/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const char templates[] =
    "permit(principal == ?principal, action, resource is R in ?resource) when { true };\n"
    "@note(\"x\") forbid(principal is U in ?principal, action, resource);\n"
    "permit(principal, action, resource in ?resource);\n"
    "permit(principal, action, resource);\n";

static const struct cedar_uid user = {S("U"), S("a")}, doc = {S("R"), S("d")};

static void read_templates(struct arena *a, struct cedar_policies *out)
{
    struct cedar_diags d;
    assert_true(cedar_policies_parse(a, S("t"), str_z(templates), out, &d));
}

/* ---- links ---- */

static void test_a_link_is_a_policy(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct cedar_policies p;
    struct cedar_policy link;
    struct err err;
    read_templates(&a, &p);
    const struct cedar_policy *t = &p.items[0];
    assert_true(cedar_link(&a, t, S("l"), &user, &doc, &link, &err));
    assert_true(str_eq(link.id, S("l")) && str_eq(link.template_id, S("policy0")));
    assert_false(link.is_template);
    assert_true(link.conditions == t->conditions && link.condition_count == 1);
    assert_int_equal(link.scope[CEDAR_PRINCIPAL].op, CEDAR_SCOPE_EQ);
    assert_int_equal(link.scope[CEDAR_PRINCIPAL].slot, CEDAR_SLOT_NONE);
    assert_true(cedar_uid_eq(&link.scope[CEDAR_PRINCIPAL].uids[0].uid, &user));
    assert_int_equal(link.scope[CEDAR_RESOURCE].op, CEDAR_SCOPE_IS_IN);
    assert_true(str_eq(link.scope[CEDAR_RESOURCE].type, S("R")));
    assert_int_equal(link.scope[CEDAR_RESOURCE].uid_count, 1);
    assert_true(cedar_uid_eq(&link.scope[CEDAR_RESOURCE].uids[0].uid, &doc));
    /* the template is what it was */
    assert_true(t->is_template && t->scope[CEDAR_PRINCIPAL].slot == CEDAR_SLOT_PRINCIPAL);
    assert_int_equal(t->scope[CEDAR_PRINCIPAL].uid_count, 0);

    assert_true(cedar_link(&a, &p.items[1], S("m"), &doc, NULL, &link, &err));
    assert_int_equal(link.effect, CEDAR_FORBID);
    assert_true(str_eq(*cedar_policy_annotation(&link, S("note")), S("x")));
}

static void test_what_cannot_be_linked(void **state)
{
    (void)state;
    static const struct {
        size_t policy;
        bool principal, resource;
        const char *why;
    } rows[] = {
        {0, true, false, "template `policy0` needs a value for ?resource"},
        {0, false, true, "template `policy0` needs a value for ?principal"},
        {0, false, false, "template `policy0` needs a value for ?principal"},
        {1, true, true, "template `policy1` has no slot ?resource to be filled"},
        {1, false, false, "template `policy1` needs a value for ?principal"},
        {2, true, true, "template `policy2` has no slot ?principal to be filled"},
        {3, false, false, "policy `policy3` is no template: it has no slots"},
        {3, true, false, "policy `policy3` is no template: it has no slots"},
    };
    ARENA_SCOPE struct arena a = {0};
    struct cedar_policies p;
    read_templates(&a, &p);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cedar_policy link = {.id = S("untouched")};
        struct err err;
        assert_false(cedar_link(&a, &p.items[rows[i].policy], S("l"),
                                rows[i].principal ? &user : NULL, rows[i].resource ? &doc : NULL,
                                &link, &err));
        assert_string_equal(err.text, rows[i].why);
        assert_true(str_eq(link.id, S("untouched")));
    }
}

/* ---- lists ---- */

static void test_ids_are_distinct(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct cedar_policies p, made = {0};
    struct cedar_policy link;
    struct err err;
    read_templates(&a, &p);
    assert_true(cedar_policies_find(&p, S("policy2")) == &p.items[2]); /* without an index */
    assert_null(cedar_policies_find(&p, S("policy4")));
    for (size_t i = 0; i < 1000; i++) {
        assert_true(cedar_link(&a, &p.items[2], str_fmt(&a, "l%zu", i), NULL, &doc, &link, &err));
        assert_true(cedar_policies_add(&a, &made, &link, &err));
        assert_true(cedar_policies_add(&a, &p, &link, &err));
    }
    assert_int_equal(made.count, 1000);
    assert_int_equal(p.count, 1004);
    assert_true(cedar_policies_find(&made, S("l999")) == &made.items[999]);
    assert_true(cedar_policies_find(&p, S("policy2")) == &p.items[2]);
    assert_null(cedar_policies_find(&p, S("l1000")));
    assert_false(cedar_policies_add(&a, &made, &link, &err));
    assert_string_equal(err.text, "two policies have the id `l999`");
    link.id = S("policy1");
    assert_false(cedar_policies_add(&a, &p, &link, &err));
    assert_int_equal(p.count, 1004);
    struct cedar_policy twice[] = {p.items[0], p.items[0]};
    struct cedar_policies bad = {.items = twice, .count = 2};
    link.id = S("other");
    assert_false(cedar_policies_add(&a, &bad, &link, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_link_is_a_policy),
        cmocka_unit_test(test_what_cannot_be_linked),
        cmocka_unit_test(test_ids_are_distinct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
