/* Decisions over several policies; above all that the index never changes an answer. */
#include "cedar/eval/guard.h"
#include "cedar/eval/index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

enum { SEED = 42 };

struct world {
    struct arena arena;
    struct cedar_policies policies;
    struct cedar_set *set;
    struct cedar_entities entities;
};

static void open_world(struct world *w, str text)
{
    struct cedar_diags diags;
    struct err err;
    *w = (struct world){0};
    if (!cedar_policies_parse(&w->arena, S("t"), text, &w->policies, &diags))
        fail_msg("%.*s", STR(diags.items[0].text));
    const struct cedar_policies *texts[] = {&w->policies};
    w->set = cedar_compile(texts, 1, SEED, &err);
    assert_non_null(w->set);
    cedar_entities_init(&w->entities, &w->arena, NULL, SEED);
}

static void close_world(struct world *w)
{
    cedar_set_free(w->set);
    arena_fini(&w->arena);
}

/* "allow 0 2 !3": decision, reasons, errors. */
static void answer(struct world *w, const struct cedar_request *req, char *out, size_t size)
{
    ARENA_SCOPE struct arena scratch = {0};
    struct cedar_response res;
    struct err err;
    if (!cedar_authorize(w->set, req, &w->entities, &scratch, &res, &err)) {
        snprintf(out, size, "%s", err.text);
        return;
    }
    size_t n = (size_t)snprintf(out, size, "%s", res.decision == CEDAR_ALLOW ? "allow" : "deny");
    for (size_t i = 0; i < res.reason_count; i++)
        n += (size_t)snprintf(out + n, size - n, " %u", res.reasons[i]);
    for (size_t i = 0; i < res.error_count; i++)
        n += (size_t)snprintf(out + n, size - n, " !%u", res.errors[i].policy);
}

static const struct {
    const char *text, *want;
    bool allowed; /* by the guard */
} rows[] = {
    {"", "deny", false},
    {"permit(principal,action,resource);", "allow 0", true},
    {"permit(principal,action,resource); permit(principal,action,resource);", "allow 0 1", true},
    {"permit(principal,action,resource); forbid(principal,action,resource);", "deny 1", false},
    {"forbid(principal,action,resource) when {false}; permit(principal,action,resource);",
     "allow 1", true},
    {"permit(principal,action,resource); forbid(principal,action,resource) when {context.none};",
     "allow 0 !1", false},
    {"permit(principal,action,resource) when {1};", "deny !0", false},
    {"permit(principal,action,resource) unless {1};", "deny !0", false},
    {"permit(principal,action,resource) when {false} when {1};", "deny", false},
    {"permit(principal,action,resource) when {true} unless {true} when {1};", "deny", false},
    {"permit(principal == U::\"b\",action,resource) when {1};", "deny", false},
    {"permit(principal == ?principal,action,resource);", "deny", false},
    {"permit(principal,action in [],resource);", "deny", false},
    {"permit(principal,action in [Action::\"v\",Action::\"v\"],resource);", "allow 0", true},
    {"permit(principal is U,action == Action::\"v\",resource is R);"
     "permit(principal is V,action,resource); permit(principal,action,resource is V);"
     "permit(principal,action == Action::\"w\",resource); permit(principal in "
     "U::\"a\",action,resource in R::\"r\");",
     "allow 0 4", true},
};

static void test_decisions(void **state)
{
    (void)state;
    struct cedar_request req = {{S("U"), S("a")}, {S("Action"), S("v")}, {S("R"), S("r")}, NULL};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world w;
        struct err err;
        char got[200];
        open_world(&w, str_z(rows[i].text));
        answer(&w, &req, got, sizeof got);
        assert_string_equal(got, "the entity store is not sealed");
        assert_false(cedar_guard(w.set, &req, &w.entities, &w.arena).allowed);
        assert_true(cedar_entities_seal(&w.entities, &err));
        answer(&w, &req, got, sizeof got);
        struct cedar_verdict v = cedar_guard(w.set, &req, &w.entities, &w.arena);
        if (strcmp(got, rows[i].want) != 0 || v.allowed != rows[i].allowed)
            fail_msg("%s: wanted %s, got %s", rows[i].text, rows[i].want, got);
        assert_int_equal(v.failed, v.response.error_count > 0);
        assert_int_equal(v.why.n > 0, v.failed);
        close_world(&w);
    }
}

