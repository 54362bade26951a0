/* What partial evaluation leaves of policies, what it refuses, and the questions on top of it. */
#include "cedar/partial/partial.h"
#include "cedar/policy/link.h"
#include "cedar/policy/policy_json.h"
#include "cedar/policy/print.h"
#include "cedar/schema/typed_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char schema_text[] =
    "entity Org; entity Team in [Org];\n"
    "entity Color enum [\"red\", \"green\"];\n"
    "type Home = {zip: Long, city?: String};\n"
    "entity User in [Team] = {age: Long, admin: Bool, boss?: User, home?: Home} tags String;\n"
    "entity Doc = {owner: User, public: Bool, team?: Team, size: Long, at: datetime};\n"
    "action any;\n"
    "action read in [any] appliesTo {principal: User, resource: Doc,\n"
    "  context: {mfa: Bool, n: Long, ip?: ipaddr, when?: datetime, flat?: Home}};\n"
    "action write in [any] appliesTo {principal: [User, Team], resource: Doc,\n"
    "  context: {n: Long}};\n"
    "action paint appliesTo {principal: User, resource: Color};\n";

/* ann is known but for her tags; bob is there, and nothing is known of him; zoe is not listed. */
static const char entities_text[] =
    "[{\"uid\": {\"type\": \"User\", \"id\": \"ann\"},"
    "  \"attrs\": {\"age\": 30, \"admin\": true, \"boss\": {\"type\": \"User\", \"id\": \"bob\"}},"
    "  \"parents\": [{\"type\": \"Team\", \"id\": \"t\"}]},"
    " {\"uid\": {\"type\": \"Team\", \"id\": \"t\"}, \"attrs\": {}, \"tags\": {},"
    "  \"parents\": [{\"type\": \"Org\", \"id\": \"o\"}]},"
    " {\"uid\": {\"type\": \"User\", \"id\": \"bob\"}, \"attrs\": null},"
    " {\"uid\": {\"type\": \"User\", \"id\": \"tim\"}, \"tags\": {\"k\": \"v\"}}]";

struct bench {
    struct arena arena;
    const struct schema *schema;
    struct partial_entities known;
};

static const json *read_json(struct arena *a, const char *text)
{
    const json *v;
    struct err err;
    if (!json_read(a, str_z(text), NULL, &v, &err))
        fail_msg("%s", err.text);
    return v;
}

static int setup(void **state)
{
    static struct bench b;
    struct cedar_diags d;
    struct err err;
    b = (struct bench){0};
    cedar_diags_init(&d, &b.arena, S("schema"), str_z(schema_text));
    assert_true(schema_read(&b.arena, str_z(schema_text), &b.schema, &d));
    partial_entities_init(&b.known, &b.arena, b.schema);
    assert_true(partial_entities_from_json(&b.known, read_json(&b.arena, entities_text), &err));
    assert_true(partial_entities_seal(&b.known, &err));
    *state = &b;
    return 0;
}

static int teardown(void **state)
{
    arena_fini(&((struct bench *)*state)->arena);
    return 0;
}

static const struct cedar_policies *read_policies(struct bench *b, const char *text)
{
    struct cedar_policies *ps = ARENA_NEW(&b->arena, struct cedar_policies);
    struct cedar_diags d;
    if (!cedar_policies_parse(&b->arena, S("test"), str_dup(&b->arena, str_z(text)), ps, &d))
        fail_msg("%.*s: %s", STR(d.items[0].text), text);
    return ps;
}

static const struct partial_request *read_request(struct bench *b, const char *text)
{
    struct partial_request *req = ARENA_NEW(&b->arena, struct partial_request);
    struct err err;
    if (!partial_request_from_json(&b->arena, b->schema, read_json(&b->arena, text), req, &err))
        fail_msg("%s", err.text);
    return req;
}

static const struct partial_answer *answer_to(struct bench *b, const char *policies,
                                              const char *request)
{
    const struct cedar_policies *texts[] = {read_policies(b, policies)};
    const struct partial_answer *answer;
    struct err err;
    if (!partial_authorize(b->schema, texts, 1, read_request(b, request), &b->known, &b->arena,
                           &answer, &err))
        fail_msg("%s: %s", err.text, policies);
    return answer;
}

static str printed(struct bench *b, const struct cedar_expr *e)
{
    struct buf text = {0};
    struct err err;
    assert_true(cedar_expr_print(&text, e, &err));
    str s = str_dup(&b->arena, buf_str(&text));
    buf_fini(&text);
    return s;
}

/* ---- residuals ---- */

#define ANN_READS                                                                                  \
    "{\"principal_type\": \"User\", \"principal_eid\": \"ann\", \"action\": "                      \
    "\"Action::\\\"read\\\"\", \"resource_type\": \"Doc\"}"
