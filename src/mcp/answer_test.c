#include "mcp/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const struct mcp_self SELF = {{"ambit", 5}, {0}, {"1.0", 3}, {0}};
#define META_SELF                                                                                  \
    "\"_meta\":{\"io.modelcontextprotocol/serverInfo\":{\"name\":\"ambit\",\"version\":\"1.0\"}}"

static struct mcp_request request(bool modern)
{
    return (struct mcp_request){.modern = modern, .id = S("\"x\"")};
}

static const json *parse(struct arena *a, const char *text)
{
    const json *v;
    struct err err;
    if (!json_read(a, str_z(text), NULL, &v, &err))
        fail_msg("%s: %s", text, err.text);
    return v;
}

/* Compares with {"jsonrpc":"2.0","id":"x","result":<expected>} and empties the buffer. */
static void expect(struct buf *b, const char *expected)
{
    ARENA_SCOPE struct arena a = {0};
    str whole = str_fmt(&a, "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":%s}", expected);
    if (!str_eq(buf_str(b), whole))
        fail_msg("\n got %.*s\nnot %.*s", STR(buf_str(b)), STR(whole));
    buf_fini(b);
}

static void test_opening(void **state)
{
    (void)state;
    struct buf b = {0};
    struct mcp_self self = SELF;
    mcp_put_discover(&b, S("\"x\""), &self, 60000);
    expect(&b, "{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],"
               "\"capabilities\":{\"tools\":{}},"
               "\"ttlMs\":60000,\"cacheScope\":\"private\"," META_SELF "}");
    self.title = S("T");
    self.instructions = S("I");
    mcp_put_initialize(&b, S("\"x\""), MCP_2025_06_18, &self);
    expect(&b, "{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"tools\":{}},"
               "\"serverInfo\":{\"name\":\"ambit\",\"title\":\"T\",\"version\":\"1.0\"},"
               "\"instructions\":\"I\"}");
    struct mcp_request legacy = request(false);
    mcp_put_empty(&b, &legacy, &SELF);
    expect(&b, "{}");
}

static void test_tools(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct buf b = {0};
    const struct mcp_listed tools[] = {
        {S("b__t"), parse(&a, "{\"description\":\"d\",\"name\":\"t\",\"inputSchema\":{\"type\":"
                              "\"object\"},\"outputSchema\":{\"type\":\"array\"},\"zz\":1.50}")},
        {S("b__a"), parse(&a, "{\"name\":\"a\",\"inputSchema\":{\"type\":\"object\"},"
                              "\"outputSchema\":{\"type\":\"object\"}}")},
    };
    struct mcp_request modern = request(true), legacy = request(false);
    mcp_put_tools(&b, &modern, &SELF, tools, 2, S("c"), -5);
    expect(
        &b,
        "{\"resultType\":\"complete\",\"tools\":[{\"name\":\"b__t\",\"description\":\"d\","
        "\"inputSchema\":{\"type\":\"object\"},\"outputSchema\":{\"type\":\"array\"},\"zz\":1.50},"
        "{\"name\":\"b__a\",\"inputSchema\":{\"type\":\"object\"},\"outputSchema\":{\"type\":"
        "\"object\"}}],\"nextCursor\":\"c\",\"ttlMs\":0,\"cacheScope\":\"private\"," META_SELF "}");
    mcp_put_tools(&b, &legacy, &SELF, tools, 2, S(""), 5);
    expect(&b, "{\"tools\":[{\"name\":\"b__t\",\"description\":\"d\",\"inputSchema\":{\"type\":"
               "\"object\"},\"zz\":1.50},"
               "{\"name\":\"b__a\",\"inputSchema\":{\"type\":\"object\"},\"outputSchema\":{"
               "\"type\":\"object\"}}]}");
    mcp_put_tools(&b, &legacy, &SELF, NULL, 0, S(""), 5);
    expect(&b, "{\"tools\":[]}");
}

