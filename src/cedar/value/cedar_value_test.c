/* Texts of the extension types, order and equality of values, entities and their JSON. */
#include "cedar/value/entities_json.h"
#include "cedar/value/ext.h"
#include "cedar/text/lex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* want: what the value is written as, NULL where the text must be refused. */
struct row {
    enum cedar_fn fn;
    const char *text, *want;
};

static const struct row rows[] = {
    {CEDAR_FN_DECIMAL, "1", NULL},
    {CEDAR_FN_DECIMAL, "", NULL},
    {CEDAR_FN_DECIMAL, "-", NULL},
    {CEDAR_FN_DECIMAL, ".5", NULL},
    {CEDAR_FN_DECIMAL, "1.", NULL},
    {CEDAR_FN_DECIMAL, "+1.0", NULL},
    {CEDAR_FN_DECIMAL, "1.00000", NULL},
    {CEDAR_FN_DECIMAL, "1.0 ", NULL},
    {CEDAR_FN_DECIMAL, "1e1.0", NULL},
    {CEDAR_FN_DECIMAL, "--1.0", NULL},
    {CEDAR_FN_DECIMAL, "1.-1", NULL},
    {CEDAR_FN_DECIMAL, "00001.5", "1.5000"},
    {CEDAR_FN_DECIMAL, "-0.0", "0.0000"},
    {CEDAR_FN_DECIMAL, "-0.0001", "-0.0001"},
    {CEDAR_FN_DECIMAL, "-1.5", "-1.5000"},
    {CEDAR_FN_DECIMAL, "922337203685477.5807", "922337203685477.5807"},
    {CEDAR_FN_DECIMAL, "922337203685477.5808", NULL},
    {CEDAR_FN_DECIMAL, "-922337203685477.5808", "-922337203685477.5808"},
    {CEDAR_FN_DECIMAL, "-922337203685477.5809", NULL},
    {CEDAR_FN_DECIMAL, "9223372036854775807.0", NULL},
    {CEDAR_FN_DECIMAL, "000000000000000000000000000000.1", "0.1000"},

    {CEDAR_FN_IP, "1.2.3.4", "1.2.3.4"},
    {CEDAR_FN_IP, "1.2.3.4/32", "1.2.3.4"},
    {CEDAR_FN_IP, "1.2.3.4/0", "1.2.3.4/0"},
    {CEDAR_FN_IP, "1.2.3.4/33", NULL},
    {CEDAR_FN_IP, "1.2.3.4/00", NULL},
    {CEDAR_FN_IP, "1.2.3.4/08", NULL},
    {CEDAR_FN_IP, "1.2.3.4/", NULL},
    {CEDAR_FN_IP, "1.2.3.4/+8", NULL},
    {CEDAR_FN_IP, "1.2.3", NULL},
    {CEDAR_FN_IP, "1.2.3.4.5", NULL},
    {CEDAR_FN_IP, "01.2.3.4", NULL},
    {CEDAR_FN_IP, "1.2.3.256", NULL},
    {CEDAR_FN_IP, "1..3.4", NULL},
    {CEDAR_FN_IP, "1.2.3.4 ", NULL},
    {CEDAR_FN_IP, "", NULL},
    {CEDAR_FN_IP, "::", "0:0:0:0:0:0:0:0"},
    {CEDAR_FN_IP, "::1", "0:0:0:0:0:0:0:1"},
    {CEDAR_FN_IP, "1::", "1:0:0:0:0:0:0:0"},
    {CEDAR_FN_IP, "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
    {CEDAR_FN_IP, "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
    {CEDAR_FN_IP, "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
    {CEDAR_FN_IP, "1:2:3:4::5:6:7:8", NULL},
    {CEDAR_FN_IP, "1:2:3:4:5:6:7:8::", NULL},
    {CEDAR_FN_IP, "1:2:3:4:5:6:7", NULL},
    {CEDAR_FN_IP, "1::2::3", NULL},
    {CEDAR_FN_IP, ":1", NULL},
    {CEDAR_FN_IP, "1:", NULL},
    {CEDAR_FN_IP, ":::", NULL},
    {CEDAR_FN_IP, "12345::", NULL},
    {CEDAR_FN_IP, "g::", NULL},
    {CEDAR_FN_IP, "::ffff:1.2.3.4", NULL},
    {CEDAR_FN_IP, "AbCd::/128", "abcd:0:0:0:0:0:0:0"},
    {CEDAR_FN_IP, "::/129", NULL},
    {CEDAR_FN_IP, "fe80::1%eth0", NULL},

    {CEDAR_FN_DATETIME, "1970-01-01", "1970-01-01T00:00:00.000Z"},
    {CEDAR_FN_DATETIME, "0000-01-01", "0000-01-01T00:00:00.000Z"},
    {CEDAR_FN_DATETIME, "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"},
    {CEDAR_FN_DATETIME, "2000-02-29", "2000-02-29T00:00:00.000Z"},
    {CEDAR_FN_DATETIME, "1900-02-29", NULL},
    {CEDAR_FN_DATETIME, "2024-02-30", NULL},
    {CEDAR_FN_DATETIME, "2024-13-01", NULL},
    {CEDAR_FN_DATETIME, "2024-00-01", NULL},
    {CEDAR_FN_DATETIME, "2024-01-00", NULL},
    {CEDAR_FN_DATETIME, "2024-1-1", NULL},
    {CEDAR_FN_DATETIME, "+2024-01-01", NULL},
    {CEDAR_FN_DATETIME, "-2024-01-01", NULL},
    {CEDAR_FN_DATETIME, "2024-01-01T24:00:00Z", NULL},
    {CEDAR_FN_DATETIME, "2024-01-01T23:60:00Z", NULL},
    {CEDAR_FN_DATETIME, "2024-01-01T23:59:60Z", NULL},
    {CEDAR_FN_DATETIME, "2024-01-01T00:00:00", NULL},
    {CEDAR_FN_DATETIME, "2024-01-01T00:00:00.1Z", NULL},
    {CEDAR_FN_DATETIME, "2024-01-01T00:00:00.0001Z", NULL},
    {CEDAR_FN_DATETIME, "2024-01-01T00:00:00z", NULL},
    {CEDAR_FN_DATETIME, "2024-01-01 00:00:00Z", NULL},
    {CEDAR_FN_DATETIME, "2024-01-01T00:00Z", NULL},
    {CEDAR_FN_DATETIME, "2024-01-01T00:00:00+2400", NULL},
    {CEDAR_FN_DATETIME, "2024-01-01T00:00:00+0060", NULL},
    {CEDAR_FN_DATETIME, "2024-01-01T00:00:00+01:00", NULL},
    {CEDAR_FN_DATETIME, "2024-01-01T00:00:00Z+0100", NULL},
    {CEDAR_FN_DATETIME, "2024-01-01T00:00:00+0130", "2023-12-31T22:30:00.000Z"},
    {CEDAR_FN_DATETIME, "2024-01-01T00:00:00.250-2359", "2024-01-01T23:59:00.250Z"},
    {CEDAR_FN_DATETIME, "", NULL},

    {CEDAR_FN_DURATION, "", NULL},
    {CEDAR_FN_DURATION, "-", NULL},
    {CEDAR_FN_DURATION, "1", NULL},
    {CEDAR_FN_DURATION, "d", NULL},
    {CEDAR_FN_DURATION, "1h1h", NULL},
    {CEDAR_FN_DURATION, "1s1m", NULL},
    {CEDAR_FN_DURATION, "1ms1s", NULL},
    {CEDAR_FN_DURATION, "+1s", NULL},
    {CEDAR_FN_DURATION, "1s-1ms", NULL},
    {CEDAR_FN_DURATION, "1.5s", NULL},
    {CEDAR_FN_DURATION, "1S", NULL},
    {CEDAR_FN_DURATION, "1m1ms", "60001ms"},
    {CEDAR_FN_DURATION, "1d1ms", "86400001ms"},
    {CEDAR_FN_DURATION, "-1d2h3m4s5ms", "-93784005ms"},
    {CEDAR_FN_DURATION, "0001s", "1000ms"},
    {CEDAR_FN_DURATION, "9223372036854775807ms", "9223372036854775807ms"},
    {CEDAR_FN_DURATION, "9223372036854775808ms", NULL},
    {CEDAR_FN_DURATION, "-9223372036854775808ms", "-9223372036854775808ms"},
    {CEDAR_FN_DURATION, "106751991168d", NULL},
    {CEDAR_FN_DURATION, "99999999999999999999999d", NULL},
};

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct cedar_value in = cedar_string(str_z(rows[i].text)), out;
        struct err err;
        struct buf b = {0};
        bool ok = cedar_fn_call(&a, rows[i].fn, &in, 1, &out, &err);
        if (ok)
            cedar_value_print(&b, &out);
        str want = str_z(rows[i].want);
        str inner = ok ? str_skip(buf_str(&b), strlen(cedar_fns[rows[i].fn].name) + 2) : (str){0};
        if (ok != (rows[i].want != NULL) || !str_eq(want, str_take(inner, ok ? inner.n - 2 : 0)))
            fail_msg("%s(%s): got %.*s", cedar_fns[rows[i].fn].name, rows[i].text,
                     STR(buf_str(&b)));
        buf_fini(&b);
    }
}

/* Every day of eight centuries is written and read back, and the days follow each other. */
static void test_calendar(void **state)
{
    (void)state;
    enum { DAY_MS = 86400000, FIRST = -719528, LAST = FIRST + 800 * 366 };
    struct buf b = {0};
    for (int64_t day = FIRST; day < LAST; day++) {
        struct err err;
        int64_t back;
        buf_clear(&b);
        cedar_datetime_print(&b, day * DAY_MS);
        assert_true(cedar_datetime_read(str_take(buf_str(&b), 10), &back, &err));
        assert_int_equal(back, day * DAY_MS);
    }
    buf_fini(&b);
}

static void test_sets(void **state)
{
    (void)state;
    enum { N = 200 };
    struct cedar_value items[N];
    for (int i = 0; i < N; i++)
        items[i] = cedar_long((i * 37) % 50);
    struct cedar_value set = cedar_set_of(items, N);
    assert_int_equal(set.n, 50);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(set.items[i].i, i);
        assert_true(cedar_set_has(&set, &(struct cedar_value){.kind = CEDAR_LONG, .i = i}));
    }
    struct cedar_value other = cedar_long(50), text = cedar_string(S("1"));
    assert_false(cedar_set_has(&set, &other) || cedar_set_has(&set, &text));
}

