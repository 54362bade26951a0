/* Kill the gateway's store at random moments, many times, on one and the same directory. What was
 * acknowledged must be there, the log must verify, and each start must settle what was left open.
 */
#include "ledger/ledger_fix.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

enum { ROUNDS = 40, DEPTH = 24 };

/* What the child says once a commit is acknowledged. */
struct ack {
    char kind; /* 'i' intent, 'o' outcome */
    struct id call;
};

struct slot {
    struct fix *f;
    int pipe;
    struct ack now;
};

static void on_done(void *arg, const struct store_result *r);

static void next(struct slot *s)
{
    struct fix *f = s->f;
    struct store_txn *t;
    if (s->now.kind == 'i') {
        s->now.kind = 'o';
        t = fix_outcome(f, id_str(&s->now.call), "t1");
    } else {
        s->now = (struct ack){'i', id_new('c')};
        t = fix_intent(f, id_str(&s->now.call), "t1", NULL, (str){0});
    }
    if (!store_submit(f->s, t, on_done, s, &f->err))
        _exit(3);
}

static void on_done(void *arg, const struct store_result *r)
{
    struct slot *s = arg;
    if (r->outcome != STORE_COMMITTED || write(s->pipe, &s->now, sizeof s->now) != sizeof s->now)
        _exit(4);
    next(s);
}

static void child(struct fix *f, int pipe, bool first)
{
    fix_open(f);
    OK(f, ledger_recover(f->s, &(struct record_start){1, S("0.1"), S("cfg"), 0}, NULL, &f->err));
    if (first)
        fix_task(f, "t1", NULL, INT64_MAX);
    static struct slot slots[DEPTH];
    for (size_t i = 0; i < DEPTH; i++) {
        slots[i] = (struct slot){.f = f, .pipe = pipe};
        next(&slots[i]);
    }
    for (;;) {
        struct pollfd p = {.fd = store_notify_fd(f->s), .events = POLLIN};
        poll(&p, 1, -1);
        store_collect(f->s);
    }
}

struct want {
    char type;
    bool found;
};

static bool on_leaf(void *arg, const struct store_leaf_row *row)
{
    struct want *w = arg;
    str type = w->type == 'i' ? S("\"type\":\"intent\"") : S("\"type\":\"outcome\"");
    if (str_find(row->body, type) >= 0)
        w->found = true;
    return true;
}

/* Kills the child a moment after it has acknowledged some, or during its start when that is none;
 * the acks are kept. By count and not by time, because a disk may be slow. */
static void one_round(struct fix *f, struct buf *acks, bool first)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        child(f, fds[1], first);
        _exit(0);
    }
    close(fds[1]);
    uint16_t random[2];
    rand_bytes(random, sizeof random);
    size_t enough = (first ? 1 : random[0] % 200) * sizeof(struct ack);
    for (bool killed = false;;) {
        if (buf_len(acks) >= enough && !killed) {
            usleep(random[1] % 4000); /* somewhere in the next commit or two */
            kill(pid, SIGKILL);
            killed = true;
        }
        ssize_t n = read(fds[0], buf_reserve(acks, 65536), 65536);
        if (n <= 0)
            break;
        buf_commit(acks, (size_t)n);
    }
    close(fds[0]);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static size_t check_acks(struct fix *f, struct store_view *v, str acks)
{
    assert_int_equal(acks.n % sizeof(struct ack), 0);
    for (size_t i = 0; i < acks.n; i += sizeof(struct ack)) {
        struct ack a;
        memcpy(&a, acks.p + i, sizeof a);
        struct want w = {.type = a.kind};
        OK(f, store_read_leaves(v, &(struct store_leaf_query){.call = id_str(&a.call)}, on_leaf, &w,
                                &f->err));
        if (!w.found)
            fail_msg("acknowledged %c of %s is gone", a.kind, a.call.s);
    }
    return acks.n / sizeof(struct ack);
}

static void test_kill(void **state)
{
    struct fix *f = *state;
    fix_close(f); /* before the first fork: no thread may be running */
    size_t acknowledged = 0;
    uint64_t open = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct buf acks = {0};
        one_round(f, &acks, round == 0);
        struct store_view *v = NULL;
        OK(f, store_open_readonly(f->dir, &v, &f->err));
        acknowledged += check_acks(f, v, buf_str(&acks));
        store_view_close(v);
        struct ledger_report r;
        fix_verify(f, &r);
        if (!r.ok)
            fail_msg("round %d: %s at %llu", round, r.problem, (unsigned long long)r.problem_at);
        open += r.open_calls;
        buf_fini(&acks);
    }
    fix_open(f);
    OK(f, ledger_recover(f->s, &(struct record_start){1, S("0.1"), S("cfg"), 0}, NULL, &f->err));
    struct ledger_report r;
    fix_verify(f, &r);
    assert_true(r.ok);
    assert_int_equal(r.open_calls, 0);
    print_message("%d kills, %zu acknowledged and all there, %llu calls were found open, %llu "
                  "leaves verify\n",
                  ROUNDS, acknowledged, (unsigned long long)open, (unsigned long long)r.leaves);
    assert_true(acknowledged >= ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kill, fix_set_up, fix_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
