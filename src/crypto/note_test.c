#include "crypto/crypto_test.h"
#include "crypto/note.h"

/* Made with Go's golang.org/x/mod/sumdb/note v0.42.0 from the seed 01 02 ... 20: a foreign writer
 * of the same format. */
#define GO_VKEY "ambit.example/log+3c217c72+AXm1Vi6P5lT5QHixEuipi6eQH4U65pW+1+DjkQutBJZk"
#define GO_TEXT "ambit.example/log\n7\nSBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=\n"
#define GO_NOTE                                                                                    \
    GO_TEXT                                                                                        \
    "\n\xe2\x80\x94 ambit.example/log PCF8cq6v2Ta6WwgcPQnQRFkmV6h2/tLMICt6VEt1X1suyIAtzXuf"        \
    "Key1hiAybHq/RiGBj7+YpO+yckJsgFyHvjDAhwk=\n"
#define NAME "ambit.example/log"
/* Cosignatures of GO_TEXT, made with filippo.io/torchwood v0.9.0 from the seeds 21 22 ... 40 and
 * 41 42 ... 60. */
#define W1_VKEY "witness.example/w1+7bede9df+BOfxYqEL7FWa/qGV5NzoS2lWjV0ssJY+tEbAaF4rF/Lw"
#define W1_LINE                                                                                    \
    "\xe2\x80\x94 witness.example/w1 e+3p3wAAAABrBCsaSHZtZ4eaft0nSo5nyoDxKcs0LuWZ1APPg46v2/"       \
    "lSI7qyL1lMd7j9wg83OpTyhoHjE8s5MEKHaVYAnF0LNn9ZCg==\n"
#define W2_VKEY "witness.example/w2+6417f619+BK3BQBH4LRxW2VaqT51z2IWDYaYGBIUl4NCMY43HXdjH"
#define W2_LINE                                                                                    \
    "\xe2\x80\x94 witness.example/w2 ZBf2GQAAAABrBCsa4E0QllZ+jrNYjVy1EEhz4DT5WrG61Ba9QYJ8PAbKGm"   \
    "ZBic8pSZvJ43k3cxp74l0Wp/7r06ulksI8L9cCZ2qFBA==\n"
#define W_TIME 0x6b042b1a

static struct key *seed_key(uint8_t first)
{
    struct err err = {0};
    struct key *k;
    uint8_t der[48] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                       0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
    for (int i = 0; i < 32; i++)
        der[16 + i] = (uint8_t)(first + i);
    OK(key_from_pkcs8(str_of((char *)der, sizeof der), &k, &err));
    return k;
}

static struct key *go_key(void)
{
    return seed_key(1);
}

/* Ed25519 is deterministic: ours must be theirs to the byte, both ways. */
static void test_as_go(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    struct key *k = go_key(), *pub;
    struct note_verifier v, mine;
    struct buf b = {0};
    OK(note_sign(S(GO_TEXT), S(NAME), k, &b, &err));
    assert_true(str_eq(buf_str(&b), S(GO_NOTE)));
    OK(note_vkey_parse(S(GO_VKEY), &v, &pub, &err));
    OK(note_verifier(S(NAME), NOTE_ED25519, k, &mine, &err));
    assert_true(key_same_public(k, pub) && v.id == mine.id && v.id == 0x3c217c72);
    buf_clear(&b);
    note_vkey_write(&mine, &b);
    assert_true(str_eq(buf_str(&b), S(GO_VKEY)));
    struct note n;
    OK(note_open(&a, S(GO_NOTE), &v, 1, &n, &err));
    assert_int_equal(n.known, 1);
    struct checkpoint c;
    OK(checkpoint_parse(n.text, S(NAME), &c, &err));
    struct hash root = sha256(S("root"));
    assert_true(c.size == 7 && hash_eq(&c.root, &root));
    buf_clear(&b);
    OK(checkpoint_write(&c, &b, &err));
    assert_true(str_eq(buf_str(&b), S(GO_TEXT)));
    buf_fini(&b);
    key_free(k);
    key_free(pub);
}

