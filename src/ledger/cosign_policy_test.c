#include "ledger/cosign_policy.h"
#include "base/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* Keys, a checkpoint and cosignatures made with golang.org/x/mod v0.42.0 and filippo.io/torchwood
 * v0.9.0, as in src/crypto/note_test.c. */
#define LOG "ambit.example/log+3c217c72+AXm1Vi6P5lT5QHixEuipi6eQH4U65pW+1+DjkQutBJZk"
#define W1  "witness.example/w1+7bede9df+BOfxYqEL7FWa/qGV5NzoS2lWjV0ssJY+tEbAaF4rF/Lw"
#define W2  "witness.example/w2+6417f619+BK3BQBH4LRxW2VaqT51z2IWDYaYGBIUl4NCMY43HXdjH"
#define NOTE                                                                                       \
    "ambit.example/log\n7\nSBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=\n\n"                       \
    "\xe2\x80\x94 ambit.example/log PCF8cq6v2Ta6WwgcPQnQRFkmV6h2/tLMICt6VEt1X1suyIAtzXufKey1hiAyb" \
    "Hq/RiGBj7+YpO+yckJsgFyHvjDAhwk=\n"
#define W1_LINE                                                                                    \
    "\xe2\x80\x94 witness.example/w1 e+3p3wAAAABrBCsaSHZtZ4eaft0nSo5nyoDxKcs0LuWZ1APPg46v2/"       \
    "lSI7qyL1lMd7j9wg83OpTyhoHjE8s5MEKHaVYAnF0LNn9ZCg==\n"
#define W2_LINE                                                                                    \
    "\xe2\x80\x94 witness.example/w2 ZBf2GQAAAABrBCsa4E0QllZ+jrNYjVy1EEhz4DT5WrG61Ba9QYJ8PAbKGm"   \
    "ZBic8pSZvJ43k3cxp74l0Wp/7r06ulksI8L9cCZ2qFBA==\n"
#define HEAD "log " LOG "\nwitness a " W1 "\nwitness b " W2 "\n"

#define OK(call)                                                                                   \
    do {                                                                                           \
        if (!(call))                                                                               \
            fail_msg("%s: %s", #call, err.text);                                                   \
    } while (0)

static const struct {
    const char *name;
    str text;
    const char *refused; /* a part of the complaint; NULL: accepted */
} rows[] = {
    {"none", S("quorum none\n"), NULL},
    {"one witness", S(HEAD "quorum a\n"), NULL},
    {"one group", S(HEAD "group g 2 a b\nquorum g\n"), NULL},
    {"white space and comments", S("\n \t\n# c\n\t # \xff\n\tquorum \t none \n"), NULL},
    {"URLs", S("log " LOG " https://l/\nwitness a " W1 " x\nquorum a\n"), NULL},
    {"groups of groups", S(HEAD "group g any a\ngroup h all g b\nquorum h\n"), NULL},
    {"a name of any octets", S("witness \xff#+ " W1 "\nquorum \xff#+\n"), NULL},
    {"the quorum before a witness", S("quorum none\nwitness a " W1 "\n"), NULL},
    {"empty", S(""), "no `quorum` line"},
    {"no quorum", S(HEAD), "no `quorum` line"},
    {"two quorums", S("quorum none\nquorum none\n"), "line 2: a second quorum"},
    {"two quorums, none last", S(HEAD "quorum a\nquorum none\n"), "line 5: a second quorum"},
    {"quorum of nobody", S("quorum a\n"), "the quorum is no witness"},
    {"quorum before its witness", S("quorum a\nwitness a " W1 "\n"), "line 1: the quorum"},
    {"quorum of a log", S("log " LOG "\nquorum " LOG "\n"), "the quorum is no witness"},
    {"last line cut off", S(HEAD "quorum a"), "no newline"},
    {"carriage return", S("quorum none\r\n"), "control characters"},
    {"NUL", S("quorum none\0\n"), "control characters"},
    {"delete", S("# \x7f\nquorum none\n"), "control characters"},
    {"vertical tab", S("quorum\vnone\n"), "control characters"},
    {"unknown keyword", S("mirror a\nquorum none\n"), "line 1: begins with none of"},
    {"upper case", S("Quorum none\n"), "begins with none of"},
    {"comment after items", S("quorum none # c\n"), "`quorum NAME`"},
    {"comment as URL", S("log " LOG " #c\nquorum none\n"), "a line of its own"},
    {"log without a key", S("log\nquorum none\n"), "`log VKEY [URL]`"},
    {"log with too much", S("log " LOG " a b\nquorum none\n"), "`log VKEY [URL]`"},
    {"witness without a key", S("witness a\nquorum none\n"), "`witness NAME VKEY [URL]`"},
    {"group without members", S(HEAD "group g all\nquorum a\n"), "`group NAME"},
    {"log's id does not fit", S("log x" LOG "\nquorum none\n"), "the hash does not fit"},
    {"log with a witness's key", S("log " W1 "\nquorum none\n"), "needs a key of type 1"},
    {"witness with a log's type", S("witness a " LOG "\nquorum none\n"), "needs a key of type 4"},
    {"a log twice", S("log " LOG "\nlog " LOG " u\nquorum none\n"), "line 2: the key is one"},
    {"a witness twice", S("witness a " W1 "\nwitness b " W1 "\nquorum a\n"), "line 2: the key"},
    {"a witness's key by another name",
     S("witness a " W1
       "\nwitness b x+bc1cc025+BOfxYqEL7FWa/qGV5NzoS2lWjV0ssJY+tEbAaF4rF/Lw\nquorum a\n"),
     "line 2: the key"},
    {"a name twice", S("witness a " W1 "\nwitness a " W2 "\nquorum a\n"), "line 2: the name is"},
    {"a group named as a witness", S(HEAD "group a any b\nquorum a\n"), "the name is defined"},
    {"a witness named none", S("witness none " W1 "\nquorum none\n"), "`none` is taken"},
    {"a group named none", S(HEAD "group none any a\nquorum none\n"), "`none` is taken"},
    {"none as a member", S(HEAD "group g any none\nquorum g\n"), "member 1 is no witness"},
    {"a group in itself", S(HEAD "group g any a g\nquorum g\n"), "member 2 is no witness"},
    {"a member twice", S(HEAD "group g 2 a a\nquorum g\n"), "member 2 is a member already"},
    {"a member of two groups", S(HEAD "group g any a\ngroup h any a b\nquorum h\n"), "line 5: m"},
    {"threshold 0", S(HEAD "group g 0 a b\nquorum g\n"), "from 1 to its number of members, 2"},
    {"threshold 3 of 2", S(HEAD "group g 3 a b\nquorum g\n"), "from 1 to"},
    {"threshold 01", S(HEAD "group g 01 a b\nquorum g\n"), "`all`, `any` or a number"},
    {"threshold +1", S(HEAD "group g +1 a b\nquorum g\n"), "`all`, `any` or a number"},
    {"threshold past 64 bits", S(HEAD "group g 18446744073709551617 a\nquorum g\n"), "or a number"},
    {"threshold past 32 bits", S(HEAD "group g 4294967297 a\nquorum g\n"), "from 1 to"},
};

static void test_forms(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct err err = {0};
        const struct cosign_policy *p;
        bool ok = cosign_policy_parse(&a, rows[i].text, &p, &err);
        if (ok == (rows[i].refused != NULL) || (!ok && !strstr(err.text, rows[i].refused)))
            fail_msg("%s: %s", rows[i].name, ok ? "accepted" : err.text);
    }
}

