/* Schemas in JSON: what is read, what is refused with which code at which path, what references
 * mean, and what is printed. Tables were checked against SDK 4.12 but for what schema.h,
 * schema_json.h and schema_print.h list as differences. */
#include "cedar/schema/finding.h"
#include "cedar/schema/schema_json.h"
#include "cedar/schema/schema_print.h"
#include "cedar/schema/schema_same.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

/* Single quotes stand for double ones. */
static str quoted(struct arena *a, const char *text)
{
    str s = str_dup(a, str_z(text));
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\'')
            ((char *)s.p)[i] = '"';
    return s;
}

#define NS(entities, actions, commons)                                                             \
    "{'':{'entityTypes':{" entities "},'actions':{" actions "},'commonTypes':{" commons "}}}"
#define ATTR(type)   NS("'E':{'shape':{'type':'Record','attributes':{'x':" type "}}}", "", "")
#define ENTITY(body) NS("'E':" body ",'P':{}", "", "'R':{'type':'Record','attributes':{}}")
#define ACTION(body)                                                                               \
    NS("'U':{}", "'a':" body ",'b':{}", "'C':{'type':'Record','attributes':{}},'L':{'type':'Long'}")
#define APPLIES(more) ACTION("{'appliesTo':{'principalTypes':['U'],'resourceTypes':['U']" more "}}")

static const char *const accepted[] = {
    "{}",
    NS("", "", ""),
    "{'N':{'entityTypes':{},'actions':{}}}",
    "{'N::M':{'entityTypes':{'E':{}},'actions':{},'annotations':{'a':'b','if':null}}}",
    "{'':{'entityTypes':{},'actions':{},'annotations':{}}}",
    ATTR("{'type':'Long'}"),
    ATTR("{'type':'Boolean'}"),
    ATTR("{'type':'Bool'}"),
    ATTR("{'type':'__cedar::Long'}"),
    ATTR("{'type':'ipaddr'}"),
    ATTR("{'type':'Extension','name':'duration'}"),
    ATTR("{'type':'EntityOrCommon','name':'E'}"),
    ATTR("{'type':'EntityOrCommon','name':'Bool'}"),
    ATTR("{'type':'EntityOrCommon','name':'__cedar::decimal'}"),
    ATTR("{'name':'E','type':'Entity'}"),
    ATTR("{'type':'Set','element':{'type':'Set','element':{'type':'String'}}}"),
    ATTR("{'type':'Record','attributes':{},'additionalAttributes':false,'required':false}"),
    ATTR("{'type':'Long','required':true,'annotations':{'doc':'x'}}"),
    NS("'E':{'shape':{'type':'Record','attributes':{'':{'type':'Long'},'in':{'type':'Long'}}}}", "",
       ""),
    NS("'Set':{},'Long':{'shape':{'type':'Record','attributes':{'x':{'type':'Long'}}}}", "", ""),
    NS("", "", "'ipaddr':{'type':'Long'},'EntityOrCommon':{'type':'ipaddr'}"),
    NS("", "", "'Action':{'type':'Long','annotations':{'a':null}}"),
    NS("'E':{'shape':{'type':'Record','attributes':{'x':{'type':'Entity','name':'Action'}}}}",
       "'a':{}", ""),
    ENTITY("{'memberOfTypes':[]}"),
    ENTITY("{'memberOfTypes':['P','E','P']}"),
    ENTITY("{'shape':{'type':'R'}}"),
    ENTITY("{'shape':{'type':'EntityOrCommon','name':'R'}}"),
    ENTITY("{'tags':{'type':'Set','element':{'type':'Entity','name':'E'}}}"),
    ENTITY("{'enum':['a','a',''],'annotations':{'b':''}}"),
    ACTION("{}"),
    ACTION("{'attributes':null,'appliesTo':null,'memberOf':null}"),
    ACTION("{'memberOf':[]}"),
    ACTION("{'memberOf':[{'id':'b'},{'id':'b','type':'Action'},{'type':null,'id':'b'}]}"),
    ACTION("{'appliesTo':{'principalTypes':[],'resourceTypes':['U'],'context':{'type':'C'}}}"),
    APPLIES(""),
    APPLIES(",'context':{'type':'C'}"),
    APPLIES(",'context':{'type':'EntityOrCommon','name':'C'}"),
    APPLIES(",'context':{'type':'Record','attributes':{'x':{'type':'C','required':false}}}"),
    NS("", "'':{},'a \\u0000\\n':{}", ""),
    ("{'N':{'entityTypes':{'E':{}},'actions':{'x':{'memberOf':[{'id':'y','type':'M::Action'}]}}},"
     "'M':{'entityTypes':{},'actions':{'y':{}}}}"),
};