static void test_each_byte(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    struct key *k = go_key();
    struct note_verifier v;
    struct note n;
    OK(note_verifier(S(NAME), NOTE_ED25519, k, &v, &err));
    str good = S(GO_NOTE);
    char *p = arena_dup(&a, good.p, good.n);
    for (size_t i = 0; i < good.n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            p[i] = (char)(good.p[i] ^ 1 << bit);
            assert_false(note_open(&a, str_of(p, good.n), &v, 1, &n, &err));
        }
        p[i] = good.p[i];
        assert_false(note_open(&a, str_take(good, i), &v, 1, &n, &err));
    }
    OK(note_open(&a, good, &v, 1, &n, &err));
    key_free(k);
}

#define SIG_LINE(name) "\xe2\x80\x94 " name " AAAAAAA=\n"
static const struct {
    const char *name;
    str bytes;
    bool ok;
} form_rows[] = {
    {"one unknown line", S("t\n\n" SIG_LINE("n")), true},
    {"empty lines in the text", S("t\n\n\nu\n\n" SIG_LINE("n")), true},
    {"two lines", S("t\n\n" SIG_LINE("n") SIG_LINE("m")), true},
    {"name of any script", S("t\n\n" SIG_LINE("\xc3\xa9")), true},
    {"no text", S("\n\n" SIG_LINE("n")), true}, /* one empty line is a text */
    {"nothing before the empty line", S("\n" SIG_LINE("n")), false},
    {"no signatures", S("t\n\n"), false},
    {"no empty line", S("t\n" SIG_LINE("n")), false},
    {"no final newline", S("t\n\n\xe2\x80\x94 n AAAAAAA="), false},
    {"newline after", S("t\n\n" SIG_LINE("n") "\n"), false},
    {"carriage returns", S("t\r\n\n" SIG_LINE("n")), false},
    {"tab", S("t\tu\n\n" SIG_LINE("n")), false},
    {"NUL", S("t\0\n\n" SIG_LINE("n")), false},
    {"delete", S("t\x7f\n\n" SIG_LINE("n")), false},
    {"bad UTF-8", S("t\xff\n\n" SIG_LINE("n")), false},
    {"hyphen for the dash", S("t\n\n- n AAAAAAA=\n"), false},
    {"en dash", S("t\n\n\xe2\x80\x93 n AAAAAAA=\n"), false},
    {"no name", S("t\n\n\xe2\x80\x94  AAAAAAA=\n"), false},
    {"two spaces", S("t\n\n\xe2\x80\x94 n  AAAAAAA=\n"), false},
    {"plus in the name", S("t\n\n" SIG_LINE("n+m")), false},
    {"wide space in the name", S("t\n\n" SIG_LINE("n\xe3\x80\x80m")), false},
    {"no-break space in the name", S("t\n\n" SIG_LINE("n\xc2\xa0m")), false},
    {"only an id", S("t\n\n\xe2\x80\x94 n AAAAAA==\n"), false},
    {"base64 without padding", S("t\n\n\xe2\x80\x94 n AAAAAAA\n"), false},
    {"base64 with trailing bits", S("t\n\n\xe2\x80\x94 n AAAAAAB=\n"), false},
    {"base64url", S("t\n\n\xe2\x80\x94 n AAAA-A8=\n"), false},
    {"text after the signatures", S("t\n\n" SIG_LINE("n") "u\n"), false},
    {"empty", S(""), false},
};

static void test_forms(void **state)
{
    for (size_t i = 0; i < sizeof form_rows / sizeof *form_rows; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct err err = {0};
        struct note n;
        if (note_parse(&a, form_rows[i].bytes, &n, &err) != form_rows[i].ok)
            fail_msg("%s: %s", form_rows[i].name, form_rows[i].ok ? err.text : "accepted");
    }
}

/* Unknown ones are ignored, a wrong known one refuses, a second one counts once, and sixteen are no
 * trouble. */
