#include "crypto/jws_int.h"
#include "base/hex.h"

/* ---- signing ---- */

static bool is_label(str s, size_t max)
{
    return s.n <= max && str_is_visible_ascii(s) && str_find_char(s, '|', 0) < 0;
}

/* Nothing that failed may leave half a token behind. */
static bool give_up(struct buf *out, size_t before)
{
    buf_truncate(out, before);
    return false;
}

bool jws_begin(str kid, str typ, str payload, struct buf *out, struct err *err)
{
    if (typ.n == 0 || !is_label(typ, JWS_TYP_BYTES_MAX))
        return err_input(err, "a token needs a typ of visible ASCII");
    if (kid.n > JWS_KID_BYTES_MAX || !str_is_visible_ascii(kid))
        return err_input(err, "a key id is at most %d visible ASCII characters", JWS_KID_BYTES_MAX);
    size_t before = buf_len(out);
    struct buf head = {0};
    struct jw w = jw(&head);
    jw_obj(&w);
    jw_kstr(&w, S("alg"), S("ES256"));
    if (kid.n)
        jw_kstr(&w, S("kid"), kid);
    jw_kstr(&w, S("typ"), typ);
    jw_end_obj(&w);
    base64url_encode(out, buf_str(&head));
    buf_fini(&head);
    buf_putc(out, '.');
    base64url_encode(out, payload);
    if (out->over || buf_len(out) - before + 1 + 86 > JWS_BYTES_MAX) {
        err_limit(err, "token over %d bytes", JWS_BYTES_MAX);
        return give_up(out, before);
    }
    return true;
}

bool jws_end(str sig, struct buf *out, struct err *err)
{
    if (sig.n != SIG_LEN)
        return err_input(err, "a signature has %d bytes", SIG_LEN);
    size_t before = buf_len(out);
    buf_putc(out, '.');
    base64url_encode(out, sig);
    if (out->over) {
        err_limit(err, "no room for a token");
        return give_up(out, before);
    }
    return true;
}

bool jws_sign(const struct key *key, str kid, str typ, str payload, struct buf *out,
              struct err *err)
{
    if (key_alg(key) != KEY_ES256)
        return err_input(err, "only ES256 keys sign tokens");
    size_t before = buf_len(out);
    uint8_t sig[SIG_LEN];
    if (!jws_begin(kid, typ, payload, out, err))
        return false;
    if (!key_sign(key, str_skip(buf_str(out), before), sig, err) ||
        !jws_end(str_of((const char *)sig, SIG_LEN), out, err))
        return give_up(out, before);
    return true;
}

/* ---- verifying ---- */

bool jws_split(struct arena *a, str token, struct jws_parts *out, struct err *err)
{
    if (token.n > JWS_BYTES_MAX)
        return err_limit(err, "token over %d bytes", JWS_BYTES_MAX);
    str head, rest, body, sig;
    if (!str_cut(token, '.', &head, &rest) || !str_cut(rest, '.', &body, &sig) ||
        str_find_char(sig, '.', 0) >= 0)
        return err_input(err, "token: not three parts");
    if (head.n > (JWS_HEADER_BYTES_MAX + 2) / 3 * 4)
        return err_limit(err, "token: header over %d bytes", JWS_HEADER_BYTES_MAX);
    if (!base64url_decode(a, head, &out->header) || !base64url_decode(a, body, &out->payload) ||
        !base64url_decode(a, sig, &out->sig))
        return err_input(err, "token: not base64url");
    out->signed_text = str_take(token, head.n + 1 + body.n);
    return true;
}

/* Which members may stand in a header, and as what. */
enum member {
    MEMBER_TEXT,    /* read below */
    MEMBER_IGNORED, /* harmless: says which certificate, which we do not look up */
    MEMBER_JWK,     /* only in a proof of possession */
};
static const struct {
    const char *name;
    enum member what;
} MEMBERS[] = {
    {"alg", MEMBER_TEXT},    {"typ", MEMBER_TEXT},         {"kid", MEMBER_TEXT},
    {"x5t", MEMBER_IGNORED}, {"x5t#S256", MEMBER_IGNORED}, {"jwk", MEMBER_JWK},
};

