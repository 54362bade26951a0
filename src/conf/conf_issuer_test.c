/* "issuers" and "proofs": what is read, what is refused, what is called too wide. */
#include "conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static bool read_text(struct arena *a, const char *issuers, const char *proofs, struct conf *out,
                      struct conf_problems *problems)
{
    str text = str_fmt(a,
                       "{\"trustDomain\":\"td\",\"policies\":[\"p.cedar\"],"
                       "\"people\":{\"ann\":{\"roles\":[\"owner\"]}},"
                       "\"issuers\":{%s},"
                       "\"agents\":{\"triage\":{\"owner\":\"ann\",\"proofs\":[%s]}}}",
                       issuers, proofs);
    return conf_read(a, S("ambit.json"), S("/etc/ambit"), text, out, problems);
}

#define SPIRE "\"spire\":{\"trustDomain\":\"far\",\"bundleFile\":\"far.json\"}"
#define KUBE  "\"kube\":{\"oidc\":\"https://kube\",\"jwksFile\":\"/k.json\"}"
#define GIT   "\"git\":{\"oidc\":\"https://token.actions.githubusercontent.com\"}"
#define ALL   SPIRE "," KUBE "," GIT

static void is_str(str got, const char *want)
{
    if (!str_eq(got, str_z(want)))
        fail_msg("got \"%.*s\", want \"%s\"", STR(got), want);
}

static void test_read(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct conf c;
    struct conf_problems p = {0};
    assert_true(read_text(
        &a,
        ALL ",\"w\":{\"trustDomain\":\"w\",\"workloadSocket\":\"w.sock\",\"maxAge\":\"2h\"},"
            "\"web\":{\"trustDomain\":\"web\",\"endpoint\":\"https://web/b\",\"ca\":\"ca.pem\"},"
            "\"sp\":{\"trustDomain\":\"sp\",\"endpoint\":\"https://sp:8443\",\"bundleFile\":\"b\","
            "\"profile\":\"https_spiffe\",\"endpointId\":\"spiffe://sp/server\"},"
            "\"at\":{\"oidc\":\"https://at/\",\"jwks\":\"http://127.0.0.1:1/k\","
            "\"audiences\":[\"x\"],\"algorithms\":[\"PS256\",\"EdDSA\"]}",
        "{\"issuer\":\"kube\",\"claims\":{\"sub\":\"a:*\",\"n\":5,\"b\":true},"
        "\"instance\":\"/kubernetes.io/pod/uid\"},{\"issuer\":\"spire\",\"id\":\"spiffe://far/x\"}",
        &c, &p));
    assert_int_equal(p.n, 0);
    assert_true(c.fetches);
    assert_int_equal(c.issuers_n, 7);
    const struct conf_issuer *i = conf_issuer(&c, S("spire"));
    assert_int_equal(i->kind, ISSUER_SPIFFE);
    assert_int_equal(i->source, SOURCE_FILE);
    is_str(i->file, "/etc/ambit/far.json");
    assert_int_equal(i->max_age_ms, 24 * 3600 * 1000);
    i = conf_issuer(&c, S("git"));
    assert_int_equal(i->source, SOURCE_DISCOVERY);
    is_str(i->location,
           "https://token.actions.githubusercontent.com/.well-known/openid-configuration");
    i = conf_issuer(&c, S("w"));
    assert_int_equal(i->source, SOURCE_WORKLOAD_API);
    is_str(i->location, "/etc/ambit/w.sock");
    assert_int_equal(i->max_age_ms, 2 * 3600 * 1000);
    i = conf_issuer(&c, S("web"));
    assert_int_equal(i->source, SOURCE_HTTPS_WEB);
    is_str(i->ca_file, "/etc/ambit/ca.pem");
    i = conf_issuer(&c, S("sp"));
    assert_int_equal(i->source, SOURCE_HTTPS_SPIFFE);
    is_str(i->endpoint_id, "spiffe://sp/server");
    is_str(i->file, "/etc/ambit/b");
    i = conf_issuer(&c, S("at"));
    is_str(i->location, "http://127.0.0.1:1/k");
    assert_int_equal(i->algorithms_n, 2);
    assert_null(conf_issuer(&c, S("no")));
    const struct conf_agent *g = conf_agent(&c, S("triage"));
    assert_int_equal(g->proofs_n, 2);
    assert_int_equal(g->proofs[0].claims_n, 3);
    is_str(g->proofs[0].claims[1].value, "5");
    assert_true(g->proofs[0].claims[1].literal && g->proofs[0].claims[2].literal);
    is_str(g->proofs[0].claims[2].value, "true");
    is_str(g->proofs[0].instance, "/kubernetes.io/pod/uid");
    is_str(g->proofs[1].id, "spiffe://far/x");
}

