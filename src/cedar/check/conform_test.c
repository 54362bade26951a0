/* Requests and entities against a schema, and JSON read with it. */
#include "cedar/check/conform.h"
#include "cedar/schema/typed_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const char schema_text[] =
    "entity User in [Group] { name: String, age?: Long, ip?: ipaddr, boss?: User,"
    "  home?: { city: String, zip?: Long }, tags_?: Set<String>, kinds?: Set<Kind> } tags Long;\n"
    "entity Group in Org; entity Org; entity Kind enum [\"a\", \"b\"]; entity Doc; entity Low in "
    "Kind;\n"
    "action all; action read in all;\n"
    "action view in read appliesTo { principal: User, resource: [Doc, Kind],"
    "  context: { mfa: Bool, who?: User, at?: datetime, kind?: Kind, list?: Set<{n: Long}> } };\n"
    "entity Ref { does: Action };\n";

struct fixture {
    struct arena a;
    const struct schema *s;
};

static struct fixture open_schema(void)
{
    struct fixture x = {0};
    struct cedar_diags d;
    cedar_diags_init(&d, &x.a, S("schema"), str_z(schema_text));
    if (!schema_read(&x.a, str_z(schema_text), &x.s, &d))
        fail_msg("%.*s", STR(d.items[0].text));
    return x;
}

static const json *parse(struct arena *a, const char *text)
{
    const json *v = NULL;
    struct err err;
    if (!json_read(a, str_z(text), NULL, &v, &err))
        fail_msg("%s: %s", text, err.text);
    return v;
}

/* ---- requests ---- */

static const struct {
    const char *principal, *action, *resource, *context;
    int finding; /* -1: conforms */
} requests[] = {
    {"User::\"u\"", "Action::\"view\"", "Doc::\"d\"", "{\"mfa\":true}", -1},
    {"User::\"u\"", "Action::\"view\"", "Kind::\"a\"", "{\"mfa\":true}", -1},
    {"User::\"u\"", "Action::\"view\"", "Doc::\"d\"",
     "{\"mfa\":true,\"who\":{\"__entity\":{\"type\":\"User\",\"id\":\"x\"}},"
     "\"at\":{\"__extn\":{\"fn\":\"datetime\",\"arg\":\"2024-01-01\"}},\"list\":[{\"n\":1}]}",
     -1},
    {"User::\"u\"", "Action::\"view\"", "Doc::\"d\"", "{\"mfa\":true,\"list\":[]}", -1},
    {"User::\"u\"", "Action::\"veiw\"", "Doc::\"d\"", "{\"mfa\":true}", FIND_REQUEST_ACTION},
    {"User::\"u\"", "User::\"view\"", "Doc::\"d\"", "{\"mfa\":true}", FIND_REQUEST_ACTION},
    {"Usr::\"u\"", "Action::\"view\"", "Doc::\"d\"", "{\"mfa\":true}", FIND_REQUEST_PRINCIPAL_TYPE},
    {"Action::\"view\"", "Action::\"view\"", "Doc::\"d\"", "{\"mfa\":true}",
     FIND_REQUEST_PRINCIPAL_TYPE},
    {"User::\"u\"", "Action::\"view\"", "Dco::\"d\"", "{\"mfa\":true}", FIND_REQUEST_RESOURCE_TYPE},
    {"Doc::\"u\"", "Action::\"view\"", "Doc::\"d\"", "{\"mfa\":true}", FIND_REQUEST_PRINCIPAL},
    {"User::\"u\"", "Action::\"view\"", "User::\"d\"", "{\"mfa\":true}", FIND_REQUEST_RESOURCE},
    {"User::\"u\"", "Action::\"all\"", "Doc::\"d\"", "{}", FIND_REQUEST_PRINCIPAL},
    {"User::\"u\"", "Action::\"view\"", "Kind::\"c\"", "{\"mfa\":true}", FIND_REQUEST_ENUM_ID},
    {"User::\"u\"", "Action::\"view\"", "Doc::\"d\"", "{}", FIND_REQUEST_CONTEXT},
    {"User::\"u\"", "Action::\"view\"", "Doc::\"d\"", "{\"mfa\":1}", FIND_REQUEST_CONTEXT},
    {"User::\"u\"", "Action::\"view\"", "Doc::\"d\"", "{\"mfa\":true,\"x\":1}",
     FIND_REQUEST_CONTEXT},
    {"User::\"u\"", "Action::\"view\"", "Doc::\"d\"", "{\"mfa\":true,\"a\":1}",
     FIND_REQUEST_CONTEXT},
    {"User::\"u\"", "Action::\"view\"", "Doc::\"d\"", "{\"mfa\":true,\"at\":\"2024-01-01\"}",
     FIND_REQUEST_CONTEXT},
    {"User::\"u\"", "Action::\"view\"", "Doc::\"d\"",
     "{\"mfa\":true,\"who\":{\"__entity\":{\"type\":\"Doc\",\"id\":\"x\"}}}", FIND_REQUEST_CONTEXT},
    {"User::\"u\"", "Action::\"view\"", "Doc::\"d\"",
     "{\"mfa\":true,\"kind\":{\"__entity\":{\"type\":\"Kind\",\"id\":\"c\"}}}",
     FIND_REQUEST_ENUM_ID},
    {"User::\"u\"", "Action::\"view\"", "Doc::\"d\"", "{\"mfa\":true,\"list\":[{\"n\":\"x\"}]}",
     FIND_REQUEST_CONTEXT},
    {"User::\"u\"", "Action::\"view\"", "Doc::\"d\"", "{\"mfa\":true,\"list\":[{}]}",
     FIND_REQUEST_CONTEXT},
    {"User::\"u\"", "Action::\"view\"", "Doc::\"d\"", "{\"mfa\":true,\"list\":{\"n\":1}}",
     FIND_REQUEST_CONTEXT},
};

