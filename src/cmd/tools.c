/* `ambit tools`, `pin`, `discover` and `status`: what there is, and the review of tool definitions
 * that have changed. */
#include "cmd/cli.h"

static const struct opt TOOLS_OPTS[] = {
    {"labels", 0, OPT_VALUE, "BINDING", "an \"operations\" block for this binding, to be edited"},
    {0}};
static const struct opt ACCEPT_OPTS[] = {
    {"yes", 0, OPT_FLAG, NULL, "do not ask; for what has been looked at before"}, {0}};

static bool ask_named(struct cli *c, str method, str name, str value, const json **result)
{
    struct buf params = {0};
    struct jw w = jw(&params);
    jw_obj(&w);
    jw_kstr(&w, name, value);
    jw_end_obj(&w);
    return cli_call(c, method, &params, result);
}

/* ---- tools ---- */

/* Whether a tool reads only is for a person to find out. Its name is a hint to look, what the
 * server says of itself not even that. */
static bool name_suggests_read(str tool)
{
    static const char *const words[] = {"get",  "list", "read",    "search",
                                        "find", "show", "describe"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        str w = str_z(words[i]);
        if (str_starts(tool, w) && (tool.n == w.n || strchr("_-.", tool.p[w.n])))
            return true;
    }
    return false;
}

static int print_labels(struct cli *c, const json *list, str binding)
{
    struct buf b = {0};
    const json *t;
    size_t n = 0;
    buf_put(&b, S("\"operations\": {\n"));
    for (struct json_iter it = json_iter(list); json_next(&it, NULL, &t);) {
        str of, tool, effect = json_get_str(t, S("effect"));
        str_cut(json_get_str(t, S("operation")), '/', &of, &tool);
        if (!str_eq(of, binding))
            continue;
        struct buf key = {0};
        json_write_str(&key, tool);
        buf_put(&b, S("    "));
        put_safe(&b, buf_str(&key));
        buf_fini(&key);
        bool labelled = json_bool(json_get(t, S("labelled")));
        buf_printf(&b, ": {\"effect\": \"%.*s\"},", STR(labelled ? effect : S("admin")));
        if (!labelled && name_suggests_read(tool))
            buf_put(&b, S(" // \"read\"? see what it does first"));
        buf_putc(&b, '\n');
        n++;
    }
    buf_put(&b, S("}\n"));
    if (n) {
        print_buf(stdout, &b);
        return 0;
    }
    buf_fini(&b);
    err_notfound(&c->err, "no tool of %.*s is known; `ambit discover %.*s` asks for them",
                 STR(binding), STR(binding));
    return cli_failed(c);
}

static int tools(struct cli *c)
{
    static const char *const heads[] = {"OPERATION", "EFFECT", "HIGH IMPACT", "LABELLED", "PIN"};
    struct table t = {.a = &c->arena, .heads = heads, .columns = 5};
    const json *result, *tool;
    if (!cli_call(c, S("tools"), NULL, &result))
        return EXIT_FAILED;
    const json *list = json_get(result, S("tools"));
    if (args_has(&c->args, "labels"))
        return print_labels(c, list, args_get(&c->args, "labels"));
    if (c->json) {
        cli_print_json(result);
        return 0;
    }
    for (struct json_iter it = json_iter(list); json_next(&it, NULL, &tool);) {
        str pin = json_get_str(tool, S("pin"));
        table_add(&t, json_get_str(tool, S("operation")));
        table_add(&t, json_get_str(tool, S("effect")));
        table_add(&t, json_bool(json_get(tool, S("highImpact"))) ? S("yes") : S("no"));
        table_add(&t, json_bool(json_get(tool, S("labelled"))) ? S("yes") : S("no"));
        table_add(&t, pin);
    }
    table_print(&t);
    return 0;
}

/* ---- pins ---- */

static str pretty(struct cli *c, const json *v)
{
    struct buf b = {0};
    put_pretty(&b, v, 0);
    buf_putc(&b, '\n');
    str s = str_dup(&c->arena, buf_str(&b));
    buf_fini(&b);
    return s;
}

