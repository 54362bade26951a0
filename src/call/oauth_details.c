/* scope and authorization_details: which task, and how much of it. Nothing here can widen: what is
 * asked for is either within what there is, or refused. */
#include "call/oauth_int.h"
#include "base/limits.h"

#include <stdlib.h>

enum { DETAILS_BYTES_MAX = 16 << 10, DETAILS_MAX = 4 };

/* ---- reading ---- */

static bool bad_details(const struct oauth_request *r, const char *why)
{
    return oauth_error(r, "invalid_authorization_details", "%s", why);
}

/* Members that are not known might be constraints, so they are refused (RFC 9396 section 5). */
static bool has_only(const json *v, const char *const *names)
{
    str name;
    const json *member;
    for (struct json_iter it = json_iter(v); json_next(&it, &name, &member);) {
        bool known = false;
        for (size_t i = 0; names[i]; i++)
            known |= str_eq(name, str_z(names[i]));
        if (!known)
            return false;
    }
    return true;
}

static bool read_ambit_task(struct oauth_request *r, const json *v, struct oauth_details *out)
{
    static const char *const by_id[] = {"type", "task", NULL};
    static const char *const wished[] = {"type",    "purpose", "operations", "deadline", "calls",
                                         "ceiling", "budgets", "delegation", NULL};
    str task = json_get_str(v, S("task"));
    if (out->task.n || out->wish)
        return bad_details(r, "one ambit_task is enough");
    if (!json_get(v, S("task"))) {
        out->wish = v;
        return has_only(v, wished) ||
               bad_details(r, "an ambit_task that is asked for has purpose, operations, deadline, "
                              "calls, ceiling, budgets, delegation");
    }
    if (!has_only(v, by_id))
        return bad_details(r,
                           "an ambit_task that names a task has no other members: what it may do "
                           "is narrowed by type tool_call");
    if (!id_is_valid(task, 't'))
        return bad_details(r, "ambit_task: \"task\" is no task id");
    out->task = task;
    return true;
}

static bool read_tool_call(struct oauth_request *r, const json *v, struct oauth_details *out)
{
    static const char *const members[] = {"type", "actions", NULL};
    const json *list = json_get(v, S("actions")), *op;
    if (out->narrows)
        return bad_details(r, "one list of operations is enough");
    if (!has_only(v, members))
        return bad_details(r, "tool_call: only \"actions\" is known");
    if (json_type(list) != JSON_ARRAY || json_count(list) == 0 ||
        json_count(list) > TASK_OPERATIONS_MAX)
        return bad_details(r, "tool_call: \"actions\" is a list of operations");
    str *ops = ARENA_ARRAY(r->a, str, json_count(list));
    for (struct json_iter it = json_iter(list); json_next(&it, NULL, &op);) {
        if (json_type(op) != JSON_STRING || str_find_char(json_str(op), '*', 0) >= 0)
            return bad_details(r, "tool_call: an action is binding/tool");
        ops[out->operations_n++] = json_str(op);
    }
    out->operations = ops;
    out->narrows = true;
    return true;
}

static const struct {
    const char *name;
    bool (*read)(struct oauth_request *r, const json *v, struct oauth_details *out);
} TYPES[] = {{"ambit_task", read_ambit_task}, {"tool_call", read_tool_call}};

static bool read_detail(struct oauth_request *r, const json *v, struct oauth_details *out)
{
    str type = json_get_str(v, S("type"));
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++)
        if (str_eq(type, str_z(TYPES[i].name)))
            return TYPES[i].read(r, v, out);
    return bad_details(r, "known types are ambit_task and tool_call");
}

static bool read_details(struct oauth_request *r, str text, struct oauth_details *out)
{
    const struct json_limits limits = {
        .bytes_max = DETAILS_BYTES_MAX, .depth_max = 8, .values_max = 2048};
    const json *list, *v;
    struct err err;
    if (!json_read(r->a, text, &limits, &list, &err))
        return bad_details(r, err.text);
    if (json_type(list) != JSON_ARRAY || json_count(list) == 0 || json_count(list) > DETAILS_MAX)
        return bad_details(r, "it is an array of objects");
    for (struct json_iter it = json_iter(list); json_next(&it, NULL, &v);)
        if (!read_detail(r, v, out))
            return false;
    return true;
}

/* Scope tokens are operations, or patterns of them: "help/read_ticket help/find*". */
static bool read_scope(struct oauth_request *r, str scope, struct oauth_details *out)
{
    str one;
    if (out->narrows)
        return oauth_error(r, "invalid_request",
                           "narrow by scope or by authorization_details, not by both");
    str *ops = ARENA_ARRAY(r->a, str, scope.n / 2 + 1);
    while (scope.n) {
        str_cut(scope, ' ', &one, &scope);
        if (!one.n || out->operations_n == TASK_OPERATIONS_MAX)
            return oauth_error(r, "invalid_scope", "scope is operations with one space between");
        ops[out->operations_n++] = one;
    }
    out->operations = ops;
    out->narrows = true;
    return true;
}

bool oauth_details(struct oauth_request *r, struct oauth_details *out)
{
    str details = oauth_param(r, S("authorization_details")), scope = oauth_param(r, S("scope"));
    str task = oauth_param(r, S("task"));
    *out = (struct oauth_details){0};
    if (details.n && !read_details(r, details, out))
        return false;
    if (scope.n && !read_scope(r, scope, out))
        return false;
    if (task.n && (out->task.n || out->wish))
        return oauth_error(r, "invalid_request", "name the task once");
    if (task.n && !id_is_valid(task, 't'))
        return oauth_error(r, "invalid_request", "\"task\" is no task id");
    if (task.n)
        out->task = task;
    return true;
}

/* ---- narrowing ---- */

/* Delegating hands on what the task has, not what the token has, so only a whole token may. */
static bool is_own(const struct oauth_request *r, str operation)
{
    str binding, tool;
    str_cut(operation, '/', &binding, &tool);
    const struct conf_binding *b = conf_binding(r->g->conf, binding);
    return b && b->kind == BINDING_INTERNAL;
}

bool oauth_narrow(struct oauth_request *r, const struct oauth_details *d, struct oauth_wanted *w)
{
    const str *have = w->narrowed ? w->operations : w->task->operations;
    size_t have_n = w->narrowed ? w->operations_n : w->task->operations_n, n = 0;
    if (!d->narrows)
        return true;
    str *kept = ARENA_ARRAY(r->a, str, have_n + 1);
    bool *met = ARENA_ARRAY(r->a, bool, d->operations_n + 1);
    for (size_t i = 0; i < have_n; i++) {
        bool wanted = false;
        for (size_t j = 0; j < d->operations_n; j++)
            if (str_match(d->operations[j], have[i]) && !is_own(r, have[i]))
                wanted = met[j] = true;
        if (wanted)
            kept[n++] = have[i];
    }
    for (size_t j = 0; j < d->operations_n; j++)
        if (!met[j])
            return oauth_error(r, "invalid_scope", "%.*s is not in what there is to narrow",
                               STR(str_take(d->operations[j], 100)));
    w->narrowed = true;
    w->operations = kept;
    w->operations_n = n;
    return true;
}
