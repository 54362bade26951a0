/* No chain ever widens: random trees of delegation against an oracle of its own.
 *
 * The oracle shares nothing with the code under test but the wish: it keeps, for every task, its
 * own note of what was asked for (operations, bounds, numbers) and answers "would this call be let
 * through here?" by its own arithmetic, on calls drawn at random and at the edges of the bounds.
 * Whatever a leaf lets through, every task above it must let through too, in the oracle's eyes and
 * in task_admits'; and a child that the oracle finds wider, by a call that proves it, must have
 * been refused. TREES sets how many trees (100,000; fewer under a sanitizer). */
#include "base/limits.h"
#include "task/task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const char CONF[] =
    "{\"people\": {\"ann\": {\"roles\": [\"owner\"]}}, \"policies\": [\"x\"], \"agents\": {"
#define AGENT(n)                                                                                   \
    "\"" n "\": {\"owner\": \"ann\", \"bearer\": true, \"assessed\": \"2026-01-01\","              \
    " \"ambit\": [\"s/*\"], \"delegates\": [\"a\",\"b\",\"c\",\"d\",\"e\",\"f\"]}"
    AGENT("a") "," AGENT("b") "," AGENT("c") "," AGENT("d") "," AGENT("e") "," AGENT(
        "f") "},"
             " \"mcpServers\": {\"s\": {\"url\": \"http://127.0.0.1:1/\", \"operations\": {"
             "   \"o0\": {\"effect\": \"read\", \"label\": {\"confidentiality\": \"public\"}},"
             "   \"o1\": {\"effect\": \"read\", \"label\": {\"confidentiality\": \"internal\", "
             "\"categories\": [\"pii\"]}},"
             "   \"o2\": {\"effect\": \"transfer\", \"amount\": {\"arg\": \"n\", \"currency\": "
             "\"EUR\"}},"
             "   \"o3\": {\"effect\": \"write\"}}}}}";
enum { OPS = 4, TASKS_MAX = 10, DEPTH_SEEN = 8 };

static struct arena conf_arena;
static struct conf conf;

/* ---- the oracle's notes: plain numbers, and texts as what they are made of ---- */

/* Argument n: a number. Argument p: a path of segments from {a, b, ab}, up to three. */
struct note_bound {
    bool has_n, n_optional, has_min, has_max;
    int min, max;    /* tenths */
    unsigned values; /* bit i: the number i is allowed; 0: any */
    bool has_p, p_optional;
    char prefix[16]; /* "": any */
    int length;      /* -1: any */
};
struct note {
    int parent;
    bool granted[OPS];
    struct note_bound bound[OPS];
    int level;
    unsigned categories;
    int64_t deadline, calls, rows, bytes, money; /* -1: none */
    int levels, children;
    char agent;
};

struct probe {
    int op;
    bool has_n, has_p;
    int n; /* tenths */
    char p[24];
};

static bool under(const char *p, const char *prefix)
{
    size_t k = strlen(prefix);
    if (!k)
        return true;
    return strncmp(p, prefix, k) == 0 && (p[k] == 0 || p[k] == '/');
}

/* The oracle's own verdict. */
static bool lets(const struct note *t, const struct probe *c)
{
    static const int label_level[OPS] = {1, 2, 4, 4};
    static const unsigned label_cats[OPS] = {0, 1, 15, 15};
    const struct note_bound *b = &t->bound[c->op];
    if (!t->granted[c->op] || label_level[c->op] > t->level || (label_cats[c->op] & ~t->categories))
        return false;
    if (b->has_n && !c->has_n && !b->n_optional)
        return false;
    if (b->has_n && c->has_n) {
        if (b->values &&
            (c->n % 10 || c->n < 0 || c->n / 10 > 30 || !(b->values >> (c->n / 10) & 1)))
            return false;
        if ((b->has_min && c->n < b->min) || (b->has_max && c->n > b->max))
            return false;
    }
    if (b->has_p && !c->has_p && !b->p_optional)
        return false;
    if (b->has_p && c->has_p) {
        if (!under(c->p, b->prefix) || (b->length >= 0 && (int)strlen(c->p) > b->length))
            return false;
    }
    if (t->money >= 0 && c->op == 2) /* o2 costs n, in whole units */
        return c->has_n && c->n >= 0 && c->n % 10 == 0 && c->n / 10 <= t->money;
    return true;
}