#define ANN_READS_WITH(context)                                                                    \
    "{\"principal_type\": \"User\", \"principal_eid\": \"ann\", \"action\": "                      \
    "\"Action::\\\"read\\\"\", \"resource_type\": \"Doc\", \"context\": " context "}"
#define SOMEONE_READS                                                                              \
    "{\"principal_type\": \"User\", \"action\": \"Action::\\\"read\\\"\", \"resource_type\": "     \
    "\"Doc\", \"resource_eid\": null, \"context\": null}"

static const struct {
    const char *request, *condition, *residual;
} residuals[] = {
    /* values */
    {ANN_READS, "principal.age > 10", "true"},
    {ANN_READS, "principal.boss == User::\"bob\"", NULL}, /* refused: not tested for */
    {ANN_READS, "principal has boss && principal.boss == User::\"bob\"", "true"},
    {ANN_READS, "principal has home", "false"},
    {ANN_READS, "resource.public", "resource.public"},
    {ANN_READS, "context.mfa && resource.owner == principal",
     "context.mfa && resource.owner == User::\"ann\""},
    {ANN_READS_WITH("{\"mfa\": true, \"n\": 7}"), "context.mfa && context.n == resource.size",
     "7 == resource.size"},
    {ANN_READS_WITH("{\"mfa\": true, \"n\": 7, \"flat\": {\"zip\": 1}}"),
     "resource has team && context has flat && principal has boss && "
     "principal.boss has home && principal.boss.home == context.flat",
     "resource has team && User::\"bob\" has home && User::\"bob\".home == {zip: 1}"},
    {ANN_READS_WITH("{\"mfa\": true, \"n\": 7, \"when\": \"2024-01-02\"}"),
     "context has when && context.when < resource.at",
     "datetime(\"2024-01-02T00:00:00.000Z\") < resource.at"},
    {ANN_READS_WITH("{\"mfa\": true, \"n\": 7, \"ip\": \"10.0.0.1\"}"),
     "context has ip && [context.ip].contains(if resource.public then ip(\"1.1.1.1\") else "
     "context.ip)",
     "[ip(\"10.0.0.1\")].contains(if resource.public then ip(\"1.1.1.1\") else ip(\"10.0.0.1\"))"},
    /* what may be dropped */
    {ANN_READS, "context.mfa && false", "false"},
    {ANN_READS, "context.mfa || true", "true"},
    {ANN_READS, "resource.public && false", "resource.public && false"},
    {ANN_READS, "resource.public && context.mfa && false", "resource.public && false"},
    {ANN_READS, "context.mfa && resource.public && false",
     "context.mfa && resource.public && false"},
    {ANN_READS, "resource has team && resource.team in Team::\"t\" && false", "false"},
    {ANN_READS, "principal has boss && principal.boss.age == 1 && false", "false"},
    {ANN_READS, "User::\"zoe\".age == 1 && false", "User::\"zoe\".age == 1 && false"},
    {ANN_READS, "context.n + 1 == 2 && false", "context.n + 1 == 2 && false"},
    {ANN_READS, "-context.n == 2 && false", "-context.n == 2 && false"},
    {ANN_READS, "context.n * 1 == 2 && false", "context.n * 1 == 2 && false"},
    {ANN_READS,
     "context has when && context.when.offset(duration(\"1d\")) == context.when && false",
     "context has when && context.when.offset(duration(\"86400000ms\")) == context.when && false"},
    {ANN_READS, "context has when && context.when.toTime() == duration(\"1h\") && false", "false"},
    {ANN_READS, "{x: context.n + 1, y: true}.y", "{x: context.n + 1, y: true}.y"},
    {ANN_READS, "{x: context.n, y: true}.y", "true"},
    /* errors */
    {ANN_READS, "9223372036854775807 + 1 == context.n", "error()"},
    {ANN_READS, "context.mfa && 9223372036854775807 + 1 == 0", "context.mfa && error()"},
    {ANN_READS, "9223372036854775807 + 1 == 0 || context.mfa", "error()"},
    {ANN_READS, "if context.mfa then 9223372036854775807 + 1 == 0 else false",
     "if context.mfa then error() else false"},
    /* arithmetic from the left */
    {ANN_READS, "1 + 2 + context.n == 3", "3 + context.n == 3"},
    {ANN_READS, "1 - 2 - context.n == 3", "-1 - context.n == 3"},
    {ANN_READS, "context.n + 1 + 2 == 3", "context.n + 1 + 2 == 3"},
    {ANN_READS, "2 * 3 * context.n == 3", "6 * context.n == 3"},
    /* branches */
    {ANN_READS, "if context.mfa then principal.admin else false", "context.mfa"},
    {ANN_READS, "if context.mfa then false else principal.admin", "!context.mfa"},
    {ANN_READS, "(if context.mfa then 1 else 1) == 1", "true"},
    {ANN_READS, "(if resource.public then 1 else 1) == 1",
     "(if resource.public then 1 else 1) == 1"},
    {ANN_READS, "!(!context.mfa)", "context.mfa"},
    {ANN_READS, "if resource.public || true then context.mfa else context.nothing",
     "(resource.public || true) && context.mfa"},
    {ANN_READS, "if resource.public && false then context.nothing else context.mfa",
     "resource.public && false || context.mfa"},
    {ANN_READS, "(if resource.public || true then context.n else context.nothing) == 1",
     "(if resource.public || true then context.n else error()) == 1"},
    /* entities that are known in part */
    {ANN_READS, "principal has boss.home.zip", "User::\"bob\" has home.zip"},
    {ANN_READS, "User::\"bob\" has age", "true"},
    {ANN_READS, "User::\"zoe\" has age", "User::\"zoe\" has age"},
    {ANN_READS, "principal.hasTag(\"k\")", "User::\"ann\".hasTag(\"k\")"},
    {ANN_READS, "User::\"tim\".hasTag(\"k\") && User::\"tim\".getTag(\"k\") == \"v\"", "true"},
    {ANN_READS, "User::\"tim\".hasTag(\"x\") && User::\"tim\".getTag(\"x\") == \"v\"", "false"},
    {SOMEONE_READS, "principal.hasTag(\"k\") && principal.getTag(\"k\") == \"v\" && false",
     "false"},
    /* hierarchy */
    {ANN_READS, "principal in Team::\"t\"", "true"},
    {ANN_READS, "principal in Org::\"o\"", "true"},
    {ANN_READS, "principal in Org::\"p\"", "false"},
    {ANN_READS, "User::\"bob\" in [Team::\"t\", Team::\"u\"]",
     "User::\"bob\" in [Team::\"t\", Team::\"u\"]"},
    {ANN_READS, "User::\"bob\" in [User::\"ann\", User::\"bob\"]", "true"},
    {ANN_READS, "resource in Team::\"t\"", "false"},
    {SOMEONE_READS, "principal in Team::\"t\"", "principal in Team::\"t\""},
    {ANN_READS, "action in Action::\"any\" && action != Action::\"write\"", "true"},
    /* types */
    {SOMEONE_READS, "principal is User && !(principal is Team)", "true"},
    {SOMEONE_READS, "principal is User in Team::\"t\"", "principal in Team::\"t\""},
    {SOMEONE_READS, "principal is Team in Team::\"t\"", "false"},
    {ANN_READS, "resource.owner is User", "resource.owner is User"},
    {ANN_READS, "resource.owner is Team in Team::\"t\"", "resource.owner is Team in Team::\"t\""},
    {SOMEONE_READS, "principal == Color::\"red\" && context.nothing", "false"},
};

