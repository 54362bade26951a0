/* Tasks in numbers: opened and closed durably, a million of them in memory, and found among them.
 *
 *     tests/bench/tasks/run [--live N] [--seconds N] [--openers N] [--dir DIR]
 *
 * The gate itself over a real store and ledger in DIR (the store's own durable settings: WAL,
 * synchronous=FULL): the same calls that the control door makes, without the socket. */
#include "base/clock.h"
#include "call/request.h"
#include "ledger/tree.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char CONF[] =
    "{\"people\": {\"ann\": {\"roles\": [\"owner\"]}}, \"policies\": [\"x\"],"
    " \"agents\": {\"desk\": {\"owner\": \"ann\", \"bearer\": true, \"assessed\": \"2026-01-01\","
    "   \"assessedFor\": \"3650d\", \"ambit\": [\"shop/*\"]},"
    "  \"other\": {\"owner\": \"ann\", \"bearer\": true, \"assessed\": \"2026-01-01\","
    "   \"assessedFor\": \"3650d\", \"ambit\": [\"shop/*\"]}},"
    " \"listen\": [{\"address\": \"127.0.0.1:1\", \"bearer\": true}],"
    " \"mcpServers\": {\"shop\": {\"url\": \"http://127.0.0.1:1/\", \"operations\": {"
    "   \"find\": {\"effect\": \"read\"}, \"refund\": {\"effect\": \"transfer\"}}}}}";

struct bed {
    struct arena arena;
    struct conf conf;
    struct gate g;
    struct ledger_tree *tree;
    uint64_t opened, closed, under_way;
    int64_t stop_us;
    uint32_t *latency_us;
    size_t latencies, latencies_max;
};

static void must(bool ok, const struct err *err)
{
    if (ok)
        return;
    fprintf(stderr, "bench: %s\n", err->text);
    exit(1);
}

/* ---- a gate without doors ---- */

static bool to_edge(void *ctx, uint32_t edge, enum message_type type, uint64_t id, const void *msg)
{
    return false;
}
static size_t cut(void *ctx, uint64_t seq, str task, uint32_t out[GATE_EDGES_MAX])
{
    return 0;
}
static bool stop_children(void *ctx, uint64_t seq, str task, bool at_once)
{
    return false;
}

static void set_up(struct bed *b, const char *dir)
{
    struct conf_problems p = {0};
    struct buf report = {0};
    struct err err = {0};
    int fd;
    must(conf_read(&b->arena, S("c"), S("/"), str_z(CONF), &b->conf, &p), &err);
    must(store_dir_open(dir, true, &fd, &err), &err);
    b->tree = ledger_tree_new();
    struct store_options o = {.tree = ledger_tree_ops(b->tree)};
    must(store_open(fd, &o, &b->g.store, &err), &err);
    close(fd);
    b->g.conf = &b->conf;
    b->g.scratch.max = STORE_LEAF_BYTES_MAX;
    b->g.out.ctx = b;
    b->g.out.to_edge = to_edge;
    b->g.out.cut = cut;
    b->g.out.stop_children = stop_children;
    holds_init(&b->g.holds);
    must(policy_load(&b->conf, &b->g.policy, &report, &err), &err);
    must(gate_restore(&b->g, &err), &err);
    buf_fini(&report);
}

static struct task *new_task(struct bed *b, const char *agent, const struct task_grant *grants,
                             size_t n)
{
    static const str ops[] = {{"shop/find", 9}, {"shop/refund", 11}};
    struct task_wish w = {.owner = S("ann"),
                          .agent = str_z(agent),
                          .purpose = S("answer a customer about an order"),
                          .operations = ops,
                          .operations_n = n ? 0 : 2,
                          .grants = grants,
                          .grants_n = n,
                          .life_ms = 7LL * 24 * 3600 * 1000};
    struct task *t;
    struct err err = {0};
    must(task_new(&b->conf, &w, clock_wall_ms(), &t, &err), &err);
    return t;
}

/* ---- open and close ---- */

struct turn {
    struct bed *b;
    struct task *task;
    int64_t began_us;
};

static void begin_turn(struct turn *turn);

static void on_closed(void *arg, const struct store_result *r)
{
    struct turn *turn = arg;
    struct bed *b = turn->b;
    if (r->outcome != STORE_COMMITTED)
        abort();
    b->closed++;
    if (b->latencies < b->latencies_max)
        b->latency_us[b->latencies++] = (uint32_t)(clock_mono_us() - turn->began_us);
    begin_turn(turn);
}

static void on_opened(void *arg, struct task *t, str why)
{
    struct turn *turn = arg;
    if (!t)
        abort();
    turn->b->opened++;
    gate_close_task(&turn->b->g, t, TASK_COMPLETED, S("done"), S("ann"), on_closed, turn);
}

static void begin_turn(struct turn *turn)
{
    struct bed *b = turn->b;
    turn->began_us = clock_mono_us();
    if (turn->began_us >= b->stop_us) {
        b->under_way--;
        return;
    }
    gate_open_task(&b->g, new_task(b, "other", NULL, 0), on_opened, turn);
}

static int by_number(const void *x, const void *y)
{
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    return (a > b) - (a < b);
}