static void test_call_result(void **state)
{
    (void)state;
    static const struct {
        const char *upstream, *modern, *legacy;
    } rows[] = {
        {"{\"content\":[],\"structuredContent\":{\"n\":1e400},\"_meta\":{\"k\":1},\"isError\":"
         "false,\"own\":[null]}",
         "{\"resultType\":\"complete\",\"content\":[],\"structuredContent\":{\"n\":1e400},\"_"
         "meta\":{\"k\":1},\"isError\":false,\"own\":[null]}",
         "{\"content\":[],\"structuredContent\":{\"n\":1e400},\"_meta\":{\"k\":1},\"isError\":"
         "false,\"own\":[null]}"},
        {"{\"resultType\":\"complete\",\"content\":[],\"structuredContent\":[1]}",
         "{\"resultType\":\"complete\",\"content\":[],\"structuredContent\":[1]}",
         "{\"content\":[]}"},
        {"{\"content\":[],\"resultType\":\"odd\"}", "{\"resultType\":\"complete\",\"content\":[]}",
         "{\"content\":[]}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct buf b = {0};
        struct mcp_request modern = request(true), legacy = request(false);
        mcp_put_call_result(&b, &modern, parse(&a, rows[i].upstream));
        expect(&b, rows[i].modern);
        mcp_put_call_result(&b, &legacy, parse(&a, rows[i].upstream));
        expect(&b, rows[i].legacy);
    }
}

static void test_refused(void **state)
{
    (void)state;
    struct buf b = {0};
    struct mcp_request modern = request(true), legacy = request(false);
    const str policies[] = {S("p1")};
    struct mcp_refused why = {.text = S("No:\nask \"Ada\"\x1b[2J\xff"),
                              .decision = S("deny"),
                              .reason = S("policy"),
                              .call = S("c1"),
                              .policies = policies,
                              .policy_count = 1};
    mcp_put_refused_result(&b, &legacy, &SELF, &why);
    expect(&b, "{\"content\":[{\"type\":\"text\",\"text\":\"No:\\nask \\\"Ada\\\" "
               "[2J?\"}],\"isError\":true,"
               "\"_meta\":{\"dev.ambit/"
               "refusal\":{\"decision\":\"deny\",\"reason\":\"policy\",\"call\":\"c1\","
               "\"policies\":[\"p1\"]}}}");
    why = (struct mcp_refused){.text = S("t"), .decision = S("hold"), .reason = S("r")};
    mcp_put_refused_result(&b, &modern, &SELF, &why);
    expect(&b, "{\"resultType\":\"complete\",\"content\":[{\"type\":\"text\",\"text\":\"t\"}],"
               "\"isError\":true,"
               "\"_meta\":{\"io.modelcontextprotocol/"
               "serverInfo\":{\"name\":\"ambit\",\"version\":\"1.0\"},"
               "\"dev.ambit/refusal\":{\"decision\":\"hold\",\"reason\":\"r\"}}}");
}

static void test_progress(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct mcp_progress p = {.token = S("\"tok\"")};
    static const struct {
        const char *params, *sent; /* sent NULL: dropped */
    } rows[] = {
        {"{\"progressToken\":9,\"progress\":0.5,\"total\":2,\"message\":\"a\\u0007b\"}",
         "{\"progressToken\":\"tok\",\"progress\":0.5,\"total\":2,\"message\":\"a b\"}"},
        {"{\"progress\":0.5}", NULL},
        {"{\"progress\":0.25}", NULL},
        {"{\"progress\":\"9\"}", NULL},
        {"{}", NULL},
        {"{\"progress\":1e999}", NULL},
        {"{\"progress\":1,\"total\":\"x\",\"message\":5,\"_meta\":{}}",
         "{\"progressToken\":\"tok\",\"progress\":1}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf b = {0};
        bool sent = mcp_put_progress(&b, &p, parse(&a, rows[i].params));
        if (sent != (rows[i].sent != NULL) || (!sent && buf_len(&b)))
            fail_msg("%s: %d", rows[i].params, sent);
        if (sent && str_find(buf_str(&b), str_z(rows[i].sent)) < 0)
            fail_msg("%s: %.*s", rows[i].params, STR(buf_str(&b)));
        buf_fini(&b);
    }
    struct buf b = {0};
    p.ended = true;
    assert_false(mcp_put_progress(&b, &p, parse(&a, "{\"progress\":100}")));
    struct mcp_progress none = {0};
    assert_false(mcp_put_progress(&b, &none, parse(&a, "{\"progress\":100}")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opening),     cmocka_unit_test(test_tools),
        cmocka_unit_test(test_call_result), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_progress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