static void test_residuals(void **state)
{
    struct bench *b = *state;
    char text[600];
    struct err err;
    for (size_t i = 0; i < sizeof residuals / sizeof *residuals; i++) {
        const struct partial_answer *answer;
        (void)snprintf(text, sizeof text, "permit (principal, action, resource) when { %s };",
                       residuals[i].condition);
        const struct cedar_policies *texts[] = {read_policies(b, text)};
        bool done = partial_authorize(b->schema, texts, 1, read_request(b, residuals[i].request),
                                      &b->known, &b->arena, &answer, &err);
        if (done != (residuals[i].residual != NULL))
            fail_msg("%s: %s", residuals[i].condition, done ? "is not refused" : err.text);
        if (!done)
            continue;
        str got = printed(b, answer->policies[0].residual);
        if (!str_eq(got, str_z(residuals[i].residual)))
            fail_msg("%s\n  leaves %.*s\n  not    %s", residuals[i].condition, STR(got),
                     residuals[i].residual);
    }
}

static const struct {
    const char *policy, *residual;
} scopes[] = {
    {"permit (principal, action, resource);", "true"},
    {"permit (principal == User::\"ann\", action, resource);", "true"},
    {"permit (principal == User::\"bob\", action, resource);", "false"},
    {"permit (principal in Org::\"o\", action, resource);", "true"},
    {"permit (principal is Team, action, resource);", "false"},
    {"permit (principal is User in Team::\"t\", action, resource);", "true"},
    {"permit (principal, action == Action::\"write\", resource);", "false"},
    {"permit (principal, action in Action::\"any\", resource);", "true"},
    {"permit (principal, action, resource == Doc::\"d\");", "resource == Doc::\"d\""},
    {"permit (principal, action, resource is Doc) unless { context.mfa };", "!context.mfa"},
    {"permit (principal, action, resource == Doc::\"d\") when { resource.public } unless { "
     "context.mfa };",
     "resource == Doc::\"d\" && resource.public && !context.mfa"},
    {"permit (principal, action, resource) unless { true } when { context.nothing };", "false"},
    {"permit (principal is Team, action, resource) when { context.nothing };", "false"},
};

