#include "people/authenticator_test.h"

static const struct relying_party RP = {{"ambit.example", 13}, {"https://ambit.example", 21}};
static const struct saying CREATE = {
    {"webauthn.create", 15}, {"https://ambit.example", 21}, {"", 0}, {"ambit.example", 13}};
static const struct saying GET = {
    {"webauthn.get", 12}, {"https://ambit.example", 21}, {"", 0}, {"ambit.example", 13}};
#define CHALLENGE S("0123456789abcdef0123456789abcdef")

static const struct {
    const char *what, *text;
    bool ok;
} CLIENT_DATA[] = {
    {"plain",
     "{\"type\":\"webauthn.get\",\"challenge\":\"YWJj\",\"origin\":\"https://ambit.example\"}",
     true},
    {"unknown members",
     "{\"type\":\"webauthn.get\",\"challenge\":\"YWJj\",\"origin\":\"https://"
     "ambit.example\",\"other_keys_can_be_added_here\":\"x\",\"crossOrigin\":false}",
     true},
    {"other type",
     "{\"type\":\"webauthn.create\",\"challenge\":\"YWJj\",\"origin\":\"https://"
     "ambit.example\"}",
     false},
    {"payment",
     "{\"type\":\"payment.get\",\"challenge\":\"YWJj\",\"origin\":\"https://ambit.example\"}",
     false},
    {"no type", "{\"challenge\":\"YWJj\",\"origin\":\"https://ambit.example\"}", false},
    {"other challenge",
     "{\"type\":\"webauthn.get\",\"challenge\":\"YWJk\",\"origin\":\"https://ambit.example\"}",
     false},
    {"longer challenge",
     "{\"type\":\"webauthn.get\",\"challenge\":\"YWJjZA\",\"origin\":\"https://"
     "ambit.example\"}",
     false},
    {"empty challenge",
     "{\"type\":\"webauthn.get\",\"challenge\":\"\",\"origin\":\"https://ambit.example\"}", false},
    {"padded challenge",
     "{\"type\":\"webauthn.get\",\"challenge\":\"YWJj=\",\"origin\":\"https://ambit.example\"}",
     false},
    {"challenge is a list",
     "{\"type\":\"webauthn.get\",\"challenge\":[\"YWJj\"],\"origin\":\"https://"
     "ambit.example\"}",
     false},
    {"origin longer",
     "{\"type\":\"webauthn.get\",\"challenge\":\"YWJj\",\"origin\":\"https://"
     "ambit.example.evil\"}",
     false},
    {"origin with port",
     "{\"type\":\"webauthn.get\",\"challenge\":\"YWJj\",\"origin\":\"https://"
     "ambit.example:444\"}",
     false},
    {"origin http",
     "{\"type\":\"webauthn.get\",\"challenge\":\"YWJj\",\"origin\":\"http://ambit.example\"}",
     false},
    {"origin slash",
     "{\"type\":\"webauthn.get\",\"challenge\":\"YWJj\",\"origin\":\"https://ambit.example/\"}",
     false},
    {"origin upper case",
     "{\"type\":\"webauthn.get\",\"challenge\":\"YWJj\",\"origin\":\"https://AMBIT.example\"}",
     false},
    {"framed",
     "{\"type\":\"webauthn.get\",\"challenge\":\"YWJj\",\"origin\":\"https://"
     "ambit.example\",\"crossOrigin\":true}",
     false},
    {"crossOrigin is text",
     "{\"type\":\"webauthn.get\",\"challenge\":\"YWJj\",\"origin\":\"https://"
     "ambit.example\",\"crossOrigin\":\"false\"}",
     false},
    {"topOrigin",
     "{\"type\":\"webauthn.get\",\"challenge\":\"YWJj\",\"origin\":\"https://"
     "ambit.example\",\"topOrigin\":\"https://evil.example\"}",
     false},
    {"type twice",
     "{\"type\":\"webauthn.create\",\"type\":\"webauthn.get\",\"challenge\":\"YWJj\","
     "\"origin\":\"https://ambit.example\"}",
     false},
    {"origin twice",
     "{\"type\":\"webauthn.get\",\"challenge\":\"YWJj\",\"origin\":\"https://"
     "ambit.example\",\"origin\":\"https://ambit.example\"}",
     false},
    {"trailing bytes",
     "{\"type\":\"webauthn.get\",\"challenge\":\"YWJj\",\"origin\":\"https://ambit.example\"}x",
     false},
    {"byte order mark",
     "\xef\xbb\xbf{\"type\":\"webauthn.get\",\"challenge\":\"YWJj\",\"origin\":\"https://"
     "ambit.example\"}",
     false},
    {"a list", "[]", false},
    {"nothing", "", false},
};

