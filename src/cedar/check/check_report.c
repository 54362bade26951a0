#include "cedar/check/check.h"

#include <stdarg.h>
#include <stdio.h>

enum { TEXT_MAX = 390, TYPE_TEXT_MAX = 120 };

static bool said_before(const struct checker *c, enum finding f, struct cedar_span span, str text)
{
    for (size_t i = c->first_diag; i < c->d->count; i++) {
        const struct cedar_diag *one = &c->d->items[i];
        if (one->code == finding_infos[f].code && one->span.start == span.start &&
            one->span.end == span.end && str_eq(one->text, text))
            return true;
    }
    return false;
}

struct cedar_diag *check_report(struct checker *c, enum finding f, struct cedar_span span,
                                const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (said_before(c, f, span, str_z(text)))
        return NULL;
    if (finding_infos[f].severity[c->how.sdk] == CEDAR_ERROR)
        c->errors++;
    struct cedar_diag *one = finding_add_for(c->d, c->how.sdk, f, span, text);
    if (one)
        one->policy = c->policy->id;
    return one;
}

void check_help(struct checker *c, struct cedar_diag *one, const char *fmt, ...)
{
    char text[TEXT_MAX];
    if (!one)
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    one->help = str_dup(c->d->arena, str_z(text));
}

str check_type_text(struct checker *c, const struct ctype *t)
{
    struct buf b = {.max = 64 << 10};
    ctype_print(&b, c->s, t);
    str all = buf_str(&b);
    str shown = all.n <= TYPE_TEXT_MAX
                    ? str_dup(&c->scratch, all)
                    : str_fmt(&c->scratch, "%.*s...", STR(str_take(all, TYPE_TEXT_MAX)));
    buf_fini(&b);
    return shown;
}
