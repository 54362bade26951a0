/* Any bytes as a note, a checkpoint, a verifier key, a stored frontier: refused, or written again
 * to the same bytes. */
#include "crypto/note.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(struct buf *b, str in)
{
    if (!str_eq(buf_str(b), in))
        abort();
    buf_fini(b);
}

static void as_checkpoint(str text)
{
    struct err err;
    struct checkpoint c;
    struct buf b = {0};
    str origin, rest;
    if (!str_cut(text, '\n', &origin, &rest) || !checkpoint_parse(text, origin, &c, &err))
        return;
    if (!checkpoint_write(&c, &b, &err))
        abort();
    same(&b, text);
}

static void as_vkey(str in)
{
    struct err err;
    struct note_verifier v;
    struct key *k;
    struct buf b = {0};
    if (!note_vkey_parse(in, &v, &k, &err))
        return;
    note_vkey_write(&v, &b);
    same(&b, in);
    key_free(k);
}

static void as_frontier(str in)
{
    struct err err;
    struct frontier f;
    struct buf b = {0};
    if (!frontier_read(in, &f, &err))
        return;
    frontier_root(&f);
    frontier_write(&f, &b);
    same(&b, in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPE struct arena a = {0};
    static struct key *key;
    static struct note_verifier who;
    static const char RAW[33] = "\xd7\x5a\x98\x01\x82\xb1\x0a\xb7\xd5\x4b\xfe\xd3\xc9\x64\x07\x3a"
                                "\x0e\xe1\x72\xf3\xda\xa6\x23\x25\xaf\x02\x1a\x68\xf7\x07\x51\x1a";
    struct err err;
    struct note n;
    str in = str_of((const char *)data, size);
    if (!key && (!key_from_raw(KEY_ED25519, str_of(RAW, 32), &key, &err) ||
                 !note_verifier(S("n"), NOTE_ED25519, key, &who, &err)))
        abort();
    if (note_parse(&a, in, &n, &err)) {
        if (n.n == 0 || n.n > NOTE_SIGS_MAX || n.known != 0 || n.text.p[n.text.n - 1] != '\n')
            abort();
        as_checkpoint(n.text);
    }
    if (note_open(&a, in, &who, 1, &n, &err))
        abort();
    as_checkpoint(in);
    as_vkey(in);
    as_frontier(in);
    return 0;
}
