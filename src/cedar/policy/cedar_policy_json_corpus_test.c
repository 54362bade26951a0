/* The policies of the official corpus (see testdata.h), there and back: text, tree, JSON, tree,
 * text, tree. Each tree must equal the one before, and policies read from our JSON and from our
 * text must decide every request as the official engine did. Without the data the test says so and
 * is skipped. Sanitizer builds decide the requests of every tenth test only. */
#include "cedar/cedar.h"
#include "cedar/policy/ast_equal.h"
#include "cedar/policy/policy_json.h"
#include "cedar/policy/print.h"
#include "cedar/testdata.h"
#include "cedar/value/entities_json.h"

#include <stdio.h>

#if defined(__SANITIZE_ADDRESS__)
enum { EVERY = 10 };
#else
enum { EVERY = 1 };
#endif
enum { SHOWN_MAX = 20, SEED = 12345 };

struct tally {
    struct testdata data;
    size_t policies, whole, requests, agreed, shown, seen;
};

static bool complain(struct tally *t, str name, const char *what, str text)
{
    if (t->shown++ < SHOWN_MAX)
        printf("%.*s: %s: %.*s\n", STR(name), what, STR(str_take(text, 300)));
    return false;
}

/* ---- there and back ---- */

struct forms {
    struct cedar_policies text;  /* as it was written */
    struct cedar_policies json;  /* read from our JSON of it */
    struct cedar_policies again; /* read from our text of that */
};

static bool text_keeps(struct tally *t, struct arena *a, str name, const struct cedar_policy *p,
                       struct cedar_policy *out)
{
    struct buf b = {0};
    struct err err = {0};
    struct cedar_diags d;
    if (!cedar_policy_print(&b, p, &err))
        return complain(t, name, "cannot be printed", str_z(err.text));
    str text = str_dup(a, buf_str(&b));
    buf_fini(&b);
    if (!cedar_policy_parse(a, p->id, text, CEDAR_WANT_STATIC, out, &d))
        return complain(t, name, d.items[0].text.p, text);
    if (!ast_policy_equal(a, p, out, AST_EXACT))
        return complain(t, name, "another tree from text", text);
    return true;
}

static bool json_keeps(struct tally *t, struct arena *a, str name, const struct cedar_policy *p,
                       struct cedar_policy *out, str *written)
{
    struct buf b = {0};
    struct err err = {0};
    const json *v;
    if (!cedar_policy_to_json(&b, p, &err))
        return complain(t, name, "cannot be written", str_z(err.text));
    *written = str_dup(a, buf_str(&b));
    buf_fini(&b);
    if (!json_read(a, *written, &cedar_policy_json_limits, &v, &err) ||
        !cedar_policy_from_json(a, v, p->id, CEDAR_WANT_STATIC, out, &err))
        return complain(t, name, err.text, *written);
    if (!ast_policy_equal(a, p, out, AST_MEANING))
        return complain(t, name, "another tree from JSON", *written);
    return true;
}

static bool goes_round(struct tally *t, struct arena *a, str name, struct forms *f)
{
    str text, first, second;
    struct cedar_diags d;
    struct cedar_policy ignored;
    if (!testdata_read(&t->data, a, "corpus", name, ".cedar", &text) ||
        !cedar_policies_parse(a, S(""), text, &f->text, &d) || f->text.count != 1)
        return complain(t, name, "cannot be read", text);
    f->json = f->again = f->text;
    f->json.items = ARENA_NEW(a, struct cedar_policy);
    f->again.items = ARENA_NEW(a, struct cedar_policy);
    if (!text_keeps(t, a, name, &f->text.items[0], &ignored) ||
        !json_keeps(t, a, name, &f->text.items[0], f->json.items, &first) ||
        !text_keeps(t, a, name, f->json.items, f->again.items) ||
        !json_keeps(t, a, name, f->again.items, &ignored, &second))
        return false;
    return str_eq(first, second) || complain(t, name, "another JSON text", second);
}

/* ---- decisions ---- */

/* One policy in all: it is named or nothing is. */
static bool named(const json *list, size_t count)
{
    return json_count(list) == count;
}

static bool decides(const struct cedar_policies *policies, const struct cedar_request *req,
                    const struct cedar_entities *entities, const json *official)
{
    ARENA_SCOPE struct arena scratch = {0};
    struct err err;
    struct cedar_response res;
    const struct cedar_policies *const texts[] = {policies};
    struct cedar_set *set = cedar_compile(texts, 1, SEED, &err);
    bool same = set && cedar_authorize(set, req, entities, &scratch, &res, &err) &&
                (res.decision == CEDAR_ALLOW) ==
                    str_eq(json_get_str(official, S("decision")), S("allow")) &&
                named(json_get(official, S("reason")), res.reason_count) &&
                named(json_get(official, S("errors")), res.error_count);
    cedar_set_free(set);
    return same;
}

static void decide(struct tally *t, struct arena *a, str name, const struct forms *f,
                   const struct cedar_entities *entities, const json *official)
{
    struct cedar_request req = {0};
    struct cedar_value context;
    struct err err = {0};
    t->requests++;
    req.context = &context;
    if (!cedar_uid_from_json(json_get(official, S("principal")), &req.principal, &err) ||
        !cedar_uid_from_json(json_get(official, S("action")), &req.action, &err) ||
        !cedar_uid_from_json(json_get(official, S("resource")), &req.resource, &err) ||
        !cedar_context_from_json(a, json_get(official, S("context")), NULL, &context, &err))
        complain(t, name, "a request", str_z(err.text));
    else if (!decides(&f->json, &req, entities, official))
        complain(t, name, "decides differently", S("as read from JSON"));
    else if (!decides(&f->again, &req, entities, official))
        complain(t, name, "decides differently", S("as read from text"));
    else
        t->agreed++;
}

static void decide_all(struct tally *t, struct arena *a, str name, const struct forms *f)
{
    const json *test = testdata_json(&t->data, a, "corpus", name, ".json"), *r;
    const json *array = testdata_json(&t->data, a, "corpus", name, ".entities.json");
    struct cedar_entities entities;
    struct err err = {0};
    cedar_entities_init(&entities, a, NULL, SEED);
    if (!array || !cedar_entities_from_json(&entities, array, NULL, &err) ||
        !cedar_entities_seal(&entities, &err)) {
        t->requests++;
        complain(t, name, "its entities", str_z(err.text));
        return;
    }
    for (struct json_iter it = json_iter(json_get(test, S("requests"))); json_next(&it, NULL, &r);)
        decide(t, a, name, f, &entities, r);
}

static void one(void *ctx, str name)
{
    ARENA_SCOPE struct arena a = {0};
    struct tally *t = ctx;
    struct forms f;
    t->policies++;
    if (!goes_round(t, &a, name, &f))
        return;
    t->whole++;
    if (t->seen++ % EVERY == 0)
        decide_all(t, &a, name, &f);
}

int main(int argc, char **argv)
{
    struct tally t = {0};
    if (!testdata_open(&t.data, argc > 1 ? argv[1] : NULL))
        return TESTDATA_SKIPPED;
    testdata_each(&t.data, "corpus", ".cedar", one, &t);
    testdata_close(&t.data);
    printf("%zu of %zu policies come back the same; %zu of %zu requests agree\n", t.whole,
           t.policies, t.agreed, t.requests);
    return t.whole == t.policies && t.agreed == t.requests && t.requests > 0 ? 0 : 1;
}