/* ---- drawing ---- */

static uint64_t dice_state;
static unsigned dice(unsigned n)
{
    dice_state ^= dice_state << 13;
    dice_state ^= dice_state >> 7;
    dice_state ^= dice_state << 17;
    return (unsigned)(dice_state >> 33) % n;
}

static void draw_path(char *to, size_t room, unsigned segments)
{
    static const char *const parts[] = {"/a", "/b", "/ab"};
    size_t n = 0;
    to[0] = 0;
    for (unsigned i = 0; i < segments; i++)
        n += (size_t)snprintf(to + n, room - n, "%s", parts[dice(3)]);
    assert_true(n < room);
}

/* A bound; often one near the parent's, so that both narrower and wider ones come up. */
static void draw_bound(struct note_bound *b, const struct note_bound *near)
{
    *b = near && dice(4) ? *near : (struct note_bound){.length = -1};
    switch (dice(7)) {
    case 0:
        b->has_n = true;
        b->has_max = true;
        b->max = (int)dice(300) - 20;
        break;
    case 1:
        b->has_n = true;
        b->has_min = true;
        b->min = (int)dice(100) - 50;
        break;
    case 2:
        b->has_n = true;
        b->values = 1u << dice(31) | 1u << dice(31) | 1u << dice(8);
        break;
    case 3:
        b->has_p = true;
        draw_path(b->prefix, sizeof b->prefix, 1 + dice(2));
        break;
    case 4:
        b->has_p = true;
        b->length = (int)dice(8);
        break;
    case 5:
        b->n_optional = dice(2);
        b->p_optional = dice(2);
        break;
    default:
        break;
    }
    if (b->has_min && b->has_max && b->min > b->max)
        b->min = b->max;
}

static int64_t draw_number(int64_t parent, int64_t most)
{
    if (parent < 0)
        return dice(2) ? -1 : 1 + (int64_t)dice((unsigned)most);
    return dice(3) ? 1 + (int64_t)dice((unsigned)(parent < 1 ? 1 : parent + 2)) : parent;
}

/* Anything: mostly wider than what is above it somewhere. */
static void draw_wild(struct note *t, const struct note *p)
{
    for (int i = 0; i < OPS; i++) {
        t->granted[i] = p ? (p->granted[i] ? dice(4) != 0 : dice(12) == 0) : dice(4) != 0;
        draw_bound(&t->bound[i], p ? &p->bound[i] : NULL);
    }
    t->granted[dice(OPS)] = true;
    t->level = p && dice(4) ? p->level : 2 + (int)dice(3);
    t->categories = p && dice(4) ? p->categories : dice(16) | dice(16);
    t->deadline = p ? draw_number(p->deadline, 5000) : 4000 + (int64_t)dice(1000);
    t->calls = p ? draw_number(p->calls, 50) : 20 + (int64_t)dice(50);
    t->rows = draw_number(p ? p->rows : -1, 50);
    t->bytes = draw_number(p ? p->bytes : -1, 5000);
    t->money = draw_number(p ? p->money : -1, 40);
    t->levels = p && dice(3) ? p->levels - 1 : 2 + (int)dice(DEPTH_SEEN - 2);
    t->children = p && dice(3) ? p->children : 1 + (int)dice(6);
    t->agent = (char)('a' + dice(6));
}