/* Each is refused, and the problem says what the last member names. */
static const struct {
    const char *issuers, *proofs, *says;
} WRONG[] = {
    {"\"x\":{}", "", "either \"trustDomain\""},
    {"\"x\":{\"trustDomain\":\"a\",\"oidc\":\"https://a\"}", "", "either"},
    {"\"x\":{\"trustDomain\":\"a\"}", "", "needs \"bundleFile\""},
    {"\"x\":{\"trustDomain\":\"A\",\"bundleFile\":\"b\"}", "", "lower case"},
    {"\"x\":{\"trustDomain\":\"td\",\"bundleFile\":\"b\"}", "", "own trust domain"},
    {"\"x y\":{\"trustDomain\":\"a\",\"bundleFile\":\"b\"}", "", "made of letters"},
    {"\"x\":{\"trustDomain\":\"a\",\"bundleFile\":\"b\",\"jwks\":\"https://a\"}", "", "for OIDC"},
    {"\"x\":{\"trustDomain\":\"a\",\"bundleFile\":\"b\",\"profile\":\"https_web\"}", "", "belong"},
    {"\"x\":{\"trustDomain\":\"a\",\"workloadSocket\":\"s\",\"endpoint\":\"https://a\"}", "",
     "choose one"},
    {"\"x\":{\"trustDomain\":\"a\",\"endpoint\":\"http://a\"}", "", "https URL"},
    {"\"x\":{\"trustDomain\":\"a\",\"endpoint\":\"http://127.evil.example\"}", "", "https URL"},
    {"\"x\":{\"trustDomain\":\"a\",\"endpoint\":\"http://localhost.evil\"}", "", "https URL"},
    {"\"x\":{\"trustDomain\":\"a\",\"endpoint\":\"https://u@a\"}", "", "https URL"},
    {"\"x\":{\"trustDomain\":\"a\",\"endpoint\":\"https://a/?b\"}", "", "https URL"},
    {"\"x\":{\"trustDomain\":\"a\",\"endpoint\":\"https:///a\"}", "", "https URL"},
    {"\"x\":{\"trustDomain\":\"a\",\"endpoint\":\"file:///a\"}", "", "https URL"},
    {"\"x\":{\"trustDomain\":\"a\",\"endpoint\":\"https://a\",\"profile\":\"web\"}", "",
     "\"https_web\" or"},
    {"\"x\":{\"trustDomain\":\"a\",\"endpoint\":\"https://a\",\"profile\":\"https_spiffe\"}", "",
     "needs the SPIFFE ID"},
    {"\"x\":{\"trustDomain\":\"a\",\"endpoint\":\"https://a\",\"profile\":\"https_spiffe\","
     "\"endpointId\":\"spiffe://a/s\"}",
     "", "first bundle"},
    {"\"x\":{\"trustDomain\":\"a\",\"endpoint\":\"https://a\",\"endpointId\":\"spiffe://a/s\"}", "",
     "https_spiffe only"},
    {"\"x\":{\"trustDomain\":\"a\",\"bundleFile\":\"b\",\"algorithms\":[\"EdDSA\"]}", "",
     "not for SVIDs"},
    {"\"x\":{\"trustDomain\":\"a\",\"bundleFile\":\"b\",\"algorithms\":[\"HS256\"]}", "",
     "not used here"},
    {"\"x\":{\"oidc\":\"https://a\",\"algorithms\":[\"none\"]}", "", "not used here"},
    {"\"x\":{\"oidc\":\"https://a\",\"algorithms\":[]}", "", "names no algorithm"},
    {"\"x\":{\"oidc\":\"https://a\",\"bundleFile\":\"b\"}", "", "for SPIFFE"},
    {"\"x\":{\"oidc\":\"https://a\",\"audiences\":[\"\"]}", "", "audience is empty"},
    {"\"x\":{\"oidc\":\"https://a\",\"maxAge\":\"1s\"}", "", "from 1m"},
    {"\"x\":{\"oidc\":\"https://a\"},\"y\":{\"oidc\":\"https://a\"}", "", "same issuer"},
    {"\"x\":{\"trustDomain\":\"a\",\"bundleFile\":\"b\"},"
     "\"y\":{\"trustDomain\":\"a\",\"bundleFile\":\"b\"}",
     "", "same issuer"},
    {ALL, "{\"id\":\"spiffe://far/x\"}", "must name one"},
    {ALL, "{\"issuer\":\"nobody\",\"id\":\"spiffe://far/x\"}", "must name one"},
    {ALL, "{\"issuer\":\"spire\",\"claims\":{\"sub\":\"x\"}}", "needs an \"id\""},
    {ALL, "{\"issuer\":\"spire\",\"id\":\"spiffe://near/x\"}", "needs an \"id\""},
    {ALL, "{\"issuer\":\"spire\",\"id\":\"spiffe://far\"}", "needs an \"id\""},
    {ALL, "{\"issuer\":\"spire\",\"id\":\"spiffe://far/\"}", "needs an \"id\""},
    {ALL, "{\"issuer\":\"spire\",\"id\":\"spiffe://far*/x\"}", "needs an \"id\""},
    {ALL, "{\"issuer\":\"spire\",\"id\":\"spiffe://far/x*y\"}", "needs an \"id\""},
    {ALL, "{\"issuer\":\"spire\",\"id\":\"spiffe://far/x\",\"claims\":{\"a\":\"b\"}}",
     "for OIDC issuers"},
    {ALL, "{\"issuer\":\"kube\",\"id\":\"spiffe://far/x\"}", "rule over"},
    {ALL, "{\"issuer\":\"kube\",\"claims\":{}}", "rule over"},
    {ALL, "{\"issuer\":\"kube\",\"claims\":[]}", "object of claims"},
    {ALL, "{\"issuer\":\"kube\",\"claims\":{\"sub\":[\"a\"]}}", "must be a string"},
    {ALL, "{\"issuer\":\"kube\",\"claims\":{\"sub\":\"\"}}", "1 to"},
    {ALL, "{\"issuer\":\"kube\",\"claims\":{\"sub\":\"a*b\"}}", "end of a segment"},
    {ALL, "{\"issuer\":\"kube\",\"claims\":{\"sub\":\"**\"}}", "end of a segment"},
    {ALL, "{\"issuer\":\"kube\",\"claims\":{\"/a~2b\":\"x\"}}", "JSON Pointer"},
    {ALL, "{\"issuer\":\"kube\",\"claims\":{\"sub\":\"x\"},\"instance\":\"\"}", "JSON Pointer"},
    {ALL, "{\"issuer\":\"kube\",\"claim\":{\"sub\":\"x\"}}", "claims"},
    {ALL, "\"kube\"", "object"},
};