static void test_client_data(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CLIENT_DATA / sizeof CLIENT_DATA[0]; i++) {
        struct err err = {0};
        if (client_data_check(str_z(CLIENT_DATA[i].text), WEBAUTHN_GET, &RP, S("abc"), &err) !=
            CLIENT_DATA[i].ok)
            fail_msg("%s: %s", CLIENT_DATA[i].what, err.text);
    }
    struct err err;
    str plain = str_z(CLIENT_DATA[0].text);
    assert_false(client_data_check(plain, WEBAUTHN_NONE, &RP, S("abc"), &err));
    assert_false(client_data_check(plain, WEBAUTHN_GET, &RP, (str){0}, &err));
    assert_false(
        client_data_check(plain, WEBAUTHN_GET, &(struct relying_party){0}, S("abc"), &err));
}

static void test_register_every_algorithm(void **state)
{
    (void)state;
    static const enum cose_alg algs[] = {COSE_ALG_ES256, COSE_ALG_EDDSA, COSE_ALG_RS256};
    for (size_t i = 0; i < 3; i++) {
        struct authenticator d;
        struct authn_data got;
        struct err err = {0};
        uint32_t counter = 99;
        device_init(&d, algs[i], S("credential-1"));
        str authn = device_register(&d, RP.id);
        str client = device_client_data(&d, &CREATE, CHALLENGE);
        if (!passkey_registered(&RP, CHALLENGE, authn, client, &got, &err))
            fail_msg("%s: %s", cose_alg_name(algs[i]), err.text);
        assert_int_equal(got.key.alg, algs[i]);
        assert_true(str_eq(got.credential, S("credential-1")));
        assert_true(str_eq(got.cose, device_cose(&d)));
        struct assertion as = device_assert(&d, &GET, CHALLENGE);
        if (!passkey_asserted(&RP, &got.key, 0, CHALLENGE, &as, &counter, &err))
            fail_msg("%s: %s", cose_alg_name(algs[i]), err.text);
        assert_int_equal(counter, 0);
        device_fini(&d);
    }
}

/* Every byte of authenticator data and key is either meaning that shows or refused. */
static void test_register_hostile(void **state)
{
    (void)state;
    struct authenticator d;
    struct authn_data got;
    struct err err;
    device_init(&d, COSE_ALG_ES256, S("credential-1"));
    str good = device_register(&d, RP.id);
    assert_true(authn_data_read(good, WEBAUTHN_CREATE, &RP, &got, &err));
    for (size_t n = 0; n < good.n; n++)
        assert_false(authn_data_read(str_take(good, n), WEBAUTHN_CREATE, &RP, &got, &err));
    str longer = str_fmt(&d.a, "%.*s", 0, "");
    struct buf b = {0};
    buf_put(&b, good);
    buf_putc(&b, 0);
    longer = buf_str(&b);
    assert_false(authn_data_read(longer, WEBAUTHN_CREATE, &RP, &got, &err));
    buf_fini(&b);
    static const struct {
        unsigned flags;
        bool ok;
    } cases[] = {{0x45, true},  {0x44, false}, {0x41, false}, {0x05, false}, {0xc5, false},
                 {0x55, false}, {0x4d, true},  {0x5d, true},  {0x00, false}};
    char room[256];
    memcpy(room, good.p, good.n);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        room[32] = (char)cases[i].flags;
        if (authn_data_read(str_of(room, good.n), WEBAUTHN_CREATE, &RP, &got, &err) != cases[i].ok)
            fail_msg("flags %x", cases[i].flags);
    }
    room[32] = 0x45;
    room[0] ^= 1;
    assert_false(authn_data_read(str_of(room, good.n), WEBAUTHN_CREATE, &RP, &got, &err));
    room[0] ^= 1;
    room[53] = 0x04; /* a credential of 1,036 bytes */
    assert_false(authn_data_read(str_of(room, good.n), WEBAUTHN_CREATE, &RP, &got, &err));
    room[53] = 0;
    room[54] = 0; /* of none */
    assert_false(authn_data_read(str_of(room, good.n), WEBAUTHN_CREATE, &RP, &got, &err));
    device_fini(&d);
}

static void test_cose_other_encodings(void **state)
{
    (void)state;
    struct authenticator d;
    struct cose_key key;
    struct err err;
    size_t used;
    device_init(&d, COSE_ALG_ES256, S("c"));
    str good = device_cose(&d);
    assert_true(cose_key_read(good, &used, &key, &err));
    assert_int_equal(used, good.n);
    /* Every byte but those of the numbers is fixed: another key type, algorithm, curve, order,
     * length or a longer spelling of a number is another byte. */
    char room[128];
    for (size_t i = 0; i < good.n; i++) {
        bool number = (i >= 10 && i < 42) || i >= 45;
        memcpy(room, good.p, good.n);
        room[i] ^= 0x01;
        if (cose_key_read(str_of(room, good.n), &used, &key, &err) != number)
            fail_msg("byte %zu", i);
    }
    device_fini(&d);
}

