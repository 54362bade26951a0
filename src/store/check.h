/* check: is the embedded store set up safely, and is what it holds in order?
 *
 * store_check looks at one store directory from outside, with or without a gateway running on it:
 * it takes no lock and changes no row. It reads the whole file (integrity_check, about 5 s a GB
 * from the disk). What needs the records themselves, roots and signatures, is ledger/verify.h.
 *
 * The first of its questions, about the place (file system, owner, kind of file, journal, SQLite
 * itself), are those that store_open asks too: what is STORE_CHECK_BAD there keeps a gateway from
 * starting. One thread at a time; not on a store that the same process has open, since closing the
 * file would drop SQLite's locks on it (POSIX). */
#pragma once
#include "base/err.h"

enum store_verdict {
    STORE_CHECK_BAD = 0, /* do not run on it */
    STORE_CHECK_WARN,    /* it works; a person should know */
    STORE_CHECK_OK,
};

enum { STORE_CHECK_TEXT_MAX = 400 };

/* One answer; strings live until it returns. name: one of a fixed set of words (docs/store.md);
 * text: what was found, and what to do if it is not well. */
typedef void store_check_fn(void *arg, enum store_verdict verdict, const char *name,
                            const char *text);

/* Asks everything that can still be asked: a file that does not open ends it after the place. False
 * only when there is nothing to look at (ERR_SYSTEM: the directory or the database is not there).
 */
MUST_USE bool store_check(const char *dir, store_check_fn *each, void *arg, struct err *err);
