#include "hold/hold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct hold *add(struct holds *hs, const struct id *task, uint8_t digest,
                        enum hold_state state)
{
    struct hold *h = hold_new();
    h->id = id_new('h');
    h->task = *task;
    h->digest.b[0] = digest;
    h->state = state;
    h->expires_ms = 100;
    holds_add(hs, h);
    return h;
}

static void test_usable(void **state)
{
    (void)state;
    struct holds hs;
    struct err err;
    struct id task = id_new('t'), other = id_new('t');
    struct hash d = {{1}}, changed = {{2}};
    holds_init(&hs);
    struct hold *h = add(&hs, &task, 1, HOLD_APPROVED);
    assert_true(hold_usable(h, &task, &d, 99, &err));
    assert_false(hold_usable(h, &task, &d, 100, &err));
    assert_non_null(strstr(err.text, "expired"));
    assert_false(hold_usable(h, &task, &changed, 1, &err));
    assert_non_null(strstr(err.text, "other arguments"));
    assert_false(hold_usable(h, &other, &d, 1, &err));
    h->state = HOLD_USED;
    assert_false(hold_usable(h, &task, &d, 1, &err));
    assert_non_null(strstr(err.text, "used already"));
    for (enum hold_state s = HOLD_NONE; s <= HOLD_CANCELLED; s++) {
        h->state = s;
        assert_int_equal(hold_usable(h, &task, &d, 1, &err), s == HOLD_APPROVED);
    }
    holds_fini(&hs);
}

static void test_match_prefers_approved(void **state)
{
    (void)state;
    struct holds hs;
    struct id task = id_new('t');
    struct hash d = {{1}};
    holds_init(&hs);
    struct hold *approved = add(&hs, &task, 1, HOLD_APPROVED);
    struct hold *pending = add(&hs, &task, 1, HOLD_PENDING);
    add(&hs, &task, 2, HOLD_APPROVED);
    assert_ptr_equal(holds_match(&hs, &task, &d, 1), approved);
    approved->state = HOLD_USED;
    assert_ptr_equal(holds_match(&hs, &task, &d, 1), pending);
    assert_null(holds_match(&hs, &task, &d, 100));
    assert_int_equal(holds_pending_of(&hs, &task, 1), 1);
    holds_fini(&hs);
}

static void test_sweep(void **state)
{
    (void)state;
    struct holds hs;
    struct id task = id_new('t');
    holds_init(&hs);
    struct hold *h = add(&hs, &task, 1, HOLD_PENDING);
    struct id id = h->id;
    holds_sweep(&hs, 99, 99);
    assert_non_null(holds_find(&hs, id_str(&id)));
    holds_sweep(&hs, 300, 200);
    assert_null(holds_find(&hs, id_str(&id)));
    holds_fini(&hs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usable),
        cmocka_unit_test(test_match_prefers_approved),
        cmocka_unit_test(test_sweep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
