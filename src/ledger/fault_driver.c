/* A gateway's use of its store, to be killed, to be given errors and to have its power cut; and the
 * judge of what is left (tests/fault).
 *
 *     fault_driver run DIR SAID FORWARDED CALLS [CLOCK [early]]
 *     fault_driver check DIR SAID FORWARDED [UNTIL]
 *
 * run opens the store in DIR, recovers it, and makes CALLS calls, SLOTS at a time: tasks with a
 * budget that runs out, approvals that two calls want at once, outcomes, signed checkpoints. Each
 * result that the store called COMMITTED is appended to the file SAID, each call that would now be
 * sent upstream to FORWARDED, as lines
 *
 *     <clock> <kind> <id>          kind: task | hold | approval | intent | outcome | checkpoint
 *
 * clock is the number of entries that the log of block writes in the file CLOCK has (format of
 * dm-log-writes: bytes 16 to 24), 0 without that file: a line is owed by every disk that holds that
 * many. `early` is the planted defect, to see the judge condemn: it says and forwards before the
 * commit. Exit status: 0 done, FAILED when the store said so, REFUSED when it did not open.
 *
 * check opens the store as the next start would and holds that
 *   - the log verifies, with its signatures, before and after the recovery;
 *   - everything said until UNTIL is there, and everything forwarded has its intent;
 *   - each task's calls and its budget add up; no approval is used twice, none used is unrecorded;
 *   - after the recovery no call is open.
 * It prints what it counted, or says what is wrong and exits with WRONG. */
#include "base/clock.h"
#include "base/map.h"
#include "ledger/ledger_fix.h"

#include <poll.h>

enum { DONE = 0, WRONG = 1, FAILED = 5, REFUSED = 6 };
enum { SLOTS = 6, BUDGET = 8, CHECKPOINT_EVERY = 12, WAL_PAGES = 48, LINE_MAX_BYTES = 128 };

/* A key that anybody may know, so that run and check need not exchange one: PKCS#8 of an Ed25519
 * key whose 32 bytes are zero (RFC 8410 section 7). */
static const char KEY[48] = "\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
static const char ORIGIN[] = "ambit.example/fault";

static void die(int status, const char *what, str why)
{
    fprintf(stderr, "fault_driver: %s: %.*s\n", what, STR(why));
    _exit(status); /* not exit: nothing more may be written after a failure */
}

static void open_store(struct fix *f, const char *dir)
{
    f->leaf.max = STORE_LEAF_BYTES_MAX;
    snprintf(f->dir, sizeof f->dir, "%s", dir);
    if (strlen(dir) >= sizeof f->dir)
        die(REFUSED, "the directory's name is too long", str_z(dir));
    OK(f, key_from_pkcs8(str_of(KEY, sizeof KEY), &f->key, &f->err));
    OK(f, note_verifier(str_z(ORIGIN), NOTE_ED25519, f->key, &f->verifier, &f->err));
    note_vkey_write(&f->verifier, &f->vkey);
    f->tree = ledger_tree_new();
    struct store_options opt = {.tree = ledger_tree_ops(f->tree), .wal_pages_max = WAL_PAGES};
    if (!store_dir_open(dir, true, &f->fd, &f->err) || !store_open(f->fd, &opt, &f->s, &f->err))
        die(REFUSED, "open", str_z(f->err.text));
}

static bool recover(struct fix *f)
{
    return ledger_recover(f->s, &(struct record_start){1, S("0.1"), S("cfg"), 0}, NULL, &f->err);
}

/* ---- run ---- */

struct driver {
    struct fix fix;
    int said, forwarded, clock;
    bool early, failed;
    unsigned left;
    struct id task;
    struct checkpointer *checkpointer;
    uint64_t published;
    int64_t mono_ms;
};

/* What a slot waits for. Two calls (want, rival) are submitted at once with one approval. */
enum waiting { FOR_NOTHING = 0, FOR_HOLD, FOR_APPROVAL, FOR_INTENT, FOR_RIVALS, FOR_OUTCOME };

struct slot;
struct wish { /* one intent under way */
    struct slot *slot;
    struct id call, task;
};
struct slot {
    struct driver *d;
    enum waiting state;
    struct id hold;
    struct wish want, rival;
    struct id open; /* the call that goes on */
    unsigned answers, won;
};

