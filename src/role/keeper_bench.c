/* keeper_bench: how many tokens and certificates a second the keeper signs, asked over its channel
 * by a core that keeps a number of requests on their way (docs/bench.md). Test builds only.
 *
 *   KEEPER_BENCH_REQUESTS=20000 keeper_bench
 */
#include "base/clock.h"
#include "role/keeper_world.h"
#include "role/keeper_keys.h"

enum { WINDOW = 64 };

static void ask(struct world *w, enum message_type type, const void *m, uint64_t id)
{
    link_send(&w->core, type, id, m, -1);
}

static void measure(struct world *w, const char *what, enum message_type type, const void *m,
                    enum message_type want, unsigned n)
{
    int64_t from_us = clock_mono_us();
    unsigned sent = 0, got = 0;
    while (got < n) {
        while (sent < n && sent - got < WINDOW)
            ask(w, type, m, ++sent);
        assert_true(link_recv(&w->core, &w->f));
        if (w->f.type != want)
            fail_msg("%s: message %u: %.*s", what, w->f.type, STR(buf_str(&w->f.payload)));
        got++;
    }
    double s = (double)(clock_mono_us() - from_us) / 1e6;
    printf("%-16s %8.0f/s  %6.1f us each\n", what, n / s, s * 1e6 / n);
}

static void run(void **state)
{
    struct world *w = *state;
    const char *words = getenv("KEEPER_BENCH_REQUESTS");
    unsigned n = words ? (unsigned)atoi(words) : 20000;
    ARENA_SCOPE struct arena a = {0};
    int64_t now_s = clock_wall_ms() / 1000;
    struct key *own;
    struct buf spki = {0};
    struct err err;
    assert_true(key_generate(KEY_ES256, &own, &err) && key_to_spki(own, &spki, &err));
    struct msg_sign_jwt task = {
        .kind = SIGN_TASK_TOKEN,
        .claims = str_fmt(
            &a,
            "{\"aud\":\"https://t.example/mcp\",\"sub\":\"ann\",\"client_id\":"
            "\"spiffe://t.example/agent/desk\",\"iat\":%lld,\"exp\":%lld,\"jti\":"
            "\"j0123456789012345678901234\",\"act\":{\"sub\":\"spiffe://t.example/agent/desk\"},"
            "\"authorization_details\":[{\"type\":\"tool_call\",\"actions\":[\"help/read_ticket\","
            "\"help/search_tickets\",\"help/add_note\"]}],\"task\":{\"id\":"
            "\"t0123456789012345678901234\"},\"cnf\":{\"x5t#S256\":"
            "\"0123456789012345678901234567890123456789012\"}}",
            (long long)now_s, (long long)now_s + 250)};
    struct msg_sign_jwt svid = {
        .kind = SIGN_JWT_SVID,
        .claims =
            str_fmt(&a, "{\"aud\":\"q\",\"sub\":\"spiffe://t.example/agent/desk/1\",\"exp\":%lld}",
                    (long long)now_s + 250)};
    struct msg_sign_x509 x509 = {
        .spiffe_id = S("spiffe://t.example/agent/desk/1"), .spki = buf_str(&spki), .life_s = 3600};
    measure(w, "task tokens", MSG_SIGN_JWT, &task, MSG_SIGNED_TOKEN, n);
    measure(w, "JWT-SVIDs", MSG_SIGN_JWT, &svid, MSG_SIGNED_TOKEN, n);
    measure(w, "X.509-SVIDs", MSG_SIGN_X509, &x509, MSG_SIGNED_X509, n / 2);
    buf_fini(&spki);
    key_free(own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(run, keeper_set_up, keeper_tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
