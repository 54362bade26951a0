/* Validation of policies: one row a rule, accepted or refused under a code. The conditions are put
 * into `permit(principal is User, action == Action::"view", resource is Doc) when {..};` unless the
 * row is a whole policy. */
#include "cedar/policy/parse.h"
#include "cedar/check/validate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const char schema_text[] =
    "entity User in [Group] { name: String, age: Long, admin: Bool, boss?: User, mail?: String,"
    "  home: { city: String, zip?: Long }, roles: Set<String>, ip: ipaddr, score: decimal,"
    "  since: datetime, span: duration } tags String;\n"
    "entity Group in [Org] tags Long; entity Org; entity Bot { name: String, age: Long };\n"
    "entity Doc in [Folder] { owner: User, kind: Kind, parts: Set<Long>, opt?: Long };\n"
    "entity Folder in [Folder]; entity Kind enum [\"open\", \"closed\"]; entity Lonely;\n"
    "type Ctx = { mfa: Bool, when?: datetime, via?: User, nest?: { a?: { b?: Long } } };\n"
    "action all; action read in all; action write in [all];\n"
    "action view in [read] appliesTo { principal: User, resource: Doc, context: Ctx };\n"
    "action edit in [write] appliesTo { principal: [User, Bot], resource: [Doc, Folder] };\n"
    "action group;\n"
    "namespace N { action run appliesTo { principal: User, resource: Doc }; }\n";

struct row {
    const char *when; /* a condition, or a whole policy if it ends with ; */
    const char *code; /* NULL: accepted without warnings */
};

