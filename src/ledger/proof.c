#include "ledger/proof.h"
#include "base/arena.h"
#include "base/hex.h"

#define PROOF_HEAD "c2sp.org/tlog-proof@v1"

void proof_write(const struct proof *p, struct buf *out)
{
    buf_put(out, S(PROOF_HEAD "\n"));
    if (p->has_extra) {
        buf_put(out, S("extra "));
        base64_encode(out, p->extra);
        buf_putc(out, '\n');
    }
    buf_put(out, S("index "));
    buf_u64(out, p->index);
    buf_putc(out, '\n');
    for (size_t i = 0; i < p->path.n; i++) {
        base64_encode(out, hash_str(&p->path.h[i]));
        buf_putc(out, '\n');
    }
    buf_putc(out, '\n');
    buf_put(out, p->note);
}

static bool read_path(struct arena *a, str *rest, struct merkle_proof *out, struct err *err)
{
    for (;;) {
        str line, bytes;
        if (!str_cut(*rest, '\n', &line, rest))
            return err_input(err, "the proof ends before its checkpoint");
        if (line.n == 0)
            return true;
        if (out->n == MERKLE_LEVELS_MAX)
            return err_limit(err, "the proof's path has over %d hashes", MERKLE_LEVELS_MAX);
        if (!base64_decode(a, line, &bytes) || bytes.n != HASH_LEN)
            return err_input(err, "hash %zu of the proof's path is not the base64 of 32 bytes",
                             out->n + 1);
        memcpy(out->h[out->n++].b, bytes.p, HASH_LEN);
    }
}

bool proof_read(struct arena *a, str text, struct proof *out, struct err *err)
{
    struct proof p = {0};
    str line, rest = text;
    if (text.n > PROOF_BYTES_MAX)
        return err_limit(err, "the proof has over %d bytes", PROOF_BYTES_MAX);
    if (!str_cut(rest, '\n', &line, &rest) || !str_eq(line, S(PROOF_HEAD)))
        return err_input(err, "no proof: its first line is not " PROOF_HEAD);
    str_cut(rest, '\n', &line, &rest);
    if (str_starts(line, S("extra "))) {
        if (!base64_decode(a, str_skip(line, 6), &p.extra))
            return err_input(err, "the proof's extra data is not base64");
        p.has_extra = true;
        str_cut(rest, '\n', &line, &rest);
    }
    if (!str_starts(line, S("index ")) || !str_to_u64(str_skip(line, 6), &p.index) ||
        p.index >= MERKLE_SIZE_MAX)
        return err_input(err, "the proof has no line \"index N\" with the index of an entry");
    if (!read_path(a, &rest, &p.path, err))
        return false;
    p.note = rest;
    *out = p;
    return true;
}

bool proof_check(struct arena *a, const struct proof *p, str entry, const struct note_verifier *log,
                 struct checkpoint *out, struct err *err)
{
    struct note note;
    struct checkpoint c;
    if (!note_open(a, p->note, log, 1, &note, err) ||
        !checkpoint_parse(note.text, log->name, &c, err))
        return err_in(err, "the proof's checkpoint");
    struct hash leaf = merkle_leaf(entry);
    if (!merkle_check_inclusion(&p->path, &leaf, p->index, c.size, &c.root, err))
        return err_in(err, "entry %llu under the checkpoint of %llu", (unsigned long long)p->index,
                      (unsigned long long)c.size);
    *out = c;
    return true;
}
