#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 4, 0))) static void set(struct err *err, enum err_kind kind, int os,
                                                      const char *fmt, va_list ap)
{
    err->kind = kind;
    err->os = os;
    vsnprintf(err->text, sizeof err->text, fmt, ap);
}

#define RAISE(kind, os)                                                                            \
    va_list ap;                                                                                    \
    va_start(ap, fmt);                                                                             \
    set(err, kind, os, fmt, ap);                                                                   \
    va_end(ap);                                                                                    \
    return false

bool err_input(struct err *err, const char *fmt, ...)
{
    RAISE(ERR_INPUT, 0);
}

bool err_denied(struct err *err, const char *fmt, ...)
{
    RAISE(ERR_DENIED, 0);
}

bool err_limit(struct err *err, const char *fmt, ...)
{
    RAISE(ERR_LIMIT, 0);
}

bool err_peer(struct err *err, const char *fmt, ...)
{
    RAISE(ERR_PEER, 0);
}

bool err_notfound(struct err *err, const char *fmt, ...)
{
    RAISE(ERR_NOTFOUND, 0);
}

bool err_system(struct err *err, const char *fmt, ...)
{
    int os = errno;
    va_list ap;
    va_start(ap, fmt);
    set(err, ERR_SYSTEM, os, fmt, ap);
    va_end(ap);
    size_t n = strlen(err->text);
    snprintf(err->text + n, sizeof err->text - n, ": %s", strerror(os));
    return false;
}

bool err_in(struct err *err, const char *fmt, ...)
{
    char old[sizeof err->text];
    memcpy(old, err->text, sizeof old);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    size_t n = strlen(err->text);
    snprintf(err->text + n, sizeof err->text - n, ": %s", old);
    return false;
}
