/* The hostile requests kept outside the repository, in ../shared or where AMBIT_SHARED says (looked
 * up when the build is configured): each whole, byte by byte and cut at every offset. */
#include "http/http1_probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#ifdef HTTP1_VECTORS
#include HTTP1_VECTORS

static void check_one(const struct vec *v)
{
    struct http1_limits limits = http1_limits_default(HTTP1_REQUESTS);
    ARENA_SCOPE struct arena a = {0};
    struct probe whole, cut;
    str msg = str_of(v->data, v->len);
    probe_run(&whole, &a, HTTP1_REQUESTS, false, &limits, msg, SIZE_MAX, 0);
    bool ended = whole.last == HTTP1_END && whole.left == 0;
    if (ended != (v->legal == 1))
        fail_msg("%s: %s", v->name, ended ? "accepted" : whole.err.text);
    if (!v->legal && whole.status < 400)
        fail_msg("%s: not refused before the end of the stream", v->name);
    for (size_t i = 0; i < msg.n; i++) {
        probe_run(&cut, &a, HTTP1_REQUESTS, false, &limits, msg, i, i == 0 ? 1 : 0);
        if (cut.last != whole.last || !str_eq(buf_str(&cut.said), buf_str(&whole.said)))
            fail_msg("%s: another verdict when cut at %zu", v->name, i);
        probe_fini(&cut);
    }
    probe_fini(&whole);
}

static void test_vectors(void **state)
{
    (void)state;
    size_t refused = 0;
    for (size_t i = 0; i < NV; i++) {
        check_one(&vecs[i]);
        refused += !vecs[i].legal;
    }
    printf("%zu vectors: %zu refused, %zu accepted\n", NV, refused, NV - refused);
    assert_true(NV >= 50);
}
#else
static void test_vectors(void **state)
{
    (void)state;
    printf("skipped: ../shared/http1/vectors.h is absent (AMBIT_SHARED names another folder)\n");
    skip();
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