/* Somewhat less than the parent, which it may well be given. */
static void draw_narrow(struct note *t, const struct note *p, int depth)
{
    *t = *p;
    for (int i = 0; i < OPS; i++) {
        t->granted[i] = p->granted[i] && dice(5);
        struct note_bound extra, *b = &t->bound[i];
        draw_bound(&extra, dice(2) ? b : NULL);
        if (dice(3) == 0 && (!b->has_n || dice(4) == 0)) {
            extra.has_p = b->has_p, extra.p_optional = b->p_optional, extra.length = b->length;
            memcpy(extra.prefix, b->prefix, sizeof extra.prefix);
            *b = extra;
        } else if (dice(3) == 0 && b->prefix[0] && strlen(b->prefix) < 8) {
            size_t n = strlen(b->prefix);
            snprintf(b->prefix + n, sizeof b->prefix - n, "%s", dice(2) ? "/a" : "/ab");
        }
    }
    int first = 0;
    while (first < OPS - 1 && !p->granted[first])
        first++;
    t->granted[first] = true;
    t->level = dice(4) ? p->level : 1 + (int)dice((unsigned)p->level);
    t->categories = dice(3) ? p->categories : p->categories & dice(16);
    t->deadline = 1 + (int64_t)dice((unsigned)p->deadline);
    t->calls = 1 + (int64_t)dice((unsigned)p->calls);
    t->rows = p->rows > 0 && dice(2) ? 1 + (int64_t)dice((unsigned)p->rows) : p->rows;
    t->money = p->money > 0 && dice(2) ? 1 + (int64_t)dice((unsigned)p->money) : p->money;
    t->levels = p->levels - 1;
    t->agent = (char)('a' + depth % 6);
}

static void draw(struct note *t, const struct note *p, int depth)
{
    if (p && dice(5))
        draw_narrow(t, p, depth);
    else
        draw_wild(t, p);
    if (!p)
        t->agent = 'a';
}

/* ---- the wish, as JSON: the way that every real one takes ---- */

static void put_bound(struct buf *b, const struct note_bound *n)
{
    const char *between = "";
    buf_put(b, S("{"));
    if (n->has_n) {
        buf_printf(b, "\"n\":{\"optional\":%s", n->n_optional ? "true" : "false");
        if (n->has_min)
            buf_printf(b, ",\"min\":%s%d.%d", n->min < 0 ? "-" : "", abs(n->min) / 10,
                       abs(n->min) % 10);
        if (n->has_max)
            buf_printf(b, ",\"max\":%s%d.%d", n->max < 0 ? "-" : "", abs(n->max) / 10,
                       abs(n->max) % 10);
        for (int i = 0, first = 1; n->values && i < 31; i++)
            if (n->values >> i & 1) {
                buf_printf(b, "%s%d", first ? ",\"oneOf\":[" : ",", i);
                first = 0;
            }
        buf_put(b, n->values ? S("]}") : S("}"));
        between = ",";
    }
    if (n->has_p) {
        buf_printf(b, "%s\"p\":{\"optional\":%s", between, n->p_optional ? "true" : "false");
        if (n->prefix[0])
            buf_printf(b, ",\"prefix\":\"%s\"", n->prefix);
        if (n->length >= 0)
            buf_printf(b, ",\"maxLength\":%d", n->length);
        buf_putc(b, '}');
    }
    buf_put(b, S("}"));
}

static void put_wish(struct buf *b, const struct note *t)
{
    static const char *const levels[] = {"", "public", "internal", "confidential", "restricted"};
    static const char *const cats[] = {"\"pii\"", "\"payment\"", "\"credential\"", "\"own\""};
    const char *between = "";
    buf_put(b, S("{\"operations\":["));
    for (int i = 0; i < OPS; i++)
        if (t->granted[i]) {
            buf_printf(b, "%s{\"operation\":\"s/o%d\",\"args\":", between, i);
            put_bound(b, &t->bound[i]);
            buf_putc(b, '}');
            between = ",";
        }
    buf_printf(b, "],\"ceiling\":{\"confidentiality\":\"%s\",\"categories\":[", levels[t->level]);
    between = "";
    for (int i = 0; i < 4; i++)
        if (t->categories >> i & 1) {
            buf_printf(b, "%s%s", between, cats[i]);
            between = ",";
        }
    buf_printf(b, "]},\"delegation\":{\"depth\":%d,\"children\":%d},\"budgets\":{\"calls\":%lld",
               t->levels < 0   ? 0
               : t->levels > 8 ? 8
                               : t->levels,
               t->children, (long long)t->calls);
    if (t->rows >= 0)
        buf_printf(b, ",\"rows\":%lld", (long long)t->rows);
    if (t->bytes >= 0)
        buf_printf(b, ",\"bytes\":%lld", (long long)t->bytes);
    if (t->money >= 0)
        buf_printf(b, ",\"money\":{\"currency\":\"EUR\",\"minor\":%lld}", (long long)t->money);
    buf_put(b, S("}}"));
}

