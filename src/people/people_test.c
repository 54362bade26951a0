#include "people/authenticator_test.h"
#include "people/people.h"

#include <stdlib.h>

static const struct saying CREATE = {
    {"webauthn.create", 15}, {"https://ambit.example", 21}, {"", 0}, {"ambit.example", 13}};
static const struct saying GET = {
    {"webauthn.get", 12}, {"https://ambit.example", 21}, {"", 0}, {"ambit.example", 13}};
enum { NOW = 1000000 };

struct fix {
    struct arena a;
    struct conf conf;
    struct conf_person persons[3];
    struct people p;
    struct authenticator d;
    struct err err;
};

static void fix_init(struct fix *f)
{
    *f = (struct fix){0};
    f->persons[0] = (struct conf_person){.name = S("olga"), .roles = ROLE_OWNER, .uid = -1};
    f->persons[1] = (struct conf_person){.name = S("adam"), .roles = ROLE_ADMINISTRATOR, .uid = -1};
    f->persons[2] = (struct conf_person){.name = S("rita"), .roles = ROLE_APPROVER, .uid = -1};
    f->conf = (struct conf){.people = f->persons, .people_n = 3};
    f->conf.portal =
        (struct conf_portal){.origin = S("https://ambit.example"), .rp_id = S("ambit.example")};
    people_init(&f->p, &f->conf);
    device_init(&f->d, COSE_ALG_ES256, S("credential-1"));
}

static void fix_fini(struct fix *f)
{
    people_fini(&f->p);
    device_fini(&f->d);
    arena_fini(&f->a);
}

static struct bearer invite(struct fix *f, const struct conf_person *who, int64_t now_ms)
{
    struct bearer code;
    struct store_invite row;
    assert_true(people_invite(&f->p, &f->a, who, S("cli"), now_ms, &code, &row, &f->err));
    assert_int_equal(row.hash.n, HASH_LEN);
    people_add_invite(&f->p, &row);
    return code;
}

static str challenge_of(const struct ceremony *c)
{
    return str_of((const char *)c->challenge, sizeof c->challenge);
}

static bool enrol(struct fix *f, const struct bearer *code, int64_t now_ms, struct passkey **out)
{
    struct bearer handle;
    const struct ceremony *c;
    struct hash used;
    if (!people_begin_enrol(&f->p, bearer_str(code), now_ms, &handle, &c, &f->err))
        return false;
    str client = device_client_data(&f->d, &CREATE, challenge_of(c));
    if (!people_finish_enrol(&f->p, bearer_str(&handle), f->d.credential,
                             device_register(&f->d, S("ambit.example")), client, now_ms, out, &used,
                             &f->err))
        return false;
    people_add_passkey(&f->p, *out, &used);
    return true;
}

static void test_link_works_once(void **state)
{
    (void)state;
    struct fix f;
    struct passkey *k;
    fix_init(&f);
    assert_ptr_equal(people_first(&f.p), &f.persons[1]);
    struct bearer code = invite(&f, &f.persons[1], NOW);
    str url = people_invite_url(&f.p, &f.a, &code);
    assert_true(str_starts(url, S("https://ambit.example/enrol#")));
    assert_true(enrol(&f, &code, NOW + 1, &k));
    assert_ptr_equal(k->person, &f.persons[1]);
    assert_null(people_first(&f.p));
    assert_int_equal(people_passkeys_of(&f.p, &f.persons[1]), 1);
    f.d.credential = S("credential-2");
    assert_false(enrol(&f, &code, NOW + 2, &k));
    assert_int_equal(f.err.kind, ERR_DENIED);
    fix_fini(&f);
}

static void test_link_runs_out(void **state)
{
    (void)state;
    struct fix f;
    struct passkey *k;
    fix_init(&f);
    struct bearer code = invite(&f, &f.persons[0], NOW), wrong = code;
    wrong.s[5] ^= 1;
    assert_false(enrol(&f, &wrong, NOW, &k));
    assert_false(enrol(&f, &code, NOW + INVITE_LIFE_MS, &k));
    struct bearer again = invite(&f, &f.persons[0], NOW);
    people_revoke(&f.p, &f.persons[0]);
    assert_false(enrol(&f, &again, NOW, &k));
    fix_fini(&f);
}

