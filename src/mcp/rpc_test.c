#include "mcp/field.h"
#include "mcp/revision.h"
#include "mcp/rpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct row {
    const char *name;
    str text;
    enum rpc_kind kind; /* RPC_NOTHING: refused with code */
    int code;
    const char *id; /* JSON text, also of a refusal */
};

static const struct row ROWS[] = {
    {"request", S("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"), RPC_REQUEST, 0, "1"},
    {"id 0", S("{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"ping\"}"), RPC_REQUEST, 0, "0"},
    {"string id", S("{\"jsonrpc\":\"2.0\",\"id\":\"a\\n\",\"method\":\"x\",\"params\":{}}"),
     RPC_REQUEST, 0, "\"a\\n\""},
    {"string id is not a number", S("{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"method\":\"x\"}"),
     RPC_REQUEST, 0, "\"1\""},
    {"unknown members", S("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"z\":1}"), RPC_REQUEST,
     0, "1"},
    {"notification", S("{\"jsonrpc\":\"2.0\",\"method\":\"x\"}"), RPC_NOTIFICATION, 0, ""},
    {"result", S("{\"jsonrpc\":\"2.0\",\"id\":-7,\"result\":{}}"), RPC_RESULT, 0, "-7"},
    {"error",
     S("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":\"m\",\"data\":[]}}"),
     RPC_ERROR, 0, "1"},
    {"error with null id",
     S("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1,\"message\":\"m\"}}"), RPC_ERROR, 0,
     ""},
    {"error without id", S("{\"jsonrpc\":\"2.0\",\"error\":{\"code\":1,\"message\":\"m\"}}"),
     RPC_ERROR, 0, ""},

    {"no JSON", S("nonsense"), RPC_NOTHING, -32700, ""},
    {"nothing", S(""), RPC_NOTHING, -32700, ""},
    {"duplicate member", S("{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"x\"}"), RPC_NOTHING,
     -32700, ""},
    {"batch", S("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\"}]"), RPC_NOTHING, -32600, ""},
    {"empty batch", S("[]"), RPC_NOTHING, -32600, ""},
    {"a string", S("\"x\""), RPC_NOTHING, -32600, ""},
    {"no version", S("{\"id\":1,\"method\":\"x\"}"), RPC_NOTHING, -32600, "1"},
    {"version 1.0", S("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"x\"}"), RPC_NOTHING, -32600, "1"},
    {"version as a number", S("{\"jsonrpc\":2.0,\"id\":1,\"method\":\"x\"}"), RPC_NOTHING, -32600,
     "1"},
    {"null id", S("{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"x\"}"), RPC_NOTHING, -32600, ""},
    {"id with a fraction", S("{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"x\"}"), RPC_NOTHING,
     -32600, ""},
    {"id with an exponent", S("{\"jsonrpc\":\"2.0\",\"id\":1e3,\"method\":\"x\"}"), RPC_NOTHING,
     -32600, ""},
    {"id beyond 64 bits", S("{\"jsonrpc\":\"2.0\",\"id\":99999999999999999999,\"method\":\"x\"}"),
     RPC_NOTHING, -32600, ""},
    {"id -0", S("{\"jsonrpc\":\"2.0\",\"id\":-0,\"method\":\"x\"}"), RPC_NOTHING, -32600, ""},
    {"id true", S("{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"x\"}"), RPC_NOTHING, -32600, ""},
    {"id object", S("{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"x\"}"), RPC_NOTHING, -32600, ""},
    {"method is no string", S("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":1}"), RPC_NOTHING, -32600,
     "1"},
    {"method is empty", S("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\"}"), RPC_NOTHING, -32600,
     "1"},
    {"method with a line feed", S("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\\nb\"}"),
     RPC_NOTHING, -32600, "1"},
    {"params is an array", S("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":[]}"),
     RPC_NOTHING, -32600, "1"},
    {"params is null", S("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":null}"),
     RPC_NOTHING, -32600, "1"},
    {"request and result", S("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"result\":{}}"),
     RPC_NOTHING, -32600, "1"},
    {"result and error",
     S("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"error\":{\"code\":1,\"message\":\"\"}}"),
     RPC_NOTHING, -32600, "1"},
    {"neither", S("{\"jsonrpc\":\"2.0\",\"id\":1}"), RPC_NOTHING, -32600, "1"},
    {"result without id", S("{\"jsonrpc\":\"2.0\",\"result\":{}}"), RPC_NOTHING, -32600, ""},
    {"result with null id", S("{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":{}}"), RPC_NOTHING,
     -32600, ""},
    {"result is a string", S("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"x\"}"), RPC_NOTHING,
     -32600, "1"},
    {"error is a string", S("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":\"x\"}"), RPC_NOTHING, -32600,
     "1"},
    {"error code with a fraction",
     S("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1.5,\"message\":\"\"}}"), RPC_NOTHING,
     -32600, "1"},
    {"error without message", S("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1}}"),
     RPC_NOTHING, -32600, "1"},
};

static void test_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct rpc_message m = {0};
        struct rpc_fault f = {0};
        struct err err = {0};
        bool ok = rpc_read(&a, ROWS[i].text, NULL, &m, &f, &err);
        if (ok != (ROWS[i].kind != RPC_NOTHING) || m.kind != ROWS[i].kind)
            fail_msg("%s: %s", ROWS[i].name, ok ? "taken for the wrong kind" : err.text);
        if (!str_eq(ok ? m.id : f.id, str_z(ROWS[i].id)))
            fail_msg("%s: id %.*s", ROWS[i].name, STR(ok ? m.id : f.id));
        if (!ok && ((int)f.code != ROWS[i].code || !err.text[0]))
            fail_msg("%s: code %d", ROWS[i].name, f.code);
    }
}

