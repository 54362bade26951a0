/* Bounded memory and time: no allocation once warm, and nothing that a stranger or a careless
 * author writes makes a decision, or loading, dear beyond its size. */
#include "base/json.h"
#include "cedar/cedar.h"
#include "cedar/value/entities_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { SEED = 42 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif
#ifdef SANITIZED
enum { SLOWER = 20 };
#else
enum { SLOWER = 1 };
#define COUNTS_ALLOCATIONS
#endif

/* ---- allocations, counted where this program may bring its own malloc ---- */

static size_t allocations;

#ifdef COUNTS_ALLOCATIONS
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);
void *malloc(size_t n)
{
    allocations++;
    return __libc_malloc(n);
}
void *calloc(size_t n, size_t size)
{
    allocations++;
    return __libc_calloc(n, size);
}
void *realloc(void *p, size_t n)
{
    allocations++;
    return __libc_realloc(p, n);
}
void *aligned_alloc(size_t align, size_t n)
{
    allocations++;
    return __libc_memalign(align, n);
}
#endif

/* ---- a world ---- */

struct world {
    struct arena arena;
    struct cedar_policies policies;
    struct cedar_set *set;
    struct cedar_entities entities;
};

static void open_world(struct world *w, const struct buf *policies, const char *entities)
{
    struct cedar_diags diags;
    struct err err;
    const json *root;
    *w = (struct world){0};
    if (!cedar_policies_parse(&w->arena, S("t"), buf_str(policies), &w->policies, &diags))
        fail_msg("%.*s", STR(diags.items[0].text));
    const struct cedar_policies *texts[] = {&w->policies};
    w->set = cedar_compile(texts, 1, SEED, &err);
    assert_non_null(w->set);
    cedar_entities_init(&w->entities, &w->arena, NULL, SEED);
    assert_true(json_read(&w->arena, str_z(entities), NULL, &root, &err));
    assert_true(cedar_entities_from_json(&w->entities, root, NULL, &err));
    assert_true(cedar_entities_seal(&w->entities, &err));
}

static void close_world(struct world *w)
{
    cedar_set_free(w->set);
    arena_fini(&w->arena);
}

static struct cedar_value context_of(struct arena *a, const char *text)
{
    struct cedar_value v;
    struct err err;
    const json *root;
    assert_true(json_read(a, str_z(text), NULL, &root, &err));
    assert_true(cedar_context_from_json(a, root, NULL, &v, &err));
    return v;
}

static struct cedar_response decide(struct world *w, const struct cedar_value *context,
                                    struct arena *scratch)
{
    struct cedar_request req = {{S("U"), S("a")}, {S("Action"), S("v")}, {S("R"), S("r")}, context};
    struct cedar_response res;
    struct err err;
    assert_true(cedar_authorize(w->set, &req, &w->entities, scratch, &res, &err));
    return res;
}

/* ---- memory ---- */

static const char conditions[] =
    "context.n + 1 > 2 && context.n * context.n < 100;"
    "[context.n, 2, 3].contains(2) && [context.n].containsAny([1, 5]);"
    "{a: context.n, b: \"x\"} == {b: \"x\", a: 5};"
    "principal in G::\"g\" && principal in [G::\"h\", G::\"g\"] && principal.m.n == \"deep\";"
    "context has o.p && context.o.p like \"a*b*c\";"
    "if principal.f then decimal(\"1.5\").lessThan(decimal(\"2.0\")) else context.none;"
    "ip(context.ip).isInRange(ip(\"10.0.0.0/8\"));"
    "datetime(\"2024-01-01\").offset(duration(\"1d\")) > datetime(context.day);"
    "principal.hasTag(\"t\") && principal.getTag(\"t\") == 1;"
    "context.none == 1;"
    "9223372036854775807 + context.n > 0;"
    "!(context.n == 5) || resource is R in R::\"s\" || action in Action::\"w\";";

static void test_no_allocation_once_warm(void **state)
{
    (void)state;
    struct world w;
    struct buf text = {0};
    ARENA_SCOPE struct arena scratch = {0};
    for (int i = 0; i < 40; i++) {
        str rest = str_z(conditions), one;
        while (str_cut(rest, ';', &one, &rest))
            buf_printf(&text, "%s(principal, action%s, resource) when { %.*s };\n",
                       i % 2 ? "permit" : "forbid", i % 3 ? "" : " == Action::\"v\"", STR(one));
    }
    open_world(
        &w, &text,
        "[{\"uid\":{\"type\":\"U\",\"id\":\"a\"},\"attrs\":{\"f\":true,\"m\":{\"n\":\"deep\"}},"
        "\"tags\":{\"t\":1},\"parents\":[{\"type\":\"G\",\"id\":\"g\"}]},"
        "{\"uid\":{\"type\":\"Action\",\"id\":\"v\"},\"attrs\":{},"
        "\"parents\":[{\"type\":\"Action\",\"id\":\"w\"}]}]");
    struct cedar_value context =
        context_of(&w.arena, "{\"n\":5,\"o\":{\"p\":\"a-b-c\"},\"ip\":\"10.1.2.3\","
                             "\"day\":\"2023-05-06\"}");
    size_t reasons = 0, errors = 0, evaluated = 0;
    for (int i = 0; i < 20; i++) {
        size_t before = allocations;
        arena_reset(&scratch);
        struct cedar_response res = decide(&w, &context, &scratch);
        reasons = res.reason_count, errors = res.error_count, evaluated = res.evaluated;
        if (i >= 15)
            assert_int_equal(allocations - before, 0);
    }
    assert_true(reasons > 100 && errors >= 80 && evaluated == cedar_set_count(w.set));
#ifdef COUNTS_ALLOCATIONS
    assert_true(allocations > 0); /* the counter counts */
#endif
    close_world(&w);
    buf_fini(&text);
}

