/* Loading policies: what is refused, what is warned of, and that what ships gives no warning. */
#include "call/policy_int.h"
#include "cedar/check/lint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const char CONF[] =
    "{\"people\": {\"ann\": {\"roles\": [\"owner\"]}, \"bob\": {\"roles\": [\"approver\"]}},"
    " \"agents\": {\"desk\": {\"owner\": \"ann\", \"bearer\": true, \"ambit\": [\"shop/*\"]}},"
    " \"listen\": [{\"address\": \"127.0.0.1:1\", \"bearer\": true}], \"policies\": [\"x\"],"
    " \"mcpServers\": {\"shop\": {\"url\": \"http://127.0.0.1:1/\", \"operations\": {"
    "   \"find\": {\"effect\": \"read\", \"args\": {\"path\": \"String\"}},"
    "   \"refund\": {\"effect\": \"transfer\","
    "     \"args\": {\"amount\": \"Long\", \"note\": \"String?\"}}}}}}";

/* One text of the operator's. The report is kept in a. */
static bool load(struct arena *a, const char *text, struct policy_set **out, str *report)
{
    struct conf conf = {0};
    struct conf_problems problems = {0};
    struct buf b = {0};
    struct err err;
    struct conf *kept = ARENA_NEW(a, struct conf);
    assert_true(conf_read(a, S("c"), S("/"), str_z(CONF), &conf, &problems));
    *kept = conf;
    kept->policies = ARENA_NEW(a, struct conf_policy_file);
    kept->policies[0] = (struct conf_policy_file){S("p.cedar"), str_z(text)};
    kept->policies_n = 1;
    *out = NULL;
    bool ok = policy_load(kept, out, &b, &err);
    *report = str_dup(a, buf_str(&b));
    buf_fini(&b);
    return ok;
}

#define REFUND "(principal, action == Ambit::Action::\"shop/refund\", resource)"

static const struct {
    const char *text;
    const char *report; /* that it contains; "": it is empty */
    bool loads;
} rows[] = {
    {"permit" REFUND ";", "", true},
    {"permit(principal == Ambit::Agent::\"desk\", action in Ambit::Action::\"call\", resource == "
     "Ambit::System::\"shop\") when { principal in Ambit::Owner::\"ann\" };",
     "", true},
    {"permit(principal is Ambit::Human, action == Ambit::Action::\"approve\", resource) when { "
     "principal.roles.contains(\"approver\") && principal.name != resource.owner };",
     "", true},
    {"forbid" REFUND "unless { context has approval };", "", true},
    {"forbid" REFUND "when { context has approval };", "", true}, /* not the agent's to omit */
    {"forbid" REFUND "when { principal.status == \"x\" && context.args.amount > 3 };", "", true},
    {"permit(principal, action, resource) when { context.operation like \"shop/*\" };",
     "[unknown-attribute]", false}, /* `approve` has no operation */
    {"permit(principal, action in Ambit::Action::\"call\", resource) when { context.operation like "
     "\"shop/*\" };",
     "", true},
    {"permit(principal, action == Ambit::Action::\"shop/pay\", resource);", "[unknown-action]",
     false},
    {"forbid" REFUND "when { context.args.amount + 1 > 3 };", "[forbid-can-fail]", true},
    {"forbid" REFUND "when { context.args has note };", "[omitted-argument]", true},
    {"forbid(principal == Ambit::Agent::\"dekst\", action, resource);",
     "help: did you mean Ambit::Agent::\"desk\"?", true},
    {"forbid(principal, action, resource == Ambit::System::\"shopp\");", "[unknown-entity]", true},
    {"forbid(principal, action in [Ambit::Action::\"call\", Ambit::Action::\"effect:delete\"], "
     "resource);",
     "[forbid-empty-group]", true},
    {"forbid" REFUND "when { context has aproval };", "[always-false]", true},
    {"permit(principal, action == Ambit::Action::\"shop/find\", resource) when { "
     "context.args.path like \"/srv/*\" };",
     "p.cedar:1:74: warning: this also matches `/srv/../..`, which is somewhere else "
     "[path-pattern]\n",
     true},
    {"@advise(\"no\") forbid" REFUND ";", "[annotation-name]", true},
    {"forbid(principal == ?principal, action, resource);", "[unlinked-template]", true},
};

static void test_reports(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct policy_set *p;
        str report, want = str_z(rows[i].report);
        bool ok = load(&a, rows[i].text, &p, &report);
        if (ok != rows[i].loads || (want.n == 0) != (report.n == 0) || str_find(report, want) < 0)
            fail_msg("%s: %s, %.*s", rows[i].text, ok ? "loads" : "does not load", STR(report));
        policy_free(p);
    }
}

static void test_guardrails(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    static const char *const annotations[] = {"id", "advice", NULL};
    struct policy_set *p;
    struct cedar_diags d;
    str report;
    assert_true(load(&a, "permit" REFUND ";", &p, &report));
    struct lint_options how = {.stored = true,
                               .unlinked = true,
                               .theirs = S("args"),
                               .known = &p->known,
                               .annotations = annotations};
    cedar_diags_init(&d, &a, S("guardrails.cedar"), p->texts[0].text);
    lint_policies(p->schema, &p->texts[0], &how, &d);
    if (d.count)
        fail_msg("%.*s", STR(d.items[0].text));
    how.theirs = (str){0}; /* the lint does look: were approvals the agent's, still fine */
    how.stored = false;
    lint_policies(p->schema, &p->texts[0], &how, &d);
    assert_int_equal(d.count, 4); /* the agent might not be stored */
    policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_guardrails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
