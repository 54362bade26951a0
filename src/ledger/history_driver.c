/* What a gateway asks of its store, as a history that a linearizability checker can judge.
 *
 *     history_driver DIR HISTORY [gateway=NAME] [seed=N] [ops=N] [workers=N] [families=N]
 *                    [fsize=BYTES] [plant=debit|approval|child|close|outcome|retry]
 *
 * Each worker is a client with one operation under way at a time; all of them work on the same few
 * families (a root task, its children and holds), so that guards are raced for. A family is made by
 * whichever process comes first, and a process goes on with what an earlier one left, also after
 * kill -9. HISTORY is appended to, a JSON object a line:
 *
 *     {"op":"families", ...}                         once a process: what the families are
 *     {"op":"intent","id":"a.17", ...,"invoke":US}   written before the operation is submitted
 *     {"id":"a.17","result":"ok","return":US}        after its result came: ok | refused (with the
 *                                                    step whose guard refused) | unknown
 *
 * US is monotonic time, which all processes of a machine share. An invoke without a return is of a
 * process that died: unknown. A read returns what one snapshot of its family holds.
 *
 * fsize limits the size of files, so that a commit fails in its middle. plant breaks the exactness
 * on purpose, because a checker that never refuses proves nothing: the named guard is asked but not
 * heeded, or (retry) an intent is applied twice. Status: 0 all done, 3 the store failed. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/rand.h"
#include "ledger/record.h"
#include "ledger/tree.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    FAMILIES_MAX = 100,
    WORKERS_MAX = 64,
    TASKS = 3, /* of a family: 0 is the root, the others are its children */
    HOLDS = 3, /* hold h is of task 1 + h % 2 */
    ROOT_CALLS = 40,
    TASK_CALLS = 15,
    CHILDREN_MAX = 4, /* more of the root's, besides those it begins with */
    OPEN_MAX = 64,    /* calls that are remembered as open */
    LINE_MAX_BYTES = 512,
    NOW_MS = 2000, /* nothing here is ever late */
    FAILED_STATUS = 3,
};

static const char *const PLANTS[] = {"debit", "approval", "child", "close", "outcome", "retry"};
enum plant {
    PLANT_NONE = 0,
    PLANT_DEBIT,
    PLANT_APPROVAL,
    PLANT_CHILD,
    PLANT_CLOSE,
    PLANT_OUTCOME,
    PLANT_RETRY,
};

struct driver;
struct worker {
    struct driver *d;
    unsigned number;
    unsigned long op; /* number of the operation under way */
    struct id call;   /* intent: its call, to be remembered once it is open */
};

struct driver {
    struct store *s;
    struct buf leaf;
    const char *gateway;
    unsigned long seed, ops, workers, families, fsize;
    enum plant plant;
    int history;
    uint64_t random;
    unsigned long begun, ended;
    bool failed;
    struct worker worker[WORKERS_MAX];
    struct id open[OPEN_MAX];
    size_t open_n;
    struct id task_id[FAMILIES_MAX][TASKS], hold_id[FAMILIES_MAX][HOLDS];
};

static void must(bool ok, const struct err *err)
{
    if (ok)
        return;
    fprintf(stderr, "history_driver: %s\n", err->text);
    exit(1);
}

/* ---- the history ---- */

/* One write each, so that a line is whole or not there, whenever the process is killed. */
__attribute__((format(printf, 2, 3))) static void say(struct driver *d, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof line || write(d->history, line, (size_t)n) != n) {
        perror("history_driver: write the history");
        exit(1);
    }
}

/* Begins operation w->op; what it is of stands in the format. */
#define INVOKE(w, op_name, format, ...)                                                            \
    say((w)->d,                                                                                    \
        "{\"op\":\"" op_name "\",\"id\":\"%s.%lu\",\"worker\":%u," format ",\"invoke\":%lld}\n",   \
        (w)->d->gateway, (w)->op, (w)->number, __VA_ARGS__, (long long)clock_mono_us())

