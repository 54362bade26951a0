/* `ambit ledger`: is the log what it claims to be? Read-only, beside a running gateway or on a copy
 * of its state folder. */
#include "cmd/ledger.h"
#include "base/hex.h"
#include "cmd/ledger_export.h"
#include "crypto/note.h"
#include "ledger/verify.h"

static const struct opt VERIFY_OPTS[] = {
    {"state", 0, OPT_VALUE, "DIR", "the state folder (default: the configuration's)"},
    {"log", 0, OPT_VALUE, "DIR", "a published directory of tiles, in place of the state folder"},
    {"vkey", 0, OPT_VALUE, "VKEY",
     "verification key, as `ambit ledger key` prints it (default: asked of the gateway; --key "
     "VKEY means the same)"},
    {0}};

static const struct opt WITNESS_OPTS[] = {
    {"policy", 0, OPT_VALUE, "FILE", "the log policy (C2SP tlog-policy): logs, witnesses, quorum"},
    {"checkpoint", 0, OPT_VALUE, "FILE", "the checkpoint, a signed note"},
    {0}};

static const struct opt EXPORT_OPTS[] = {
    {"state", 0, OPT_VALUE, "DIR", "the state folder (default: the configuration's)"},
    {"format", 0, OPT_VALUE, "jsonl|ocsf", "JSON Lines (default), or events of OCSF 1.9"},
    {"from", 0, OPT_VALUE, "LEAF", "index of the first leaf (default: 0)"},
    {"to", 0, OPT_VALUE, "LEAF", "index after the last leaf (default: to the end)"},
    {"out", 0, OPT_VALUE, "FILE", "a new file (default: standard output)"},
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

int ledger_view(struct cli *c, struct store_view **out)
{
    str state = args_get(&c->args, "state");
    if (!state.n) {
        int status = cli_conf(c, false);
        if (status)
            return status;
        state = c->conf.state_dir;
    }
    str dir = str_fmt(&c->arena, "%.*s/store", STR(state));
    return store_open_readonly(dir.p, out, &c->err) ? 0 : cli_failed(c);
}

static int ledger_verify_cmd(struct cli *c)
{
    struct ledger_verify_options o = {.vkey = args_get(&c->args, "vkey")};
    struct ledger_report r;
    struct store_view *v;
    if (args_has(&c->args, "log"))
        return ledger_verify_log(c);
    if (!o.vkey.n)
        o.vkey = args_get(&c->args, "key");
    int status = ledger_view(c, &v);
    if (status)
        return status;
    bool known = o.vkey.n > 0;
    if (!known)
        o.vkey = ask_key(c);
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

static const struct opt TILES_OPTS[] = {
    {"out", 0, OPT_VALUE, "DIR", "the directory; made if it is not there, else brought up to date"},
    {"state", 0, OPT_VALUE, "DIR", "the state folder (default: the configuration's)"},
    {0}};

static const struct opt PROVE_OPTS[] = {
    {"out", 0, OPT_VALUE, "FILE", "where to write the proof (default: standard output)"},
    {"state", 0, OPT_VALUE, "DIR", "the state folder (default: the configuration's)"},
    {"log", 0, OPT_VALUE, "DIR", "a published directory of tiles, in place of the state folder"},
    {"check", 0, OPT_VALUE, "FILE", "check that proof instead; needs nothing but --vkey"},
    {"vkey", 0, OPT_VALUE, "VKEY", "with --check: the key, as `ambit ledger key` prints it"},
    {"entry", 0, OPT_VALUE, "FILE",
     "with --check: the record that must be the one proved (default: the one in the proof)"},
    {0}};

static const struct verb VERBS[] = {
    {"verify", HAS_CONF | MAY_NEED_GATEWAY, 0, 0, "[--state DIR | --log DIR] [--vkey VKEY]",
     "Check every record, root and signature of the ledger.",
     "ambit ledger verify --state ./copy-of-state --vkey \"$(cat ambit.vkey)\"", VERIFY_OPTS,
     ledger_verify_cmd},
    {"key", NEEDS_GATEWAY, 0, 0, "", "The key that verifies the ledger's signatures; keep a copy.",
     "ambit ledger key > ambit.vkey", NULL, ledger_key},
    {"tiles", HAS_CONF, 0, 0, "--out DIR [--state DIR]",
     "Write the log as files that anyone can verify (C2SP tlog-tiles).",
     "ambit ledger tiles --out /srv/log", TILES_OPTS, ledger_tiles},
    {"prove", HAS_CONF, 0, 1, "RECORD | --check FILE --vkey VKEY",
     "Prove that a record (its index, or a call's id) is in the log; check such a proof.",
     "ambit ledger prove 42 --out 42.tlog-proof", PROVE_OPTS, ledger_prove},
    {"export", HAS_CONF, 0, 0, "[--format jsonl|ocsf] [--from LEAF] [--to LEAF] [--out FILE]",
     "Records as lines for other software.",
     "ambit ledger export --format ocsf --from 10000 --out events.jsonl", EXPORT_OPTS,
     ledger_export},
    {"witness", 0, 0, 0, "--policy FILE --checkpoint FILE",
     "Who has cosigned a checkpoint, and whether that is a quorum.",
     "ambit ledger witness --policy log.policy --checkpoint checkpoint", WITNESS_OPTS,
     ledger_witness},
};

int cmd_ledger(int argc, char **argv)
{
    return verbs_run("ledger", VERBS, sizeof VERBS / sizeof VERBS[0], argc, argv);
}
