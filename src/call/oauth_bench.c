/* What tokens cost core: to know one that was seen before, to check a DPoP proof, and to issue one,
 * by each way of proving oneself. The keeper is played in this process, so its signature is in the
 * last figures. Prints a JSON line for each.
 *
 *     oauth_bench [SECONDS for each, default 1] */
#include "call/oauth_bed.h"

#include <time.h>

#define CC     "grant_type", "client_credentials"
#define SPIFFE "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"

static int64_t run_us;

/* CPU time: what else the machine does is not counted. */
static int64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static void report(const char *what, int64_t n, int64_t us)
{
    printf("{\"what\":\"%s\",\"us_each\":%.3f,\"per_second\":%lld}\n", what, (double)us / (double)n,
           (long long)(n * 1000000 / us));
}

static void identify(struct bed *b, const char *what, struct proof p, struct key *key, str nonce)
{
    struct caller who = {0};
    enum refusal_kind kind;
    struct err err;
    int64_t n = 0, spent = 0, begun = clock_mono_us();
    while (clock_mono_us() - begun < run_us) {
        int64_t times = key ? 1 : 1000, now_ms = clock_wall_ms(), at;
        if (key)
            p.dpop = dpop_make(&b->arena, key, str_fmt(&b->arena, "i%lld", (long long)n), S("POST"),
                               S("https://gw.example/mcp"), p.token, nonce, now_ms / 1000);
        at = cpu_us();
        for (int64_t i = 0; i < times; i++)
            if (!gate_identify(&b->g, BED_EDGE, &p, now_ms, &who, &kind, &err))
                fail_msg("%s", err.text);
        spent += cpu_us() - at;
        n += times;
    }
    report(what, n, spent);
}

static void issue(struct bed *b, const char *what, struct proof p, const char *const *params,
                  struct key *key, str nonce)
{
    int64_t n = 0, spent = 0, begun = clock_mono_us(), at;
    for (; clock_mono_us() - begun < run_us; n++) {
        if (key)
            p.dpop = dpop_make(&b->arena, key, str_fmt(&b->arena, "t%lld", (long long)n), S("POST"),
                               S("https://gw.example/oauth/token"), (str){0}, nonce,
                               clock_wall_ms() / 1000);
        at = cpu_us();
        bed_ask(b, OAUTH_TOKEN, p, params);
        spent += cpu_us() - at;
        if (b->status != 200)
            fail_msg("%.*s", STR(b->body));
    }
    report(what, n, spent);
}

static void bench(void **state)
{
    struct bed *b = *state;
    const char *ops[] = {"shop/find"};
    struct key *k;
    struct proof tls = {.listener = BED_TLS, .htm = S("POST")}, plain = {.listener = BED_TLS};
    bed_task(b, "desk", ops, 1, NULL);
    OK(key_generate(KEY_ES256, &k, &err));
    tls.chain = bed_chain(b, "/agent/desk/1", 3600, &tls.cert);
    const char *const by_tls[] = {CC, NULL};
    const char *const by_svid[] = {CC,
                                   "client_assertion_type",
                                   SPIFFE,
                                   "client_assertion",
                                   bed_svid(b, "/agent/desk/1", "https://gw.example").p,
                                   NULL};
    plain.dpop = dpop_make(&b->arena, k, S("first"), S("POST"), S("https://gw.example/oauth/token"),
                           (str){0}, (str){0}, clock_wall_ms() / 1000);
    bed_ask(b, OAUTH_TOKEN, plain, by_svid);
    str nonce = bed_nonce(b);
    issue(b, "issue: X.509-SVID", tls, by_tls, NULL, nonce);
    struct proof use = {.kind = PROOF_TOKEN,
                        .listener = BED_TLS,
                        .htm = S("POST"),
                        .cert = tls.cert,
                        .token = bed_member(b, "access_token")};
    identify(b, "identify: known token, certificate", use, NULL, nonce);
    issue(b, "issue: JWT-SVID and DPoP", plain, by_svid, k, nonce);
    use = (struct proof){.kind = PROOF_DPOP,
                         .listener = BED_TLS,
                         .htm = S("POST"),
                         .token = bed_member(b, "access_token")};
    identify(b, "identify: known token, DPoP proof", use, k, nonce);
    key_free(k);
}

int main(int argc, char **argv)
{
    run_us = (argc > 1 ? atoi(argv[1]) : 1) * INT64_C(1000000);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bench, bed_setup, bed_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
