/* Names, keys and the writing of notes and checkpoints; note_read.c reads them. */
#include "crypto/note_impl.h"
#include "base/hex.h"

/* White space as Unicode has it, since names from logs are split by readers that know all of it. */
static bool is_space(const uint8_t *p, size_t left)
{
    if (p[0] <= 0x20 || p[0] == 0x7f)
        return true;
    if (left >= 2 && p[0] == 0xc2)
        return p[1] == 0x85 || p[1] == 0xa0;
    if (left < 3)
        return false;
    uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
    return v == 0xe19a80 || (v >= 0xe28080 && v <= 0xe2808a) || v == 0xe280a8 || v == 0xe280a9 ||
           v == 0xe280af || v == 0xe2819f || v == 0xe38080;
}

bool note_name_is_valid(str name)
{
    if (name.n == 0 || name.n > NOTE_NAME_BYTES_MAX || !str_is_utf8(name))
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] == '+' || is_space((const uint8_t *)name.p + i, name.n - i))
            return false;
    return true;
}

/* type || public key, as it is hashed and as it stands in a vkey. */
static str typed_key(enum note_type type, const struct key *pub, uint8_t out[1 + KEY_RAW_MAX])
{
    out[0] = (uint8_t)type;
    return str_of((const char *)out, 1 + key_to_raw(pub, out + 1));
}

static uint32_t id_of(struct hash h)
{
    return (uint32_t)h.b[0] << 24 | (uint32_t)h.b[1] << 16 | (uint32_t)h.b[2] << 8 | h.b[3];
}

uint32_t note_key_id(str name, enum note_type type, const struct key *pub)
{
    uint8_t raw[1 + KEY_RAW_MAX];
    const str parts[] = {name, S("\n"), typed_key(type, pub, raw)};
    return id_of(sha256_parts(parts, 3));
}

bool note_verifier(str name, enum note_type type, const struct key *pub, struct note_verifier *out,
                   struct err *err)
{
    if (!note_name_is_valid(name))
        return err_input(err, "note: a key's name has no white space, '+' or control characters");
    if ((type != NOTE_ED25519 && type != NOTE_COSIGNATURE) || key_alg(pub) != KEY_ED25519)
        return err_input(err, "note: only Ed25519 keys sign notes");
    *out = (struct note_verifier){
        .name = name, .type = type, .id = note_key_id(name, type, pub), .key = pub};
    return true;
}

static bool parse_id(str hex, uint32_t *out)
{
    ARENA_SCOPE struct arena a = {0};
    str b;
    if (hex.n != 8 || !hex_decode(&a, hex, &b))
        return false;
    const uint8_t *p = (const uint8_t *)b.p;
    *out = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    return true;
}

bool note_vkey_read(struct arena *a, str text, struct note_vkey *out, struct err *err)
{
    str name, rest, hex, b64, raw;
    uint32_t id;
    if (text.n > NOTE_VKEY_BYTES_MAX || !str_cut(text, '+', &name, &rest) ||
        !str_cut(rest, '+', &hex, &b64) || !parse_id(hex, &id) || !base64_decode(a, b64, &raw) ||
        raw.n < 2)
        return err_input(err, "verifier key: not name+hash+base64 of a type and a public key");
    const str parts[] = {name, S("\n"), raw};
    if (!note_name_is_valid(name) || id_of(sha256_parts(parts, 3)) != id)
        return err_input(err, "verifier key: bad name, or the hash does not fit the name and key");
    *out = (struct note_vkey){
        .name = name, .id = id, .type = (uint8_t)raw.p[0], .key = str_skip(raw, 1)};
    return true;
}

bool note_vkey_parse(str text, struct note_verifier *out, struct key **key, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    struct note_vkey vkey;
    struct key *pub;
    if (!note_vkey_read(&a, text, &vkey, err))
        return false;
    if (vkey.key.n != 32 || (vkey.type != NOTE_ED25519 && vkey.type != NOTE_COSIGNATURE))
        return err_input(err, "verifier key: not of a type that we can verify (Ed25519)");
    if (!key_from_raw(KEY_ED25519, vkey.key, &pub, err))
        return err_in(err, "verifier key");
    *out = (struct note_verifier){
        .name = vkey.name, .type = (enum note_type)vkey.type, .id = vkey.id, .key = pub};
    *key = pub;
    return true;
}

void note_vkey_write(const struct note_verifier *v, struct buf *out)
{
    uint8_t raw[1 + KEY_RAW_MAX];
    buf_put(out, v->name);
    buf_printf(out, "+%08x+", v->id);
    base64_encode(out, typed_key(v->type, v->key, raw));
}

