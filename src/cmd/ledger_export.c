/* `ambit ledger export`: leaves as lines, for other software. */
#include "cmd/cli.h"
#include "cmd/ledger_export.h"
#include "ledger/export.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { LEAVES_AT_ONCE = 10000, WRITE_BYTES = 1 << 20 };

static const struct {
    const char *name;
    export_fn *write;
} FORMATS[] = {{"jsonl", export_jsonl}, {"ocsf", export_ocsf}};

struct exporting {
    struct arena scratch;
    struct buf out;
    export_fn *write;
    int fd;
    uint64_t next, to; /* to 0: to the end */
    size_t got;        /* in this read */
    struct err *err;
    bool failed;
};

static bool write_out(struct exporting *x)
{
    if (x->out.over)
        return err_limit(x->err, "leaf %llu is too long to write", (unsigned long long)x->next);
    while (buf_len(&x->out)) {
        str left = buf_str(&x->out);
        ssize_t n = write(x->fd, left.p, left.n);
        if (n < 0 && errno != EINTR)
            return err_system(x->err, "cannot write the export");
        if (n > 0)
            buf_consume(&x->out, (size_t)n);
    }
    return true;
}

static bool on_leaf(void *arg, const struct store_leaf_row *row)
{
    struct exporting *x = arg;
    bool ok = true;
    if (row->index != x->next)
        ok = err_input(x->err, "leaf %llu is missing; look with `ambit ledger verify`",
                       (unsigned long long)x->next);
    arena_reset(&x->scratch);
    ok = ok && x->write(&x->out, &x->scratch, row, x->err) &&
         (buf_len(&x->out) < WRITE_BYTES || write_out(x));
    x->next += ok;
    x->got += ok;
    x->failed = !ok;
    return ok;
}

/* A read at a time, so that a running gateway's WAL is not kept from being copied back. Leaves do
 * not change, so no common state is needed. */
static bool export_leaves(struct exporting *x, struct store_view *v)
{
    do {
        struct store_leaf_query q = {.from = x->next, .to = x->to, .limit = LEAVES_AT_ONCE};
        x->got = 0;
        if (x->to && x->next >= x->to)
            break;
        if (!store_read_leaves(v, &q, on_leaf, x, x->err) || x->failed)
            return false;
    } while (x->got == LEAVES_AT_ONCE);
    return true;
}

static bool export_end(struct exporting *x, struct store_view *v)
{
    struct store_checkpoint c;
    struct err none;
    if (x->write == export_jsonl) {
        if (store_read_checkpoint_last(v, &x->scratch, &c, &none))
            export_checkpoint(&x->out, &c);
        else if (none.kind != ERR_NOTFOUND) {
            *x->err = none;
            return false;
        }
    }
    if (!write_out(x))
        return false;
    /* a pipe or terminal cannot be synced, and need not be */
    return fsync(x->fd) == 0 || errno == EINVAL || errno == EROFS ||
           err_system(x->err, "cannot sync the export");
}

static bool read_range(struct cli *c, struct exporting *x)
{
    str format = args_get(&c->args, "format");
    const struct {
        const char *name;
        uint64_t *to;
    } ends[] = {{"from", &x->next}, {"to", &x->to}};
    for (size_t i = 0; i < sizeof FORMATS / sizeof FORMATS[0]; i++)
        if (str_eq(format.n ? format : S("jsonl"), str_z(FORMATS[i].name)))
            x->write = FORMATS[i].write;
    if (!x->write)
        return err_input(&c->err, "--format is jsonl or ocsf");
    for (size_t i = 0; i < 2; i++) {
        str given = args_get(&c->args, ends[i].name);
        if (args_has(&c->args, ends[i].name) &&
            (!str_to_u64(given, ends[i].to) || *ends[i].to > INT64_MAX))
            return err_input(&c->err, "--%s takes the index of a leaf", ends[i].name);
    }
    if (args_has(&c->args, "to") && x->to <= x->next)
        return err_input(&c->err, "--to is the index after the last leaf, above --from");
    return true;
}

static bool open_out(struct cli *c, struct exporting *x)
{
    str path = str_dup(&c->arena, args_get(&c->args, "out"));
    x->fd = STDOUT_FILENO;
    if (!path.n)
        return true;
    x->fd = open(path.p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return x->fd >= 0 || err_system(&c->err, "cannot make %.*s (an export replaces no file)",
                                    STR(str_take(path, 200)));
}

static bool export_all(struct cli *c, struct exporting *x, str state)
{
    struct store_view *v;
    str dir = str_fmt(&c->arena, "%.*s/store", STR(state));
    if (!store_open_readonly(dir.p, &v, &c->err))
        return false;
    bool ok = open_out(c, x) && export_leaves(x, v) && export_end(x, v);
    store_view_close(v);
    if (x->fd > STDOUT_FILENO && close(x->fd) != 0 && ok)
        ok = err_system(&c->err, "cannot close the export");
    return ok;
}

int ledger_export(struct cli *c)
{
    struct exporting x = {.fd = -1, .err = &c->err};
    str state = args_get(&c->args, "state");
    if (!read_range(c, &x)) {
        cli_failed(c);
        return EXIT_USAGE;
    }
    uint64_t from = x.next;
    if (!state.n) {
        int status = cli_conf(c, false);
        if (status)
            return status;
        state = c->conf.state_dir;
    }
    bool ok = export_all(c, &x, state);
    arena_fini(&x.scratch);
    buf_fini(&x.out);
    if (!ok)
        return cli_failed(c);
    fprintf(stderr, "%llu records; the next export begins with --from %llu\n",
            (unsigned long long)(x.next - from), (unsigned long long)x.next);
    return 0;
}
