#include "ledger/cosign_policy.h"
#include "base/hex.h"

enum { ITEMS_MAX = 3 + COSIGN_WITNESSES_MAX + COSIGN_GROUPS_MAX };

struct parser {
    struct arena *a;
    struct cosign_policy *p;
    uint64_t used; /* what is a member of some group already */
    str items[ITEMS_MAX];
    size_t n;
};

static uint64_t witness_bit(size_t i)
{
    return 1ull << i;
}
static uint64_t group_bit(size_t i)
{
    return 1ull << (COSIGN_WITNESSES_MAX + i);
}

/* The bit of a name, 0 if it is not defined. */
static uint64_t bit_of(const struct cosign_policy *p, str name)
{
    for (size_t i = 0; i < p->n_witnesses; i++)
        if (str_eq(p->witnesses[i].name, name))
            return witness_bit(i);
    for (size_t i = 0; i < p->n_groups; i++)
        if (str_eq(p->groups[i].name, name))
            return group_bit(i);
    return 0;
}

static bool name_is_free(const struct cosign_policy *p, str name, struct err *err)
{
    if (name.n > NOTE_NAME_BYTES_MAX)
        return err_limit(err, "a name over %d bytes", NOTE_NAME_BYTES_MAX);
    if (str_eq(name, S("none")))
        return err_input(err, "the name `none` is taken: it stands for no quorum; choose another");
    return bit_of(p, name) == 0 || err_input(err, "the name is defined above; choose another");
}

/* ---- keys ---- */

/* The same public key under whatever name and type, or one that signatures could not be told from.
 */
static bool clashes(const struct cosign_key *have, size_t n, const struct note_vkey *v)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(have[i].vkey.key, v->key) ||
            (have[i].vkey.id == v->id && str_eq(have[i].vkey.name, v->name)))
            return true;
    return false;
}

static void free_key(void *key)
{
    key_free(key);
}

/* want: the type that has this place; other types that we know are refused. */
static bool read_key(struct parser *s, enum note_type want, str vkey, struct cosign_key *out,
                     struct err *err)
{
    struct note_verifier v;
    if (!note_vkey_read(s->a, vkey, &out->vkey, err))
        return false;
    if (out->vkey.type != want &&
        (out->vkey.type == NOTE_ED25519 || out->vkey.type == NOTE_COSIGNATURE))
        return err_input(err, "a %s, which needs a key of type %d, has one of type %d",
                         want == NOTE_ED25519 ? "log" : "witness", want, out->vkey.type);
    if (clashes(s->p->logs, s->p->n_logs, &out->vkey) ||
        clashes(s->p->witnesses, s->p->n_witnesses, &out->vkey))
        return err_input(err, "the key is one that a line above has; every log and every witness "
                              "needs a key of its own");
    if (out->vkey.type != want)
        return true;
    if (!note_vkey_parse(vkey, &v, &out->key, err))
        return false;
    arena_on_reset(s->a, free_key, out->key);
    return true;
}

static bool read_url(str url, struct cosign_key *out, struct err *err)
{
    if (url.n > COSIGN_URL_BYTES_MAX)
        return err_limit(err, "a URL over %d bytes", COSIGN_URL_BYTES_MAX);
    if (str_starts(url, S("#")))
        return err_input(err, "a comment needs a line of its own");
    out->url = url;
    return true;
}

/* ---- lines ---- */

static bool on_log(struct parser *s, struct err *err)
{
    struct cosign_key k = {0};
    if (s->p->n_logs == COSIGN_LOGS_MAX)
        return err_limit(err, "over %d logs", COSIGN_LOGS_MAX);
    if (!read_key(s, NOTE_ED25519, s->items[1], &k, err) ||
        (s->n == 3 && !read_url(s->items[2], &k, err)))
        return false;
    k.name = k.vkey.name;
    s->p->logs[s->p->n_logs++] = k;
    return true;
}

static bool on_witness(struct parser *s, struct err *err)
{
    struct cosign_key k = {.name = s->items[1]};
    if (s->p->n_witnesses == COSIGN_WITNESSES_MAX)
        return err_limit(err, "over %d witnesses", COSIGN_WITNESSES_MAX);
    if (!name_is_free(s->p, k.name, err) || !read_key(s, NOTE_COSIGNATURE, s->items[2], &k, err) ||
        (s->n == 4 && !read_url(s->items[3], &k, err)))
        return false;
    s->p->witnesses[s->p->n_witnesses++] = k;
    return true;
}

static bool read_threshold(str text, size_t members, unsigned *out, struct err *err)
{
    uint64_t k = str_eq(text, S("any")) ? 1 : members;
    if (!str_eq(text, S("any")) && !str_eq(text, S("all")) && !str_to_u64(text, &k))
        return err_input(err, "a group's threshold is `all`, `any` or a number");
    if (k < 1 || k > members)
        return err_input(err, "a group's threshold is from 1 to its number of members, %zu",
                         members);
    *out = (unsigned)k;
    return true;
}

