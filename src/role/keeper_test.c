/* The keeper in a process of its own, inside its sandbox, against a core, an edge and a runner that
 * ask for what they should not get. What it signs for the issuer is in keeper_issuer_test.c. */
#include "base/clock.h"
#include "base/limits.h"
#include "crypto/note.h"
#include "crypto/voucher.h"
#include "role/keeper_world.h"

#include <unistd.h>

/* ---- release ---- */

struct asked {
    enum voucher_kind kind;
    const char *binding, *secret;
    int64_t life_ms;
    bool other_key;
};

static uint16_t release(struct world *w, struct link *from, const struct asked *q, struct id *call)
{
    uint8_t bytes[VOUCHER_LEN];
    struct secret *other = NULL;
    struct err err;
    struct voucher v = {.kind = q->kind,
                        .call = id_str(call),
                        .binding = str_z(q->binding),
                        .secret = str_z(q->secret),
                        .expires_ms = clock_wall_ms() + q->life_ms};
    if (q->other_key)
        assert_true(secret_of(S("01234567890123456789012345678901"), &other, &err));
    assert_true(voucher_mint(other ? other : w->voucher_key, &v, bytes, &err));
    secret_free(other);
    struct msg_release m = {.voucher = str_of((const char *)bytes, sizeof bytes)};
    link_send(from, MSG_RELEASE, 7, &m, -1);
    assert_true(link_recv(from, &w->f));
    assert_int_equal(w->f.id, 7);
    return w->f.type;
}

static void test_release(void **state)
{
    struct world *w = *state;
    struct id call = id_new('c');
    struct asked all = {VOUCHER_SECRET_EDGE, "web", "*", 5000, false};
    struct msg_secret m;
    struct err err;
    str run, s;
    bool bad = false;
    assert_int_equal(release(w, &w->edge, &all, &call), MSG_SECRET);
    assert_true(message_unpack(MSG_SECRET, buf_str(&w->f.payload), &m, &err));
    run = m.values;
    static const char *const want[] = {"api", "the api key", "two", "2"};
    for (size_t i = 0; i < 4; i++) {
        assert_true(unpack_str(&run, &s, &bad));
        assert_true(str_eq(s, str_z(want[i])));
    }
    assert_int_equal(run.n, 0);
    /* The same voucher again. */
    assert_int_equal(release(w, &w->edge, &all, &call), MSG_NO_SECRET);
    /* One secret alone; the runner's. */
    call = id_new('c');
    struct asked one = {VOUCHER_SECRET_EDGE, "web", "two", 5000, false};
    assert_int_equal(release(w, &w->edge, &one, &call), MSG_SECRET);
    call = id_new('c');
    struct asked runners = {VOUCHER_SECRET_RUNNER, "prog", "*", 5000, false};
    assert_int_equal(release(w, &w->runner, &runners, &call), MSG_SECRET);
}

