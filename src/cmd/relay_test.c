#include "cmd/relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define META                                                                                       \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                       \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"

static const struct relay_target TARGET = {
    {"/mcp/up", 7}, {"t1", 2}, {"s1.4", 4}, {"2025-11-25", 10}};

static str request_of(struct arena *a, const struct relay_target *to, const char *line)
{
    struct relay_message m;
    struct rpc_fault fault;
    struct err err;
    struct buf out = {0};
    assert_true(relay_read(a, str_z(line), &m, &fault, &err));
    assert_true(relay_put_request(a, to, &m, &out, &err));
    str s = str_dup(a, buf_str(&out));
    buf_fini(&out);
    return s;
}

static bool has(str s, const char *what)
{
    return str_find(s, str_z(what)) >= 0;
}

static void a_modern_message_is_described_by_fields(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    (void)state;
    const char *line = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{"
                       "\"name\":\"up__\xc3\xa9\"," META "}}";
    str s = request_of(&a, &TARGET, line);
    assert_true(str_starts(s, S("POST /mcp/up HTTP/1.1\r\n")));
    assert_true(has(s, "Host: ambit\r\n"));
    assert_true(has(s, "Ambit-Task: t1\r\n"));
    assert_true(has(s, "Accept: application/json, text/event-stream\r\n"));
    assert_true(has(s, "MCP-Protocol-Version: 2026-07-28\r\n"));
    assert_true(has(s, "Mcp-Method: tools/call\r\n"));
    assert_true(has(s, "Mcp-Name: =?base64?dXBfX8Op?=\r\n"));
    assert_false(has(s, "Mcp-Session-Id"));
    assert_true(str_ends(s, str_z(line)));
}

static void a_name_is_mirrored_only_where_it_is_one(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    (void)state;
    str s = request_of(&a, &TARGET,
                       "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/read\",\"params\":{"
                       "\"uri\":\"file:///x\",\"name\":\"n\"," META "}}");
    assert_true(has(s, "Mcp-Name: file:///x\r\n"));
    s = request_of(&a, &TARGET,
                   "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{"
                   "\"name\":\"n\"," META "}}");
    assert_false(has(s, "Mcp-Name"));
}

static void a_line_break_in_a_name_adds_no_field(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    (void)state;
    str s = request_of(&a, &TARGET,
                       "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{"
                       "\"name\":\"x\\r\\nAmbit-Task: t2\"," META "}}");
    assert_false(has(s, "\r\nAmbit-Task: t2"));
    assert_true(has(s, "Mcp-Name: =?base64?"));
}

static void a_legacy_message_carries_its_session(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct relay_target bare = {.path = S("/mcp")};
    (void)state;
    str s = request_of(&a, &TARGET, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}");
    assert_true(has(s, "Mcp-Session-Id: s1.4\r\n"));
    assert_true(has(s, "MCP-Protocol-Version: 2025-11-25\r\n"));
    assert_false(has(s, "Mcp-Method"));
    s = request_of(&a, &TARGET, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\"}");
    assert_false(has(s, "Mcp-Session-Id"));
    assert_false(has(s, "MCP-Protocol-Version"));
    s = request_of(&a, &bare, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
    assert_true(str_starts(s, S("POST /mcp HTTP/1.1\r\n")));
    assert_false(has(s, "Mcp-Session-Id"));
    assert_false(has(s, "Ambit-Task"));
}

static void what_is_no_message_is_not_sent(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct relay_message m;
    struct rpc_fault fault = {0};
    struct err err;
    (void)state;
    assert_false(relay_read(&a, S("[]"), &m, &fault, &err));
    assert_int_equal(fault.code, RPC_INVALID_REQUEST);
    assert_false(relay_read(&a, S("{"), &m, &fault, &err));
    assert_int_equal(fault.code, RPC_PARSE_ERROR);
}

static void a_cancellation_names_its_request(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct relay_message m;
    struct rpc_fault fault;
    struct err err;
    (void)state;
    assert_true(relay_read(&a,
                           S("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
                             "\"params\":{\"requestId\":\"a\"}}"),
                           &m, &fault, &err));
    assert_true(str_eq(m.cancels, S("\"a\"")));
    assert_false(m.modern);
}

static void answers_become_lines(void **state)
{
    static const struct {
        const char *text;
        bool adopt;
        enum relay_answer what;
        const char *line;
    } cases[] = {
        {"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}", true, RELAY_ANSWER,
         "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n"},
        {"{\"jsonrpc\":\"2.0\",\n\"id\":7,\r\n\"result\":{\"a\":\"\\n\"}}", true, RELAY_ANSWER,
         "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"a\":\"\\n\"}}\n"},
        {"{\"jsonrpc\":\"2.0\",\"id\":8,\"result\":{}}", true, RELAY_BAD, ""},
        {"{\"jsonrpc\":\"2.0\",\"id\":\"7\",\"result\":{}}", true, RELAY_BAD, ""},
        {"{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-5,\"message\":\"no\",\"data\":[1]}}", true,
         RELAY_ANSWER,
         "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-5,\"message\":\"no\",\"data\":[1]}}"
         "\n"},
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-5,\"message\":\"no\"}}", true,
         RELAY_ANSWER,
         "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-5,\"message\":\"no\"}}\n"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{}}", false,
         RELAY_OTHER,
         "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{}}\n"},
        {"<html>", true, RELAY_BAD, ""},
        {"", true, RELAY_BAD, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = {0};
        assert_int_equal(relay_put_line(str_z(cases[i].text), S("7"), cases[i].adopt, &out),
                         cases[i].what);
        if (!str_eq(buf_str(&out), str_z(cases[i].line)))
            print_error("case %zu: %.*s\n", i, STR(buf_str(&out)));
        assert_true(str_eq(buf_str(&out), str_z(cases[i].line)));
        buf_fini(&out);
    }
}

static void the_session_ends_with_a_delete(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct buf out = {0};
    struct err err;
    (void)state;
    assert_true(relay_put_delete(&a, &TARGET, &out, &err));
    assert_true(str_starts(buf_str(&out), S("DELETE /mcp/up HTTP/1.1\r\n")));
    assert_true(has(buf_str(&out), "Mcp-Session-Id: s1.4\r\n"));
    buf_fini(&out);
    assert_true(str_eq(relay_revision(&a, S("{\"result\":{\"protocolVersion\":\"2025-06-18\"}}")),
                       S("2025-06-18")));
    assert_int_equal(relay_revision(&a, S("x")).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_modern_message_is_described_by_fields),
        cmocka_unit_test(a_name_is_mirrored_only_where_it_is_one),
        cmocka_unit_test(a_line_break_in_a_name_adds_no_field),
        cmocka_unit_test(a_legacy_message_carries_its_session),
        cmocka_unit_test(what_is_no_message_is_not_sent),
        cmocka_unit_test(a_cancellation_names_its_request),
        cmocka_unit_test(answers_become_lines),
        cmocka_unit_test(the_session_ends_with_a_delete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