static void test_many_signers(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    enum { N = 16 };
    struct key *keys[N];
    struct note_verifier v[N];
    struct buf b = {0};
    str text = S(GO_TEXT);
    uint8_t sig[SIG_LEN];
    for (int i = 0; i < N; i++) {
        keys[i] = new_key(KEY_ED25519);
        OK(note_verifier(str_fmt(&a, "witness-%d", i), NOTE_ED25519, keys[i], &v[i], &err));
    }
    OK(note_sign(text, v[0].name, keys[0], &b, &err));
    for (int i = 1; i < N; i++) {
        OK(key_sign(keys[i], text, sig, &err));
        OK(note_put_sig(&v[i], str_of((char *)sig, SIG_LEN), &b, &err));
    }
    struct note n;
    OK(note_open(&a, buf_str(&b), v, N, &n, &err));
    assert_true(n.n == N && n.known == N);
    OK(note_open(&a, buf_str(&b), v + 3, 1, &n, &err));
    assert_true(n.known == 1 && n.sigs[3].verifier == 0 && n.sigs[0].verifier == -1);
    NO(ERR_DENIED, note_open(&a, buf_str(&b), v, 0, &n, &err));
    size_t before = buf_len(&b);
    OK(note_put_sig(&v[N - 1], str_of((char *)sig, SIG_LEN), &b, &err));
    OK(note_open(&a, buf_str(&b), v, N, &n, &err));
    assert_true(n.n == N + 1 && n.known == N && n.sigs[N].verifier == -1);
    buf_truncate(&b, before);
    OK(note_put_sig(&v[0], str_of((char *)sig, SIG_LEN), &b, &err));
    NO(ERR_DENIED, note_open(&a, buf_str(&b), v, N, &n, &err));
    OK(note_open(&a, buf_str(&b), v + 1, N - 1, &n, &err));
    while (n.n < NOTE_SIGS_MAX) {
        OK(note_put_sig(&v[5], str_of((char *)sig, SIG_LEN), &b, &err));
        n.n++;
    }
    OK(note_parse(&a, buf_str(&b), &n, &err));
    OK(note_put_sig(&v[5], str_of((char *)sig, SIG_LEN), &b, &err));
    NO(ERR_LIMIT, note_parse(&a, buf_str(&b), &n, &err));
    buf_fini(&b);
    for (int i = 0; i < N; i++)
        key_free(keys[i]);
}

static void test_cosignature(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    struct key *log = go_key(), *witness = new_key(KEY_ED25519), *parsed;
    struct note_verifier w, again;
    OK(note_verifier(S("witness.example"), NOTE_COSIGNATURE, witness, &w, &err));
    struct buf b = {0}, m = {0};
    note_vkey_write(&w, &b);
    OK(note_vkey_parse(buf_str(&b), &again, &parsed, &err));
    assert_true(again.type == NOTE_COSIGNATURE && again.id == w.id);
    struct buf note = {0};
    OK(note_sign(S(GO_TEXT), S(NAME), log, &note, &err));
    note_cosign_message(S(GO_TEXT), 1790000000, &m);
    assert_true(str_eq(buf_str(&m), S("cosignature/v1\ntime 1790000000\n" GO_TEXT)));
    uint8_t sig[8 + SIG_LEN] = {0, 0, 0, 0, 0x6a, 0xb1, 0x3b, 0x80}; /* 1790000000 */
    OK(key_sign(witness, buf_str(&m), sig + 8, &err));
    NO(ERR_INPUT, note_put_sig(&w, str_of((char *)sig, SIG_LEN), &note, &err));
    OK(note_put_sig(&w, str_of((char *)sig, sizeof sig), &note, &err));
    struct note n;
    OK(note_open(&a, buf_str(&note), &w, 1, &n, &err));
    assert_true(n.sigs[1].verifier == 0 && n.sigs[1].time_s == 1790000000);
    buf_clear(&note);
    OK(note_sign(S(GO_TEXT), S(NAME), log, &note, &err));
    sig[7] ^= 1;
    OK(note_put_sig(&w, str_of((char *)sig, sizeof sig), &note, &err));
    NO(ERR_DENIED, note_open(&a, buf_str(&note), &w, 1, &n, &err));
    buf_fini(&b);
    buf_fini(&m);
    buf_fini(&note);
    key_free(log);
    key_free(witness);
    key_free(parsed);
}

/* What a witness answers for `text` at that time. */
static void cosign(const struct note_verifier *w, str text, uint64_t time_s, struct buf *out)
{
    struct err err = {0};
    struct buf m = {0};
    char sig[8 + SIG_LEN];
    for (int i = 0; i < 8; i++)
        sig[i] = (char)(time_s >> (56 - 8 * i));
    note_cosign_message(text, time_s, &m);
    OK(key_sign(w->key, buf_str(&m), (uint8_t *)sig + 8, &err));
    OK(note_put_sig(w, str_of(sig, sizeof sig), out, &err));
    buf_fini(&m);
}

