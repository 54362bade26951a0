/* stdio_words: what a child program says on standard error: cut into lines, its secrets struck out,
 * the last few kept for the one who asks why it ended. Pure but for the log. */
#pragma once
#include "crypto/secret.h"
#include "base/buf.h"

enum { WORDS_KEPT = 4, WORD_BYTES_MAX = 300, WORDS_SECRETS_MAX = 64 };

struct stdio_words {
    struct secret *secrets[WORDS_SECRETS_MAX]; /* owned */
    size_t secrets_n;
    struct buf line;
    bool skipping; /* the rest of a line that was too long */
    char kept[WORDS_KEPT][WORD_BYTES_MAX + 1];
    size_t next; /* place of the oldest */
};

/* False if there are too many or no memory for it: then the child must not be started. */
MUST_USE bool stdio_words_hide(struct stdio_words *w, str secret, struct err *err);
/* on_line gets each whole line, clean; NULL is fine. */
void stdio_words_feed(struct stdio_words *w, str bytes, void (*on_line)(void *owner, str line),
                      void *owner);
/* Appends "; it said: ..." or nothing. */
void stdio_words_last(const struct stdio_words *w, struct buf *out);
/* Appends text with every secret replaced by "[secret]" and control characters by '?'. */
void stdio_words_clean(const struct stdio_words *w, str text, struct buf *out);
void stdio_words_fini(struct stdio_words *w);
