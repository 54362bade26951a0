#include "cmd/args.h"

static const struct opt *by_name(const struct opt *const *tables, str name)
{
    for (; *tables; tables++)
        for (const struct opt *o = *tables; o->name; o++)
            if (str_eq(str_z(o->name), name))
                return o;
    return NULL;
}

static const struct opt *by_letter(const struct opt *const *tables, char letter)
{
    for (; *tables; tables++)
        for (const struct opt *o = *tables; o->name; o++)
            if (o->letter && o->letter == letter)
                return o;
    return NULL;
}

/* One word that begins with a dash: its option, and the value if that is in the same word. */
struct word {
    const struct opt *opt;
    str name; /* for messages */
    str value;
    bool has_value;
};

static struct word word_of(const char *arg, const struct opt *const *tables)
{
    struct word w = {.name = str_z(arg)};
    str name;
    if (str_starts(w.name, S("--"))) {
        w.has_value = str_cut(str_skip(w.name, 2), '=', &name, &w.value);
        w.opt = by_name(tables, name);
        w.name = str_take(w.name, name.n + 2);
        return w;
    }
    w.opt = by_letter(tables, arg[1]);
    w.has_value = arg[2] != 0;
    w.value = str_skip(w.name, 2);
    w.name = str_take(w.name, 2);
    return w;
}

static bool is_option(const char *arg)
{
    return arg[0] == '-' && arg[1] != 0;
}

static bool take_option(struct args *out, const struct word *w, int argc, char **argv, int *i,
                        struct err *err)
{
    if (!w->opt)
        return err_input(err, "there is no option %.*s", STR(w->name));
    if (w->opt->kind != OPT_LIST && args_has(out, w->opt->name))
        return err_input(err, "%.*s is given twice", STR(w->name));
    struct arg_value *v = &out->given[out->given_n];
    *v = (struct arg_value){.opt = w->opt, .value = w->value};
    if (w->opt->kind == OPT_FLAG && w->has_value)
        return err_input(err, "%.*s takes no value", STR(w->name));
    if (w->opt->kind != OPT_FLAG && !w->has_value) {
        if (*i + 1 >= argc)
            return err_input(err, "%.*s needs a value (%s)", STR(w->name), w->opt->value);
        v->value = str_z(argv[++*i]);
    }
    out->given_n++;
    return true;
}

bool args_parse(struct arena *a, int argc, char **argv, const struct opt *const *tables,
                struct args *out, struct err *err)
{
    bool options = true;
    struct args got = {.given = ARENA_ARRAY(a, struct arg_value, (size_t)argc + 1),
                       .pos = ARENA_ARRAY(a, str, (size_t)argc + 1)};
    for (int i = 0; i < argc; i++) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (options && is_option(argv[i])) {
            struct word w = word_of(argv[i], tables);
            if (!take_option(&got, &w, argc, argv, &i, err))
                return false;
        } else {
            got.pos[got.pos_n++] = str_z(argv[i]);
        }
    }
    *out = got;
    return true;
}

bool args_has(const struct args *args, const char *name)
{
    for (size_t i = 0; i < args->given_n; i++)
        if (strcmp(args->given[i].opt->name, name) == 0)
            return true;
    return false;
}

str args_get(const struct args *args, const char *name)
{
    for (size_t i = 0; i < args->given_n; i++)
        if (strcmp(args->given[i].opt->name, name) == 0)
            return args->given[i].value;
    return (str){0};
}

size_t args_all(const struct args *args, struct arena *a, const char *name, str **out)
{
    size_t n = 0;
    *out = ARENA_ARRAY(a, str, args->given_n + 1);
    for (size_t i = 0; i < args->given_n; i++)
        if (strcmp(args->given[i].opt->name, name) == 0)
            (*out)[n++] = args->given[i].value;
    return n;
}

char *args_take_verb(int *argc, char **argv, const struct opt *const *tables)
{
    for (int i = 0; i < *argc; i++) {
        if (is_option(argv[i])) {
            struct word w = word_of(argv[i], tables);
            if (w.opt && w.opt->kind != OPT_FLAG && !w.has_value)
                i++;
            continue;
        }
        char *verb = argv[i];
        memmove(&argv[i], &argv[i + 1], (size_t)(*argc - i - 1) * sizeof *argv);
        --*argc;
        return verb;
    }
    return NULL;
}
