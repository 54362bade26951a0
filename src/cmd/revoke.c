/* `ambit revoke`, and receipts on a terminal. */
#include "cmd/receipt.h"

static const struct opt OPTS[] = {
    {"reason", 0, OPT_VALUE, "TEXT", "why, for the record"},
    {"wait", 0, OPT_FLAG, NULL, "until every step has ended (10 s at most)"},
    {0}};

/* ---- receipts ---- */

static str member(const json *v, const char *name)
{
    return json_get_str(v, str_z(name));
}

static void print_steps(struct cli *c, const json *steps)
{
    static const char *const heads[] = {"STEP", "AFTER", "COUNT", "MEANING"};
    static const struct {
        const char *name, *meaning;
    } rows[] = {
        {"refusing", "tasks whose next request is refused"},
        {"streams", "open event streams that were ended at the edges"},
        {"programs", "stdio programs that were ended and collected"},
        {"holds", "calls waiting for a person that were cancelled"},
        {"durable", "tasks whose end the store has committed"},
        {"calls", "calls under way that were settled"},
        {"leases", "released credentials whose end is stated below"},
    };
    struct table t = {.a = &c->arena, .heads = heads, .columns = 4};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const json *step = json_get(steps, str_z(rows[i].name));
        bool done = json_bool(json_get(step, S("done")));
        int64_t us;
        bool known = json_i64(json_get(step, S("microseconds")), &us);
        table_add(&t, str_z(rows[i].name));
        table_add(&t, !done   ? S("not yet")
                      : known ? str_fmt(&c->arena, "%lld.%03lld ms", (long long)(us / 1000),
                                        (long long)(us % 1000))
                              : S("done"));
        table_add(&t, done ? json_number(json_get(step, S("count"))) : (str){0});
        table_add(&t, str_z(rows[i].meaning));
    }
    table_print(&t);
}

static void print_leases(struct cli *c, const json *list)
{
    static const char *const heads[] = {"BINDING", "TASK", "HELD BY", "STATE"};
    struct table t = {.a = &c->arena, .heads = heads, .columns = 4};
    const json *l;
    for (struct json_iter it = json_iter(list); json_next(&it, NULL, &l);) {
        table_add(&t, member(l, "binding"));
        table_add(&t, member(l, "task"));
        table_add(&t, member(l, "holder"));
        table_add(&t, member(l, "state"));
    }
    printf("\nreleased credentials:\n");
    fflush(stdout);
    table_print(&t);
}

static void put_texts(struct cli *c, const json *receipt, struct buf *out)
{
    const json *v;
    (void)c;
    for (struct json_iter it = json_iter(json_get(receipt, S("notDead")));
         json_next(&it, NULL, &v);) {
        buf_put(out, S("not dead: "));
        put_safe(out, member(v, "what"));
        buf_put(out, S(": "));
        put_safe(out, member(v, "why"));
        buf_putc(out, '\n');
    }
    for (struct json_iter it = json_iter(json_get(receipt, S("notes")));
         json_next(&it, NULL, &v);) {
        buf_put(out, S("note: "));
        put_safe(out, json_str(v));
        buf_putc(out, '\n');
    }
}

static void print_head(struct cli *c, const json *r)
{
    struct buf out = {0};
    str closes = member(r, "closes");
    buf_printf(&out, "receipt %.*s (%.*s): %.*s ", STR(member(r, "receipt")),
               STR(member(r, "state")), STR(member(r, "kind")));
    put_safe(&out, member(r, "name"));
    buf_printf(&out, " %.*s by ", STR(closes.n ? closes : S("cut")));
    put_safe(&out, member(r, "by"));
    buf_printf(&out, " at %.*s, ledger leaf %.*s: ", STR(member(r, "accepted")),
               STR(json_number(json_get(r, S("leaf")))));
    put_safe(&out, member(r, "reason"));
    buf_putc(&out, '\n');
    (void)c;
    print_buf(stdout, &out);
}

static void print_tasks(struct cli *c, const json *r)
{
    static const char *const heads[] = {"TASK", "NOW"};
    struct table t = {.a = &c->arena, .heads = heads, .columns = 2};
    const json *task;
    for (struct json_iter it = json_iter(json_get(r, S("tasks"))); json_next(&it, NULL, &task);) {
        str state = member(task, "state");
        table_add(&t, member(task, "task"));
        table_add(&t, state.n ? state : S("cut"));
    }
    table_print(&t);
    printf("\n");
    fflush(stdout);
}

int print_receipt(struct cli *c, const json *receipt)
{
    struct buf out = {0};
    bool incomplete = str_eq(member(receipt, "state"), S("incomplete"));
    if (c->json) {
        cli_print_json(receipt);
        return incomplete ? EXIT_FAILED : 0;
    }
    print_head(c, receipt);
    print_tasks(c, receipt);
    print_steps(c, json_get(receipt, S("steps")));
    if (json_count(json_get(receipt, S("leases"))))
        print_leases(c, json_get(receipt, S("leases")));
    put_texts(c, receipt, &out);
    print_buf(stdout, &out);
    if (str_eq(member(receipt, "state"), S("under_way")))
        printf("It is durable; see how it ended with `ambit task receipt %.*s`.\n",
               STR(member(receipt, "receipt")));
    return incomplete ? EXIT_FAILED : 0;
}

/* ---- revoke ---- */

static int revoke(struct cli *c)
{
    struct buf params = {0};
    struct jw w = jw(&params);
    const json *result;
    jw_obj(&w);
    jw_kstr(&w, S("kind"), c->args.pos[0]);
    jw_kstr(&w, S("name"), c->args.pos[1]);
    if (args_has(&c->args, "reason"))
        jw_kstr(&w, S("reason"), args_get(&c->args, "reason"));
    jw_kbool(&w, S("wait"), args_has(&c->args, "wait"));
    jw_end_obj(&w);
    return cli_call(c, S("revoke"), &params, &result) ? print_receipt(c, result) : EXIT_FAILED;
}

static const struct verb VERBS[] = {
    {NULL, NEEDS_GATEWAY, 2, 2, "task|agent|owner|binding NAME [--reason TEXT] [--wait]",
     "Close a task, or every task of an agent, of an owner, or that may use a binding, at once.",
     "ambit revoke agent support --reason \"it was tricked\" --wait", OPTS, revoke},
};

int cmd_revoke(int argc, char **argv)
{
    return verbs_run("revoke", VERBS, sizeof VERBS / sizeof VERBS[0], argc, argv);
}