static const struct {
    const char *text, *code, *begins;
} refused[] = {
    {"", "schema-syntax", "empty text"},
    {"{", "schema-syntax", "not JSON"},
    {"[]", "schema-syntax", "expected an object"},
    {"{'':{}}", "schema-syntax", "\"\": member `entityTypes`"},
    {"{'':{'entityTypes':{}}}", "schema-syntax", "\"\": member `actions`"},
    {"{'':[]}", "schema-syntax", "\"\": expected an object"},
    {"{'':null}", "schema-syntax", "\"\": expected an object"},
    {"{'N M':{'entityTypes':{},'actions':{}}}", "schema-syntax", "\"N M\": "},
    {"{' N':{'entityTypes':{},'actions':{}}}", "schema-syntax", "\" N\": "},
    {"{'N::':{'entityTypes':{},'actions':{}}}", "schema-syntax", "N::: "},
    {"{'in':{'entityTypes':{},'actions':{}}}", "schema-reserved", "in: "},
    {"{'__cedar':{'entityTypes':{},'actions':{}}}", "schema-reserved", "__cedar: "},
    {"{'A::__cedar':{'entityTypes':{},'actions':{}}}", "schema-reserved", "A::__cedar: "},
    {"{'':{'entityTypes':{},'actions':{},'foo':1}}", "schema-syntax", "\"\".foo: "},
    {"{'':{'entityTypes':[],'actions':{}}}", "schema-syntax", "\"\".entityTypes: expected an obj"},
    {"{'':{'entityTypes':{},'actions':null}}", "schema-syntax", "\"\".actions: expected an object"},
    {"{'':{'entityTypes':{},'actions':{},'annotations':{'a':'b'}}}", "schema-syntax",
     "\"\": the empty namespace"},
    {"{'N':{'entityTypes':{},'actions':{},'annotations':{'a b':'b'}}}", "schema-syntax",
     "N.annotations.\"a b\": "},
    {"{'N':{'entityTypes':{},'actions':{},'annotations':{'a':1}}}", "schema-syntax",
     "N.annotations.a: expected a string"},
    {"{'N':{'entityTypes':{},'actions':{},'annotations':null}}", "schema-syntax",
     "N.annotations: expected an object"},
    {NS("'E':{},'E':{}", "", ""), "schema-syntax", "JSON object has the member"},
    {NS("'A::B':{}", "", ""), "schema-syntax", "\"\".entityTypes.A::B: "},
    {NS("'':{}", "", ""), "schema-syntax", "\"\".entityTypes.\"\": "},
    {NS("'if':{}", "", ""), "schema-reserved", "\"\".entityTypes.if: "},
    {NS("'__cedar':{}", "", ""), "schema-reserved", "\"\".entityTypes.__cedar: "},
    {NS("'Action':{}", "", ""), "schema-reserved", "\"\".entityTypes.Action: "},
    {NS("", "", "'Long':{'type':'Long'}"), "schema-reserved", "\"\".commonTypes.Long: "},
    {NS("", "", "'Extension':{'type':'Long'}"), "schema-reserved", "\"\".commonTypes.Extension: "},
    {NS("", "", "'1':{'type':'Long'}"), "schema-syntax", "\"\".commonTypes.1: "},
    {NS("", "", "'T':{'type':'U'},'U':{'type':'T'}"), "schema-cycle", "\"\".commonTypes."},
    {NS("", "", "'T':{'type':'Long','required':true}"), "schema-syntax",
     "\"\".commonTypes.T.required: "},
    {ATTR("{}"), "schema-syntax", "\"\".entityTypes.E.shape.attributes.x: member `type`"},
    {ATTR("[]"), "schema-syntax", "\"\".entityTypes.E.shape.attributes.x: expected an object"},
    {ATTR("'Long'"), "schema-syntax", "\"\".entityTypes.E.shape.attributes.x: expected an object"},
    {ATTR("null"), "schema-syntax", "\"\".entityTypes.E.shape.attributes.x: expected an object"},
    {ATTR("{'type':1}"), "schema-syntax", "\"\".entityTypes.E.shape.attributes.x.type: "},
    {ATTR("{'type':'Long','name':'E'}"), "schema-syntax",
     "\"\".entityTypes.E.shape.attributes.x: type `Long` has no member `name`"},
    {ATTR("{'type':'Long','foo':1}"), "schema-syntax",
     "\"\".entityTypes.E.shape.attributes.x.foo: "},
    {ATTR("{'type':'ipaddr','name':'E'}"), "schema-syntax", "\"\".entityTypes.E"},
    {ATTR("{'type':'Set'}"), "schema-syntax",
     "\"\".entityTypes.E.shape.attributes.x: type `Set` n"},
    {ATTR("{'type':'Set','element':null}"), "schema-syntax",
     "\"\".entityTypes.E.shape.attributes.x.element: expected an object"},
    {ATTR("{'type':'Set','element':{'type':'Long'},'attributes':{}}"), "schema-syntax", "\"\"."},
    {ATTR("{'type':'Set','element':{'type':'Long','required':true}}"), "schema-syntax",
     "\"\".entityTypes.E.shape.attributes.x.element.required: "},
    {ATTR("{'type':'Record'}"), "schema-syntax",
     "\"\".entityTypes.E.shape.attributes.x: type `Rec"},
    {ATTR("{'type':'Record','attributes':{},'additionalAttributes':true}"), "schema-syntax",
     "\"\".entityTypes.E.shape.attributes.x: records with"},
    {ATTR("{'type':'Record','attributes':{},'additionalAttributes':null}"), "schema-syntax",
     "\"\".entityTypes.E.shape.attributes.x.additionalAttributes: "},
    {ATTR("{'type':'Entity'}"), "schema-syntax",
     "\"\".entityTypes.E.shape.attributes.x: type `Ent"},
    {ATTR("{'type':'Entity','name':'F'}"), "schema-unknown-type",
     "\"\".entityTypes.E.shape.attributes.x.name: there is no entity type `F`"},
    {ATTR("{'type':'Entity','name':'Long'}"), "schema-unknown-type", "\"\".entityTypes.E.shape"},
    {ATTR("{'type':'Entity','name':' E'}"), "schema-syntax", "\"\".entityTypes.E.shape"},
    {ATTR("{'type':'Entity','name':'E::'}"), "schema-syntax", "\"\".entityTypes.E.shape"},
    {ATTR("{'type':'Entity','name':'in'}"), "schema-reserved", "\"\".entityTypes.E.shape"},
    {ATTR("{'type':'EntityOrCommon','name':'Boolean'}"), "schema-unknown-type", "\"\"."},
    {ATTR("{'type':'EntityOrCommon','name':'Set'}"), "schema-unknown-type", "\"\".entityTypes"},
    {ATTR("{'type':'Extension','name':'Long'}"), "schema-unknown-type",
     "\"\".entityTypes.E.shape.attributes.x.name: there is no extension type `Long`"},
    {ATTR("{'type':'Extension','name':'A::B'}"), "schema-syntax", "\"\".entityTypes"},
    {ATTR("{'type':'E'}"), "schema-unknown-type",
     "\"\".entityTypes.E.shape.attributes.x.type: there is no common type `E`"},
    {ATTR("{'type':'A b'}"), "schema-syntax", "\"\".entityTypes.E.shape.attributes.x.type: "},
    {ATTR("{'type':'__cedar::Boolean'}"), "schema-unknown-type", "\"\".entityTypes"},
    {ATTR("{'type':'Long','required':null}"), "schema-syntax", "\"\".entityTypes"},
    {NS("'ipaddr':{},'E':{'tags':{'type':'ipaddr'}}", "", ""), "schema-unknown-type",
     "\"\".entityTypes.E.tags.type: "},
    {ENTITY("null"), "schema-syntax", "\"\".entityTypes.E: expected an object, found null"},
    {ENTITY("[]"), "schema-syntax", "\"\".entityTypes.E: expected an object"},
    {ENTITY("{'memberOf':[]}"), "schema-syntax", "\"\".entityTypes.E.memberOf: "},
    {ENTITY("{'memberOfTypes':null}"), "schema-syntax", "\"\".entityTypes.E.memberOfTypes: "},
    {ENTITY("{'memberOfTypes':'P'}"), "schema-syntax", "\"\".entityTypes.E.memberOfTypes: "},
    {ENTITY("{'memberOfTypes':['P',1]}"), "schema-syntax", "\"\".entityTypes.E.memberOfTypes[1]: "},
    {ENTITY("{'memberOfTypes':['P','R']}"), "schema-unknown-type",
     "\"\".entityTypes.E.memberOfTypes[1]: there is no entity type `R`"},
    {ENTITY("{'shape':{'type':'Long'}}"), "schema-not-record",
     "\"\".entityTypes.E.shape: the shape"},
    {ENTITY("{'shape':{'type':'Entity','name':'P'}}"), "schema-not-record", "\"\"."},
    {ENTITY("{'shape':{'type':'Record','attributes':{},'required':true}}"), "schema-syntax",
     "\"\".entityTypes.E.shape.required: "},
    {ENTITY("{'tags':null}"), "schema-syntax", "\"\".entityTypes.E.tags: "},
    {ENTITY("{'enum':[]}"), "schema-syntax", "\"\".entityTypes.E.enum: "},
    {ENTITY("{'enum':[1]}"), "schema-syntax", "\"\".entityTypes.E.enum[0]: "},
    {ENTITY("{'enum':['a'],'memberOfTypes':[]}"), "schema-syntax", "\"\".entityTypes.E: an enum"},
    {ENTITY("{'enum':['a'],'tags':{'type':'Long'}}"), "schema-syntax", "\"\".entityTypes.E: "},
    {ACTION("null"), "schema-syntax", "\"\".actions.a: "},
    {ACTION("{'attributes':{}}"), "schema-syntax", "\"\".actions.a: actions cannot have"},
    {ACTION("{'appliesTo':{}}"), "schema-syntax", "\"\".actions.a.appliesTo: member"},
    {ACTION("{'appliesTo':{'principalTypes':['U']}}"), "schema-syntax",
     "\"\".actions.a.appliesTo: "},
    {ACTION("{'appliesTo':{'principalTypes':null,'resourceTypes':[]}}"), "schema-syntax",
     "\"\".actions.a.appliesTo.principalTypes: "},
    {ACTION("{'appliesTo':{'principalTypes':['L'],'resourceTypes':[]}}"), "schema-unknown-type",
     "\"\".actions.a.appliesTo.principalTypes[0]: "},
    {ACTION("{'appliesTo':{'principalTypes':['Action'],'resourceTypes':['U']}}"),
     "schema-unknown-type", "\"\".actions.a.appliesTo.principalTypes[0]: "},
    {ACTION("{'memberOf':['b']}"), "schema-syntax", "\"\".actions.a.memberOf[0]: "},
    {ACTION("{'memberOf':[{'type':'Action'}]}"), "schema-syntax", "\"\".actions.a.memberOf[0]: "},
    {ACTION("{'memberOf':[{'id':'b','x':1}]}"), "schema-syntax", "\"\".actions.a.memberOf[0].x: "},
    {ACTION("{'memberOf':[{'id':'x'}]}"), "schema-unknown-action", "\"\".actions.a.memberOf[0]: "},
    {ACTION("{'memberOf':[{'id':'b','type':'U'}]}"), "schema-unknown-action", "\"\".actions.a.mem"},
    {ACTION("{'memberOf':[{'id':'a'}]}"), "schema-cycle", "\"\".actions.a: "},
    {APPLIES(",'context':null"), "schema-syntax", "\"\".actions.a.appliesTo.context: "},
    {APPLIES(",'context':{'type':'L'}"), "schema-not-record",
     "\"\".actions.a.appliesTo.context: the context"},
    {APPLIES(",'context':{'type':'Entity','name':'U'}"), "schema-not-record", "\"\".actions.a."},
    {"{'':{'entityTypes':{'T':{}},'actions':{}},"
     "'N':{'entityTypes':{},'actions':{},'commonTypes':{'T':{'type':'Long'}}}}",
     "schema-shadow", "N.commonTypes.T: "},
};

