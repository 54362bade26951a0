#include "people/webauthn.h"
#include "base/hex.h"

/* ---- clientDataJSON ---- */

static bool client_data_parse(struct arena *a, str text, const json **out, struct err *err)
{
    struct json_limits limits = {
        .bytes_max = WEBAUTHN_CLIENT_DATA_BYTES_MAX, .depth_max = 8, .values_max = 64};
    struct err why;
    if (!json_read(a, text, &limits, out, &why) || json_type(*out) != JSON_OBJECT)
        return err_input(err, "the browser's clientDataJSON is not one strict JSON object");
    return true;
}

bool client_data_challenge(struct arena *a, str text, str *out, struct err *err)
{
    const json *root;
    if (!client_data_parse(a, text, &root, err))
        return false;
    return base64url_decode(a, json_get_str(root, S("challenge")), out) ||
           err_input(err, "the browser's clientDataJSON has no challenge");
}

static str type_name(enum webauthn_type type)
{
    return type == WEBAUTHN_CREATE ? S("webauthn.create")
           : type == WEBAUTHN_GET  ? S("webauthn.get")
                                   : (str){0};
}

/* crossOrigin may be absent or false, topOrigin (level 3) only absent: no page frames the portal.
 */
static bool same_site(const json *root)
{
    const json *cross = json_get(root, S("crossOrigin"));
    bool cross_ok = !cross || (json_type(cross) == JSON_BOOL && !json_bool(cross));
    return cross_ok && !json_get(root, S("topOrigin"));
}

bool client_data_check(str text, enum webauthn_type type, const struct relying_party *rp,
                       str challenge, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    const json *root;
    str got;
    if (!client_data_parse(&a, text, &root, err) || !client_data_challenge(&a, text, &got, err))
        return false;
    if (!type_name(type).n || !str_eq(json_get_str(root, S("type")), type_name(type)))
        return err_denied(err, "the passkey's answer is of another kind of ceremony");
    if (!rp->origin.n || !str_eq(json_get_str(root, S("origin")), rp->origin) || !same_site(root))
        return err_denied(err, "the passkey was used on another site than %.*s", STR(rp->origin));
    if (!challenge.n || !str_eq_secret(got, challenge))
        return err_denied(err, "the passkey signed something else than what was asked; reload the "
                               "page and look again");
    return true;
}

/* ---- keys: one encoding each (CTAP2 canonical CBOR), so a template instead of a parser ---- */

#define BYTES(lit) (lit), sizeof(lit) - 1

static const struct template
{
    enum cose_alg alg;
    const char *name;
    struct {
        const char *fixed;
        size_t fixed_n;
        size_t key_n; /* bytes of the key after the fixed ones */
    } parts[2];
}
TEMPLATES[] = {
    /* {1: 2, 3: -7, -1: 1, -2: x, -3: y} */
    {COSE_ALG_ES256,
     "ES256",
     {{BYTES("\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20"), 32}, {BYTES("\x22\x58\x20"), 32}}},
    /* {1: 1, 3: -8, -1: 6, -2: x} */
    {COSE_ALG_EDDSA, "EdDSA", {{BYTES("\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20"), 32}}},
    /* {1: 3, 3: -257, -1: n, -2: e} */
    {COSE_ALG_RS256,
     "RS256",
     {{BYTES("\xa4\x01\x03\x03\x39\x01\x00\x20\x59\x01\x00"), 256}, {BYTES("\x21\x43"), 3}}},
};
enum { TEMPLATES_N = sizeof TEMPLATES / sizeof TEMPLATES[0] };

const char *cose_alg_name(enum cose_alg alg)
{
    for (size_t i = 0; i < TEMPLATES_N; i++)
        if (TEMPLATES[i].alg == alg)
            return TEMPLATES[i].name;
    return "none";
}

static bool fits(const struct template *t, str bytes, size_t *used, struct cose_key *out)
{
    size_t at = 0, raw_n = 0;
    for (size_t i = 0; i < 2 && t->parts[i].fixed_n; i++) {
        str rest = str_skip(bytes, at);
        str fixed = str_of(t->parts[i].fixed, t->parts[i].fixed_n);
        if (!str_starts(rest, fixed) || rest.n < fixed.n + t->parts[i].key_n)
            return false;
        memcpy(out->raw + raw_n, rest.p + fixed.n, t->parts[i].key_n);
        raw_n += t->parts[i].key_n;
        at += fixed.n + t->parts[i].key_n;
    }
    out->alg = t->alg;
    out->raw_n = raw_n;
    *used = at;
    return true;
}

