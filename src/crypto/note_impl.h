/* note_impl: what note.c, note_read.c and note_cosign.c share; nobody else includes it. */
#pragma once
#include "crypto/note.h"

/* An em dash (U+2014) and a space begin every signature line. */
#define NOTE_SIG_MARK "\xe2\x80\x94 "

/* Not empty, UTF-8, ends in a newline, no other control characters. */
bool note_text_is_valid(str text);
/* Signature lines alone, after those that are in out->sigs; at least one in all. */
MUST_USE bool note_parse_sigs(struct arena *a, str lines, struct note *out, struct err *err);
/* Who has signed note->text, into note->sigs and note->known; refuses as note_open does. */
MUST_USE bool note_verify_sigs(const struct note_verifier *verifiers, size_t n, struct note *note,
                               struct err *err);
/* The index of the verifier that a signature names, or -1. */
int note_find_verifier(const struct note_verifier *v, size_t n, const struct note_sig *sig);
/* One signature line. */
void note_put_line(str name, uint32_t id, str sig, struct buf *out);
