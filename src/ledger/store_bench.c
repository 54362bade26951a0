/* How many durable intents and outcomes a second, and at what cost.
 *
 *     store_bench DIR [pairs]
 *
 * A pair is what one call costs: the transaction of its intent (two debits, open_call, payload, a
 * leaf of about 450 bytes) and that of its outcome. Queue depth is how many calls are in flight.
 * DIR is created and left behind, so that the ledger in it can be verified. Latency is from
 * submission to the result being collected, fsync included. */
#include "base/clock.h"
#include "base/rand.h"
#include "ledger/record.h"
#include "ledger/tree.h"
#include "ledger/verify.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { TASKS = 50, DEPTH_MAX = 1024 };

struct bench;
struct flight {
    struct bench *b;
    struct id call;
    unsigned task;
    int64_t sent_us;
    bool outcome;
};
struct bench {
    struct store *s;
    struct buf leaf;
    struct id root, tasks[TASKS];
    struct flight flights[DEPTH_MAX];
    size_t wanted, begun, ended;
    uint32_t *latency;
    size_t latencies;
    int64_t now_ms;
};

static struct record_chain chain_of(struct bench *b, unsigned task, str parents[1])
{
    parents[0] = id_str(&b->root);
    return (struct record_chain){.task = id_str(&b->tasks[task]),
                                 .parents = parents,
                                 .parents_n = 1,
                                 .owner = S("anna@example.org"),
                                 .agent = S("spiffe://example.org/agent/helpdesk"),
                                 .instance = S("7f3a")};
}

static const struct record_operation OP = {S("helpdesk"), S("helpdesk_refund"), S("transfer")};
#define ARGS                                                                                       \
    S("{\"amount\":\"129.00\",\"currency\":\"EUR\",\"order\":\"A-10023\","                         \
      "\"reason\":\"damaged on arrival, photograph attached to the ticket\"}")

static void on_done(void *arg, const struct store_result *r);

