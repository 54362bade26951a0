/* `ambit store`: is the store in order? Beside a running gateway or on a copy of its state folder.
 */
#include "cmd/cli.h"
#include "ledger/verify.h"
#include "store/check.h"
#include "store/read.h"

static const struct opt CHECK_OPTS[] = {
    {"state", 0, OPT_VALUE, "DIR", "the state folder (default: the configuration's)"}, {0}};

struct answers {
    struct buf lines, list;
    struct jw w;
    unsigned bad, warned;
};

static void on_answer(void *arg, enum store_verdict verdict, const char *name, const char *text)
{
    static const char *const words[] = {
        [STORE_CHECK_BAD] = "BAD", [STORE_CHECK_WARN] = "warn", [STORE_CHECK_OK] = "ok"};
    struct answers *a = arg;
    a->bad += verdict == STORE_CHECK_BAD;
    a->warned += verdict == STORE_CHECK_WARN;
    buf_printf(&a->lines, "%-4s  %-10s  %s\n", words[verdict], name, text);
    jw_obj(&a->w);
    jw_kstr(&a->w, S("name"), str_z(name));
    jw_kstr(&a->w, S("verdict"), str_z(words[verdict]));
    jw_kstr(&a->w, S("text"), str_z(text));
    jw_end_obj(&a->w);
}

/* What only the records can tell; without signatures, which `ambit ledger verify` checks. */
static void check_ledger(const char *dir, struct answers *a)
{
    struct ledger_report r;
    struct store_view *v = NULL;
    struct err err;
    char text[STORE_CHECK_TEXT_MAX];
    bool ok = store_open_readonly(dir, &v, &err) &&
              ledger_verify(v, &(struct ledger_verify_options){0}, &r, &err);
    store_view_close(v);
    if (!ok)
        snprintf(text, sizeof text, "%.*s", (int)sizeof text - 1, err.text);
    else if (!r.ok)
        snprintf(text, sizeof text, "%.250s (%s %llu)", r.problem,
                 r.problem_is_leaf ? "leaf" : "checkpoint of size",
                 (unsigned long long)r.problem_at);
    else
        snprintf(text, sizeof text,
                 "%llu leaves give the roots of %llu checkpoints; %llu open calls",
                 (unsigned long long)r.leaves, (unsigned long long)r.checkpoints,
                 (unsigned long long)r.open_calls);
    on_answer(a, ok && r.ok ? STORE_CHECK_OK : STORE_CHECK_BAD, "ledger", text);
}

static void print_answers(struct cli *c, struct answers *a)
{
    struct buf *wanted = c->json ? &a->list : &a->lines;
    if (c->json)
        buf_putc(wanted, '\n');
    print_buf(stdout, wanted);
    fflush(stdout);
    buf_fini(c->json ? &a->lines : &a->list);
}

static int store_check_cmd(struct cli *c)
{
    struct answers a = {0};
    str state = args_get(&c->args, "state");
    if (!state.n) {
        int status = cli_conf(c, false);
        if (status)
            return status;
        state = c->conf.state_dir;
    }
    str dir = str_fmt(&c->arena, "%.*s/store", STR(state));
    a.w = jw(&a.list);
    jw_arr(&a.w);
    if (!store_check(dir.p, on_answer, &a, &c->err)) {
        buf_fini(&a.lines);
        buf_fini(&a.list);
        return cli_failed(c);
    }
    if (!a.bad)
        check_ledger(dir.p, &a);
    jw_end_arr(&a.w);
    print_answers(c, &a);
    if (!a.bad)
        return 0;
    err_input(&c->err, "the store is NOT in order: %u of the answers above are bad", a.bad);
    return cli_failed(c);
}

static const struct verb VERBS[] = {
    {"check", HAS_CONF, 0, 0, "[--state DIR]",
     "Where the store lies, its file, its rows and its ledger.",
     "ambit store check --state ./copy-of-state", CHECK_OPTS, store_check_cmd},
};

int cmd_store(int argc, char **argv)
{
    return verbs_run("store", VERBS, sizeof VERBS / sizeof VERBS[0], argc, argv);
}