static bool on_group(struct parser *s, struct err *err)
{
    struct cosign_group g = {.name = s->items[1]};
    if (s->p->n_groups == COSIGN_GROUPS_MAX)
        return err_limit(err, "over %d groups", COSIGN_GROUPS_MAX);
    if (!name_is_free(s->p, g.name, err) ||
        !read_threshold(s->items[2], s->n - 3, &g.threshold, err))
        return false;
    for (size_t i = 3; i < s->n; i++) {
        uint64_t bit = bit_of(s->p, s->items[i]);
        if (!bit)
            return err_input(err, "member %zu is no witness or group of a line above", i - 2);
        if (s->used & bit)
            return err_input(err, "member %zu is a member already; each counts once", i - 2);
        s->used |= bit;
        g.members |= bit;
    }
    s->p->groups[s->p->n_groups++] = g;
    return true;
}

static bool on_quorum(struct parser *s, struct err *err)
{
    if (s->p->quorum || s->p->no_quorum)
        return err_input(err, "a second quorum; leave one");
    s->p->no_quorum = str_eq(s->items[1], S("none"));
    s->p->quorum = bit_of(s->p, s->items[1]);
    return s->p->no_quorum || s->p->quorum ||
           err_input(err, "the quorum is no witness or group of a line above, nor `none`");
}

static const struct line {
    str keyword;
    size_t min, max; /* items, with the keyword */
    bool (*read)(struct parser *s, struct err *err);
    const char *form;
} LINES[] = {
    {{"log", 3}, 2, 3, on_log, "log VKEY [URL]"},
    {{"witness", 7}, 3, 4, on_witness, "witness NAME VKEY [URL]"},
    {{"group", 5}, 4, ITEMS_MAX, on_group, "group NAME all|any|K MEMBER..."},
    {{"quorum", 6}, 2, 2, on_quorum, "quorum NAME"},
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* line: trimmed, not empty. */
static bool split(struct parser *s, str line, struct err *err)
{
    s->n = 0;
    for (size_t i = 0; i < line.n;) {
        size_t from = i;
        while (i < line.n && !is_blank(line.p[i]))
            i++;
        if (s->n == ITEMS_MAX)
            return err_limit(err, "over %d items", ITEMS_MAX);
        s->items[s->n++] = str_of(line.p + from, i - from);
        while (i < line.n && is_blank(line.p[i]))
            i++;
    }
    return true;
}

static bool read_line(struct parser *s, str line, struct err *err)
{
    line = str_trim(line);
    if (line.n == 0 || line.p[0] == '#')
        return true;
    if (!split(s, line, err))
        return false;
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        if (!str_eq(LINES[i].keyword, s->items[0]))
            continue;
        if (s->n < LINES[i].min || s->n > LINES[i].max)
            return err_input(err, "not of the form `%s`", LINES[i].form);
        return LINES[i].read(s, err);
    }
    return err_input(err, "begins with none of log, witness, group, quorum");
}

/* Tab, newline, and everything but the other control characters. */
static bool octets_are_valid(str text)
{
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = (uint8_t)text.p[i];
        if ((c < 0x20 && c != '\t' && c != '\n') || c == 0x7f)
            return false;
    }
    return true;
}

/* The witnesses whose cosignatures we can verify. */
static uint64_t verifiable(const struct cosign_policy *p)
{
    uint64_t set = 0;
    for (size_t i = 0; i < p->n_witnesses; i++)
        if (p->witnesses[i].key)
            set |= witness_bit(i);
    return set;
}

static bool check_whole(const struct cosign_policy *p, struct err *err)
{
    if (!p->quorum && !p->no_quorum)
        return err_input(err, "log policy: no `quorum` line; say `quorum none` for none");
    if (!witness_policy_met(p, verifiable(p)))
        return err_input(err,
                         "log policy: the quorum needs witnesses whose keys are of a type that "
                         "cannot be verified here; give it enough of type 4 (Ed25519)");
    return true;
}

bool cosign_policy_parse(struct arena *a, str text, const struct cosign_policy **out,
                         struct err *err)
{
    if (text.n > COSIGN_POLICY_BYTES_MAX)
        return err_limit(err, "log policy: over %d bytes", COSIGN_POLICY_BYTES_MAX);
    if (!octets_are_valid(text))
        return err_input(err,
                         "log policy: control characters other than tab and newline; lines end "
                         "in a newline alone");
    struct parser s = {.a = a, .p = ARENA_NEW(a, struct cosign_policy)};
    *s.p = (struct cosign_policy){0};
    for (unsigned number = 1; text.n; number++) {
        str line;
        if (!str_cut(text, '\n', &line, &text))
            return err_input(err, "log policy: the last line has no newline; is the file whole?");
        if (!read_line(&s, line, err))
            return err_in(err, "log policy: line %u", number);
    }
    if (!check_whole(s.p, err))
        return false;
    *out = s.p;
    return true;
}