static void test_scopes(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++) {
        const struct partial_answer *answer = answer_to(b, scopes[i].policy, ANN_READS);
        str got = printed(b, answer->policies[0].residual);
        if (!str_eq(got, str_z(scopes[i].residual)))
            fail_msg("%s leaves %.*s", scopes[i].policy, STR(got));
    }
}

/* ---- decisions ---- */

static const struct {
    const char *policies;
    bool decided;
    enum cedar_decision decision;
    size_t reasons;
} decisions[] = {
    {"", true, CEDAR_DENY, 0},
    {"permit (principal, action, resource);", true, CEDAR_ALLOW, 1},
    {"permit (principal, action, resource) when { context.mfa };", false, CEDAR_DENY, 0},
    {"permit (principal, action, resource); forbid (principal, action, resource) when { "
     "context.mfa };",
     false, CEDAR_DENY, 0},
    {"forbid (principal, action, resource) when { context.mfa };", true, CEDAR_DENY, 0},
    {"permit (principal, action, resource) when { context.mfa }; forbid (principal, action, "
     "resource); forbid (principal, action, resource) when { context.mfa };",
     true, CEDAR_DENY, 1},
    {"permit (principal, action, resource); permit (principal, action, resource) when { "
     "context.mfa };",
     true, CEDAR_ALLOW, 1},
    {"permit (principal, action, resource); forbid (principal, action, resource) when { "
     "9223372036854775807 + 1 == 0 };",
     true, CEDAR_ALLOW, 1},
};

static void test_decisions(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof decisions / sizeof *decisions; i++) {
        const struct partial_answer *answer = answer_to(b, decisions[i].policies, ANN_READS);
        if (answer->decided != decisions[i].decided || answer->decision != decisions[i].decision ||
            answer->reason_count != decisions[i].reasons)
            fail_msg("%s", decisions[i].policies);
    }
}

/* A link is a policy; its template only takes part through it. */
static void test_links(void **state)
{
    struct bench *b = *state;
    const struct cedar_policies *texts[] = {
        read_policies(b, "permit (principal == ?principal, action, resource == ?resource);")};
    struct cedar_policies *ps = (struct cedar_policies *)texts[0];
    struct cedar_uid ann = {S("User"), S("ann")}, doc = {S("Doc"), S("d")};
    const struct partial_answer *answer;
    struct cedar_policy link;
    struct err err;
    assert_true(cedar_link(&b->arena, &ps->items[0], S("link"), &ann, &doc, &link, &err));
    assert_true(cedar_policies_add(&b->arena, ps, &link, &err));
    assert_true(partial_authorize(b->schema, texts, 1, read_request(b, ANN_READS), &b->known,
                                  &b->arena, &answer, &err));
    assert_int_equal(answer->count, 2);
    assert_int_equal(answer->classes[CEDAR_PERMIT][PARTIAL_FALSE], 0);
    assert_true(str_eq(printed(b, answer->policies[1].residual), S("resource == Doc::\"d\"")));
    struct cedar_policies left = partial_residuals(answer, &b->arena);
    struct buf text = {0};
    assert_true(cedar_policy_print(&text, &left.items[1], &err));
    assert_non_null(strstr(str_dup(&b->arena, buf_str(&text)).p, "resource == Doc::\"d\""));
    buf_fini(&text);
    assert_true(str_eq(left.items[1].id, S("link")));
}

/* An error has no text that reads back, and the form of the official engine. */
static void test_error_form(void **state)
{
    struct bench *b = *state;
    const struct partial_answer *answer = answer_to(
        b,
        "permit (principal, action, resource) when { context.mfa && 9223372036854775807 + 1 "
        "== 0 };",
        ANN_READS);
    struct buf text = {0};
    struct err err;
    assert_true(cedar_expr_to_json(&text, answer->policies[0].residual, &err));
    assert_non_null(strstr(str_dup(&b->arena, buf_str(&text)).p, "{\"error\":[]}"));
    buf_fini(&text);
}

/* ---- refusals ---- */

static const struct {
    const char *request, *why;
} bad_requests[] = {
    {"{\"principal_type\": \"User\", \"resource_type\": \"Doc\"}", "`action` must be given"},
    {"{\"principal_type\": 1, \"action\": \"Action::\\\"read\\\"\", \"resource_type\": \"Doc\"}",
     "`principal_type` must be a string"},
    {"{\"principal_type\": \"User\", \"action\": \"Action::\\\"eat\\\"\", \"resource_type\": "
     "\"Doc\"}",
     "no action"},
    {"{\"principal_type\": \"Team\", \"action\": \"Action::\\\"read\\\"\", \"resource_type\": "
     "\"Doc\"}",
     "does not apply to a principal"},
    {"{\"principal_type\": \"User\", \"action\": \"Action::\\\"any\\\"\", \"resource_type\": "
     "\"Doc\"}",
     "does not apply"},
    {"{\"principal_type\": \"User\", \"action\": \"Action::\\\"paint\\\"\", \"resource_type\": "
     "\"Color\", \"resource_eid\": \"blue\"}",
     "has no entity \"blue\""},
    {"{\"principal_type\": \"User\", \"action\": \"Action::\\\"write\\\"\", \"resource_type\": "
     "\"Doc\", \"context\": {}}",
     "`n` is missing"},
};

