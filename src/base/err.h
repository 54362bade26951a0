/* err: the one way in which things fail.
 *
 * A fallible function returns bool (true = done), is must-use, and takes `struct err *err` last. On
 * false it has written nothing to its outputs and the reason to *err; err may not be NULL. Raising
 * is one line that returns false:
 *
 *     if (n > max)
 *         return err_limit(err, "body over %zu bytes", max);
 *
 * The text is for a person: what is wrong and what to do next. It never holds a secret. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* What the caller can do about it. */
enum err_kind {
    ERR_NONE = 0,
    ERR_INPUT,    /* the bytes or values given are wrong: mend them */
    ERR_DENIED,   /* understood, and not allowed */
    ERR_LIMIT,    /* too much: smaller or later */
    ERR_PEER,     /* the other side broke its protocol or went away */
    ERR_SYSTEM,   /* the machine failed us; os holds errno where there is one */
    ERR_NOTFOUND, /* no such thing */
};

struct err {
    enum err_kind kind;
    int os; /* errno, or 0 */
    char text[400];
};

#define ERR_PRINTF __attribute__((format(printf, 2, 3), cold))
bool err_input(struct err *err, const char *fmt, ...) ERR_PRINTF;
bool err_denied(struct err *err, const char *fmt, ...) ERR_PRINTF;
bool err_limit(struct err *err, const char *fmt, ...) ERR_PRINTF;
bool err_peer(struct err *err, const char *fmt, ...) ERR_PRINTF;
bool err_notfound(struct err *err, const char *fmt, ...) ERR_PRINTF;
/* Keeps errno and appends ": strerror". */
bool err_system(struct err *err, const char *fmt, ...) ERR_PRINTF;
/* Puts "prefix: " before the text that is there, for callers that know the context. Returns false.
 */
bool err_in(struct err *err, const char *fmt, ...) ERR_PRINTF;

#define MUST_USE __attribute__((warn_unused_result))
