/* ext: the extension types decimal, ipaddr, datetime, duration, and the table of the functions they
 * bring to the language. Parsing is exact, needs no locale and no floating point. Thread-safe. */
#pragma once
#include "cedar/value/value.h"

enum cedar_fn {
    CEDAR_FN_DECIMAL = 0,
    CEDAR_FN_IP,
    CEDAR_FN_DATETIME,
    CEDAR_FN_DURATION,
    CEDAR_FN_LESS_THAN,
    CEDAR_FN_LESS_THAN_OR_EQUAL,
    CEDAR_FN_GREATER_THAN,
    CEDAR_FN_GREATER_THAN_OR_EQUAL,
    CEDAR_FN_IS_IPV4,
    CEDAR_FN_IS_IPV6,
    CEDAR_FN_IS_LOOPBACK,
    CEDAR_FN_IS_MULTICAST,
    CEDAR_FN_IS_IN_RANGE,
    CEDAR_FN_OFFSET,
    CEDAR_FN_DURATION_SINCE,
    CEDAR_FN_TO_DATE,
    CEDAR_FN_TO_TIME,
    CEDAR_FN_TO_MILLISECONDS,
    CEDAR_FN_TO_SECONDS,
    CEDAR_FN_TO_MINUTES,
    CEDAR_FN_TO_HOURS,
    CEDAR_FN_TO_DAYS,
    CEDAR_FN_COUNT,
};

struct cedar_fn_info {
    const char *name;
    bool is_method;  /* x.name(..), the receiver being the first argument; else name(..) */
    uint8_t arity;   /* receiver included */
    uint8_t args[2]; /* enum cedar_kind of each argument */
    uint8_t result;
};
extern const struct cedar_fn_info cedar_fns[CEDAR_FN_COUNT];
/* The function of that name, or -1. */
int cedar_fn_find(str name);

/* Applies it. argc other than the arity, or an argument of another kind, is an error like any
 * other. IP results are made in the arena. */
MUST_USE bool cedar_fn_call(struct arena *a, enum cedar_fn fn, const struct cedar_value *args,
                            size_t argc, struct cedar_value *out, struct err *err);

/* [-]digits.1to4digits; fits i64 after scaling. */
MUST_USE bool cedar_decimal_read(str text, int64_t *out, struct err *err);
/* v4 or v6, optionally /prefix without leading zeros. */
MUST_USE bool cedar_ip_read(str text, struct cedar_ip *out, struct err *err);
/* YYYY-MM-DD, or that with Thh:mm:ss[.SSS](Z|+hhmm|-hhmm). */
MUST_USE bool cedar_datetime_read(str text, int64_t *out, struct err *err);
/* [-][Nd][Nh][Nm][Ns][Nms], each at most once, in this order, at least one. */
MUST_USE bool cedar_duration_read(str text, int64_t *out, struct err *err);

/* Whether the year has the four digits that a text of a time has room for. */
static inline bool cedar_datetime_has_text(int64_t ms)
{
    return ms >= -62167219200000 && ms < 253402300800000;
}
/* The texts that read back as the same value; of a time, only where there is one. */
void cedar_decimal_print(struct buf *out, int64_t v);
void cedar_ip_print(struct buf *out, const struct cedar_ip *ip);
void cedar_datetime_print(struct buf *out, int64_t ms);
void cedar_duration_print(struct buf *out, int64_t ms);
