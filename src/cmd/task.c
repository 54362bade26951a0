/* `ambit task`: opened by owners, listed, shown, closed with a receipt, and their tokens. */
#include "cmd/receipt.h"

static const struct opt OPEN_OPTS[] = {
    {"agent", 0, OPT_VALUE, "NAME", "who does the work"},
    {"purpose", 0, OPT_VALUE, "TEXT", "what it is for; it stands in every trace"},
    {"operation", 0, OPT_LIST, "B/T", "an operation it may use (binding/tool); repeat it"},
    {"calls", 0, OPT_VALUE, "N", "at most so many calls"},
    {"deadline", 0, OPT_VALUE, "LIFE", "it ends after this time, e.g. 30m or 8h"},
    {"template", 0, OPT_VALUE, "NAME",
     "a template of the configuration, instead of agent and operations"},
    {"constraint", 0, OPT_LIST, "B/T:ARG=BOUND",
     "what an argument must be, e.g. 'shop/refund:amount={\"max\": 50}'"},
    {"budget", 0, OPT_LIST, "NAME=N",
     "bytes, rows or tokens of answers, or minor units of a currency: EUR=5000"},
    {"ceiling", 0, OPT_VALUE, "LEVEL",
     "reads at most public, internal, confidential or restricted data"},
    {"token", 0, OPT_FLAG, NULL, "print a bearer token too"},
    {0}};
static const struct opt CLOSE_OPTS[] = {
    {"reason", 0, OPT_VALUE, "TEXT", "why, for the record"},
    {"completed", 0, OPT_FLAG, NULL, "the work is done; without it the task is revoked"},
    {"wait", 0, OPT_FLAG, NULL, "until every step has ended (10 s at most)"},
    {0}};
static const struct opt SUSPEND_OPTS[] = {{"reason", 0, OPT_VALUE, "TEXT", "why, for the record"},
                                          {0}};
static const struct opt TOKEN_OPTS[] = {
    {"cert", 0, OPT_VALUE, "SHA256", "bind it to this client certificate (hexadecimal SHA-256)"},
    {"endpoint", 0, OPT_VALUE, "SERVER", "for /mcp/SERVER and nothing else; without it for /mcp"},
    {0}};

static str first_pos(struct cli *c)
{
    return c->args.pos[0];
}

static void put_name(struct buf *params, str name, str value)
{
    struct jw w = jw(params);
    jw_obj(&w);
    jw_kstr(&w, name, value);
    jw_end_obj(&w);
}

/* ---- open ---- */

/* "B/T:ARG=BOUND" where bound is JSON. */
static bool cut_constraint(struct cli *c, str text, str *op, str *arg, const json **bound)
{
    str rest, value;
    if (!str_cut(text, ':', op, &rest) || !str_cut(rest, '=', arg, &value) || !op->n || !arg->n)
        return err_input(&c->err, "--constraint is B/T:ARG=BOUND, e.g. "
                                  "'shop/refund:amount={\"max\": 50}'");
    return json_read(&c->arena, value, NULL, bound, &c->err) ||
           err_in(&c->err, "--constraint %.*s", STR(str_take(text, 60)));
}

/* One grant: the operation, with all constraints that name it. */
static bool put_grant(struct cli *c, struct jw *w, str operation, const str *list, size_t n,
                      bool *used)
{
    bool open = false;
    for (size_t i = 0; i < n; i++) {
        str op, arg;
        const json *bound;
        if (!cut_constraint(c, list[i], &op, &arg, &bound))
            return false;
        if (!str_eq(op, operation))
            continue;
        used[i] = true;
        if (!open) {
            jw_obj(w);
            jw_kstr(w, S("operation"), operation);
            jw_key(w, S("args"));
            jw_obj(w);
        }
        open = true;
        jw_kvalue(w, arg, bound);
    }
    if (!open) {
        jw_str(w, operation);
        return true;
    }
    jw_end_obj(w);
    jw_end_obj(w);
    return true;
}