static struct cedar_uid uid_of(struct arena *a, const char *text)
{
    struct cedar_uid uid;
    struct err err;
    if (!cedar_uid_read(a, str_z(text), &uid, &err))
        fail_msg("%s: %s", text, err.text);
    return uid;
}

static void test_requests(void **state)
{
    struct fixture x = open_schema();
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        struct cedar_uid p = uid_of(&x.a, requests[i].principal),
                         act = uid_of(&x.a, requests[i].action),
                         r = uid_of(&x.a, requests[i].resource);
        struct cedar_value context;
        struct conform_fault f = {0};
        struct err err;
        assert_true(
            cedar_context_from_json(&x.a, parse(&x.a, requests[i].context), NULL, &context, &err));
        bool ok = conform_request(x.s, &p, &act, &r, &context, &f);
        int got = ok ? -1 : (int)f.finding;
        if (got != requests[i].finding)
            fail_msg("request %zu: %d, not %d: %s", i, got, requests[i].finding, f.text);
        assert_int_equal(ok, f.text[0] == '\0');
    }
    arena_fini(&x.a);
}

/* The text leads to the place and does not repeat the value. */
static void test_fault_text(void **state)
{
    struct fixture x = open_schema();
    struct cedar_uid p = uid_of(&x.a, "User::\"u\""), act = uid_of(&x.a, "Action::\"view\""),
                     r = uid_of(&x.a, "Doc::\"d\"");
    struct cedar_value context;
    struct conform_fault f;
    struct err err;
    const json *v = parse(&x.a, "{\"mfa\":true,\"list\":[{\"n\":\"s3cret\"}]}");
    assert_true(cedar_context_from_json(&x.a, v, NULL, &context, &err));
    assert_false(conform_request(x.s, &p, &act, &r, &context, &f));
    assert_string_equal(f.text, "context.list[].n: expected Long, got string");
    arena_fini(&x.a);
}

/* ---- entities ---- */