/* Two browsers with one link: the second finish finds it used. */
static void test_link_race(void **state)
{
    (void)state;
    struct fix f;
    struct passkey *k, *other;
    struct bearer h1, h2;
    const struct ceremony *c1, *c2;
    struct hash used;
    fix_init(&f);
    struct bearer code = invite(&f, &f.persons[0], NOW);
    assert_true(people_begin_enrol(&f.p, bearer_str(&code), NOW, &h1, &c1, &f.err));
    assert_true(people_begin_enrol(&f.p, bearer_str(&code), NOW, &h2, &c2, &f.err));
    str client1 = device_client_data(&f.d, &CREATE, challenge_of(c1));
    str client2 = device_client_data(&f.d, &CREATE, challenge_of(c2));
    str authn = device_register(&f.d, S("ambit.example"));
    /* A handle's challenge is its own. */
    assert_true(people_finish_enrol(&f.p, bearer_str(&h1), f.d.credential, authn, client1, NOW, &k,
                                    &used, &f.err));
    people_add_passkey(&f.p, k, &used);
    assert_false(people_finish_enrol(&f.p, bearer_str(&h2), f.d.credential, authn, client2, NOW,
                                     &other, &used, &f.err));
    fix_fini(&f);
}

static void test_sign_in(void **state)
{
    (void)state;
    struct fix f;
    struct passkey *k, *got;
    struct bearer handle;
    const struct ceremony *c;
    uint32_t counter;
    fix_init(&f);
    f.d.counter = 3;
    struct bearer code = invite(&f, &f.persons[0], NOW);
    assert_true(enrol(&f, &code, NOW, &k));
    assert_true(people_begin_sign_in(&f.p, NOW, &handle, &c, &f.err));
    struct assertion as = device_assert(&f.d, &GET, challenge_of(c));
    assert_true(people_finish_sign_in(&f.p, bearer_str(&handle), &as, NOW, &got, &counter, &f.err));
    assert_ptr_equal(got, k);
    assert_int_equal(counter, 4);
    /* Once: neither the handle nor the assertion again. */
    assert_false(
        people_finish_sign_in(&f.p, bearer_str(&handle), &as, NOW, &got, &counter, &f.err));
    assert_true(people_begin_sign_in(&f.p, NOW, &handle, &c, &f.err));
    assert_false(
        people_finish_sign_in(&f.p, bearer_str(&handle), &as, NOW, &got, &counter, &f.err));
    /* Too late. */
    assert_true(people_begin_sign_in(&f.p, NOW, &handle, &c, &f.err));
    as = device_assert(&f.d, &GET, challenge_of(c));
    assert_false(people_finish_sign_in(&f.p, bearer_str(&handle), &as, NOW + CEREMONY_LIFE_MS, &got,
                                       &counter, &f.err));
    /* A stranger's key, and a handle of an enrolment. */
    assert_true(people_begin_sign_in(&f.p, NOW, &handle, &c, &f.err));
    as = device_assert(&f.d, &GET, challenge_of(c));
    as.credential = S("nobody's");
    assert_false(
        people_finish_sign_in(&f.p, bearer_str(&handle), &as, NOW, &got, &counter, &f.err));
    code = invite(&f, &f.persons[0], NOW);
    assert_true(people_begin_enrol(&f.p, bearer_str(&code), NOW, &handle, &c, &f.err));
    as = device_assert(&f.d, &GET, challenge_of(c));
    assert_false(
        people_finish_sign_in(&f.p, bearer_str(&handle), &as, NOW, &got, &counter, &f.err));
    fix_fini(&f);
}

static void test_statement_by_its_person_only(void **state)
{
    (void)state;
    struct fix f;
    struct passkey *k, *got;
    uint32_t counter;
    fix_init(&f);
    struct bearer code = invite(&f, &f.persons[2], NOW);
    assert_true(enrol(&f, &code, NOW, &k));
    struct hash h = statement_challenge(S("approve this"));
    struct assertion as = device_assert(&f.d, &GET, hash_str(&h));
    assert_true(people_signed(&f.p, &f.persons[2], S("approve this"), &as, &got, &counter, &f.err));
    assert_false(
        people_signed(&f.p, &f.persons[2], S("approve that"), &as, &got, &counter, &f.err));
    assert_false(
        people_signed(&f.p, &f.persons[0], S("approve this"), &as, &got, &counter, &f.err));
    fix_fini(&f);
}

