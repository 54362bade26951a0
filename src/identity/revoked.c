#include "identity/revoked.h"
#include "base/clock.h"
#include "identity/spiffe_id.h"

#include <stdlib.h>
#include <string.h>

static const char *const KINDS[REVOKED_KINDS] = {
    [REVOKED_NONE] = "none",     [REVOKED_ID] = "id",   [REVOKED_CERTIFICATE] = "certificate",
    [REVOKED_SERIAL] = "serial", [REVOKED_KEY] = "key",
};

str revoked_kind_name(enum revoked_kind kind)
{
    return str_z(KINDS[(unsigned)kind < REVOKED_KINDS ? kind : REVOKED_NONE]);
}

enum revoked_kind revoked_kind_parse(str s)
{
    for (int i = REVOKED_ID; i < REVOKED_KINDS; i++)
        if (str_eq(s, str_z(KINDS[i])))
            return (enum revoked_kind)i;
    return REVOKED_NONE;
}

/* ---- names ---- */

enum { CERTIFICATE_DIGITS = 64, SERIAL_DIGITS_MAX = 40, KEY_BYTES_MAX = 128 };

/* Lower case, without the colons that openssl and browsers write. */
static bool hex_name(struct arena *a, str text, str *out)
{
    char *p = arena_alloc(a, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == ':' && i > 0 && i + 1 < text.n)
            continue;
        if (c >= 'A' && c <= 'F')
            c = (char)(c - 'A' + 'a');
        if (!c || !strchr("0123456789abcdef", c))
            return false;
        p[n++] = c;
    }
    *out = str_of(p, n);
    return n > 0;
}

static bool key_name(struct arena *a, str text, str *out)
{
    if (text.n == 0 || text.n > KEY_BYTES_MAX || !str_is_visible_ascii(text))
        return false;
    /* A SubjectKeyIdentifier as openssl prints it. */
    if (str_find_char(text, ':', 0) > 0 && hex_name(a, text, out))
        return true;
    *out = text;
    return true;
}

bool revoked_name(struct arena *a, enum revoked_kind kind, str text, str *out, struct err *err)
{
    struct spiffe_id id;
    str name = {0};
    switch (kind) {
    case REVOKED_ID:
        if (!spiffe_id_parse(text, &id, err))
            return false;
        *out = text;
        return true;
    case REVOKED_CERTIFICATE:
        if (!hex_name(a, text, &name) || name.n != CERTIFICATE_DIGITS)
            return err_input(err, "a certificate is named by its SHA-256: %d hexadecimal digits",
                             CERTIFICATE_DIGITS);
        break;
    case REVOKED_SERIAL:
        if (!hex_name(a, text, &name))
            return err_input(err, "a serial number is given in hexadecimal digits");
        while (name.n > 1 && name.p[0] == '0')
            name = str_skip(name, 1);
        if (name.n > SERIAL_DIGITS_MAX)
            return err_input(err, "a serial number has at most %d digits", SERIAL_DIGITS_MAX);
        break;
    case REVOKED_KEY:
        if (!key_name(a, text, &name))
            return err_input(err, "a key is named by its kid, or by the SubjectKeyIdentifier of "
                                  "its CA in hexadecimal digits");
        break;
    default:
        return err_input(err, "what can be revoked is an id, a certificate, a serial or a key");
    }
    *out = name;
    return true;
}

/* ---- entries ---- */

enum { KEY_MAX = 16 + REVOKED_NAME_BYTES_MAX };

static str map_key(enum revoked_kind kind, str name, char room[KEY_MAX])
{
    size_t n = 0;
    room[n++] = (char)('0' + kind);
    memcpy(room + n, name.p, name.n);
    return str_of(room, n + name.n);
}

static const struct revoked_entry *find(const struct revoked *r, enum revoked_kind kind, str name)
{
    char room[KEY_MAX];
    return name.n && name.n <= REVOKED_NAME_BYTES_MAX
               ? map_get(&r->entries, map_key(kind, name, room))
               : NULL;
}

/* One piece of memory for the entry and its texts. */
static struct revoked_entry *copy_of(const struct revoked_entry *e)
{
    struct revoked_entry *c = malloc(sizeof *c + e->name.n + e->by.n + e->reason.n);
    if (!c)
        abort();
    char *p = (char *)(c + 1);
    *c = *e;
    str *const texts[] = {&c->name, &c->by, &c->reason};
    for (size_t i = 0; i < 3; i++) {
        if (texts[i]->n)
            memcpy(p, texts[i]->p, texts[i]->n);
        texts[i]->p = p;
        p += texts[i]->n;
    }
    return c;
}

bool revoked_put(struct revoked *r, const struct revoked_entry *e, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    char room[KEY_MAX];
    str name;
    if (!revoked_name(&a, e->kind, e->name, &name, err))
        return false;
    if (!str_eq(name, e->name) || name.n > REVOKED_NAME_BYTES_MAX ||
        e->reason.n > REVOKED_REASON_BYTES_MAX)
        return err_input(err, "not a name in its one spelling, or too long");
    if (!find(r, e->kind, name) && map_count(&r->entries) >= REVOKED_MAX)
        return err_limit(err, "%d identities are revoked already: lift some, or give them an end",
                         REVOKED_MAX);
    free(map_put(&r->entries, map_key(e->kind, name, room), copy_of(e)));
    return true;
}

bool revoked_lift(struct revoked *r, enum revoked_kind kind, str name)
{
    char room[KEY_MAX];
    if (!find(r, kind, name))
        return false;
    free(map_del(&r->entries, map_key(kind, name, room)));
    return true;
}

static bool is_over(const struct revoked_entry *e, int64_t now_ms)
{
    return e->until_ms && now_ms >= e->until_ms;
}

void revoked_sweep(struct revoked *r, int64_t now_ms)
{
    str key;
    void *v;
    for (size_t i = 0; map_next(&r->entries, &i, &key, &v);)
        if (is_over(v, now_ms))
            free(map_del(&r->entries, key));
}

const struct revoked_entry *revoked_next(const struct revoked *r, size_t *i)
{
    str key;
    void *v;
    return map_next(&r->entries, i, &key, &v) ? v : NULL;
}

void revoked_fini(struct revoked *r)
{
    str key;
    void *v;
    for (size_t i = 0; map_next(&r->entries, &i, &key, &v);)
        free(v);
    map_fini(&r->entries);
    *r = (struct revoked){0};
}

/* ---- asking ---- */

bool revoked_check(const struct revoked *r, enum revoked_kind kind, str name, int64_t now_ms,
                   struct err *err)
{
    const struct revoked_entry *e = find(r, kind, name);
    char when[CLOCK_TEXT_SIZE];
    if (!e || is_over(e, now_ms))
        return true;
    return err_denied(err,
                      "%.*s %.*s is revoked since %.*s, by %.*s; an administrator lifts that with "
                      "`ambit identity revoke --lift`",
                      STR(revoked_kind_name(kind)), STR(str_take(name, 100)),
                      STR(clock_text(e->at_ms, when)), STR(str_take(e->by, 64)));
}

bool revoked_check_id(const struct revoked *r, str spiffe_id, int64_t now_ms, struct err *err)
{
    if (revoked_is_empty(r))
        return true;
    /* The ID, then everything above it down to the trust domain. */
    while (spiffe_id.n > S("spiffe://").n) {
        if (!revoked_check(r, REVOKED_ID, spiffe_id, now_ms, err))
            return false;
        do
            spiffe_id.n--;
        while (spiffe_id.n && spiffe_id.p[spiffe_id.n] != '/');
    }
    return true;
}
