#include "ledger/checkpoint.h"
#include "crypto/note.h"
#include "ledger/tree.h"

#include <stdlib.h>

enum state {
    IDLE,
    ASKED /* the signer has the text */,
    STORING /* the note is on its way to the disk */
};

struct checkpointer {
    struct store *s;
    struct arena memory;
    str origin;
    enum state state;
    uint64_t stored;
    int64_t last_ms; /* monotonic: when the last one was begun */
    struct checkpoint asked;
    struct buf text, coming; /* what was asked for, and its note on the way to the disk */
    struct buf note;         /* the last that is stored */
    struct err problem;
};

/* ---- life ---- */

bool checkpointer_new(struct store *s, str origin, struct checkpointer **out, struct err *err)
{
    if (!note_name_is_valid(origin))
        return err_input(err, "the ledger's origin \"%.*s\" may not hold white space or '+'",
                         STR(str_take(origin, 100)));
    struct checkpointer *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    p->s = s;
    p->origin = str_dup(&p->memory, origin);
    p->text.max = p->coming.max = p->note.max = CHECKPOINT_NOTE_BYTES_MAX;
    p->last_ms = INT64_MIN / 2;

    ARENA_SCOPE struct arena a = {0};
    struct store_checkpoint last = {0};
    bool ok = store_read_checkpoint_last(store_view(s), &a, &last, err);
    if (ok) {
        p->stored = (uint64_t)last.size;
        buf_put(&p->note, last.note);
    } else {
        ok = err->kind == ERR_NOTFOUND;
    }
    if (!ok) {
        checkpointer_free(p);
        return false;
    }
    *out = p;
    return true;
}

void checkpointer_free(struct checkpointer *p)
{
    if (!p)
        return;
    arena_fini(&p->memory);
    buf_fini(&p->text);
    buf_fini(&p->coming);
    buf_fini(&p->note);
    free(p);
}

uint64_t checkpointer_size(const struct checkpointer *p)
{
    return p->stored;
}

str checkpointer_note(const struct checkpointer *p)
{
    return buf_str(&p->note);
}

str checkpointer_problem(const struct checkpointer *p)
{
    return p->problem.kind ? str_z(p->problem.text) : (str){0};
}

/* ---- one checkpoint ---- */

int64_t checkpointer_wait_ms(struct checkpointer *p, int64_t mono_ms)
{
    uint64_t size = store_size(p->s);
    if (p->state != IDLE || size <= p->stored)
        return -1;
    int64_t rest =
        size - p->stored >= CHECKPOINT_BUSY_LEAVES ? CHECKPOINT_BUSY_MS : CHECKPOINT_IDLE_MS;
    int64_t since = mono_ms - p->last_ms;
    return since >= rest ? 0 : rest - since;
}

bool checkpointer_begin(struct checkpointer *p, int64_t mono_ms, struct buf *out_text,
                        struct err *err)
{
    if (p->state != IDLE)
        return err_input(err, "checkpoint: one is under way");
    struct checkpoint c = {.origin = p->origin};
    if (!ledger_root(store_view(p->s), &c.size, c.root.b, err))
        return false;
    buf_clear(&p->text);
    if (!checkpoint_write(&c, &p->text, err))
        return false;
    buf_put(out_text, buf_str(&p->text));
    p->asked = c;
    p->state = ASKED;
    p->last_ms = mono_ms;
    return true;
}

void checkpointer_cancel(struct checkpointer *p, int64_t mono_ms)
{
    if (p->state != ASKED)
        return;
    p->state = IDLE;
    p->last_ms = mono_ms;
}

static void on_stored(void *arg, const struct store_result *r)
{
    struct checkpointer *p = arg;
    p->state = IDLE;
    p->problem = (struct err){0};
    if (r->outcome == STORE_FAILED)
        p->problem = *r->err;
    else if (r->outcome == STORE_GUARDED)
        err_input(&p->problem, "checkpoint: one of that size or a larger one is stored already");
    if (r->outcome == STORE_COMMITTED) {
        p->stored = p->asked.size;
        buf_clear(&p->note);
        buf_put(&p->note, buf_str(&p->coming));
    }
}

bool checkpointer_finish(struct checkpointer *p, str note, int64_t wall_ms, struct err *err)
{
    if (p->state != ASKED)
        return err_input(err, "checkpoint: none was asked for");
    ARENA_SCOPE struct arena a = {0};
    struct note parsed;
    if (note.n > CHECKPOINT_NOTE_BYTES_MAX)
        return err_peer(err, "checkpoint: the signed note is too long");
    if (!note_parse(&a, note, &parsed, err))
        return err_peer(err, "checkpoint: what the signer returned is no signed note");
    if (parsed.n == 0 || !str_eq(parsed.text, buf_str(&p->text)))
        return err_peer(err, "checkpoint: the signer signed another text");
    buf_clear(&p->coming);
    buf_put(&p->coming, note);
    struct store_txn *t = store_txn_new(p->s);
    struct store_checkpoint row = {.size = (int64_t)p->asked.size,
                                   .root = hash_str(&p->asked.root),
                                   .note = note,
                                   .at_ms = wall_ms};
    store_checkpoint_insert(t, &row);
    if (!store_submit(p->s, t, on_stored, p, err))
        return false;
    p->state = STORING;
    return true;
}