/* ---- time ---- */

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void within(double limit, double since, const char *what)
{
    double took = seconds() - since;
    if (took > limit * SLOWER)
        fail_msg("%s took %.3f s", what, took);
}

static void many(struct buf *b, int n, const char *format)
{
    for (int i = 0; i < n; i++) {
        char one[200];
        size_t at = 0;
        for (const char *p = format; *p; p++) {
            if (*p == '#')
                at += (size_t)snprintf(one + at, sizeof one - at, "%d", i);
            else
                one[at++] = *p;
        }
        buf_put(b, str_of(one, at));
    }
}

/* Loads and decides ten times; which parts a text has is said by `#`, the number of the part. */
static const struct {
    const char *what, *head, *part, *tail;
    int parts;
    double limit_s;
} hostile[] = {
    {"a pattern of many stars", "permit(principal,action,resource) when { context.long like \"",
     "*a", "*b\" };", 50000, 1},
    {"two huge sets", "permit(principal,action,resource) when { context.set.containsAll([", "#,",
     "]) };", 100000, 1},
    {"a huge set made anew each time", "permit(principal,action,resource) when { [context.n,",
     "100000 - #,", "].contains(7) };", 100000, 2},
    {"huge sets that differ in one element, in many policies", "",
     "permit(principal,action,resource) when { [1,2,3,4,5,6,7,8,9,10,11,12,#].contains(context.n) "
     "};",
     "", 20000, 2},
    {"a record of many keys", "permit(principal,action,resource) when { {", "k#: context.n,",
     "} == context };", 50000, 2},
    {"a long chain of or", "permit(principal,action,resource) when { false ",
     "|| context.n == # + 10", "};", 100000, 2},
    {"one action in a list that is repeated", "permit(principal,action in [", "Action::\"v\",",
     "],resource);", 100000, 1},
    {"many policies that all apply", "",
     "permit(principal,action,resource) when { context.n < # };", "", 50000, 2},
    {"many policies on one group", "", "permit(principal in G::\"#\",action,resource);", "", 100000,
     3},
};

static void test_time(void **state)
{
    (void)state;
    struct buf set = {0};
    buf_put(&set, S("{\"n\":5,\"long\":\""));
    for (int i = 0; i < 200000; i++)
        buf_putc(&set, 'a');
    buf_put(&set, S("\",\"set\":[0"));
    for (int i = 1; i < 100000; i++)
        buf_printf(&set, ",%d", i);
    buf_put(&set, S("]}"));
    buf_putc(&set, '\0');
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct world w;
        struct buf text = {0};
        ARENA_SCOPE struct arena scratch = {0};
        double from = seconds();
        buf_put(&text, str_z(hostile[i].head));
        many(&text, hostile[i].parts, hostile[i].part);
        buf_put(&text, str_z(hostile[i].tail));
        open_world(&w, &text, "[]");
        struct cedar_value context = context_of(&w.arena, buf_str(&set).p);
        for (int k = 0; k < 10; k++) {
            arena_reset(&scratch);
            (void)decide(&w, &context, &scratch);
        }
        within(hostile[i].limit_s, from, hostile[i].what);
        close_world(&w);
        buf_fini(&text);
    }
    buf_fini(&set);
}

/* A chain of groups: everybody's ancestors are all above him, and stop at the limit. */
static void test_deep_hierarchy(void **state)
{
    (void)state;
    enum { DEEP = 1000, TOO_DEEP = 5000 };
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    double from = seconds();
    for (int n = DEEP; n <= TOO_DEEP; n += TOO_DEEP - DEEP) {
        struct cedar_entities s;
        cedar_entities_init(&s, &a, NULL, SEED);
        for (int i = 0; i < n; i++) {
            struct cedar_uid *parent = ARENA_NEW(&a, struct cedar_uid);
            *parent = (struct cedar_uid){S("G"), str_fmt(&a, "%d", i + 1)};
            struct cedar_entity e = {
                .uid = {S("G"), str_fmt(&a, "%d", i)}, .parents = parent, .parent_count = 1};
            assert_true(cedar_entities_add(&s, &e, &err));
        }
        assert_int_equal(cedar_entities_seal(&s, &err), n == DEEP);
    }
    within(3, from, "sealing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_allocation_once_warm),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_deep_hierarchy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