static void test_limits(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct rpc_message m;
    struct rpc_fault f;
    struct err err;
    struct buf b = {0};
    buf_put(&b, S("{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{\"a\":"));
    for (int i = 0; i < 100; i++)
        buf_putc(&b, '[');
    for (int i = 0; i < 100; i++)
        buf_putc(&b, ']');
    buf_put(&b, S("}}"));
    assert_false(rpc_read(&a, buf_str(&b), NULL, &m, &f, &err));
    assert_int_equal(f.code, RPC_PARSE_ERROR);
    buf_clear(&b);
    buf_put(&b, S("{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"id\":\""));
    for (int i = 0; i < 300; i++)
        buf_putc(&b, 'i');
    buf_put(&b, S("\"}"));
    assert_false(rpc_read(&a, buf_str(&b), NULL, &m, &f, &err));
    assert_int_equal(f.code, RPC_INVALID_REQUEST);
    buf_fini(&b);
}

static void test_write(void **state)
{
    (void)state;
    struct buf b = {0};
    rpc_put_error(&b, S("\"a\""), RPC_INVALID_PARAMS, S("bad \xff\nthing"));
    assert_true(
        str_eq(buf_str(&b), S("{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"error\":{\"code\":-32602,"
                              "\"message\":\"bad ? thing\"}}")));
    buf_clear(&b);
    rpc_put_error_data(&b, (str){0}, 5, S("m"), S("[1]"));
    assert_true(
        str_eq(buf_str(&b), S("{\"jsonrpc\":\"2.0\",\"error\":{\"code\":5,\"message\":\"m\","
                              "\"data\":[1]}}")));
    buf_clear(&b);
    struct jw w = rpc_begin_notification(&b, S("n"));
    jw_raw(&w, S("{}"));
    rpc_end(&w);
    assert_true(str_eq(buf_str(&b), S("{\"jsonrpc\":\"2.0\",\"method\":\"n\",\"params\":{}}")));
    buf_fini(&b);
}

static void test_revisions(void **state)
{
    (void)state;
    static const struct {
        str asked;
        enum mcp_revision answer;
    } rows[] = {
        {S("2025-11-25"), MCP_2025_11_25}, {S("2025-06-18"), MCP_2025_06_18},
        {S("2025-03-26"), MCP_2025_11_25}, {S("2024-11-05"), MCP_2025_11_25},
        {S("2026-07-28"), MCP_2025_11_25}, {S("9999-01-01"), MCP_2025_11_25},
        {S(""), MCP_2025_11_25},           {S("2025-11-25 "), MCP_2025_11_25},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(mcp_answer_initialize(rows[i].asked), rows[i].answer);
    assert_true(mcp_is_modern(mcp_revision_of(S("2026-07-28"))));
    assert_false(mcp_is_served(MCP_2025_03_26));
    assert_int_equal(mcp_revision_of(S("")), MCP_NO_REVISION);
}

static void test_values(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    static const struct {
        str value, field;
    } same[] = {
        {S("us-west1"), S("us-west1")},
        {S("a b\tc"), S("a b\tc")},
        {S("Hello, \xe4\xb8\x96\xe7\x95\x8c"), S("=?base64?SGVsbG8sIOS4lueVjA==?=")},
        {S(" padded "), S("=?base64?IHBhZGRlZCA=?=")},
        {S("line1\nline2"), S("=?base64?bGluZTEKbGluZTI=?=")},
        {S("=?base64?literal?="), S("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=")},
        {S("=?BASE64?eA==?="), S("=?BASE64?eA==?=")},
        {S("x\r\nEvil: 1"), S("=?base64?eA0KRXZpbDogMQ==?=")},
        {S(""), S("=?base64?"
                  "?=")},
    };
    str v;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        str f = mcp_value_encode(&a, same[i].value);
        if (!str_eq(f, same[i].field))
            fail_msg("%zu: %.*s", i, STR(f));
        assert_true(mcp_value_decode(&a, f, &v) && str_eq(v, same[i].value));
    }
    static const str bad[] = {S("=?base64?@@?="),  S("=?base64?eA=?="), S("=?base64?/w==?="),
                              S("a\nb"),           S("\xc3\xa4"),       S("a\x7f"),
                              S("=?base64?eB==?=")};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (mcp_value_decode(&a, bad[i], &v))
            fail_msg("accepted %.*s", STR(bad[i]));
    assert_true(mcp_value_decode(&a, S("  x  "), &v) && str_eq(v, S("x")));
}

static void test_accept(void **state)
{
    (void)state;
    static const struct {
        str accept;
        bool json, sse;
    } rows[] = {
        {S("application/json, text/event-stream"), true, true},
        {S("text/event-stream;q=0.5 , Application/JSON ; charset=x"), true, true},
        {S("*/*"), true, true},
        {S("application/*"), true, false},
        {S("application/json"), true, false},
        {S("application/json;q=0, text/event-stream"), false, true},
        {S("application/json;q=0.000"), false, false},
        {S("application/json;q=0.001"), true, false},
        {S("application/jsonx"), false, false},
        {S(""), false, false},
        {S(",,;"), false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (mcp_accepts(rows[i].accept, S("application"), S("json")) != rows[i].json ||
            mcp_accepts(rows[i].accept, S("text"), S("event-stream")) != rows[i].sse)
            fail_msg("%.*s", STR(rows[i].accept));
    assert_true(mcp_is_media_type(S("application/json; charset=utf-8"), S("application/json")));
    assert_false(mcp_is_media_type(S("application/json5"), S("application/json")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),   cmocka_unit_test(test_limits),
        cmocka_unit_test(test_write),  cmocka_unit_test(test_revisions),
        cmocka_unit_test(test_values), cmocka_unit_test(test_accept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
