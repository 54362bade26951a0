#include "identity/identity_test.h"
#include "identity/spiffe_id.h"

static const struct {
    const char *text;
    const char *trust_domain; /* NULL: refused */
    const char *path;
} rows[] = {
    {"spiffe://example.org", "example.org", ""},
    {"spiffe://example.org/a", "example.org", "/a"},
    {"spiffe://example.org/agent/triage/01J", "example.org", "/agent/triage/01J"},
    {"spiffe://1.2.3.4/x", "1.2.3.4", "/x"},
    {"spiffe://a", "a", ""},
    {"spiffe://-_.", "-_.", ""},
    {"spiffe://..", "..", ""},
    {"spiffe://td/Path/With_Case-1.0", "td", "/Path/With_Case-1.0"},
    {"spiffe://td/...", "td", "/..."},
    {"spiffe://td/.x/..y/z.", "td", "/.x/..y/z."},
    {"", NULL, NULL},
    {"spiffe", NULL, NULL},
    {"spiffe:", NULL, NULL},
    {"spiffe:/td/x", NULL, NULL},
    {"spiffe://", NULL, NULL},
    {"spiffe:///x", NULL, NULL},
    {"SPIFFE://td/x", NULL, NULL},
    {"Spiffe://td/x", NULL, NULL},
    {"https://td/x", NULL, NULL},
    {"spiffe2://td/x", NULL, NULL},
    {" spiffe://td/x", NULL, NULL},
    {"spiffe://td/x ", NULL, NULL},
    {"spiffe://td/x\n", NULL, NULL},
    {"spiffe://Td/x", NULL, NULL},
    {"spiffe://t%64/x", NULL, NULL},
    {"spiffe://td:443/x", NULL, NULL},
    {"spiffe://td:/x", NULL, NULL},
    {"spiffe://user@td/x", NULL, NULL},
    {"spiffe://@td/x", NULL, NULL},
    {"spiffe://user:pw@td/x", NULL, NULL},
    {"spiffe://[::1]/x", NULL, NULL},
    {"spiffe://t~d/x", NULL, NULL},
    {"spiffe://t\xc3\xa4/x", NULL, NULL},
    {"spiffe://td?q", NULL, NULL},
    {"spiffe://td#f", NULL, NULL},
    {"spiffe://td\\x", NULL, NULL},
    {"spiffe://td/", NULL, NULL},
    {"spiffe://td//", NULL, NULL},
    {"spiffe://td//x", NULL, NULL},
    {"spiffe://td/x/", NULL, NULL},
    {"spiffe://td/x//y", NULL, NULL},
    {"spiffe://td/.", NULL, NULL},
    {"spiffe://td/..", NULL, NULL},
    {"spiffe://td/x/../y", NULL, NULL},
    {"spiffe://td/./x", NULL, NULL},
    {"spiffe://td/x?q=1", NULL, NULL},
    {"spiffe://td/x?", NULL, NULL},
    {"spiffe://td/x#f", NULL, NULL},
    {"spiffe://td/x#", NULL, NULL},
    {"spiffe://td/%41", NULL, NULL},
    {"spiffe://td/x%2fy", NULL, NULL},
    {"spiffe://td/x:y", NULL, NULL},
    {"spiffe://td/x@y", NULL, NULL},
    {"spiffe://td/x*", NULL, NULL},
    {"spiffe://td/x~y", NULL, NULL},
    {"spiffe://td/x y", NULL, NULL},
    {"spiffe://td/\xe2\x82\xac", NULL, NULL},
};

static void test_table(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {0};
        struct spiffe_id id = {0};
        bool ok = spiffe_id_parse(str_z(rows[i].text), &id, &err);
        if (ok != (rows[i].trust_domain != NULL) || (!ok && err.kind != ERR_INPUT))
            fail_msg("%s: %s", rows[i].text, ok ? "accepted" : err.text);
        if (!ok) {
            assert_null(id.text.p);
            continue;
        }
        assert_true(str_eq(id.text, str_z(rows[i].text)));
        assert_true(str_eq(id.trust_domain, str_z(rows[i].trust_domain)));
        assert_true(str_eq(id.path, str_z(rows[i].path)));
        assert_int_equal(spiffe_id_parse_workload(id.text, &id, &err), rows[i].path[0] != 0);
    }
    struct err err;
    struct spiffe_id id;
    NO(ERR_INPUT, spiffe_id_parse(S("spiffe://td/x\0y"), &id, &err));
    NO(ERR_INPUT, spiffe_id_parse(S("spiffe://td\0/y"), &id, &err));
    NO(ERR_INPUT, spiffe_id_parse((str){0}, &id, &err));
}