static void test_accepted(void **state)
{
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
        ARENA_SCOPE struct arena a = {0};
        str text = quoted(&a, accepted[i]);
        const struct schema *s = NULL;
        struct cedar_diags d;
        cedar_diags_init(&d, &a, S("test"), text);
        if (!schema_read_json(&a, text, &s, &d))
            fail_msg("refused: %s\n%.*s", accepted[i], STR(d.items[0].text));
        assert_non_null(s);
        assert_int_equal(d.errors + d.warnings, 0);
    }
}

static void test_refused(void **state)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        ARENA_SCOPE struct arena a = {0};
        str text = quoted(&a, refused[i].text);
        const struct schema *s = NULL;
        struct cedar_diags d;
        cedar_diags_init(&d, &a, S("test"), text);
        if (schema_read_json(&a, text, &s, &d))
            fail_msg("accepted: %s", refused[i].text);
        if (strcmp(d.items[0].code, refused[i].code) != 0 ||
            !str_starts(d.items[0].text, str_z(refused[i].begins)))
            fail_msg("%s: %s: %.*s", refused[i].text, d.items[0].code, STR(d.items[0].text));
        assert_true(d.items[0].span.end <= text.n);
    }
}

/* The same from a tree without text: the paths are all there is. */
static void test_value(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    str text = quoted(&a, ATTR("{'type':'Entity','name':'Usr'}"));
    const struct schema *s;
    struct cedar_diags d;
    const json *v;
    struct err err;
    assert_true(json_read(&a, text, NULL, &v, &err));
    cedar_diags_init(&d, &a, S(""), S(""));
    assert_false(schema_read_json_value(&a, v, &s, &d));
    assert_true(str_starts(d.items[0].text, S("\"\".entityTypes.E.shape.attributes.x.name: ")));
    assert_int_equal(d.items[0].span.end, 0);
    cedar_diags_init(&d, &a, S("file"), text);
    assert_false(schema_read_json(&a, text, &s, &d));
    assert_true(str_eq(cedar_span_text(text, d.items[0].span), S("\"Usr\"")));
    assert_false(schema_read_json_value(&a, NULL, &s, &d));
}