static void test_records(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct cedar_value r, copy;
    struct cedar_field fields[] = {
        {S("b"), cedar_long(1)}, {S(""), cedar_long(2)}, {S("a"), cedar_string(S("x"))}};
    struct cedar_field twice[] = {
        {S("b"), cedar_long(1)}, {S("a"), cedar_long(2)}, {S("b"), cedar_long(1)}};
    assert_true(cedar_record_of(fields, 3, &r));
    assert_int_equal(cedar_record_get(&r, S("b"))->i, 1);
    assert_int_equal(cedar_record_get(&r, S(""))->i, 2);
    assert_null(cedar_record_get(&r, S("c")));
    copy = cedar_value_copy(&a, r);
    assert_true(cedar_value_eq(&copy, &r) && copy.fields != r.fields);
    assert_false(cedar_record_of(twice, 3, &r));
}

static void test_uid_text(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    static const char *const bad[] = {
        "",      "U",         "U::a",        "::\"a\"",   "U:\"a\"",  "in::\"a\"",
        "U::\"", "U::\"a\"b", "U::\"a\"b\"", "U::\"\\\"", "1::\"a\"", "U ::\"a\""};
    struct cedar_uid uid;
    struct err err;
    assert_true(cedar_uid_read(&a, S("A::U::\"a\\\"\\u{41}\""), &uid, &err));
    assert_true(str_eq(uid.type, S("A::U")) && str_eq(uid.id, S("a\"A")));
    assert_true(str_eq(cedar_name_base(uid.type), S("U")) &&
                str_eq(cedar_name_space(uid.type), S("A")));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (cedar_uid_read(&a, str_z(bad[i]), &uid, &err))
            fail_msg("%s was accepted", bad[i]);
    }
}

