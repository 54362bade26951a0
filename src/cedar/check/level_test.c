/* Levels: each row's policy passes at its level and fails at the one below with the code given. */
#include "cedar/check/validate.h"
#include "cedar/policy/parse.h"
#include "cedar/schema/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char schema_text[] =
    "entity Org { name: String, head?: User };\n"
    "entity Group in [Group] { lead: User, org: Org };\n"
    "entity User in [Group] {\n"
    "  name: String, boss: User, spare?: User, home: { owner: User, street?: String },\n"
    "  peers: Set<User>\n"
    "} tags String;\n"
    "entity Doc { owner: User, size: Long, group: Group } tags User;\n"
    "entity Disk;\n"
    "action all;\n"
    "action view in [all] appliesTo {\n"
    "  principal: [User], resource: [Doc],\n"
    "  context: { now: Long, by: User, via?: User, box: { who: User } }\n"
    "};\n"
    "action wipe appliesTo { principal: [User], resource: [Disk], context: {} };\n"
    "namespace Ops { action move appliesTo { principal: [User], resource: [Doc] }; }\n";

enum { NEVER = -1 }; /* no level is enough */

#define MIXED "permit(principal, action in [Action::\"view\", Ops::Action::\"move\"], resource) "

static const struct {
    int level;
    const char *policy; /* or only a condition of one for the action view */
} rows[] = {
    /* nothing is read */
    {0, "permit(principal, action, resource);"},
    {0, "permit(principal == User::\"a\", action == Action::\"view\", resource is Doc);"},
    {0, "true"},
    {0, "principal == User::\"a\""},
    {0, "principal is User"},
    {0, "context.now > 3 && context.by == principal && context.box.who == principal"},
    {0, "context has via && context.via == principal"},
    {0, "context has box.who"},
    {0, "[principal, context.by].contains(User::\"a\")"},
    {0, "{a: principal}.a == User::\"b\""},
    /* the scope asks what an entity is in */
    {1, "permit(principal in Group::\"g\", action, resource);"},
    {1, "permit(principal, action in Action::\"all\", resource);"},
    {1, "permit(principal, action in [Action::\"view\"], resource);"},
    {1, "permit(principal, action, resource in Doc::\"d\");"},
    {1, "permit(principal is User in Group::\"g\", action, resource);"},
    {1, "permit(principal in ?principal, action, resource);"},
    {0, "permit(principal == ?principal, action, resource);"},
    {1, "permit(principal, action, resource is Doc in ?resource);"},
    /* not even where the environment is not the scope's; but not behind what is certainly false */
    {1, "permit(principal, action == Action::\"view\", resource is Doc in Doc::\"d\");"},
    /* actions of two types, which permissive mode lets through: the conditions are looked at */
    {1, MIXED ";"},
    {1, MIXED "when { principal.name == \"a\" };"},
    {2, MIXED "when { principal.boss.name == \"a\" };"},
    {2, MIXED "unless { resource.owner.name == \"a\" };"},
    {3, MIXED "when { principal.boss.boss has name };"},
    {1, MIXED "when { action == Action::\"wipe\" && principal.boss.name == \"a\" };"},
    {NEVER, MIXED "when { User::\"a\" has name };"},
    /* one reference */
    {1, "principal.name == \"a\""},
    {1, "principal has name"},
    {1, "principal in Group::\"g\""},
    {1, "principal is User in Group::\"g\""},
    {1, "action in Action::\"all\""},
    {1, "principal.hasTag(\"t\")"},
    {1, "principal.hasTag(\"t\") && principal.getTag(\"t\") == \"x\""},
    {1, "principal.home.owner == principal"},
    {1, "principal.home has street && principal.home.street == \"s\""},
    {1, "principal has home.street"},
    {1, "context.by.name == \"a\""},
    {1, "context.box.who.name == \"a\""},
    {1, "context has box.who.name"},
    {1, "context has via && context.via.name == \"a\""},
    {1, "principal.peers.contains(principal)"},
    {1, "principal in context.by"},
    {1, "principal in [context.by, User::\"a\"]"},
    {1, "Action::\"view\" in Action::\"all\""}, /* the request's own action may be read */
    /* two and more */
    {2, "principal.boss.name == \"a\""},
    {2, "principal.boss has name"},
    {2, "principal has spare.name"},
    {2, "principal.boss in Group::\"g\""},
    {2, "principal has home.owner.name"},
    {2, "principal.home.owner.name == \"a\""},
    {2, "resource.hasTag(\"t\") && resource.getTag(\"t\").name == \"a\""},
    {2, "principal.hasTag(resource.owner.name)"},
    {1, "principal in resource.owner"},
    {2, "principal in resource.owner.boss"},
    {3, "principal.boss.boss.name == \"a\""},
    {3, "principal has boss.boss.name"},
    {3, "resource.group.org has head"},
    {4, "resource.group.org has head && resource.group.org.head.name == \"a\""},
    {4, "principal.boss.boss.boss is User in Group::\"g\""},
    {2, "principal.boss.boss is User"},
    /* all parts count */
    {2, "principal == User::\"a\" || (false || principal.boss.name == \"b\")"},
    {2, "!(principal.boss.name like \"a*\")"},
    {2, "[principal.boss.name].isEmpty()"},
    {2, "{a: principal.boss.name} == {a: \"x\"}"},
    {2, "resource.size + 1 < 3 && resource.owner has spare"},
    /* if: the deeper branch, and its test */
    {2, "(if context.now > 3 then principal else principal.boss).name == \"a\""},
    {2, "(if context.now > 3 then principal.boss else principal).name == \"a\""},
    {3, "(if principal.boss.boss has spare then principal else principal.boss).name == \"a\""},
    {2, "(if context.now > 3 then principal.boss.name else \"x\") == \"a\""},
    /* records: what is taken out counts as a way, the rest for itself */
    {1, "{a: principal, b: 1}.a.name == \"x\""},
    {2, "{a: principal.boss, b: 1}.a.name == \"x\""},
    {2, "{a: principal, b: principal.boss.name}.a.name == \"x\""},
    {2, "{a: {b: principal.boss, c: principal}}.a.b.name == \"x\""},
    {1, "{a: {b: principal.boss, c: principal}}.a.c.name == \"x\""},
    {2, "{a: {b: principal.boss, c: principal}} has a.b.name"},
    {1, "{a: {b: principal.boss, c: principal}} has a.c.name"},
    {1, "(if context.now > 3 then {a: principal, b: principal} else {a: context.by, b: "
        "principal.boss}).a.name == \"x\""},
    /* dead code does not count */
    {0, "false && principal.boss.name == \"a\""},
    {0, "true || principal.boss.name == \"a\""},
    {1, "if true then principal.name == \"a\" else principal.boss.name == \"a\""},
    {1, "if false then principal.boss.name == \"a\" else principal.name == \"a\""},
    {0, "principal is Doc && principal.owner.name == \"a\""},
    {0, "principal is Doc in User::\"a\""},
    {2, "principal.boss.name == \"a\" && false"},
    {1, "principal has nothing.at.all"},
    {1, "permit(principal, action, resource) when { resource has size && resource.size > 1 };"},
    {2, "permit(principal, action, resource) when { resource has owner && resource.owner has name "
        "};"},
    /* a literal is reached by nothing */
    {NEVER, "User::\"a\".name == \"a\""},
    {NEVER, "User::\"a\" has name"},
    {NEVER, "User::\"a\" in Group::\"g\""},
    {NEVER, "User::\"a\".hasTag(\"t\")"},
    {NEVER, "User::\"a\".boss.name == \"a\""},
    {NEVER, "(if context.now > 3 then principal else User::\"a\").name == \"a\""},
    {NEVER, "{a: User::\"a\"}.a.name == \"x\""},
    {NEVER, "{a: {b: User::\"a\"}} has a.b.name"},
    {NEVER, "{a: principal, b: User::\"a\".name}.a.name == \"x\""},
    {1, "{a: principal, b: User::\"a\"}.a.name == \"x\""},
    {1, "principal in [User::\"a\", Group::\"g\"] || principal == User::\"b\""},
    {NEVER, "Action::\"wipe\" in Action::\"all\""},
    {0, "false && User::\"a\".name == \"a\""},
};