static uint64_t clock_now(const struct driver *d)
{
    uint64_t entries = 0;
    if (d->clock >= 0 && pread(d->clock, &entries, sizeof entries, 16) != sizeof entries)
        die(REFUSED, "the block log", S("cannot be read"));
    return entries;
}

static void say(const struct driver *d, int fd, const char *kind, const char *id)
{
    char line[LINE_MAX_BYTES];
    int n = snprintf(line, sizeof line, "%llu %s %s\n", (unsigned long long)clock_now(d), kind, id);
    if (write(fd, line, (size_t)n) != n)
        die(REFUSED, kind, S("cannot be written down"));
}

static void submit(struct driver *d, struct store_txn *t, store_done_fn *done, void *arg)
{
    OK(&d->fix, store_submit(d->fix.s, t, done, arg, &d->fix.err));
}

/* False when the store has failed: nothing more is said or asked. */
static bool is_answer(struct driver *d, const struct store_result *r)
{
    if (r->outcome == STORE_FAILED && !d->failed)
        fprintf(stderr, "fault_driver: the store has failed: %s\n", r->err->text);
    d->failed = d->failed || r->outcome == STORE_FAILED;
    return !d->failed;
}

static void on_task(void *arg, const struct store_result *r)
{
    struct wish *w = arg;
    if (is_answer(w->slot->d, r) && r->outcome == STORE_COMMITTED)
        say(w->slot->d, w->slot->d->said, "task", w->task.s);
    free(w);
}

static void open_task(struct slot *s)
{
    struct driver *d = s->d;
    d->task = id_new('t');
    struct wish *w = calloc(1, sizeof *w);
    *w = (struct wish){.slot = s, .task = d->task};
    str id = id_str(&d->task);
    struct store_task row = {.id = id,
                             .owner = S("anna"),
                             .agent = S("spiffe://example.org/agent/a"),
                             .purpose = S("tidy up"),
                             .grants = S("[]"),
                             .opened_ms = clock_wall_ms(),
                             .deadline_ms = INT64_MAX,
                             .calls_left = BUDGET};
    struct record_task_open r = {.time_ms = 1000,
                                 .chain = fix_chain(d->task.s, NULL),
                                 .grants = FIX_DIGEST,
                                 .deadline_ms = 99999,
                                 .calls = BUDGET,
                                 .opened_by = S("anna")};
    struct store_txn *t = store_txn_new(d->fix.s);
    store_task_insert(t, &row);
    store_leaf(t, record_task_open(&d->fix.leaf, &r), (str){0}, id);
    submit(d, t, on_task, w);
}

static void next(struct slot *s);

static void on_outcome(void *arg, const struct store_result *r)
{
    struct slot *s = arg;
    if (!is_answer(s->d, r))
        return;
    if (r->outcome != STORE_COMMITTED)
        die(WRONG, "an outcome was refused", str_z(s->open.s));
    say(s->d, s->d->said, "outcome", s->open.s);
    next(s);
}

static void on_intent(void *arg, const struct store_result *r)
{
    struct wish *w = arg;
    struct slot *s = w->slot;
    struct driver *d = s->d;
    if (!is_answer(d, r))
        return;
    s->answers++;
    if (r->outcome == STORE_COMMITTED) {
        s->won++;
        s->open = w->call;
        if (!d->early) {
            say(d, d->said, "intent", w->call.s);
            say(d, d->forwarded, "intent", w->call.s);
        }
        submit(d, fix_outcome(&d->fix, id_str(&w->call), w->task.s), on_outcome, s);
    } else if (str_eq(id_str(&w->task), id_str(&d->task)) && s->state == FOR_INTENT) {
        open_task(s); /* its budget is used up */
    }
    if (s->won > 1)
        die(WRONG, "an approval was used twice", id_str(&s->hold));
    if (s->won == 0 && s->answers == (s->state == FOR_RIVALS ? 2u : 1u))
        next(s);
}

static void intent(struct slot *s, struct wish *w, str hold)
{
    struct driver *d = s->d;
    w->slot = s;
    w->call = id_new('c');
    if (d->early) {
        say(d, d->said, "intent", w->call.s);
        say(d, d->forwarded, "intent", w->call.s);
    }
    submit(d, fix_intent(&d->fix, id_str(&w->call), w->task.s, NULL, hold), on_intent, w);
}