static void test_limits(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct buf b = {0};
    struct cedar_diags d;
    const struct schema *s;
    for (unsigned depth = CEDAR_DEPTH_MAX - 1; depth < 10000; depth *= 3) {
        buf_clear(&b);
        buf_put(&b, S("{\"\":{\"actions\":{},\"entityTypes\":{},\"commonTypes\":{\"T\":"));
        for (unsigned i = 0; i < depth; i++)
            buf_put(&b, S("{\"type\":\"Set\",\"element\":"));
        buf_put(&b, S("{\"type\":\"Long\"}"));
        for (unsigned i = 0; i < depth + 3; i++)
            buf_putc(&b, '}');
        cedar_diags_init(&d, &a, S("test"), buf_str(&b));
        assert_int_equal(schema_read_json(&a, buf_str(&b), &s, &d), depth < CEDAR_DEPTH_MAX);
        assert_true(d.errors == 0 || strcmp(d.items[0].code, "schema-limit") == 0);
    }
    buf_fini(&b);
}

/* ---- what a reference means ---- */

enum { OWN_COMMON = 1, OWN_ENTITY = 2, EMPTY_COMMON = 4, EMPTY_ENTITY = 8, BUILTIN = 16 };

static const struct {
    const char *name;
    int defined;
    int either, entity, common; /* what each kind of reference finds; 0: nothing */
} references[] = {
    {"T", 0, 0, 0, 0},
    {"T", OWN_COMMON, OWN_COMMON, 0, OWN_COMMON},
    {"T", OWN_ENTITY, OWN_ENTITY, OWN_ENTITY, 0},
    {"T", OWN_COMMON | OWN_ENTITY, OWN_COMMON, OWN_ENTITY, OWN_COMMON},
    {"T", EMPTY_COMMON, EMPTY_COMMON, 0, EMPTY_COMMON},
    {"T", EMPTY_ENTITY, EMPTY_ENTITY, EMPTY_ENTITY, 0},
    {"T", EMPTY_COMMON | EMPTY_ENTITY, EMPTY_COMMON, EMPTY_ENTITY, EMPTY_COMMON},
    {"N::T", OWN_COMMON | OWN_ENTITY, OWN_COMMON, OWN_ENTITY, OWN_COMMON},
    {"N::T", EMPTY_COMMON | EMPTY_ENTITY, 0, 0, 0},
    {"ipaddr", 0, BUILTIN, 0, BUILTIN},
    {"ipaddr", OWN_COMMON, OWN_COMMON, 0, OWN_COMMON},
    {"ipaddr", OWN_ENTITY, OWN_ENTITY, OWN_ENTITY, BUILTIN},
    {"ipaddr", OWN_COMMON | OWN_ENTITY, OWN_COMMON, OWN_ENTITY, OWN_COMMON},
    {"ipaddr", EMPTY_COMMON, EMPTY_COMMON, 0, EMPTY_COMMON},
    {"ipaddr", EMPTY_ENTITY, EMPTY_ENTITY, EMPTY_ENTITY, 0},
    {"ipaddr", EMPTY_COMMON | EMPTY_ENTITY, EMPTY_COMMON, EMPTY_ENTITY, EMPTY_COMMON},
    {"__cedar::ipaddr", OWN_COMMON | OWN_ENTITY, BUILTIN, 0, BUILTIN},
    {"__cedar::ipaddr", EMPTY_COMMON | EMPTY_ENTITY, BUILTIN, 0, BUILTIN},
};

