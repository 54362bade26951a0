#include "ipc/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void test_round_trip(void **state)
{
    (void)state;
    struct msg_call in = {.proof = {.kind = PROOF_CONN, .conn = -7, .listener = 3, .task = S("t1")},
                          .tool = S("shop__refund"),
                          .args = S("{\"a\":1}"),
                          .approval = S("h1")};
    struct msg_call out = {0};
    struct buf b = {0};
    struct err err;
    message_pack(MSG_CALL, &in, &b);
    assert_true(message_unpack(MSG_CALL, buf_str(&b), &out, &err));
    assert_int_equal(out.proof.conn, -7);
    assert_int_equal(out.proof.listener, 3);
    assert_true(str_eq(out.args, in.args) && str_eq(out.approval, in.approval));
    /* Any shorter or longer payload is refused. */
    for (size_t n = 0; n < buf_len(&b); n++)
        assert_false(message_unpack(MSG_CALL, str_take(buf_str(&b), n), &out, &err));
    buf_putc(&b, 0);
    assert_false(message_unpack(MSG_CALL, buf_str(&b), &out, &err));
    buf_fini(&b);
}

static void test_field_limits(void **state)
{
    (void)state;
    struct msg_cut in = {
        .task = S("ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt")};
    struct msg_cut out;
    struct buf b = {0};
    struct err err;
    message_pack(MSG_CUT, &in, &b);
    assert_false(message_unpack(MSG_CUT, buf_str(&b), &out, &err));
    assert_int_equal(err.kind, ERR_PEER);
    buf_fini(&b);
}

/* The table is the trust boundary: spot checks that a hostile role cannot speak another's lines. */
static void test_who_may_send(void **state)
{
    (void)state;
    assert_true(message_size_max(ROLE_EDGE, ROLE_CORE, PHASE_RUN, MSG_CALL) > 0);
    assert_int_equal(message_size_max(ROLE_EDGE, ROLE_CORE, PHASE_SETUP, MSG_CALL), 0);
    assert_int_equal(message_size_max(ROLE_EDGE, ROLE_CORE, PHASE_RUN, MSG_GO), 0);
    assert_int_equal(message_size_max(ROLE_EDGE, ROLE_KEEPER, PHASE_RUN, MSG_SIGN_JWT), 0);
    assert_int_equal(message_size_max(ROLE_EDGE, ROLE_KEEPER, PHASE_RUN, MSG_SIGN_CHECKPOINT), 0);
    assert_int_equal(message_size_max(ROLE_EDGE, ROLE_KEEPER, PHASE_RUN, MSG_SECRETS_CHANGED), 0);
    assert_int_equal(message_size_max(ROLE_RUNNER, ROLE_CORE, PHASE_RUN, MSG_OUTCOME), 0);
    assert_int_equal(message_size_max(ROLE_RUNNER, ROLE_CORE, PHASE_RUN, MSG_CUT_DONE), 0);
    assert_int_equal(message_size_max(ROLE_EDGE, ROLE_CORE, PHASE_RUN, MSG_CHILD_STOPPED), 0);
    assert_true(message_size_max(ROLE_EDGE, ROLE_CORE, PHASE_RUN, MSG_CUT_DONE) > 0);
    assert_int_equal(message_size_max(ROLE_EDGE, ROLE_RUNNER, PHASE_RUN, MSG_STOP_CHILD), 0);
    assert_int_equal(message_size_max(ROLE_CORE, ROLE_EDGE, PHASE_RUN, 9999), 0);
    /* Only the supervisor hands over listeners, directories and peers. */
    for (unsigned from = ROLE_EDGE; from < ROLE_COUNT; from++)
        for (unsigned to = ROLE_SUPERVISOR; to < ROLE_COUNT; to++)
            for (uint16_t t = MSG_SETUP; t <= MSG_DRAIN; t++)
                assert_int_equal(message_size_max((enum role)from, (enum role)to, PHASE_SETUP, t),
                                 0);
}

static void test_table_is_well_formed(void **state)
{
    (void)state;
    size_t n;
    const struct message *t = message_table(&n);
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(message_find((uint16_t)t[i].type), &t[i]); /* no number twice */
        assert_true(t[i].from && t[i].to && t[i].phases && t[i].size_max && t[i].fields);
    }
}

static void test_runs(void **state)
{
    (void)state;
    struct buf b = {0};
    str run, s;
    bool bad = false;
    pack_str(&b, S("one"));
    pack_str(&b, S(""));
    run = buf_str(&b);
    assert_true(unpack_str(&run, &s, &bad) && str_eq(s, S("one")));
    assert_true(unpack_str(&run, &s, &bad) && s.n == 0);
    assert_false(unpack_str(&run, &s, &bad));
    assert_false(bad);
    run = S("\xff\0\0\0x");
    assert_false(unpack_str(&run, &s, &bad));
    assert_true(bad);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_field_limits),
        cmocka_unit_test(test_who_may_send), cmocka_unit_test(test_table_is_well_formed),
        cmocka_unit_test(test_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