static void test_bad_requests(void **state)
{
    struct bench *b = *state;
    const struct cedar_policies *texts[] = {read_policies(b, "")};
    for (size_t i = 0; i < sizeof bad_requests / sizeof *bad_requests; i++) {
        const struct partial_answer *answer;
        struct partial_request req;
        struct err err = {0};
        bool done =
            partial_request_from_json(&b->arena, b->schema,
                                      read_json(&b->arena, bad_requests[i].request), &req, &err) &&
            partial_authorize(b->schema, texts, 1, &req, &b->known, &b->arena, &answer, &err);
        if (done || !strstr(err.text, bad_requests[i].why))
            fail_msg("%s: %s", bad_requests[i].request, err.text);
    }
}

static const struct {
    const char *entities, *why;
} bad_entities[] = {
    {"{}", "must be an array"},
    {"[1]", "must be an object"},
    {"[{\"attrs\": {}}]", "uid"},
    {"[{\"uid\": {\"type\": \"Planet\", \"id\": \"x\"}}]", "no entity type"},
    {"[{\"uid\": {\"type\": \"Color\", \"id\": \"blue\"}}]", "does not list"},
    {"[{\"uid\": {\"type\": \"Action\", \"id\": \"read\"}}]", "leave out"},
    {"[{\"uid\": {\"type\": \"User\", \"id\": \"x\"}, \"attrs\": {\"age\": 1}}]", "is missing"},
    {"[{\"uid\": {\"type\": \"User\", \"id\": \"x\"}, \"tags\": {\"k\": 1}}]", "tag"},
    {"[{\"uid\": {\"type\": \"User\", \"id\": \"x\"}, \"parents\": [{\"type\": \"Org\", \"id\": "
     "1}]}]",
     "parents"},
    {"[{\"uid\": {\"type\": \"User\", \"id\": \"x\"}, \"parents\": [{\"type\": \"Doc\", \"id\": "
     "\"d\"}]}]",
     "cannot be in"},
    {"[{\"uid\": {\"type\": \"User\", \"id\": \"x\"}}, {\"uid\": {\"type\": \"User\", \"id\": "
     "\"x\"}}]",
     "given twice"},
    {"[{\"uid\": {\"type\": \"User\", \"id\": \"x\"}, \"parents\": [{\"type\": \"Team\", \"id\": "
     "\"t\"}]}, {\"uid\": {\"type\": \"Team\", \"id\": \"t\"}}]",
     "give both or neither"},
};

static void test_bad_entities(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof bad_entities / sizeof *bad_entities; i++) {
        struct partial_entities e;
        struct err err = {0};
        partial_entities_init(&e, &b->arena, b->schema);
        bool done =
            partial_entities_from_json(&e, read_json(&b->arena, bad_entities[i].entities), &err) &&
            partial_entities_seal(&e, &err);
        if (done || !strstr(err.text, bad_entities[i].why))
            fail_msg("%s: %s", bad_entities[i].entities, err.text);
    }
}

/* Only the environment at hand must be valid, as in SDK 4.12. */
static void test_invalid_policies(void **state)
{
    struct bench *b = *state;
    static const char elsewhere[] = "permit (principal, action, resource) when { context.mfa };";
    static const char unknown[] =
        "permit (principal, action, resource) when { false && resource == Planet::\"x\" };";
    const struct cedar_policies *texts[] = {read_policies(b, elsewhere)};
    const struct partial_plan *plan;
    struct cedar_uid read = {S("Action"), S("read")}, write = {S("Action"), S("write")};
    struct err err = {0};
    assert_true(
        partial_plan_make(b->schema, texts, 1, &read, S("User"), S("Doc"), &b->arena, &plan, &err));
    assert_false(partial_plan_make(b->schema, texts, 1, &write, S("User"), S("Doc"), &b->arena,
                                   &plan, &err));
    assert_non_null(strstr(err.text, "policy `policy0` is not valid"));
    texts[0] = read_policies(b, unknown);
    assert_false(
        partial_plan_make(b->schema, texts, 1, &read, S("User"), S("Doc"), &b->arena, &plan, &err));
}

/* ---- limits: what is known stands in the residual, as deep and as often as it is ---- */

static void put_many(struct buf *b, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_put(b, str_z(text));
}