static void on_approval(void *arg, const struct store_result *r)
{
    struct slot *s = arg;
    if (!is_answer(s->d, r))
        return;
    if (r->outcome != STORE_COMMITTED)
        die(WRONG, "an approval was refused", id_str(&s->hold));
    say(s->d, s->d->said, "approval", s->hold.s);
    s->state = FOR_RIVALS;
    intent(s, &s->want, id_str(&s->hold));
    intent(s, &s->rival, id_str(&s->hold));
}

static void on_hold(void *arg, const struct store_result *r)
{
    struct slot *s = arg;
    struct driver *d = s->d;
    if (!is_answer(d, r))
        return;
    if (r->outcome != STORE_COMMITTED)
        die(WRONG, "a hold was refused", id_str(&s->hold));
    say(d, d->said, "hold", s->hold.s);
    s->state = FOR_APPROVAL;
    struct record_decision dec = {.time_ms = 1600,
                                  .hold = id_str(&s->hold),
                                  .call = id_str(&s->hold),
                                  .task = id_str(&s->want.task),
                                  .approver = S("bert"),
                                  .method = S("passkey"),
                                  .digest = S("digest")};
    struct store_txn *t = store_txn_new(d->fix.s);
    store_hold_decide(t, dec.hold, S("approved"), S("bert"), 1600);
    store_leaf(t, record_approval(&d->fix.leaf, &dec), dec.call, dec.task);
    submit(d, t, on_approval, s);
}

static void hold(struct slot *s)
{
    struct driver *d = s->d;
    s->hold = id_new('c');
    str ids[] = {S("needs-approval")}, id = id_str(&s->hold);
    struct store_hold row = {.id = id,
                             .task = id_str(&s->want.task),
                             .call = id,
                             .binding = S("desk"),
                             .tool = S("desk_refund"),
                             .digest = S("digest"),
                             .args = S("{}"),
                             .effect = S("transfer"),
                             .created_ms = 1500,
                             .expires_ms = 9000,
                             .policies = S("[]")};
    struct record_hold_open open = {.time_ms = 1500,
                                    .hold = id,
                                    .call = id,
                                    .chain = fix_chain(s->want.task.s, NULL),
                                    .op = {row.binding, row.tool, row.effect},
                                    .policy = {3, FIX_DIGEST, ids, 1},
                                    .args = FIX_DIGEST,
                                    .digest = S("digest"),
                                    .expires_ms = 9000};
    struct store_txn *t = store_txn_new(d->fix.s);
    store_hold_insert(t, &row);
    store_leaf(t, record_hold_open(&d->fix.leaf, &open), id, row.task);
    submit(d, t, on_hold, s);
}

/* Every third call needs an approval. */
static void next(struct slot *s)
{
    struct driver *d = s->d;
    s->state = FOR_NOTHING;
    s->answers = s->won = 0;
    if (d->left == 0)
        return;
    d->left--;
    s->want.task = s->rival.task = d->task;
    s->state = d->left % 3 == 0 ? FOR_HOLD : FOR_INTENT;
    if (s->state == FOR_HOLD)
        hold(s);
    else
        intent(s, &s->want, (str){0});
}

/* Signs the log as it grows, and says what is stored. */
static void publish(struct driver *d)
{
    uint64_t size = checkpointer_size(d->checkpointer);
    if (size != d->published) {
        char text[24];
        snprintf(text, sizeof text, "%llu", (unsigned long long)size);
        say(d, d->said, "checkpoint", text);
        d->published = size;
    }
    d->mono_ms += CHECKPOINT_IDLE_MS;
    if (store_size(d->fix.s) < size + CHECKPOINT_EVERY ||
        checkpointer_wait_ms(d->checkpointer, d->mono_ms) != 0)
        return;
    struct fix *f = &d->fix;
    struct buf text = {0}, note = {0};
    OK(f, checkpointer_begin(d->checkpointer, d->mono_ms, &text, &f->err));
    OK(f, note_sign(buf_str(&text), str_z(ORIGIN), f->key, &note, &f->err));
    OK(f, checkpointer_finish(d->checkpointer, buf_str(&note), 5000, &f->err));
    buf_fini(&text);
    buf_fini(&note);
}

static bool is_busy(const struct slot *slots)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (slots[i].state != FOR_NOTHING)
            return true;
    return false;
}