/* ---- entities ---- */

struct entity_row {
    const char *text, *want; /* NULL: accepted; else a piece of the error */
};

#define U(id, rest) "{\"uid\":{\"type\":\"U\",\"id\":\"" id "\"}," rest "}"
#define WITH(value) "[" U("a", "\"attrs\":{\"v\":" value "},\"parents\":[]") "]"
#define PARENT(id)  "\"attrs\":{},\"parents\":[{\"type\":\"U\",\"id\":\"" id "\"}]"
static const struct entity_row entity_rows[] = {
    {"[]", NULL},
    {"{}", "must be an array"},
    {"[1]", "must be an object"},
    {"[" U("a", "\"parents\":[]") "]", "`attrs` must be"},
    {"[" U("a", "\"attrs\":{}") "]", "`parents` must be"},
    {"[" U("a", "\"attrs\":{},\"parents\":[],\"other\":null") "]", NULL},
    {"[" U("a", "\"attrs\":{},\"parents\":[],\"tags\":null") "]", "`tags` must be"},
    {"[{\"uid\":\"U::\\\"a\\\"\",\"attrs\":{},\"parents\":[]}]", "an entity is written as"},
    {"[{\"uid\":{\"__entity\":{\"type\":\"U\",\"id\":\"a\"}},\"attrs\":{},\"parents\":[]}]", NULL},
    {"[{\"uid\":{\"type\":\"U U\",\"id\":\"a\"},\"attrs\":{},\"parents\":[]}]", "no entity type"},
    {"[{\"uid\":{\"type\":\"in\",\"id\":\"a\"},\"attrs\":{},\"parents\":[]}]", "no entity type"},
    {WITH("null"), "null is no Cedar value"},
    {WITH("1.0"), "no integer"},
    {WITH("1e2"), "no integer"},
    {WITH("-0"), "no integer"},
    {WITH("9223372036854775808"), "no integer"},
    {WITH("-9223372036854775808"), NULL},
    {WITH("{\"__expr\":\"1\"}"), "`__expr`"},
    {WITH("{\"__entity\":{\"type\":\"U\",\"id\":\"b\"}}"), NULL},
    {WITH("{\"__entity\":{\"type\":\"1\",\"id\":\"b\"}}"), "no entity type"},
    {WITH("{\"__entity\":{\"type\":\"1\"}}"), NULL},
    {WITH("{\"__extn\":{\"fn\":\"ip\",\"arg\":\"x\"}}"), "no IP address"},
    {WITH("{\"__extn\":{\"fn\":\"ip\",\"arg\":\"x\"},\"y\":1}"), NULL},
    {WITH("{\"__extn\":{\"fn\":\"pi\",\"arg\":\"x\"}}"), "no extension function"},
    {WITH("{\"__extn\":{\"fn\":\"ip\",\"arg\":1}}"), "expected string"},
    {WITH("{\"__extn\":{\"fn\":\"ip\",\"args\":[\"::1\"]}}"), NULL},
    {WITH("{\"__extn\":{\"fn\":\"ip\",\"args\":[\"::1\",\"::1\"]}}"), "wrong number"},
    {"[" U("a", "\"attrs\":{},\"parents\":[]") "," U("a", "\"attrs\":{},\"parents\":[]") "]", NULL},
    {"[" U("a", "\"attrs\":{},\"parents\":[]") "," U("a", PARENT("b")) "]", "different content"},
    {"[" U("a", "\"attrs\":{},\"parents\":[]") "," U("a", "\"attrs\":{\"x\":1},\"parents\":[]") "]",
     "different content"},
    {"[" U("a", PARENT("a")) "]", "its own parent"},
    {"[" U("a", PARENT("b")) "," U("b", PARENT("a")) "]", "its own ancestor"},
    {"[" U("a", PARENT("b")) "," U("b", PARENT("c")) "," U("c", PARENT("a")) "]",
     "its own ancestor"},
    {"[" U("a", PARENT("c")) "," U("b", PARENT("c")) "]", NULL},
    {"[{\"uid\":{\"type\":\"Action\",\"id\":\"x\"}," PARENT("a") "}]", "no action"},
};