static void test_release_refused(void **state)
{
    struct world *w = *state;
    static const struct {
        bool from_runner;
        struct asked q;
    } cases[] = {
        {false, {VOUCHER_SECRET_RUNNER, "prog", "*", 5000, false}}, /* another's voucher */
        {true, {VOUCHER_SECRET_EDGE, "web", "*", 5000, false}},
        {false, {VOUCHER_SECRET_RUNNER, "web", "*", 5000, false}},
        {true, {VOUCHER_SECRET_EDGE, "prog", "*", 5000, false}},
        {false, {VOUCHER_SECRET_EDGE, "prog", "*", 5000, false}}, /* another's server */
        {true, {VOUCHER_SECRET_RUNNER, "web", "*", 5000, false}},
        {false, {VOUCHER_SECRET_EDGE, "web", "*", -1, false}},                  /* expired */
        {false, {VOUCHER_SECRET_EDGE, "web", "*", VOUCHER_LIFE_MS * 2, false}}, /* too long */
        {false, {VOUCHER_SECRET_EDGE, "web", "*", 5000, true}},                 /* forged */
        {false, {VOUCHER_SECRET_EDGE, "web", "three", 5000, false}}, /* not of this server */
        {false, {VOUCHER_SECRET_EDGE, "bare", "*", 5000, false}},
        {false, {VOUCHER_SECRET_EDGE, "nosuch", "*", 5000, false}},
        {false, {VOUCHER_STDIO_CALL, "web", "", 5000, false}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct id call = id_new('c');
        uint16_t type =
            release(w, cases[i].from_runner ? &w->runner : &w->edge, &cases[i].q, &call);
        if (type != MSG_NO_SECRET)
            fail_msg("case %zu was released", i);
        assert_true(str_find(buf_str(&w->f.payload), S("the api key")) < 0);
    }
}

static void test_not_set(void **state)
{
    struct world *w = *state;
    struct id call = id_new('c');
    struct asked q = {VOUCHER_SECRET_EDGE, "web", "*", 5000, false};
    assert_int_equal(unlinkat(w->secrets, "two", 0), 0);
    assert_int_equal(release(w, &w->edge, &q, &call), MSG_NO_SECRET);
    assert_true(str_find(buf_str(&w->f.payload), S("ambit secret set two")) >= 0);
}

/* Messages of another role's end the channel, and the sender is accused. */
static void test_foreign_request(void **state)
{
    struct world *w = *state;
    struct msg_sign_jwt m = {.kind = SIGN_TASK_TOKEN, .claims = S("{\"exp\":1}")};
    struct msg_peer accused;
    struct err err;
    link_send(&w->edge, MSG_SIGN_JWT, 1, &m, -1);
    assert_false(link_recv(&w->edge, &w->f));
    assert_true(link_recv(&w->h.sup, &w->f));
    assert_int_equal(w->f.type, MSG_ACCUSE);
    assert_true(message_unpack(MSG_ACCUSE, buf_str(&w->f.payload), &accused, &err));
    assert_int_equal(accused.role, ROLE_EDGE);
    /* The others are served on. */
    struct id call = id_new('c');
    struct asked q = {VOUCHER_SECRET_RUNNER, "prog", "api", 5000, false};
    assert_int_equal(release(w, &w->runner, &q, &call), MSG_SECRET);
}

/* ---- signing ---- */

static uint16_t sign_checkpoint(struct world *w, int64_t size, char root)
{
    char bytes[HASH_LEN];
    memset(bytes, root, sizeof bytes);
    struct msg_sign_checkpoint m = {.size = size, .root = str_of(bytes, sizeof bytes)};
    link_send(&w->core, MSG_SIGN_CHECKPOINT, 3, &m, -1);
    assert_true(link_recv(&w->core, &w->f));
    return w->f.type;
}

static void test_checkpoint(void **state)
{
    struct world *w = *state;
    ARENA_SCOPE struct arena a = {0};
    struct msg_text m;
    struct note_verifier v;
    struct key *key;
    struct note note;
    struct checkpoint c;
    struct err err;
    assert_int_equal(sign_checkpoint(w, 5, 'a'), MSG_SIGNED_CHECKPOINT);
    assert_true(message_unpack(MSG_SIGNED_CHECKPOINT, buf_str(&w->f.payload), &m, &err));
    assert_true(note_vkey_parse(w->public.checkpoint_vkey, &v, &key, &err));
    assert_true(note_open(&a, m.text, &v, 1, &note, &err));
    assert_true(checkpoint_parse(note.text, S("t.example/ledger"), &c, &err));
    assert_int_equal(c.size, 5);
    key_free(key);
    assert_int_equal(sign_checkpoint(w, 5, 'a'), MSG_SIGNED_CHECKPOINT); /* the same again */
    assert_int_equal(sign_checkpoint(w, 5, 'b'), MSG_NOT_SIGNED);        /* a fork */
    assert_int_equal(sign_checkpoint(w, 4, 'a'), MSG_NOT_SIGNED);        /* smaller */
    assert_int_equal(sign_checkpoint(w, -1, 'a'), MSG_NOT_SIGNED);
    assert_int_equal(sign_checkpoint(w, 6, 'c'), MSG_SIGNED_CHECKPOINT);
    /* It remembers, and keeps its keys, over a restart. */
    struct buf vkey = {0};
    buf_put(&vkey, w->public.checkpoint_vkey);
    keeper_stop(w);
    keeper_start(w);
    assert_true(str_eq(buf_str(&vkey), w->public.checkpoint_vkey));
    buf_fini(&vkey);
    assert_int_equal(sign_checkpoint(w, 6, 'd'), MSG_NOT_SIGNED);
    assert_int_equal(sign_checkpoint(w, 6, 'c'), MSG_SIGNED_CHECKPOINT);
    assert_int_equal(sign_checkpoint(w, 7, 'd'), MSG_SIGNED_CHECKPOINT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_release, keeper_set_up, keeper_tear_down),
        cmocka_unit_test_setup_teardown(test_release_refused, keeper_set_up, keeper_tear_down),
        cmocka_unit_test_setup_teardown(test_not_set, keeper_set_up, keeper_tear_down),
        cmocka_unit_test_setup_teardown(test_foreign_request, keeper_set_up, keeper_tear_down),
        cmocka_unit_test_setup_teardown(test_checkpoint, keeper_set_up, keeper_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
