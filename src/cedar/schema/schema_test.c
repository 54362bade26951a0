/* Schemas: what is read, what is refused and under which code, and what names resolve to. */
#include "cedar/schema/finding.h"
#include "cedar/schema/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static bool read_schema(struct arena *a, const char *text, const struct schema **out,
                        struct cedar_diags *d)
{
    cedar_diags_init(d, a, S("test"), str_z(text));
    return schema_read(a, str_z(text), out, d);
}

static const char *const accepted[] = {
    "",
    "entity A;",
    "entity A, B, C;",
    "entity A in B; entity B;",
    "entity A in [B, C]; entity B, C;",
    "entity A in [];",
    "entity A {};",
    "entity A = {};",
    "entity A { x: Long };",
    "entity A { x: Long, };",
    "entity A { x?: Long, \"a b\": String, \"\"?: Bool };",
    "entity A { in_: Long, \"in\": Long };",
    "entity A { entity: Long, action: Long, type: Long, namespace: Long, context: Long };",
    "entity A tags String;",
    "entity A in A { x: A } tags Set<A>;",
    "entity A in B; entity B in A;",
    "entity A enum [\"x\"];",
    "entity A, B enum [\"x\", \"y\", \"x\"];",
    "entity A in E; entity E enum [\"x\"];",
    "entity enum enum [\"enum\"];",
    "entity tags tags String;",
    "entity Set { s: Set<Set>, };",
    "entity Bool { x: Bool };",
    "entity String; type T = __cedar::String;",
    "entity A { a: __cedar::Long, b: __cedar::ipaddr };",
    "type T = Long; entity A { x: T };",
    "type T = { x: U }; type U = Set<V>; type V = decimal;",
    "type decimal = String; entity A { x: decimal };",
    "type A = Long; entity A { x: A };",
    "entity A { x: { y: { z: datetime } }, d: duration };",
    "action a;",
    "action a, \"b c\", d;",
    "action a in b; action b;",
    "action a in [b, \"c\", Action::\"d\"]; action b, c, d;",
    "action a attributes {};",
    "entity A; action a appliesTo { principal: A, resource: A };",
    "entity A; action a appliesTo { principal: [A], resource: [A], context: {} };",
    "entity A; action a appliesTo { context: {x: Long,}, resource: A, principal: A, };",
    "entity A; type C = {x: Long}; action a appliesTo { principal: A, resource: A, context: C };",
    "entity A; action a; entity B { x: Action };",
    "namespace N { entity A; }",
    "namespace N::M { entity A in A; } namespace N { entity A in N::M::A; }",
    "namespace N { action a; } namespace M { action b in N::Action::\"a\"; }",
    "namespace N { action a in b; } action b;",
    "namespace N { entity A { x: B }; } entity B;",
    "namespace N { type B = Long; entity A { x: B }; }",
    "entity A; namespace N { entity B; } entity C;",
    "@doc(\"x\") entity A;",
    "@doc @a(\"\") entity A { @if(\"x\") x: Long };",
    "@n(\"1\") namespace N { @t type T = Long; @c action c; }",
    "// a comment\nentity A; // and another",
    "entity A { \"\\u{1F600}\\n\": Long };",
    "entity A { s: Set<Set<{x?: Set<Long>}>> };",
};