static const struct row rows[] = {
    /* names */
    {"permit(principal, action, resource);", NULL},
    {"permit(principal == Usr::\"a\", action, resource);", "unknown-entity-type"},
    {"permit(principal is Usr, action, resource);", "unknown-entity-type"},
    {"principal is Usr", "unknown-entity-type"},
    {"false && principal is Usr", "unknown-entity-type"},
    {"principal in [User::\"a\", Usr::\"b\"]", "unknown-entity-type"},
    {"permit(principal, action == Action::\"veiw\", resource);", "unknown-action"},
    {"permit(principal, action in [Action::\"read\", Action::\"x\"], resource);", "unknown-action"},
    {"action == Action::\"x\"", "unknown-action"},
    {"action == N::Action::\"view\"", "unknown-action"},
    {"principal is Action", "impossible-policy"},
    {"resource.kind == Kind::\"open\"", NULL},
    {"resource.kind == Kind::\"opne\"", "unknown-enum-id"},
    {"permit(principal, action, resource == Kind::\"x\");", "unknown-enum-id"},
    {"if true then true else resource.kind == Kind::\"x\"", "unknown-enum-id"},

    /* scopes */
    {"permit(principal == User::\"a\", action == Action::\"view\", resource == Doc::\"d\");", NULL},
    {"permit(principal in Group::\"g\", action, resource in Folder::\"f\");", NULL},
    {"permit(principal in Org::\"o\", action, resource);", NULL},
    {"permit(principal is User in Group::\"g\", action, resource is Doc in Folder::\"f\");", NULL},
    {"permit(principal == Group::\"g\", action, resource);", "no-applicable-action"},
    {"permit(principal is Lonely, action, resource);", "no-applicable-action"},
    {"permit(principal, action, resource is User);", "no-applicable-action"},
    {"permit(principal is Bot, action == Action::\"view\", resource);", "no-applicable-action"},
    {"permit(principal is Bot, action in Action::\"all\", resource);", NULL},
    {"permit(principal is Bot, action in Action::\"read\", resource);", "no-applicable-action"},
    {"permit(principal is Bot in Group::\"g\", action, resource);", "no-applicable-action"},
    {"permit(principal, action == Action::\"group\", resource);", "no-applicable-action"},
    {"permit(principal, action in [], resource);", "empty-set"},
    {"permit(principal, action in [Action::\"view\", N::Action::\"run\"], resource);",
     "incompatible-types"},
    {"permit(principal, action == N::Action::\"run\", resource);", NULL},
    {"permit(principal == ?principal, action, resource in ?resource);", NULL},
    {"permit(principal is Bot in ?principal, action == Action::\"edit\", resource);", NULL},
    {"permit(principal is Lonely in ?principal, action, resource);", "no-applicable-action"},

    /* booleans, dead code */
    {"true", NULL},
    {"false", "impossible-policy"},
    {"1", "unexpected-type"},
    {"\"a\"", "unexpected-type"},
    {"principal", "unexpected-type"},
    {"principal.admin", NULL},
    {"!principal.admin", NULL},
    {"!1", "unexpected-type"},
    {"principal.admin && 1", "unexpected-type"},
    {"1 && principal.admin", "unexpected-type"},
    {"principal.admin || 1", "unexpected-type"},
    {"true || 1", NULL},
    {"false && 1", "impossible-policy"},
    {"false || principal.admin", NULL},
    {"true && !false", NULL},
    {"!(principal.admin && false)", NULL},
    {"if true then principal.admin else 1", NULL},
    {"if false then principal.nope else true", NULL},
    {"if principal.admin then true else 1", "incompatible-types"},
    {"if 1 then true else true", "unexpected-type"},
    {"(if principal.admin then 1 else 2) > 1", NULL},
    {"(if principal.admin then principal else resource) == principal", "incompatible-types"},
    {"permit(principal, action, resource) unless { true };", "impossible-policy"},
    {"permit(principal, action, resource) unless { 1 };", "unexpected-type"},
    {"permit(principal, action, resource) when { false } when { 1 };", "impossible-policy"},

    /* == */
    {"principal.age == 1", NULL},
    {"principal.age == \"1\"", "incompatible-types"},
    {"principal.age != \"1\"", "incompatible-types"},
    {"1 == \"1\"", "impossible-policy"},
    {"1 != \"1\"", NULL},
    {"1 == 1", NULL},
    {"true != (true && false) || 1", NULL},
    {"(true || false) == (false || (true && true)) || 1", NULL},
    {"true == (true && false)", "impossible-policy"},
    {"true != (true && principal.admin) || 1", "unexpected-type"},
    {"true != !true || 1", "unexpected-type"},
    {"principal == resource.owner", NULL},
    {"principal == resource", "impossible-policy"},
    {"principal == User::\"a\"", NULL},
    {"User::\"a\" == User::\"b\"", "impossible-policy"},
    {"action == Action::\"view\"", NULL},
    {"action == Action::\"edit\"", "impossible-policy"},
    {"principal.home == {city: \"x\", zip: 1}", "incompatible-types"},
    {"{a: 1} == {a: 2}", NULL},
    {"{a: 1} == {b: 1}", "incompatible-types"},
    {"{a: true} == {a: principal.admin}", NULL},
    {"[1] == [2]", NULL},
    {"[1] == [\"a\"]", "incompatible-types"},
    {"principal == 1", "incompatible-types"},
    {"{a: 1} == principal", "incompatible-types"},
    {"principal.ip == principal.score", "incompatible-types"},

    /* order and arithmetic */
    {"principal.age < 3 && 3 <= principal.age && principal.age > 1 && 1 >= principal.age", NULL},
    {"principal.since < datetime(\"2024-01-01\")", NULL},
    {"principal.span >= duration(\"1h\")", NULL},
    {"principal.since < principal.span", "unexpected-type"},
    {"principal.since < 1", "unexpected-type"},
    {"1 < principal.name", "unexpected-type"},
    {"principal.score < decimal(\"1.0\")", "unexpected-type"},
    {"principal.name < principal.name", "unexpected-type"},
    {"principal.age + 1 - 2 * 3 == -principal.age", NULL},
    {"principal.age + principal.name == 1", "unexpected-type"},
    {"principal.name * 2 == 1", "unexpected-type"},
    {"-principal.name == 1", "unexpected-type"},

    /* attributes */
    {"principal.nmae == \"a\"", "unknown-attribute"},
    {"principal[\"name\"] == \"a\"", NULL},
    {"principal.name.length == 1", "unexpected-type"},
    {"principal.home.city == \"x\"", NULL},
    {"principal.home.town == \"x\"", "unknown-attribute"},
    {"principal.home.zip == 1", "optional-attribute"},
    {"principal.boss == principal", "optional-attribute"},
    {"principal has boss && principal.boss == principal", NULL},
    {"principal[\"boss\"] == principal", "optional-attribute"},
    {"principal has \"boss\" && principal.boss.age == 1", NULL},
    {"principal.boss == principal && principal has boss", "optional-attribute"},
    {"principal has boss || principal.boss == principal", "optional-attribute"},
    {"principal has boss && principal.boss.boss == principal", "optional-attribute"},
    {"principal has boss && principal.boss has boss && principal.boss.boss == principal", NULL},
    {"principal has boss.boss && principal.boss.boss == principal", NULL},
    {"principal has boss.mail && principal.boss.boss == principal", "optional-attribute"},
    {"context has nest.a.b && context.nest.a.b == 1", NULL},
    {"context has nest && context.nest.a.b == 1", "optional-attribute"},
    {"context has nest.x.b", "impossible-policy"},
    {"principal.boss has home.zip.x", "optional-attribute"},
    {"!(principal has boss) || principal.boss == principal", "optional-attribute"},
    {"if principal has boss then principal.boss == principal else true", NULL},
    {"if principal has boss then true else principal.boss == principal", "optional-attribute"},
    {"(principal has boss && principal has mail) && principal.mail == \"x\"", NULL},
    {"(principal has boss || principal has mail) && principal.mail == \"x\"", "optional-attribute"},
    {"(principal has boss || principal has boss) && principal.boss == principal", NULL},
    {"(principal has boss || false) && principal.boss == principal", NULL},
    {"(if principal.admin then principal has mail else principal has mail) && principal.mail == "
     "\"\"",
     NULL},
    {"resource.owner has mail && principal.mail == \"x\"", "optional-attribute"},
    {"principal has nope", "impossible-policy"},
    {"principal has nope && principal.nope", "impossible-policy"},
    {"principal has name", NULL},
    {"context has mfa && context.mfa", NULL},
    {"!(context has mfa)", "impossible-policy"},
    {"context.foo", "unknown-attribute"},
    {"context.when > datetime(\"2024-01-01\")", "optional-attribute"},
    {"permit(principal, action, resource) when { context has when } when { context.when == "
     "datetime(\"2024-01-01\") };",
     NULL},
    {"permit(principal, action == Action::\"view\", resource) when { principal has mail } unless { "
     "principal.mail == \"x\" };",
     NULL},
    {"permit(principal, action == Action::\"view\", resource) unless { principal has mail } when { "
     "principal.mail == \"x\" };",
     "optional-attribute"},
    {"permit(principal, action == Action::\"edit\", resource) when { principal.name == \"x\" };",
     NULL},
    {"permit(principal, action == Action::\"edit\", resource) when { principal.admin };",
     "unknown-attribute"},
    {"permit(principal, action == Action::\"edit\", resource) when { principal is User && "
     "principal.admin };",
     NULL},
    {"{a: 1}.a == 1", NULL},
    {"{a: 1}.b == 1", "unknown-attribute"},
    {"{a: 1} has b", "impossible-policy"},
    {"action.name == \"x\"", "unknown-attribute"},
    {"1 has a", "unexpected-type"},
    {"[1].a == 1", "unexpected-type"},

    /* tags */
    {"principal.hasTag(\"t\") && principal.getTag(\"t\") == \"x\"", NULL},
    {"principal.getTag(\"t\") == \"x\"", "unsafe-tag"},
    {"principal.hasTag(\"t\") && principal.getTag(\"u\") == \"x\"", "unsafe-tag"},
    {"principal.hasTag(principal.name) && principal.getTag(principal.name) == \"x\"", NULL},
    {"principal.hasTag(\"t\") && principal.getTag(\"t\") == 1", "incompatible-types"},
    {"resource.hasTag(\"t\")", "impossible-policy"},
    {"resource.hasTag(\"t\") || resource.getTag(\"t\") == 1", "unsafe-tag"},
    {"principal.hasTag(1)", "unexpected-type"},
    {"context.hasTag(\"t\")", "unexpected-type"},
    {"principal has t && principal.getTag(\"t\") == \"x\"", "impossible-policy"},
    {"Group::\"g\".hasTag(\"n\") && Group::\"g\".getTag(\"n\") > 1", NULL},

    /* in, is */
    {"principal in Group::\"g\"", NULL},
    {"principal in [Group::\"g\", Group::\"h\"]", NULL},
    {"principal in [Group::\"g\", Org::\"h\"]", "incompatible-types"},
    {"principal in resource", "impossible-policy"},
    {"principal in resource.owner", NULL},
    {"principal in 1", "unexpected-type"},
    {"principal in \"Group\"", "unexpected-type"},
    {"principal in [1]", "unexpected-type"},
    {"principal in []", "empty-set"},
    {"1 in principal", "unexpected-type"},
    {"action in Action::\"read\"", NULL},
    {"action in [Action::\"write\", Action::\"all\"]", NULL},
    {"action in Action::\"write\"", "impossible-policy"},
    {"Action::\"view\" in Action::\"all\"", NULL},
    {"action in Group::\"g\"", "impossible-policy"},
    {"resource in Folder::\"f\"", NULL},
    {"principal is User", NULL},
    {"principal is Bot", "impossible-policy"},
    {"principal is User in Group::\"g\"", NULL},
    {"principal is Bot in 1", "impossible-policy"},
    {"principal is User in 1", "unexpected-type"},
    {"1 is User", "unexpected-type"},

    /* sets, strings */
    {"principal.roles.contains(\"a\")", NULL},
    {"principal.roles.contains(1)", "incompatible-types"},
    {"principal.name.contains(\"a\")", "unexpected-type"},
    {"principal.roles.containsAll([\"a\", \"b\"])", NULL},
    {"principal.roles.containsAny([1])", "incompatible-types"},
    {"principal.roles.containsAll(\"a\")", "unexpected-type"},
    {"principal.roles.containsAny([])", "empty-set"},
    {"principal.roles.isEmpty()", NULL},
    {"principal.isEmpty()", "unexpected-type"},
    {"[1, \"a\"].contains(1)", "incompatible-types"},
    {"[1, 2].contains(principal.age)", NULL},
    {"[true, principal.admin].contains(false)", NULL},
    {"[{a: 1}, {a: 2}].contains({a: 3})", NULL},
    {"[{a: 1}, {b: 2}].contains({a: 3})", "incompatible-types"},
    {"[principal, resource].contains(principal)", "incompatible-types"},
    {"principal.name like \"a*\"", NULL},
    {"principal.age like \"a*\"", "unexpected-type"},

    /* extensions */
    {"principal.ip.isInRange(ip(\"10.0.0.0/8\"))", NULL},
    {"principal.ip.isInRange(\"10.0.0.0/8\")", "unexpected-type"},
    {"ip(\"10.0.0.256\").isIpv4()", "argument-value"},
    {"ip(principal.name).isIpv4()", "argument-not-literal"},
    {"ip(1).isIpv4()", "unexpected-type"},
    {"principal.name.isIpv4()", "unexpected-type"},
    {"principal.score.lessThan(decimal(\"1.5\"))", NULL},
    {"decimal(\"1\").lessThan(decimal(\"1.5\"))", "argument-value"},
    {"principal.score.lessThan(1)", "unexpected-type"},
    {"datetime(\"2024-13-01\") < principal.since", "argument-value"},
    {"duration(\"1x\") < principal.span", "argument-value"},
    {"principal.since.offset(duration(\"1d\")) > principal.since", NULL},
    {"principal.since.durationSince(principal.since) == principal.span", NULL},
    {"principal.since.toDate() == principal.since && principal.since.toTime() == principal.span",
     NULL},
    {"principal.span.toDays() + principal.span.toMilliseconds() > 1", NULL},
    {"if false then ip(\"x\").isIpv4() else true", NULL},
};

