/* note_impl: what note.c and note_read.c share; nobody else includes it. */
#pragma once
#include "crypto/note.h"

/* An em dash (U+2014) and a space begin every signature line. */
#define NOTE_SIG_MARK "\xe2\x80\x94 "

/* Not empty, UTF-8, ends in a newline, no other control characters. */
bool note_text_is_valid(str text);
