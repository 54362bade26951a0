/* Lints: each row's policies validate and give exactly the codes named, in order. */
#include "cedar/check/lint.h"
#include "cedar/policy/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char schema_text[] =
    "entity Team;\n"
    "entity Agent in [Team] { name: String, on: Bool, boss: Agent, limit: Long } tags String;\n"
    "entity Robot { name: String, on: Bool };\n"
    "entity System { name: String, since: datetime };\n"
    "entity Vault { owner: Agent };\n"
    "action call; action money in [call]; action hollow; action vaults in [call];\n"
    "action pay in [money] appliesTo { principal: [Agent], resource: [System], context: {\n"
    "  args: { amount: Long, note?: String, path: String, to?: { bank?: String } },\n"
    "  approval?: String } };\n"
    "action refund in [money] appliesTo { principal: [Agent], resource: [System], context: {\n"
    "  args: { path: String }, approval?: String } };\n"
    "action look in [call] appliesTo { principal: [Robot], resource: [System], context: {\n"
    "  args: {} } };\n"
    "action open in [vaults] appliesTo { principal: [Agent], resource: [Vault], context: {\n"
    "  args: {} } };\n";

#define PAY    "forbid(principal, action == Action::\"pay\", resource) "
#define PERMIT "permit(principal, action == Action::\"pay\", resource) "

