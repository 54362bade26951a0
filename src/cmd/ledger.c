/* `ambit ledger`: is the log what it claims to be? Read-only, beside a running gateway or on a copy
 * of its state folder. */
#include "cmd/ledger_verbs.h"
#include "base/hex.h"
#include "crypto/note.h"
#include "ledger/verify.h"

static const struct opt VERIFY_OPTS[] = {
    {"state", 0, OPT_VALUE, "DIR", "the state folder (default: the configuration's)"},
    {"vkey", 0, OPT_VALUE, "VKEY",
     "verification key, as `ambit ledger key` prints it (default: asked of the gateway; --key "
     "VKEY means the same)"},
    {0}};

/* The key of the running gateway, or empty. An auditor who keeps a copy of the key gives it. */
static str ask_key(struct cli *c)
{
    const json *status;
    struct control *k = &c->control;
    str path = args_get(&c->args, "control");
    if (!path.n)
        path = c->conf.control_socket;
    if (!path.n || !control_open(k, &c->arena, path, &c->err))
        return (str){0};
    return control_call(k, S("status"), (str){0}, &status, &c->err)
               ? json_get_str(status, S("ledgerKey"))
               : (str){0};
}

static void print_report(struct cli *c, const struct ledger_report *r)
{
    struct buf b = {0};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_kbool(&w, S("ok"), r->ok);
    jw_kbool(&w, S("signaturesChecked"), r->signatures_checked);
    const struct {
        const char *name;
        uint64_t n;
    } counts[] = {{"leaves", r->leaves},        {"checkpoints", r->checkpoints},
                  {"intents", r->intents},      {"outcomes", r->outcomes},
                  {"refusals", r->refusals},    {"tasks", r->tasks},
                  {"holds", r->holds},          {"approvals", r->approvals},
                  {"denials", r->denials},      {"others", r->others},
                  {"openCalls", r->open_calls}, {"unsignedLeaves", r->unsigned_leaves}};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        jw_ki64(&w, str_z(counts[i].name), (int64_t)counts[i].n);
    jw_kstr(&w, S("root"), base64url_dup(&c->arena, str_of((const char *)r->root, sizeof r->root)));
    jw_key(&w, S("open"));
    jw_arr(&w);
    for (size_t i = 0; i < sizeof r->open / sizeof r->open[0] && r->open[i][0]; i++)
        jw_str(&w, str_z(r->open[i]));
    jw_end_arr(&w);
    if (!r->ok) {
        jw_kstr(&w, S("problem"), str_z(r->problem));
        jw_ki64(&w, r->problem_is_leaf ? S("problemLeaf") : S("problemCheckpoint"),
                (int64_t)r->problem_at);
    }
    jw_end_obj(&w);
    const json *v;
    if (c->json || !json_read(&c->arena, buf_str(&b), NULL, &v, &c->err)) {
        buf_putc(&b, '\n');
    } else {
        struct buf lines = {0};
        put_members(&lines, v);
        buf_fini(&b);
        b = lines;
    }
    print_buf(stdout, &b);
}

static int ledger_verify_cmd(struct cli *c)
{
    struct ledger_verify_options o = {.vkey = args_get(&c->args, "vkey")};
    struct ledger_report r;
    struct store_view *v;
    str state = args_get(&c->args, "state");
    if (!o.vkey.n)
        o.vkey = args_get(&c->args, "key");
    if (!state.n) {
        int status = cli_conf(c, false);
        if (status)
            return status;
        state = c->conf.state_dir;
    }
    bool known = o.vkey.n > 0;
    if (!known)
        o.vkey = ask_key(c);
    str dir = str_fmt(&c->arena, "%.*s/store", STR(state));
    if (!store_open_readonly(dir.p, &v, &c->err))
        return cli_failed(c);
    bool ok = ledger_verify(v, &o, &r, &c->err);
    store_view_close(v);
    if (!ok)
        return cli_failed(c);
    print_report(c, &r);
    fflush(stdout);
    if (!r.signatures_checked)
        fprintf(stderr, "signatures were not checked: the gateway is not there to be asked for its "
                        "key; give it with --vkey\n");
    else if (!known)
        fprintf(stderr, "the key was the gateway's own word; an auditor keeps a copy of `ambit "
                        "ledger key` and gives it with --vkey\n");
    if (!r.ok) {
        err_input(&c->err, "the ledger is NOT sound: %s (%s %llu)", r.problem,
                  r.problem_is_leaf ? "leaf" : "checkpoint of size",
                  (unsigned long long)r.problem_at);
        return cli_failed(c);
    }
    return 0;
}

static int ledger_key(struct cli *c)
{
    const json *status;
    if (!cli_call(c, S("status"), NULL, &status))
        return EXIT_FAILED;
    str key = json_get_str(status, S("ledgerKey"));
    if (!key.n) {
        err_notfound(&c->err, "the gateway does not have its key yet; try again in a moment");
        return cli_failed(c);
    }
    printf("%.*s\n", STR(key));
    return 0;
}

static const struct verb VERBS[] = {
    {"verify", HAS_CONF | MAY_NEED_GATEWAY, 0, 0, "[--state DIR] [--vkey VKEY]",
     "Check every record, root and signature of the ledger.",
     "ambit ledger verify --state ./copy-of-state --vkey \"$(cat ambit.vkey)\"", VERIFY_OPTS,
     ledger_verify_cmd},
    {"key", NEEDS_GATEWAY, 0, 0, "", "The key that verifies the ledger's signatures; keep a copy.",
     "ambit ledger key > ambit.vkey", NULL, ledger_key},
    {"witness", 0, 0, 0, "--policy FILE --checkpoint FILE",
     "Who has cosigned a checkpoint, and whether that is a quorum.",
     "ambit ledger witness --policy log.policy --checkpoint checkpoint", LEDGER_WITNESS_OPTS,
     ledger_witness},
};

int cmd_ledger(int argc, char **argv)
{
    return verbs_run("ledger", VERBS, sizeof VERBS / sizeof VERBS[0], argc, argv);
}
