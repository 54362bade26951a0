#include "identity/workload_api.h"
#include "identity/grpc_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* The owner: says who the peer is, answers at once or when told, and keeps a record. */
struct owner {
    struct workload_conn *w;
    enum workload_peer who;
    bool later; /* answer when told */
    unsigned version;
    struct workload_call *last;
    size_t asks, pushes, gone;
    struct buf log;
};

static bool answer(struct owner *o, struct workload_call *c, enum workload_method m)
{
    struct err err;
    char text[20];
    snprintf(text, sizeof text, "v%u", o->version);
    str v = str_z(text);
    struct workload_x509_svid x509 = {S("spiffe://a/x"), v, v, v, (str){0}};
    struct workload_jwt_svid jwt = {S("spiffe://a/x"), v, (str){0}};
    struct workload_wit_svid wit = {S("spiffe://a/x"), v, v, (str){0}};
    struct proto_pair bundle = {S("spiffe://a"), v};
    union workload_answer a = {0};
    switch (m) {
    case WORKLOAD_FETCH_X509_SVID:
        a.x509.svids.at = &x509;
        a.x509.svids.n = o->version ? 1 : 0;
        break;
    case WORKLOAD_FETCH_X509_BUNDLES:
        a.x509_bundles.bundles = (struct proto_pairs){&bundle, 1};
        break;
    case WORKLOAD_FETCH_JWT_SVID:
        a.jwt.svids.at = &jwt;
        a.jwt.svids.n = 1;
        break;
    case WORKLOAD_VALIDATE_JWT_SVID:
        a.validated = (struct workload_validated){S("spiffe://a/x"), S("\x0a\x03\x0a\x01x")};
        break;
    case WORKLOAD_FETCH_WIT_SVID:
        a.wit.svids.at = &wit;
        a.wit.svids.n = 1;
        break;
    default:
        a.jwt_bundles.bundles = (struct proto_pairs){&bundle, 1};
    }
    return workload_answer(c, &a, &err);
}

static enum workload_peer who(void *owner)
{
    return ((struct owner *)owner)->who;
}

static void on_ask(void *owner, struct workload_call *c, enum workload_method m,
                   const union workload_ask *ask)
{
    struct owner *o = owner;
    o->asks++;
    o->pushes += !ask;
    o->last = c;
    workload_call_set_data(c, (void *)(uintptr_t)(m + 1));
    if (ask && m == WORKLOAD_FETCH_JWT_SVID)
        for (size_t i = 0; i < ask->jwt.audience.n; i++)
            buf_printf(&o->log, "%.*s ", STR(ask->jwt.audience.at[i]));
    if (!o->later)
        (void)!answer(o, c, m);
}

static void on_gone(void *owner, struct workload_call *c)
{
    struct owner *o = owner;
    struct err err;
    union workload_answer none = {0};
    o->gone++;
    if (o->last == c)
        o->last = NULL;
    assert_true(workload_call_data(c) != NULL);
    assert_true(workload_answer(c, &none, &err));
    workload_refuse(c, GRPC_INTERNAL, (str){0});
}

static const struct workload_ops ops = {who, on_ask, on_gone};

static void owner_open(struct owner *o, struct client *c, const struct workload_opts *opts)
{
    *o = (struct owner){.who = WORKLOAD_KNOWN, .version = 1};
    *c = (struct client){0};
    o->w = workload_new(opts, &ops, o, 0);
    put_preface(&c->in);
}

static void owner_close(struct owner *o, struct client *c)
{
    workload_free(o->w);
    assert_int_equal(o->asks - o->pushes, o->gone);
    buf_fini(&o->log);
    client_fini(c);
}

static str heard(struct owner *o, struct client *c, int64_t now)
{
    struct err err;
    buf_clear(&c->said);
    assert_true(workload_feed(o->w, buf_str(&c->in), now, &err));
    buf_clear(&c->in);
    for (int i = 0; i < 16; i++) {
        workload_pull(o->w, &c->out);
        client_read(c);
    }
    return buf_str(&c->said);
}

#define P     "/SpiffeWorkloadAPI/"
#define KEY   "workload.spiffe.io"
#define GOOD  "H1{:status=200,content-type=application/grpc,grpc-accept-encoding=identity,} D1["
#define ENDED "] H1{grpc-status=0,}! "
#define NO(code, text)                                                                             \
    "H1{:status=200,content-type=application/grpc,grpc-accept-encoding=identity,grpc-status=" code \
    ",grpc-message=" text ",}! "