static int run(struct driver *d, const char *dir)
{
    struct fix *f = &d->fix;
    open_store(f, dir);
    if (!recover(f)) {
        fprintf(stderr, "fault_driver: recover: %s\n", f->err.text);
        store_close(f->s); /* as core does: whatever this writes is watched, too */
        return FAILED;
    }
    if (!checkpointer_new(f->s, str_z(ORIGIN), &d->checkpointer, &f->err))
        die(REFUSED, "publish", str_z(f->err.text));
    d->published = checkpointer_size(d->checkpointer);
    struct slot slots[SLOTS] = {0};
    slots[0].d = d;
    open_task(&slots[0]);
    for (size_t i = 0; i < SLOTS; i++) {
        slots[i].d = d;
        next(&slots[i]);
    }
    while (is_busy(slots) && !d->failed) {
        struct pollfd p = {.fd = store_notify_fd(f->s), .events = POLLIN};
        poll(&p, 1, -1);
        store_collect(f->s);
        if (!d->failed)
            publish(d);
    }
    store_flush(f->s);
    if (!d->failed)
        publish(d);
    store_close(f->s);
    checkpointer_free(d->checkpointer);
    ledger_tree_free(f->tree);
    return d->failed ? FAILED : DONE;
}

/* ---- check ---- */

/* counts: "<type> <call>" of every leaf, "used <hold>", "of <task>" (its intents); the number is
 * the pointer itself. */
struct judge {
    struct fix fix;
    struct map counts;
    uint64_t until, said, forwarded;
};

static const char *key_of(char *out, const char *kind, str id)
{
    snprintf(out, LINE_MAX_BYTES, "%s %.*s", kind, STR(id));
    return out;
}

static uintptr_t count_of(const struct judge *j, const char *kind, str id)
{
    char key[LINE_MAX_BYTES];
    return (uintptr_t)map_get(&j->counts, str_z(key_of(key, kind, id)));
}

static void count(struct judge *j, const char *kind, str id)
{
    char key[LINE_MAX_BYTES];
    map_put(&j->counts, str_z(key_of(key, kind, id)), (void *)(count_of(j, kind, id) + 1));
}

/* The value of a member that occurs once and needs no escapes, as all ids. */
static str member(str body, const char *name)
{
    char want[LINE_MAX_BYTES];
    snprintf(want, sizeof want, "\"%s\":\"", name);
    ptrdiff_t at = str_find(body, str_z(want));
    if (at < 0)
        return (str){0};
    str rest = str_skip(body, (size_t)at + strlen(want)), head;
    return str_cut(rest, '"', &head, &rest) ? head : (str){0};
}

static bool on_leaf(void *arg, const struct store_leaf_row *row)
{
    static const char *const KINDS[][2] = {{"task_open", "task"},
                                           {"hold_open", "hold"},
                                           {"approval", "approval"},
                                           {"intent", "intent"},
                                           {"outcome", "outcome"}};
    struct judge *j = arg;
    str type = member(row->body, "type");
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++)
        if (str_eq(type, str_z(KINDS[i][0])))
            count(j, KINDS[i][1], row->call.n ? row->call : row->task);
    if (str_eq(type, S("intent"))) {
        count(j, "of", row->task);
        str used = member(row->body, "approval");
        if (used.n)
            count(j, "used", used);
    }
    return true;
}

static bool on_checkpoint(void *arg, const struct store_checkpoint *row)
{
    char size[24];
    snprintf(size, sizeof size, "%lld", (long long)row->size);
    count(arg, "checkpoint", str_z(size));
    return true;
}

static bool on_task_row(void *arg, const struct store_task *row)
{
    struct judge *j = arg;
    uintptr_t intents = count_of(j, "of", row->id);
    if (row->calls_left < 0 || row->calls_left + (int64_t)intents != BUDGET ||
        count_of(j, "task", row->id) != 1) {
        fprintf(stderr, "task %.*s: %lld calls left of %d, %zu on record\n", STR(row->id),
                (long long)row->calls_left, BUDGET, (size_t)intents);
        die(WRONG, "a budget does not add up", row->id);
    }
    return true;
}

/* An approval on record and one in the table are the same thing, and so is its use. */
static void check_hold(struct judge *j, str id)
{
    struct fix *f = &j->fix;
    struct arena a = {0};
    struct store_hold row;
    if (!store_read_hold(store_view(f->s), &a, id, &row, &f->err))
        die(WRONG, "a hold on record is not in the table", id);
    uintptr_t used = count_of(j, "used", id);
    bool is_used = str_eq(row.state, S("used"));
    if (used > 1 || is_used != (used == 1) ||
        (count_of(j, "approval", id) == 1) != !str_eq(row.state, S("pending")))
        die(WRONG, "a hold's state is not what is on record", id);
    arena_fini(&a);
}

