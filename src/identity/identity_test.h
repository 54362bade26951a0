/* identity_test: what the unit tests of this folder share; included by them only. */
#pragma once
#include "base/err.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* For calls that must work: prints why if they do not. */
#define OK(call)                                                                                   \
    do {                                                                                           \
        if (!(call))                                                                               \
            fail_msg("%s: %s", #call, err.text);                                                   \
    } while (0)
/* For calls that must be refused with that kind. */
#define NO(want, call)                                                                             \
    do {                                                                                           \
        err = (struct err){0};                                                                     \
        if (call)                                                                                  \
            fail_msg("%s: accepted", #call);                                                       \
        if (err.kind != (want) || !err.text[0])                                                    \
            fail_msg("%s: kind %d, %s", #call, (int)err.kind, err.text);                           \
    } while (0)
