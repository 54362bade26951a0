#include "base/arena.h"
#include "crypto/merkle.h"
#include "ledger/export.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define INTENT                                                                                     \
    "{\"agent\":\"a\",\"approval\":\"h1\",\"approver\":\"bert\",\"binding\":\"desk\",\"call\":"    \
    "\"c1\","                                                                                      \
    "\"decision\":\"allow\",\"effect\":\"write\",\"owner\":\"anna\",\"policies\":[\"p\"],"         \
    "\"policy\":\"d\",\"policy_version\":3,\"task\":\"t1\","                                       \
    "\"time\":\"2026-11-23T10:00:00.250Z\",\"tool\":\"refund\",\"type\":\"intent\",\"v\":1}"

struct leaf {
    struct hash hash;
    struct store_leaf_row row;
};

static const struct store_leaf_row *leaf_of(struct leaf *l, str body)
{
    l->hash = merkle_leaf(body);
    l->row = (struct store_leaf_row){.index = 7, .hash = hash_str(&l->hash), .body = body};
    return &l->row;
}

static void expect(export_fn *write, str body, const char *want)
{
    ARENA_SCOPE struct arena a = {0};
    struct buf out = {0};
    struct leaf l;
    struct err err;
    if (!write(&out, &a, leaf_of(&l, body), &err))
        fail_msg("%s", err.text);
    buf_putc(&out, 0);
    assert_string_equal(buf_str(&out).p, want);
    buf_fini(&out);
}

static void test_jsonl(void **state)
{
    (void)state;
    expect(
        export_jsonl, S("{}"),
        "{\"index\":7,\"hash\":\"KKOhj2zWQGsIbp_9ofm4oT289EsPPzLLkDGhH9BTrPk\",\"record\":{}}\n");
}

static void test_ocsf(void **state)
{
    (void)state;
    expect(export_ocsf, S(INTENT),
           "{\"class_uid\":6003,\"category_uid\":6,\"activity_id\":3,\"type_uid"
           "\":600303,\"time\":1795428000250,\"severity_id\":1,\"status_id\":1,"
           "\"action_id\":1,\"disposition_id\":8,\"metadata\":{\"version\":\"1.9."
           "0\",\"product\":{\"name\":\"Ambit\",\"version\":\"" AMBIT_VERSION
           "\"},\"profiles\":[\"ai_operation\",\"record_integrity\",\"security_c"
           "ontrol\"],\"uid\":\"7\",\"sequence\":7,\"log_name\":\"ledger\",\"event_c"
           "ode\":\"intent\",\"original_time\":\"2026-11-23T10:00:00.250Z\",\"co"
           "rrelation_uid\":\"c1\"},\"actor\":{\"user\":{\"uid\":\"anna\"},\"app_nam"
           "e\":\"Ambit\"},\"ai_agent\":{\"uid\":\"a\"},\"api\":{\"operation\":\"refun"
           "d\",\"service\":{\"name\":\"desk\"}},\"src_endpoint\":{\"name\":\"a\"},\"p"
           "olicy\":{\"uid\":\"d\",\"version\":\"3\"},\"attestation_list\":[{\"uid\":"
           "\"7\",\"fingerprint\":{\"algorithm_id\":3,\"algorithm\":\"SHA-256\",\"v"
           "alue\":\"ebaae5d52fada8fadb3fb9eec5865ecbf76620eb2897ec5862111"
           "8fc04d665ac\"}}],\"unmapped\":{\"approval\":\"h1\",\"approver\":\"bert"
           "\",\"call\":\"c1\",\"effect\":\"write\",\"task\":\"t1\",\"policies\":[\"p\"]}"
           ",\"raw_data\":\"{\\\"agent\\\":\\\"a\\\",\\\"approval\\\":\\\"h1\\\",\\\"approver"
           "\\\":\\\"bert\\\",\\\"binding\\\":\\\"desk\\\",\\\"call\\\":\\\"c1\\\",\\\"decision\\"
           "\":\\\"allow\\\",\\\"effect\\\":\\\"write\\\",\\\"owner\\\":\\\"anna\\\",\\\"polici"
           "es\\\":[\\\"p\\\"],\\\"policy\\\":\\\"d\\\",\\\"policy_version\\\":3,\\\"task\\\":"
           "\\\"t1\\\",\\\"time\\\":\\\"2026-11-23T10:00:00.250Z\\\",\\\"tool\\\":\\\"refu"
           "nd\\\",\\\"type\\\":\\\"intent\\\",\\\"v\\\":1}\"}"
           "\n");
}

/* What no table knows is an event all the same, with everything in raw_data. */
static void test_unknown_type(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{}", "{\"type\":\"new\"}", "{\"type\":7,\"time\":7,\"reason\":[],\"latency_us\":\"x\"}",
        "{\"type\":\"task_change\",\"state\":\"odd\"}", "{\"type\":\"pin_change\"}"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct buf out = {0};
        struct leaf l;
        struct err err;
        const json *event;
        int64_t class;
        assert_true(export_ocsf(&out, &a, leaf_of(&l, str_z(bodies[i])), &err));
        assert_true(json_read(&a, str_take(buf_str(&out), buf_len(&out) - 1), NULL, &event, &err));
        assert_true(json_i64(json_get(event, S("class_uid")), &class));
        assert_int_equal(class, 0);
        assert_true(str_eq(json_get_str(event, S("raw_data")), str_z(bodies[i])));
        buf_fini(&out);
    }
}

static void test_bad_leaves(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "", "{", "[]", "7", "{}\n", "{\n}", "{}{}", "{\"a\":1,\"a\":2}", "{\"a\":\"\xff\"}"};
    export_fn *const forms[] = {export_jsonl, export_ocsf};
    for (size_t f = 0; f < 2; f++) {
        ARENA_SCOPE struct arena a = {0};
        struct buf out = {0};
        struct leaf l;
        struct err err;
        for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
            assert_false(forms[f](&out, &a, leaf_of(&l, str_z(bodies[i])), &err));
        leaf_of(&l, S("{}"));
        l.hash.b[31] ^= 1;
        assert_false(forms[f](&out, &a, &l.row, &err));
        l.row.hash = str_take(l.row.hash, 31);
        assert_false(forms[f](&out, &a, &l.row, &err));
        assert_int_equal(buf_len(&out), 0);
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jsonl),
        cmocka_unit_test(test_ocsf),
        cmocka_unit_test(test_unknown_type),
        cmocka_unit_test(test_bad_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
