/* form: the parameters of a request as application/x-www-form-urlencoded (WHATWG URL section 5.1;
 * RFC 6749 appendix B), read so that no two readers could disagree on them.
 *
 * Refused: a name that comes twice (RFC 6749 section 3.2), whether or not its values agree; an
 * empty pair; broken escapes; bytes that the encoding does not leave as they are; values that
 * decode to something other than UTF-8, or hold a control character but HTAB, LF and CR; anything
 * over the limits. A parameter without a value counts as absent (RFC 6749 section 3.2), and still
 * may not come twice.
 *
 * Pure. Results live in the arena. Errors are ERR_INPUT or ERR_LIMIT and quote nothing. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum {
    FORM_ITEMS_MAX = 32,
    FORM_NAME_BYTES_MAX = 64,
    FORM_BYTES_MAX = 64 << 10,
};

struct form_item {
    str name, value;
};
struct form {
    struct form_item v[FORM_ITEMS_MAX];
    size_t n;
};

MUST_USE bool form_read(struct arena *a, str body, struct form *out, struct err *err);
/* Empty if it is absent. */
str form_get(const struct form *f, str name);
/* True for the media type of a form, with or without a charset of UTF-8. */
bool form_is_type(str content_type);