static uint64_t below(struct driver *d, uint64_t n)
{
    d->random ^= d->random << 13;
    d->random ^= d->random >> 7;
    d->random ^= d->random << 17;
    return d->random % n;
}

/* ---- ids ---- */

static str task_id(const struct driver *d, unsigned family, unsigned i)
{
    return str_z(d->task_id[family][i].s);
}

static str hold_id(const struct driver *d, unsigned family, unsigned i)
{
    return str_z(d->hold_id[family][i].s);
}

static void name_all(struct driver *d)
{
    for (unsigned f = 0; f < FAMILIES_MAX; f++) {
        for (unsigned i = 0; i < TASKS; i++)
            snprintf(d->task_id[f][i].s, sizeof d->task_id[f][i].s, "t%u.%u", f, i);
        for (unsigned i = 0; i < HOLDS; i++)
            snprintf(d->hold_id[f][i].s, sizeof d->hold_id[f][i].s, "h%u.%u", f, i);
    }
}

/* ---- the families ---- */

static struct store_task task_row(str id, str parent, int64_t calls)
{
    return (struct store_task){.id = id,
                               .parent = parent,
                               .owner = S("anna"),
                               .agent = S("spiffe://example.org/agent/a"),
                               .purpose = S("be raced for"),
                               .grants = S("[]"),
                               .opened_ms = 1000,
                               .deadline_ms = INT64_MAX,
                               .calls_left = calls};
}

/* One transaction, so that nobody ever sees half a family; it is refused where there is one. */
static void make_family(struct driver *d, unsigned family)
{
    struct err err = {0};
    struct store_txn *t = store_txn_new(d->s);
    for (unsigned i = 0; i < TASKS; i++) {
        struct store_task row =
            task_row(task_id(d, family, i), i ? task_id(d, family, 0) : (str){0},
                     i ? TASK_CALLS : ROOT_CALLS);
        store_task_insert(t, &row);
    }
    for (unsigned i = 0; i < HOLDS; i++) {
        struct store_hold row = {.id = hold_id(d, family, i),
                                 .task = task_id(d, family, 1 + i % 2),
                                 .call = S("c"),
                                 .binding = S("desk"),
                                 .tool = S("desk_refund"),
                                 .digest = S("digest"),
                                 .args = S("{}"),
                                 .effect = S("transfer"),
                                 .created_ms = 1000,
                                 .expires_ms = INT64_MAX,
                                 .policies = S("[]")};
        store_hold_insert(t, &row);
    }
    must(store_submit(d->s, t, NULL, NULL, &err), &err);
}

static bool on_open_call(void *arg, const struct store_open_call *row)
{
    struct driver *d = arg;
    if (row->id.n != ID_LEN)
        return true;
    memcpy(d->open[d->open_n].s, row->id.p, ID_LEN);
    return ++d->open_n < OPEN_MAX;
}

static void begin(struct driver *d)
{
    struct err err = {0};
    say(d,
        "{\"op\":\"families\",\"gateway\":\"%s\",\"begin\":{\"families\":%lu,"
        "\"calls\":[%d,%d,%d],\"children\":%d,\"holds\":%d}}\n",
        d->gateway, d->families, ROOT_CALLS, TASK_CALLS, TASK_CALLS, CHILDREN_MAX, HOLDS);
    for (unsigned f = 0; f < d->families; f++)
        make_family(d, f);
    store_flush(d->s);
    must(store_read_open_calls(store_view(d->s), on_open_call, d, &err), &err);
}

/* ---- the operations ----
 * Each says what it invokes and puts its steps into t, in an order that the checker's model knows.
 */

/* A step that is a guard, but for the plant that it is the place of. */
static enum store_when guard(const struct driver *d, enum plant p)
{
    return d->plant == p ? STORE_PLAIN : STORE_MUST;
}

static void debit(struct driver *d, struct store_txn *t, str task)
{
    store_step(t, guard(d, PLANT_DEBIT), STORE_TASK_DEBIT, STORE_STR(task), STORE_I64(NOW_MS),
               STORE_I64(0));
}

