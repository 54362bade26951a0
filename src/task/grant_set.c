/* A set lies in one block, so that a million tasks with grants of their own stay small: the first
 * pass counts, the second copies. */
#include "task/grant.h"

#include <stdlib.h>

struct pack {
    char *mem; /* NULL: counting */
    size_t used;
};

static void *take(struct pack *p, size_t n, size_t align)
{
    p->used = (p->used + align - 1) & ~(align - 1);
    void *at = p->mem ? p->mem + p->used : NULL;
    p->used += n;
    return at;
}

static str take_str(struct pack *p, str s)
{
    char *at = take(p, s.n, 1);
    if (at && s.n)
        memcpy(at, s.p, s.n);
    return str_of(at, s.n);
}

static void take_constraint(struct pack *p, const struct constraint *from, struct constraint *to)
{
    struct constraint c = *from;
    str *values = take(p, from->values_n * sizeof *values, _Alignof(str));
    for (size_t i = 0; i < from->values_n; i++) {
        str v = take_str(p, from->values[i]);
        if (values)
            values[i] = v;
    }
    c.arg = take_str(p, from->arg);
    c.values = values;
    c.prefix = take_str(p, from->prefix);
    c.min_text = take_str(p, from->min_text);
    c.max_text = take_str(p, from->max_text);
    if (to)
        *to = c;
}

static struct grant_set *pack_all(struct pack *p, const struct task_grant *list, size_t n)
{
    struct grant_set *s = take(p, sizeof *s, _Alignof(struct grant_set));
    struct task_grant *grants = take(p, n * sizeof *grants, _Alignof(struct task_grant));
    str *names = take(p, n * sizeof *names, _Alignof(str));
    for (size_t i = 0; i < n; i++) {
        struct constraint *args =
            take(p, list[i].args_n * sizeof *args, _Alignof(struct constraint));
        str name = take_str(p, list[i].operation);
        for (size_t k = 0; k < list[i].args_n; k++)
            take_constraint(p, &list[i].args[k], args ? &args[k] : NULL);
        if (s) {
            grants[i] = (struct task_grant){name, args, list[i].args_n};
            names[i] = name;
        }
    }
    if (s)
        *s = (struct grant_set){.refs = 1, .n = n, .grants = grants, .operations = names};
    return s;
}

struct grant_set *grant_set_new(const struct task_grant *list, size_t n)
{
    struct pack count = {0};
    pack_all(&count, list, n);
    struct pack p = {.mem = malloc(count.used)};
    if (!p.mem)
        abort();
    return pack_all(&p, list, n);
}

struct grant_set *grant_set_ref(struct grant_set *s)
{
    s->refs++;
    return s;
}

void grant_set_unref(struct grant_set *s)
{
    if (s && --s->refs == 0)
        free(s);
}

void grant_set_write(struct jw *w, const struct grant_set *s)
{
    jw_arr(w);
    for (size_t i = 0; i < s->n; i++)
        grant_write(w, &s->grants[i]);
    jw_end_arr(w);
}
