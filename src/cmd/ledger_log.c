/* `ambit ledger tiles`, `prove` and `verify --log`: the log for those who do not have the store. */
#include "base/hex.h"
#include "cmd/ledger.h"
#include "ledger/log_dir.h"
#include "ledger/log_store.h"
#include "os/file.h"

#include <fcntl.h>

/* ---- tiles ---- */

int ledger_tiles(struct cli *c)
{
    struct store_view *v;
    uint64_t size = 0;
    str out = args_get(&c->args, "out");
    if (!out.n)
        return cli_usage(c, "--out DIR says where to");
    int status = ledger_view(c, &v);
    if (status)
        return status;
    bool ok = log_store_tiles(v, str_dup(&c->arena, out).p, &size, &c->err);
    store_view_close(v);
    if (!ok)
        return cli_failed(c);
    if (c->json)
        printf("{\"entries\":%llu}\n", (unsigned long long)size);
    else
        printf("%.*s holds the %llu records under the last checkpoint\n", STR(out),
               (unsigned long long)size);
    return 0;
}

/* ---- verify --log ---- */

static void print_members(struct cli *c, struct buf *b)
{
    const json *v;
    struct buf lines = {0};
    if (c->json || !json_read(&c->arena, buf_str(b), NULL, &v, &c->err)) {
        buf_putc(b, '\n');
        print_buf(stdout, b);
        return;
    }
    put_members(&lines, v);
    buf_fini(b);
    print_buf(stdout, &lines);
}

static void print_dir_report(struct cli *c, const struct checkpoint *head, bool signed_by,
                             const struct log_dir_report *r)
{
    struct buf b = {0};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_kbool(&w, S("ok"), r->ok);
    jw_kbool(&w, S("signaturesChecked"), signed_by);
    jw_kstr(&w, S("origin"), head->origin);
    jw_ki64(&w, S("size"), (int64_t)head->size);
    jw_ki64(&w, S("leaves"), (int64_t)r->entries);
    jw_ki64(&w, S("files"), (int64_t)r->files);
    jw_kstr(&w, S("root"), base64url_dup(&c->arena, hash_str(&r->root)));
    if (!r->ok)
        jw_kstr(&w, S("problem"), str_z(r->problem));
    jw_end_obj(&w);
    print_members(c, &b);
}

static int verify_dir(struct cli *c, const struct note_verifier *log)
{
    struct log_dir *d;
    struct log_dir_report r;
    str path = str_dup(&c->arena, args_get(&c->args, "log"));
    if (!log_dir_open(path.p, log, &d, &c->err))
        return cli_failed(c);
    bool ok = log_dir_verify(d, &r, &c->err);
    if (ok)
        print_dir_report(c, log_dir_head(d), log != NULL, &r);
    log_dir_close(d);
    fflush(stdout);
    if (!ok)
        return cli_failed(c);
    if (!log)
        fprintf(stderr, "signatures were not checked: give the log's key with --vkey\n");
    if (r.ok)
        return 0;
    err_input(&c->err, "the log is NOT sound: %.300s", r.problem);
    return cli_failed(c);
}

int ledger_verify_log(struct cli *c)
{
    struct note_verifier v;
    struct key *key = NULL;
    str vkey = args_get(&c->args, "vkey");
    if (!vkey.n)
        vkey = args_get(&c->args, "key");
    if (args_has(&c->args, "state"))
        return cli_usage(c, "--state and --log are two places; name one");
    if (vkey.n && !note_vkey_parse(vkey, &v, &key, &c->err))
        return cli_failed(c);
    int status = verify_dir(c, key ? &v : NULL);
    key_free(key);
    return status;
}

/* ---- prove ---- */