/* Key ids, times and bytes as a foreign witness makes them, both ways. */
static void test_as_torchwood(void **state)
{
    static const struct {
        uint8_t seed;
        str name, vkey, line;
        uint32_t id;
    } rows[] = {
        {0x21, S("witness.example/w1"), S(W1_VKEY), S(W1_LINE), 0x7bede9df},
        {0x41, S("witness.example/w2"), S(W2_VKEY), S(W2_LINE), 0x6417f619},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct err err = {0};
        struct key *k = seed_key(rows[i].seed), *pub;
        struct note_verifier mine, v;
        struct buf b = {0};
        OK(note_verifier(rows[i].name, NOTE_COSIGNATURE, k, &mine, &err));
        note_vkey_write(&mine, &b);
        assert_true(str_eq(buf_str(&b), rows[i].vkey));
        OK(note_vkey_parse(rows[i].vkey, &v, &pub, &err));
        assert_true(v.type == NOTE_COSIGNATURE && v.id == rows[i].id && mine.id == v.id);
        buf_clear(&b);
        cosign(&mine, S(GO_TEXT), W_TIME, &b);
        assert_true(str_eq(buf_str(&b), rows[i].line));
        buf_clear(&b);
        OK(note_add_cosignatures(S(GO_NOTE), rows[i].line, &v, 1, &b, &err));
        struct note n;
        OK(note_open(&a, buf_str(&b), &v, 1, &n, &err));
        assert_true(n.n == 2 && n.known == 1 && n.sigs[1].time_s == W_TIME);
        buf_fini(&b);
        key_free(k);
        key_free(pub);
    }
}