/* Each byte alone, in both places: exactly the characters of the specification. */
static void test_characters(void **state)
{
    for (int c = 0; c < 256; c++) {
        struct err err;
        struct spiffe_id id;
        char td[] = "spiffe://a_b/c", path[] = "spiffe://ab/c_d";
        td[10] = (char)c;
        path[13] = (char)c;
        bool low =
            (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
        assert_int_equal(spiffe_id_parse(str_of(td, 14), &id, &err), low || c == '/');
        if (c == '/')
            assert_true(str_eq(id.trust_domain, S("a")));
        assert_int_equal(spiffe_id_parse(str_of(path, 15), &id, &err),
                         low || (c >= 'A' && c <= 'Z') || c == '/');
    }
}

static void test_lengths(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    struct spiffe_id id;
    char many[3000];
    memset(many, 'a', sizeof many);
    assert_true(trust_domain_is_valid(str_of(many, 255)));
    assert_false(trust_domain_is_valid(str_of(many, 256)));
    assert_false(trust_domain_is_valid((str){0}));
    OK(spiffe_id_parse(str_fmt(&a, "spiffe://%.255s/x", many), &id, &err));
    NO(ERR_INPUT, spiffe_id_parse(str_fmt(&a, "spiffe://%.256s/x", many), &id, &err));
    OK(spiffe_id_parse(str_fmt(&a, "spiffe://td/%.*s", 2048 - 12, many), &id, &err));
    NO(ERR_INPUT, spiffe_id_parse(str_fmt(&a, "spiffe://td/%.*s", 2049 - 12, many), &id, &err));
    OK(spiffe_id_make(&a, S("td"), str_fmt(&a, "/%.*s", 2048 - 12, many), &id, &err));
    assert_int_equal(id.text.n, 2048);
    NO(ERR_INPUT, spiffe_id_make(&a, S("td"), str_fmt(&a, "/%.*s", 2049 - 12, many), &id, &err));
}

static void test_make(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    struct spiffe_id id, copy;
    OK(spiffe_id_make(&a, S("td"), S("/x/y"), &id, &err));
    assert_true(str_eq(id.text, S("spiffe://td/x/y")));
    copy = spiffe_id_dup(&a, &id);
    assert_true(spiffe_id_eq(&id, &copy) && copy.text.p != id.text.p);
    assert_true(str_eq(copy.trust_domain, S("td")) && str_eq(copy.path, S("/x/y")));
    OK(spiffe_id_make(&a, S("td"), S(""), &id, &err));
    assert_true(str_eq(id.text, S("spiffe://td")));
    assert_null(spiffe_id_dup(&a, &(struct spiffe_id){0}).text.p);
    NO(ERR_INPUT, spiffe_id_make(&a, S("td"), S("x"), &id, &err));
    NO(ERR_INPUT, spiffe_id_make(&a, S("td/x"), S(""), &id, &err));
    NO(ERR_INPUT, spiffe_id_make(&a, S("td"), S("/x/.."), &id, &err));
    NO(ERR_INPUT, spiffe_id_make(&a, S(""), S("/x"), &id, &err));
}

static const struct {
    const char *text;
    bool ok;
} agent_rows[] = {
    {"spiffe://td/agent/triage/1", true}, {"spiffe://td/agent/triage", false},
    {"spiffe://td/agent", false},         {"spiffe://td/agent/a/b/c", false},
    {"spiffe://td/Agent/a/b", false},     {"spiffe://td/agents/a/b", false},
    {"spiffe://td/x/agent/a/b", false},   {"spiffe://td", false},
};

static void test_agents(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    struct spiffe_id id;
    struct spiffe_agent agent;
    for (size_t i = 0; i < sizeof agent_rows / sizeof *agent_rows; i++) {
        OK(spiffe_id_parse(str_z(agent_rows[i].text), &id, &err));
        assert_int_equal(spiffe_agent_of(&id, &agent, &err), agent_rows[i].ok);
    }
    OK(spiffe_agent_make(&a, S("td"), S("triage"), S("7"), &id, &err));
    OK(spiffe_agent_of(&id, &agent, &err));
    assert_true(str_eq(agent.name, S("triage")) && str_eq(agent.instance, S("7")));
    NO(ERR_INPUT, spiffe_agent_make(&a, S("td"), S("a/b"), S("7"), &id, &err));
    NO(ERR_INPUT, spiffe_agent_make(&a, S("td"), S(".."), S("7"), &id, &err));
    NO(ERR_INPUT, spiffe_agent_make(&a, S("td"), S("a"), S(""), &id, &err));
    NO(ERR_INPUT, spiffe_agent_make(&a, S("t/d"), S("a"), S("b"), &id, &err));
    char many[AGENT_PART_BYTES_MAX + 1];
    memset(many, 'a', sizeof many);
    OK(spiffe_agent_make(&a, S("td"), str_of(many, sizeof many - 1), S("7"), &id, &err));
    NO(ERR_INPUT, spiffe_agent_make(&a, S("td"), str_of(many, sizeof many), S("7"), &id, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),   cmocka_unit_test(test_characters),
        cmocka_unit_test(test_lengths), cmocka_unit_test(test_make),
        cmocka_unit_test(test_agents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