static bool put_grants(struct cli *c, struct jw *w)
{
    str *ops, *list;
    size_t n = args_all(&c->args, &c->arena, "operation", &ops);
    size_t bounds = args_all(&c->args, &c->arena, "constraint", &list);
    bool *used = ARENA_ARRAY(&c->arena, bool, bounds + 1);
    jw_key(w, S("operations"));
    jw_arr(w);
    for (size_t i = 0; i < n; i++)
        if (!put_grant(c, w, ops[i], list, bounds, used))
            return false;
    jw_end_arr(w);
    for (size_t i = 0; i < bounds; i++)
        if (!used[i])
            return err_input(&c->err, "--constraint %.*s: give its --operation too",
                             STR(str_take(list[i], 60)));
    return true;
}

static bool put_budgets(struct cli *c, struct jw *w)
{
    str *list;
    size_t n = args_all(&c->args, &c->arena, "budget", &list);
    if (n == 0)
        return true;
    jw_key(w, S("budgets"));
    jw_obj(w);
    for (size_t i = 0; i < n; i++) {
        str name, value;
        int64_t v;
        if (!str_cut(list[i], '=', &name, &value) || !str_to_i64(value, &v) || v <= 0)
            return err_input(&c->err, "--budget is NAME=N, e.g. rows=500 or EUR=5000");
        if (name.n == 3 && name.p[0] >= 'A' && name.p[0] <= 'Z') {
            jw_key(w, S("money"));
            jw_obj(w);
            jw_kstr(w, S("currency"), name);
            jw_ki64(w, S("minor"), v);
            jw_end_obj(w);
        } else {
            jw_ki64(w, name, v);
        }
    }
    jw_end_obj(w);
    return true;
}

static bool put_wish(struct cli *c, struct buf *params)
{
    struct jw w = jw(params);
    int64_t calls = 0;
    str calls_text = args_get(&c->args, "calls");
    bool from_template = args_has(&c->args, "template");
    if (calls_text.n && (!str_to_i64(calls_text, &calls) || calls <= 0))
        return err_input(&c->err, "--calls must be a whole number above 0");
    jw_obj(&w);
    if (from_template)
        jw_kstr(&w, S("template"), args_get(&c->args, "template"));
    else
        jw_kstr(&w, S("agent"), args_get(&c->args, "agent"));
    if (args_has(&c->args, "purpose"))
        jw_kstr(&w, S("purpose"), args_get(&c->args, "purpose"));
    if (!from_template && !put_grants(c, &w))
        return false;
    if (!put_budgets(c, &w))
        return false;
    if (args_has(&c->args, "ceiling")) {
        jw_key(&w, S("ceiling"));
        jw_obj(&w);
        jw_kstr(&w, S("confidentiality"), args_get(&c->args, "ceiling"));
        jw_end_obj(&w);
    }
    if (calls)
        jw_ki64(&w, S("calls"), calls);
    if (args_has(&c->args, "deadline"))
        jw_kstr(&w, S("deadline"), args_get(&c->args, "deadline"));
    jw_end_obj(&w);
    return true;
}

static void print_opened(struct cli *c, const json *task, str token)
{
    str id = json_get_str(task, S("task"));
    struct buf b = {0};
    if (c->json) {
        str name;
        const json *v;
        struct jw w = jw(&b);
        jw_obj(&w);
        for (struct json_iter it = json_iter(task); json_next(&it, &name, &v);)
            jw_kvalue(&w, name, v);
        if (token.n)
            jw_kstr(&w, S("token"), token);
        jw_end_obj(&w);
        buf_putc(&b, '\n');
        print_buf(stdout, &b);
        return;
    }
    /* The id alone on standard output, so that T=$(ambit task open ...) works. */
    printf("%.*s\n", STR(id));
    if (token.n)
        printf("%.*s\n", STR(token));
    fflush(stdout);
    fprintf(stderr, "open until %.*s; the agent joins it with `ambit connect --task %.*s`\n",
            STR(json_get_str(task, S("deadline"))), STR(id));
}