static const struct {
    const char *policies;
    const char *codes; /* separated by spaces */
} rows[] = {
    {PAY ";", ""},
    {PAY "when { context.args.amount > 100 && principal.on };", ""},
    {"@id(\"x\") @advice(\"y\") @anything(\"z\") " PERMIT ";", ""},

    /* forbid-can-fail */
    {PAY "when { context.args.amount + 1 > 100 };", "forbid-can-fail"},
    {PAY "when { 1 + context.args.amount * 3 - 2 > 100 };", "forbid-can-fail"},
    {PAY "when { -context.args.amount < 0 };", "forbid-can-fail"},
    {PAY "unless { resource.since.offset(duration(\"1h\")) > datetime(\"2030-01-01\") };",
     "forbid-can-fail"},
    {PAY "when { resource.since.toTime() > duration(\"1h\") };", ""},
    {PAY "when { principal.on || (false && context.args.amount + 1 > 100) };", ""},
    {PERMIT "when { context.args.amount + 1 > 100 };", ""},
    {PAY "when { principal.boss.on };", "forbid-can-fail"},
    {PAY "when { principal.boss has on && principal.boss.on };", ""},
    {PAY "when { principal has boss.on && principal.boss.on };", ""},
    {PAY "when { principal.boss == principal };", ""},
    {PAY "when { principal.boss.hasTag(\"t\") && principal.boss.getTag(\"t\") == \"x\" };", ""},
    {PAY "when { Agent::\"ann\".on };", ""},
    {PERMIT "when { principal.boss.on };", ""},
    {"forbid(principal, action in Action::\"money\", resource) when {"
     "  (action == Action::\"pay\" || principal.boss has on) && principal.boss.on };",
     "forbid-can-fail"},

    /* forbid-never, forbid-empty-group */
    {PAY "when { principal is Robot };", "forbid-never always-false"},
    {"forbid(principal, action in [Action::\"pay\", Action::\"refund\"], resource)"
     "when { context.args has amount };",
     "forbid-never"},
    {"forbid(principal, action in Action::\"money\", resource) when { context.args has amount };",
     ""},
    {"forbid(principal, action in [Action::\"money\", Action::\"hollow\"], resource);",
     "forbid-empty-group"},
    {"forbid(principal is Agent, action in [Action::\"money\", Action::\"look\"], resource);",
     "forbid-empty-group"},
    {"forbid(principal, action in [Action::\"money\", Action::\"look\"], resource);", ""},
    {"permit(principal, action in [Action::\"money\", Action::\"hollow\"], resource);", ""},

    /* omitted-argument */
    {PAY "when { context.args has note && context.args.note == \"x\" };", "omitted-argument"},
    {PAY "when { context.args has note };", "omitted-argument"},
    {PAY "when { context has args.note && context.args.note == \"x\" };", "omitted-argument"},
    {PAY "when { context.args has to.bank && context.args.to.bank == \"x\" };", "omitted-argument"},
    {PAY "when { if context.args has note then context.args.note == \"x\" else false };",
     "omitted-argument"},
    {PAY "unless { !(context.args has note) };", "omitted-argument"},
    {PAY "when { context.args.amount > 3 || context.args has note };", "omitted-argument"},
    {PAY "unless { context.args has note };", ""},
    {PAY "unless { context.args has note && context.args.note == \"x\" };", ""},
    {PAY "when { !(context.args has note) };", ""},
    {PAY "when { !(context.args has note && context.args.note == \"x\") };", ""},
    {PAY "when { if context.args has note then context.args.note == \"x\" else true };", ""},
    {PAY "when { context.args has amount && context.args.amount > 3 };", ""},
    {PAY "when { context has approval && context.approval == \"x\" };", ""},
    {PAY "unless { context has approval };", ""},
    {PERMIT "when { context.args has note && context.args.note == \"x\" };", ""},
    /* another forbid wants it to be there */
    {PAY "when { context.args has note && context.args.note == \"x\" };" PAY
         "unless { context.args has note };",
     ""},
    {PAY "when { context.args has note };"
         "forbid(principal, action, resource is System)"
         "unless { context.args has note };",
     "omitted-argument"},
    {PAY "when { context.args has note };"
         "forbid(principal, action, resource) unless { context.args has note };",
     ""},
    {PAY "when { context.args has note };" PERMIT "unless { context.args has note };",
     "omitted-argument"},
    {PAY "when { context.args has to && context.args.to has bank };" PAY
         "unless { context.args has to };",
     "omitted-argument"},

    /* always-false */
    {PERMIT "when { principal == Team::\"t\" || principal.on };", "always-false"},
    {PERMIT "when { principal != Team::\"t\" };", "always-false"},
    {PERMIT "when { principal in Robot::\"r\" || principal.on };", "always-false"},
    {PERMIT "when { context.args has nota || principal.on };", "always-false"},
    {PERMIT "when { resource.hasTag(\"t\") || principal.on };", "always-false"},
    {PERMIT "when { principal is Robot || principal.on };", "always-false"},
    {PERMIT "when { !(context has aproval) };", "always-false"},
    {"permit(principal, action, resource is System) when { principal is Robot || principal.on };",
     ""},
    {"permit(principal, action in Action::\"money\", resource) when { context.args has amount };",
     ""},
    {PERMIT "when { principal in Team::\"t\" };", ""},
    {PERMIT "when { false && principal is Robot };", ""},

    /* unknown-entity: ann, bob and the system bank are known, and no team is */
    {"permit(principal == Agent::\"ann\", action, resource == System::\"bank\");", ""},
    {"forbid(principal == Agent::\"anne\", action, resource);", "unknown-entity"},
    {"permit(principal, action, resource) when { principal == Agent::\"eve\" };", "unknown-entity"},
    {"permit(principal, action, resource) when { [Agent::\"ann\", Agent::\"eve\"].contains("
     "Agent::\"bob\") };",
     "unknown-entity"},
    {"permit(principal in Team::\"any\", action, resource);", ""},

    /* path-pattern */
    {PERMIT "when { context.args.path like \"/srv/*\" };", "path-pattern"},
    {PAY "when { context.args.path like \"/etc/*\" };", "path-pattern"},
    {PERMIT "when { context.args.path like \"https://a.example/*\" };", "path-pattern"},
    {PERMIT "when { context.args.path like \"./x*\" };", "path-pattern"},
    {PERMIT "when { context.args.path like \"/srv/*\" && !(context.args.path like \"*..*\") };",
     ""},
    {PERMIT "when { context.args.path like \"/srv/*\" } unless { context.args.path like "
            "\"*/../*\" };",
     ""},
    {PERMIT "when { context.args.path like \"/srv/*\" && !(principal.name like \"*..*\") };",
     "path-pattern"},
    {PERMIT "when { context.args.path like \"/srv/a.txt\" };", ""},
    {PERMIT "when { context.args.path like \"desk/*\" };", ""},
    {PERMIT "when { context.args.path like \"/*\" };", ""},
    {PERMIT "when { context.args.path like \"*/x\" };", ""},

    /* unlinked-template */
    {"forbid(principal == ?principal, action, resource);", "unlinked-template"},
    {"permit(principal, action, resource in ?resource);", "unlinked-template"},

    /* annotation-name */
    {"@advise(\"call us\") " PAY ";", "annotation-name"},
    {"@ID(\"x\") " PAY ";", "annotation-name"},
    {"@owner(\"x\") " PAY ";", ""},
};

static const char *const annotations[] = {"id", "advice", NULL};

static const struct schema *schema_of(struct arena *a)
{
    struct cedar_diags d;
    const struct schema *s;
    cedar_diags_init(&d, a, S("schema"), str_z(schema_text));
    if (!schema_read(a, str_z(schema_text), &s, &d))
        fail_msg("%.*s", STR(d.items[0].text));
    return s;
}