static struct task *open_it(const struct note *t, struct task *parent, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    struct buf b = {0};
    const json *v;
    char agent = t->agent;
    struct task_wish w = {.owner = S("ann"),
                          .agent = str_of(&agent, 1),
                          .purpose = S("p"),
                          .life_ms = t->deadline,
                          .parent = parent};
    struct task *made = NULL;
    put_wish(&b, t);
    if (!json_read(&a, buf_str(&b), NULL, &v, err) || !task_wish_read(&a, v, &w, err))
        fail_msg("%.*s: %s", STR(buf_str(&b)), err->text);
    buf_fini(&b);
    return task_new(&conf, &w, 1000, &made, err) ? made : NULL;
}

/* ---- the property ---- */

static void draw_probe(struct probe *c, const struct note *t)
{
    int op = (int)dice(OPS);
    while (!t->granted[op] && dice(8))
        op = (int)dice(OPS);
    *c = (struct probe){.op = op, .has_n = dice(6) != 0, .has_p = dice(6) != 0};
    const struct note_bound *b = &t->bound[c->op];
    switch (dice(4)) {
    case 0:
        c->n = b->has_max ? b->max : (int)dice(400) - 50;
        break;
    case 1:
        c->n = b->has_min ? b->min : (int)dice(40) * 10;
        break;
    case 2:
        c->n = (int)dice(31) * 10;
        break;
    default:
        c->n = (int)dice(400) - 50;
    }
    draw_path(c->p, sizeof c->p, 1 + dice(3));
    if (b->prefix[0] && dice(2)) {
        char rest[16];
        draw_path(rest, sizeof rest, dice(2));
        snprintf(c->p, sizeof c->p, "%s%s", b->prefix, rest);
    }
}

static bool real_lets(const struct task *t, const struct probe *c)
{
    static const char *const names[] = {"s/o0", "s/o1", "s/o2", "s/o3"};
    ARENA_SCOPE struct arena a = {0};
    struct task_cost cost;
    struct err err;
    const json *args;
    char text[96];
    int at = snprintf(text, sizeof text, "{");
    if (c->has_n)
        at += snprintf(text + at, sizeof text - (size_t)at,
                       c->n % 10 ? "\"n\":%s%d.%d" : "\"n\":%s%d", c->n < 0 ? "-" : "",
                       abs(c->n) / 10, abs(c->n) % 10);
    if (c->has_p)
        at += snprintf(text + at, sizeof text - (size_t)at, "%s\"p\":\"%s\"", c->has_n ? "," : "",
                       c->p);
    snprintf(text + at, sizeof text - (size_t)at, "}");
    if (!json_read(&a, str_z(text), NULL, &args, &err))
        fail_msg("%s", text);
    const struct conf_binding *s = conf_binding(&conf, S("s"));
    str name = str_z(names[c->op]);
    return task_grants(t, name) &&
           task_admits(t, conf_operation(s, str_skip(name, 2)), name, args, &cost, &err);
}

/* What numbers say without any call: is the child more than the parent? */
static bool numbers_wider(const struct note *c, const struct note *p)
{
    return c->deadline > p->deadline || c->calls > p->calls ||
           (p->rows >= 0 && c->rows > p->rows) || (p->bytes >= 0 && c->bytes > p->bytes) ||
           (p->money >= 0 && c->money > p->money) || c->children > p->children;
}