static const char *base_of(const char *name)
{
    const char *colon = strrchr(name, ':');
    return colon ? colon + 1 : name;
}

/* A common type is Long in its own namespace, String in the empty one. */
static int meaning(const struct schema *s, const struct ctype *t)
{
    switch (t->kind) {
    case CTYPE_LONG:
        return OWN_COMMON;
    case CTYPE_STRING:
        return EMPTY_COMMON;
    case CTYPE_ENTITY:
        return str_starts(schema_etype_name(s, t->etypes[0]), S("N::")) ? OWN_ENTITY : EMPTY_ENTITY;
    default:
        return BUILTIN;
    }
}

static void check_reference(size_t i, const char *form, int wanted)
{
    ARENA_SCOPE struct arena a = {0};
    const char *name = references[i].name, *base = base_of(name);
    int defined = references[i].defined, got = 0;
    struct buf b = {0};
    struct cedar_diags d;
    const struct schema *s;
    buf_put(&b, S("{'':{'actions':{},'commonTypes':{"));
    if (defined & EMPTY_COMMON)
        buf_printf(&b, "'%s':{'type':'String'}", base);
    buf_put(&b, S("},'entityTypes':{"));
    if (defined & EMPTY_ENTITY)
        buf_printf(&b, "'%s':{}", base);
    buf_put(&b, S("}},'N':{'actions':{},'commonTypes':{"));
    if (defined & OWN_COMMON)
        buf_printf(&b, "'%s':{'type':'Long'}", base);
    buf_put(&b, S("},'entityTypes':{"));
    if (defined & OWN_ENTITY)
        buf_printf(&b, "'%s':{},", base);
    buf_printf(&b, "'E':{'tags':{'type':%s'%s'}}}}}", form, name);
    buf_putc(&b, '\0');
    str text = quoted(&a, buf_str(&b).p);
    cedar_diags_init(&d, &a, S("test"), text);
    if (schema_read_json(&a, text, &s, &d))
        got = meaning(s, schema_etype(s, S("N::E"))->tags);
    if (got != wanted)
        fail_msg("%.*s: %d, not %d", STR(text), got, wanted);
    buf_fini(&b);
}