static void test_entities_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof entity_rows / sizeof entity_rows[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct cedar_entities s;
        struct err err = {0};
        const json *v;
        assert_true(json_read(&a, str_z(entity_rows[i].text), NULL, &v, &err));
        cedar_entities_init(&s, &a, NULL, 3);
        bool ok = cedar_entities_from_json(&s, v, NULL, &err) && cedar_entities_seal(&s, &err);
        const char *want = entity_rows[i].want;
        if (ok != !want || (want && !strstr(err.text, want)))
            fail_msg("%s: %s", entity_rows[i].text, ok ? "accepted" : err.text);
    }
}

static void add(struct cedar_entities *s, str id, const struct cedar_uid *parents, size_t n)
{
    struct err err;
    struct cedar_entity e = {.uid = {S("N"), id}, .parents = parents, .parent_count = n};
    assert_true(cedar_entities_add(s, &e, &err));
}

/* A chain of 1,000 in unlucky order, and a second store standing on the first. */
static void test_closure(void **state)
{
    (void)state;
    enum { N = 1000 };
    ARENA_SCOPE struct arena a = {0};
    struct cedar_entities base, over;
    struct err err;
    struct cedar_uid *uids = ARENA_ARRAY(&a, struct cedar_uid, N);
    for (int i = 0; i < N; i++)
        uids[i] = (struct cedar_uid){S("N"), str_fmt(&a, "%d", i)};
    cedar_entities_init(&base, &a, NULL, 9);
    for (int i = 0; i + 1 < N; i++)
        add(&base, uids[i].id, &uids[i + 1], 1);
    assert_true(cedar_entities_seal(&base, &err));
    assert_true(cedar_entities_in(&base, &uids[0], &uids[N - 1]));
    assert_false(cedar_entities_in(&base, &uids[N - 2], &uids[0]));
    for (int i = 0; i + 1 < N; i++)
        assert_int_equal(cedar_entities_find(&base, &uids[i])->ancestor_count, N - 1 - i);
    cedar_entities_init(&over, &a, &base, 1);
    add(&over, S("top"), &uids[500], 1);
    assert_true(cedar_entities_seal(&over, &err));
    struct cedar_uid top = {S("N"), S("top")};
    assert_true(cedar_entities_in(&over, &top, &uids[N - 1]));
    assert_true(cedar_entities_in(&over, &uids[3], &uids[4]));
    assert_false(cedar_entities_in(&over, &top, &uids[499]));
    assert_null(cedar_entities_find(&base, &top));
    struct cedar_entity late = {.uid = {S("N"), S("late")}};
    assert_false(cedar_entities_add(&over, &late, &err));
}