static str policy_of(struct arena *a, const char *row)
{
    str text = str_z(row);
    if (str_ends(text, S(";")))
        return text;
    return str_fmt(a, "permit(principal, action == Action::\"view\", resource) when { %s };", row);
}

/* Whether it passes; *code: of its one kind of finding. */
static bool passes(struct arena *a, const struct schema *s, str text, uint32_t level,
                   const char **code)
{
    struct cedar_policies ps;
    struct cedar_diags d;
    struct validate_options how = {.mode = VALIDATE_PERMISSIVE, .has_level = true, .level = level};
    if (!cedar_policies_parse(a, S("test"), text, &ps, &d))
        fail_msg("%.*s: %.*s", STR(text), STR(d.items[0].text));
    bool ok = validate_policies(s, &ps, &how, &d);
    *code = NULL;
    for (size_t i = 0; i < d.count; i++)
        if (d.items[i].severity == CEDAR_ERROR)
            *code = d.items[i].code;
    return ok;
}

static const struct schema *schema_of(struct arena *a)
{
    struct cedar_diags d;
    const struct schema *s;
    cedar_diags_init(&d, a, S("schema"), str_z(schema_text));
    if (!schema_read(a, str_z(schema_text), &s, &d))
        fail_msg("%.*s", STR(d.items[0].text));
    return s;
}

