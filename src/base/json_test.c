#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct row {
    const char *name;
    str text;
    const char *canonical; /* NULL: must be refused */
};

static const struct row rows[] = {
    {"empty object", S("{}"), "{}"},
    {"white space", S(" { \"a\" : [ 1 , 2 ] } "), "{\"a\":[1,2]}"},
    {"members are sorted", S("{\"b\":1,\"a\":2}"), "{\"a\":2,\"b\":1}"},
    {"order is that of UTF-16", S("{\"\\uffff\":1,\"\\ud83d\\ude00\":2}"),
     "{\"\xf0\x9f\x98\x80\":2,\"\xef\xbf\xbf\":1}"},
    {"numbers keep their text", S("[1.0,1e400,-0,12345678901234567890]"),
     "[1.0,1e400,-0,12345678901234567890]"},
    {"escapes", S("\"\\u0041\\n\\u0001\\/\""), "\"A\\n\\u0001/\""},
    {"scalar", S("true"), "true"},
    {"duplicate member", S("{\"a\":1,\"a\":2}"), NULL},
    {"duplicate by escape", S("{\"a\":1,\"\\u0061\":2}"), NULL},
    {"duplicate deep down", S("[{\"x\":{\"a\":1,\"b\":2,\"a\":3}}]"), NULL},
    {"duplicate among many",
     S("{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"j\":1,\"k\":1,"
       "\"l\":1,\"m\":1,\"n\":1,\"o\":1,\"p\":1,\"q\":1,\"a\":1}"),
     NULL},
    {"bad UTF-8", S("\"\xc3\x28\""), NULL},
    {"overlong UTF-8", S("\"\xc0\xaf\""), NULL},
    {"lone surrogate", S("\"\\ud800\""), NULL},
    {"trailing bytes", S("{} x"), NULL},
    {"comment", S("{} // x"), NULL},
    {"trailing comma", S("[1,]"), NULL},
    {"NaN", S("NaN"), NULL},
    {"leading zero", S("01"), NULL},
    {"plus", S("+1"), NULL},
    {"BOM", S("\xef\xbb\xbf{}"), NULL},
    {"raw control in string", S("\"\x01\""), NULL},
    {"NUL at the end", S("{}\0"), NULL},
    {"nothing", S(""), NULL},
    {"depth 9 of 8", S("[[[[[[[[[]]]]]]]]]"), NULL},
    {"brackets in strings are not depth", S("\"[[[[[[[[[[[[\""), "\"[[[[[[[[[[[[\""},
};

static void test_table(void **state)
{
    (void)state;
    struct json_limits limits = {.depth_max = 8};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct err err = {0};
        const json *v;
        bool ok = json_read(&a, rows[i].text, &limits, &v, &err);
        if (ok != (rows[i].canonical != NULL))
            fail_msg("%s: %s", rows[i].name, ok ? "accepted" : err.text);
        if (!ok) {
            assert_true(err.text[0] && err.kind != ERR_NONE);
            continue;
        }
        struct buf b = {0};
        json_write_canonical(&b, v);
        if (!str_eq(buf_str(&b), str_z(rows[i].canonical)))
            fail_msg("%s: got %.*s", rows[i].name, STR(buf_str(&b)));
        buf_fini(&b);
    }
}

static void test_access(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    const json *v;
    int64_t n;
    assert_true(
        json_read(&a, S("{\"s\":\"x\",\"n\":-5,\"f\":1.5,\"b\":true,\"l\":[1,[2],3],\"z\":null}"),
                  NULL, &v, &err));
    assert_true(str_eq(json_get_str(v, S("s")), S("x")));
    assert_true(json_i64(json_get(v, S("n")), &n) && n == -5);
    assert_false(json_i64(json_get(v, S("f")), &n));
    assert_true(json_bool(json_get(v, S("b"))));
    assert_int_equal(json_type(json_get(v, S("z"))), JSON_NULL);
    assert_int_equal(json_type(json_get(v, S("none"))), JSON_ABSENT);
    assert_int_equal(json_count(json_get(v, S("l"))), 3);
    size_t seen = 0;
    const json *e;
    for (struct json_iter it = json_iter(json_get(v, S("l"))); json_next(&it, NULL, &e);)
        seen++;
    assert_int_equal(seen, 3);
}

static void test_limits(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    const json *v;
    struct json_limits bytes = {.bytes_max = 3}, values = {.values_max = 3};
    assert_false(json_read(&a, S("[10]"), &bytes, &v, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_true(json_read(&a, S("[1,2]"), &values, &v, &err));
    assert_false(json_read(&a, S("[1,2,3]"), &values, &v, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
}

static void test_file_lines(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    struct json_file f;
    assert_true(json_read_file_text(
        &a, S("c.json"), S("// hello\n{\n  \"a\\u0041\": \"x\\ny\",\n  /* b */ \"b\": 1,\n}\n"), &f,
        &err));
    str name;
    const json *v;
    unsigned lines[2] = {0}, i = 0;
    for (struct json_iter it = json_iter(f.root); json_next(&it, &name, &v);)
        lines[i++] = json_line(&f, name);
    assert_int_equal(lines[0], 3);
    assert_int_equal(lines[1], 4);
    assert_false(json_read_file_text(&a, S("c.json"), S("{\n \"a\": }"), &f, &err));
    assert_non_null(strstr(err.text, "c.json:2:7"));
}

static void test_writer(void **state)
{
    (void)state;
    struct buf b = {0};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_kstr(&w, S("a\"b"), S("\x01\t"));
    jw_key(&w, S("l"));
    jw_arr(&w);
    jw_i64(&w, INT64_MIN);
    jw_bool(&w, false);
    jw_end_arr(&w);
    jw_ki64(&w, S("z"), 0);
    jw_end_obj(&w);
    assert_true(str_eq(
        buf_str(&b), S("{\"a\\\"b\":\"\\u0001\\t\",\"l\":[-9223372036854775808,false],\"z\":0}")));
    buf_fini(&b);
}

/* Names and strings lie in the reader's copy where the text has them, escapes or not. */
static void test_places(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    str text = S("{\"a\\n\": [\"b\", \"\\u00e9c\"]}"), name;
    struct err err;
    const char *base;
    const json *v, *list, *one;
    assert_true(json_read_based(&a, text, NULL, &v, &base, &err));
    struct json_iter it = json_iter(v);
    assert_true(json_next(&it, &name, &list));
    assert_int_equal(name.p - base, 2);
    it = json_iter(list);
    assert_true(json_next(&it, NULL, &one));
    assert_int_equal(json_str(one).p - base, str_find(text, S("b\"")));
    assert_true(json_next(&it, NULL, &one));
    assert_int_equal(json_str(one).p - base, str_find(text, S("\\u00e9")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),     cmocka_unit_test(test_table),
        cmocka_unit_test(test_access),     cmocka_unit_test(test_limits),
        cmocka_unit_test(test_file_lines), cmocka_unit_test(test_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