static const struct schema *schema_of(struct arena *a)
{
    struct cedar_diags d;
    const struct schema *s;
    cedar_diags_init(&d, a, S("schema"), str_z(schema_text));
    if (!schema_read(a, str_z(schema_text), &s, &d))
        fail_msg("%.*s", STR(d.items[0].text));
    return s;
}

static str policy_of(struct arena *a, const char *row)
{
    str text = str_z(row);
    if (str_ends(text, S(";")))
        return text;
    return str_fmt(
        a, "permit(principal is User, action == Action::\"view\", resource is Doc) when { %s };",
        row);
}

static bool validates(struct arena *a, const struct schema *s, str text, enum validate_mode mode,
                      struct cedar_diags *d)
{
    struct cedar_policies ps;
    if (!cedar_policies_parse(a, S("test"), text, &ps, d))
        fail_msg("%.*s: %.*s", STR(text), STR(d->items[0].text));
    return validate_policies(s, &ps, &(struct validate_options){.mode = mode}, d);
}

static bool has_code(const struct cedar_diags *d, const char *code)
{
    for (size_t i = 0; i < d->count; i++)
        if (strcmp(d->items[i].code, code) == 0)
            return true;
    return false;
}

/* All codes of one policy, in order: what is said beside the first finding. */
static const struct row scope_rows[] = {
    {"permit(principal, action in [], resource);", "empty-set no-applicable-action"},
    {"permit(principal is Lonely, action in [], resource);",
     "no-applicable-action impossible-policy"},
    {"permit(principal == Usr::\"a\", action, resource) when { 1 };",
     "unknown-entity-type unexpected-type no-applicable-action"},
    {"permit(principal, action, resource == Usr::\"a\") when { 1 };",
     "unknown-entity-type unexpected-type no-applicable-action"},
    {"permit(principal is Usr, action, resource) when { 1 };",
     "unknown-entity-type no-applicable-action impossible-policy"},
    {"permit(principal == Usr::\"a\", action, resource) when { false };",
     "unknown-entity-type no-applicable-action impossible-policy"},
    {"permit(principal, action == Action::\"x\", resource) when { 1 };",
     "unknown-action no-applicable-action impossible-policy"},
    {"permit(principal, action in Action::\"x\", resource) when { 1 };",
     "unknown-action unexpected-type no-applicable-action"},
    {"permit(principal, action in [Action::\"view\", Action::\"x\"], resource);",
     "unknown-action no-applicable-action"},
    {"permit(principal, action in [Action::\"view\", N::Action::\"run\"], resource is Lonely);",
     "incompatible-types no-applicable-action impossible-policy"},
    {"permit(principal is User, action, resource is Doc) when { 1 } unless { true };",
     "unexpected-type"},
    {"permit(principal is User, action, resource is Doc) when { 1 && false };", "unexpected-type"},
    {"permit(principal is User, action, resource is Doc) unless { true } when { 1 };",
     "impossible-policy"},
    {"permit(principal is Lonely, action, resource) when { 1 };",
     "no-applicable-action impossible-policy"},
};