#define NO_HEADER NO("3", "metadata workload.spiffe.io must be given once, as true")
#define NO_METHOD NO("12", "no such method here")
#define NOBODY    NO("7", "no identity issued")

static const struct {
    const char *path, *name, *value;
    str message;
    enum workload_peer who;
    bool wit;
    const char *said;
} requests[] = {
    {P "FetchX509SVID",
     KEY,
     "true",
     {"", 0},
     WORKLOAD_KNOWN,
     false,
     GOOD "\\00\\00\\00\\00\\1c\\0a\\1a\\0a\\0cspiffe://a/x\\12\\02v1\\1a\\02v1\"\\02v1] "},
    {P "FetchX509Bundles",
     KEY,
     "true",
     {"", 0},
     WORKLOAD_KNOWN,
     false,
     GOOD "\\00\\00\\00\\00\\12\\12\\10\\0a\\0aspiffe://a\\12\\02v1] "},
    {P "FetchJWTBundles",
     KEY,
     "true",
     {"", 0},
     WORKLOAD_KNOWN,
     false,
     GOOD "\\00\\00\\00\\00\\12\\0a\\10\\0a\\0aspiffe://a\\12\\02v1] "},
    {P "FetchJWTSVID",
     KEY,
     "true",
     {"\x0a\x01q", 3},
     WORKLOAD_KNOWN,
     false,
     GOOD "\\00\\00\\00\\00\\14\\0a\\12\\0a\\0cspiffe://a/x\\12\\02v1" ENDED},
    {P "ValidateJWTSVID",
     KEY,
     "true",
     {"\x0a\x01q\x12\x01t", 6},
     WORKLOAD_KNOWN,
     false,
     GOOD "\\00\\00\\00\\00\\15\\0a\\0cspiffe://a/x\\12\\05\\0a\\03\\0a\\01x" ENDED},
    {P "FetchWITSVID",
     KEY,
     "true",
     {"", 0},
     WORKLOAD_KNOWN,
     true,
     GOOD "\\00\\00\\00\\00\\18\\0a\\16\\0a\\0cspiffe://a/x\\12\\02v1\\1a\\02v1] "},
    {P "FetchWITBundles",
     KEY,
     "true",
     {"", 0},
     WORKLOAD_KNOWN,
     true,
     GOOD "\\00\\00\\00\\00\\12\\0a\\10\\0a\\0aspiffe://a\\12\\02v1] "},
    /* the header comes first, before it is said whether a method exists */
    {P "FetchX509SVID", "", "", {"", 0}, WORKLOAD_KNOWN, false, NO_HEADER},
    {P "FetchX509SVID", KEY, "True", {"", 0}, WORKLOAD_KNOWN, false, NO_HEADER},
    {P "FetchX509SVID", KEY, "TRUE", {"", 0}, WORKLOAD_KNOWN, false, NO_HEADER},
    {P "FetchX509SVID", KEY, "1", {"", 0}, WORKLOAD_KNOWN, false, NO_HEADER},
    {P "FetchX509SVID", KEY, "", {"", 0}, WORKLOAD_KNOWN, false, NO_HEADER},
    {P "FetchX509SVID", KEY, "true,true", {"", 0}, WORKLOAD_KNOWN, false, NO_HEADER},
    {P "FetchX509SVID", "workload-spiffe-io", "true", {"", 0}, WORKLOAD_KNOWN, false, NO_HEADER},
    {P "FetchX509SVID", "broker.spiffe.io", "true", {"", 0}, WORKLOAD_KNOWN, false, NO_HEADER},
    {P "FetchX509SVID",
     "workload.spiffe.io-bin",
     "true",
     {"", 0},
     WORKLOAD_KNOWN,
     false,
     NO_HEADER},
    {P "None", "", "", {"", 0}, WORKLOAD_NOBODY, false, NO_HEADER},
    {P "None", KEY, "true", {"", 0}, WORKLOAD_KNOWN, false, NO_METHOD},
    {P "", KEY, "true", {"", 0}, WORKLOAD_KNOWN, false, NO_METHOD},
    {"/", KEY, "true", {"", 0}, WORKLOAD_KNOWN, false, NO_METHOD},
    {"/grpc.health.v1.Health/Check", KEY, "true", {"", 0}, WORKLOAD_KNOWN, false, NO_METHOD},
    {P "FetchWITSVID", KEY, "true", {"", 0}, WORKLOAD_KNOWN, false, NO_METHOD},
    {P "FetchWITBundles", KEY, "true", {"", 0}, WORKLOAD_KNOWN, false, NO_METHOD},
    {P "FetchX509SVID", KEY, "true", {"", 0}, WORKLOAD_NOBODY, false, NOBODY},
    {P "FetchX509Bundles", KEY, "true", {"", 0}, WORKLOAD_NOBODY, false, NOBODY},
    {P "FetchJWTSVID", KEY, "true", {"\x0a\x01q", 3}, WORKLOAD_NOBODY, false, NOBODY},
    {P "FetchJWTBundles", KEY, "true", {"", 0}, WORKLOAD_NOBODY, false, NOBODY},
    {P "ValidateJWTSVID", KEY, "true", {"\x0a\x01q\x12\x01t", 6}, WORKLOAD_NOBODY, false, NOBODY},
    {P "FetchX509SVID",
     KEY,
     "true",
     {"", 0},
     WORKLOAD_NOT_READY,
     false,
     NO("14", "not ready yet, try again")},
    {P "FetchX509SVID",
     KEY,
     "true",
     {"\x0a", 1},
     WORKLOAD_KNOWN,
     false,
     NO("3", "request: field 1 of a protobuf message is cut off, a group, or too long")},
    {P "FetchJWTSVID",
     KEY,
     "true",
     {"", 0},
     WORKLOAD_KNOWN,
     false,
     NO("3", "audience must be given")},
    {P "FetchJWTSVID",
     KEY,
     "true",
     {"\x08\x01", 2},
     WORKLOAD_KNOWN,
     false,
     NO("3", "JWTSVIDRequest: field 1 has the wrong wire type")},
    {P "ValidateJWTSVID",
     KEY,
     "true",
     {"\x0a\x01q", 3},
     WORKLOAD_KNOWN,
     false,
     NO("3", "svid must not be empty")},
};

