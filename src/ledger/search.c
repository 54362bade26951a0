#include "ledger/search.h"
#include "base/clock.h"
#include "base/map.h"

#include <stdlib.h>

/* ---- the question in bytes ---- */

struct search {
    struct buf agent, child, owner, binding, tool; /* members as a leaf spells them; empty: any */
    str from, to;
    struct map calls, holds; /* that matched and are not over */
};

static void spell(struct buf *out, const char *name, str value)
{
    if (!value.n)
        return;
    buf_printf(out, "\"%s\":", name);
    json_write_str(out, value);
}

struct search *search_new(const struct trace_query *q)
{
    struct search *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    str tool;
    str binding = q->system;
    str_cut(q->system, '/', &binding, &tool);
    spell(&s->agent, "agent", q->agent);
    spell(&s->child, "child_agent", q->agent);
    spell(&s->owner, "owner", q->owner);
    spell(&s->binding, "binding", binding);
    spell(&s->tool, "tool", tool);
    s->from = q->from;
    s->to = q->to;
    return s;
}

void search_free(struct search *s)
{
    if (!s)
        return;
    struct buf *bufs[] = {&s->agent, &s->child, &s->owner, &s->binding, &s->tool};
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++)
        buf_fini(bufs[i]);
    map_fini(&s->calls);
    map_fini(&s->holds);
    free(s);
}

/* ---- one leaf ---- */

static bool holds_bytes(str body, str needle)
{
    return !needle.n || memmem(body.p, body.n, needle.p, needle.n) != NULL;
}

/* The text of a member whose values have nothing to escape: types, times, ids. */
static str plain_member(str body, str spelled)
{
    const char *at = memmem(body.p, body.n, spelled.p, spelled.n);
    if (!at)
        return (str){0};
    const char *from = at + spelled.n;
    const char *end = memchr(from, '"', (size_t)(body.p + body.n - from));
    return end ? str_of(from, (size_t)(end - from)) : (str){0};
}

static bool names_it(const struct search *s, str body)
{
    return (holds_bytes(body, buf_str(&s->agent)) ||
            (buf_len(&s->child) && holds_bytes(body, buf_str(&s->child)))) &&
           holds_bytes(body, buf_str(&s->owner)) && holds_bytes(body, buf_str(&s->binding)) &&
           holds_bytes(body, buf_str(&s->tool));
}

/* An intent is followed by its outcome, a hold by the decision on it; both may lack the name. */
static bool follows(struct search *s, str body, bool named)
{
    str type = plain_member(body, S("\"type\":\""));
    bool is_intent = str_eq(type, S("intent")), is_hold = str_eq(type, S("hold_open"));
    bool is_outcome = str_eq(type, S("outcome"));
    bool decides = str_eq(type, S("approval")) || str_eq(type, S("denial"));
    if (named && is_intent)
        map_put(&s->calls, plain_member(body, S("\"call\":\"")), s);
    if (named && is_hold)
        map_put(&s->holds, plain_member(body, S("\"hold\":\"")), s);
    if (is_outcome)
        return map_del(&s->calls, plain_member(body, S("\"call\":\""))) != NULL || named;
    if (!decides)
        return named;
    str hold = plain_member(body, S("\"hold\":\""));
    bool counted = str_eq(plain_member(body, S("\"state\":\"")), S("counted"));
    return (counted ? map_get(&s->holds, hold) : map_del(&s->holds, hold)) != NULL || named;
}

bool search_matches(struct search *s, str body)
{
    if (!follows(s, body, names_it(s, body)))
        return false;
    if (!s->from.n && !s->to.n)
        return true;
    str time = plain_member(body, S("\"time\":\""));
    return (!s->from.n || str_cmp(time, s->from) >= 0) && (!s->to.n || str_cmp(time, s->to) < 0);
}

/* ---- times ---- */

bool search_time(struct arena *a, str given, int64_t now_ms, str *out, struct err *err)
{
    static const char FORM[] = "dddd-dd-ddTdd:dd:dd.ddd";
    char text[CLOCK_TEXT_SIZE];
    int64_t ms;
    str t = given;
    if (clock_parse_duration(given, &ms)) {
        *out = str_dup(a, clock_text(now_ms > ms ? now_ms - ms : 0, text));
        return true;
    }
    if (t.n > 11 && str_ends(t, S("Z")))
        t.n--;
    bool ok = (t.n == 10 || t.n == 16 || t.n == 19 || t.n == 23) &&
              clock_parse_date(str_take(t, 10), &ms);
    for (size_t i = 0; ok && i < t.n; i++)
        ok = FORM[i] == 'd' ? t.p[i] >= '0' && t.p[i] <= '9' : t.p[i] == FORM[i];
    if (!ok)
        return err_input(err,
                         "\"%.*s\" is no time: give a day (2026-11-23), a time in UTC "
                         "(2026-11-23T10:30:00Z) or how long ago (90s, 15m, 8h, 2d)",
                         STR(str_take(given, 40)));
    *out = str_dup(a, t);
    return true;
}