static void put_pin(struct cli *c, const json *pin, struct buf *out)
{
    const json *fresh = json_get(pin, S("newDefinition"));
    str old = pretty(c, json_get(pin, S("definition")));
    buf_put(out, S("operation  "));
    put_safe(out, json_get_str(pin, S("operation")));
    buf_put(out, S("\nstate      "));
    put_safe(out, json_get_str(pin, S("pin")));
    buf_put(out, S("\ndigest     "));
    put_safe(out, json_get_str(pin, S("digest")));
    if (!fresh) {
        buf_put(out, S("\n\n"));
        buf_put(out, old);
        return;
    }
    buf_put(out, S("\nnew digest "));
    put_safe(out, json_get_str(pin, S("newDigest")));
    buf_put(out, S("\n\n"));
    put_diff(out, old, pretty(c, fresh));
}

static int pin_show(struct cli *c)
{
    struct buf out = {0};
    const json *pin;
    if (!ask_named(c, S("pin.show"), S("operation"), c->args.pos[0], &pin))
        return EXIT_FAILED;
    if (c->json) {
        cli_print_json(pin);
        return 0;
    }
    put_pin(c, pin, &out);
    print_buf(stdout, &out);
    return 0;
}

static int pin_accept(struct cli *c)
{
    struct buf out = {0}, params = {0};
    struct jw w = jw(&params);
    const json *pin, *result;
    if (!ask_named(c, S("pin.show"), S("operation"), c->args.pos[0], &pin))
        return EXIT_FAILED;
    str digest = json_get_str(pin, S("newDigest"));
    if (!digest.n) {
        err_input(&c->err, "%.*s has no changed definition to accept", STR(c->args.pos[0]));
        return cli_failed(c);
    }
    put_pin(c, pin, &out);
    print_buf(c->json ? stderr : stdout, &out);
    if (!cli_confirm(c, "Accept the new definition?"))
        return cli_failed(c);
    jw_obj(&w);
    jw_kstr(&w, S("operation"), c->args.pos[0]);
    jw_kstr(&w, S("digest"), digest);
    jw_end_obj(&w);
    if (!cli_call(c, S("pin.accept"), &params, &result))
        return EXIT_FAILED;
    if (c->json)
        cli_print_json(result);
    else
        printf("%.*s is accepted and can be called again\n", STR(c->args.pos[0]));
    return 0;
}

/* ---- the rest ---- */

static int discover(struct cli *c)
{
    const json *result;
    if (!ask_named(c, S("discover"), S("binding"), c->args.pos[0], &result))
        return EXIT_FAILED;
    if (c->json)
        cli_print_json(result);
    else
        printf("%.*s is being asked for its tools; `ambit tools` shows what is known\n",
               STR(c->args.pos[0]));
    return 0;
}

static int status(struct cli *c)
{
    struct buf b = {0};
    const json *result;
    if (!cli_call(c, S("status"), NULL, &result))
        return EXIT_FAILED;
    if (c->json) {
        cli_print_json(result);
        return 0;
    }
    put_members(&b, result);
    print_buf(stdout, &b);
    return 0;
}

static const struct verb TOOLS[] = {
    {NULL, NEEDS_GATEWAY, 0, 0, "[--labels BINDING]",
     "The tools of all bindings, as they are judged.", "ambit tools --labels helpdesk", TOOLS_OPTS,
     tools},
};
static const struct verb PIN[] = {
    {"list", NEEDS_GATEWAY, 0, 0, "", "Tools and whether their definition has changed.",
     "ambit pin list", NULL, tools},
    {"show", NEEDS_GATEWAY, 1, 1, "OPERATION", "A tool's definition, and what has changed in it.",
     "ambit pin show helpdesk/refund", NULL, pin_show},
    {"accept", NEEDS_GATEWAY, 1, 1, "OPERATION [--yes]",
     "Accept a changed definition. Shows the difference and asks first.",
     "ambit pin accept helpdesk/refund", ACCEPT_OPTS, pin_accept},
};
static const struct verb DISCOVER[] = {
    {NULL, NEEDS_GATEWAY, 1, 1, "BINDING", "Ask a server for its tools again.",
     "ambit discover helpdesk", NULL, discover},
};
static const struct verb STATUS[] = {
    {NULL, NEEDS_GATEWAY, 0, 0, "", "How the running gateway is.", "ambit status", NULL, status},
};

int cmd_tools(int argc, char **argv)
{
    return verbs_run("tools", TOOLS, 1, argc, argv);
}

int cmd_pin(int argc, char **argv)
{
    return verbs_run("pin", PIN, sizeof PIN / sizeof PIN[0], argc, argv);
}

int cmd_discover(int argc, char **argv)
{
    return verbs_run("discover", DISCOVER, 1, argc, argv);
}

int cmd_status(int argc, char **argv)
{
    return verbs_run("status", STATUS, 1, argc, argv);
}