static const char *all_texts(struct arena *a, const struct conf_problems *p)
{
    struct buf b = {0};
    conf_problems_print(p, S("f"), &b);
    str s = str_dup(a, buf_str(&b));
    buf_fini(&b);
    return s.p;
}

static void test_wrong(void **state)
{
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct conf c;
        struct conf_problems p = {0};
        if (read_text(&a, WRONG[i].issuers, WRONG[i].proofs, &c, &p))
            fail_msg("%zu (%s) accepted", i, WRONG[i].says);
        if (str_find(str_z(all_texts(&a, &p)), str_z(WRONG[i].says)) < 0)
            fail_msg("%zu: \"%s\" is not in: %s", i, WRONG[i].says, all_texts(&a, &p));
    }
}

/* says NULL: nothing to say. */
static const struct {
    const char *proof, *says;
} WIDE[] = {
    {"{\"issuer\":\"kube\",\"claims\":{\"sub\":\"system:serviceaccount:ns:name\"}}", NULL},
    {"{\"issuer\":\"kube\",\"claims\":{\"/kubernetes.io/namespace\":\"ns\"}}", "does not say"},
    {"{\"issuer\":\"kube\",\"claims\":{\"sub\":\"system:serviceaccount:ns:*\"}}", "no claim is"},
    {"{\"issuer\":\"kube\",\"claims\":{\"sub\":\"x\",\"email\":\"a@b\"}}", "changes hands"},
    {"{\"issuer\":\"git\",\"claims\":{\"ref\":\"refs/heads/main\"}}", "names no"},
    {"{\"issuer\":\"git\",\"claims\":{\"repository\":\"o/*\",\"ref\":\"r\"}}", "names no"},
    {"{\"issuer\":\"git\",\"claims\":{\"sub\":\"repo:o/*\"}}", "names no"},
    {"{\"issuer\":\"git\",\"claims\":{\"repository\":\"o/x\",\"ref\":\"r\"}}", "can be taken"},
    {"{\"issuer\":\"git\",\"claims\":{\"repository\":\"o/x\",\"repository_id\":\"1\"}}",
     "any branch"},
    {"{\"issuer\":\"git\",\"claims\":{\"sub\":\"repo:o/x:environment:prod\","
     "\"repository_owner_id\":\"1\"}}",
     NULL},
    {"{\"issuer\":\"git\",\"claims\":{\"repository\":\"o/x\",\"repository_id\":\"1\","
     "\"ref\":\"refs/heads/main\"}}",
     NULL},
    {"{\"issuer\":\"git\",\"claims\":{\"sub\":\"repo:o/x:ref:r\",\"repository_id\":\"1\","
     "\"actor\":\"ann\"}}",
     "changes hands"},
    {"{\"issuer\":\"spire\",\"id\":\"spiffe://far/ns/*\"}", NULL},
    {"{\"issuer\":\"spire\",\"id\":\"spiffe://far/*\"}", "every workload"},
    {"{\"issuer\":\"spire\",\"id\":\"spiffe://far/*/x\"}", "every workload"},
};

