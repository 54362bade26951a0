/* Reading, writing and comparing grants. What a single argument may be is in constraint.c. */
#include "task/grant_int.h"
#include "conf/conf.h"

#include <stdlib.h>

static const char *const GRANT_MEMBERS[] = {"operation", "args", NULL};

bool grant_operation_check(str operation, struct err *err)
{
    str binding, tool;
    if (str_cut(operation, '/', &binding, &tool) && conf_name_is_valid(binding) && tool.n > 0 &&
        tool.n <= 128 && str_find_char(tool, '*', 0) < 0 && str_find_char(tool, 0, 0) < 0 &&
        str_is_utf8(tool))
        return true;
    return err_input(err, "\"%.*s\" is no operation: write binding/tool, one by one",
                     STR(str_take(operation, 80)));
}

bool grant_members_known(const json *v, const char *const *names, const char *what, struct err *err)
{
    str name;
    const json *member;
    for (struct json_iter it = json_iter(v);
         json_type(v) == JSON_OBJECT && json_next(&it, &name, &member);) {
        const char *const *n = names;
        while (*n && !str_eq(name, str_z(*n)))
            n++;
        if (!*n)
            return err_input(err, "%s has no member \"%.*s\"", what, STR(str_take(name, 40)));
    }
    return true;
}

static int by_arg(const void *x, const void *y)
{
    return str_cmp(((const struct constraint *)x)->arg, ((const struct constraint *)y)->arg);
}

static bool read_args(struct arena *a, const json *v, struct task_grant *out, struct err *err)
{
    size_t n = json_count(v), i = 0;
    str name;
    const json *one;
    if (v && json_type(v) != JSON_OBJECT)
        return err_input(err, "\"args\" must be an object: argument -> constraint");
    if (n > GRANT_ARGS_MAX)
        return err_limit(err, "at most %d arguments of an operation can be constrained",
                         GRANT_ARGS_MAX);
    struct constraint *list = ARENA_ARRAY(a, struct constraint, n + 1);
    for (struct json_iter it = json_iter(v); json_next(&it, &name, &one); i++) {
        if (name.n == 0 || name.n > 128)
            return err_input(err, "an argument has a name of 1 to 128 bytes");
        if (!constraint_read(a, name, one, &list[i], err))
            return err_in(err, "argument `%.*s`", STR(name));
    }
    qsort(list, n, sizeof *list, by_arg);
    out->args = list;
    out->args_n = n;
    return true;
}

bool grant_read(struct arena *a, const json *v, struct task_grant *out, struct err *err)
{
    struct task_grant g = {0};
    if (json_type(v) == JSON_STRING)
        g.operation = str_dup(a, json_str(v));
    else if (json_type(v) == JSON_OBJECT)
        g.operation = str_dup(a, json_get_str(v, S("operation")));
    else
        return err_input(err, "a grant is \"binding/tool\" or {\"operation\": ..., \"args\": ...}");
    if (!grant_members_known(v, GRANT_MEMBERS, "a grant", err) ||
        !grant_operation_check(g.operation, err))
        return false;
    if (json_type(v) == JSON_OBJECT && !read_args(a, json_get(v, S("args")), &g, err))
        return err_in(err, "%.*s", STR(g.operation));
    *out = g;
    return true;
}

bool grants_read(struct arena *a, const json *list, struct task_grant **out, size_t *n,
                 struct err *err)
{
    const json *v;
    size_t count = 0;
    if (list && json_type(list) != JSON_ARRAY)
        return err_input(err, "\"operations\" must be an array");
    struct task_grant *all = ARENA_ARRAY(a, struct task_grant, json_count(list) + 1);
    for (struct json_iter it = json_iter(list); json_next(&it, NULL, &v);)
        if (!grant_read(a, v, &all[count++], err))
            return false;
    if (!grants_sort(all, &count, err))
        return false;
    *out = all;
    *n = count;
    return true;
}

static int by_operation(const void *x, const void *y)
{
    return str_cmp(((const struct task_grant *)x)->operation,
                   ((const struct task_grant *)y)->operation);
}

static bool is_same(const struct task_grant *x, const struct task_grant *y)
{
    struct buf bx = {0}, by = {0};
    struct jw wx = jw(&bx), wy = jw(&by);
    grant_write(&wx, x);
    grant_write(&wy, y);
    bool same = str_eq(buf_str(&bx), buf_str(&by));
    buf_fini(&bx);
    buf_fini(&by);
    return same;
}

bool grants_sort(struct task_grant *list, size_t *n, struct err *err)
{
    size_t kept = 0;
    if (*n)
        qsort(list, *n, sizeof *list, by_operation);
    for (size_t i = 0; i < *n; i++) {
        bool again = kept && str_eq(list[kept - 1].operation, list[i].operation);
        if (again && !is_same(&list[kept - 1], &list[i]))
            return err_input(err, "%.*s is named twice, with different constraints: name it once",
                             STR(list[i].operation));
        if (!again)
            list[kept++] = list[i];
    }
    *n = kept;
    return true;
}

void grant_write(struct jw *w, const struct task_grant *g)
{
    if (g->args_n == 0) {
        jw_str(w, g->operation);
        return;
    }
    jw_obj(w);
    jw_key(w, S("args"));
    jw_obj(w);
    for (size_t i = 0; i < g->args_n; i++) {
        jw_key(w, g->args[i].arg);
        constraint_write(w, &g->args[i]);
    }
    jw_end_obj(w);
    jw_kstr(w, S("operation"), g->operation);
    jw_end_obj(w);
}

/* ---- judging ---- */

bool grant_admits(const struct task_grant *g, const json *args, struct err *err)
{
    for (size_t i = 0; i < g->args_n; i++) {
        const struct constraint *c = &g->args[i];
        const json *v = json_get(args, c->arg);
        if (!v && c->optional)
            continue;
        if (!v)
            return err_denied(err, "argument `%.*s` must be given: this task bounds it",
                              STR(str_take(c->arg, 60)));
        if (!constraint_admits(c, v, err))
            return err_in(err, "argument `%.*s`", STR(str_take(c->arg, 60)));
    }
    return true;
}

bool grant_within(const struct task_grant *child, const struct task_grant *parent, struct err *err)
{
    size_t k = 0;
    if (!str_eq(child->operation, parent->operation))
        return err_denied(err, "%.*s is another operation", STR(child->operation));
    for (size_t i = 0; i < parent->args_n; i++) {
        const struct constraint *p = &parent->args[i];
        while (k < child->args_n && str_cmp(child->args[k].arg, p->arg) < 0)
            k++;
        if (k == child->args_n || !str_eq(child->args[k].arg, p->arg))
            return err_denied(err, "%.*s: argument `%.*s` is bounded there and not here",
                              STR(child->operation), STR(str_take(p->arg, 60)));
        if (!constraint_within(&child->args[k], p, err))
            return err_in(err, "%.*s: argument `%.*s`", STR(child->operation),
                          STR(str_take(p->arg, 60)));
    }
    return true;
}

const struct task_grant *grants_find(const struct task_grant *list, size_t n, str operation)
{
    struct task_grant key = {.operation = operation};
    return n ? bsearch(&key, list, n, sizeof *list, by_operation) : NULL;
}