/* ---- counting and keeping the newest ---- */

struct kept {
    uint64_t index;
    struct buf body;
};
struct run {
    struct search *s;
    struct search_result *r;
    struct arena *a, one; /* one: for the leaf at hand */
    struct kept *ring;
    size_t limit;
    struct err *err;
    bool failed;
};

str tally_kind_name(enum tally_kind k)
{
    static const str NAMES[TALLY_KINDS] = {S("type"), S("decision"), S("outcome"), S("system")};
    return (unsigned)k < TALLY_KINDS ? NAMES[k] : NAMES[0];
}

static void count(struct run *g, enum tally_kind kind, str name)
{
    struct search_result *r = g->r;
    if (!name.n)
        return;
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < r->tallies_n; i++)
            if (r->tallies[i].kind == kind && str_eq(r->tallies[i].name, name)) {
                r->tallies[i].n++;
                return;
            }
        if (r->tallies_n < SEARCH_TALLIES_MAX)
            break;
        name = S("others");
    }
    r->tallies[r->tallies_n++] = (struct tally){kind, str_dup(g->a, name), 1};
}

static void tally(struct run *g, const json *leaf)
{
    str type = json_get_str(leaf, S("type")), status = json_get_str(leaf, S("status"));
    count(g, TALLY_TYPE, type);
    count(g, TALLY_DECISION, json_get_str(leaf, S("decision")));
    if (str_eq(type, S("outcome")))
        count(g, TALLY_OUTCOME, status);
    if (str_eq(type, S("intent")) || str_eq(type, S("refusal")))
        count(g, TALLY_SYSTEM, json_get_str(leaf, S("binding")));
}

static bool on_leaf(void *arg, const struct store_leaf_row *row)
{
    struct run *g = arg;
    const json *leaf;
    g->r->read++;
    if (!search_matches(g->s, row->body))
        return true;
    arena_reset(&g->one);
    if (!json_read(&g->one, row->body, NULL, &leaf, g->err)) {
        err_in(g->err, "leaf %llu", (unsigned long long)row->index);
        g->failed = true;
        return false;
    }
    tally(g, leaf);
    struct kept *k = &g->ring[g->r->matched++ % g->limit];
    k->index = row->index;
    buf_clear(&k->body);
    buf_put(&k->body, row->body);
    return true;
}

static bool take_newest(struct run *g)
{
    struct search_result *r = g->r;
    r->n = r->matched < g->limit ? (size_t)r->matched : g->limit;
    r->newest = ARENA_ARRAY(g->a, struct trace_entry, r->n);
    for (size_t i = 0; i < r->n; i++) {
        const struct kept *k = &g->ring[(r->matched - r->n + i) % g->limit];
        if (!trace_entry_read(g->a, k->index, buf_str(&k->body), &r->newest[i], g->err))
            return false;
    }
    return true;
}

static int by_kind(const void *x, const void *y)
{
    const struct tally *a = x, *b = y;
    if (a->kind != b->kind)
        return (a->kind > b->kind) - (a->kind < b->kind);
    if (a->n != b->n)
        return a->n < b->n ? 1 : -1;
    return str_cmp(a->name, b->name);
}

bool trace_search(struct store_view *v, struct arena *a, const struct trace_query *q, size_t limit,
                  struct search_result *out, struct err *err)
{
    struct search_result r = {0};
    struct run g = {.r = &r, .a = a, .limit = limit, .err = err};
    if (limit == 0 || limit > SEARCH_NEWEST_MAX)
        return err_limit(err, "the limit is 1 to %d records", SEARCH_NEWEST_MAX);
    g.s = search_new(q);
    g.ring = calloc(limit, sizeof *g.ring);
    if (!g.ring)
        abort();
    bool ok = store_read_leaves(v, &(struct store_leaf_query){0}, on_leaf, &g, err) && !g.failed &&
              take_newest(&g);
    for (size_t i = 0; i < limit; i++)
        buf_fini(&g.ring[i].body);
    free(g.ring);
    search_free(g.s);
    arena_fini(&g.one);
    if (!ok)
        return false;
    qsort(r.tallies, r.tallies_n, sizeof r.tallies[0], by_kind);
    *out = r;
    return true;
}