static void test_context_must_be_a_record(void **state)
{
    (void)state;
    struct world w;
    struct err err;
    struct cedar_value wrong = cedar_long(1);
    struct cedar_request req = {{S("U"), S("a")}, {S("Action"), S("v")}, {S("R"), S("r")}, &wrong};
    open_world(&w, S("permit(principal,action,resource);"));
    assert_true(cedar_entities_seal(&w.entities, &err));
    struct cedar_verdict v = cedar_guard(w.set, &req, &w.entities, &w.arena);
    assert_true(!v.allowed && v.failed && v.why.n > 0);
    close_world(&w);
}

static void test_several_texts(void **state)
{
    (void)state;
    struct world a, b;
    struct err err;
    open_world(&a, S("@id(\"one\") permit(principal,action,resource);"));
    open_world(&b, S("@id(\"two\") forbid(principal,action,resource);"));
    const struct cedar_policies *texts[] = {&a.policies, &b.policies};
    struct cedar_set *set = cedar_compile(texts, 2, SEED, &err);
    assert_int_equal(cedar_set_count(set), 2);
    assert_true(str_eq(*cedar_policy_annotation(cedar_set_policy(set, 1), S("id")), S("two")));
    assert_ptr_equal(cedar_set_text(set, 1), &b.policies);
    cedar_set_free(set);
    close_world(&b);
    close_world(&a);
}

/* ---- the index against a plain scan of all policies ---- */