static void op_intent(struct worker *w, unsigned family, struct store_txn *t)
{
    struct driver *d = w->d;
    int hold = below(d, 3) ? -1 : (int)below(d, HOLDS);
    unsigned task = hold < 0 ? (unsigned)below(d, TASKS) : 1 + (unsigned)hold % 2;
    w->call = id_new('c');
    str call = id_str(&w->call);
    INVOKE(w, "intent", "\"family\":%u,\"task\":%u,\"hold\":%d,\"call\":\"%s\"", family, task, hold,
           w->call.s);
    debit(d, t, task_id(d, family, task));
    if (task)
        debit(d, t, task_id(d, family, 0));
    if (hold >= 0)
        store_step(t, guard(d, PLANT_APPROVAL), STORE_HOLD_CONSUME,
                   STORE_STR(hold_id(d, family, (unsigned)hold)),
                   STORE_STR(task_id(d, family, task)), STORE_STR(S("digest")), STORE_I64(NOW_MS));
    store_open_call_insert(t, &(struct store_open_call){call, task_id(d, family, task), true});
    if (d->plant == PLANT_RETRY)
        debit(d, t, task_id(d, family, task));
    struct record_intent r = {
        .time_ms = NOW_MS,
        .call = call,
        .chain = {.task = task_id(d, family, task), .owner = S("anna"), .agent = S("a")},
        .op = {S("desk"), S("desk_refund"), S("transfer")}};
    store_leaf(t, record_intent(&d->leaf, &r), call, task_id(d, family, task));
}

/* Of a call that is open as far as this process knows. Some are asked for twice: one must lose. */
static void op_outcome(struct worker *w, unsigned family, struct store_txn *t)
{
    struct driver *d = w->d;
    (void)family;
    struct id call = {"c-none"};
    if (d->open_n) {
        size_t i = below(d, d->open_n);
        call = d->open[i];
        if (below(d, 3))
            d->open[i] = d->open[--d->open_n];
    }
    INVOKE(w, "outcome", "\"call\":\"%s\"", call.s);
    store_step(t, guard(d, PLANT_OUTCOME), STORE_OPEN_CALL_DELETE, STORE_STR(id_str(&call)));
}

static void op_decide(struct worker *w, unsigned family, struct store_txn *t)
{
    const char *state = below(w->d, 4) ? "approved" : "denied";
    unsigned hold = (unsigned)below(w->d, HOLDS);
    INVOKE(w, "decide", "\"family\":%u,\"hold\":%u,\"state\":\"%s\"", family, hold, state);
    store_hold_decide(t, hold_id(w->d, family, hold), str_z(state), S("bert"), NOW_MS);
}

static void op_cancel(struct worker *w, unsigned family, struct store_txn *t)
{
    unsigned hold = (unsigned)below(w->d, HOLDS);
    INVOKE(w, "cancel", "\"family\":%u,\"hold\":%u", family, hold);
    store_hold_cancel(t, hold_id(w->d, family, hold), NOW_MS);
}

static void op_child(struct worker *w, unsigned family, struct store_txn *t)
{
    struct id id = id_new('t');
    struct store_task row = task_row(id_str(&id), task_id(w->d, family, 0), 1);
    INVOKE(w, "child", "\"family\":%u", family);
    store_step(t, guard(w->d, PLANT_CHILD), STORE_TASK_CHILD, STORE_STR(task_id(w->d, family, 0)),
               STORE_I64(NOW_MS), STORE_I64(CHILDREN_MAX));
    store_task_insert(t, &row);
}

static void op_close(struct worker *w, unsigned family, struct store_txn *t)
{
    unsigned task = (unsigned)below(w->d, TASKS);
    INVOKE(w, "close", "\"family\":%u,\"task\":%u", family, task);
    store_step(t, guard(w->d, PLANT_CLOSE), STORE_TASK_CLOSE,
               STORE_STR(task_id(w->d, family, task)), STORE_STR(S("completed")), STORE_I64(NOW_MS),
               STORE_NULL);
}

