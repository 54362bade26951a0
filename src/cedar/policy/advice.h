/* advice: what people write in place of Cedar, and what to write instead.
 *
 * A table of words and signs by the place where they were met; it makes the help of a diagnostic
 * and decides nothing. Thread-safe: a constant table. */
#pragma once
#include "base/str.h"

enum advice_place {
    ADVICE_EFFECT,   /* where a policy should begin */
    ADVICE_SCOPE,    /* behind a variable of the scope */
    ADVICE_ENTITY,   /* where the scope wants an entity */
    ADVICE_TYPE,     /* behind `is` */
    ADVICE_CLAUSE,   /* behind the scope or a clause */
    ADVICE_OPERAND,  /* where an expression should begin */
    ADVICE_OPERATOR, /* behind an expression */
    ADVICE_VARIABLE, /* a name that is none of the variables */
    ADVICE_MEMBER,   /* behind a dot */
    ADVICE_METHOD,   /* a method that does not exist */
};

#define ADVICE_NUMBERS                                                                             \
    "numbers are whole, in digits alone; others are written as decimal(\"1.5\"), "                 \
    "duration(\"10s\"), "                                                                          \
    "ip(\"10.0.0.1\")"

/* found: the token as written; "" is the end of the text. NULL if there is nothing to say. */
const char *advice_find(enum advice_place place, str found);