bool cose_key_read(str bytes, size_t *used, struct cose_key *out, struct err *err)
{
    struct cose_key key = {0};
    for (size_t i = 0; i < TEMPLATES_N; i++)
        if (fits(&TEMPLATES[i], bytes, used, &key)) {
            *out = key;
            return true;
        }
    return err_input(err, "the passkey's public key is none of ES256, EdDSA (Ed25519) and RS256 "
                          "(2048 bits); use another authenticator");
}

/* ---- authenticator data ----
 *
 *     rpIdHash 32 | flags 1 | counter 4, big-endian
 *                 | of a registration: aaguid 16 | length 2 | credential | COSE_Key */

enum {
    FLAG_UP = 1 << 0,
    FLAG_UV = 1 << 2,
    FLAG_BE = 1 << 3,
    FLAG_BS = 1 << 4,
    FLAG_AT = 1 << 6,
    FLAG_ED = 1 << 7,
    HEAD_BYTES = 37,
    AAGUID_BYTES = 16,
};

static bool flags_ok(unsigned flags, enum webauthn_type type, struct err *err)
{
    if (!(flags & FLAG_UP) || !(flags & FLAG_UV))
        return err_denied(err, "the authenticator did not verify the person (PIN, finger or face): "
                               "set one up on it, or use another");
    if (flags & FLAG_BS && !(flags & FLAG_BE))
        return err_input(err, "the authenticator calls a key backed up that cannot be");
    if (flags & FLAG_ED || !!(flags & FLAG_AT) != (type == WEBAUTHN_CREATE))
        return err_input(err, "the authenticator data has parts that were not asked for");
    return true;
}

static bool read_attested(str rest, struct authn_data *out, struct err *err)
{
    const uint8_t *p = (const uint8_t *)rest.p;
    size_t used;
    if (rest.n < AAGUID_BYTES + 2)
        return err_input(err, "the authenticator data is cut short");
    size_t n = (size_t)p[AAGUID_BYTES] << 8 | p[AAGUID_BYTES + 1];
    out->aaguid = str_take(rest, AAGUID_BYTES);
    rest = str_skip(rest, AAGUID_BYTES + 2);
    if (n == 0 || n > WEBAUTHN_CREDENTIAL_BYTES_MAX || n >= rest.n)
        return err_input(err, "the credential id is empty, too long or cut short");
    out->credential = str_take(rest, n);
    rest = str_skip(rest, n);
    if (!cose_key_read(rest, &used, &out->key, err))
        return false;
    out->cose = str_take(rest, used);
    return used == rest.n || err_input(err, "there are bytes after the authenticator data");
}

bool authn_data_read(str bytes, enum webauthn_type type, const struct relying_party *rp,
                     struct authn_data *out, struct err *err)
{
    const uint8_t *p = (const uint8_t *)bytes.p;
    struct authn_data d = {0};
    if (bytes.n < HEAD_BYTES || bytes.n > WEBAUTHN_AUTHN_DATA_BYTES_MAX ||
        (type == WEBAUTHN_GET && bytes.n != HEAD_BYTES))
        return err_input(err, "the authenticator data has a wrong length");
    struct hash rp_hash = sha256(rp->id);
    if (!rp->id.n || memcmp(p, rp_hash.b, HASH_LEN) != 0)
        return err_denied(err, "the passkey belongs to another site than %.*s", STR(rp->id));
    if (!flags_ok(p[HASH_LEN], type, err))
        return false;
    d.counter = (uint32_t)p[33] << 24 | (uint32_t)p[34] << 16 | (uint32_t)p[35] << 8 | p[36];
    d.backup_able = p[HASH_LEN] & FLAG_BE;
    d.backed_up = p[HASH_LEN] & FLAG_BS;
    if (type == WEBAUTHN_CREATE && !read_attested(str_skip(bytes, HEAD_BYTES), &d, err))
        return false;
    *out = d;
    return true;
}
