/* witness: the process that looks at other users' program files for core: path and SHA-256, for the
 * selectors "path" and "sha256". Started only where an agent has one.
 *
 * It has the one capability that it takes (CAP_SYS_PTRACE, for PTRACE_MODE_READ) and a filter of
 * system calls that leaves reading; core, which decides, has neither. What it is told is a pidfd,
 * what it reads is hashed and not looked at, what it says is a fact, not a decision.
 *
 * Looks are done one after the other, a file in slices, so that the channel is served meanwhile.
 * Hashes are kept by device, inode, size, mtime and ctime: a file that is executed cannot be
 * written to, and one that was written to has another ctime. */
#include "role/role.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "net/chan.h"
#include "net/timer.h"
#include "os/look.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    LOOKS_MAX = 2048,
    SLICE_BYTES = 4 << 20,
    PIECE_BYTES = 256 << 10,
    HASHES_MAX = 256,
};

struct known_hash {
    struct stat st;
    struct hash hash;
    bool used;
};

struct job {
    struct list node;
    uint64_t id;
    int pidfd;
    bool wants_sha256;
    struct arena arena;
    struct look look;
    bool begun;
    int file; /* being hashed; -1: none */
    int64_t left;
    struct sha256 sha;
};

struct witness {
    struct role_env *env;
    struct chan *core;
    struct list jobs;
    size_t jobs_n;
    struct timer step;
    struct known_hash known[HASHES_MAX];
    size_t next_known;
    char *piece;
};

static void step(void *owner);

/* ---- what is known ---- */

static bool is_same(const struct stat *x, const struct stat *y)
{
    return x->st_dev == y->st_dev && x->st_ino == y->st_ino && x->st_size == y->st_size &&
           x->st_mtim.tv_sec == y->st_mtim.tv_sec && x->st_mtim.tv_nsec == y->st_mtim.tv_nsec &&
           x->st_ctim.tv_sec == y->st_ctim.tv_sec && x->st_ctim.tv_nsec == y->st_ctim.tv_nsec;
}

static const struct hash *find_hash(const struct witness *w, const struct stat *st)
{
    for (size_t i = 0; i < HASHES_MAX; i++)
        if (w->known[i].used && is_same(&w->known[i].st, st))
            return &w->known[i].hash;
    return NULL;
}

static void keep_hash(struct witness *w, const struct stat *st, const struct hash *h)
{
    w->known[w->next_known++ % HASHES_MAX] = (struct known_hash){*st, *h, true};
}

/* ---- one job ---- */

static void job_free(struct witness *w, struct job *j)
{
    list_remove(&j->node);
    w->jobs_n--;
    if (j->file >= 0)
        close(j->file);
    sha256_drop(&j->sha);
    look_close(&j->look);
    close(j->pidfd);
    arena_fini(&j->arena);
    free(j);
}

static void answer(struct witness *w, struct job *j, str sha256, const char *why)
{
    struct msg_looked m = {.path = j->look.path, .sha256 = sha256, .why = str_z(why)};
    if (w->core)
        role_send(w->core, MSG_LOOKED, j->id, &m);
    job_free(w, j);
}

static void fail(struct witness *w, struct job *j, const struct err *err)
{
    j->look.path = (str){0};
    answer(w, j, (str){0}, err->text);
}

static void succeed(struct witness *w, struct job *j, const struct hash *h)
{
    struct err err;
    if (!look_confirm(&j->look, &err))
        fail(w, j, &err);
    else
        answer(w, j, h ? hash_str(h) : (str){0}, j->look.why_no_path);
}

static bool begin_file(struct job *j, struct err *err)
{
    if (j->look.st.st_size > PROGRAM_BYTES_MAX)
        return err_limit(err, "the program has over %d MiB, too much to be hashed",
                         PROGRAM_BYTES_MAX >> 20);
    if (!look_file(&j->look, &j->file, err))
        return false;
    j->left = j->look.st.st_size;
    sha256_begin(&j->sha);
    return true;
}