/* ---- JSON written ---- */

#define EXTN(fn, arg) "{\"__extn\":{\"fn\":\"" fn "\",\"arg\":\"" arg "\"}}"

/* Each as it is written, which reads back as the same value. */
static const char *const json_values[] = {
    "true",
    "-9223372036854775808",
    "\"a\\\"\\n\"",
    "{\"__entity\":{\"type\":\"A::B\",\"id\":\"\\\"\"}}",
    "[1,2,[\"x\"],{}]",
    "{\"\":1,\"a b\":[]}",
    EXTN("decimal", "-0.5000"),
    EXTN("ip", "10.0.0.0/8"),
    EXTN("datetime", "1969-12-31T23:59:59.999Z"),
    EXTN("duration", "-9223372036854775808ms"),
    "{\"__extn\":{\"fn\":\"offset\",\"args\":[" EXTN(
        "datetime", "1970-01-01T00:00:00.000Z") "," EXTN("duration", "253402300800000ms") "]}}",
};

static void test_json_writing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof json_values / sizeof json_values[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct cedar_value v, again;
        struct buf b = {0};
        struct err err;
        const json *read;
        assert_true(json_read(&a, str_z(json_values[i]), NULL, &read, &err));
        assert_true(cedar_value_from_json(&a, read, &v, &err));
        if (!cedar_value_to_json(&b, &v, &err))
            fail_msg("%s: %s", json_values[i], err.text);
        if (!str_eq(buf_str(&b), str_z(json_values[i])))
            fail_msg("%s written as %.*s", json_values[i], STR(buf_str(&b)));
        assert_true(json_read(&a, buf_str(&b), NULL, &read, &err));
        assert_true(cedar_value_from_json(&a, read, &again, &err));
        assert_true(cedar_value_eq(&v, &again));
        buf_fini(&b);
    }
}

