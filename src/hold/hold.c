#include "hold/hold.h"

#include <stdlib.h>

static const char *const STATES[] = {"none", "pending", "approved", "denied",
                                     "used", "expired", "cancelled"};
#define STATES_N (sizeof STATES / sizeof STATES[0])

str hold_state_name(enum hold_state s)
{
    return str_z(STATES[s < STATES_N ? s : HOLD_NONE]);
}

enum hold_state hold_state_parse(str s)
{
    for (unsigned i = 1; i < STATES_N; i++)
        if (str_eq(s, str_z(STATES[i])))
            return (enum hold_state)i;
    return HOLD_NONE;
}

void holds_init(struct holds *hs)
{
    *hs = (struct holds){0};
    list_init(&hs->all);
}

static void free_hold(struct hold *h)
{
    list_remove(&h->node);
    arena_fini(&h->arena);
    free(h);
}

void holds_fini(struct holds *hs)
{
    LIST_EACH(&hs->all, it)
    free_hold(LIST_ENTRY(it, struct hold, node));
    map_fini(&hs->by_id);
}

struct hold *hold_new(void)
{
    struct hold *h = calloc(1, sizeof *h);
    if (!h)
        abort();
    return h;
}

void holds_add(struct holds *hs, struct hold *h)
{
    map_put(&hs->by_id, id_str(&h->id), h);
    list_append(&hs->all, &h->node);
}

void holds_drop(struct holds *hs, struct hold *h)
{
    map_del(&hs->by_id, id_str(&h->id));
    free_hold(h);
}

struct hold *holds_find(const struct holds *hs, str id)
{
    return map_get(&hs->by_id, id);
}

static bool is_live(enum hold_state s)
{
    return s == HOLD_PENDING || s == HOLD_APPROVED;
}

enum hold_state hold_state_at(const struct hold *h, int64_t now_ms)
{
    return is_live(h->state) && now_ms >= h->expires_ms ? HOLD_EXPIRED : h->state;
}

static bool is_of(const struct hold *h, const struct id *task)
{
    return str_eq(id_str(&h->task), id_str(task));
}

struct hold *holds_match(const struct holds *hs, const struct id *task, const struct hash *digest,
                         int64_t now_ms)
{
    struct hold *pending = NULL;
    for (struct list *it = hs->all.next; it != &hs->all; it = it->next) {
        struct hold *h = LIST_ENTRY(it, struct hold, node);
        if (!is_of(h, task) || !hash_eq(&h->digest, digest))
            continue;
        enum hold_state s = hold_state_at(h, now_ms);
        if (s == HOLD_APPROVED)
            return h;
        if (s == HOLD_PENDING)
            pending = h;
    }
    return pending;
}

size_t holds_pending_of(const struct holds *hs, const struct id *task, int64_t now_ms)
{
    size_t n = 0;
    for (struct list *it = hs->all.next; it != &hs->all; it = it->next) {
        const struct hold *h = LIST_ENTRY(it, struct hold, node);
        n += is_of(h, task) && hold_state_at(h, now_ms) == HOLD_PENDING;
    }
    return n;
}

bool hold_usable(const struct hold *h, const struct id *task, const struct hash *digest,
                 int64_t now_ms, struct err *err)
{
    static const char *const why[] = {
        [HOLD_PENDING] = "is not decided yet",
        [HOLD_DENIED] = "was denied",
        [HOLD_USED] = "was used already: an approval is for one call, once",
        [HOLD_EXPIRED] = "has expired",
        [HOLD_CANCELLED] = "was cancelled when its task ended",
    };
    enum hold_state s = hold_state_at(h, now_ms);
    if (!is_of(h, task))
        return err_denied(err, "approval %s belongs to another task", h->id.s);
    if (s != HOLD_APPROVED)
        return err_denied(err, "approval %s %s", h->id.s, s && why[s] ? why[s] : "is not valid");
    if (!hash_eq(&h->digest, digest))
        return err_denied(err,
                          "approval %s is for other arguments: it covers exactly the call "
                          "that the approver saw",
                          h->id.s);
    return true;
}

bool hold_counts(const struct hold *h, str person)
{
    for (size_t i = 0; i < h->approvers_n; i++)
        if (str_eq(h->approvers[i], person))
            return true;
    return false;
}

void holds_sweep(struct holds *hs, int64_t now_ms, int64_t keep_from_ms)
{
    LIST_EACH(&hs->all, it)
    {
        struct hold *h = LIST_ENTRY(it, struct hold, node);
        int64_t ended =
            h->decided_ms > h->expires_ms || !is_live(h->state) ? h->decided_ms : h->expires_ms;
        if (!is_live(hold_state_at(h, now_ms)) && ended < keep_from_ms)
            holds_drop(hs, h);
    }
}
