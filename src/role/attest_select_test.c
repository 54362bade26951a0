#include "role/attest_select.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_unit(void **state)
{
    static const struct {
        const char *cgroup, *unit;
    } rows[] = {
        {"/system.slice/desk.service", "desk.service"},
        {"/system.slice/desk.service/worker", "desk.service"},
        {"/system.slice/system-desk.slice/desk@1.service", "desk@1.service"},
        {"/desk.service", "desk.service"},
        /* A user's manager may have units of any name; none of them is the system's. */
        {"/user.slice/user-1000.slice/user@1000.service/app.slice/desk.service",
         "user@1000.service"},
        {"/user.slice/user-1000.slice/session-3.scope", "session-3.scope"},
        {"/", ""},
        {"", ""},
        {"/system.slice", ""},
        {"/docker/abc/desk.service", ""},
        {"/../desk.service", ""},
        {"desk.service", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_true(str_eq(cgroup_unit(str_z(rows[i].cgroup)), str_z(rows[i].unit)));
}

static const char *const HASH = "0123456789abcdef0123456789abcdef";
static int64_t GROUPS[] = {7, 8};
static str HASHES[] = {{"another one another one another ", 32},
                       {"0123456789abcdef0123456789abcdef", 32}};

/* uid, gid, the rest */
#define SELECT(u, g, ...)                                                                          \
    {                                                                                              \
        .any = true, .uid = u, .gid = g, __VA_ARGS__                                               \
    }

static void test_matches(void **state)
{
    static const gid_t groups[] = {8, 9};
    const struct attest_facts f = {.uid = 1000,
                                   .gid = 7,
                                   .groups = groups,
                                   .groups_n = 2,
                                   .cgroup = S("/system.slice/desk.service/x"),
                                   .looked = true,
                                   .path = S("/usr/bin/desk"),
                                   .sha256 = str_of(HASH, 32)};
    const struct {
        struct conf_select s;
        enum attest_match want, before_look;
    } rows[] = {
        {SELECT(1000, -1, .path = {0}), ATTEST_YES, ATTEST_YES},
        {SELECT(1001, -1, .path = {0}), ATTEST_NO, ATTEST_NO},
        {SELECT(-1, 7, .path = {0}), ATTEST_YES, ATTEST_YES},
        {SELECT(-1, 8, .path = {0}), ATTEST_NO,
         ATTEST_NO}, /* a supplementary group is not the group */
        {SELECT(-1, -1, .groups = GROUPS, .groups_n = 2), ATTEST_YES, ATTEST_YES},
        {SELECT(-1, -1, .groups = (int64_t[]){8, 10}, .groups_n = 2), ATTEST_NO, ATTEST_NO},
        {SELECT(-1, -1, .unit = S("desk.service")), ATTEST_YES, ATTEST_YES},
        {SELECT(-1, -1, .unit = S("x")), ATTEST_NO, ATTEST_NO},
        {SELECT(-1, -1, .cgroup = S("/system.slice/desk.service")), ATTEST_YES, ATTEST_YES},
        {SELECT(-1, -1, .cgroup = S("/system.slice/desk")), ATTEST_NO, ATTEST_NO},
        {SELECT(-1, -1, .path = S("/usr/bin/desk")), ATTEST_YES, ATTEST_LOOK},
        {SELECT(-1, -1, .path = S("/usr/bin/des")), ATTEST_NO, ATTEST_LOOK},
        {SELECT(1, -1, .path = S("/usr/bin/desk")), ATTEST_NO, ATTEST_NO},
        {SELECT(-1, -1, .sha256 = HASHES, .sha256_n = 2), ATTEST_YES, ATTEST_LOOK},
        {SELECT(-1, -1, .sha256 = HASHES, .sha256_n = 1), ATTEST_NO, ATTEST_LOOK},
        {SELECT(-1, -1, .path = S("/usr/bin/x"), .sha256 = HASHES, .sha256_n = 2), ATTEST_NO,
         ATTEST_LOOK},
        /* Nothing set means nobody, whatever zeros would match. */
        {{0}, ATTEST_NO, ATTEST_NO},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct attest_facts blind = f;
        blind.looked = false;
        assert_int_equal(select_matches(&rows[i].s, &f), rows[i].want);
        assert_int_equal(select_matches(&rows[i].s, &blind), rows[i].before_look);
    }
}

/* What could not be found out matches no selector, not even an empty one. */
static void test_unknown(void **state)
{
    struct attest_facts f = {.uid = 1, .gid = 1, .looked = true};
    str none[] = {{0}};
    struct conf_select rows[] = {
        SELECT(-1, -1, .path = S("/usr/bin/desk")),
        SELECT(-1, -1, .sha256 = HASHES, .sha256_n = 2),
        SELECT(-1, -1, .sha256 = none, .sha256_n = 1),
        SELECT(-1, -1, .unit = S("desk.service")),
        SELECT(-1, -1, .cgroup = S("/desk")),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(select_matches(&rows[i], &f), ATTEST_NO);
}

static void test_agent(void **state)
{
    struct conf_agent agents[] = {
        {.name = S("a"), .select = SELECT(1, -1, .path = {0})},
        {.name = S("b"),
         .select = SELECT(-1, 2, .path = {0}),
         .launch = SELECT(9, -1, .path = {0})},
        {.name = S("c"),
         .select = SELECT(5, -1, .path = S("/c")),
         .launch = SELECT(9, -1, .path = {0})},
        {.name = S("d"), .select = SELECT(5, -1, .sha256 = HASHES, .sha256_n = 2)},
        {.name = S("e")},
    };
    const struct conf c = {.agents = agents, .agents_n = 5};
    struct attest_facts f = {.uid = 1, .gid = 1};
    struct buf names = {0};
    struct attest_found found = select_agent(&c, false, (str){0}, &f, &names);
    assert_true(found.agent == &agents[0] && found.matching == 1 && !found.look);
    assert_true(str_eq(buf_str(&names), S("a")));
    buf_clear(&names);
    f.gid = 2;
    found = select_agent(&c, false, (str){0}, &f, &names);
    assert_true(!found.agent && found.matching == 2);
    assert_true(str_eq(buf_str(&names), S("a, b")));
    buf_fini(&names);
    assert_true(select_agent(&c, false, S("b"), &f, NULL).agent == &agents[1]);
    f.gid = 3;
    assert_int_equal(select_agent(&c, false, S("b"), &f, NULL).matching, 0);
    assert_null(select_agent(&c, false, S("e"), &f, NULL).agent);

    f = (struct attest_facts){.uid = 5, .gid = 5};
    found = select_agent(&c, false, (str){0}, &f, NULL);
    assert_true(!found.agent && found.look && found.look_sha256);
    f.looked = true;
    f.path = S("/c");
    assert_true(select_agent(&c, false, (str){0}, &f, NULL).agent == &agents[2]);
    /* One that fits already does not win over one that has not been looked at. */
    f = (struct attest_facts){.uid = 5, .gid = 2};
    found = select_agent(&c, false, (str){0}, &f, NULL);
    assert_true(!found.agent && found.look);

    f = (struct attest_facts){.uid = 9, .gid = 9};
    assert_int_equal(select_agent(&c, true, (str){0}, &f, NULL).matching, 2);
    assert_true(select_agent(&c, true, S("c"), &f, NULL).agent == &agents[2]);
    assert_null(select_agent(&c, true, S("a"), &f, NULL).agent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unit),
        cmocka_unit_test(test_matches),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_agent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
