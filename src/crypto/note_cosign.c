/* A note and the cosignatures that witnesses answered with, made one note. */
#include "crypto/note_impl.h"

/* Which signature of `from` is the newest of each witness, -1 where it has none. All were verified,
 * so each has its time. */
static void newest(const struct note *from, const struct note_verifier *witnesses, size_t n,
                   int best[NOTE_VERIFIERS_MAX])
{
    for (size_t i = 0; i < NOTE_VERIFIERS_MAX; i++)
        best[i] = -1;
    for (size_t i = 0; i < from->n; i++) {
        int k = note_find_verifier(witnesses, n, &from->sigs[i]);
        if (k >= 0 && (best[k] < 0 || from->sigs[i].time_s > from->sigs[best[k]].time_s))
            best[k] = (int)i;
    }
}

/* Every line once: those of others as they are, a witness's where its first one stood. */
static void write_all(const struct note *all, const struct note_verifier *witnesses, size_t n,
                      struct buf *out)
{
    int best[NOTE_VERIFIERS_MAX];
    bool done[NOTE_VERIFIERS_MAX] = {false};
    newest(all, witnesses, n, best);
    buf_put(out, all->text);
    buf_putc(out, '\n');
    for (size_t i = 0; i < all->n; i++) {
        int k = note_find_verifier(witnesses, n, &all->sigs[i]);
        if (k >= 0 && done[k])
            continue;
        if (k >= 0)
            done[k] = true;
        const struct note_sig *sig = &all->sigs[k < 0 ? (int)i : best[k]];
        note_put_line(sig->name, sig->id, sig->sig, out);
    }
}

/* The lines of the answer after those of the note; what strangers have signed is dropped at once,
 * so that a long answer is no reason to lose the witness's. */
static bool append(struct note *all, const struct note *answer, const struct note_verifier *w,
                   size_t n, struct err *err)
{
    for (size_t i = 0; i < answer->n; i++) {
        if (note_find_verifier(w, n, &answer->sigs[i]) < 0)
            continue;
        if (all->n == NOTE_SIGS_MAX)
            return err_limit(err, "note: over %d signatures", NOTE_SIGS_MAX);
        all->sigs[all->n++] = answer->sigs[i];
    }
    return true;
}

bool note_add_cosignatures(str note, str lines, const struct note_verifier *witnesses, size_t n,
                           struct buf *out, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    struct note all, answer = {0};
    size_t before = buf_len(out);
    for (size_t i = 0; i < n; i++)
        if (witnesses[i].type != NOTE_COSIGNATURE)
            return err_input(err, "note: a witness's key is one of cosignatures (type 4)");
    if (lines.n > NOTE_BYTES_MAX)
        return err_limit(err, "witness's answer: over %d bytes", NOTE_BYTES_MAX);
    if (!note_parse(&a, note, &all, err))
        return false;
    answer.text = all.text;
    if (!note_parse_sigs(&a, lines, &answer, err) ||
        !note_verify_sigs(witnesses, n, &answer, err) || !append(&all, &answer, witnesses, n, err))
        return err_in(err, "witness's answer");
    if (!note_verify_sigs(witnesses, n, &all, err))
        return false;
    write_all(&all, witnesses, n, out);
    if (out->over || buf_len(out) - before > NOTE_BYTES_MAX) {
        buf_truncate(out, before);
        return err_limit(err, "note: no room for the cosignatures");
    }
    return true;
}
