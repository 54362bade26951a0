#include "cedar/value/ext.h"

enum { DAY_MS = 86400000 };

#define B      CEDAR_BOOL
#define L      CEDAR_LONG
#define STRING CEDAR_STRING
#define DEC    CEDAR_DECIMAL
#define IP     CEDAR_IPADDR
#define DT     CEDAR_DATETIME
#define DU     CEDAR_DURATION
const struct cedar_fn_info cedar_fns[CEDAR_FN_COUNT] = {
    [CEDAR_FN_DECIMAL] = {"decimal", false, 1, {STRING}, DEC},
    [CEDAR_FN_IP] = {"ip", false, 1, {STRING}, IP},
    [CEDAR_FN_DATETIME] = {"datetime", false, 1, {STRING}, DT},
    [CEDAR_FN_DURATION] = {"duration", false, 1, {STRING}, DU},
    [CEDAR_FN_LESS_THAN] = {"lessThan", true, 2, {DEC, DEC}, B},
    [CEDAR_FN_LESS_THAN_OR_EQUAL] = {"lessThanOrEqual", true, 2, {DEC, DEC}, B},
    [CEDAR_FN_GREATER_THAN] = {"greaterThan", true, 2, {DEC, DEC}, B},
    [CEDAR_FN_GREATER_THAN_OR_EQUAL] = {"greaterThanOrEqual", true, 2, {DEC, DEC}, B},
    [CEDAR_FN_IS_IPV4] = {"isIpv4", true, 1, {IP}, B},
    [CEDAR_FN_IS_IPV6] = {"isIpv6", true, 1, {IP}, B},
    [CEDAR_FN_IS_LOOPBACK] = {"isLoopback", true, 1, {IP}, B},
    [CEDAR_FN_IS_MULTICAST] = {"isMulticast", true, 1, {IP}, B},
    [CEDAR_FN_IS_IN_RANGE] = {"isInRange", true, 2, {IP, IP}, B},
    [CEDAR_FN_OFFSET] = {"offset", true, 2, {DT, DU}, DT},
    [CEDAR_FN_DURATION_SINCE] = {"durationSince", true, 2, {DT, DT}, DU},
    [CEDAR_FN_TO_DATE] = {"toDate", true, 1, {DT}, DT},
    [CEDAR_FN_TO_TIME] = {"toTime", true, 1, {DT}, DU},
    [CEDAR_FN_TO_MILLISECONDS] = {"toMilliseconds", true, 1, {DU}, L},
    [CEDAR_FN_TO_SECONDS] = {"toSeconds", true, 1, {DU}, L},
    [CEDAR_FN_TO_MINUTES] = {"toMinutes", true, 1, {DU}, L},
    [CEDAR_FN_TO_HOURS] = {"toHours", true, 1, {DU}, L},
    [CEDAR_FN_TO_DAYS] = {"toDays", true, 1, {DU}, L},
};

int cedar_fn_find(str name)
{
    for (int i = 0; i < CEDAR_FN_COUNT; i++) {
        if (str_eq(name, str_z(cedar_fns[i].name)))
            return i;
    }
    return -1;
}

/* ---- IP ranges ---- */

/* Every address of a is one of b. */
static bool ip_in_range(const struct cedar_ip *a, const struct cedar_ip *b)
{
    if (a->is_v6 != b->is_v6 || a->prefix < b->prefix)
        return false;
    unsigned whole = b->prefix / 8, rest = b->prefix % 8;
    if (memcmp(a->bytes, b->bytes, whole) != 0)
        return false;
    return rest == 0 || (a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest) == 0;
}

static const struct cedar_ip loopback_v4 = {{127}, 0, 8};
static const struct cedar_ip loopback_v6 = {{[15] = 1}, 1, 128};
static const struct cedar_ip multicast_v4 = {{224}, 0, 4};
static const struct cedar_ip multicast_v6 = {{0xff}, 1, 8};

/* ---- days ---- */

static bool to_date(int64_t ms, int64_t *out)
{
    int64_t days = ms / DAY_MS - (ms % DAY_MS < 0);
    return !__builtin_mul_overflow(days, (int64_t)DAY_MS, out);
}

static int64_t to_time(int64_t ms)
{
    int64_t rest = ms % DAY_MS;
    return rest < 0 ? rest + DAY_MS : rest;
}