/* The type of `context.x`, its value, and a condition. */
static bool answers(struct bench *b, str type, str value, str condition, struct err *err)
{
    struct buf schema = {0}, policy = {0}, request = {0};
    struct cedar_diags d;
    const struct schema *s;
    const struct partial_answer *answer;
    struct partial_entities nothing;
    struct partial_request req;
    buf_printf(&schema,
               "entity U; entity D = {p: Bool, s: String}; action a appliesTo {principal: U, "
               "resource: D, context: {x: %.*s}};",
               STR(type));
    str schema_copy = str_dup(&b->arena, buf_str(&schema));
    cedar_diags_init(&d, &b->arena, S("schema"), schema_copy);
    assert_true(schema_read(&b->arena, schema_copy, &s, &d));
    buf_printf(&policy, "permit (principal, action, resource) when { %.*s };", STR(condition));
    buf_printf(&request,
               "{\"principal_type\": \"U\", \"action\": \"Action::\\\"a\\\"\", "
               "\"resource_type\": \"D\", \"context\": {\"x\": %.*s}}",
               STR(value));
    const struct cedar_policies *texts[] = {
        read_policies(b, str_dup(&b->arena, buf_str(&policy)).p)};
    const json *v = read_json(&b->arena, str_dup(&b->arena, buf_str(&request)).p);
    buf_fini(&schema);
    buf_fini(&policy);
    buf_fini(&request);
    partial_entities_init(&nothing, &b->arena, s);
    assert_true(partial_entities_seal(&nothing, err));
    if (!partial_request_from_json(&b->arena, s, v, &req, err))
        fail_msg("%s", err->text);
    return partial_authorize(s, texts, 1, &req, &nothing, &b->arena, &answer, err);
}

static bool nested(struct bench *b, size_t value_depth, size_t expr_depth, struct err *err)
{
    struct buf type = {0}, value = {0}, condition = {0};
    put_many(&type, "{a: ", value_depth);
    put_many(&value, "{\"a\": ", value_depth);
    put_many(&condition, "[", expr_depth);
    buf_put(&type, S("Long"));
    buf_put(&value, S("1"));
    buf_put(&condition, S("if resource.p then context.x else context.x"));
    put_many(&type, "}", value_depth);
    put_many(&value, "}", value_depth);
    put_many(&condition, "]", expr_depth);
    buf_put(&condition, S(".isEmpty()"));
    bool ok = answers(b, buf_str(&type), buf_str(&value), buf_str(&condition), err);
    buf_fini(&type);
    buf_fini(&value);
    buf_fini(&condition);
    return ok;
}

