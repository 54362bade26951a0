#include "conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const char GOOD[] =
    "{ // a comment\n"
    "  \"people\": {\"ann\": {\"roles\": [\"owner\"], \"uid\": 1000}},\n"
    "  \"agents\": {\"desk\": {\"owner\": \"ann\", \"select\": {\"uid\": 1001},\n"
    "    \"ambit\": [\"files/*\", \"shop/refund\"]}},\n"
    "  \"listen\": [{\"address\": \"127.0.0.1:8931\", \"bearer\": true}],\n"
    "  \"policies\": [\"p/*.cedar\"],\n"
    "  \"mcpServers\": {\n"
    "    \"files\": {\"command\": \"npx\", \"args\": [\"-y\", \"x\"], \"env\": {\"DEBUG\": "
    "\"1\"}},\n"
    "    \"shop\": {\"url\": \"http://127.0.0.1:1/mcp\", \"headers\": {\"X-Api-Key\": {\"secret\": "
    "\"shop-key\"}},\n"
    "      \"operations\": {\"refund\": {\"effect\": \"transfer\", \"args\": {\"amount\": "
    "\"Long\", \"why\": \"String?\"}},\n"
    "        \"find\": {\"effect\": \"read\"}}},\n"
    "    \"off\": {\"command\": \"x\", \"disabled\": true}\n"
    "  }\n"
    "}\n";

static void test_good(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct conf c;
    struct conf_problems p = {0};
    struct buf text = {0};
    bool ok = conf_read(&a, S("c.json"), S("/etc/ambit"), str_z(GOOD), &c, &p);
    conf_problems_print(&p, S("c.json"), &text);
    if (!ok)
        fail_msg("%.*s", STR(buf_str(&text)));
    buf_fini(&text);
    assert_int_equal(c.bindings_n, 3); /* files, shop, ambit */
    assert_null(conf_binding(&c, S("off")));
    const struct conf_binding *shop = conf_binding(&c, S("shop"));
    assert_int_equal(shop->kind, BINDING_HTTP);
    assert_true(str_eq(shop->headers[0].secret, S("shop-key")));
    const struct conf_operation *refund = conf_operation(shop, S("refund"));
    assert_int_equal(refund->effect, EFFECT_TRANSFER);
    assert_true(refund->high_impact);
    assert_true(refund->args[1].optional && str_eq(refund->args[1].type, S("String")));
    assert_false(conf_operation(shop, S("find"))->high_impact);
    const struct conf_agent *desk = conf_agent(&c, S("desk"));
    assert_true(conf_agent_covers(desk, S("files/read")));
    assert_true(conf_agent_covers(desk, S("shop/refund")));
    assert_false(conf_agent_covers(desk, S("shop/find")));
    assert_true(str_eq(c.state_dir, S("/etc/ambit/state")));
    assert_true(str_eq(c.policy_patterns[0], S("/etc/ambit/p/*.cedar")));
}

static void test_selectors(void **state)
{
    static const char text[] =
        "{\"people\": {\"ann\": {\"roles\": [\"owner\"]}}, \"identity\": {\"wit\": true},\n"
        " \"sockets\": {\"launch\": \"l.sock\"}, \"agents\": {\n"
        "  \"a\": {\"owner\": \"ann\", \"select\": {\"uid\": 0, \"groups\": [4, 5],"
        "          \"path\": \"/usr/bin/a\", \"unit\": \"a.service\"}},\n"
        "  \"b\": {\"owner\": \"ann\", \"launch\": {\"uid\": 7, \"descendants\": true}},\n"
        "  \"c\": {\"owner\": \"ann\", \"bearer\": true},\n"
        "  \"d\": {\"owner\": \"ann\", \"select\": {\"sha256\": "
        "\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"}}}}";
    ARENA_SCOPE struct arena a = {0};
    struct conf c;
    struct conf_problems problems = {0};
    assert_true(conf_read(&a, S("c.json"), S("/etc/ambit"), str_z(text), &c, &problems));
    const struct conf_agent *g = c.agents;
    assert_true(g[0].select.any && g[0].select.uid == 0 && g[0].select.gid == -1);
    assert_true(g[0].select.groups_n == 2 && g[0].select.groups[1] == 5);
    assert_true(str_eq(g[0].select.unit, S("a.service")) && conf_select_looks(&g[0].select));
    assert_true(!g[0].launch.any && g[0].attestable && !g[0].launch_descendants);
    assert_true(!g[1].select.any && g[1].launch.uid == 7 && g[1].launch_descendants);
    assert_true(g[1].attestable && !conf_select_looks(&g[1].launch));
    assert_true(!g[2].attestable && g[2].select.uid == -1 && g[2].launch.gid == -1);
    assert_true(g[3].select.sha256_n == 1 && g[3].select.sha256[0].n == 32);
    assert_true((uint8_t)g[3].select.sha256[0].p[31] == 0xff);
    assert_true(c.wit && conf_looks(&c) && conf_launches(&c));
    assert_true(str_eq(c.launch_socket, S("/etc/ambit/l.sock")));
}