static void test_assertion_hostile(void **state)
{
    (void)state;
    struct authenticator d, other;
    struct cose_key key, other_key;
    struct err err;
    size_t used;
    uint32_t counter;
    device_init(&d, COSE_ALG_ES256, S("c"));
    device_init(&other, COSE_ALG_ES256, S("c"));
    assert_true(cose_key_read(device_cose(&d), &used, &key, &err));
    assert_true(cose_key_read(device_cose(&other), &used, &other_key, &err));
    struct assertion as = device_assert(&d, &GET, CHALLENGE), bad;
    assert_true(passkey_asserted(&RP, &key, 0, CHALLENGE, &as, &counter, &err));
    assert_false(passkey_asserted(&RP, &other_key, 0, CHALLENGE, &as, &counter, &err));
    assert_false(passkey_asserted(&RP, &key, 0, S("another"), &as, &counter, &err));
    for (size_t i = 0; i < as.signature.n; i++) {
        bad = as;
        bad.signature = str_dup(&d.a, as.signature);
        ((char *)(uintptr_t)bad.signature.p)[i] ^= 0x10;
        assert_false(passkey_asserted(&RP, &key, 0, CHALLENGE, &bad, &counter, &err));
    }
    static const struct saying sayings[] = {
        {{"webauthn.create", 15}, {"https://ambit.example", 21}, {"", 0}, {"ambit.example", 13}},
        {{"webauthn.get", 12}, {"https://evil.example", 20}, {"", 0}, {"ambit.example", 13}},
        {{"webauthn.get", 12}, {"https://ambit.example", 21}, {"", 0}, {"evil.example", 12}},
    };
    for (size_t i = 0; i < 3; i++) {
        bad = device_assert(&d, &sayings[i], CHALLENGE);
        assert_false(passkey_asserted(&RP, &key, 0, CHALLENGE, &bad, &counter, &err));
    }
    static const unsigned flags[] = {0x00, 0x01, 0x04, 0x45, 0x85, 0x15};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        d.flags = flags[i];
        bad = device_assert(&d, &GET, CHALLENGE);
        if (passkey_asserted(&RP, &key, 0, CHALLENGE, &bad, &counter, &err))
            fail_msg("flags %x", flags[i]);
    }
    bad = as;
    bad.signature = (str){0};
    assert_false(passkey_asserted(&RP, &key, 0, CHALLENGE, &bad, &counter, &err));
    device_fini(&d);
    device_fini(&other);
}

static void test_counter(void **state)
{
    (void)state;
    static const struct {
        uint32_t seen, now;
        bool ok;
    } cases[] = {{0, 0, true},  {0, 1, true},  {1, 2, true},         {1, 1, false},
                 {2, 1, false}, {1, 0, false}, {7, 4000000000, true}};
    struct authenticator d;
    struct cose_key key;
    struct err err;
    size_t used;
    device_init(&d, COSE_ALG_EDDSA, S("c"));
    assert_true(cose_key_read(device_cose(&d), &used, &key, &err));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t out = 12345;
        d.counter = cases[i].now ? cases[i].now - 1 : 0;
        struct buf b = {0};
        put_head(&b, RP.id, 0x05, cases[i].now);
        struct assertion as = {.authn_data = buf_str(&b),
                               .client_data = device_client_data(&d, &GET, CHALLENGE)};
        as.signature = device_sign(&d, as.authn_data, as.client_data);
        bool ok = passkey_asserted(&RP, &key, cases[i].seen, CHALLENGE, &as, &out, &err);
        if (ok != cases[i].ok || (ok && out != cases[i].now) || (!ok && out != 12345))
            fail_msg("%u then %u", cases[i].seen, cases[i].now);
        buf_fini(&b);
    }
    device_fini(&d);
}

static void test_evidence(void **state)
{
    (void)state;
    struct authenticator d;
    struct err err;
    device_init(&d, COSE_ALG_ES256, S("c"));
    d.counter = 7;
    struct evidence e = {.statement = S("ambit decision v1\nh1\nabc\napprove\n")};
    struct hash h = statement_challenge(e.statement);
    e.cose = device_cose(&d);
    e.assertion = device_assert(&d, &GET, hash_str(&h));
    assert_true(evidence_check(&RP, &e, &err));
    e.statement = S("ambit decision v1\nh1\nabc\ndeny\n");
    assert_false(evidence_check(&RP, &e, &err));
    device_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client_data),       cmocka_unit_test(test_register_every_algorithm),
        cmocka_unit_test(test_register_hostile),  cmocka_unit_test(test_cose_other_encodings),
        cmocka_unit_test(test_assertion_hostile), cmocka_unit_test(test_counter),
        cmocka_unit_test(test_evidence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