static void test_depth_limit(void **state)
{
    struct err err = {0};
    if (!nested(*state, 50, 60, &err))
        fail_msg("%s", err.text);
    assert_false(nested(*state, 50, 90, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
}

static bool repeated(struct bench *b, size_t items, size_t times, struct err *err)
{
    struct buf value = {0}, condition = {0};
    buf_putc(&value, '[');
    for (size_t i = 0; i < items; i++)
        buf_printf(&value, "%s\"%zu\"", i ? ", " : "", i);
    buf_putc(&value, ']');
    buf_put(&condition, S("context.x.contains(resource.s)"));
    put_many(&condition, " || context.x.contains(resource.s)", times - 1);
    bool ok = answers(b, S("Set<String>"), buf_str(&value), buf_str(&condition), err);
    buf_fini(&value);
    buf_fini(&condition);
    return ok;
}

static void test_size_limit(void **state)
{
    struct err err = {0};
    if (!repeated(*state, 1000, 500, &err))
        fail_msg("%s", err.text);
    assert_false(repeated(*state, 1000, 1200, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
}

/* ---- reauthorization ---- */

static void read_store(struct bench *b, const char *text, struct cedar_entities *out)
{
    struct typed_json typed = {b->schema, NULL};
    struct cedar_json_hook hook = typed_json_hook(&typed);
    struct err err;
    cedar_entities_init(out, &b->arena, NULL, 1);
    for (size_t i = 0; i < b->schema->action_count; i++) {
        struct cedar_entity x = {.uid = b->schema->actions[i].uid};
        struct cedar_uid *any = ARENA_NEW(&b->arena, struct cedar_uid);
        *any = (struct cedar_uid){S("Action"), S("any")};
        x.parents = any;
        x.parent_count = b->schema->actions[i].parents.count;
        assert_true(cedar_entities_add(out, &x, &err));
    }
    if (!cedar_entities_from_json(out, read_json(&b->arena, text), &hook, &err) ||
        !cedar_entities_seal(out, &err))
        fail_msg("%s", err.text);
}

#define ANN(age)                                                                                   \
    "{\"uid\": {\"type\": \"User\", \"id\": \"ann\"}, \"attrs\": {\"age\": " age                   \
    ", \"admin\": true, \"boss\": {\"type\": \"User\", \"id\": \"bob\"}}, \"parents\": "           \
    "[{\"type\": \"Team\", \"id\": \"t\"}], \"tags\": {\"k\": \"v\"}}"
#define TEAM(org)                                                                                  \
    "{\"uid\": {\"type\": \"Team\", \"id\": \"t\"}, \"attrs\": {}, \"parents\": [{\"type\": "      \
    "\"Org\", \"id\": \"" org "\"}]}"
#define BOB                                                                                        \
    "{\"uid\": {\"type\": \"User\", \"id\": \"bob\"}, \"attrs\": {\"age\": 50, \"admin\": "        \
    "false}, \"parents\": []}"
#define TIM(v)                                                                                     \
    "{\"uid\": {\"type\": \"User\", \"id\": \"tim\"}, \"attrs\": {\"age\": 50, \"admin\": "        \
    "false}, \"parents\": [], \"tags\": {\"k\": \"" v "\"}}"
#define DOC                                                                                        \
    "{\"uid\": {\"type\": \"Doc\", \"id\": \"d\"}, \"attrs\": {\"owner\": {\"type\": \"User\", "   \
    "\"id\": \"ann\"}, \"public\": true, \"size\": 3, \"at\": \"2024-01-01\"}, \"parents\": []}"

static const struct {
    const char *principal, *action, *store, *why;
} completions[] = {
    {"ann", "read", "[" ANN("30") "," TEAM("o") "," BOB "," TIM("v") "," DOC "]", NULL},
    {"ann", "read", "[" ANN("30") "," TEAM("o") "," BOB "," TIM("v") "]", NULL},
    {"bob", "read", "[" ANN("30") "," TEAM("o") "," BOB "," TIM("v") "," DOC "]",
     "the request differs"},
    {"ann", "write", "[" ANN("30") "," TEAM("o") "," BOB "," TIM("v") "," DOC "]", "context"},
    {"ann", "read", "[" ANN("31") "," TEAM("o") "," BOB "," TIM("v") "," DOC "]", "differs"},
    {"ann", "read", "[" ANN("30") "," TEAM("p") "," BOB "," TIM("v") "," DOC "]", "differs"},
    {"ann", "read", "[" ANN("30") "," TEAM("o") "," BOB "," TIM("w") "," DOC "]", "differs"},
    {"ann", "read", "[" ANN("30") "," TEAM("o") "," TIM("v") "," DOC "]", "missing"},
};

static void test_reauthorize(void **state)
{
    struct bench *b = *state;
    const struct partial_answer *answer = answer_to(
        b, "permit (principal, action, resource) when { resource.public && context.mfa };",
        ANN_READS);
    struct cedar_value context;
    struct err err;
    assert_true(cedar_context_from_json(
        &b->arena, read_json(&b->arena, "{\"mfa\": true, \"n\": 1}"), NULL, &context, &err));
    for (size_t i = 0; i < sizeof completions / sizeof *completions; i++) {
        struct cedar_request req = {{S("User"), str_z(completions[i].principal)},
                                    {S("Action"), str_z(completions[i].action)},
                                    {S("Doc"), S("d")},
                                    &context};
        struct cedar_entities store;
        struct cedar_response res;
        read_store(b, completions[i].store, &store);
        bool done = partial_reauthorize(answer, &req, &store, &b->arena, &res, &err);
        if (done != !completions[i].why || (!done && !strstr(err.text, completions[i].why)))
            fail_msg("%s: %s", completions[i].store, err.text);
        if (i == 0)
            assert_int_equal(res.decision, CEDAR_ALLOW);
        if (i == 1)
            assert_int_equal(res.error_count, 1);
    }
}

/* ---- questions ---- */

static const char asked_policies[] =
    "permit (principal, action == Action::\"read\", resource) when { context.mfa };"
    "permit (principal, action == Action::\"write\", resource) when { resource.owner == principal "
    "};"
    "permit (principal is User, action == Action::\"paint\", resource == Color::\"red\");"
    "forbid (principal, action, resource) when { principal in Org::\"banned\" };";

static enum partial_verdict verdict_of(const struct partial_findings *f, const char *action)
{
    for (size_t i = 0; i < f->count; i++)
        if (str_eq(f->items[i].action->uid.id, str_z(action)))
            return f->items[i].verdict;
    fail_msg("no finding for %s", action);
    return PARTIAL_DENIED;
}

static void test_query_action(void **state)
{
    struct bench *b = *state;
    const struct cedar_policies *texts[] = {read_policies(b, asked_policies)};
    struct partial_uid ann = {S("User"), S("ann"), true}, doc = {S("Doc"), {0}, false};
    struct partial_uid green = {S("Color"), S("green"), true}, color = {S("Color"), {0}, false};
    struct partial_findings f;
    struct cedar_value context;
    struct err err;
    assert_true(partial_query_action(b->schema, texts, 1, &ann, &doc, NULL, &b->known, &b->arena,
                                     &f, &err));
    assert_int_equal(f.count, 2);
    assert_int_equal(verdict_of(&f, "read"), PARTIAL_POSSIBLE);
    assert_int_equal(verdict_of(&f, "write"), PARTIAL_POSSIBLE);
    assert_true(cedar_context_from_json(
        &b->arena, read_json(&b->arena, "{\"mfa\": true, \"n\": 1}"), NULL, &context, &err));
    assert_true(partial_query_action(b->schema, texts, 1, &ann, &doc, &context, &b->known,
                                     &b->arena, &f, &err));
    assert_int_equal(verdict_of(&f, "read"), PARTIAL_ALLOWED);
    assert_int_equal(verdict_of(&f, "write"), PARTIAL_DENIED); /* its context has no mfa */
    assert_null(f.items[1].answer);
    assert_true(partial_query_action(b->schema, texts, 1, &ann, &green, NULL, &b->known, &b->arena,
                                     &f, &err));
    assert_int_equal(verdict_of(&f, "paint"), PARTIAL_DENIED);
    assert_true(partial_query_action(b->schema, texts, 1, &ann, &color, NULL, &b->known, &b->arena,
                                     &f, &err));
    assert_int_equal(verdict_of(&f, "paint"), PARTIAL_POSSIBLE);
}

static void test_query_entities(void **state)
{
    struct bench *b = *state;
    static const char store_text[] = "[" ANN("30") "," TEAM("o") "," BOB "," TIM(
        "v") "," DOC
             ", {\"uid\": {\"type\": \"Doc\", \"id\": \"c\"}, \"attrs\": {\"owner\": {\"type\": "
             "\"User\", \"id\": \"bob\"}, \"public\": true, \"size\": 3, \"at\": \"2024-01-01\"}, "
             "\"parents\": []}]";
    const struct cedar_policies *texts[] = {read_policies(b, asked_policies)};
    struct cedar_entities store;
    struct partial_entities whole;
    struct partial_findings f;
    struct cedar_value n;
    struct err err;
    read_store(b, store_text, &store);
    assert_true(partial_entities_whole(&whole, b->schema, &store, &err));
    assert_true(
        cedar_context_from_json(&b->arena, read_json(&b->arena, "{\"n\": 1}"), NULL, &n, &err));
    struct partial_request req = {
        {S("User"), S("ann"), true}, {S("Doc"), {0}, false}, {S("Action"), S("write")}, &n};
    assert_true(partial_query_entities(b->schema, texts, 1, CEDAR_RESOURCE, &req, &whole, &b->arena,
                                       &f, &err));
    assert_int_equal(f.count, 2);
    assert_true(str_eq(f.items[0].uid.id, S("c")) && f.items[0].verdict == PARTIAL_DENIED);
    assert_true(str_eq(f.items[1].uid.id, S("d")) && f.items[1].verdict == PARTIAL_ALLOWED);
    assert_false(partial_query_entities(b->schema, texts, 1, CEDAR_PRINCIPAL, &req, &whole,
                                        &b->arena, &f, &err));
    req = (struct partial_request){
        {S("User"), {0}, false}, {S("Doc"), S("d"), true}, {S("Action"), S("read")}, NULL};
    assert_true(partial_query_entities(b->schema, texts, 1, CEDAR_PRINCIPAL, &req, &whole,
                                       &b->arena, &f, &err));
    assert_int_equal(f.count, 3);
    for (size_t i = 0; i < f.count; i++) {
        assert_int_equal(f.items[i].verdict, PARTIAL_POSSIBLE);
        assert_true(str_eq(printed(b, f.items[i].answer->policies[0].residual), S("context.mfa")));
        assert_int_equal(f.items[i].answer->policies[3].class, PARTIAL_FALSE);
    }
}

static void test_query_reach(void **state)
{
    struct bench *b = *state;
    const struct cedar_policies *texts[] = {read_policies(b, asked_policies)};
    struct partial_uid ann = {S("User"), S("ann"), true}, team = {S("Team"), {0}, false};
    struct partial_findings f;
    struct err err;
    assert_true(partial_query_reach(b->schema, texts, 1, &ann, &b->known, &b->arena, &f, &err));
    assert_int_equal(f.count, 3);
    assert_int_equal(verdict_of(&f, "paint"), PARTIAL_POSSIBLE);
    assert_true(str_eq(f.items[2].resource_type, S("Color")));
    assert_true(partial_query_reach(b->schema, texts, 1, &team, &b->known, &b->arena, &f, &err));
    assert_int_equal(f.count, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_residuals),      TEST(test_scopes),
        TEST(test_decisions),      TEST(test_links),
        TEST(test_error_form),     TEST(test_bad_requests),
        TEST(test_bad_entities),   TEST(test_depth_limit),
        TEST(test_size_limit),     TEST(test_invalid_policies),
        TEST(test_reauthorize),    TEST(test_query_action),
        TEST(test_query_entities), TEST(test_query_reach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