/* What would be read as an escape is not written, however deep it lies. */
static void test_json_not_written(void **state)
{
    static const str names[] = {{"__entity", 8}, {"__extn", 6}, {"__expr", 6}};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct cedar_field fields[] = {{names[i], cedar_bool(true)}, {S("x"), cedar_bool(true)}};
        struct cedar_value record, set;
        struct buf b = {0};
        struct err err;
        assert_true(cedar_record_of(fields, 2, &record));
        set = cedar_set_of(&record, 1);
        assert_false(cedar_value_to_json(&b, &set, &err));
        assert_non_null(strstr(err.text, names[i].p));
        buf_fini(&b);
    }
}

static void test_json_entities_written(void **state)
{
    static const char text[] =
        "[" U("a", "\"attrs\":{\"x\":[1]},\"parents\":[{\"type\":\"N\",\"id\":\"b\"}],"
                   "\"tags\":{\"__entity\":1}") "," U("b", "\"attrs\":{},\"parents\":[]") "]";
    ARENA_SCOPE struct arena a = {0};
    struct cedar_entities s;
    struct buf b = {0};
    struct err err = {0};
    const json *v;
    (void)state;
    assert_true(json_read(&a, str_z(text), NULL, &v, &err));
    cedar_entities_init(&s, &a, NULL, 3);
    if (!cedar_entities_from_json(&s, v, NULL, &err) || !cedar_entities_seal(&s, &err) ||
        !cedar_entities_to_json(&b, &s, &err))
        fail_msg("%s", err.text);
    str written = buf_str(&b);
    assert_true(json_read(&a, written, NULL, &v, &err));
    assert_int_equal(json_count(v), 2);
    assert_true(str_find(written, S("\"parents\":[{\"type\":\"N\",\"id\":\"b\"}]")) > 0);
    assert_true(str_find(written, S("\"tags\":{\"__entity\":1}")) > 0);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_calendar),
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_uid_text),
        cmocka_unit_test(test_entities_json),
        cmocka_unit_test(test_closure),
        cmocka_unit_test(test_json_writing),
        cmocka_unit_test(test_json_not_written),
        cmocka_unit_test(test_json_entities_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
