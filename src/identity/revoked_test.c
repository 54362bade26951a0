#include "identity/revoked.h"
#include "base/arena.h"
#include "identity/identity_test.h"

enum { NOW = 1000000 };

static bool put(struct revoked *r, enum revoked_kind kind, const char *name, int64_t until_ms,
                struct err *err)
{
    return revoked_put(r,
                       &(struct revoked_entry){.kind = kind,
                                               .name = str_z(name),
                                               .at_ms = NOW,
                                               .until_ms = until_ms,
                                               .by = S("eve"),
                                               .reason = S("stolen")},
                       err);
}

/* An ID takes what is below it along, and nothing beside it. */
static void test_ids(void **state)
{
    struct revoked r = {0};
    struct err err = {0};
    assert_true(revoked_is_empty(&r));
    assert_true(revoked_check_id(&r, S("spiffe://td/agent/a/1"), NOW, &err));
    OK(put(&r, REVOKED_ID, "spiffe://td/agent/a", 0, &err));
    static const char *const dead[] = {"spiffe://td/agent/a", "spiffe://td/agent/a/1",
                                       "spiffe://td/agent/a/1/2"};
    static const char *const alive[] = {"spiffe://td/agent/ab",
                                        "spiffe://td/agent",
                                        "spiffe://td",
                                        "spiffe://td/agent/b/a",
                                        "spiffe://other/agent/a",
                                        "spiffe://td/agent/A",
                                        ""};
    for (size_t i = 0; i < sizeof dead / sizeof *dead; i++)
        NO(ERR_DENIED, revoked_check_id(&r, str_z(dead[i]), NOW, &err));
    assert_non_null(strstr(err.text, "eve"));
    for (size_t i = 0; i < sizeof alive / sizeof *alive; i++)
        OK(revoked_check_id(&r, str_z(alive[i]), NOW, &err));
    OK(put(&r, REVOKED_ID, "spiffe://other", 0, &err)); /* all of a trust domain */
    NO(ERR_DENIED, revoked_check_id(&r, S("spiffe://other/x"), NOW, &err));
    OK(revoked_check_id(&r, S("spiffe://other2/x"), NOW, &err));
    assert_true(revoked_lift(&r, REVOKED_ID, S("spiffe://td/agent/a")));
    assert_false(revoked_lift(&r, REVOKED_ID, S("spiffe://td/agent/a")));
    OK(revoked_check_id(&r, S("spiffe://td/agent/a/1"), NOW, &err));
    revoked_fini(&r);
}

static void test_kinds_and_times(void **state)
{
    struct revoked r = {0};
    struct err err = {0};
    OK(put(&r, REVOKED_KEY, "kid-1", NOW + 10, &err));
    OK(put(&r, REVOKED_SERIAL, "ab12", 0, &err));
    NO(ERR_DENIED, revoked_check(&r, REVOKED_KEY, S("kid-1"), NOW + 9, &err));
    OK(revoked_check(&r, REVOKED_KEY, S("kid-1"), NOW + 10, &err));
    OK(revoked_check(&r, REVOKED_SERIAL, S("kid-1"), NOW, &err));
    OK(revoked_check(&r, REVOKED_KEY, S("ab12"), NOW, &err));
    NO(ERR_DENIED, revoked_check(&r, REVOKED_SERIAL, S("ab12"), INT64_MAX, &err));
    revoked_sweep(&r, NOW + 10);
    assert_int_equal(map_count(&r.entries), 1);
    size_t i = 0;
    const struct revoked_entry *e = revoked_next(&r, &i);
    assert_true(str_eq(e->name, S("ab12")) && str_eq(e->by, S("eve")) &&
                str_eq(e->reason, S("stolen")));
    assert_null(revoked_next(&r, &i));
    revoked_fini(&r);
}

static void test_names(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    str out;
    static const char SHA[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    static const struct {
        enum revoked_kind kind;
        const char *text, *want; /* NULL: refused */
    } cases[] = {
        {REVOKED_ID, "spiffe://td/agent/a", "spiffe://td/agent/a"},
        {REVOKED_ID, "spiffe://td", "spiffe://td"},
        {REVOKED_ID, "spiffe://td/", NULL},
        {REVOKED_ID, "desk", NULL},
        {REVOKED_ID, "spiffe://td/agent/*", NULL},
        {REVOKED_CERTIFICATE, SHA, SHA},
        {REVOKED_CERTIFICATE, "00", NULL},
        {REVOKED_CERTIFICATE, "", NULL},
        {REVOKED_SERIAL, "00:AB:12", "ab12"},
        {REVOKED_SERIAL, "0", "0"},
        {REVOKED_SERIAL, "xy", NULL},
        {REVOKED_SERIAL, ":ab", NULL},
        {REVOKED_SERIAL, "11111111111111111111111111111111111111111", NULL},
        {REVOKED_KEY, "AB:CD:01", "abcd01"},
        {REVOKED_KEY, "Kid:with-colon", "Kid:with-colon"},
        {REVOKED_KEY, "with blank", NULL},
        {REVOKED_KEY, "", NULL},
        {REVOKED_NONE, "x", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool ok = revoked_name(&a, cases[i].kind, str_z(cases[i].text), &out, &err);
        if (ok != (cases[i].want != NULL) || (ok && !str_eq(out, str_z(cases[i].want))))
            fail_msg("%s", cases[i].text);
    }
    for (int i = REVOKED_ID; i < REVOKED_KINDS; i++)
        assert_int_equal(revoked_kind_parse(revoked_kind_name(i)), i);
    assert_int_equal(revoked_kind_parse(S("none")), REVOKED_NONE);
}

static void test_limits(void **state)
{
    struct revoked r = {0};
    struct err err = {0};
    char name[32];
    for (int i = 0; i < REVOKED_MAX; i++) {
        snprintf(name, sizeof name, "%x", i + 1);
        OK(put(&r, REVOKED_SERIAL, name, i % 2 ? NOW + 1 : 0, &err));
    }
    NO(ERR_LIMIT, put(&r, REVOKED_SERIAL, "fffffff", 0, &err));
    OK(put(&r, REVOKED_SERIAL, "1", 0, &err)); /* replaces */
    revoked_sweep(&r, NOW + 1);
    OK(put(&r, REVOKED_SERIAL, "fffffff", 0, &err));
    NO(ERR_INPUT, put(&r, REVOKED_SERIAL, "00ff", 0, &err));
    revoked_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_kinds_and_times),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