static void print_proved(struct cli *c, const struct proof *p, const struct checkpoint *head,
                         str entry)
{
    const json *record;
    struct err none;
    struct buf b = {0};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_kbool(&w, S("ok"), true);
    jw_kstr(&w, S("origin"), head->origin);
    jw_ki64(&w, S("size"), (int64_t)head->size);
    jw_ki64(&w, S("index"), (int64_t)p->index);
    /* The record as it was written; one of another log may be any bytes. */
    if (json_read(&c->arena, entry, NULL, &record, &none))
        jw_kvalue(&w, S("record"), record);
    else
        jw_kstr(&w, S("bytes"), base64url_dup(&c->arena, entry));
    jw_end_obj(&w);
    print_members(c, &b);
}

static bool check_proof(struct cli *c, const struct note_verifier *log)
{
    struct proof p;
    struct checkpoint head;
    str text, entry;
    const struct file_rules any = {.follow = true};
    str path = str_dup(&c->arena, args_get(&c->args, "check"));
    str entry_path = str_dup(&c->arena, args_get(&c->args, "entry"));
    if (!file_read(AT_FDCWD, path.p, PROOF_BYTES_MAX, &any, &c->arena, &text, &c->err) ||
        !proof_read(&c->arena, text, &p, &c->err))
        return false;
    entry = p.extra;
    if (entry_path.n &&
        !file_read(AT_FDCWD, entry_path.p, TILE_ENTRY_BYTES_MAX, &any, &c->arena, &entry, &c->err))
        return false;
    if (!entry_path.n && !p.has_extra)
        return err_input(&c->err, "the proof does not carry its record; give it with --entry FILE");
    if (!proof_check(&c->arena, &p, entry, log, &head, &c->err))
        return false;
    print_proved(c, &p, &head, entry);
    return true;
}

static int prove_check(struct cli *c)
{
    struct note_verifier v;
    struct key *key;
    str vkey = args_get(&c->args, "vkey");
    if (!vkey.n)
        return cli_usage(c, "--check needs --vkey VKEY, the key that you trust for this log");
    if (c->args.pos_n)
        return cli_usage(c, "with --check, the proof says which record it is");
    if (!note_vkey_parse(vkey, &v, &key, &c->err))
        return cli_failed(c);
    bool ok = check_proof(c, &v);
    key_free(key);
    return ok ? 0 : cli_failed(c);
}

static int write_proof(struct cli *c, const struct proof *p)
{
    struct buf b = {.max = PROOF_BYTES_MAX};
    str out = str_dup(&c->arena, args_get(&c->args, "out"));
    proof_write(p, &b);
    if (!out.n) {
        print_buf(stdout, &b);
        return 0;
    }
    bool ok = file_write(AT_FDCWD, out.p, buf_str(&b), 0644, &c->err);
    buf_fini(&b);
    return ok ? 0 : cli_failed(c);
}

static int prove_from_dir(struct cli *c, str record)
{
    struct log_dir *d;
    struct proof p;
    uint64_t index;
    str path = str_dup(&c->arena, args_get(&c->args, "log"));
    if (!str_to_u64(record, &index))
        return cli_usage(c, "a directory of tiles knows records by index; a call's id needs the "
                            "store (--state DIR)");
    if (!log_dir_open(path.p, NULL, &d, &c->err))
        return cli_failed(c);
    int status =
        log_dir_prove(d, &c->arena, index, &p, &c->err) ? write_proof(c, &p) : cli_failed(c);
    log_dir_close(d);
    return status;
}

int ledger_prove(struct cli *c)
{
    struct store_view *v;
    struct proof p;
    uint64_t index;
    if (args_has(&c->args, "check"))
        return prove_check(c);
    if (c->args.pos_n != 1)
        return cli_usage(c, "which record: its index, or a call's id");
    str record = c->args.pos[0];
    if (args_has(&c->args, "log"))
        return prove_from_dir(c, record);
    int status = ledger_view(c, &v);
    if (status)
        return status;
    bool ok = (str_to_u64(record, &index) || log_store_find_call(v, record, &index, &c->err)) &&
              log_store_prove(v, &c->arena, index, &p, &c->err);
    store_view_close(v);
    return ok ? write_proof(c, &p) : cli_failed(c);
}
