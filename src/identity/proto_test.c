#include "identity/workload_msg.h"
#include "base/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define B(lit)                                                                                     \
    {                                                                                              \
        lit, sizeof(lit) - 1                                                                       \
    }

/* Fields as number:value in words. */
static bool words(str in, struct buf *said)
{
    struct proto_field f;
    struct err err;
    enum proto_step step;
    while ((step = proto_next(&in, &f, &err)) == PROTO_FIELD)
        if (f.wire == PROTO_LEN)
            buf_printf(said, "%u:\"%.*s\" ", f.number, STR(f.bytes));
        else
            buf_printf(said, "%u:%llu ", f.number, (unsigned long long)f.value);
    return step == PROTO_END;
}

static const struct {
    str in;
    const char *want; /* NULL: refused */
} fields[] = {
    {B(""), ""},
    {B("\x08\x01"), "1:1 "},
    {B("\x08\x96\x01"), "1:150 "},
    {B("\x08\x80\x80\x00"), "1:0 "}, /* longer than it needs to be, which the format allows */
    {B("\x12\x03"
       "abc"),
     "2:\"abc\" "},
    {B("\x12\x00"), "2:\"\" "},
    {B("\x0d\x01\x02\x03\x04"), "1:67305985 "},
    {B("\x09\x01\x00\x00\x00\x00\x00\x00\x80"), "1:9223372036854775809 "},
    {B("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "1:18446744073709551615 "},
    {B("\xf8\xff\xff\xff\x0f\x01"), "536870911:1 "},
    {B("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), NULL}, /* 65 bits */
    {B("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), NULL},
    {B("\x08"), NULL},
    {B("\x08\x80"), NULL},
    {B("\x80"), NULL},
    {B("\x00\x01"), NULL},                 /* number 0 */
    {B("\x80\x80\x80\x80\x10\x01"), NULL}, /* number 2^29 */
    {B("\x0b\x0c"), NULL},                 /* a group */
    {B("\x0c"), NULL},                     /* its end */
    {B("\x0e\x00"), NULL},
    {B("\x0f\x00"), NULL}, /* no such wire type */
    {B("\x12\x04"
       "abc"),
     NULL},
    {B("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
       "abc"),
     NULL},
    {B("\x0d\x01\x02\x03"), NULL},
    {B("\x09\x01\x02\x03\x04\x05\x06\x07"), NULL},
};

static void test_fields(void **state)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct buf said = {0};
        bool ok = words(fields[i].in, &said);
        if (ok != (fields[i].want != NULL) ||
            (ok && !str_eq(buf_str(&said), str_z(fields[i].want))))
            fail_msg("case %zu: %d \"%.*s\"", i, ok, STR(buf_str(&said)));
        buf_fini(&said);
    }
}

/* A nested message of every length around the steps of its length's own length. */
static void test_open_close(void **state)
{
    static char zeros[20000];
    for (size_t n = 0; n < sizeof zeros; n = n < 300 ? n + 1 : n * 2 - 100) {
        struct buf b = {0}, want = {0};
        struct err err;
        struct proto_field outer, inner;
        proto_put_varint(&b, 9, 1);
        size_t mark = proto_open(&b, 3);
        proto_put_bytes(&b, 1, str_of(zeros, n));
        proto_close(&b, mark);
        proto_put_varint(&b, 9, 2);
        str in = buf_str(&b);
        assert_int_equal(proto_next(&in, &outer, &err), PROTO_FIELD);
        assert_int_equal(proto_next(&in, &outer, &err), PROTO_FIELD);
        str body = outer.bytes;
        assert_int_equal(proto_next(&body, &inner, &err), PROTO_FIELD);
        assert_int_equal(inner.bytes.n, n);
        assert_int_equal(body.n, 0);
        assert_int_equal(proto_next(&in, &outer, &err), PROTO_FIELD);
        assert_int_equal(outer.value, 2);
        assert_int_equal(proto_next(&in, &outer, &err), PROTO_END);
        buf_fini(&b);
        buf_fini(&want);
    }
}

/* Against bytes written by hand. */
static void test_x509(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    const struct workload_x509_svid svids[] = {
        {S("spiffe://a/x"), S("LEAF"), S("KEY"), S("CA"), S("in")},
        {S("spiffe://a/y"), S("L2"), S("K2"), S("C2"), (str){0}},
    };
    const str crl[] = {S("crl1"), S("")};
    const struct proto_pair federated[] = {{S("spiffe://b"), S("CB")}, {S("spiffe://c"), S("")}};
    const union workload_answer m = {.x509 = {{svids, 2}, {crl, 2}, {federated, 2}}};
    const char want[] = "\x0a\x21\x0a\x0cspiffe://a/x\x12\x04LEAF\x1a\x03KEY\x22\x02"
                        "CA\x2a\x02in"
                        "\x0a\x1a\x0a\x0cspiffe://a/y\x12\x02L2\x1a\x02K2\x22\x02"
                        "C2"
                        "\x12\x04"
                        "crl1\x12\x00"
                        "\x1a\x10\x0a\x0aspiffe://b\x12\x02"
                        "CB\x1a\x0e\x0a\x0aspiffe://c\x12\x00";
    const struct proto_table *t = workload_methods[WORKLOAD_FETCH_X509_SVID].answer;
    struct buf b = {.wipe = true};
    assert_true(proto_encode(t, &m, &b, &err));
    assert_int_equal(buf_len(&b), sizeof want - 1);
    assert_memory_equal(buf_str(&b).p, want, sizeof want - 1);
    union workload_answer back;
    assert_true(proto_decode(&a, t, buf_str(&b), &back, &err));
    assert_int_equal(back.x509.svids.n, 2);
    assert_true(str_eq(back.x509.svids.at[0].hint, S("in")));
    assert_true(str_eq(back.x509.svids.at[1].key, S("K2")));
    assert_int_equal(back.x509.crl.n, 2);
    assert_true(str_eq(back.x509.federated.at[1].key, S("spiffe://c")));
    /* Cut anywhere it is refused or is a shorter message, and nothing is read past the end. */
    for (size_t n = 0; n < buf_len(&b); n++) {
        char *exact = malloc(n + 1);
        assert_non_null(exact);
        memcpy(exact, buf_str(&b).p, n);
        if (proto_decode(&a, t, str_of(exact, n), &back, &err))
            assert_true(back.x509.svids.n <= 2);
        free(exact);
    }
    struct buf small = {.max = 60};
    buf_put(&small, S("kept"));
    assert_false(proto_encode(t, &m, &small, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_int_equal(buf_len(&small), 4);
    buf_fini(&small);
    buf_wipe(&b);
}

static const struct {
    enum workload_method method;
    bool ask;
    str in;
    const char *want; /* the error; NULL: none */
} decodes[] = {
    {WORKLOAD_FETCH_X509_SVID, true, B(""), NULL},
    {WORKLOAD_FETCH_X509_SVID, true, B("\x0a\x01x\x10\x05"), NULL}, /* unknown fields */
    {WORKLOAD_FETCH_X509_SVID, true, B("\x0a\x02x"), "cut off"},
    {WORKLOAD_FETCH_JWT_SVID, true, B("\x0a\x01x"), NULL},
    {WORKLOAD_FETCH_JWT_SVID, true, B("\x0a\x01x\x0a\x01y\x12\x0aspiffe://a"), NULL},
    {WORKLOAD_FETCH_JWT_SVID, true, B("\x12\x01x\x0a\x01y\x12\x0aspiffe://a"), NULL}, /* the last */
    {WORKLOAD_FETCH_JWT_SVID, true, B(""), "audience must be given"},
    {WORKLOAD_FETCH_JWT_SVID, true, B("\x0a\x00"), "audience must not be empty"},
    {WORKLOAD_FETCH_JWT_SVID, true, B("\x0a\x01x\x12\x09https://a"), "must begin with spiffe"},
    {WORKLOAD_FETCH_JWT_SVID, true, B("\x08\x01"), "wrong wire type"},
    {WORKLOAD_FETCH_JWT_SVID, true, B("\x0a\x01\xff"), "not UTF-8"},
    {WORKLOAD_FETCH_JWT_SVID, true, B("\x0a\x01x\x12\x01\xc0"), "not UTF-8"},
    {WORKLOAD_VALIDATE_JWT_SVID, true, B("\x0a\x01x\x12\x01y"), NULL},
    {WORKLOAD_VALIDATE_JWT_SVID, true, B("\x0a\x01x"), "svid must not be empty"},
    {WORKLOAD_VALIDATE_JWT_SVID, true, B("\x12\x01x"), "audience must not be empty"},
    {WORKLOAD_FETCH_WIT_SVID, true, B(""), NULL},
    {WORKLOAD_FETCH_WIT_SVID, true, B("\x0a\x01x"), "must begin with spiffe"},
    {WORKLOAD_FETCH_X509_SVID, false, B(""), "no identity"},
    {WORKLOAD_FETCH_X509_SVID, false, B("\x0a\x03\x0a\x01x"), "field 2 is empty"},
    {WORKLOAD_FETCH_X509_BUNDLES, false, B("\x12\x06\x0a\x01x\x12\x01\xff"), NULL},
    {WORKLOAD_FETCH_X509_BUNDLES, false, B("\x12\x00"), NULL}, /* empty key and value */
    {WORKLOAD_FETCH_X509_BUNDLES, false, B("\x12\x00\x12\x00"), "key twice"},
    {WORKLOAD_FETCH_X509_BUNDLES, false, B("\x12\x02\x08\x01"), "wrong wire type"},
    {WORKLOAD_FETCH_X509_BUNDLES, false, B("\x0a\x01x"), "no bundle"},
    {WORKLOAD_FETCH_JWT_SVID, false, B("\x0a\x06\x0a\x01x\x12\x01y"), NULL},
    {WORKLOAD_FETCH_JWT_SVID, false,
     B("\x0a\x09\x0a\x01x\x12\x01y\x1a\x01h\x0a\x06\x0a\x01x\x12\x01y"), NULL},
    {WORKLOAD_FETCH_JWT_SVID, false,
     B("\x0a\x09\x0a\x01x\x12\x01y\x1a\x01h\x0a\x09\x0a\x01z\x12\x01y\x1a\x01h"), "same hint"},
    {WORKLOAD_FETCH_JWT_BUNDLES, false, B("\x0a\x06\x0a\x01x\x12\x01\xff"), NULL},
    {WORKLOAD_FETCH_WIT_BUNDLES, false, B("\x0a\x06\x0a\x01x\x12\x01\xff"), "not UTF-8"},
    {WORKLOAD_FETCH_WIT_BUNDLES, false, B("\x0a\x06\x0a\x01x\x12\x01y"), NULL},
    {WORKLOAD_FETCH_WIT_SVID, false, B("\x0a\x09\x0a\x01x\x12\x01y\x1a\x01z"), NULL},
    {WORKLOAD_FETCH_WIT_SVID, false, B("\x0a\x06\x0a\x01x\x12\x01y"), "field 3 is empty"},
    {WORKLOAD_VALIDATE_JWT_SVID, false, B("\x0a\x01x\x12\x01y"), NULL},
    {WORKLOAD_VALIDATE_JWT_SVID, false, B("\x0a\x01x"), "a field is empty"},
};

static void test_decodes(void **state)
{
    for (size_t i = 0; i < sizeof decodes / sizeof decodes[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct err err = {0};
        union workload_ask ask = {0};
        union workload_answer answer = {0};
        enum workload_method m = decodes[i].method;
        const struct workload_method_info *info = &workload_methods[m];
        bool ok = decodes[i].ask ? proto_decode(&a, info->ask, decodes[i].in, &ask, &err) &&
                                       workload_check_ask(m, &ask, &err)
                                 : proto_decode(&a, info->answer, decodes[i].in, &answer, &err) &&
                                       workload_check_answer(m, &answer, &err);
        if (ok != !decodes[i].want || (!ok && !strstr(err.text, decodes[i].want)))
            fail_msg("case %zu: %s", i, ok ? "accepted" : err.text);
    }
}

static void test_limits(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    union workload_ask ask;
    struct buf b = {0};
    char long_text[WORKLOAD_ID_BYTES_MAX + 1];
    const struct proto_table *t = workload_methods[WORKLOAD_FETCH_JWT_SVID].ask;
    for (size_t i = 0; i < PROTO_ELEMENTS_MAX; i++)
        proto_put_bytes(&b, 1, S("a"));
    assert_true(proto_decode(&a, t, buf_str(&b), &ask, &err));
    assert_false(workload_check_ask(WORKLOAD_FETCH_JWT_SVID, &ask, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    proto_put_bytes(&b, 1, S("a"));
    assert_false(proto_decode(&a, t, buf_str(&b), &ask, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    buf_clear(&b);
    for (size_t i = 0; i < PROTO_FIELDS_MAX; i++)
        proto_put_varint(&b, 7, 1);
    assert_true(proto_decode(&a, t, buf_str(&b), &ask, &err));
    proto_put_varint(&b, 7, 1);
    assert_false(proto_decode(&a, t, buf_str(&b), &ask, &err));
    buf_fini(&b);
    memset(long_text, 'a', sizeof long_text);
    memcpy(long_text, "spiffe://", 9);
    str audience = str_of(long_text, WORKLOAD_AUDIENCE_BYTES_MAX);
    ask.jwt = (struct workload_jwt_ask){{&audience, 1}, str_of(long_text, WORKLOAD_ID_BYTES_MAX)};
    assert_true(workload_check_ask(WORKLOAD_FETCH_JWT_SVID, &ask, &err));
    ask.jwt.spiffe_id.n++;
    assert_false(workload_check_ask(WORKLOAD_FETCH_JWT_SVID, &ask, &err));
    ask.jwt.spiffe_id.n--;
    audience.n++;
    assert_false(workload_check_ask(WORKLOAD_FETCH_JWT_SVID, &ask, &err));
}

static void test_methods(void **state)
{
    enum workload_method m;
    assert_true(workload_method_find(S("/SpiffeWorkloadAPI/FetchX509SVID"), &m));
    assert_int_equal(m, WORKLOAD_FETCH_X509_SVID);
    assert_false(workload_method_find(S("/SpiffeWorkloadAPI/fetchX509SVID"), &m));
    assert_false(workload_method_find(S("/SpiffeWorkloadAPI/FetchX509SVID/"), &m));
    assert_false(
        workload_method_find(S("/spiffe.workloadapi.SpiffeWorkloadAPI/FetchX509SVID"), &m));
    assert_false(workload_method_find(S(""), &m));
}

/* JSON to Struct and back. */
static const struct {
    const char *in, *want; /* NULL: refused on the way in */
} structs[] = {
    {"{}", "{}"},
    {"{\"sub\":\"spiffe://a/b\",\"aud\":[\"x\",\"y\"],\"exp\":1790000000}",
     "{\"sub\":\"spiffe://a/b\",\"aud\":[\"x\",\"y\"],\"exp\":1790000000}"},
    {"{\"a\":null,\"b\":true,\"c\":false,\"d\":\"\",\"e\":[],\"f\":{},\"g\":0}",
     "{\"a\":null,\"b\":true,\"c\":false,\"d\":\"\",\"e\":[],\"f\":{},\"g\":0}"},
    {"{\"a\":[[[{\"b\":[1,[2]]}]]]}", "{\"a\":[[[{\"b\":[1,[2]]}]]]}"},
    {"{\"a\":-1.5,\"b\":1e3,\"c\":0.1}", "{\"a\":-1.5,\"b\":1000,\"c\":0.10000000000000001}"},
    {"{\"a\":9007199254740993}", "{\"a\":9007199254740992}"},
    {"{\"\":\"\\u0000\"}", "{\"\":\"\\u0000\"}"},
    {"{\"a\":1e400}", NULL},
    {"{\"a\":-1e400}", NULL},
    {"[]", NULL},
    {"1", NULL},
    {"{\"a\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}", "{\"a\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}"},
    {"{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", NULL},
};

static void test_structs(void **state)
{
    for (size_t i = 0; i < sizeof structs / sizeof structs[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct err err;
        const json *v;
        struct buf b = {0}, text = {0};
        assert_true(json_read(&a, str_z(structs[i].in), NULL, &v, &err));
        buf_put(&b, S("x"));
        bool ok = proto_put_struct(&b, v, &err);
        assert_int_equal(ok, structs[i].want != NULL);
        if (!ok)
            assert_int_equal(buf_len(&b), 1);
        else if (!proto_read_struct(str_skip(buf_str(&b), 1), &text, &err) ||
                 !str_eq(buf_str(&text), str_z(structs[i].want)))
            fail_msg("case %zu: %.*s", i, STR(buf_str(&text)));
        buf_fini(&b);
        buf_fini(&text);
    }
}

static const struct {
    str in;
    const char *want; /* NULL: refused */
} struct_bytes[] = {
    {B(""), "{}"},
    {B("\x0a\x09\x0a\x01"
       "a\x12\x04\x1a\x02hi"),
     "{\"a\":\"hi\"}"},
    {B("\x0a\x05\x0a\x01"
       "a\x12\x00"),
     "{\"a\":null}"}, /* a Value that says nothing */
    {B("\x0a\x09\x0a\x01"
       "a\x12\x04\x20\x01\x08\x00"),
     "{\"a\":null}"}, /* of a oneof the last */
    {B("\x0a\x07\x0a\x01"
       "a\x12\x02\x20\x02"),
     "{\"a\":true}"},
    {B("\x0a\x07\x0a\x01"
       "a\x12\x02\x18\x01"),
     NULL}, /* a string as a varint */
    {B("\x0a\x03\x0a\x01"
       "a\x0a\x03\x0a\x01"
       "a"),
     NULL}, /* a name twice */
    {B("\x0a\x0e\x0a\x01"
       "a\x12\x09\x11\x00\x00\x00\x00\x00\x00\xf0\x7f"),
     NULL}, /* infinite */
    {B("\x0a\x08\x0a\x01"
       "a\x12\x03\x1a\x01\xff"),
     NULL},
};

static void test_struct_bytes(void **state)
{
    for (size_t i = 0; i < sizeof struct_bytes / sizeof struct_bytes[0]; i++) {
        struct err err;
        struct buf text = {0};
        bool ok = proto_read_struct(struct_bytes[i].in, &text, &err);
        if (ok != (struct_bytes[i].want != NULL) ||
            (ok && !str_eq(buf_str(&text), str_z(struct_bytes[i].want))))
            fail_msg("case %zu: %d %.*s", i, ok, STR(buf_str(&text)));
        buf_fini(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),  cmocka_unit_test(test_open_close),
        cmocka_unit_test(test_x509),    cmocka_unit_test(test_decodes),
        cmocka_unit_test(test_limits),  cmocka_unit_test(test_methods),
        cmocka_unit_test(test_structs), cmocka_unit_test(test_struct_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