static void test_references(void **state)
{
    for (size_t i = 0; i < sizeof references / sizeof *references; i++) {
        check_reference(i, "'EntityOrCommon','name':", references[i].either);
        check_reference(i, "'Entity','name':", references[i].entity);
        check_reference(i, "", references[i].common);
    }
}

/* ---- printing ---- */

static const struct {
    const char *source, *json, *resolved, *text; /* text NULL: cannot be said */
} printed[] = {
    {"", "{}", "{}", ""},
    {"entity A;", "{'':{'entityTypes':{'A':{}},'actions':{}}}",
     "{'':{'entityTypes':{'A':{}},'actions':{}}}", "entity A;\n"},
    {"entity A, B in A { x?: Long, \"a b\": {} } tags Set<B>;",
     "{'':{'entityTypes':{"
     "'A':{'memberOfTypes':['A'],'shape':{'type':'Record','attributes':{"
     "'x':{'type':'EntityOrCommon','name':'Long','required':false},"
     "'a b':{'type':'Record','attributes':{}}}},"
     "'tags':{'type':'Set','element':{'type':'EntityOrCommon','name':'B'}}},"
     "'B':{'memberOfTypes':['A'],'shape':{'type':'Record','attributes':{"
     "'x':{'type':'EntityOrCommon','name':'Long','required':false},"
     "'a b':{'type':'Record','attributes':{}}}},"
     "'tags':{'type':'Set','element':{'type':'EntityOrCommon','name':'B'}}}},'actions':{}}}",
     "{'':{'entityTypes':{"
     "'A':{'memberOfTypes':['A'],'shape':{'type':'Record','attributes':{"
     "'x':{'type':'Long','required':false},'a b':{'type':'Record','attributes':{}}}},"
     "'tags':{'type':'Set','element':{'type':'Entity','name':'B'}}},"
     "'B':{'memberOfTypes':['A'],'shape':{'type':'Record','attributes':{"
     "'x':{'type':'Long','required':false},'a b':{'type':'Record','attributes':{}}}},"
     "'tags':{'type':'Set','element':{'type':'Entity','name':'B'}}}},'actions':{}}}",
     "entity A, B in [A] = {\n  x?: Long,\n  \"a b\": {}\n} tags Set<B>;\n"},
    {"@a @b(\"x\") namespace N { @c entity E enum [\"i\", \"j\\n\"]; @d type T = { @e x: E }; }",
     "{'N':{'commonTypes':{'T':{'type':'Record','attributes':{'x':{'type':'EntityOrCommon',"
     "'name':'E','annotations':{'e':''}}},'annotations':{'d':''}}},"
     "'entityTypes':{'E':{'enum':['i','j\\n'],'annotations':{'c':''}}},'actions':{},"
     "'annotations':{'a':'','b':'x'}}}",
     "{'N':{'commonTypes':{'T':{'type':'Record','attributes':{'x':{'type':'Entity',"
     "'name':'N::E','annotations':{'e':''}}},'annotations':{'d':''}}},"
     "'entityTypes':{'E':{'enum':['i','j\\n'],'annotations':{'c':''}}},'actions':{},"
     "'annotations':{'a':'','b':'x'}}}",
     "@a\n@b(\"x\")\nnamespace N {\n  @c\n  entity E enum [\"i\", \"j\\n\"];\n\n"
     "  @d\n  type T = {\n    @e\n    x: E\n  };\n}\n"},
    {"namespace N { entity U; type C = {}; action g; action a, \"b\" in [g, N::Action::\"g\"]"
     " appliesTo { principal: U, resource: [U], context: C }; } entity V;",
     "{'':{'entityTypes':{'V':{}},'actions':{}},"
     "'N':{'commonTypes':{'C':{'type':'Record','attributes':{}}},'entityTypes':{'U':{}},"
     "'actions':{'g':{'appliesTo':{'resourceTypes':[],'principalTypes':[]}},"
     "'a':{'appliesTo':{'resourceTypes':['U'],'principalTypes':['U'],'context':{'type':'C'}},"
     "'memberOf':[{'id':'g'},{'id':'g','type':'N::Action'}]},"
     "'b':{'appliesTo':{'resourceTypes':['U'],'principalTypes':['U'],'context':{'type':'C'}},"
     "'memberOf':[{'id':'g'},{'id':'g','type':'N::Action'}]}}}}",
     "{'':{'entityTypes':{'V':{}},'actions':{}},"
     "'N':{'commonTypes':{'C':{'type':'Record','attributes':{}}},'entityTypes':{'U':{}},"
     "'actions':{'g':{'appliesTo':{'resourceTypes':[],'principalTypes':[]}},"
     "'a':{'appliesTo':{'resourceTypes':['N::U'],'principalTypes':['N::U'],"
     "'context':{'type':'N::C'}},"
     "'memberOf':[{'id':'g','type':'N::Action'},{'id':'g','type':'N::Action'}]},"
     "'b':{'appliesTo':{'resourceTypes':['N::U'],'principalTypes':['N::U'],"
     "'context':{'type':'N::C'}},"
     "'memberOf':[{'id':'g','type':'N::Action'},{'id':'g','type':'N::Action'}]}}}}",
     "entity V;\n\nnamespace N {\n  entity U;\n\n  type C = {};\n\n  action \"g\";\n\n"
     "  action \"a\", \"b\" in [Action::\"g\", N::Action::\"g\"] appliesTo {\n"
     "    principal: [U],\n    resource: [U],\n    context: C\n  };\n}\n"},
    {"{'':{'entityTypes':{},'actions':{'a':{'memberOf':[]},'b':{'annotations':{'x':null,'y':''}}},"
     "'commonTypes':{}}}",
     "{'':{'entityTypes':{},'actions':{'a':{'memberOf':[]},"
     "'b':{'annotations':{'x':null,'y':''}}}}}",
     "{'':{'entityTypes':{},'actions':{'a':{'memberOf':[]},"
     "'b':{'annotations':{'x':null,'y':''}}}}}",
     "action \"a\";\n\n@x\n@y(\"\")\naction \"b\";\n"},
    {ATTR("{'type':'Boolean'}"),
     "{'':{'entityTypes':{'E':{'shape':{'type':'Record','attributes':{'x':{'type':'Boolean'}}}}},"
     "'actions':{}}}",
     "{'':{'entityTypes':{'E':{'shape':{'type':'Record','attributes':{'x':{'type':'Boolean'}}}}},"
     "'actions':{}}}",
     "entity E = {\n  x: __cedar::Bool\n};\n"},
    /* a common type that is called like a keyword */
    {"type EntityOrCommon = {}; entity E tags EntityOrCommon; action a appliesTo { principal: E, "
     "resource: E, context: EntityOrCommon };",
     "{'':{'commonTypes':{'EntityOrCommon':{'type':'Record','attributes':{}}},"
     "'entityTypes':{'E':{'tags':{'type':'EntityOrCommon','name':'EntityOrCommon'}}},"
     "'actions':{'a':{'appliesTo':{'resourceTypes':['E'],'principalTypes':['E'],"
     "'context':{'type':'EntityOrCommon','name':'EntityOrCommon'}}}}}}",
     "{'':{'commonTypes':{'EntityOrCommon':{'type':'Record','attributes':{}}},"
     "'entityTypes':{'E':{'tags':{'type':'EntityOrCommon','name':'EntityOrCommon'}}},"
     "'actions':{'a':{'appliesTo':{'resourceTypes':['E'],'principalTypes':['E'],"
     "'context':{'type':'EntityOrCommon','name':'EntityOrCommon'}}}}}}",
     "type EntityOrCommon = {};\n\nentity E tags EntityOrCommon;\n\naction \"a\" appliesTo {\n"
     "  principal: [E],\n  resource: [E],\n  context: EntityOrCommon\n};\n"},
    /* a built-in type that an entity type hides is called by its long name */
    {"{'N':{'entityTypes':{'ipaddr':{'tags':{'type':'ipaddr'}}},'actions':{}}}",
     "{'N':{'entityTypes':{'ipaddr':{'tags':{'type':'ipaddr'}}},'actions':{}}}",
     "{'N':{'entityTypes':{'ipaddr':{'tags':{'type':'ipaddr'}}},'actions':{}}}",
     "namespace N {\n  entity ipaddr tags __cedar::ipaddr;\n}\n"},
    {NS("'E':{'shape':{'type':'R'}}", "", "'R':{'type':'Record','attributes':{}}"),
     "{'':{'commonTypes':{'R':{'type':'Record','attributes':{}}},"
     "'entityTypes':{'E':{'shape':{'type':'R'}}},'actions':{}}}",
     "{'':{'commonTypes':{'R':{'type':'Record','attributes':{}}},"
     "'entityTypes':{'E':{'shape':{'type':'R'}}},'actions':{}}}",
     NULL},
    {"namespace N { entity T; type T = Long; }",
     "{'N':{'commonTypes':{'T':{'type':'EntityOrCommon','name':'Long'}},'entityTypes':{'T':{}},"
     "'actions':{}}}",
     "{'N':{'commonTypes':{'T':{'type':'Long'}},'entityTypes':{'T':{}},'actions':{}}}", NULL},
    {NS("'T':{'tags':{'type':'Entity','name':'T'}}", "", "'T':{'type':'Long'}"),
     "{'':{'commonTypes':{'T':{'type':'Long'}},"
     "'entityTypes':{'T':{'tags':{'type':'Entity','name':'T'}}},'actions':{}}}",
     "{'':{'commonTypes':{'T':{'type':'Long'}},"
     "'entityTypes':{'T':{'tags':{'type':'Entity','name':'T'}}},'actions':{}}}",
     NULL},
    {"{'':{'entityTypes':{},'actions':{},'commonTypes':{'Action':{'type':'Long'}}},"
     "'N':{'entityTypes':{'E':{'tags':{'type':'Action'}}},'actions':{'a':{}}}}",
     "{'':{'commonTypes':{'Action':{'type':'Long'}},'entityTypes':{},'actions':{}},"
     "'N':{'entityTypes':{'E':{'tags':{'type':'Action'}}},'actions':{'a':{}}}}",
     "{'':{'commonTypes':{'Action':{'type':'Long'}},'entityTypes':{},'actions':{}},"
     "'N':{'entityTypes':{'E':{'tags':{'type':'Action'}}},'actions':{'a':{}}}}",
     NULL},
};