static int task_open(struct cli *c)
{
    static const char *const musts[] = {"agent", "purpose", "operation"};
    struct buf params = {0};
    const json *task, *answer;
    str token = {0};
    bool from_template = args_has(&c->args, "template");
    for (size_t i = 0; !from_template && i < sizeof musts / sizeof musts[0]; i++)
        if (!args_get(&c->args, musts[i]).n)
            return cli_usage(c, str_fmt(&c->arena, "--%s must be given", musts[i]).p);
    if (!put_wish(c, &params))
        return cli_usage(c, c->err.text);
    if (!cli_call(c, S("task.open"), &params, &task))
        return EXIT_FAILED;
    bool ok = true;
    if (args_has(&c->args, "token")) {
        put_name(&params, S("task"), json_get_str(task, S("task")));
        ok = cli_call(c, S("task.token"), &params, &answer);
        token = ok ? json_get_str(answer, S("token")) : (str){0};
    }
    print_opened(c, task, token);
    return ok ? 0 : EXIT_FAILED;
}

/* ---- the others ---- */

static int task_list(struct cli *c)
{
    static const char *const heads[] = {"TASK",       "STATE",    "OWNER",  "AGENT",
                                        "CALLS LEFT", "DEADLINE", "PURPOSE"};
    struct table t = {.a = &c->arena, .heads = heads, .columns = 7};
    const json *result, *task;
    if (!cli_call(c, S("task.list"), NULL, &result))
        return EXIT_FAILED;
    if (c->json) {
        cli_print_json(result);
        return 0;
    }
    for (struct json_iter it = json_iter(json_get(result, S("tasks")));
         json_next(&it, NULL, &task);) {
        str state = json_get_str(task, S("state"));
        bool live = json_bool(json_get(task, S("live")));
        table_add(&t, json_get_str(task, S("task")));
        table_add(&t, str_eq(state, S("active")) && !live ? S("over") : state);
        table_add(&t, json_get_str(task, S("owner")));
        table_add(&t, json_get_str(task, S("agent")));
        table_add(&t, json_number(json_get(task, S("callsLeft"))));
        table_add(&t, json_get_str(task, S("deadline")));
        table_add(&t, json_get_str(task, S("purpose")));
    }
    table_print(&t);
    return 0;
}

static int print_result(struct cli *c, const json *result)
{
    struct buf b = {0};
    if (c->json) {
        cli_print_json(result);
        return 0;
    }
    put_members(&b, result);
    print_buf(stdout, &b);
    return 0;
}

static int task_show(struct cli *c)
{
    struct buf params = {0};
    const json *result;
    put_name(&params, S("task"), first_pos(c));
    return cli_call(c, S("task.show"), &params, &result) ? print_result(c, result) : EXIT_FAILED;
}

static int task_close(struct cli *c)
{
    struct buf params = {0};
    struct jw w = jw(&params);
    const json *result;
    jw_obj(&w);
    jw_kstr(&w, S("task"), first_pos(c));
    if (args_has(&c->args, "reason"))
        jw_kstr(&w, S("reason"), args_get(&c->args, "reason"));
    jw_kbool(&w, S("completed"), args_has(&c->args, "completed"));
    jw_kbool(&w, S("wait"), args_has(&c->args, "wait"));
    jw_end_obj(&w);
    return cli_call(c, S("task.close"), &params, &result) ? print_receipt(c, result) : EXIT_FAILED;
}

static int task_receipt(struct cli *c)
{
    struct buf params = {0};
    const json *result;
    put_name(&params, S("id"), first_pos(c));
    return cli_call(c, S("task.receipt"), &params, &result) ? print_receipt(c, result)
                                                            : EXIT_FAILED;
}

static int task_suspend(struct cli *c)
{
    return cli_change(c, S("task"), S("task.suspend"),
                      "suspended: its calls are refused until it is resumed");
}

static int task_resume(struct cli *c)
{
    return cli_change(c, S("task"), S("task.resume"), "active again");
}

