#include "cmd/cli.h"
#include "cmd/commands.h"
#include "base/limits.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct opt HELP_OPTS[] = {{"help", 'h', OPT_FLAG, NULL, "print this"}, {0}};
static const struct opt CONF_OPTS[] = {
    {"config", 'c', OPT_VALUE, "FILE", "configuration (default: $AMBIT_CONFIG, else ./ambit.json)"},
    {"json", 0, OPT_FLAG, NULL, "print the raw result"},
    {0}};
static const struct opt GATEWAY_OPTS[] = {
    {"as", 0, OPT_VALUE, "NAME", "log in as this operator instead of by user id"},
    {"key", 0, OPT_VALUE, "FILE", "the operator's private key (~/.config/ambit/NAME.key)"},
    {"control", 0, OPT_VALUE, "PATH", "control socket, instead of the configuration's"},
    {0}};
static const struct opt NO_OPTS[] = {{0}};

struct tables {
    const struct opt *t[5];
};

static struct tables tables_of(const struct verb *v)
{
    return (struct tables){{v->opts ? v->opts : NO_OPTS, HELP_OPTS, v->needs ? CONF_OPTS : NO_OPTS,
                            v->needs & (NEEDS_GATEWAY | MAY_NEED_GATEWAY) ? GATEWAY_OPTS : NO_OPTS,
                            NULL}};
}

/* ---- help ---- */

static void print_usage(FILE *to, const char *command, const struct verb *v)
{
    fprintf(to, "usage: ambit %s%s%s%s%s\n", command, v->name ? " " : "", v->name ? v->name : "",
            *v->words ? " " : "", v->words);
}

static void print_verb_help(FILE *to, const char *command, const struct verb *v)
{
    struct tables t = tables_of(v);
    print_usage(to, command, v);
    fprintf(to, "\n%s\n\noptions:\n", v->help);
    for (size_t k = 0; t.t[k]; k++)
        for (const struct opt *o = t.t[k]; o->name; o++) {
            char left[48];
            snprintf(left, sizeof left, "%s%c%s--%s%s%s", o->letter ? "-" : "",
                     o->letter ? o->letter : ' ', o->letter ? ", " : "   ", o->name,
                     o->value ? " " : "", o->value ? o->value : "");
            fprintf(to, "  %-26s %s\n", left, o->help);
        }
    fprintf(to, "\nexample:\n  %s\n", v->example);
}

static void print_verbs(FILE *to, const char *command, const struct verb *verbs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        print_usage(to, command, &verbs[i]);
    fprintf(to, "\n");
    for (size_t i = 0; i < n; i++)
        fprintf(to, "  %-8s %s\n", verbs[i].name ? verbs[i].name : command, verbs[i].help);
    fprintf(to, "\n`ambit %s VERB --help` tells more.\n", command);
}

/* ---- complaints ---- */

static void print_name(struct cli *c)
{
    fprintf(stderr, "ambit %s%s%s: ", c->command, c->verb->name ? " " : "",
            c->verb->name ? c->verb->name : "");
}

int cli_failed(struct cli *c)
{
    struct buf text = {0};
    put_safe(&text, str_z(c->err.text));
    buf_putc(&text, '\n');
    fflush(stdout);
    print_name(c);
    print_buf(stderr, &text);
    return EXIT_FAILED;
}

int cli_usage(struct cli *c, const char *text)
{
    print_name(c);
    fprintf(stderr, "%s\n", text);
    print_usage(stderr, c->command, c->verb);
    return EXIT_USAGE;
}

/* ---- configuration ---- */

static void print_problems(const struct conf_problems *problems, str file)
{
    struct buf b = {0};
    conf_problems_print(problems, file, &b);
    print_buf(stderr, &b);
}

int cli_conf(struct cli *c, bool warnings)
{
    struct conf_problems problems = {0};
    str text;
    bool ok = conf_load(&c->arena, c->config.p, &c->conf, &text, &problems);
    if (!ok || warnings)
        print_problems(&problems, c->config);
    if (ok)
        return 0;
    print_name(c);
    fprintf(stderr, "the configuration %s is not usable%s\n", c->config.p,
            c->verb->needs & (NEEDS_GATEWAY | MAY_NEED_GATEWAY)
                ? " (--control PATH goes without one)"
                : "");
    return EXIT_CONFIG;
}

const char *config_default(void)
{
    const char *env = getenv("AMBIT_CONFIG");
    return env && *env ? env : "ambit.json";
}

static str config_name(struct cli *c)
{
    str given = args_get(&c->args, "config");
    return str_dup(&c->arena, given.n ? given : str_z(config_default()));
}

/* ---- the gateway ---- */