static void test_scopes_with_errors(void **state)
{
    ARENA_SCOPE struct arena sa = {0};
    const struct schema *s = schema_of(&sa);
    for (size_t i = 0; i < sizeof scope_rows / sizeof *scope_rows; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct cedar_diags d;
        struct buf codes = {.max = 1000};
        (void)validates(&a, s, str_z(scope_rows[i].when), VALIDATE_STRICT, &d);
        for (size_t k = 0; k < d.count; k++)
            buf_printf(&codes, "%s%s", k ? " " : "", d.items[k].code);
        if (!str_eq(buf_str(&codes), str_z(scope_rows[i].code)))
            fail_msg("%s: %.*s, not %s", scope_rows[i].when, STR(buf_str(&codes)),
                     scope_rows[i].code);
        buf_fini(&codes);
    }
}

static void test_rows(void **state)
{
    ARENA_SCOPE struct arena sa = {0};
    const struct schema *s = schema_of(&sa);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct cedar_diags d;
        str text = policy_of(&a, rows[i].when);
        bool ok = validates(&a, s, text, VALIDATE_STRICT, &d);
        if (!rows[i].code) {
            if (d.count)
                fail_msg("%s: %s: %.*s", rows[i].when, d.items[0].code, STR(d.items[0].text));
            continue;
        }
        if (!has_code(&d, rows[i].code))
            fail_msg("%s: %s, not %s", rows[i].when, d.count ? d.items[0].code : "accepted",
                     rows[i].code);
        assert_int_equal(ok, d.errors == 0);
        for (size_t j = 0; j < d.count; j++) {
            assert_true(d.items[j].span.end <= text.n && d.items[j].span.start < text.n);
            assert_true(str_eq(d.items[j].policy, S("policy0")));
            assert_true(d.items[j].text.n > 0);
        }
    }
}

