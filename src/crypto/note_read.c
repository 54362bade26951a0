#include "crypto/note_impl.h"
#include "base/hex.h"

/* Where the signatures begin: after the last empty line. */
static bool split(str bytes, str *text, str *sigs)
{
    for (size_t i = bytes.n; i-- > 1;)
        if (bytes.p[i] == '\n' && bytes.p[i - 1] == '\n') {
            *text = str_take(bytes, i);
            *sigs = str_skip(bytes, i + 1);
            return true;
        }
    return false;
}

static bool parse_sig(struct arena *a, str line, struct note_sig *out)
{
    str name, b64, blob;
    if (!str_starts(line, S(NOTE_SIG_MARK)) ||
        !str_cut(str_skip(line, sizeof NOTE_SIG_MARK - 1), ' ', &name, &b64))
        return false;
    if (!note_name_is_valid(name) || b64.n > (NOTE_SIG_BYTES_MAX + 4 + 2) / 3 * 4 ||
        !base64_decode(a, b64, &blob) || blob.n < 5)
        return false;
    const uint8_t *p = (const uint8_t *)blob.p;
    *out = (struct note_sig){.name = name,
                             .id = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
                                   (uint32_t)p[2] << 8 | p[3],
                             .sig = str_skip(blob, 4),
                             .verifier = -1};
    return true;
}

bool note_parse_sigs(struct arena *a, str lines, struct note *out, struct err *err)
{
    str line;
    while (lines.n) {
        if (out->n == NOTE_SIGS_MAX)
            return err_limit(err, "note: over %d signatures", NOTE_SIGS_MAX);
        if (!str_cut(lines, '\n', &line, &lines) || !parse_sig(a, line, &out->sigs[out->n++]))
            return err_input(err, "note: a signature line that is none");
    }
    return out->n ? true : err_input(err, "note: no signatures");
}

bool note_parse(struct arena *a, str bytes, struct note *out, struct err *err)
{
    struct note n = {0};
    str sigs;
    if (bytes.n > NOTE_BYTES_MAX)
        return err_limit(err, "note: over %d bytes", NOTE_BYTES_MAX);
    if (!split(bytes, &n.text, &sigs) || !note_text_is_valid(n.text))
        return err_input(err, "note: no text, an empty line and signatures, or control characters");
    if (!note_parse_sigs(a, sigs, &n, err))
        return false;
    *out = n;
    return true;
}

int note_find_verifier(const struct note_verifier *v, size_t n, const struct note_sig *sig)
{
    for (size_t i = 0; i < n; i++)
        if (v[i].id == sig->id && str_eq(v[i].name, sig->name))
            return (int)i;
    return -1;
}

static bool sig_is_good(const struct note_verifier *v, str text, struct note_sig *sig)
{
    if (v->type != NOTE_COSIGNATURE)
        return key_verify(v->key, text, sig->sig);
    if (sig->sig.n != 8 + SIG_LEN)
        return false;
    uint64_t time_s = 0;
    for (int i = 0; i < 8; i++)
        time_s = time_s << 8 | (uint8_t)sig->sig.p[i];
    if (time_s > INT64_MAX)
        return false;
    struct buf message = {0};
    note_cosign_message(text, time_s, &message);
    bool ok = key_verify(v->key, buf_str(&message), str_skip(sig->sig, 8));
    buf_fini(&message);
    if (ok)
        sig->time_s = time_s;
    return ok;
}

bool note_verify_sigs(const struct note_verifier *verifiers, size_t n, struct note *note,
                      struct err *err)
{
    bool seen[NOTE_VERIFIERS_MAX] = {false};
    if (n > NOTE_VERIFIERS_MAX)
        return err_limit(err, "note: over %d verifiers", NOTE_VERIFIERS_MAX);
    for (size_t i = 0; i < note->n; i++) {
        int k = note_find_verifier(verifiers, n, &note->sigs[i]);
        if (k < 0)
            continue;
        if (!sig_is_good(&verifiers[k], note->text, &note->sigs[i]))
            return err_denied(err, "note: a wrong signature by a key we know");
        if (seen[k])
            continue;
        seen[k] = true;
        note->sigs[i].verifier = k;
        note->known++;
    }
    if (note->known == 0)
        return err_denied(err, "note: signed by nobody we know");
    return true;
}

bool note_open(struct arena *a, str bytes, const struct note_verifier *verifiers, size_t n,
               struct note *out, struct err *err)
{
    struct note note;
    if (!note_parse(a, bytes, &note, err) || !note_verify_sigs(verifiers, n, &note, err))
        return false;
    *out = note;
    return true;
}