static const struct {
    const char *json;
    int finding; /* of the first entity; -1: conforms */
} entities[] = {
    {"[{\"uid\":{\"type\":\"User\",\"id\":\"u\"},\"attrs\":{\"name\":\"n\"},\"parents\":[]}]", -1},
    {"[{\"uid\":{\"type\":\"User\",\"id\":\"u\"},\"attrs\":{\"name\":\"n\",\"age\":3,"
     "\"home\":{\"city\":\"x\"},\"tags_\":[\"a\"]},\"parents\":[{\"type\":\"Group\",\"id\":\"g\"}],"
     "\"tags\":{\"t\":1}},"
     "{\"uid\":{\"type\":\"Group\",\"id\":\"g\"},\"attrs\":{},\"parents\":[{\"type\":\"Org\","
     "\"id\":\"o\"}]}]",
     -1},
    {"[{\"uid\":{\"type\":\"Kind\",\"id\":\"a\"},\"attrs\":{},\"parents\":[]}]", -1},
    {"[{\"uid\":{\"type\":\"Action\",\"id\":\"all\"},\"attrs\":{},\"parents\":[]}]", -1},
    {"[{\"uid\":{\"type\":\"Action\",\"id\":\"read\"},\"attrs\":{},\"parents\":[{\"type\":"
     "\"Action\",\"id\":\"all\"}]}]",
     -1},
    {"[{\"uid\":{\"type\":\"Ref\",\"id\":\"r\"},\"attrs\":{\"does\":{\"__entity\":{\"type\":"
     "\"Action\",\"id\":\"all\"}}},\"parents\":[]}]",
     -1},
    {"[{\"uid\":{\"type\":\"Ref\",\"id\":\"r\"},\"attrs\":{\"does\":{\"__entity\":{\"type\":"
     "\"Action\",\"id\":\"nope\"}}},\"parents\":[]}]",
     FIND_ENTITY_ENUM_ID},
    {"[{\"uid\":{\"type\":\"Nope\",\"id\":\"u\"},\"attrs\":{},\"parents\":[]}]", FIND_ENTITY_TYPE},
    {"[{\"uid\":{\"type\":\"Kind\",\"id\":\"c\"},\"attrs\":{},\"parents\":[]}]",
     FIND_ENTITY_ENUM_ID},
    {"[{\"uid\":{\"type\":\"User\",\"id\":\"u\"},\"attrs\":{},\"parents\":[]}]",
     FIND_ENTITY_MISSING_ATTRIBUTE},
    {"[{\"uid\":{\"type\":\"User\",\"id\":\"u\"},\"attrs\":{\"name\":\"n\",\"x\":1},\"parents\":[]}"
     "]",
     FIND_ENTITY_UNEXPECTED_ATTRIBUTE},
    {"[{\"uid\":{\"type\":\"User\",\"id\":\"u\"},\"attrs\":{\"name\":1},\"parents\":[]}]",
     FIND_ENTITY_ATTRIBUTE_TYPE},
    {"[{\"uid\":{\"type\":\"User\",\"id\":\"u\"},\"attrs\":{\"name\":\"n\",\"home\":{}},"
     "\"parents\":[]}]",
     FIND_ENTITY_ATTRIBUTE_TYPE},
    {"[{\"uid\":{\"type\":\"User\",\"id\":\"u\"},\"attrs\":{\"name\":\"n\",\"ip\":\"10.0.0.1\"},"
     "\"parents\":[]}]",
     FIND_ENTITY_ATTRIBUTE_TYPE},
    {"[{\"uid\":{\"type\":\"User\",\"id\":\"u\"},\"attrs\":{\"name\":\"n\",\"kinds\":[{\"__"
     "entity\":"
     "{\"type\":\"Kind\",\"id\":\"z\"}}]},\"parents\":[]}]",
     FIND_ENTITY_ENUM_ID},
    {"[{\"uid\":{\"type\":\"User\",\"id\":\"u\"},\"attrs\":{\"name\":\"n\"},\"parents\":[],"
     "\"tags\":"
     "{\"t\":\"x\"}}]",
     FIND_ENTITY_TAG_TYPE},
    {"[{\"uid\":{\"type\":\"Doc\",\"id\":\"u\"},\"attrs\":{},\"parents\":[],\"tags\":{\"t\":1}}]",
     FIND_ENTITY_UNEXPECTED_TAG},
    {"[{\"uid\":{\"type\":\"User\",\"id\":\"u\"},\"attrs\":{\"name\":\"n\"},\"parents\":[{\"type\":"
     "\"Doc\",\"id\":\"d\"}]}]",
     FIND_ENTITY_ANCESTOR},
    {"[{\"uid\":{\"type\":\"User\",\"id\":\"u\"},\"attrs\":{\"name\":\"n\"},\"parents\":[{\"type\":"
     "\"Nope\",\"id\":\"d\"}]}]",
     FIND_ENTITY_ANCESTOR},
    {"[{\"uid\":{\"type\":\"Low\",\"id\":\"u\"},\"attrs\":{},\"parents\":[{\"type\":\"Kind\","
     "\"id\":"
     "\"z\"}]}]",
     FIND_ENTITY_ENUM_ID},
    {"[{\"uid\":{\"type\":\"Action\",\"id\":\"nope\"},\"attrs\":{},\"parents\":[]}]",
     FIND_ENTITY_ACTION},
    {"[{\"uid\":{\"type\":\"Action\",\"id\":\"read\"},\"attrs\":{},\"parents\":[]}]",
     FIND_ENTITY_ACTION},
    {"[{\"uid\":{\"type\":\"Action\",\"id\":\"all\"},\"attrs\":{\"x\":1},\"parents\":[]}]",
     FIND_ENTITY_ACTION},
    {"[{\"uid\":{\"type\":\"Action\",\"id\":\"view\"},\"attrs\":{},\"parents\":[{\"type\":"
     "\"Action\",\"id\":\"all\"},{\"type\":\"Action\",\"id\":\"other\"}]}]",
     FIND_ENTITY_ACTION},
};