/* What permissive mode lets through and strict mode does not. */
static void test_permissive(void **state)
{
    static const char *const wider[] = {
        "[1].containsAll([])",
        "principal.age == \"1\" || true",
        "[1, principal.age].contains(\"a\")",
        "(if principal.admin then principal else resource) == principal",
        "principal in [Group::\"g\", Org::\"h\"]",
        "[{a: 1}, {a: 1, b: 2}].contains({a: 3})",
        "(if principal.admin then {a: 1} else {a: 1, b: 2}).a == 1",
        "ip(principal.name).isIpv4()",
        "permit(principal, action in [Action::\"view\", N::Action::\"run\"], resource);",
    };
    ARENA_SCOPE struct arena sa = {0};
    const struct schema *s = schema_of(&sa);
    for (size_t i = 0; i < sizeof wider / sizeof *wider; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct cedar_diags d;
        str text = policy_of(&a, wider[i]);
        if (!validates(&a, s, text, VALIDATE_PERMISSIVE, &d))
            fail_msg("%s: %.*s", wider[i], STR(d.items[0].text));
        assert_false(validates(&a, s, text, VALIDATE_STRICT, &d));
    }
}

/* Warned of beside errors too, unless a condition without a type leaves it open. */
static void test_impossible_with_errors(void **state)
{
    static const struct {
        const char *policy;
        size_t warnings;
    } cases[] = {
        {"permit(principal, action, resource) when { 1 };", 0},
        {"permit(principal, action, resource) when { false } when { 1 };", 1},
        {"permit(principal, action, resource) when { 1 } when { false };", 0},
        {"permit(principal, action, resource) when { 1 && false };", 0},
        {"permit(principal, action, resource) unless { 1 } when { false };", 1},
        {"permit(principal, action, resource) when { 1 == 1 && \"a\" < 1 } when { false };", 1},
        {"permit(principal is Nope, action, resource);", 1},
        {"permit(principal == Nope::\"a\", action, resource);", 0},
        {"permit(principal, action == Action::\"nope\", resource);", 1},
        {"permit(principal, action in Action::\"nope\", resource);", 0},
    };
    ARENA_SCOPE struct arena sa = {0};
    const struct schema *s = schema_of(&sa);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct cedar_diags d;
        (void)validates(&a, s, str_z(cases[i].policy), VALIDATE_STRICT, &d);
        if (d.warnings != cases[i].warnings)
            fail_msg("%s: %zu warnings", cases[i].policy, d.warnings);
    }
}