static void known_of(struct arena *a, struct cedar_entities *out)
{
    static const struct cedar_uid uids[] = {
        {{"Agent", 5}, {"ann", 3}}, {{"Agent", 5}, {"bob", 3}}, {{"System", 6}, {"bank", 4}}};
    struct err err;
    cedar_entities_init(out, a, NULL, 1);
    for (size_t i = 0; i < sizeof uids / sizeof *uids; i++)
        assert_true(cedar_entities_add(out, &(struct cedar_entity){.uid = uids[i]}, &err));
    assert_true(cedar_entities_seal(out, &err));
}

static str codes_of(struct arena *a, const struct cedar_diags *d)
{
    str all = {0};
    for (size_t i = 0; i < d->count; i++) {
        assert_int_equal(d->items[i].severity, CEDAR_WARNING);
        all = str_fmt(a, "%.*s%s%s", STR(all), all.n ? " " : "", d->items[i].code);
    }
    return all;
}

static void lint(struct arena *a, const struct schema *s, str text, const struct lint_options *how,
                 struct cedar_diags *d)
{
    struct cedar_policies ps;
    struct cedar_diags other;
    if (!cedar_policies_parse(a, S("test"), text, &ps, d))
        fail_msg("%.*s: %.*s", STR(text), STR(d->items[0].text));
    cedar_diags_init(&other, a, S("test"), text);
    if (!validate_policies(s, &ps, NULL, &other))
        fail_msg("%.*s: %.*s", STR(text), STR(other.items[0].text));
    lint_policies(s, &ps, how, d);
}

static void test_rows(void **state)
{
    ARENA_SCOPE struct arena sa = {0};
    const struct schema *s = schema_of(&sa);
    struct cedar_entities known;
    known_of(&sa, &known);
    struct lint_options how = {

        .unlinked = true,
        .stored = true,
        .theirs = S("args"),
        .known = &known,
        .annotations = annotations};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct cedar_diags d;
        lint(&a, s, str_z(rows[i].policies), &how, &d);
        str codes = codes_of(&a, &d);
        if (!str_eq(codes, str_z(rows[i].codes)))
            fail_msg("%s: \"%.*s\", expected \"%s\"", rows[i].policies, STR(codes), rows[i].codes);
    }
}

/* What is not known of the place makes more suspicious, or less. */
static void test_options(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    const struct schema *s = schema_of(&a);
    struct cedar_diags d;
    lint(&a, s, S(PAY "when { principal.on };"), NULL, &d);
    assert_true(str_eq(codes_of(&a, &d), S("forbid-can-fail"))); /* it may not be stored */
    lint(&a, s, S(PAY "when { Agent::\"ann\".on };"), NULL, &d);
    assert_true(str_eq(codes_of(&a, &d), S("forbid-can-fail")));
    lint(&a, s, S(PAY "when { context has approval };"), NULL, &d);
    assert_true(str_eq(codes_of(&a, &d), S("omitted-argument"))); /* all of it is theirs */
    lint(&a, s, S("permit(principal, action, resource == ?resource);"), NULL, &d);
    assert_int_equal(d.count, 0);
    lint(&a, s, S("@advise(\"x\") permit(principal == Agent::\"eve\", action, resource);"), NULL,
         &d);
    assert_int_equal(d.count, 0);
}

/* Help names what was probably meant; a forbid that validation called impossible is said once; a
 * policy that does not validate is left to validation. */
static void test_texts(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    const struct schema *s = schema_of(&a);
    struct cedar_entities known;
    known_of(&a, &known);
    struct lint_options how = {.stored = true, .known = &known, .annotations = annotations};
    struct cedar_policies ps;
    struct cedar_diags d;
    lint(&a, s, S("@advise(\"\") permit(principal == Agent::\"anne\", action, resource);"), &how,
         &d);
    assert_int_equal(d.count, 2);
    assert_true(str_eq(d.items[0].help, S("did you mean Agent::\"ann\"?")));
    assert_true(str_eq(d.items[1].help, S("did you mean @advice?")));
    assert_true(str_eq(d.items[0].policy, S("policy0")));
    lint(&a, s, S(PERMIT "when { context has aproval };"), &how, &d);
    assert_true(str_eq(d.items[0].help, S("did you mean `approval`?")));

    str text = S(PAY "when { principal is Robot };");
    assert_true(cedar_policies_parse(&a, S("test"), text, &ps, &d));
    assert_true(validate_policies(s, &ps, NULL, &d));
    lint_policies(s, &ps, &how, &d);
    assert_true(str_eq(codes_of(&a, &d), S("impossible-policy always-false")));

    assert_true(cedar_policies_parse(&a, S("test"), S(PAY "when { 1 + principal > 2 };"), &ps, &d));
    lint_policies(s, &ps, &how, &d);
    assert_int_equal(d.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