static void check_log(struct judge *j, bool settled)
{
    struct fix *f = &j->fix;
    struct ledger_verify_options opt = {.vkey = buf_str(&f->vkey)};
    struct ledger_report r;
    OK(f, ledger_verify(store_view(f->s), &opt, &r, &f->err));
    if (!r.ok)
        die(WRONG, "the log does not verify", str_z(r.problem));
    if (settled && r.open_calls)
        die(WRONG, "open after the recovery", str_z(r.open[0]));
    if (settled)
        printf("%llu said, %llu forwarded, %llu leaves, %llu checkpoints\n",
               (unsigned long long)j->said, (unsigned long long)j->forwarded,
               (unsigned long long)r.leaves, (unsigned long long)r.checkpoints);
}

/* Lines of a file of run; a last one without its newline was never said. */
static uint64_t check_lines(struct judge *j, const char *path, const char *what)
{
    FILE *in = fopen(path, "re");
    if (!in)
        return 0; /* it was never begun */
    uint64_t n = 0;
    char line[LINE_MAX_BYTES], kind[16], id[64];
    while (fgets(line, sizeof line, in)) {
        unsigned long long at = 0;
        if (!strchr(line, '\n') || sscanf(line, "%llu %15s %63s", &at, kind, id) != 3)
            break;
        if (at > j->until)
            continue;
        n++;
        if (count_of(j, kind, str_z(id)) != 1) {
            fprintf(stderr, "%s %s, at %llu: %zu times on record\n", kind, id, at,
                    (size_t)count_of(j, kind, str_z(id)));
            die(WRONG, what, str_z(id));
        }
    }
    fclose(in);
    return n;
}

static int check(struct judge *j, const char *dir, const char *said, const char *forwarded)
{
    struct fix *f = &j->fix;
    open_store(f, dir);
    struct store_view *v = store_view(f->s);
    check_log(j, false);
    OK(f, store_read_leaves(v, &(struct store_leaf_query){0}, on_leaf, j, &f->err));
    OK(f, store_read_checkpoints(v, on_checkpoint, j, &f->err));
    j->said = check_lines(j, said, "what was acknowledged is not there");
    j->forwarded = check_lines(j, forwarded, "what was forwarded is not on record");
    OK(f, store_read_tasks_recent(v, SIZE_MAX >> 1, on_task_row, j, &f->err));
    size_t i = 0;
    str key;
    void *value;
    while (map_next(&j->counts, &i, &key, &value))
        if (str_starts(key, S("hold ")))
            check_hold(j, str_skip(key, 5));
    if (!recover(f))
        die(WRONG, "the recovery failed", str_z(f->err.text));
    check_log(j, true);
    map_fini(&j->counts);
    store_close(f->s);
    ledger_tree_free(f->tree);
    return DONE;
}

/* ---- main ---- */

static int open_for_lines(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        die(REFUSED, "cannot be opened", str_z(path));
    return fd;
}

int main(int argc, char **argv)
{
    if (argc >= 6 && strcmp(argv[1], "run") == 0) {
        static struct driver d = {.clock = -1};
        d.said = open_for_lines(argv[3]);
        d.forwarded = open_for_lines(argv[4]);
        d.left = (unsigned)strtoul(argv[5], NULL, 10);
        if (argc > 6 && argv[6][0])
            d.clock = open(argv[6], O_RDONLY | O_CLOEXEC);
        if (argc > 6 && argv[6][0] && d.clock < 0)
            die(REFUSED, "cannot be opened", str_z(argv[6]));
        d.early = argc > 7 && strcmp(argv[7], "early") == 0;
        return run(&d, argv[2]);
    }
    if (argc >= 5 && strcmp(argv[1], "check") == 0) {
        static struct judge j = {.until = UINT64_MAX};
        if (argc > 5)
            j.until = strtoull(argv[5], NULL, 10);
        return check(&j, argv[2], argv[3], argv[4]);
    }
    fprintf(stderr, "usage: fault_driver run DIR SAID FORWARDED CALLS [CLOCK [early]]\n"
                    "       fault_driver check DIR SAID FORWARDED [UNTIL]\n");
    return 2;
}