/* A vkey of that type over made-up bytes. */
static void put_vkey(struct buf *out, const char *name, uint8_t type, size_t n, unsigned seed)
{
    struct buf raw = {0}, b64 = {0};
    buf_putc(&raw, (char)type);
    for (size_t i = 0; i < n; i++)
        buf_putc(&raw, (char)(i * 7 + seed));
    const str parts[] = {str_z(name), S("\n"), buf_str(&raw)};
    struct hash h = sha256_parts(parts, 3);
    base64_encode(&b64, buf_str(&raw));
    buf_printf(out, "%s+%02x%02x%02x%02x+%.*s", name, h.b[0], h.b[1], h.b[2], h.b[3],
               STR(buf_str(&b64)));
    buf_fini(&raw);
    buf_fini(&b64);
}

/* ML-DSA-44 witnesses are kept and never count; a quorum that needs them is refused. */
static void test_unknown_types(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    const struct cosign_policy *p;
    struct buf b = {0}, again = {0};
    buf_put(&b, S(HEAD "witness m "));
    put_vkey(&b, "m", 6, 1312, 0);
    buf_put(&b, S(" https://m/\n"));
    size_t head = buf_len(&b);
    buf_put(&b, S("group g 2 a b m\nquorum g\n"));
    OK(cosign_policy_parse(&a, buf_str(&b), &p, &err));
    assert_true(p->n_witnesses == 3 && !p->witnesses[2].key && p->witnesses[1].key);
    cosign_policy_write(p, &again);
    assert_true(str_eq(buf_str(&again), buf_str(&b)));
    buf_truncate(&b, head);
    buf_put(&b, S("group g all a b m\nquorum g\n"));
    assert_false(cosign_policy_parse(&a, buf_str(&b), &p, &err));
    assert_non_null(strstr(err.text, "cannot be verified here"));
    buf_fini(&b);
    buf_fini(&again);
}

/* 32 of each are read, one more is not. */
static void test_limits(void **state)
{
    static const char *const KINDS[] = {"logs", "witnesses", "groups"};
    for (int kind = 0; kind < 3; kind++) {
        for (int over = 0; over < 2; over++) {
            ARENA_SCOPE struct arena a = {0};
            struct err err = {0};
            const struct cosign_policy *p;
            struct buf b = {0};
            if (kind == 2)
                buf_put(&b, S(HEAD));
            for (int i = 0; i < 32 + over; i++) {
                if (kind == 2) {
                    buf_printf(&b, "group g%d any %s%d\n", i, i ? "g" : "a\n# ", i - 1);
                    continue;
                }
                buf_printf(&b, kind ? "witness w%d " : "log ", i);
                put_vkey(&b, "k", 6, 40, (unsigned)i);
                buf_putc(&b, '\n');
            }
            buf_put(&b, S("quorum none\n"));
            bool ok = cosign_policy_parse(&a, buf_str(&b), &p, &err);
            if (ok == (over == 1) ||
                (!ok && (err.kind != ERR_LIMIT || !strstr(err.text, KINDS[kind]))))
                fail_msg("%d %s: %s", 32 + over, KINDS[kind], ok ? "accepted" : err.text);
            buf_fini(&b);
        }
    }
}