/* ---- notes ---- */

bool note_text_is_valid(str text)
{
    if (text.n == 0 || text.n > NOTE_BYTES_MAX || text.p[text.n - 1] != '\n' || !str_is_utf8(text))
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (((unsigned char)text.p[i] < 0x20 && text.p[i] != '\n') || text.p[i] == 0x7f)
            return false;
    return true;
}

static bool give_up(struct buf *out, size_t before)
{
    buf_truncate(out, before);
    return false;
}

void note_put_line(str name, uint32_t id, str sig, struct buf *out)
{
    struct buf blob = {0};
    const char bytes[4] = {(char)(id >> 24), (char)(id >> 16), (char)(id >> 8), (char)id};
    buf_put(&blob, str_of(bytes, sizeof bytes));
    buf_put(&blob, sig);
    buf_put(out, S(NOTE_SIG_MARK));
    buf_put(out, name);
    buf_putc(out, ' ');
    base64_encode(out, buf_str(&blob));
    buf_putc(out, '\n');
    buf_fini(&blob);
}

bool note_put_sig(const struct note_verifier *who, str sig, struct buf *out, struct err *err)
{
    size_t before = buf_len(out);
    if (sig.n != (who->type == NOTE_COSIGNATURE ? 8 + SIG_LEN : SIG_LEN))
        return err_input(err, "note: a signature of the wrong length");
    note_put_line(who->name, who->id, sig, out);
    if (out->over) {
        err_limit(err, "note: no room");
        return give_up(out, before);
    }
    return true;
}

bool note_sign(str text, str name, const struct key *key, struct buf *out, struct err *err)
{
    struct note_verifier who;
    uint8_t sig[SIG_LEN];
    size_t before = buf_len(out);
    if (!note_verifier(name, NOTE_ED25519, key, &who, err))
        return false;
    if (!note_text_is_valid(text))
        return err_input(err, "note: text must end in a newline and hold no control characters");
    if (!key_sign(key, text, sig, err))
        return false;
    buf_put(out, text);
    buf_putc(out, '\n');
    return note_put_sig(&who, str_of((const char *)sig, SIG_LEN), out, err) || give_up(out, before);
}

void note_cosign_message(str text, uint64_t time_s, struct buf *out)
{
    buf_put(out, S("cosignature/v1\ntime "));
    buf_u64(out, time_s);
    buf_putc(out, '\n');
    buf_put(out, text);
}

/* ---- checkpoints ---- */

static bool origin_is_valid(str origin)
{
    if (origin.n == 0 || origin.n > NOTE_NAME_BYTES_MAX || !str_is_utf8(origin))
        return false;
    for (size_t i = 0; i < origin.n; i++)
        if ((unsigned char)origin.p[i] < 0x20 || origin.p[i] == 0x7f)
            return false;
    return true;
}

bool checkpoint_write(const struct checkpoint *c, struct buf *out, struct err *err)
{
    if (!origin_is_valid(c->origin))
        return err_input(err, "checkpoint: an origin is one line of 1 to %d bytes",
                         NOTE_NAME_BYTES_MAX);
    if (c->size > MERKLE_SIZE_MAX)
        return err_limit(err, "checkpoint: no tree is that large");
    size_t before = buf_len(out);
    buf_put(out, c->origin);
    buf_putc(out, '\n');
    buf_u64(out, c->size);
    buf_putc(out, '\n');
    base64_encode(out, hash_str(&c->root));
    buf_putc(out, '\n');
    if (out->over) {
        err_limit(err, "checkpoint: no room");
        return give_up(out, before);
    }
    return true;
}

bool checkpoint_parse(str text, str origin, struct checkpoint *out, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    str first, size, root, rest, bytes;
    struct checkpoint c;
    if (!str_cut(text, '\n', &first, &rest) || !str_cut(rest, '\n', &size, &rest) ||
        !str_cut(rest, '\n', &root, &rest) || rest.n != 0)
        return err_input(err, "checkpoint: not the three lines origin, size, root");
    if (!origin_is_valid(first) || !str_eq(first, origin))
        return err_denied(err, "checkpoint: of another log");
    if (!str_to_u64(size, &c.size) || c.size > MERKLE_SIZE_MAX)
        return err_input(err, "checkpoint: the size is not a number of leaves");
    if (!base64_decode(&a, root, &bytes) || bytes.n != HASH_LEN)
        return err_input(err, "checkpoint: the root is not base64 of %d bytes", HASH_LEN);
    c.origin = first;
    memcpy(c.root.b, bytes.p, HASH_LEN);
    *out = c;
    return true;
}