static void test_sessions(void **state)
{
    (void)state;
    struct fix f;
    struct bearer id, other;
    struct person_session *s;
    fix_init(&f);
    assert_true(people_session_new(&f.p, &f.persons[0], SIGN_IN_PASSKEY, S("hwk user"), (str){0},
                                   NOW, NOW, &id, &s, &f.err));
    assert_null(people_session(&f.p, bearer_str(&id), NOW)); /* not before its commit */
    people_add_session(&f.p, s);
    assert_ptr_equal(people_session(&f.p, bearer_str(&id), NOW), s);
    assert_true(session_has_amr(s, S("hwk")) && session_has_amr(s, S("user")));
    assert_false(session_has_amr(s, S("hw")) || session_has_amr(s, (str){0}));
    other = id;
    other.s[0] ^= 1;
    assert_null(people_session(&f.p, bearer_str(&other), NOW));
    assert_null(people_session(&f.p, (str){0}, NOW));
    /* The stored hash does not open it. */
    assert_null(people_session(&f.p, base64url_dup(&f.a, hash_str(&s->hash)), NOW));
    /* Use keeps it alive, but not for ever. */
    int64_t t = NOW;
    while (t - NOW < SIGNED_IN_LIFE_MS) {
        assert_ptr_equal(people_session(&f.p, bearer_str(&id), t), s);
        t += SIGNED_IN_IDLE_MS - 1;
    }
    assert_null(people_session(&f.p, bearer_str(&id), t));
    assert_true(people_session_new(&f.p, &f.persons[0], SIGN_IN_OIDC, S("pwd"), (str){0}, NOW, NOW,
                                   &id, &s, &f.err));
    people_add_session(&f.p, s);
    assert_null(people_session(&f.p, bearer_str(&id), NOW + SIGNED_IN_IDLE_MS));
    assert_int_equal(people_sessions_of(&f.p, &f.persons[0]), 0);
    fix_fini(&f);
}

static void test_session_limits(void **state)
{
    (void)state;
    struct fix f;
    struct bearer id;
    struct person_session *s;
    fix_init(&f);
    for (unsigned i = 0; i < SESSIONS_PER_PERSON_MAX; i++) {
        assert_true(people_session_new(&f.p, &f.persons[0], SIGN_IN_PASSKEY, S("hwk"), (str){0},
                                       NOW, NOW, &id, &s, &f.err));
        people_add_session(&f.p, s);
    }
    assert_false(people_session_new(&f.p, &f.persons[0], SIGN_IN_PASSKEY, S("hwk"), (str){0}, NOW,
                                    NOW, &id, &s, &f.err));
    assert_int_equal(f.err.kind, ERR_LIMIT);
    people_revoke(&f.p, &f.persons[0]);
    assert_null(people_session(&f.p, bearer_str(&id), NOW));
    fix_fini(&f);
}

static void test_flood_of_ceremonies(void **state)
{
    (void)state;
    struct fix f;
    struct bearer handle;
    const struct ceremony *c;
    fix_init(&f);
    for (unsigned i = 0; i < CEREMONIES_MAX + 10; i++)
        assert_true(people_begin_sign_in(&f.p, NOW, &handle, &c, &f.err));
    assert_int_equal(map_count(&f.p.ceremonies), CEREMONIES_MAX);
    people_sweep(&f.p, NOW + CEREMONY_LIFE_MS);
    assert_int_equal(map_count(&f.p.ceremonies), 0);
    unsigned recorded = 0;
    for (unsigned i = 0; i < 100; i++)
        recorded += people_count_failure(&f.p, NOW);
    assert_int_equal(recorded, FAILURES_PER_MINUTE);
    assert_true(people_count_failure(&f.p, NOW + 60000));
    fix_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_link_works_once),
        cmocka_unit_test(test_link_runs_out),
        cmocka_unit_test(test_link_race),
        cmocka_unit_test(test_sign_in),
        cmocka_unit_test(test_statement_by_its_person_only),
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_session_limits),
        cmocka_unit_test(test_flood_of_ceremonies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