/* Operators are counted, not signatures: x has a, b, y has c and d; y needs both of its own; two of
 * x, y and the witness e are a quorum. */
static void test_quorum(void **state)
{
    const struct cosign_group g[] = {
        {{"x", 1}, 1, 0x3}, {{"y", 1}, 2, 0xc}, {{"q", 1}, 2, 3ull << 32 | 0x10}};
    struct cosign_policy p = {.n_witnesses = 5, .n_groups = 3, .quorum = 1ull << 34};
    memcpy(p.groups, g, sizeof g);
    for (uint64_t set = 0; set < 32; set++) {
        bool x = set & 3, y = (set & 12) == 12, e = set & 16;
        assert_int_equal(witness_policy_met(&p, set), x + y + e >= 2);
    }
    assert_false(witness_policy_met(&p, 7ull << 32)); /* groups are not for the caller to claim */
    assert_false(witness_policy_met(&(struct cosign_policy){0}, UINT64_MAX));
}

static void test_signers(void **state)
{
    static const struct {
        const char *name;
        str policy, note;
        bool ok, met;
        uint64_t cosigned;
    } cases[] = {
        {"all", S(HEAD "group g all a b\nquorum g\n"), S(NOTE W1_LINE W2_LINE), true, true, 3},
        {"half", S(HEAD "group g all a b\nquorum g\n"), S(NOTE W2_LINE), true, false, 2},
        {"twice the same", S(HEAD "group g 2 a b\nquorum g\n"), S(NOTE W1_LINE W1_LINE), true,
         false, 1},
        {"any", S(HEAD "group g any a b\nquorum g\n"), S(NOTE W2_LINE), true, true, 2},
        {"none needed", S("log " LOG "\nquorum none\n"), S(NOTE W2_LINE), true, true, 0},
        {"no log in the policy", S("witness a " W1 "\nquorum a\n"), S(NOTE W1_LINE), false, 0, 0},
        {"nobody known", S("quorum none\n"), S(NOTE), false, 0, 0},
        {"not the log's", S(HEAD "quorum a\n"),
         S("ambit.example/log\n7\nSBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=\n\n" W1_LINE), false,
         0, 0},
        {"another text", S(HEAD "quorum a\n"),
         S("ambit.example/log\n8\nSBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=\n\n" W1_LINE), false,
         0, 0},
        {"no note", S(HEAD "quorum a\n"), S("ambit.example/log\n"), false, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct err err = {0};
        const struct cosign_policy *p;
        struct cosign_signers s;
        OK(cosign_policy_parse(&a, cases[i].policy, &p, &err));
        bool ok = cosign_policy_signers(&a, p, cases[i].note, &s, &err);
        if (ok != cases[i].ok)
            fail_msg("%s: %s", cases[i].name, ok ? "accepted" : err.text);
        if (!ok)
            continue;
        if (s.cosigned != cases[i].cosigned || witness_policy_met(p, s.cosigned) != cases[i].met ||
            s.log != 0 || s.checkpoint.size != 7)
            fail_msg("%s: cosigned %d", cases[i].name, (int)s.cosigned);
        assert_int_equal(s.time_s[1], s.cosigned & 2 ? 0x6b042b1a : 0);
    }
}

/* A log of the policy that signs for an origin that is not its own. */
static void test_origin(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    const struct cosign_policy *p;
    struct cosign_signers s;
    struct key *k;
    struct note_verifier v;
    for (int own = 0; own < 2; own++) {
        struct buf policy = {0}, note = {0};
        str text = str_fmt(&a, "%s\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
                           own ? "one" : "two");
        OK(key_generate(KEY_ED25519, &k, &err));
        OK(note_verifier(S("one"), NOTE_ED25519, k, &v, &err));
        buf_put(&policy, S("log "));
        note_vkey_write(&v, &policy);
        buf_put(&policy, S("\nquorum none\n"));
        OK(note_sign(text, S("one"), k, &note, &err));
        OK(cosign_policy_parse(&a, buf_str(&policy), &p, &err));
        bool ok = cosign_policy_signers(&a, p, buf_str(&note), &s, &err);
        assert_int_equal(ok, own);
        buf_fini(&policy);
        buf_fini(&note);
        key_free(k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),   cmocka_unit_test(test_unknown_types),
        cmocka_unit_test(test_limits),  cmocka_unit_test(test_quorum),
        cmocka_unit_test(test_signers), cmocka_unit_test(test_origin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