static uint64_t next_random(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

static unsigned pick(uint64_t *s, unsigned n)
{
    return (unsigned)(next_random(s) >> 33) % n;
}

static void random_side(struct buf *b, uint64_t *s, const char *var, char type)
{
    buf_put(b, str_z(var));
    switch (pick(s, 6)) {
    case 0:
        buf_printf(b, " == %c::\"%u\"", type, pick(s, 6));
        break;
    case 1:
        buf_printf(b, " in %c::\"%u\"", type, pick(s, 6));
        break;
    case 2:
        buf_printf(b, " is %c", pick(s, 2) ? type : 'X');
        break;
    case 3:
        buf_printf(b, " is %c in %c::\"%u\"", type, type, pick(s, 6));
        break;
    }
}

static void random_action(struct buf *b, uint64_t *s)
{
    buf_put(b, S(",action"));
    unsigned kind = pick(s, 4);
    if (kind == 0)
        buf_printf(b, " == Action::\"%u\"", pick(s, 6));
    if (kind == 1)
        buf_printf(b, " in Action::\"%u\"", pick(s, 6));
    if (kind == 2) {
        buf_put(b, S(" in ["));
        for (unsigned n = pick(s, 4); n > 0; n--)
            buf_printf(b, "Action::\"%u\",", pick(s, 6));
        buf_putc(b, ']');
    }
    buf_putc(b, ',');
}

/* n0 .. n5 of one type, where each is in some with a larger number. */
static void random_entities(struct world *w, uint64_t *s, str type)
{
    struct err err;
    for (unsigned i = 0; i < 6; i++) {
        if (pick(s, 5) == 0)
            continue;
        struct cedar_uid *parents = ARENA_ARRAY(&w->arena, struct cedar_uid, 3);
        struct cedar_entity e = {.uid = {type, str_fmt(&w->arena, "%u", i)}, .parents = parents};
        for (; i < 5 && e.parent_count < pick(s, 4); e.parent_count++)
            parents[e.parent_count] =
                (struct cedar_uid){type, str_fmt(&w->arena, "%u", i + 1 + pick(s, 5 - i))};
        assert_true(cedar_entities_add(&w->entities, &e, &err));
    }
}

/* What the language says about a scope, straight from the syntax tree. */
static bool scope_holds(const struct world *w, const struct cedar_scope *s,
                        const struct cedar_uid *uid)
{
    bool is = s->op < CEDAR_SCOPE_IS || str_eq(s->type, uid->type);
    if (s->op == CEDAR_SCOPE_EQ)
        return cedar_uid_eq(&s->uids[0].uid, uid);
    if (s->op == CEDAR_SCOPE_ANY || s->op == CEDAR_SCOPE_IS || !is)
        return is;
    for (size_t i = 0; i < s->uid_count; i++) {
        if (cedar_entities_in(&w->entities, uid, &s->uids[i].uid))
            return true;
    }
    return false;
}

static void check_request(struct world *w, const struct cedar_request *req)
{
    char got[4000], want[4000] = "";
    size_t n = 0;
    answer(w, req, got, sizeof got);
    for (size_t i = 0; i < w->policies.count; i++) {
        const struct cedar_scope *s = w->policies.items[i].scope;
        if (scope_holds(w, &s[CEDAR_PRINCIPAL], &req->principal) &&
            scope_holds(w, &s[CEDAR_ACTION], &req->action) &&
            scope_holds(w, &s[CEDAR_RESOURCE], &req->resource))
            n += (size_t)snprintf(want + n, sizeof want - n, " %zu", i);
    }
    const char *reasons = got + (n ? 5 : 4);
    if (strcmp(reasons, want) != 0)
        fail_msg("wanted%s, got %s", want, got);
}

static void test_index(void **state)
{
    (void)state;
    uint64_t s = 88172645463325252u;
    for (int round = 0; round < 100; round++) {
        struct world w;
        struct err err;
        struct buf b = {0};
        for (int i = 0; i < 20 + 2 * round; i++) { /* small buckets and large ones */
            buf_put(&b, S("permit("));
            random_side(&b, &s, "principal", 'P');
            random_action(&b, &s);
            random_side(&b, &s, "resource", 'R');
            buf_put(&b, S(");\n"));
        }
        open_world(&w, buf_str(&b));
        w.entities.seed = round % 2 ? SEED : SEED + 1;
        random_entities(&w, &s, S("P"));
        random_entities(&w, &s, S("R"));
        random_entities(&w, &s, S("Action"));
        assert_true(cedar_entities_seal(&w.entities, &err));
        for (int i = 0; i < 20; i++) {
            char ids[3][2] = {{(char)('0' + pick(&s, 7))},
                              {(char)('0' + pick(&s, 7))},
                              {(char)('0' + pick(&s, 7))}};
            struct cedar_request req = {{S("P"), str_z(ids[0])},
                                        {S("Action"), str_z(ids[1])},
                                        {S("R"), str_z(ids[2])},
                                        NULL};
            check_request(&w, &req);
        }
        close_world(&w);
        buf_fini(&b);
    }
}

/* With selective scopes a request runs the conditions of the few policies that can apply. */
static void test_selectivity(void **state)
{
    (void)state;
    struct world w;
    struct err err;
    struct buf b = {0};
    for (int i = 0; i < 2000; i++)
        buf_printf(&b,
                   "permit(principal == U::\"%d\", action == Action::\"v\", resource) when { "
                   "context has a };\n",
                   i);
    open_world(&w, buf_str(&b));
    assert_true(cedar_entities_seal(&w.entities, &err));
    struct cedar_request req = {{S("U"), S("77")}, {S("Action"), S("v")}, {S("R"), S("r")}, NULL};
    assert_int_equal(cedar_guard(w.set, &req, &w.entities, &w.arena).response.evaluated, 1);
    close_world(&w);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decisions),     cmocka_unit_test(test_context_must_be_a_record),
        cmocka_unit_test(test_several_texts), cmocka_unit_test(test_index),
        cmocka_unit_test(test_selectivity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