static void check_request(size_t i, size_t cut, str in)
{
    struct owner o;
    struct client c;
    struct err err;
    const struct workload_opts opts = {.wit = requests[i].wit};
    owner_open(&o, &c, &opts);
    o.who = requests[i].who;
    heard(&o, &c, 1);
    if (cut <= in.n) {
        assert_true(workload_feed(o.w, str_take(in, cut), 1, &err));
        assert_true(workload_feed(o.w, str_skip(in, cut), 1, &err));
    } else {
        for (size_t k = 0; k < in.n; k++)
            assert_true(workload_feed(o.w, str_of(in.p + k, 1), 1, &err));
    }
    str said = heard(&o, &c, 1);
    if (!str_eq(said, str_z(requests[i].said)))
        fail_msg("request %zu, cut at %zu: %.*s", i, cut, STR(said));
    owner_close(&o, &c);
}

static void test_requests(void **state)
{
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        struct buf in = {0};
        put_call(&in, 1, str_z(requests[i].path), str_z(requests[i].name), str_z(requests[i].value),
                 requests[i].message);
        for (size_t cut = 0; cut <= buf_len(&in) + 1; cut++)
            check_request(i, cut, buf_str(&in));
        buf_fini(&in);
    }
}

/* Given twice it is not "exactly true". */
static void test_header_twice(void **state)
{
    struct owner o;
    struct client c;
    struct buf block = {0};
    owner_open(&o, &c, NULL);
    put_usual(&block, S(P "FetchX509SVID"), S(KEY), S("true"));
    put_field(&block, S(KEY), S("true"));
    put_frame(&c.in, HEADERS, END_HEADERS, 1, buf_str(&block));
    put_message(&c.in, 1, END_STREAM, (str){0});
    assert_true(str_eq(heard(&o, &c, 1), S(NO_HEADER)));
    buf_fini(&block);
    owner_close(&o, &c);
}

static void ask_for(struct client *c, unsigned id, const char *method)
{
    char path[100];
    snprintf(path, sizeof path, P "%s", method);
    put_call(&c->in, id, str_z(path), S(KEY), S("true"),
             strcmp(method, "FetchJWTSVID") == 0 ? S("\x0a\x01q") : (str){0});
}