static void op_suspend(struct worker *w, unsigned family, struct store_txn *t)
{
    unsigned task = (unsigned)below(w->d, TASKS);
    INVOKE(w, "suspend", "\"family\":%u,\"task\":%u", family, task);
    store_task_suspend(t, task_id(w->d, family, task), S("test"));
}

static void op_resume(struct worker *w, unsigned family, struct store_txn *t)
{
    unsigned task = (unsigned)below(w->d, TASKS);
    INVOKE(w, "resume", "\"family\":%u,\"task\":%u", family, task);
    store_task_resume(t, task_id(w->d, family, task));
}

typedef void op_fn(struct worker *w, unsigned family, struct store_txn *t);
static const struct {
    op_fn *build;
    unsigned weight;
} OPERATIONS[] = {{op_intent, 50}, {op_outcome, 16}, {op_decide, 6},  {op_cancel, 1},
                  {op_child, 6},   {op_close, 1},    {op_suspend, 2}, {op_resume, 6}};
enum { WEIGHTS = 88, READ_WEIGHT = 12 };

/* ---- reading: at once, on the connection that sees what is committed ---- */

static void read_family(struct worker *w, unsigned family)
{
    struct driver *d = w->d;
    struct store_view *v = store_view(d->s);
    struct arena a = {0};
    struct err err = {0};
    struct store_task task[TASKS];
    struct store_hold hold[HOLDS];
    INVOKE(w, "read", "\"family\":%u", family);
    must(store_view_begin(v, &err), &err);
    for (unsigned i = 0; i < TASKS; i++)
        must(store_read_task(v, &a, task_id(d, family, i), &task[i], &err), &err);
    for (unsigned i = 0; i < HOLDS; i++)
        must(store_read_hold(v, &a, hold_id(d, family, i), &hold[i], &err), &err);
    store_view_end(v);
    say(d,
        "{\"id\":\"%s.%lu\",\"result\":\"ok\",\"left\":[%lld,%lld,%lld],\"children\":%lld,"
        "\"tasks\":[\"%.*s\",\"%.*s\",\"%.*s\"],\"holds\":[\"%.*s\",\"%.*s\",\"%.*s\"],"
        "\"return\":%lld}\n",
        d->gateway, w->op, (long long)task[0].calls_left, (long long)task[1].calls_left,
        (long long)task[2].calls_left, (long long)task[0].children, STR(task[0].state),
        STR(task[1].state), STR(task[2].state), STR(hold[0].state), STR(hold[1].state),
        STR(hold[2].state), (long long)clock_mono_us());
    arena_fini(&a);
}

/* ---- the workers ---- */

static void on_done(void *arg, const struct store_result *r);

static void begin_next(struct worker *w)
{
    struct driver *d = w->d;
    struct err err = {0};
    while (d->begun < d->ops) {
        w->op = d->begun++;
        w->call.s[0] = 0;
        unsigned family = (unsigned)below(d, d->families);
        uint64_t at = below(d, WEIGHTS + READ_WEIGHT);
        if (at >= WEIGHTS) {
            read_family(w, family);
            d->ended++;
            continue;
        }
        size_t i = 0;
        while (at >= OPERATIONS[i].weight)
            at -= OPERATIONS[i++].weight;
        struct store_txn *t = store_txn_new(d->s);
        OPERATIONS[i].build(w, family, t);
        must(store_submit(d->s, t, on_done, w, &err), &err);
        return;
    }
}

static void on_done(void *arg, const struct store_result *r)
{
    static const char *const RESULTS[] = {
        [STORE_FAILED] = "unknown", [STORE_GUARDED] = "refused", [STORE_COMMITTED] = "ok"};
    struct worker *w = arg;
    struct driver *d = w->d;
    say(d, "{\"id\":\"%s.%lu\",\"result\":\"%s\",\"step\":%u,\"return\":%lld}\n", d->gateway, w->op,
        RESULTS[r->outcome], r->step, (long long)clock_mono_us());
    d->ended++;
    if (r->outcome == STORE_FAILED) { /* what is under way ends likewise; nothing more begins */
        d->failed = true;
        d->begun = d->ops;
        return;
    }
    if (r->outcome == STORE_COMMITTED && w->call.s[0] && d->open_n < OPEN_MAX)
        d->open[d->open_n++] = w->call;
    begin_next(w);
}