static bool member_is_allowed(str name, const json *value, bool proof)
{
    for (size_t i = 0; i < sizeof MEMBERS / sizeof *MEMBERS; i++) {
        if (!str_eq(name, str_z(MEMBERS[i].name)))
            continue;
        if (MEMBERS[i].what == MEMBER_JWK)
            return proof && json_type(value) == JSON_OBJECT;
        return json_type(value) == JSON_STRING;
    }
    return false;
}

bool jws_header(struct arena *a, str text, bool proof, const json **out, struct err *err)
{
    const struct json_limits limits = {
        .bytes_max = JWS_HEADER_BYTES_MAX, .depth_max = 3, .values_max = 64};
    const json *header, *value;
    if (!json_read(a, text, &limits, &header, err))
        return err_in(err, "token header");
    if (json_type(header) != JSON_OBJECT)
        return err_input(err, "token header: not an object");
    str name;
    for (struct json_iter it = json_iter(header); json_next(&it, &name, &value);)
        if (!member_is_allowed(name, value, proof))
            return err_input(err, "token header: a member that is not allowed, or not of its type");
    *out = header;
    return true;
}

bool jws_typ_matches(const json *typ, str demand)
{
    if (demand.n == 0)
        return false;
    /* An empty typ is not the same as none. */
    if (typ && json_str(typ).n == 0)
        return false;
    str one, rest = demand;
    for (bool more = true; more;) {
        more = str_cut(rest, '|', &one, &rest);
        if (typ ? str_eq(one, json_str(typ)) : one.n == 0)
            return true;
    }
    return false;
}

static bool open_token(struct arena *a, str token, str typ, bool proof, struct jws_parts *parts,
                       const json **header, struct err *err)
{
    if (!jws_split(a, token, parts, err))
        return false;
    if (parts->sig.n != SIG_LEN)
        return err_input(err, "token: a signature has %d bytes", SIG_LEN);
    if (!jws_header(a, parts->header, proof, header, err))
        return false;
    if (!str_eq(json_get_str(*header, S("alg")), S("ES256")))
        return err_input(err, "token header: alg is not ES256");
    if (!jws_typ_matches(json_get(*header, S("typ")), typ))
        return err_input(err, "token header: typ is not the one wanted here");
    return true;
}

static struct jws result(const json *header, const struct jws_parts *parts, const struct key *key)
{
    return (struct jws){.typ = json_get_str(header, S("typ")),
                        .kid = json_get_str(header, S("kid")),
                        .payload = parts->payload,
                        .key = key};
}

static const struct key *pick(const struct keyset *set, const json *header)
{
    if (set->n == 1 && set->items[0].kid_n == 0)
        return set->items[0].key;
    str kid = json_get_str(header, S("kid"));
    return kid.n ? keyset_find(set, kid) : NULL;
}

bool jws_verify(struct arena *a, str token, const struct keyset *set, str typ, struct jws *out,
                struct err *err)
{
    struct jws_parts parts;
    const json *header;
    if (!open_token(a, token, typ, false, &parts, &header, err))
        return false;
    const struct key *key = pick(set, header);
    if (!key)
        return err_notfound(err, "token: signed by a key that is not known here");
    if (key_alg(key) != KEY_ES256 || !key_verify(key, parts.signed_text, parts.sig))
        return err_denied(err, "token: wrong signature");
    *out = result(header, &parts, key);
    return true;
}

bool jws_verify_proof(struct arena *a, str token, str typ, struct jws *out, struct key **out_key,
                      struct err *err)
{
    struct jws_parts parts;
    const json *header;
    if (!open_token(a, token, typ, true, &parts, &header, err))
        return false;
    const json *jwk = json_get(header, S("jwk"));
    if (!jwk || json_get(header, S("kid")))
        return err_input(err, "proof header: needs jwk and has no kid");
    struct key *key;
    if (!key_from_jwk(jwk, &key, err))
        return err_in(err, "proof header");
    if (key_alg(key) != KEY_ES256 || !key_verify(key, parts.signed_text, parts.sig)) {
        key_free(key);
        return err_denied(err, "proof: wrong signature");
    }
    *out = result(header, &parts, key);
    *out_key = key;
    return true;
}