struct row {
    const char *text;
    const char *expect; /* must be in the printed problems */
};

static const struct row bad[] = {
    {"{", "c.json"},
    {"[]", "must be one JSON object"},
    {"{\"peple\": {}}", "did you mean \"people\"?"},
    {"{\n\"people\": {\n\"a\": {\"roles\": [\"king\"]}}}",
     "c.json:3: error: people.a.roles: \"king\" is no role"},
    {"{\"agents\": {\"x\": {\"owner\": \"nobody\", \"bearer\": true}}}",
     "\"nobody\" is not in \"people\""},
    {"{\"agents\": {\"x\": {\"bearer\": true}}}", "accountable owner"},
    {"{\"mcpServers\": {\"x\": {}}}", "needs \"url\""},
    {"{\"mcpServers\": {\"x\": {\"url\": \"http://a\", \"command\": \"b\"}}}",
     "both \"url\" and \"command\""},
    {"{\"mcpServers\": {\"x\": {\"command\": \"b\", \"env\": {\"API_KEY\": \"hunter2\"}}}}",
     "ambit secret set"},
    {"{\"mcpServers\": {\"x\": {\"url\": \"http://a\", \"headers\": {\"Authorization\": \"Bearer "
     "x\"}}}}",
     "ambit secret set"},
    {"{\"mcpServers\": {\"x\": {\"type\": \"sse\", \"url\": \"http://a\"}}}", "HTTP+SSE"},
    {"{\"mcpServers\": {\"x\": {\"command\": \"b\", \"operations\": {\"t\": {\"effect\": "
     "\"maim\"}}}}}",
     "must be one of read"},
    {"{\"mcpServers\": {\"x\": {\"command\": \"b\", \"operations\": {\"t\": {\"args\": {\"a\": "
     "\"Set<ipaddr>\"}}}}}}",
     "a Set<> of one of these"},
    {"{\"agents\": {\"x\": {\"select\": {\"path\": \"bin/x\"}}}}", "absolute path of a program"},
    {"{\"agents\": {\"x\": {\"select\": {\"path\": \"/a/../b\"}}}}", "absolute path of a program"},
    {"{\"agents\": {\"x\": {\"select\": {}}}}", "names no selector"},
    {"{\"agents\": {\"x\": {\"launch\": {\"descendants\": true}}}}", "names no selector"},
    {"{\"agents\": {\"x\": {\"select\": {\"descendants\": true}}}}", "x.select"},
    {"{\"agents\": {\"x\": {\"select\": {\"sha256\": \"ABCD\"}}}}", "64 lower case hex digits"},
    {"{\"agents\": {\"x\": {\"select\": {\"groups\": [\"staff\"]}}}}", "must be"},
    {"{\"agents\": {\"x\": {\"select\": {\"unit\": \"desk\"}}}}", "systemd unit"},
    {"{\"agents\": {\"x\": {\"select\": {\"unit\": \"a.slice/desk.service\"}}}}", "systemd unit"},
    {"{\"agents\": {\"x\": {\"select\": {\"cgroup\": \"/\"}}}}", "cgroup v2 tree"},
    {"{\"mcpServers\": {\"ambit\": {\"command\": \"b\"}}}", "the gateway's own binding"},
    {"{\"listen\": [{\"address\": \"0.0.0.0:1\", \"bearer\": true}]}", "loopback only"},
    {"{\"listen\": [{\"address\": \"127.0.0.1:1\", \"oauth\": false}]}", "nobody could come in"},
    {"{\"issuer\": \"http://gw.example\"}", "in the clear"},
    {"{\"issuer\": \"https://gw.example/\"}", "without a slash"},
    {"{\"issuer\": \"https://GW.example\"}", "lower case"},
    {"{\"issuer\": \"https://gw.example?x\"}", "query"},
    {"{\"issuer\": \"ftp://gw.example\"}", "must be https"},
    {"{\"listen\": [{\"address\": \"127.0.0.1:1\", \"svid\": true}]}", "client certificates need"},
    {"{\"identity\": {\"x509Life\": \"9s\"}}", "must be 10 to"},
    {"{\"identity\": {\"jwtLife\": \"2h\"}}", "must be 10 to 3600"},
    {"{\"identity\": {\"caLife\": \"30s\"}}", "must be 40 to"},
    {"{\"identity\": {\"refreshHint\": \"2h\"}}", "must be 1 to"},
    {"{\"identity\": {\"refreshHint\": \"1h\"}}", "caLife: must be at least 90000"},
    {"{\"identity\": {\"x509Life\": \"23h\"}}", "caLife: must be at least 103500"},
    {"{\"identity\": {\"rootLife\": \"24h\"}}", "rootLife: must be at least 108000"},
    {"{\"identity\": {\"caLife\": \"40s\", \"x509Life\": \"10s\", \"refreshHint\": \"1s\", "
     "\"jwtLife\": \"321s\"}}",
     "at most 8 times"},
    {"{\"listen\": [{\"address\": \"127.0.0.1:1\", \"clientCa\": \"agents\"}]}",
     "\"clientCa\" needs"},
    {"{\"listen\": [{\"address\": \"127.0.0.1:1\", \"clientCa\": \"agents\", \"svid\": true, "
     "\"cert\": \"c\", \"key\": \"k\"}]}",
     "choose one"},
    {"{\"listen\": [{\"address\": \"0.0.0.0:1\", \"bundle\": \"web\"}]}", "needs \"cert\""},
    {"{\"listen\": [{\"address\": \"0.0.0.0:1\", \"bundle\": \"spiffe\", \"cert\": \"c\", "
     "\"key\": \"k\"}]}",
     "leave \"cert\""},
    {"{\"listen\": [{\"address\": \"0.0.0.0:1\", \"bundle\": \"spiffe\", \"bearer\": true}]}",
     "nothing else"},
    {"{\"listen\": [{\"address\": \"0.0.0.0:1\", \"bundle\": \"all\"}]}", "\"web\" or"},
    {"{\"limits\": {\"requestBytes\": \"1\"}}", "whole number"},
    {"{\"limits\": {\"answerWait\": \"5\"}}", "duration"},
    {"{\"metrics\": \"0.0.0.0:9\"}", "loopback only"},
    {"{\"trustDomain\": \"A b\"}", "trust domain"},
    {"{\"gateway\": \"\"}", "gateway's name"},
    {"{\"gateway\": \"eu 1\"}", "gateway's name"},
    {"{\"gateway\": \"a23456789012345678901234567890123\"}", "gateway's name"},
    {"{\"state\": \"a\\u0000b\"}", "NUL"},
    {"{\"people\": {\"a\": {\"roles\": [\"owner\"]}, \"a\": {}}}", "twice"},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct conf c;
        struct conf_problems p = {0};
        struct buf text = {0};
        if (conf_read(&a, S("c.json"), S("/"), str_z(bad[i].text), &c, &p))
            fail_msg("accepted %s", bad[i].text);
        conf_problems_print(&p, S("c.json"), &text);
        if (str_find(buf_str(&text), str_z(bad[i].expect)) < 0)
            fail_msg("%s: wanted \"%s\", got %.*s", bad[i].text, bad[i].expect,
                     STR(buf_str(&text)));
        /* What the person wrote as a secret is not repeated. */
        assert_true(str_find(buf_str(&text), S("hunter2")) < 0);
        buf_fini(&text);
    }
}