static void work(struct driver *d)
{
    for (unsigned i = 0; i < d->workers; i++) {
        d->worker[i] = (struct worker){.d = d, .number = i};
        begin_next(&d->worker[i]);
    }
    while (d->ended < d->ops && !d->failed) {
        struct pollfd p = {.fd = store_notify_fd(d->s), .events = POLLIN};
        poll(&p, 1, -1);
        store_collect(d->s);
    }
    /* At the end one snapshot of each family, which nothing can be under way with. */
    for (unsigned f = 0; f < d->families && !d->failed; f++) {
        d->worker[0].op = d->ops + f;
        read_family(&d->worker[0], f);
    }
}

/* ---- the command line ---- */

static bool set(struct driver *d, const char *word)
{
    const struct {
        const char *name;
        unsigned long *value, least, most;
    } numbers[] = {{"seed=", &d->seed, 1, UINT32_MAX},
                   {"ops=", &d->ops, 1, 1000000},
                   {"workers=", &d->workers, 1, WORKERS_MAX},
                   {"families=", &d->families, 1, FAMILIES_MAX},
                   {"fsize=", &d->fsize, 1, INT32_MAX}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        size_t n = strlen(numbers[i].name);
        if (strncmp(word, numbers[i].name, n) != 0)
            continue;
        char *end;
        *numbers[i].value = strtoul(word + n, &end, 10);
        return end > word + n && !*end && *numbers[i].value >= numbers[i].least &&
               *numbers[i].value <= numbers[i].most;
    }
    if (strncmp(word, "gateway=", 8) == 0) {
        d->gateway = word + 8;
        return strspn(d->gateway, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(d->gateway) &&
               strlen(d->gateway) <= 32;
    }
    for (size_t i = 0; i < sizeof PLANTS / sizeof PLANTS[0]; i++)
        if (strncmp(word, "plant=", 6) == 0 && strcmp(word + 6, PLANTS[i]) == 0) {
            d->plant = (enum plant)(i + 1);
            return true;
        }
    return false;
}

static void limit_files(unsigned long bytes)
{
    struct rlimit limit = {bytes, bytes};
    signal(SIGXFSZ, SIG_IGN); /* so that write says EFBIG */
    if (bytes && setrlimit(RLIMIT_FSIZE, &limit) != 0) {
        perror("history_driver: limit the size of files");
        exit(1);
    }
}

int main(int argc, char **argv)
{
    static struct driver d = {.gateway = "a", .seed = 1, .ops = 1000, .workers = 8, .families = 6};
    d.leaf.max = STORE_LEAF_BYTES_MAX;
    bool good = argc >= 3;
    for (int i = 3; good && i < argc; i++)
        good = set(&d, argv[i]);
    if (!good) {
        fprintf(stderr, "usage: history_driver DIR HISTORY [gateway=NAME] [seed=N] [ops=N] "
                        "[workers=N] [families=N] [fsize=BYTES] [plant=WHAT]\n");
        return 2;
    }
    d.random = d.seed * 0x9e3779b97f4a7c15;
    d.history = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (d.history < 0) {
        perror("history_driver: open the history");
        return 1;
    }
    struct err err = {0};
    struct ledger_tree *tree = ledger_tree_new();
    struct store_options opt = {.tree = ledger_tree_ops(tree)};
    int dir = -1;
    must(store_dir_open(argv[1], true, &dir, &err), &err);
    must(store_open(dir, &opt, &d.s, &err), &err);
    name_all(&d);
    begin(&d);
    limit_files(d.fsize);
    work(&d);
    store_close(d.s);
    ledger_tree_free(tree);
    buf_fini(&d.leaf);
    close(dir);
    close(d.history);
    return d.failed ? FAILED_STATUS : 0;
}
