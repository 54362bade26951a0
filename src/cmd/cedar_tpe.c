/* `ambit cedar tpe`: a request of which only a part is known. */
#include "base/clock.h"
#include "cedar/partial/partial.h"
#include "cedar/policy/print.h"
#include "cmd/cedar.h"

/* The options as the object that --request-json would hold. */
static bool request_of_options(struct work *w, const json **out)
{
    static const struct {
        const char *option, *member;
    } rows[] = {{"principal-type", "principal_type"},
                {"principal-eid", "principal_eid"},
                {"action", "action"},
                {"resource-type", "resource_type"},
                {"resource-eid", "resource_eid"},
                {NULL, NULL}};
    const struct args *args = &w->cli->args;
    struct buf b = {0};
    struct jw j = jw(&b);
    str text;
    bool ok = true;
    jw_obj(&j);
    for (size_t i = 0; rows[i].option; i++)
        if (args_has(args, rows[i].option))
            jw_kstr(&j, str_z(rows[i].member), args_get(args, rows[i].option));
    if (args_has(args, "context")) {
        const json *context;
        ok = work_file(w, args_get(args, "context"), &text) &&
             work_json(w, args_get(args, "context"), text, &context);
        if (ok)
            jw_kvalue(&j, S("context"), context);
    }
    jw_end_obj(&j);
    ok = ok && work_json(w, S("the request"), str_dup(w->call.a, buf_str(&b)), out);
    buf_fini(&b);
    return ok;
}

static bool read_request(struct work *w, const struct schema *schema, struct partial_request *out)
{
    const struct args *args = &w->cli->args;
    str path = args_get(args, "request-json"), text;
    const json *v;
    struct err err;
    bool ok = args_has(args, "request-json")
                  ? work_file(w, path, &text) && work_json(w, path, text, &v)
                  : request_of_options(w, &v);
    if (!ok)
        return false;
    if (partial_request_from_json(w->call.a, schema, v, out, &err))
        return true;
    calls_fail(&w->call, "request: %s", err.text);
    return false;
}

static bool read_entities(struct work *w, const struct schema *schema, struct partial_entities *out)
{
    str path = args_get(&w->cli->args, "entities"), text;
    const json *v;
    struct err err;
    if (!work_file(w, path, &text) || !work_json(w, path, text, &v))
        return false;
    partial_entities_init(out, w->call.a, schema);
    if (partial_entities_from_json(out, v, &err) && partial_entities_seal(out, &err))
        return true;
    calls_fail(&w->call, "entities: %s", err.text);
    return false;
}

static int put_answer(struct work *w, const struct partial_answer *answer)
{
    struct err err;
    if (answer->decided) {
        bool allow = answer->decision == CEDAR_ALLOW;
        buf_put(&w->out, allow ? S("ALLOW\n") : S("DENY\n"));
        return allow ? 0 : EXIT_DENY;
    }
    struct cedar_policies rest = partial_residuals(answer, w->call.a);
    buf_put(&w->out, S("UNKNOWN\nwhat is left of the policies:\n"));
    for (size_t i = 0; i < rest.count; i++) {
        if (answer->policies[i].class != PARTIAL_RESIDUAL)
            continue;
        buf_printf(&w->out, "// %.*s\n", STR(rest.items[i].id));
        if (!cedar_policy_print(&w->out, &rest.items[i], &err))
            calls_fail(&w->call, "%s", err.text);
    }
    return EXIT_UNDECIDED;
}

static int decide(struct work *w, const struct schema *schema, const struct calls_policies *set,
                  const struct partial_request *req, const struct partial_entities *entities)
{
    const struct cedar_policies *texts[] = {&set->all};
    const struct partial_answer *answer;
    struct err err;
    int64_t start = clock_mono_us();
    if (!partial_authorize(schema, texts, 1, req, entities, w->call.a, &answer, &err)) {
        calls_fail(&w->call, "%s", err.text);
        return EXIT_FAILED;
    }
    if (args_has(&w->cli->args, "timing"))
        buf_printf(&w->out, "decided in %lld us\n", (long long)(clock_mono_us() - start));
    return put_answer(w, answer);
}

int cedar_tpe_verb(struct cli *c)
{
    static const char *const replaced[] = {"principal-type", "principal-eid", "action",
                                           "resource-type",  "resource-eid",  "context"};
    struct work w;
    struct calls_policies set;
    const struct schema *schema;
    struct partial_request req = {0};
    struct partial_entities entities;
    if (!args_has(&c->args, "entities") || !args_has(&c->args, "schema"))
        return cli_usage(c, "--schema FILE and --entities FILE are needed");
    for (size_t i = 0; i < 6 && args_has(&c->args, "request-json"); i++)
        if (args_has(&c->args, replaced[i]))
            return cli_usage(c, "--request-json goes without the other options of the request");
    work_begin(&w, c);
    bool ok = work_policies(&w, false, &set);
    if (!work_schema(&w, &schema))
        return work_end(&w, EXIT_FAILED);
    ok = read_entities(&w, schema, &entities) && ok;
    ok = read_request(&w, schema, &req) && ok;
    return work_end(&w, ok ? decide(&w, schema, &set, &req, &entities) : EXIT_FAILED);
}
