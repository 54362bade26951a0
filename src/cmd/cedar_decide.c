/* `ambit cedar authorize` and `evaluate`. */
#include "base/clock.h"
#include "cedar/policy/parse.h"
#include "cmd/cedar.h"

/* 0, or the exit status after the complaint. */
static int how_called(struct cli *c)
{
    static const char *const replaced[] = {"principal", "action", "resource", "context"};
    for (size_t i = 0; i < 4 && args_has(&c->args, "request-json"); i++)
        if (args_has(&c->args, replaced[i]))
            return cli_usage(c, "--request-json goes without --principal, --action, --resource and "
                                "--context");
    return 0;
}

static bool is_stdin(struct cli *c, const char *option)
{
    return str_eq(args_get(&c->args, option), S("-"));
}

/* ---- authorize ---- */

static void put_id(struct buf *out, str id)
{
    buf_put(out, S("  "));
    put_safe(out, id);
    buf_putc(out, '\n');
}

static void put_response(struct work *w, const struct calls_policies *set,
                         const struct cedar_response *res)
{
    buf_put(&w->out, res->decision == CEDAR_ALLOW ? S("ALLOW\n") : S("DENY\n"));
    for (size_t i = 0; i < res->error_count; i++) {
        uint32_t policy = res->errors[i].policy;
        str text = str_fmt(w->call.a, "policy `%.*s` failed: %.*s", STR(set->all.items[policy].id),
                           STR(res->errors[i].text));
        struct calls_note note = calls_note_of_policy(&w->call, set, policy, text);
        work_put_note(w, &w->out, &note);
    }
    if (!args_has(&w->cli->args, "verbose"))
        return;
    if (res->reason_count == 0)
        buf_put(&w->out, S("note: no policy applies to this request\n"));
    else
        buf_put(&w->out, S("note: decided by these policies:\n"));
    for (size_t i = 0; i < res->reason_count; i++)
        put_id(&w->out, set->all.items[res->reasons[i]].id);
}

static int decide(struct work *w, const struct calls_policies *set,
                  const struct cedar_entities *entities, const struct cedar_request *req)
{
    const struct cedar_policies *texts[] = {&set->all};
    struct cedar_response res;
    struct err err;
    int status = EXIT_FAILED;
    struct cedar_set *compiled = cedar_compile(texts, 1, entities->seed, &err);
    int64_t start = clock_mono_us();
    if (compiled && cedar_authorize(compiled, req, entities, w->call.a, &res, &err)) {
        if (args_has(&w->cli->args, "timing"))
            buf_printf(&w->out, "decided in %lld us\n", (long long)(clock_mono_us() - start));
        put_response(w, set, &res);
        status = res.decision == CEDAR_ALLOW ? 0 : EXIT_DENY;
    } else {
        calls_fail(&w->call, "%s", err.text);
    }
    cedar_set_free(compiled);
    return status;
}

int cedar_authorize_verb(struct cli *c)
{
    struct work w;
    struct calls_policies set;
    const struct schema *schema;
    struct cedar_entities entities;
    struct work_request request = {0};
    const json *whole = NULL;
    int status = how_called(c);
    if (status)
        return status;
    if (is_stdin(c, "request-json") && (!args_has(&c->args, "policies") || is_stdin(c, "policies")))
        return cli_usage(c, "policies and request cannot both come from standard input");
    work_begin(&w, c);
    if (!work_request_json(&w, &whole))
        return work_end(&w, EXIT_FAILED);
    if (!args_has(&c->args, "entities") && !json_get(whole, S("entities")))
        return cli_usage(c, "--entities FILE is missing");
    bool ok = work_policies(&w, false, &set);
    bool has_schema = work_schema(&w, &schema);
    ok = has_schema && work_entities(&w, schema, &entities) && ok;
    ok = has_schema && work_request(&w, schema, &request) && ok;
    return work_end(&w, ok ? decide(&w, &set, &entities, &request.req) : EXIT_FAILED);
}

/* ---- evaluate ---- */

int cedar_evaluate_verb(struct cli *c)
{
    struct work w;
    const struct schema *schema;
    struct cedar_entities entities;
    struct work_request request = {0};
    struct cedar_value value;
    struct err err;
    int status = how_called(c);
    if (status)
        return status;
    work_begin(&w, c);
    if (!work_schema(&w, &schema) || !work_request(&w, schema, &request))
        return work_end(&w, EXIT_FAILED);
    struct cedar_diags *d = ARENA_NEW(&c->arena, struct cedar_diags);
    const struct cedar_expr *e = cedar_expr_parse(&c->arena, c->args.pos[0], d);
    if (!e) {
        d->name = S("expression");
        calls_fail_diags(&w.call, S("not readable"), d);
    } else if (work_entities(&w, schema, &entities) &&
               !cedar_expr_eval(e, &request.req, &entities, &c->arena, &value, &err)) {
        calls_fail(&w.call, "the expression cannot be evaluated: %s", err.text);
    }
    if (w.call.errors.count == 0) {
        cedar_value_print(&w.out, &value);
        buf_putc(&w.out, '\n');
    }
    return work_end(&w, 0);
}
