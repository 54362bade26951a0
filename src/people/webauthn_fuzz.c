/* Any bytes as clientDataJSON or authenticator data: refused, or read with everything inside the
 * bytes given and every demand met. The first byte chooses. */
#include "people/webauthn.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool ok)
{
    if (!ok)
        abort();
}

static bool is_inside(str part, str whole)
{
    return part.p >= whole.p && part.n <= whole.n && part.p + part.n <= whole.p + whole.n;
}

static void authn(str bytes, enum webauthn_type type, const struct relying_party *rp)
{
    struct authn_data d;
    struct err err;
    struct hash rp_hash = sha256(rp->id);
    if (!authn_data_read(bytes, type, rp, &d, &err)) {
        demand(err.kind == ERR_INPUT || err.kind == ERR_DENIED);
        return;
    }
    demand(memcmp(bytes.p, rp_hash.b, HASH_LEN) == 0);
    demand((bytes.p[32] & 5) == 5 && !(bytes.p[32] & 0x80));
    if (type == WEBAUTHN_GET) {
        demand(bytes.n == 37);
        return;
    }
    demand(is_inside(d.credential, bytes) && d.credential.n > 0);
    demand(is_inside(d.cose, bytes) && d.cose.p + d.cose.n == bytes.p + bytes.n);
    demand(d.key.alg != COSE_NONE && d.key.raw_n <= WEBAUTHN_RAW_KEY_BYTES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct relying_party rp = {{"localhost", 9}, {"http://localhost:1", 18}};
    struct err err;
    if (size < 1)
        return 0;
    str bytes = str_of((const char *)data + 1, size - 1);
    if (data[0] % 3 == 0) {
        if (client_data_check(bytes, WEBAUTHN_GET, &rp, S("challenge"), &err))
            demand(str_find(bytes, S("webauthn.get")) >= 0 || str_find_char(bytes, '\\', 0) >= 0);
    } else {
        authn(bytes, data[0] % 3 == 1 ? WEBAUTHN_CREATE : WEBAUTHN_GET, &rp);
    }
    return 0;
}