static const struct {
    const char *text, *code;
} refused[] = {
    {"entity", "schema-syntax"},
    {"entity A", "schema-syntax"},
    {"entity A,;", "schema-syntax"},
    {"entity A in;", "schema-syntax"},
    {"entity A in [A,];", "schema-syntax"},
    {"entity A { x Long };", "schema-syntax"},
    {"entity A { x: };", "schema-syntax"},
    {"entity A { x: Long y: Long };", "schema-syntax"},
    {"entity A { ,};", "schema-syntax"},
    {"entity A enum [];", "schema-syntax"},
    {"entity A enum [x];", "schema-syntax"},
    {"entity A enum [\"x\",];", "schema-syntax"},
    {"entity A { x: Set };", "schema-unknown-type"},
    {"entity A { x: Set<> };", "schema-syntax"},
    {"entity A { x: Set<Long };", "schema-syntax"},
    {"entity A::B;", "schema-syntax"},
    {"type T;", "schema-syntax"},
    {"type T = Long", "schema-syntax"},
    {"action;", "schema-syntax"},
    {"action a in [];", "schema-syntax"},
    {"action a appliesTo {};", "schema-syntax"},
    {"action a attributes {x: Long};", "schema-syntax"},
    {"foo A;", "schema-syntax"},
    {"namespace N entity A;", "schema-syntax"},
    {"namespace N { namespace M { } }", "schema-syntax"},
    {"namespace N { entity A; ", "schema-syntax"},
    {"@doc", "schema-syntax"},
    {"@doc(x) entity A;", "schema-syntax"},
    {"entity A { \"\\q\": Long };", "schema-syntax"},
    {"entity A = Long;", "schema-syntax"},
    {"entity if;", "schema-reserved"},
    {"entity A { in: Long };", "schema-reserved"},
    {"entity A { x: in };", "schema-reserved"},
    {"entity __cedar;", "schema-reserved"},
    {"type __cedar = Long;", "schema-reserved"},
    {"namespace __cedar { entity A; }", "schema-reserved"},
    {"namespace A::__cedar { entity A; }", "schema-reserved"},
    {"entity Action;", "schema-reserved"},
    {"type Bool = Long;", "schema-reserved"},
    {"type Boolean = Long;", "schema-reserved"},
    {"type Entity = Long;", "schema-reserved"},
    {"type Set = Long;", "schema-reserved"},
    {"type Record = Long;", "schema-reserved"},
    {"type Extension = Long;", "schema-reserved"},
    {"entity A; entity A;", "schema-duplicate"},
    {"entity A, A;", "schema-duplicate"},
    {"type T = Long; type T = Long;", "schema-duplicate"},
    {"action a; action \"a\";", "schema-duplicate"},
    {"namespace N { } namespace N { }", "schema-duplicate"},
    {"entity A { x: Long, x: Long };", "schema-duplicate"},
    {"entity A { x: Long, \"x\"?: String };", "schema-duplicate"},
    {"@a @a entity A;", "schema-duplicate"},
    {"entity A { @a(\"\") @a x: Long };", "schema-duplicate"},
    {"entity A; action a appliesTo { principal: A, resource: A, principal: A };",
     "schema-duplicate"},
    {"entity A; action a appliesTo { principal: A, resource: A, context: {}, context: {} };",
     "schema-duplicate"},
    {"entity A; namespace N { entity A; }", "schema-shadow"},
    {"type A = Long; namespace N { entity A; }", "schema-shadow"},
    {"entity A; namespace N::M { type A = Long; }", "schema-shadow"},
    {"action a; namespace N { action a; }", "schema-shadow"},
    {"entity A { x: B };", "schema-unknown-type"},
    {"entity A in B;", "schema-unknown-type"},
    {"entity A in T; type T = Long;", "schema-unknown-type"},
    {"entity A in Action; action a;", "schema-unknown-type"},
    {"entity A { x: N::B }; entity B;", "schema-unknown-type"},
    {"namespace N { entity A { x: M::B }; } namespace M { entity C; }", "schema-unknown-type"},
    {"entity A { x: __cedar::Foo };", "schema-unknown-type"},
    {"entity A { x: Boolean };", "schema-unknown-type"},
    {"entity A in Long;", "schema-unknown-type"},
    {"entity A tags B;", "schema-unknown-type"},
    {"type T = Set<B>;", "schema-unknown-type"},
    {"action a appliesTo { principal: A, resource: A };", "schema-unknown-type"},
    {"entity A; action a appliesTo { principal: Action, resource: A };", "schema-unknown-type"},
    {"entity A; action a appliesTo { principal: A, resource: A, context: A };",
     "schema-unknown-type"},
    {"entity A; action a appliesTo { principal: A, resource: A, context: Long };",
     "schema-not-record"},
    {"entity A; type C = Set<Long>; action a appliesTo {principal: A, resource: A, context: C};",
     "schema-not-record"},
    {"action a in b;", "schema-unknown-action"},
    {"action a in Foo::\"b\"; action b;", "schema-unknown-action"},
    {"action a in N::Action::\"b\"; action b;", "schema-unknown-action"},
    {"entity A; action a appliesTo { principal: A };", "schema-applies-to"},
    {"entity A; action a appliesTo { resource: A };", "schema-applies-to"},
    {"entity A; action a appliesTo { principal: [], resource: A };", "schema-applies-to"},
    {"action a in a;", "schema-cycle"},
    {"action a in b; action b in c; action c in a;", "schema-cycle"},
    {"type T = T;", "schema-cycle"},
    {"type T = Set<U>; type U = {x: V}; type V = T;", "schema-cycle"},
};

static void test_accepted(void **state)
{
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct cedar_diags d;
        const struct schema *s = NULL;
        if (!read_schema(&a, accepted[i], &s, &d))
            fail_msg("refused: %s\n%.*s", accepted[i], STR(d.items[0].text));
        assert_non_null(s);
        assert_int_equal(d.errors, 0);
    }
}

static void test_refused(void **state)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct cedar_diags d;
        const struct schema *s = NULL;
        if (read_schema(&a, refused[i].text, &s, &d))
            fail_msg("accepted: %s", refused[i].text);
        if (strcmp(d.items[0].code, refused[i].code) != 0)
            fail_msg("%s: %s (%.*s), not %s", refused[i].text, d.items[0].code,
                     STR(d.items[0].text), refused[i].code);
        assert_true(d.items[0].span.end <= strlen(refused[i].text));
    }
}

static const struct ctype *attr_of(const struct schema *s, const char *etype, const char *attr)
{
    const struct schema_etype *e = schema_etype(s, str_z(etype));
    assert_non_null(e);
    const struct ctype_attr *x = ctype_attr(e->shape, str_z(attr));
    assert_non_null(x);
    return x->type;
}