#define STRANGER SIG_LINE("stranger")
static void test_add_cosignatures(void **state)
{
    struct err err = {0};
    struct key *keys[2] = {seed_key(0x21), seed_key(0x41)};
    struct note_verifier w[2];
    struct buf newer = {0}, older = {0}, other = {0}, late = {0};
    OK(note_verifier(S("witness.example/w1"), NOTE_COSIGNATURE, keys[0], &w[0], &err));
    OK(note_verifier(S("witness.example/w2"), NOTE_COSIGNATURE, keys[1], &w[1], &err));
    cosign(&w[0], S(GO_TEXT), W_TIME + 1, &newer);
    cosign(&w[0], S(GO_TEXT), W_TIME - 1, &older);
    cosign(&w[0], S("another.example\n" GO_TEXT), W_TIME, &other);
    cosign(&w[0], S(GO_TEXT), (uint64_t)INT64_MAX + 1, &late);
    const str n = buf_str(&newer), o = buf_str(&older);
    ARENA_SCOPE struct arena a = {0};
#define JOIN(x, y) str_fmt(&a, "%.*s%.*s", STR(x), STR(y))
    const struct {
        const char *name;
        str note, lines, want; /* want empty: refused */
        enum err_kind kind;
    } rows[] = {
        {"one", S(GO_NOTE), S(W1_LINE), S(GO_NOTE W1_LINE), 0},
        {"two", S(GO_NOTE), S(W1_LINE W2_LINE), S(GO_NOTE W1_LINE W2_LINE), 0},
        {"a second witness", S(GO_NOTE W2_LINE), S(W1_LINE), S(GO_NOTE W2_LINE W1_LINE), 0},
        {"the same again", S(GO_NOTE W1_LINE), S(W1_LINE W1_LINE), S(GO_NOTE W1_LINE), 0},
        {"a newer one", S(GO_NOTE W1_LINE W2_LINE), n, JOIN(JOIN(S(GO_NOTE), n), S(W2_LINE)), 0},
        {"an older one", S(GO_NOTE W1_LINE), o, S(GO_NOTE W1_LINE), 0},
        {"newest of an answer", S(GO_NOTE), JOIN(JOIN(o, n), S(W1_LINE)), JOIN(S(GO_NOTE), n), 0},
        {"strangers", S(GO_NOTE STRANGER), S(STRANGER W1_LINE STRANGER),
         S(GO_NOTE STRANGER W1_LINE), 0},
        {"strangers alone", S(GO_NOTE), S(STRANGER), S(""), ERR_DENIED},
        {"of another text", S(GO_NOTE), buf_str(&other), S(""), ERR_DENIED},
        {"a good one and a wrong one", S(GO_NOTE), JOIN(n, buf_str(&other)), S(""), ERR_DENIED},
        {"a wrong one in the note", JOIN(S(GO_NOTE), buf_str(&other)), n, S(""), ERR_DENIED},
        {"a time past 2^63 - 1", S(GO_NOTE), buf_str(&late), S(""), ERR_DENIED},
        {"nothing", S(GO_NOTE), S(""), S(""), ERR_INPUT},
        {"a note for an answer", S(GO_NOTE), S(GO_NOTE), S(""), ERR_INPUT},
        {"cut off", S(GO_NOTE), str_take(S(W1_LINE), sizeof W1_LINE - 2), S(""), ERR_INPUT},
        {"an empty line", S(GO_NOTE), S("\n" W1_LINE), S(""), ERR_INPUT},
        {"no note", S(GO_TEXT), S(W1_LINE), S(""), ERR_INPUT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b = {0};
        err = (struct err){0};
        bool ok = note_add_cosignatures(rows[i].note, rows[i].lines, w, 2, &b, &err);
        if (ok != (rows[i].kind == ERR_NONE) || err.kind != rows[i].kind ||
            !str_eq(buf_str(&b), rows[i].want))
            fail_msg("%s: %s\n%.*s", rows[i].name, ok ? "other bytes" : err.text, STR(buf_str(&b)));
        buf_fini(&b);
    }
    struct buf full = {0};
    w[0].type = NOTE_ED25519;
    NO(ERR_INPUT, note_add_cosignatures(S(GO_NOTE), S(W1_LINE), w, 2, &full, &err));
    w[0].type = NOTE_COSIGNATURE;
    buf_put(&full, S(GO_NOTE));
    for (int i = 1; i < NOTE_SIGS_MAX; i++)
        buf_put(&full, S(STRANGER));
    size_t before = buf_len(&full);
    str whole = str_dup(&a, buf_str(&full));
    NO(ERR_LIMIT, note_add_cosignatures(whole, S(W1_LINE), w, 2, &full, &err));
    assert_int_equal(buf_len(&full), before);
    buf_fini(&full);
    buf_fini(&newer);
    buf_fini(&older);
    buf_fini(&other);
    buf_fini(&late);
    key_free(keys[0]);
    key_free(keys[1]);
}

/* A type that nobody here verifies is read, its id is checked, and it is no verifier. */
static void test_unknown_vkey(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    struct buf raw = {0}, text = {0};
    buf_putc(&raw, 6);
    for (int i = 0; i < 1312; i++)
        buf_putc(&raw, (char)i);
    const str parts[] = {S("w\n"), buf_str(&raw)};
    struct hash h = sha256_parts(parts, 2);
    buf_printf(&text, "w+%02x%02x%02x%02x+", h.b[0], h.b[1], h.b[2], h.b[3]);
    base64_encode(&text, buf_str(&raw));
    struct note_vkey v;
    struct note_verifier verifier;
    struct key *k;
    OK(note_vkey_read(&a, buf_str(&text), &v, &err));
    assert_true(v.type == 6 && v.key.n == 1312 && str_eq(v.name, S("w")) && v.id >> 24 == h.b[0]);
    NO(ERR_INPUT, note_vkey_parse(buf_str(&text), &verifier, &k, &err));
    text.mem[text.start + 2] ^= 1;
    NO(ERR_INPUT, note_vkey_read(&a, buf_str(&text), &v, &err));
    buf_fini(&raw);
    buf_fini(&text);
}

static void test_bad_vkeys(void **state)
{
    static const str rows[] = {
        S(""),
        S("+"),
        S("a+b+c"),
        S(NAME),
        S(NAME "+3c217c72"),
        S(NAME "+3c217c73+AXm1Vi6P5lT5QHixEuipi6eQH4U65pW+1+DjkQutBJZk"),
        S(NAME "+3C217C72+AXm1Vi6P5lT5QHixEuipi6eQH4U65pW+1+DjkQutBJZk"),
        S(NAME "x+3c217c72+AXm1Vi6P5lT5QHixEuipi6eQH4U65pW+1+DjkQutBJZk"),
        S(NAME "+3c217c72+Anm1Vi6P5lT5QHixEuipi6eQH4U65pW+1+DjkQutBJZk"),
        S(NAME "+3c217c72+AXm1Vi6P5lT5QHixEuipi6eQH4U65pW+1+DjkQutBJY="),
        S(NAME "+3c217c72+AXm1Vi6P5lT5QHixEuipi6eQH4U65pW+1+DjkQutBJZk\n"),
        S("a b+3c217c72+AXm1Vi6P5lT5QHixEuipi6eQH4U65pW+1+DjkQutBJZk"),
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {0};
        struct note_verifier v;
        struct key *k;
        NO(ERR_INPUT, note_vkey_parse(rows[i], &v, &k, &err));
    }
    struct err err = {0};
    struct note_verifier v;
    struct key *es = new_key(KEY_ES256), *ed = new_key(KEY_ED25519);
    struct buf b = {0};
    NO(ERR_INPUT, note_verifier(S("n"), NOTE_ED25519, es, &v, &err));
    NO(ERR_INPUT, note_verifier(S("n"), 2, ed, &v, &err));
    NO(ERR_INPUT, note_sign(S("no newline"), S("n"), ed, &b, &err));
    NO(ERR_INPUT, note_sign(S(""), S("n"), ed, &b, &err));
    NO(ERR_INPUT, note_sign(S("t\n"), S("n m"), ed, &b, &err));
    NO(ERR_INPUT, note_sign(S("t\n"), S("n"), es, &b, &err));
    assert_int_equal(buf_len(&b), 0);
    key_free(es);
    key_free(ed);
}

#define ROOT "SBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I="
static void test_bad_checkpoints(void **state)
{
    static const struct {
        str text;
        enum err_kind kind;
    } rows[] = {
        {S("o\n7\n" ROOT "\n"), ERR_NONE},
        {S("o\n9223372036854775807\n" ROOT "\n"), ERR_NONE},
        {S("p\n7\n" ROOT "\n"), ERR_DENIED},
        {S("o \n7\n" ROOT "\n"), ERR_DENIED},
        {S("\n7\n" ROOT "\n"), ERR_DENIED},
        {S("o\n07\n" ROOT "\n"), ERR_INPUT},
        {S("o\n-7\n" ROOT "\n"), ERR_INPUT},
        {S("o\n+7\n" ROOT "\n"), ERR_INPUT},
        {S("o\n\n" ROOT "\n"), ERR_INPUT},
        {S("o\n9223372036854775808\n" ROOT "\n"), ERR_INPUT},
        {S("o\n18446744073709551616\n" ROOT "\n"), ERR_INPUT},
        {S("o\n7\nAAAA\n"), ERR_INPUT},
        {S("o\n7\n" ROOT), ERR_INPUT},
        {S("o\n7\n" ROOT "\nextension\n"), ERR_INPUT},
        {S("o\n7\n" ROOT "\n\n"), ERR_INPUT},
        {S("o\n7\n"), ERR_INPUT},
        {S(""), ERR_INPUT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {0};
        struct checkpoint c;
        bool ok = checkpoint_parse(rows[i].text, S("o"), &c, &err);
        if (ok != (rows[i].kind == ERR_NONE) || err.kind != rows[i].kind)
            fail_msg("row %zu: %s", i, ok ? "accepted" : err.text);
    }
    struct err err = {0};
    struct buf b = {0};
    NO(ERR_INPUT, checkpoint_write(&(struct checkpoint){.origin = S("a\nb")}, &b, &err));
    NO(ERR_INPUT, checkpoint_write(&(struct checkpoint){0}, &b, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_go),
        cmocka_unit_test(test_each_byte),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_many_signers),
        cmocka_unit_test(test_cosignature),
        cmocka_unit_test(test_bad_vkeys),
        cmocka_unit_test(test_bad_checkpoints),
        cmocka_unit_test(test_as_torchwood),
        cmocka_unit_test(test_add_cosignatures),
        cmocka_unit_test(test_unknown_vkey),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
