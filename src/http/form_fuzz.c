/* Any bytes, read as a form: what is accepted can be written again and reads back the same. */
#include "http/form.h"
#include "base/buf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void encode(struct buf *out, str s)
{
    for (size_t i = 0; i < s.n; i++)
        buf_printf(out, "%%%02X", (unsigned)(unsigned char)s.p[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPE struct arena a = {0};
    struct form f, again;
    struct err err;
    struct buf out = {0};
    if (!form_read(&a, str_of((const char *)data, size), &f, &err))
        return 0;
    check(f.n <= FORM_ITEMS_MAX);
    for (size_t i = 0; i < f.n; i++) {
        buf_put(&out, i ? S("&") : S(""));
        encode(&out, f.v[i].name);
        buf_putc(&out, '=');
        encode(&out, f.v[i].value);
        check(f.v[i].name.n > 0 && str_is_utf8(f.v[i].value));
        for (size_t j = 0; j < i; j++)
            check(!str_eq(f.v[i].name, f.v[j].name));
    }
    if (buf_len(&out) <= FORM_BYTES_MAX) {
        check(form_read(&a, buf_str(&out), &again, &err) && again.n == f.n);
        for (size_t i = 0; i < f.n; i++)
            check(str_eq(f.v[i].name, again.v[i].name) && str_eq(f.v[i].value, again.v[i].value));
    }
    buf_fini(&out);
    return 0;
}