/* False with *err: it cannot be read. A file that grows is hashed no further than it was. */
static bool read_slice(struct witness *w, struct job *j, struct err *err)
{
    for (int64_t done = 0; done < SLICE_BYTES && j->left > 0;) {
        size_t want = j->left < PIECE_BYTES ? (size_t)j->left : PIECE_BYTES;
        ssize_t n = read(j->file, w->piece, want);
        if (n < 0)
            return err_system(err, "cannot read the program file");
        if (n == 0)
            return err_denied(err, "the program file became shorter while it was read");
        sha256_add(&j->sha, str_of(w->piece, (size_t)n));
        j->left -= n;
        done += n;
    }
    return true;
}

static void finish_file(struct witness *w, struct job *j)
{
    struct err err;
    struct stat now;
    struct hash h = sha256_end(&j->sha);
    if (fstat(j->file, &now) != 0 || !is_same(&now, &j->look.st)) {
        (void)err_denied(&err, "the program file was changed while it was read");
        fail(w, j, &err);
        return;
    }
    keep_hash(w, &now, &h);
    succeed(w, j, &h);
}

static void go_on(struct witness *w, struct job *j)
{
    struct err err;
    bool ok = true;
    if (!j->begun) {
        j->begun = true;
        ok = look_open(j->pidfd, &j->arena, &j->look, &err);
        const struct hash *known = ok ? find_hash(w, &j->look.st) : NULL;
        if (ok && (!j->wants_sha256 || known)) {
            succeed(w, j, j->wants_sha256 ? known : NULL);
            return;
        }
        ok = ok && begin_file(j, &err);
    }
    ok = ok && read_slice(w, j, &err);
    if (!ok)
        fail(w, j, &err);
    else if (j->left == 0)
        finish_file(w, j);
}

static void step(void *owner)
{
    struct witness *w = owner;
    if (!list_is_empty(&w->jobs))
        go_on(w, LIST_ENTRY(w->jobs.next, struct job, node));
    if (!list_is_empty(&w->jobs))
        timer_start(&w->step, w->env->loop, 1, step, w);
}

/* ---- life ---- */

static void on_look(struct witness *w, uint64_t id, const struct msg_look *m, int pidfd)
{
    struct job *j = calloc(1, sizeof *j);
    if (!j)
        abort();
    *j = (struct job){.id = id, .pidfd = pidfd, .wants_sha256 = m->sha256 != 0, .file = -1};
    j->look.folder = -1;
    list_append(&w->jobs, &j->node);
    if (++w->jobs_n > LOOKS_MAX) {
        answer(w, j, (str){0}, "too many programs are being looked at; try again");
        return;
    }
    /* What needs no hashing does not wait for what does. */
    if (!j->wants_sha256)
        go_on(w, j);
    else if (!timer_is_armed(&w->step))
        step(w);
}

static void on_message(void *state, enum role peer, uint32_t index, struct chan *chan,
                       uint16_t type, uint64_t id, str payload, int fd)
{
    struct witness *w = state;
    struct msg_look m;
    struct err err = {0};
    (void)peer, (void)index;
    if (type == MSG_LOOK && message_unpack(MSG_LOOK, payload, &m, &err)) {
        on_look(w, id, &m, fd);
        return;
    }
    if (fd >= 0)
        close(fd);
    role_kill_peer(chan, &err);
}

static void on_peer(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    struct witness *w = state;
    (void)index;
    if (peer == ROLE_CORE)
        w->core = chan;
}

static void on_peer_lost(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    struct witness *w = state;
    (void)peer, (void)index;
    if (w->core == chan)
        w->core = NULL;
}

static void *start(struct role_env *env, struct err *err)
{
    struct witness *w = calloc(1, sizeof *w);
    (void)err;
    if (!w)
        abort();
    w->piece = malloc(PIECE_BYTES);
    if (!w->piece)
        abort();
    w->env = env;
    list_init(&w->jobs);
    return w;
}

int role_witness(void)
{
    static const struct role_ops ops = {.self = ROLE_WITNESS,
                                        .start = start,
                                        .on_peer = on_peer,
                                        .on_peer_lost = on_peer_lost,
                                        .on_message = on_message};
    return role_main(&ops);
}
