/* Core's side of the published log: what the publisher does not have yet is read out of the
 * database in slices and sent, then the note of the newest stored checkpoint.
 *
 *     peer comes -> HAVE n -> slices [n, size) -> CHECKPOINT(size) -> PUBLISHED(size)
 *                                   ^                                      |
 *                                   +---- the next checkpoint is stored ---+
 *
 * At most AHEAD_MAX slices are under way, so a slow disk fills no memory; one slice is read each
 * turn of the loop, so that a long log does not hold up calls. */
#include "role/core_int.h"
#include "base/log.h"

enum { AHEAD_MAX = 4, SLICE_LEAVES = 512, SLICE_STEP_MS = 1 };

static void step_later(void *owner)
{
    core_log_step(owner);
}

/* ---- a slice ---- */

struct slice {
    struct buf *out;
    uint64_t next;
};

static bool on_leaf(void *arg, const struct store_leaf_row *row)
{
    struct slice *s = arg;
    if (row->index != s->next || buf_len(s->out) + 2 + row->body.n > LOG_LEAVES_BYTES_MAX)
        return false;
    buf_putc(s->out, (char)(row->body.n >> 8));
    buf_putc(s->out, (char)(row->body.n & 0xff));
    buf_put(s->out, row->body);
    s->next++;
    return true;
}

static bool send_slice(struct core *c, uint64_t to, struct err *err)
{
    struct core_log *l = &c->log;
    struct buf b = {0};
    struct slice s = {.out = &b, .next = l->sent};
    struct store_leaf_query q = {.from = l->sent, .to = to, .limit = SLICE_LEAVES};
    bool ok = store_read_leaves(store_view(c->gate.store), &q, on_leaf, &s, err);
    if (ok && s.next == l->sent)
        ok = err_input(err, "the database has no leaf %llu", (unsigned long long)s.next);
    if (ok) {
        struct msg_log_leaves m = {.first = (int64_t)l->sent, .entries = buf_str(&b)};
        role_send(l->chan, MSG_LOG_LEAVES, 0, &m);
        l->sent = s.next;
        l->under_way++;
    }
    buf_fini(&b);
    return ok;
}

/* ---- what comes next ---- */

static void trouble(struct core_log *l, str why)
{
    if (str_eq(buf_str(&l->problem), why))
        return;
    buf_clear(&l->problem);
    buf_put(&l->problem, why);
    log_error("the log is not published", LOG_STR("why", why));
}

void core_log_step(struct core *c)
{
    struct core_log *l = &c->log;
    struct err err = {0};
    uint64_t size = checkpointer_size(c->checkpointer);
    if (!l->chan || !l->known || l->refused)
        return;
    if (l->sent < size && l->under_way < AHEAD_MAX) {
        if (!send_slice(c, size, &err)) {
            trouble(l, str_z(err.text));
            return;
        }
        if (l->sent < size && !timer_is_armed(&l->step))
            timer_start(&l->step, c->env->loop, SLICE_STEP_MS, step_later, c);
    }
    if (size && l->sent == size && l->noted != size) {
        struct msg_log_checkpoint m = {.size = (int64_t)size,
                                       .note = checkpointer_note(c->checkpointer)};
        role_send(l->chan, MSG_LOG_CHECKPOINT, 0, &m);
        l->noted = size;
    }
}

/* ---- what the publisher says ---- */

static bool on_have(struct core *c, const struct msg_log_have *m, struct err *err)
{
    struct core_log *l = &c->log;
    if (l->known) {
        if (!l->under_way || m->size < 0 || (uint64_t)m->size > l->sent)
            return err_peer(err, "acknowledges leaves that it was not sent");
        l->under_way--;
        return true;
    }
    if (m->size < 0)
        return err_peer(err, "has fewer than no leaves");
    l->known = true;
    l->sent = (uint64_t)m->size;
    if (l->sent > store_size(c->gate.store)) {
        l->refused = true;
        trouble(l, S("the published log holds more leaves than the database. If the database was "
                     "restored from a backup, read docs/ledger.md before anything else; do not "
                     "remove the folder log: it is the only copy of what is missing"));
    }
    return true;
}

static bool on_published(struct core *c, const struct msg_log_published *m, struct err *err)
{
    struct core_log *l = &c->log;
    if (m->size < 0 || (uint64_t)m->size != l->noted)
        return err_peer(err, "published a checkpoint that it was not sent");
    if (m->why.n) {
        l->refused = true;
        trouble(l, m->why);
        return true;
    }
    l->published = (uint64_t)m->size;
    buf_clear(&l->problem);
    return true;
}

void core_log_message(struct core *c, struct chan *chan, uint16_t type, uint64_t id, str payload)
{
    union {
        struct msg_log_have have;
        struct msg_log_published published;
    } m;
    struct err err = {0};
    (void)id;
    bool ok =
        message_unpack(type, payload, &m, &err) &&
        (type == MSG_LOG_HAVE ? on_have(c, &m.have, &err) : on_published(c, &m.published, &err));
    if (ok)
        core_log_step(c);
    else
        role_kill_peer(chan, &err);
}

void core_log_peer(struct core *c, struct chan *chan)
{
    struct core_log *l = &c->log;
    timer_stop(&l->step);
    l->chan = chan;
    l->known = l->refused = false;
    l->sent = l->noted = 0;
    l->under_way = 0;
}