static void test_help(void **state)
{
    static const struct {
        const char *when, *help;
    } helps[] = {
        {"principal.nmae == \"a\"", "did you mean `name`?"},
        {"principal is Usr", "did you mean `User`?"},
        {"action == Action::\"veiw\"", "did you mean Action::\"view\"?"},
        {"principal.mail == \"x\"", "test with `has mail &&` first"},
        {"permit(principal == Group::\"g\", action, resource);",
         "write `in` in place of `==` for the principal"},
        {"permit(principal, action == Action::\"view\", resource == Folder::\"g\");",
         "write `in` in place of `==` for the resource"},
    };
    ARENA_SCOPE struct arena sa = {0};
    const struct schema *s = schema_of(&sa);
    for (size_t i = 0; i < sizeof helps / sizeof *helps; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct cedar_diags d;
        assert_false(validates(&a, s, policy_of(&a, helps[i].when), VALIDATE_STRICT, &d));
        if (!str_eq(d.items[0].help, str_z(helps[i].help)))
            fail_msg("%s: %.*s", helps[i].when, STR(d.items[0].help));
    }
}

/* The same mistake in many environments is said once, and each policy is judged on its own. */
static void test_once(void **state)
{
    ARENA_SCOPE struct arena sa = {0};
    const struct schema *s = schema_of(&sa);
    struct cedar_diags d;
    str text = S("permit(principal, action, resource) when { 1 < true };"
                 "permit(principal, action, resource);"
                 "permit(principal, action, resource) when { 1 < true };");
    assert_false(validates(&sa, s, text, VALIDATE_STRICT, &d));
    assert_int_equal(d.errors, 2);
    assert_true(str_eq(d.items[1].policy, S("policy2")));
}