/* ---- writing ---- */

static void write_vkey(const struct note_vkey *v, struct buf *out)
{
    struct buf raw = {0};
    buf_putc(&raw, (char)v->type);
    buf_put(&raw, v->key);
    buf_put(out, v->name);
    buf_printf(out, "+%08x+", v->id);
    base64_encode(out, buf_str(&raw));
    buf_fini(&raw);
}

static void write_key(const struct cosign_key *k, struct buf *out)
{
    buf_putc(out, ' ');
    write_vkey(&k->vkey, out);
    if (k->url.n)
        buf_putc(out, ' ');
    buf_put(out, k->url);
    buf_putc(out, '\n');
}

/* The names of a set, each after a space. */
static void write_names(const struct cosign_policy *p, uint64_t set, struct buf *out)
{
    for (size_t i = 0; i < p->n_witnesses + p->n_groups; i++) {
        bool is_group = i >= p->n_witnesses;
        size_t k = is_group ? i - p->n_witnesses : i;
        if (!(set & (is_group ? group_bit(k) : witness_bit(k))))
            continue;
        buf_putc(out, ' ');
        buf_put(out, is_group ? p->groups[k].name : p->witnesses[k].name);
    }
}

void cosign_policy_write(const struct cosign_policy *p, struct buf *out)
{
    for (size_t i = 0; i < p->n_logs; i++) {
        buf_put(out, S("log"));
        write_key(&p->logs[i], out);
    }
    for (size_t i = 0; i < p->n_witnesses; i++) {
        buf_put(out, S("witness "));
        buf_put(out, p->witnesses[i].name);
        write_key(&p->witnesses[i], out);
    }
    for (size_t i = 0; i < p->n_groups; i++) {
        buf_put(out, S("group "));
        buf_put(out, p->groups[i].name);
        buf_printf(out, " %u", p->groups[i].threshold);
        write_names(p, p->groups[i].members, out);
        buf_putc(out, '\n');
    }
    buf_put(out, S("quorum"));
    if (p->no_quorum)
        buf_put(out, S(" none"));
    write_names(p, p->quorum, out);
    buf_putc(out, '\n');
}

/* ---- what it says of a checkpoint ---- */

bool witness_policy_met(const struct cosign_policy *p, uint64_t cosigned)
{
    if (p->no_quorum)
        return true;
    /* Groups have members from above only, so one pass is enough. */
    uint64_t met = cosigned & (group_bit(0) - 1);
    for (size_t i = 0; i < p->n_groups; i++)
        if ((unsigned)__builtin_popcountll(met & p->groups[i].members) >= p->groups[i].threshold)
            met |= group_bit(i);
    return (met & p->quorum) != 0;
}

/* The keys that can be verified, and for each verifier which key of the policy it is: a log, or
 * after COSIGN_LOGS_MAX a witness. */
static size_t verifiers_of(const struct cosign_policy *p, struct note_verifier *v, size_t *which)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_logs + p->n_witnesses; i++) {
        bool is_log = i < p->n_logs;
        const struct cosign_key *k = is_log ? &p->logs[i] : &p->witnesses[i - p->n_logs];
        if (!k->key)
            continue;
        which[n] = is_log ? i : COSIGN_LOGS_MAX + i - p->n_logs;
        v[n++] = (struct note_verifier){.name = k->vkey.name,
                                        .type = (enum note_type)k->vkey.type,
                                        .id = k->vkey.id,
                                        .key = k->key};
    }
    return n;
}

bool cosign_policy_signers(struct arena *a, const struct cosign_policy *p, str bytes,
                           struct cosign_signers *out, struct err *err)
{
    struct note_verifier v[COSIGN_LOGS_MAX + COSIGN_WITNESSES_MAX];
    size_t which[COSIGN_LOGS_MAX + COSIGN_WITNESSES_MAX];
    struct cosign_signers s = {.log = COSIGN_LOGS_MAX};
    struct note note;
    str origin, rest;
    if (!note_open(a, bytes, v, verifiers_of(p, v, which), &note, err))
        return false;
    (void)str_cut(note.text, '\n', &origin, &rest);
    for (size_t i = 0; i < note.n; i++) {
        if (note.sigs[i].verifier < 0)
            continue;
        size_t k = which[note.sigs[i].verifier];
        if (k < COSIGN_LOGS_MAX) {
            if (str_eq(p->logs[k].name, origin))
                s.log = k;
        } else {
            s.cosigned |= witness_bit(k - COSIGN_LOGS_MAX);
            s.time_s[k - COSIGN_LOGS_MAX] = note.sigs[i].time_s;
        }
    }
    if (s.log == COSIGN_LOGS_MAX)
        return err_denied(err, "checkpoint: the log that it names is not in the policy, or has not "
                               "signed it");
    if (!checkpoint_parse(note.text, origin, &s.checkpoint, err))
        return false;
    *out = s;
    return true;
}
