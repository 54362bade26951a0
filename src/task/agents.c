#include "task/agents.h"

#include <stdlib.h>

static const char *const KINDS[] = {"none", "processes", "addresses", "certificates"};
_Static_assert(sizeof KINDS / sizeof KINDS[0] == PLACE_KINDS, "each kind has its name");

str place_kind_name(enum place_kind k)
{
    return str_z(KINDS[k < PLACE_KINDS ? k : PLACE_NONE]);
}

void agents_init(struct agents *as, const struct conf *conf, int64_t now_ms)
{
    *as = (struct agents){.n = conf->agents_n, .window_ms = conf->shared_window_ms};
    as->list = calloc(as->n + 1, sizeof *as->list);
    if (!as->list)
        abort();
    for (size_t i = 0; i < as->n; i++) {
        struct agent *g = &as->list[i];
        g->conf = &conf->agents[i];
        g->assessed = conf_agent_is_assessed(g->conf, now_ms);
        as->suspended += g->conf->suspended;
        map_put(&as->by_name, g->conf->name, g);
    }
}

static void keep(str *to, str s)
{
    char *copy = s.n ? malloc(s.n) : NULL;
    if (s.n && !copy)
        abort();
    if (copy)
        memcpy(copy, s.p, s.n);
    free((void *)(uintptr_t)to->p);
    *to = str_of(copy, copy ? s.n : 0);
}

void agents_fini(struct agents *as)
{
    for (size_t i = 0; i < as->n; i++) {
        keep(&as->list[i].by, (str){0});
        keep(&as->list[i].reason, (str){0});
    }
    free(as->list);
    map_fini(&as->by_name);
    *as = (struct agents){0};
}

struct agent *agents_find(const struct agents *as, str name)
{
    return map_get(&as->by_name, name);
}

bool agent_is_active(const struct agent *g)
{
    return !g->suspended && !g->conf->suspended;
}

bool agents_may(const struct agents *as, str name, struct err *err)
{
    const struct agent *g = agents_find(as, name);
    if (!g)
        return err_denied(err, "there is no agent \"%.*s\" in the configuration",
                          STR(str_take(name, 64)));
    if (g->conf->suspended)
        return err_denied(err, "agent %.*s is suspended in the configuration", STR(g->conf->name));
    if (g->suspended)
        return err_denied(err,
                          "agent %.*s was suspended by %.*s%s%.*s; its owner %.*s can resume it "
                          "(ambit agent resume %.*s)",
                          STR(g->conf->name), STR(g->by), g->reason.n ? ": " : "", STR(g->reason),
                          STR(g->conf->owner), STR(g->conf->name));
    return true;
}

bool agents_may_all(const struct agents *as, const struct task *t, struct err *err)
{
    for (; t; t = t->parent)
        if (!agents_may(as, t->agent, err))
            return false;
    return true;
}

void agents_set(struct agents *as, struct agent *g, bool suspended, str by, str reason,
                int64_t now_ms)
{
    bool before = agent_is_active(g);
    g->suspended = suspended;
    keep(&g->by, by);
    keep(&g->reason, reason);
    g->changed_ms = now_ms;
    as->suspended += (unsigned)before - (unsigned)agent_is_active(g);
    as->changed = true;
}

/* ---- where it is ---- */

static bool is_at(const struct agents *as, const struct agent_place *p, int64_t now_ms)
{
    if (p->kind == PLACE_PROCESS)
        return p->conns > 0;
    return p->kind != PLACE_NONE && now_ms - p->seen_ms < as->window_ms;
}

/* The kind of which it is at two places at once. */
static enum place_kind shared_as(const struct agents *as, const struct agent *g, int64_t now_ms)
{
    unsigned count[PLACE_KINDS] = {0};
    if (g->turns_ms && now_ms - g->turns_ms < as->window_ms)
        return PLACE_PROCESS;
    for (size_t i = 0; i < AGENT_PLACES_MAX; i++)
        if (is_at(as, &g->places[i], now_ms) && ++count[g->places[i].kind] > 1)
            return g->places[i].kind;
    return PLACE_NONE;
}

static void set_shared(struct agents *as, struct agent *g, enum place_kind kind)
{
    bool now = kind != PLACE_NONE;
    as->changed = as->changed || g->shared != now;
    g->shared = now;
    if (now)
        g->shared_as = kind;
}

/* The place itself, else one that is free, else the one not seen for longest. */
static struct agent_place *place_of(const struct agents *as, struct agent *g, enum place_kind kind,
                                    str text, int64_t now_ms)
{
    struct agent_place *best = &g->places[0];
    for (size_t i = 0; i < AGENT_PLACES_MAX; i++) {
        struct agent_place *p = &g->places[i];
        if (p->kind == kind && str_eq(str_z(p->text), text))
            return p;
        bool here = is_at(as, p, now_ms), best_here = is_at(as, best, now_ms);
        if ((!here && best_here) || (here == best_here && p->seen_ms < best->seen_ms))
            best = p;
    }
    *best = (struct agent_place){.kind = kind};
    memcpy(best->text, text.p, text.n);
    return best;
}

bool agents_seen(struct agents *as, struct agent *g, enum place_kind kind, str place,
                 int64_t now_ms)
{
    str text = str_take(place, AGENT_PLACE_BYTES_MAX - 1);
    struct agent_place *p = place_of(as, g, kind, text, now_ms);
    bool is_new = !is_at(as, p, now_ms);
    if (kind == PLACE_PROCESS) {
        bool was_here = p->seen_ms && now_ms - p->seen_ms < as->window_ms;
        if (was_here && g->last_process && g->last_process != p)
            g->turns_ms = now_ms;
        g->last_process = p;
        p->conns++;
    }
    g->seen_ms = p->seen_ms = now_ms;
    if (!is_new)
        return false;
    enum place_kind shared = shared_as(as, g, now_ms);
    set_shared(as, g, shared);
    if (shared == PLACE_NONE || (g->shared_ms && now_ms - g->shared_ms < as->window_ms))
        return false;
    g->shared_ms = now_ms;
    return true;
}

void agents_left(struct agents *as, struct agent *g, str process, int64_t now_ms)
{
    for (size_t i = 0; i < AGENT_PLACES_MAX; i++) {
        struct agent_place *p = &g->places[i];
        if (p->kind == PLACE_PROCESS && p->conns && str_eq(str_z(p->text), process)) {
            p->conns--;
            p->seen_ms = now_ms;
        }
    }
    set_shared(as, g, shared_as(as, g, now_ms));
}

void agents_tick(struct agents *as, int64_t now_ms)
{
    for (size_t i = 0; i < as->n; i++) {
        struct agent *g = &as->list[i];
        bool assessed = conf_agent_is_assessed(g->conf, now_ms);
        as->changed = as->changed || assessed != g->assessed;
        g->assessed = assessed;
        if (g->shared)
            set_shared(as, g, shared_as(as, g, now_ms));
    }
}