/* Every finding has its row, and no code stands twice. */
static void test_table(void **state)
{
    for (int i = 0; i < FIND_COUNT; i++) {
        assert_non_null(finding_infos[i].code);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(finding_infos[i].code, finding_infos[j].code);
    }
    assert_int_equal(finding_infos[FIND_NO_APPLICABLE_ACTION].severity[CEDAR_SDK_4_12],
                     CEDAR_ERROR);
    assert_int_equal(finding_infos[FIND_IMPOSSIBLE_POLICY].severity[CEDAR_SDK_4_12], CEDAR_WARNING);
}

/* What 4.13 changed: a policy that applies to nothing is warned of, twice, and passes. */
static void test_sdk(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    const struct schema *s = schema_of(&a);
    struct validate_options newer = {.sdk = CEDAR_SDK_4_13};
    struct cedar_policies ps;
    struct cedar_diags d;
    str text = S("forbid(principal == Doc::\"d\", action == Action::\"view\", resource);");
    assert_false(validates(&a, s, text, VALIDATE_STRICT, &d));
    assert_int_equal(d.errors, 1);
    assert_int_equal(d.warnings, 1);
    assert_true(cedar_policies_parse(&a, S("test"), text, &ps, &d));
    assert_true(validate_policies(s, &ps, &newer, &d));
    assert_int_equal(d.errors, 0);
    assert_int_equal(d.warnings, 2);
    assert_string_equal(d.items[0].code, "no-applicable-action");
    assert_int_equal(d.items[0].severity, CEDAR_WARNING);
    assert_string_equal(d.items[1].code, "impossible-policy");
    assert_true(cedar_policies_parse(
        &a, S("test"), S("permit(principal, action, resource) when { 1 };"), &ps, &d));
    assert_false(validate_policies(s, &ps, &newer, &d)); /* all else is as it was */
    /* Actions of two types in one list, behind a principal that never fits: dead. */
    assert_true(cedar_policies_parse(&a, S("test"),
                                     S("forbid(principal == Doc::\"d\", action in "
                                       "[Action::\"view\", N::Action::\"run\"], resource);"),
                                     &ps, &d));
    assert_true(validate_policies(s, &ps, &newer, &d));
}

/* A policy and a schema that multiply to more work than the limit end in a finding, not in waiting.
 */
static void test_too_much(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct buf schema = {0}, policy = {0};
    struct cedar_diags d;
    const struct schema *s;
    for (int i = 0; i < 300; i++)
        buf_printf(&schema, "entity E%d;", i);
    buf_put(&schema, S("action a appliesTo { principal: ["));
    for (int i = 0; i < 300; i++)
        buf_printf(&schema, "%sE%d", i ? "," : "", i);
    buf_put(&schema, S("], resource: ["));
    for (int i = 0; i < 300; i++)
        buf_printf(&schema, "%sE%d", i ? "," : "", i);
    buf_put(&schema, S("] };"));
    cedar_diags_init(&d, &a, S("s"), buf_str(&schema));
    assert_true(schema_read(&a, buf_str(&schema), &s, &d));
    buf_put(&policy, S("permit(principal, action, resource) when { true"));
    for (int i = 0; i < 400; i++)
        buf_put(&policy, S(" && principal == principal"));
    buf_put(&policy, S(" };"));
    assert_false(validates(&a, s, buf_str(&policy), VALIDATE_STRICT, &d));
    assert_int_equal(d.count, 1);
    assert_string_equal(d.items[0].code, "too-much");
    buf_fini(&schema);
    buf_fini(&policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),       cmocka_unit_test(test_scopes_with_errors),
        cmocka_unit_test(test_permissive), cmocka_unit_test(test_impossible_with_errors),
        cmocka_unit_test(test_help),       cmocka_unit_test(test_once),
        cmocka_unit_test(test_table),      cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_sdk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