static void test_wide(void **state)
{
    for (size_t i = 0; i < sizeof WIDE / sizeof *WIDE; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct conf c;
        struct conf_problems p = {0};
        if (!read_text(&a, ALL, WIDE[i].proof, &c, &p))
            fail_msg("%zu: %s", i, all_texts(&a, &p));
        if (WIDE[i].says ? str_find(str_z(all_texts(&a, &p)), str_z(WIDE[i].says)) < 0 : p.n != 0)
            fail_msg("%zu: want %s, got %s", i, WIDE[i].says ? WIDE[i].says : "nothing",
                     all_texts(&a, &p));
    }
}

static void test_segments(void **state)
{
    static const struct {
        const char *pattern, *value;
        bool match;
    } rows[] = {
        {"a", "a", true},
        {"a", "b", false},
        {"a", "aa", false},
        {"a", "", false},
        {"", "", true},
        {"a/b", "a/b", true},
        {"a/b", "a:b", false},
        {"a/b", "a/b/", false},
        {"a/b", "a", false},
        {"a*", "a", true},
        {"a*", "abc", true},
        {"a*", "b", false},
        {"a*", "a/b", false},
        {"a*", "a:b", false},
        {"*", "a", true},
        {"*", "", false},
        {"a/*", "a/", false},
        {"a/*", "a/x", true},
        {"a/*", "a/x/y", false},
        {"a/*/c", "a/b/c", true},
        {"a/*/c", "a//c", false},
        {"a/*/c", "a/b/d", false},
        {"a:*:c", "a:b:c", true},
        {"a:*:c", "a:b/c", false},
        {"ab*", "a", false},
        {"a", "a*", false},
        {"repo:o/x:*", "repo:o/x:ref:r", false},
        {"spiffe://td/x*", "spiffe://td/x1", true},
        {"spiffe://td/*", "spiffe://td.evil/a", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (conf_segments_match(str_z(rows[i].pattern), str_z(rows[i].value)) != rows[i].match)
            fail_msg("%s, %s: want %d", rows[i].pattern, rows[i].value, rows[i].match);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_wide),
        cmocka_unit_test(test_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