static void expect(struct arena *a, const char *source, str got, const char *wanted)
{
    if (!str_eq(got, quoted(a, wanted)))
        fail_msg("%s\nis printed as\n%.*s\nnot as\n%s", source, STR(got), wanted);
}

static void reads_back(struct arena *a, const char *source, bool is_json, str text,
                       const struct schema *wanted)
{
    struct schema_source again;
    struct cedar_diags d;
    str why;
    cedar_diags_init(&d, a, S("again"), text);
    if (!(is_json ? schema_source_read_json : schema_source_read)(a, text, &again, &d))
        fail_msg("%s\nprinted as\n%.*s\nis refused: %.*s", source, STR(text), STR(d.items[0].text));
    if (!schema_same(a, wanted, again.schema, &why))
        fail_msg("%s\nprinted as\n%.*s\ndiffers in %.*s", source, STR(text), STR(why));
}

static void test_printed(void **state)
{
    for (size_t i = 0; i < sizeof printed / sizeof *printed; i++) {
        ARENA_SCOPE struct arena a = {0};
        const char *source = printed[i].source;
        bool is_json = *source == '{';
        str text = is_json ? quoted(&a, source) : str_z(source), out;
        struct schema_source s;
        struct cedar_diags d;
        struct err err;
        cedar_diags_init(&d, &a, S("test"), text);
        if (!(is_json ? schema_source_read_json : schema_source_read)(&a, text, &s, &d))
            fail_msg("%s: %.*s", source, STR(d.items[0].text));
        assert_true(schema_print_json(&a, &s, &out, &err));
        expect(&a, source, out, printed[i].json);
        reads_back(&a, source, true, out, s.schema);
        assert_true(schema_print_resolved_json(&a, &s, &out, &err));
        expect(&a, source, out, printed[i].resolved);
        reads_back(&a, source, true, out, s.schema);
        assert_int_equal(schema_print_text(&a, &s, &out, &err), printed[i].text != NULL);
        if (!printed[i].text)
            continue;
        if (!str_eq(out, str_z(printed[i].text)))
            fail_msg("%s\nis printed as\n%.*s", source, STR(out));
        reads_back(&a, source, false, out, s.schema);
    }
}

/* One long declaration with many names would fill the memory when written out for each. */
static void test_print_limit(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct buf b = {0};
    struct schema_source s;
    struct cedar_diags d;
    struct err err;
    str out;
    buf_put(&b, S("entity A0"));
    for (int i = 1; i < 4000; i++)
        buf_printf(&b, ", A%d", i);
    buf_put(&b, S(" {"));
    for (int i = 0; i < 400; i++)
        buf_printf(&b, "a%d: Long,", i);
    buf_put(&b, S("};"));
    cedar_diags_init(&d, &a, S("test"), buf_str(&b));
    assert_true(schema_source_read(&a, buf_str(&b), &s, &d));
    assert_true(schema_print_text(&a, &s, &out, &err));
    assert_false(schema_print_json(&a, &s, &out, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_value),       cmocka_unit_test(test_limits),
        cmocka_unit_test(test_references),  cmocka_unit_test(test_printed),
        cmocka_unit_test(test_print_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