static int task_history(struct cli *c)
{
    static const char *const heads[] = {"TIME", "WHAT", "STATE", "BY", "REASON", "CHILD OR HOLD"};
    struct table t = {.a = &c->arena, .heads = heads, .columns = 6};
    struct buf params = {0};
    const json *result, *step;
    put_name(&params, S("task"), first_pos(c));
    if (!cli_call(c, S("task.history"), &params, &result))
        return EXIT_FAILED;
    if (c->json)
        return print_result(c, result);
    for (struct json_iter it = json_iter(json_get(result, S("history")));
         json_next(&it, NULL, &step);) {
        str by = json_get_str(step, S("by")), child = json_get_str(step, S("child"));
        table_add(&t, json_get_str(step, S("time")));
        table_add(&t, json_get_str(step, S("type")));
        table_add(&t, json_get_str(step, S("state")));
        table_add(&t, by.n ? by : json_get_str(step, S("approver")));
        table_add(&t, json_get_str(step, S("reason")));
        table_add(&t, child.n ? child : json_get_str(step, S("hold")));
    }
    table_print(&t);
    return 0;
}

static int task_token(struct cli *c)
{
    struct buf params = {0};
    struct jw w = jw(&params);
    const json *result;
    jw_obj(&w);
    jw_kstr(&w, S("task"), first_pos(c));
    if (args_has(&c->args, "cert"))
        jw_kstr(&w, S("cert"), args_get(&c->args, "cert"));
    if (args_has(&c->args, "endpoint"))
        jw_kstr(&w, S("endpoint"), args_get(&c->args, "endpoint"));
    jw_end_obj(&w);
    if (!cli_call(c, S("task.token"), &params, &result))
        return EXIT_FAILED;
    if (c->json)
        return print_result(c, result);
    printf("%.*s\n", STR(json_get_str(result, S("token"))));
    return 0;
}

static const struct verb VERBS[] = {
    {"open", NEEDS_GATEWAY, 0, 0,
     "--agent NAME --purpose TEXT --operation B/T [...] | --template NAME",
     "Open a task in your name; prints its id.",
     "ambit task open --agent support --purpose \"answer ticket 3\" \\\n"
     "      --operation helpdesk/read_ticket --operation helpdesk/add_note --calls 20 --deadline "
     "30m",
     OPEN_OPTS, task_open},
    {"list", NEEDS_GATEWAY, 0, 0, "", "Tasks that are open or were closed lately.",
     "ambit task list", NULL, task_list},
    {"show", NEEDS_GATEWAY, 1, 1, "TASK", "One task with its operations.",
     "ambit task show t01J...", NULL, task_show},
    {"close", NEEDS_GATEWAY, 1, 1, "TASK [--reason TEXT] [--completed] [--wait]",
     "End a task and all that came of it, at once.",
     "ambit task close t01J... --reason \"wrong customer\"", CLOSE_OPTS, task_close},
    {"receipt", NEEDS_GATEWAY, 1, 1, "RECEIPT|TASK", "What a closing did, step by step.",
     "ambit task receipt r01J...", NULL, task_receipt},
    {"suspend", NEEDS_GATEWAY, 1, 1, "TASK [--reason TEXT]",
     "Refuse its calls, and those of all that came of it, until it is resumed.",
     "ambit task suspend t01J... --reason \"look at it first\"", SUSPEND_OPTS, task_suspend},
    {"resume", NEEDS_GATEWAY, 1, 1, "TASK", "Let a suspended task go on.",
     "ambit task resume t01J...", NULL, task_resume},
    {"history", NEEDS_GATEWAY, 1, 1, "TASK", "Who did what to it, and when: from the record.",
     "ambit task history t01J...", NULL, task_history},
    {"token", NEEDS_GATEWAY, 1, 1, "TASK [--cert SHA256] [--endpoint SERVER]",
     "A short-lived token for clients that come in over HTTP.", "ambit task token t01J...",
     TOKEN_OPTS, task_token},
};

int cmd_task(int argc, char **argv)
{
    return verbs_run("task", VERBS, sizeof VERBS / sizeof VERBS[0], argc, argv);
}
