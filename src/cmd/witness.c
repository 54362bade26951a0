/* `ambit ledger witness`: has a checkpoint the quorum that a log policy asks for? Reads two files,
 * needs no gateway and no network. */
#include "cmd/ledger.h"
#include "ledger/cosign_policy.h"
#include "os/file.h"

#include <fcntl.h>

static bool read_option(struct cli *c, const char *name, size_t max, str *out)
{
    str path = str_dup(&c->arena, args_get(&c->args, name));
    return file_read(AT_FDCWD, path.p, max, &(struct file_rules){.follow = true}, &c->arena, out,
                     &c->err);
}

static void print_signers(struct cli *c, const struct cosign_policy *p,
                          const struct cosign_signers *s)
{
    struct buf b = {0};
    struct jw w = jw(&b);
    const json *v;
    jw_obj(&w);
    jw_kbool(&w, S("quorum"), witness_policy_met(p, s->cosigned));
    jw_kstr(&w, S("origin"), s->checkpoint.origin);
    jw_ki64(&w, S("size"), (int64_t)s->checkpoint.size);
    jw_key(&w, S("witnesses"));
    jw_arr(&w);
    for (size_t i = 0; i < p->n_witnesses; i++) {
        bool signed_it = s->cosigned >> i & 1;
        jw_obj(&w);
        jw_kstr(&w, S("name"), p->witnesses[i].vkey.name);
        jw_kbool(&w, S("cosigned"), signed_it);
        if (signed_it)
            jw_ki64(&w, S("time"), (int64_t)s->time_s[i]);
        if (!p->witnesses[i].key)
            jw_ki64(&w, S("unknownKeyType"), p->witnesses[i].vkey.type);
        jw_end_obj(&w);
    }
    jw_end_arr(&w);
    jw_end_obj(&w);
    if (json_read(&c->arena, buf_str(&b), NULL, &v, &c->err))
        cli_print_json(v);
    buf_fini(&b);
}

int ledger_witness(struct cli *c)
{
    const struct cosign_policy *p;
    struct cosign_signers s;
    str policy, note;
    if (!args_has(&c->args, "policy") || !args_has(&c->args, "checkpoint"))
        return cli_usage(c, "give --policy FILE and --checkpoint FILE");
    if (!read_option(c, "policy", COSIGN_POLICY_BYTES_MAX, &policy) ||
        !cosign_policy_parse(&c->arena, policy, &p, &c->err) ||
        !read_option(c, "checkpoint", NOTE_BYTES_MAX, &note) ||
        !cosign_policy_signers(&c->arena, p, note, &s, &c->err))
        return cli_failed(c);
    print_signers(c, p, &s);
    fflush(stdout);
    if (!witness_policy_met(p, s.cosigned)) {
        err_denied(&c->err, "the checkpoint lacks the quorum of the policy; ask the witnesses that "
                            "have not cosigned it, or do not rely on it");
        return cli_failed(c);
    }
    return 0;
}