static void must(bool ok, const struct err *err)
{
    if (ok)
        return;
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

static void send_intent(struct flight *f)
{
    struct bench *b = f->b;
    struct err err = {0};
    f->call = id_new('c');
    f->outcome = false;
    f->sent_us = clock_mono_us();
    str parents[1], ids[] = {S("refunds-under-200"), S("set/helpdesk")};
    uint8_t salt[RECORD_SALT_BYTES];
    struct record_commitment c;
    record_commit(ARGS, salt, &c);
    struct record_intent r = {
        .time_ms = b->now_ms,
        .call = id_str(&f->call),
        .chain = chain_of(b, f->task, parents),
        .op = OP,
        .policy = {12, S("47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"), ids, 2},
        .args = record_commitment_str(&c),
        .budget_left = 999};
    struct store_txn *t = store_txn_new(b->s);
    store_task_debit(t, id_str(&b->tasks[f->task]), 0, b->now_ms);
    store_task_debit(t, id_str(&b->root), 0, b->now_ms);
    store_open_call_insert(
        t, &(struct store_open_call){id_str(&f->call), id_str(&b->tasks[f->task]), true});
    store_payload_insert(
        t, STORE_MUST,
        &(struct store_payload){id_str(&f->call), str_of((char *)salt, sizeof salt), ARGS});
    store_leaf(t, record_intent(&b->leaf, &r), id_str(&f->call), id_str(&b->tasks[f->task]));
    must(store_submit(b->s, t, on_done, f, &err), &err);
}

static void send_outcome(struct flight *f)
{
    struct bench *b = f->b;
    struct err err = {0};
    f->outcome = true;
    f->sent_us = clock_mono_us();
    str parents[1];
    struct record_commitment c;
    record_digest(ARGS, &c);
    struct record_outcome r = {.time_ms = b->now_ms,
                               .call = id_str(&f->call),
                               .chain = chain_of(b, f->task, parents),
                               .op = OP,
                               .status = RECORD_OK,
                               .latency_us = 1234,
                               .bytes = 812,
                               .result = record_commitment_str(&c)};
    struct store_txn *t = store_txn_new(b->s);
    store_open_call_delete(t, id_str(&f->call));
    store_leaf(t, record_outcome(&b->leaf, &r), id_str(&f->call), id_str(&b->tasks[f->task]));
    must(store_submit(b->s, t, on_done, f, &err), &err);
}

static void on_done(void *arg, const struct store_result *r)
{
    struct flight *f = arg;
    struct bench *b = f->b;
    if (r->outcome != STORE_COMMITTED) {
        fprintf(stderr, "outcome %d: %s\n", r->outcome, r->err ? r->err->text : "guard");
        exit(1);
    }
    b->latency[b->latencies++] = (uint32_t)(clock_mono_us() - f->sent_us);
    if (!f->outcome) {
        send_outcome(f);
        return;
    }
    b->ended++;
    if (b->begun < b->wanted) {
        b->begun++;
        send_intent(f);
    }
}

static int by_value(const void *x, const void *y)
{
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    return (a > b) - (a < b);
}

static int64_t cpu_us(int who)
{
    struct rusage r;
    getrusage(who, &r);
    return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000L + r.ru_utime.tv_usec +
           r.ru_stime.tv_usec;
}

static void run_depth(struct bench *b, size_t depth, size_t pairs)
{
    struct store_stats before, after;
    store_stats(b->s, &before);
    b->wanted = pairs;
    b->begun = depth < pairs ? depth : pairs;
    b->ended = b->latencies = 0;
    b->latency = calloc(pairs * 2, sizeof *b->latency);
    int64_t cpu = cpu_us(RUSAGE_SELF), main_cpu = cpu_us(RUSAGE_THREAD), t0 = clock_mono_us();
    for (size_t i = 0; i < b->begun; i++) {
        b->flights[i].b = b;
        b->flights[i].task = (unsigned)(i % TASKS);
        send_intent(&b->flights[i]);
    }
    while (b->ended < pairs) {
        struct pollfd p = {.fd = store_notify_fd(b->s), .events = POLLIN};
        poll(&p, 1, -1);
        store_collect(b->s);
    }
    double us = (double)(clock_mono_us() - t0), txns = (double)pairs * 2;
    store_stats(b->s, &after);
    qsort(b->latency, b->latencies, sizeof *b->latency, by_value);
    printf("depth %4zu: %8.0f txns/s  CPU %5.1f us/txn (writer %5.1f, submitter %4.1f)  group "
           "%5.1f  latency p50 %u p99 %u max %u us\n",
           depth, txns / us * 1e6, (double)(cpu_us(RUSAGE_SELF) - cpu) / txns,
           (double)(after.writer_cpu_us - before.writer_cpu_us) / txns,
           (double)(cpu_us(RUSAGE_THREAD) - main_cpu) / txns,
           txns / (double)(after.groups - before.groups), b->latency[b->latencies / 2],
           b->latency[b->latencies * 99 / 100], b->latency[b->latencies - 1]);
    free(b->latency);
}

static void open_tasks(struct bench *b)
{
    struct err err = {0};
    struct store_task row = {.owner = S("anna@example.org"),
                             .agent = S("spiffe://example.org/agent/helpdesk"),
                             .purpose = S("measure"),
                             .grants = S("[\"helpdesk/*\"]"),
                             .opened_ms = b->now_ms,
                             .deadline_ms = b->now_ms + 3600000,
                             .calls_left = 1000000000};
    for (int i = -1; i < TASKS; i++) {
        struct id *id = i < 0 ? &b->root : &b->tasks[i];
        *id = id_new('t');
        row.id = id_str(id);
        row.parent = i < 0 ? (str){0} : id_str(&b->root);
        struct store_txn *t = store_txn_new(b->s);
        store_task_insert(t, &row);
        struct record_task_open open = {
            .time_ms = b->now_ms,
            .chain = {row.id, &row.parent, i >= 0, row.owner, row.agent, S("7f3a")},
            .grants = S("47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"),
            .deadline_ms = row.deadline_ms,
            .calls = row.calls_left,
            .opened_by = row.owner};
        store_leaf(t, record_task_open(&b->leaf, &open), (str){0}, row.id);
        must(store_submit(b->s, t, NULL, NULL, &err), &err);
    }
    store_flush(b->s);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: store_bench DIR [pairs]\n");
        return 2;
    }
    size_t pairs = argc > 2 ? (size_t)atol(argv[2]) : 20000;
    struct err err = {0};
    static struct bench b;
    b.leaf.max = STORE_LEAF_BYTES_MAX;
    b.now_ms = clock_wall_ms();
    struct ledger_tree *tree = ledger_tree_new();
    struct store_options opt = {.tree = ledger_tree_ops(tree)};
    const char *wal = getenv("WAL_PAGES"), *cache = getenv("CACHE_KIB");
    opt.wal_pages_max = wal ? (size_t)atol(wal) : 0;
    opt.cache_kib = cache ? (size_t)atol(cache) : 0;
    int fd = -1;
    must(store_dir_open(argv[1], true, &fd, &err), &err);
    int64_t t0 = clock_mono_us();
    must(store_open(fd, &opt, &b.s, &err), &err);
    printf("open: %.1f ms with %llu leaves\n", (double)(clock_mono_us() - t0) / 1000,
           (unsigned long long)store_size(b.s));
    open_tasks(&b);
    run_depth(&b, 1, pairs / 20);
    run_depth(&b, 16, pairs / 4);
    run_depth(&b, 256, pairs);
    struct store_stats st;
    store_stats(b.s, &st);
    printf("leaves %llu, WAL copied back %llu times\n", (unsigned long long)store_size(b.s),
           (unsigned long long)st.wal_copies);
    struct ledger_report report;
    t0 = clock_mono_us();
    must(ledger_verify(store_view(b.s), &(struct ledger_verify_options){0}, &report, &err), &err);
    printf("verify: %s, %.0f leaves/s\n", report.ok ? "sound" : report.problem,
           (double)report.leaves / (double)(clock_mono_us() - t0) * 1e6);
    store_close(b.s);
    ledger_tree_free(tree);
    buf_fini(&b.leaf);
    close(fd);
    return 0;
}