/* Who issues, and how clients name what they call: compared byte by byte later. */
static void test_issuer(void **state)
{
    (void)state;
    static const struct {
        const char *text, *issuer, *resource;
    } rows[] = {
        {"{}", "https://ambit.local", NULL},
        {"{\"listen\": [{\"address\": \"127.0.0.1:81\"}]}", "http://127.0.0.1:81",
         "http://127.0.0.1:81/mcp"},
        {"{\"listen\": [{\"address\": \"127.0.0.1:0\"}]}", "https://ambit.local",
         "https://ambit.local/mcp"},
        {"{\"issuer\": \"https://gw.example/a\", \"listen\": [{\"address\": \"0.0.0.0:81\", "
         "\"cert\": \"c\", \"key\": \"k\"}]}",
         "https://gw.example/a", "https://gw.example/a/mcp"},
        {"{\"trustDomain\": \"t.example\", \"listen\": [{\"address\": \"0.0.0.0:81\", "
         "\"cert\": \"c\", \"key\": \"k\", \"url\": \"https://g.example:81\"}]}",
         "https://g.example:81", "https://g.example:81/mcp"},
        {"{\"issuer\": \"http://localhost:9\", \"listen\": [{\"address\": \"127.0.0.1:9\"}]}",
         "http://localhost:9", "http://127.0.0.1:9/mcp"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct conf c;
        struct conf_problems p = {0};
        assert_true(conf_read(&a, S("c"), S("/"), str_z(rows[i].text), &c, &p));
        assert_true(str_eq(c.issuer, str_z(rows[i].issuer)));
        if (rows[i].resource) {
            assert_true(c.listeners[0].oauth && !c.listeners[0].svid);
            assert_string_equal(conf_resource(&a, &c.listeners[0], (str){0}).p, rows[i].resource);
            assert_true(str_ends(conf_resource(&a, &c.listeners[0], S("x")), S("/mcp/x")));
        }
    }
}

static void test_wait_of_bindings(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct conf c;
    struct conf_problems p = {0};
    assert_true(conf_read(&a, S("c.json"), S("/"),
                          S("{\"limits\": {\"answerWait\": \"5s\"}, \"mcpServers\": {\"x\": "
                            "{\"command\": \"a\"}, "
                            "\"y\": {\"command\": \"a\", \"answerWait\": \"2m\"}}}"),
                          &c, &p));
    assert_int_equal(conf_binding(&c, S("x"))->answer_wait_ms, 5000);
    assert_int_equal(conf_binding(&c, S("y"))->answer_wait_ms, 120000);
}

/* A bundle endpoint is no door: it is not the issuer, and may face the world without mTLS. */
static void test_bundle_listeners(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct conf c;
    struct conf_problems p = {0};
    assert_true(conf_read(&a, S("c.json"), S("/"),
                          S("{\"listen\": [{\"address\": \"0.0.0.0:1\", \"bundle\": \"spiffe\"},"
                            "{\"address\": \"0.0.0.0:2\", \"bundle\": \"web\", \"cert\": \"c\", "
                            "\"key\": \"k\"},"
                            "{\"address\": \"127.0.0.1:3\", \"cert\": \"c\", \"key\": \"k\", "
                            "\"clientCa\": \"agents\"}]}"),
                          &c, &p));
    assert_int_equal(c.listeners[0].bundle, BUNDLE_SPIFFE);
    assert_int_equal(c.listeners[1].bundle, BUNDLE_WEB);
    assert_false(c.listeners[0].oauth || c.listeners[1].oauth);
    assert_true(c.listeners[2].client_ca_agents && !c.listeners[2].client_ca_file.n);
    assert_true(str_eq(c.issuer, S("https://127.0.0.1:3")));
    assert_int_equal(c.lives.x509_s, 3600);
    assert_int_equal(c.lives.refresh_s, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_wait_of_bindings),
        cmocka_unit_test(test_issuer),
        cmocka_unit_test(test_selectors),
        cmocka_unit_test(test_bundle_listeners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