static void test_rotate(void **state)
{
    struct owner o;
    struct client c;
    struct err err;
    owner_open(&o, &c, NULL);
    ask_for(&c, 1, "FetchX509SVID");
    ask_for(&c, 3, "FetchJWTBundles");
    heard(&o, &c, 1);
    assert_int_equal(o.asks, 2);
    assert_true(workload_deadline(o.w) == INT64_MAX);
    o.version = 2;
    workload_rotate(o.w, 1u << WORKLOAD_FETCH_X509_SVID, 100, 50);
    workload_rotate(o.w, 1u << WORKLOAD_FETCH_X509_SVID, 120, 50); /* joins the first */
    workload_rotate(o.w, 1u << WORKLOAD_FETCH_JWT_SVID, 100, 0);   /* nobody streams that */
    assert_int_equal(workload_deadline(o.w), 150);
    assert_true(workload_tick(o.w, 149, &err));
    assert_int_equal(o.pushes, 0);
    assert_true(workload_tick(o.w, 150, &err));
    assert_int_equal(o.pushes, 1);
    str said = heard(&o, &c, 150);
    assert_true(str_starts(said, S("D1[")) && str_find(said, S("v2")) > 0);
    assert_true(str_find(said, S("D3")) < 0);
    assert_true(workload_deadline(o.w) == INT64_MAX);
    /* what the peer has lost the right to is taken back by PermissionDenied */
    o.version = 0;
    workload_rotate(o.w, 1u << WORKLOAD_FETCH_X509_SVID, 200, 0);
    assert_true(workload_tick(o.w, 200, &err));
    assert_true(
        str_eq(heard(&o, &c, 200), S("H1{grpc-status=7,grpc-message=no identity issued,}! ")));
    assert_int_equal(workload_streams(o.w), 1);
    /* and who the peer is is asked again before a push */
    o.who = WORKLOAD_NOBODY;
    workload_rotate(o.w, ~0u, 300, 0);
    assert_true(workload_tick(o.w, 300, &err));
    assert_int_equal(o.pushes, 2);
    assert_true(str_starts(heard(&o, &c, 300), S("H3{grpc-status=7,")));
    owner_close(&o, &c);
}

/* A rotation while the answer is still awaited: one push after it. */
static void test_rotate_while_asking(void **state)
{
    struct owner o;
    struct client c;
    struct err err;
    owner_open(&o, &c, NULL);
    o.later = true;
    ask_for(&c, 1, "FetchX509SVID");
    heard(&o, &c, 1);
    workload_rotate(o.w, ~0u, 2, 0);
    assert_true(workload_tick(o.w, 10, &err));
    assert_int_equal(o.asks, 1);
    assert_true(answer(&o, o.last, WORKLOAD_FETCH_X509_SVID));
    assert_int_equal(workload_deadline(o.w), 2);
    assert_true(workload_tick(o.w, 11, &err));
    assert_int_equal(o.pushes, 1);
    owner_close(&o, &c);
}

static void test_late_answers(void **state)
{
    struct owner o;
    struct client c;
    struct err err;
    owner_open(&o, &c, NULL);
    o.later = true;
    ask_for(&c, 1, "FetchJWTSVID");
    heard(&o, &c, 5);
    assert_true(str_eq(buf_str(&o.log), S("q ")));
    assert_int_equal(workload_deadline(o.w), 5 + WORKLOAD_ANSWER_WAIT_MS);
    assert_true(answer(&o, o.last, WORKLOAD_FETCH_JWT_SVID));
    assert_true(answer(&o, o.last, WORKLOAD_FETCH_JWT_SVID)); /* ignored */
    assert_true(str_ends(heard(&o, &c, 6), S(ENDED)));
    /* no answer */
    ask_for(&c, 3, "FetchJWTSVID");
    heard(&o, &c, 10);
    assert_true(workload_tick(o.w, 10 + WORKLOAD_ANSWER_WAIT_MS, &err));
    assert_true(str_find(heard(&o, &c, 20000), S("grpc-status=14,")) > 0);
    /* refused by the owner: a token that is not valid */
    ask_for(&c, 5, "FetchJWTSVID");
    heard(&o, &c, 20001);
    workload_refuse(o.last, GRPC_INVALID_ARGUMENT, S("the token has expired"));
    assert_true(
        str_find(heard(&o, &c, 20002), S("grpc-status=3,grpc-message=the token has expired")) > 0);
    /* the client gives up while the keeper signs */
    ask_for(&c, 7, "FetchJWTSVID");
    heard(&o, &c, 20003);
    put_frame(&c.in, RST, 0, 7, S("\0\0\0\x08"));
    heard(&o, &c, 20004);
    assert_null(o.last);
    owner_close(&o, &c);
}

