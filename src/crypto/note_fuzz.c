/* Any bytes as a note, a witness's answer, a checkpoint, a verifier key, a stored frontier:
 * refused, or written again to the same bytes. */
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

/* Nobody can sign for this witness but the seeds: what is taken opens again, and adding it once
 * more changes nothing. */
static void as_answer(struct arena *a, str in)
{
    static const char NOTE[] =
        "ambit.example/log\n7\nSBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=\n\n"
        "\xe2\x80\x94 n AAAAAAA=\n";
    static struct key *key;
    static struct note_verifier w;
    struct err err;
    struct note n;
    struct buf once = {0}, twice = {0};
    if (!key && !note_vkey_parse(S("witness.example/w1+7bede9df+"
                                   "BOfxYqEL7FWa/qGV5NzoS2lWjV0ssJY+tEbAaF4rF/Lw"),
                                 &w, &key, &err))
        abort();
    if (!note_add_cosignatures(str_z(NOTE), in, &w, 1, &once, &err)) {
        if (buf_len(&once))
            abort();
        return;
    }
    if (!note_open(a, buf_str(&once), &w, 1, &n, &err) || n.n != 2 ||
        !note_add_cosignatures(buf_str(&once), in, &w, 1, &twice, &err))
        abort();
    same(&twice, buf_str(&once));
    buf_fini(&once);
}

static void as_vkey(struct arena *a, str in)
{
    struct err err;
    struct note_vkey any;
    struct note_verifier v;
    struct key *k;
    struct buf b = {0};
    bool is_one = note_vkey_read(a, in, &any, &err);
    if (!note_vkey_parse(in, &v, &k, &err))
        return;
    if (!is_one || any.id != v.id || any.type != v.type)
        abort();
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
    as_vkey(&a, in);
    as_answer(&a, in);
    as_frontier(in);
    return 0;
}