str cli_key_path(struct cli *c, str name)
{
    const char *home = getenv("HOME");
    const struct passwd *pw = home && *home ? NULL : getpwuid(getuid());
    if (pw)
        home = pw->pw_dir;
    return str_fmt(&c->arena, "%s/.config/ambit/%.*s.key", home ? home : "", STR(name));
}

static bool log_in(struct cli *c)
{
    str name = args_get(&c->args, "as"), path = args_get(&c->args, "key");
    struct key *key;
    if (!name.n)
        return true;
    if (!conf_name_is_valid(name))
        return err_input(&c->err, "--as needs the name of an operator");
    if (!path.n)
        path = cli_key_path(c, name);
    return control_read_key(path.p, &key, &c->err) &&
           control_login(&c->control, name, key, &c->err);
}

int cli_gateway(struct cli *c)
{
    str path = args_get(&c->args, "control");
    if (!path.n) {
        int status = cli_conf(c, false);
        if (status)
            return status;
        path = c->conf.control_socket;
    }
    if (!control_open(&c->control, &c->arena, path, &c->err) || !log_in(c))
        return cli_failed(c);
    return 0;
}

bool cli_call(struct cli *c, str method, struct buf *params, const json **result)
{
    bool ok =
        control_call(&c->control, method, params ? buf_str(params) : (str){0}, result, &c->err);
    if (params)
        buf_fini(params);
    if (!ok)
        cli_failed(c);
    return ok;
}

void cli_print_json(const json *v)
{
    struct buf b = {0};
    json_write(&b, v);
    buf_putc(&b, '\n');
    print_buf(stdout, &b);
}

int cli_change(struct cli *c, str member, str method, const char *done)
{
    struct buf params = {0};
    struct jw w = jw(&params);
    const json *result;
    jw_obj(&w);
    jw_kstr(&w, member, c->args.pos[0]);
    if (args_has(&c->args, "reason"))
        jw_kstr(&w, S("reason"), args_get(&c->args, "reason"));
    jw_end_obj(&w);
    if (!cli_call(c, method, &params, &result))
        return EXIT_FAILED;
    if (c->json)
        cli_print_json(result);
    else
        printf("%.*s is %s\n", STR(c->args.pos[0]), done);
    return 0;
}

bool cli_confirm(struct cli *c, const char *question)
{
    char line[16] = "";
    if (args_has(&c->args, "yes"))
        return true;
    if (!isatty(STDIN_FILENO))
        return err_denied(&c->err, "nobody is there to confirm: run it on a terminal, or look at "
                                   "it first and add --yes");
    fflush(stdout);
    fprintf(stderr, "%s Type yes: ", question);
    if (fgets(line, sizeof line, stdin) && strcmp(line, "yes\n") == 0)
        return true;
    return err_denied(&c->err, "not confirmed; nothing was done");
}

/* ---- verbs ---- */

static int run_verb(struct cli *c, int argc, char **argv)
{
    const struct verb *v = c->verb;
    struct tables t = tables_of(v);
    int status = 0;
    if (!args_parse(&c->arena, argc, argv, t.t, &c->args, &c->err))
        return cli_usage(c, c->err.text);
    if (args_has(&c->args, "help")) {
        print_verb_help(stdout, c->command, v);
        return 0;
    }
    if (c->args.pos_n < v->pos_min)
        return cli_usage(c, "an argument is missing");
    if (c->args.pos_n > v->pos_max)
        return cli_usage(c, "there are too many arguments");
    c->json = args_has(&c->args, "json");
    c->config = config_name(c);
    if (v->needs & NEEDS_GATEWAY)
        status = cli_gateway(c);
    else if (v->needs & NEEDS_CONF)
        status = cli_conf(c, false);
    return status ? status : v->run(c);
}

static const struct verb *find_verb(const struct verb *verbs, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

int verbs_run(const char *command, const struct verb *verbs, size_t n, int argc, char **argv)
{
    static const struct opt *const shared[] = {HELP_OPTS, CONF_OPTS, GATEWAY_OPTS, NULL};
    struct cli c = {.command = command, .verb = verbs, .control = {.fd = -1}};
    argc--;
    argv++;
    if (verbs[0].name) {
        char *name = args_take_verb(&argc, argv, shared);
        bool help = !name && argc && (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"));
        c.verb = name ? find_verb(verbs, n, name) : NULL;
        if (name && !c.verb)
            fprintf(stderr, "ambit %s: there is no verb \"%s\"\n\n", command, name);
        if (!c.verb) {
            print_verbs(help ? stdout : stderr, command, verbs, n);
            return help ? 0 : EXIT_USAGE;
        }
    }
    int status = run_verb(&c, argc, argv);
    if (fflush(stdout) != 0 && status == 0)
        status = EXIT_FAILED;
    control_close(&c.control);
    arena_fini(&c.arena);
    return status;
}