static void test_bad_answers(void **state)
{
    struct owner o;
    struct client c;
    struct err err;
    const struct workload_x509_svid two[] = {
        {S("spiffe://a/x"), S("c"), S("k"), S("b"), S("h")},
        {S("spiffe://a/y"), S("c"), S("k"), S("b"), S("h")},
    };
    const struct workload_x509_svid no_key = {S("spiffe://a/x"), S("c"), (str){0}, S("b"),
                                              (str){0}};
    static char big[GRPC_STREAM_OUT_BYTES_MAX];
    const struct workload_x509_svid huge = {S("spiffe://a/x"), str_of(big, sizeof big), S("k"),
                                            S("b"), (str){0}};
    const union workload_answer answers[] = {{.x509 = {.svids = {two, 2}}},
                                             {.x509 = {.svids = {&no_key, 1}}},
                                             {.x509 = {.svids = {&huge, 1}}}};
    owner_open(&o, &c, NULL);
    o.later = true;
    for (unsigned i = 0; i < 3; i++) {
        ask_for(&c, 1 + 2 * i, "FetchX509SVID");
        heard(&o, &c, 1);
        assert_false(workload_answer(o.last, &answers[i], &err));
        str said = heard(&o, &c, 1);
        assert_true(str_find(said, S("grpc-status=13,")) > 0);
        assert_true(str_find(said, S("D")) < 0);
    }
    owner_close(&o, &c);
}

/* The process dies (pidfd): streams end, an answer under way too, and nobody who inherited the
 * socket gets anything more, whatever the owner thinks. */
static void test_identity_ends(void **state)
{
    struct owner o;
    struct client c;
    struct err err;
    owner_open(&o, &c, NULL);
    ask_for(&c, 1, "FetchX509SVID");
    heard(&o, &c, 1);
    o.later = true;
    ask_for(&c, 3, "FetchJWTSVID");
    heard(&o, &c, 1);
    o.later = false;
    ask_for(&c, 5, "FetchX509SVID"); /* answered, and not pulled */
    assert_true(workload_feed(o.w, buf_str(&c.in), 1, &err));
    buf_clear(&c.in);
    workload_rotate(o.w, ~0u, 1, 0);
    workload_end(o.w);
    assert_true(workload_tick(o.w, 2, &err));
    str said = heard(&o, &c, 2);
    assert_true(str_find(said, S("D5")) < 0);
    assert_true(str_find(said, S("H1{grpc-status=7,grpc-message=the identity has ended,}!")) >= 0);
    assert_true(str_find(said, S("H3{")) >= 0);
    assert_int_equal(workload_streams(o.w), 0);
    assert_int_equal(o.gone, 3);
    assert_true(str_find(said, S("G:0")) > 0);
    assert_true(workload_is_done(o.w));
    ask_for(&c, 7, "FetchX509SVID");
    assert_false(workload_feed(o.w, buf_str(&c.in), 3, &err));
    buf_clear(&c.in);
    buf_clear(&c.said);
    workload_pull(o.w, &c.out);
    assert_int_equal(buf_len(&c.out), 0);
    assert_int_equal(o.asks, 3);
    workload_end(o.w);
    owner_close(&o, &c);
}

static void test_slow_reader(void **state)
{
    struct owner o;
    struct client c;
    struct err err;
    static char big[300000];
    const struct workload_x509_svid svid = {S("spiffe://a/x"), str_of(big, sizeof big), S("k"),
                                            S("b"), (str){0}};
    const union workload_answer a = {.x509 = {.svids = {&svid, 1}}};
    owner_open(&o, &c, NULL);
    o.later = true;
    ask_for(&c, 1, "FetchX509SVID");
    heard(&o, &c, 1);
    unsigned sent = 0;
    for (; sent < 10 && workload_answer(o.last, &a, &err); sent++) {
        workload_rotate(o.w, ~0u, 2, 0);
        assert_true(workload_tick(o.w, 2, &err));
    }
    assert_int_equal(sent, 3);
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_true(str_find(heard(&o, &c, 2), S("R1:11")) >= 0);
    owner_close(&o, &c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),      cmocka_unit_test(test_header_twice),
        cmocka_unit_test(test_rotate),        cmocka_unit_test(test_rotate_while_asking),
        cmocka_unit_test(test_late_answers),  cmocka_unit_test(test_bad_answers),
        cmocka_unit_test(test_identity_ends), cmocka_unit_test(test_slow_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