static void test_rows(void **state)
{
    ARENA_SCOPE struct arena sa = {0};
    const struct schema *s = schema_of(&sa);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ARENA_SCOPE struct arena a = {0};
        str text = policy_of(&a, rows[i].policy);
        const char *code;
        uint32_t enough = rows[i].level == NEVER ? 100 : (uint32_t)rows[i].level;
        if (passes(&a, s, text, enough, &code) != (rows[i].level != NEVER))
            fail_msg("%s: level %u, %s", rows[i].policy, enough, code ? code : "passes");
        if (rows[i].level == NEVER && strcmp(code, "level-literal") != 0)
            fail_msg("%s: %s", rows[i].policy, code);
        if (rows[i].level <= 0)
            continue;
        if (passes(&a, s, text, enough - 1, &code))
            fail_msg("%s: passes at level %u", rows[i].policy, enough - 1);
        assert_string_equal(code, "level-exceeded");
    }
}

/* The text says how far the read is and how far it may be; each place once. */
static void test_text(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    const struct schema *s = schema_of(&a);
    str text = S("permit(principal, action, resource) when { principal.boss.boss.name == \"a\" };");
    struct validate_options how = {.has_level = true, .level = 1};
    struct cedar_policies ps;
    struct cedar_diags d;
    assert_true(cedar_policies_parse(&a, S("test"), text, &ps, &d));
    assert_false(validate_policies(s, &ps, &how, &d));
    assert_int_equal(d.count, 1);
    assert_true(str_eq(d.items[0].text, S("this reads what is 3 references away from the request, "
                                          "and the level is 1")));
    assert_true(str_eq(cedar_span_text(text, d.items[0].span), S("principal.boss.boss.name")));
    assert_true(str_eq(d.items[0].policy, S("policy0")));
    how.has_level = false; /* then the number means nothing */
    cedar_diags_init(&d, &a, S("test"), text);
    assert_true(validate_policies(s, &ps, &how, &d));
}

/* A policy that applies to nothing passes with 4.13, and then what its scope asks counts: but not
 * behind an action that never fits. */
static void test_scope_of_nothing(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    const struct schema *s = schema_of(&a);
    struct validate_options how = {.has_level = true, .sdk = CEDAR_SDK_4_13};
    struct cedar_policies ps;
    struct cedar_diags d;
    assert_true(cedar_policies_parse(
        &a, S("test"),
        S("permit(principal, action == Action::\"wipe\", resource is Doc in Doc::\"d\");"), &ps,
        &d));
    assert_true(validate_policies(s, &ps, &how, &d));
    assert_true(cedar_policies_parse(
        &a, S("test"), S("permit(principal in Disk::\"d\", action == Action::\"wipe\", resource);"),
        &ps, &d));
    assert_false(validate_policies(s, &ps, &how, &d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_scope_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