static void open_and_close(struct bed *b, unsigned openers, unsigned seconds, const char *among)
{
    struct turn *turns = calloc(openers, sizeof *turns);
    struct store_stats before, after;
    b->opened = b->closed = b->latencies = 0;
    int64_t began = clock_mono_us();
    b->stop_us = began + (int64_t)seconds * 1000000;
    b->under_way = openers;
    store_stats(b->g.store, &before);
    for (unsigned i = 0; i < openers; i++) {
        turns[i].b = b;
        begin_turn(&turns[i]);
    }
    while (b->under_way) {
        struct pollfd p = {.fd = store_notify_fd(b->g.store), .events = POLLIN};
        if (poll(&p, 1, -1) > 0)
            store_collect(b->g.store);
    }
    store_stats(b->g.store, &after);
    double s = (double)(clock_mono_us() - began) / 1e6;
    qsort(b->latency_us, b->latencies, sizeof *b->latency_us, by_number);
    size_t n = b->latencies ? b->latencies : 1;
    printf("open + close, durable, %u openers%s: %.0f/s (p50 %.1f ms, p99 %.1f ms; both commits)\n",
           openers, among, (double)b->closed / s, b->latency_us[n / 2] / 1e3,
           b->latency_us[n * 99 / 100] / 1e3);
    tasks_sweep(&b->g.tasks, INT64_MAX);
    free(turns);
}

/* ---- many ---- */

static size_t rss_kib(void)
{
    char line[256];
    size_t kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmRSS: %zu", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib;
}

static void fill(struct bed *b, size_t n)
{
    size_t before = rss_kib();
    int64_t began = clock_mono_us();
    for (size_t i = 0; i < n; i++)
        tasks_add(&b->g.tasks, new_task(b, "desk", NULL, 0));
    double s = (double)(clock_mono_us() - began) / 1e6;
    printf("%zu live tasks: %zu bytes each (%.0f MB), made in %.2f s\n", n,
           (rss_kib() - before) * 1024 / (n ? n : 1), (double)(rss_kib() - before) / 1024, s);
}

/* Each with a bound of its own, so that none is shared: one order each. */
static void fill_bounded(struct bed *b, size_t n)
{
    size_t before = rss_kib();
    for (size_t i = 0; i < n; i++) {
        ARENA_SCOPE struct arena a = {0};
        const json *v;
        struct task_grant *grants;
        size_t k;
        struct err err = {0};
        str text = str_fmt(&a,
                           "[\"shop/find\",{\"operation\":\"shop/refund\",\"args\":{\"order\":{"
                           "\"equals\":\"A-%zu\"},\"amount\":{\"max\":5000}}}]",
                           i);
        must(json_read(&a, text, NULL, &v, &err) && grants_read(&a, v, &grants, &k, &err), &err);
        tasks_add(&b->g.tasks, new_task(b, "desk", grants, k));
    }
    printf("%zu live tasks with bounds of their own: %zu bytes each\n", n,
           (rss_kib() - before) * 1024 / (n ? n : 1));
}

static void look(struct bed *b, size_t n)
{
    enum { TIMES = 100000 };
    size_t count;
    int64_t now = clock_wall_ms();
    struct task *t = new_task(b, "other", NULL, 0);
    tasks_add(&b->g.tasks, t);
    int64_t began = clock_mono_us();
    for (int i = 0; i < TIMES; i++)
        if (tasks_only_of(&b->g.tasks, S("other"), now, &count) != t)
            abort();
    double only = (double)(clock_mono_us() - began) * 1000 / TIMES;
    began = clock_mono_us();
    for (int i = 0; i < TIMES; i++)
        if (tasks_only_of(&b->g.tasks, S("desk"), now, &count) || count != 2)
            abort();
    double many = (double)(clock_mono_us() - began) * 1000 / TIMES;
    began = clock_mono_us();
    for (int i = 0; i < 100; i++)
        gate_tick(&b->g, now);
    printf(
        "among %zu: the only task of an agent in %.0f ns, one of many refused in %.0f ns, a tick "
        "in %.1f us\n",
        n, only, many, (double)(clock_mono_us() - began) / 100);
}

int main(int argc, char **argv)
{
    size_t live = 1000000;
    unsigned seconds = 3, openers = 64;
    const char *dir = NULL;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--live") == 0)
            live = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seconds") == 0)
            seconds = (unsigned)atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--openers") == 0)
            openers = (unsigned)atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--dir") == 0)
            dir = argv[i + 1];
    }
    if (!dir) {
        fprintf(stderr, "usage: task_bench --dir DIR [--live N] [--seconds N] [--openers N]\n");
        return 2;
    }
    struct bed b = {.latencies_max = 1 << 20};
    b.latency_us = calloc(b.latencies_max, sizeof *b.latency_us);
    set_up(&b, dir);
    open_and_close(&b, 1, seconds, "");
    open_and_close(&b, openers, seconds, "");
    fill(&b, live);
    look(&b, live);
    open_and_close(&b, openers, seconds, ", among them");
    fill_bounded(&b, live / 10);
    store_close(b.g.store);
    fflush(stdout);
    _exit(0); /* the rest goes with the process */
}