/* ---- calling ---- */

static bool check_args(enum cedar_fn fn, const struct cedar_value *args, size_t argc,
                       struct err *err)
{
    const struct cedar_fn_info *info = &cedar_fns[fn];
    if (argc != info->arity)
        return err_input(err, "wrong number of arguments to `%s`: expected %u, got %zu", info->name,
                         info->arity, argc);
    for (size_t i = 0; i < argc; i++) {
        if (args[i].kind != info->args[i])
            return err_input(err, "type error: `%s` expected %s, got %s", info->name,
                             cedar_kind_name(info->args[i]), cedar_kind_name(args[i].kind));
    }
    return true;
}

static bool make(struct arena *a, enum cedar_fn fn, str text, struct cedar_value *out,
                 struct err *err)
{
    int64_t i = 0;
    struct cedar_ip ip;
    bool ok;
    if (fn == CEDAR_FN_IP)
        ok = cedar_ip_read(text, &ip, err);
    else if (fn == CEDAR_FN_DECIMAL)
        ok = cedar_decimal_read(text, &i, err);
    else if (fn == CEDAR_FN_DATETIME)
        ok = cedar_datetime_read(text, &i, err);
    else
        ok = cedar_duration_read(text, &i, err);
    if (!ok)
        return false;
    *out = (struct cedar_value){.kind = cedar_fns[fn].result, .i = i};
    if (fn == CEDAR_FN_IP)
        out->ip = arena_dup(a, &ip, sizeof ip);
    return true;
}

/* The functions that answer with a bool: none of them can fail. */
static bool test(enum cedar_fn fn, const struct cedar_value *args)
{
    const struct cedar_ip *ip = args[0].ip;
    switch (fn) {
    case CEDAR_FN_LESS_THAN:
        return args[0].i < args[1].i;
    case CEDAR_FN_LESS_THAN_OR_EQUAL:
        return args[0].i <= args[1].i;
    case CEDAR_FN_GREATER_THAN:
        return args[0].i > args[1].i;
    case CEDAR_FN_GREATER_THAN_OR_EQUAL:
        return args[0].i >= args[1].i;
    case CEDAR_FN_IS_IPV4:
        return !ip->is_v6;
    case CEDAR_FN_IS_IPV6:
        return ip->is_v6;
    case CEDAR_FN_IS_LOOPBACK:
        return ip_in_range(ip, ip->is_v6 ? &loopback_v6 : &loopback_v4);
    case CEDAR_FN_IS_MULTICAST:
        return ip_in_range(ip, ip->is_v6 ? &multicast_v6 : &multicast_v4);
    default: /* CEDAR_FN_IS_IN_RANGE */
        return ip_in_range(ip, args[1].ip);
    }
}

/* The functions of datetime and duration. */
static bool reckon(enum cedar_fn fn, const struct cedar_value *args, int64_t *out)
{
    static const int64_t unit_ms[] = {1, 1000, 60000, 3600000, DAY_MS};
    switch (fn) {
    case CEDAR_FN_OFFSET:
        return !__builtin_add_overflow(args[0].i, args[1].i, out);
    case CEDAR_FN_DURATION_SINCE:
        return !__builtin_sub_overflow(args[0].i, args[1].i, out);
    case CEDAR_FN_TO_DATE:
        return to_date(args[0].i, out);
    case CEDAR_FN_TO_TIME:
        *out = to_time(args[0].i);
        return true;
    default: /* CEDAR_FN_TO_MILLISECONDS and up */
        *out = args[0].i / unit_ms[fn - CEDAR_FN_TO_MILLISECONDS];
        return true;
    }
}

bool cedar_fn_call(struct arena *a, enum cedar_fn fn, const struct cedar_value *args, size_t argc,
                   struct cedar_value *out, struct err *err)
{
    if (!check_args(fn, args, argc, err))
        return false;
    if (!cedar_fns[fn].is_method)
        return make(a, fn, cedar_str(args[0]), out, err);
    if (cedar_fns[fn].result == CEDAR_BOOL) {
        *out = cedar_bool(test(fn, args));
        return true;
    }
    int64_t i;
    if (!reckon(fn, args, &i))
        return err_input(err, "the result of `%s` is out of range", cedar_fns[fn].name);
    *out = (struct cedar_value){.kind = cedar_fns[fn].result, .i = i};
    return true;
}