/* What was not said is the parent's. */
static void inherit(struct note *c, const struct note *p)
{
    for (int i = 0; i < OPS; i++)
        if (c->granted[i] && p->granted[i] && !c->bound[i].has_n && !c->bound[i].has_p)
            c->bound[i] = p->bound[i];
    if (c->rows < 0)
        c->rows = p->rows;
    if (c->bytes < 0)
        c->bytes = p->bytes;
    if (c->money < 0)
        c->money = p->money;
}

static unsigned made, refused, probes, proved;

/* By what stands in the notes of those above it. */
static void check_place(const struct note *notes, const struct note *t)
{
    int depth = 0;
    for (int at = t->parent; at >= 0; at = notes[at].parent, depth++) {
        if (numbers_wider(t, &notes[at]))
            fail_msg("a number is wider than above");
        if (notes[at].agent == t->agent)
            fail_msg("agent %c twice in a chain", t->agent);
        if (depth + 1 > notes[at].levels)
            fail_msg("deeper than was allowed");
    }
    if (depth >= TASK_DEPTH_MAX)
        fail_msg("too deep");
}

static void check_calls(const struct note *notes, struct task *const *tasks, const struct note *t,
                        const struct task *task)
{
    for (int k = 0; k < 10; k++) {
        struct probe c;
        draw_probe(&c, t);
        bool here = lets(t, &c);
        probes++;
        if (real_lets(task, &c) != here)
            fail_msg("the task and the oracle disagree: op %d n %d p %s", c.op, c.n, c.p);
        for (int at = t->parent; here && at >= 0; at = notes[at].parent) {
            proved++;
            if (!lets(&notes[at], &c))
                fail_msg("a chain widened: op %d n %d (%d) p %s (%d)", c.op, c.n, c.has_n, c.p,
                         c.has_p);
            if (!real_lets(tasks[at], &c))
                fail_msg("a parent refuses what its child allows");
        }
    }
}

static void one_tree(void)
{
    struct tasks ts = {0};
    struct note notes[TASKS_MAX];
    struct task *tasks[TASKS_MAX];
    int n = 0;
    unsigned size = 2 + dice(TASKS_MAX - 2);
    for (unsigned i = 0; i < size; i++) {
        int up = n ? (int)dice((unsigned)n) : -1;
        if (up >= 0 && dice(2))
            up = n - 1; /* deep as well as wide */
        struct note t = {0};
        struct err err;
        draw(&t, up >= 0 ? &notes[up] : NULL, up >= 0 ? tasks[up]->depth + 1 : 0);
        t.parent = up;
        struct task *task = open_it(&t, up >= 0 ? tasks[up] : NULL, &err);
        if (up >= 0)
            inherit(&t, &notes[up]);
        if (!task) {
            refused++;
            continue;
        }
        made++;
        tasks_add(&ts, task);
        check_place(notes, &t);
        notes[n] = t;
        tasks[n++] = task;
        check_calls(notes, tasks, &t, task);
    }
    tasks_fini(&ts);
}

static void test_no_chain_widens(void **state)
{
    const char *env = getenv("TREES");
#if defined(__SANITIZE_ADDRESS__)
    long trees = env ? atol(env) : 20000;
#else
    long trees = env ? atol(env) : 100000;
#endif
    dice_state = 0x9e3779b97f4a7c15u;
    for (long i = 0; i < trees; i++)
        one_tree();
    print_message("%ld trees: %u tasks, %u refused, %u calls tried, %u held against ancestors\n",
                  trees, made, refused, probes, proved);
    assert_true(made > (unsigned)trees && refused > (unsigned)trees && proved > (unsigned)trees);
}

static int setup(void **state)
{
    struct conf_problems p = {0};
    return conf_read(&conf_arena, S("c"), S("/"), str_z(CONF), &conf, &p) ? 0 : -1;
}

static int teardown(void **state)
{
    arena_fini(&conf_arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_chain_widens)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