static void read_entities(struct fixture *x, const char *text, const struct cedar_json_hook *hook,
                          struct cedar_entities *out)
{
    struct err err;
    cedar_entities_init(out, &x->a, NULL, 7);
    if (!cedar_entities_from_json(out, parse(&x->a, text), hook, &err) ||
        !cedar_entities_seal(out, &err))
        fail_msg("%s: %s", text, err.text);
}

static void test_entities(void **state)
{
    struct fixture x = open_schema();
    for (size_t i = 0; i < sizeof entities / sizeof *entities; i++) {
        struct cedar_entities store;
        struct conform_fault f = {0};
        read_entities(&x, entities[i].json, NULL, &store);
        int got = conform_entity(x.s, store.items[0], &f) ? -1 : (int)f.finding;
        if (got != entities[i].finding)
            fail_msg("entity %zu: %d, not %d: %s", i, got, entities[i].finding, f.text);
    }
    arena_fini(&x.a);
}

/* Texts become what the schema expects, at any depth, and nothing else changes. */
static void test_typed_json(void **state)
{
    struct fixture x = open_schema();
    struct typed_json typed = {x.s, NULL};
    struct cedar_json_hook hook = typed_json_hook(&typed);
    struct cedar_entities store;
    struct conform_fault f = {0};
    read_entities(
        &x,
        "[{\"uid\":{\"type\":\"User\",\"id\":\"u\"},\"attrs\":{\"name\":\"10.0.0.1\","
        "\"ip\":\"10.0.0.1\",\"boss\":{\"type\":\"User\",\"id\":\"b\"},"
        "\"kinds\":[{\"type\":\"Kind\",\"id\":\"a\"}],\"other\":{\"type\":\"a\",\"id\":\"b\"}},"
        "\"parents\":[]}]",
        &hook, &store);
    const struct cedar_value *attrs = &store.items[0]->attrs;
    assert_int_equal(cedar_record_get(attrs, S("name"))->kind, CEDAR_STRING);
    assert_int_equal(cedar_record_get(attrs, S("ip"))->kind, CEDAR_IPADDR);
    assert_int_equal(cedar_record_get(attrs, S("boss"))->kind, CEDAR_ENTITY);
    assert_int_equal(cedar_record_get(attrs, S("kinds"))->items[0].kind, CEDAR_ENTITY);
    assert_int_equal(cedar_record_get(attrs, S("other"))->kind, CEDAR_RECORD);
    assert_false(conform_entity(x.s, store.items[0], &f));
    assert_int_equal(f.finding, FIND_ENTITY_UNEXPECTED_ATTRIBUTE);

    struct cedar_uid view = {S("Action"), S("view")};
    struct typed_json in_context = {x.s, schema_action(x.s, &view)};
    struct cedar_value context;
    struct err err;
    hook = typed_json_hook(&in_context);
    assert_true(cedar_context_from_json(&x.a, parse(&x.a, "{\"mfa\":true,\"at\":\"2024-01-01\"}"),
                                        &hook, &context, &err));
    assert_true(conform_value(x.s, in_context.action->context, &context, &f));
    assert_false(cedar_context_from_json(&x.a, parse(&x.a, "{\"mfa\":true,\"at\":\"never\"}"),
                                         &hook, &context, &err));
    arena_fini(&x.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_fault_text),
        cmocka_unit_test(test_entities),
        cmocka_unit_test(test_typed_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