/* Common type before entity type before built-in; own namespace before the empty one. */
static void test_resolution(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct cedar_diags d;
    const struct schema *s;
    assert_true(
        read_schema(&a,
                    "namespace N {"
                    "  type T = Long; entity T; type Action = Long; action a;"
                    "  entity Bool; entity E { t: T, b: Bool, c: __cedar::Bool, x: X, l: Long };"
                    "} entity X; namespace M { entity E { b: Bool, n: N::T }; }",
                    &s, &d));
    assert_int_equal(attr_of(s, "N::E", "t")->kind, CTYPE_LONG);
    assert_true(ctype_has_etype(attr_of(s, "N::E", "b"), schema_etype(s, S("N::Bool"))->index));
    assert_int_equal(attr_of(s, "N::E", "c")->kind, CTYPE_BOOL);
    assert_true(ctype_has_etype(attr_of(s, "N::E", "x"), schema_etype(s, S("X"))->index));
    assert_int_equal(attr_of(s, "N::E", "l")->kind, CTYPE_LONG);
    assert_int_equal(attr_of(s, "M::E", "b")->kind, CTYPE_BOOL);
    assert_int_equal(attr_of(s, "M::E", "n")->kind, CTYPE_LONG);
    assert_int_equal(d.warnings, 2); /* T hides the entity, Bool the built-in; the
                                      * type of actions is nobody's name to hide */
}

static void test_hierarchies(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct cedar_diags d;
    const struct schema *s;
    assert_true(
        read_schema(&a,
                    "entity A in B; entity B in C; entity C in [A]; entity D in C; entity E;"
                    "action x in [y]; action y in z; action z; namespace N { action w in x; }",
                    &s, &d));
    uint32_t t[5];
    for (uint32_t i = 0; i < 5; i++)
        t[i] = schema_etype(s, str_of(&"ABCDE"[i], 1))->index;
    assert_true(schema_etype_can_be_in(s, t[3], t[0]));
    assert_true(schema_etype_can_be_in(s, t[0], t[2]));
    assert_false(schema_etype_can_be_in(s, t[0], t[3]));
    assert_true(schema_etype_can_be_in(s, t[4], t[4]));
    assert_int_equal(schema_etype(s, S("A"))->ancestors.count, 3);
    struct cedar_uid x = {S("Action"), S("x")}, z = {S("Action"), S("z")},
                     w = {S("N::Action"), S("w")};
    const struct schema_action *ax = schema_action(s, &x), *az = schema_action(s, &z),
                               *aw = schema_action(s, &w);
    assert_true(schema_action_is_in(ax, az));
    assert_false(schema_action_is_in(az, ax));
    assert_true(schema_action_is_in(aw, az));
    assert_int_equal(aw->ancestors.count, 3);
    assert_true(schema_etype_can_be_in(s, aw->etype->index, az->etype->index));
    assert_false(schema_etype_can_be_in(s, az->etype->index, aw->etype->index));
    struct cedar_uid none = {S("A"), S("x")};
    assert_null(schema_action(s, &none));
}

static void test_help(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct cedar_diags d;
    const struct schema *s;
    assert_false(read_schema(&a, "entity User; entity Doc { owner: Usr };", &s, &d));
    assert_true(str_eq(d.items[0].help, S("did you mean `User`?")));
    assert_int_equal(d.items[0].span.start, 33);
}

/* Types that are small to write and huge to walk are refused; deep chains end in an error. */
static void test_limits(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct buf b = {0};
    struct cedar_diags d;
    const struct schema *s;
    buf_put(&b, S("type T0 = Long;"));
    for (int i = 1; i < 40; i++)
        buf_printf(&b, "type T%d = {a: T%d, b: T%d};", i, i - 1, i - 1);
    buf_putc(&b, '\0');
    assert_false(read_schema(&a, buf_str(&b).p, &s, &d));
    assert_string_equal(d.items[0].code, "schema-limit");
    buf_clear(&b);
    buf_put(&b, S("type T = "));
    for (int i = 0; i < 5000; i++)
        buf_put(&b, S("Set<"));
    buf_putc(&b, '\0');
    assert_false(read_schema(&a, buf_str(&b).p, &s, &d));
    assert_string_equal(d.items[0].code, "schema-limit");
    buf_clear(&b);
    for (int i = 0; i < 5000; i++)
        buf_printf(&b, "type T%d = T%d;", i, i + 1);
    buf_put(&b, S("type T5000 = Long;"));
    buf_putc(&b, '\0');
    (void)read_schema(&a, buf_str(&b).p, &s, &d); /* the order decides; it must only end */
    buf_fini(&b);
}

static void test_annotations(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct cedar_diags d;
    const struct schema *s;
    assert_true(read_schema(&a, "@doc(\"d\\n\") @x entity A; @y(\"1\") action b;", &s, &d));
    const struct schema_etype *e = schema_etype(s, S("A"));
    assert_int_equal(e->annotation_count, 2);
    assert_true(str_eq(e->annotations[0].value, S("d\n")));
    assert_false(e->annotations[1].has_value);
    assert_true(str_eq(s->actions[0].annotations[0].name, S("y")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_resolution),  cmocka_unit_test(test_hierarchies),
        cmocka_unit_test(test_help),        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_annotations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
