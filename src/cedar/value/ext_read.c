/* The texts of decimal, ipaddr, datetime and duration. */
#include "cedar/value/ext.h"

enum { DAY_MS = 86400000, HOUR_MS = 3600000, MINUTE_MS = 60000, SECOND_MS = 1000 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* v * 10 + sign * digit, where sign keeps the least number in reach. */
static bool add_digit(int64_t *v, char digit, int sign)
{
    return !__builtin_mul_overflow(*v, 10, v) &&
           !__builtin_add_overflow(*v, sign * (digit - '0'), v);
}

/* ---- decimal ---- */

bool cedar_decimal_read(str text, int64_t *out, struct err *err)
{
    enum { PLACES = 4 };
    str s = text;
    int sign = 1;
    int64_t v = 0;
    size_t whole = 0, places = 0;
    if (str_starts(s, S("-"))) {
        sign = -1;
        s = str_skip(s, 1);
    }
    bool fits = true;
    for (; whole < s.n && is_digit(s.p[whole]); whole++)
        fits = fits && add_digit(&v, s.p[whole], sign);
    if (whole == 0 || whole == s.n || s.p[whole] != '.')
        return err_input(err, "`%.*s` is no decimal: write digits, a point and 1 to 4 digits",
                         STR(text));
    s = str_skip(s, whole + 1);
    for (; places < s.n && is_digit(s.p[places]); places++) {
        if (places < PLACES)
            fits = fits && add_digit(&v, s.p[places], sign);
    }
    if (places != s.n || places == 0)
        return err_input(err, "`%.*s` is no decimal: write digits, a point and 1 to 4 digits",
                         STR(text));
    if (places > PLACES)
        return err_input(err, "`%.*s` has more than 4 digits after the point", STR(text));
    for (; places < PLACES; places++)
        fits = fits && add_digit(&v, '0', sign);
    if (!fits)
        return err_input(err, "`%.*s` is too large for a decimal", STR(text));
    *out = v;
    return true;
}

void cedar_decimal_print(struct buf *out, int64_t v)
{
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    buf_printf(out, "%s%llu.%04u", v < 0 ? "-" : "", (unsigned long long)(u / 10000),
               (unsigned)(u % 10000));
}

/* ---- ipaddr ---- */

static bool read_octet(str *s, uint8_t *out)
{
    unsigned v = 0;
    size_t n = 0;
    for (; n < 3 && n < s->n && is_digit(s->p[n]); n++)
        v = v * 10 + (unsigned)(s->p[n] - '0');
    if (n == 0 || v > 255 || (n > 1 && s->p[0] == '0'))
        return false;
    *s = str_skip(*s, n);
    *out = (uint8_t)v;
    return true;
}

static bool read_v4(str s, uint8_t *bytes)
{
    for (int i = 0; i < 4; i++) {
        if (i > 0 && !str_starts(s, S(".")))
            return false;
        if (i > 0)
            s = str_skip(s, 1);
        if (!read_octet(&s, &bytes[i]))
            return false;
    }
    return s.n == 0;
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Up to max groups separated by single colons; how many there were. */
static int read_groups(str *s, uint8_t *bytes, int max)
{
    for (int i = 0; i < max; i++) {
        str rest = *s;
        if (i > 0) {
            if (!str_starts(rest, S(":")))
                return i;
            rest = str_skip(rest, 1);
        }
        unsigned v = 0;
        size_t n = 0;
        for (; n < 4 && n < rest.n && hex_digit(rest.p[n]) >= 0; n++)
            v = v * 16 + (unsigned)hex_digit(rest.p[n]);
        if (n == 0)
            return i;
        bytes[2 * i] = (uint8_t)(v >> 8);
        bytes[2 * i + 1] = (uint8_t)v;
        *s = str_skip(rest, n);
    }
    return max;
}

static bool read_v6(str s, uint8_t *bytes)
{
    enum { GROUPS = 8 };
    uint8_t tail[16] = {0};
    int head = read_groups(&s, bytes, GROUPS);
    if (head == GROUPS)
        return s.n == 0;
    if (!str_starts(s, S("::")))
        return false;
    s = str_skip(s, 2);
    int rest = read_groups(&s, tail, GROUPS - 1 - head);
    memset(bytes + 2 * head, 0, (size_t)(16 - 2 * head));
    memcpy(bytes + 16 - 2 * rest, tail, (size_t)(2 * rest));
    return s.n == 0;
}

static bool read_prefix(str s, unsigned max, uint8_t *out)
{
    unsigned v = 0;
    if (s.n == 0 || s.n > 3 || (s.n > 1 && s.p[0] == '0'))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!is_digit(s.p[i]))
            return false;
        v = v * 10 + (unsigned)(s.p[i] - '0');
    }
    *out = (uint8_t)v;
    return v <= max;
}

bool cedar_ip_read(str text, struct cedar_ip *out, struct err *err)
{
    struct cedar_ip ip = {0};
    str address, prefix;
    bool has_prefix = str_cut(text, '/', &address, &prefix);
    ip.is_v6 = str_find_char(address, ':', 0) >= 0;
    ip.prefix = ip.is_v6 ? 128 : 32;
    bool ok = ip.is_v6 ? read_v6(address, ip.bytes) : read_v4(address, ip.bytes);
    if (!ok)
        return err_input(err, "`%.*s` is no IP address", STR(text));
    if (has_prefix && !read_prefix(prefix, ip.prefix, &ip.prefix))
        return err_input(err,
                         "`%.*s`: the length after the slash is 0 to %d, without leading zeros",
                         STR(text), ip.is_v6 ? 128 : 32);
    *out = ip;
    return true;
}

void cedar_ip_print(struct buf *out, const struct cedar_ip *ip)
{
    const uint8_t *b = ip->bytes;
    if (ip->is_v6) {
        for (int i = 0; i < 8; i++)
            buf_printf(out, "%s%x", i ? ":" : "", b[2 * i] << 8 | b[2 * i + 1]);
    } else {
        buf_printf(out, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
    }
    if (ip->prefix != (ip->is_v6 ? 128 : 32))
        buf_printf(out, "/%u", ip->prefix);
}

/* ---- datetime ---- */

/* Exactly n digits, which are cut off. */
static bool read_digits(str *s, size_t n, unsigned *out)
{
    unsigned v = 0;
    if (s->n < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!is_digit(s->p[i]))
            return false;
        v = v * 10 + (unsigned)(s->p[i] - '0');
    }
    *s = str_skip(*s, n);
    *out = v;
    return true;
}

static bool read_char(str *s, char c)
{
    if (s->n == 0 || s->p[0] != c)
        return false;
    *s = str_skip(*s, 1);
    return true;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar; years begin in March here, so that the
 * leap day comes last. */
static int64_t days_from_date(unsigned year, unsigned month, unsigned day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool read_date(str *s, int64_t *ms)
{
    unsigned year, month, day;
    if (!read_digits(s, 4, &year) || !read_char(s, '-') || !read_digits(s, 2, &month) ||
        !read_char(s, '-') || !read_digits(s, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    *ms = days_from_date(year, month, day) * DAY_MS;
    return true;
}

static bool read_zone(str *s, int64_t *ms)
{
    if (read_char(s, 'Z')) {
        *ms = 0;
        return true;
    }
    bool east = s->n > 0 && s->p[0] == '+';
    unsigned hours, minutes;
    if (!east && !str_starts(*s, S("-")))
        return false;
    *s = str_skip(*s, 1);
    if (!read_digits(s, 2, &hours) || !read_digits(s, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ms = ((int64_t)hours * HOUR_MS + (int64_t)minutes * MINUTE_MS) * (east ? 1 : -1);
    return true;
}

static bool read_time(str *s, int64_t *ms)
{
    unsigned hour, minute, second, fraction = 0;
    int64_t zone;
    if (!read_char(s, 'T') || !read_digits(s, 2, &hour) || !read_char(s, ':') ||
        !read_digits(s, 2, &minute) || !read_char(s, ':') || !read_digits(s, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    if (read_char(s, '.') && !read_digits(s, 3, &fraction))
        return false;
    if (!read_zone(s, &zone))
        return false;
    *ms = (int64_t)hour * HOUR_MS + (int64_t)minute * MINUTE_MS + (int64_t)second * SECOND_MS +
          fraction - zone;
    return true;
}

bool cedar_datetime_read(str text, int64_t *out, struct err *err)
{
    str s = text;
    int64_t date, time = 0;
    if (!read_date(&s, &date) || (s.n > 0 && !read_time(&s, &time)) || s.n > 0)
        return err_input(err,
                         "`%.*s` is no datetime: write 2024-12-31, or that with T23:59:59Z, "
                         "T23:59:59.000Z, T23:59:59+0100 or T23:59:59.000+0100",
                         STR(text));
    *out = date + time;
    return true;
}

void cedar_datetime_print(struct buf *out, int64_t ms)
{
    int64_t days = ms / DAY_MS - (ms % DAY_MS < 0);
    int64_t left = ms - days * DAY_MS;
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t of_era = z - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t m = (5 * of_year + 2) / 153;
    int64_t day = of_year - (153 * m + 2) / 5 + 1;
    int64_t month = m < 10 ? m + 3 : m - 9;
    buf_printf(out, "%04lld-%02d-%02dT%02d:%02d:%02d.%03dZ",
               (long long)(year + era * 400 + (month <= 2)), (int)month, (int)day,
               (int)(left / HOUR_MS), (int)(left / MINUTE_MS % 60), (int)(left / SECOND_MS % 60),
               (int)(left % SECOND_MS));
}

/* ---- duration ---- */

static const struct unit {
    str name;
    int64_t ms;
} units[] = {
    {S("d"), DAY_MS}, {S("h"), HOUR_MS}, {S("m"), MINUTE_MS}, {S("s"), SECOND_MS}, {S("ms"), 1},
};
enum { UNITS = sizeof units / sizeof units[0] };

/* Which unit stands at the front, "ms" before "m"; -1 for none. */
static int unit_at(str s)
{
    for (int i = UNITS - 1; i >= 0; i--) {
        if (str_starts(s, units[i].name))
            return i;
    }
    return -1;
}

bool cedar_duration_read(str text, int64_t *out, struct err *err)
{
    str s = text;
    int sign = 1, next = 0;
    int64_t total = 0;
    bool fits = true;
    if (read_char(&s, '-'))
        sign = -1;
    bool ok = s.n > 0;
    while (ok && s.n > 0) {
        int64_t v = 0;
        size_t digits = 0;
        for (; digits < s.n && is_digit(s.p[digits]); digits++)
            fits = fits && add_digit(&v, s.p[digits], sign);
        s = str_skip(s, digits);
        int unit = unit_at(s);
        ok = digits > 0 && unit >= next;
        if (!ok)
            break;
        fits = fits && !__builtin_mul_overflow(v, units[unit].ms, &v) &&
               !__builtin_add_overflow(total, v, &total);
        s = str_skip(s, units[unit].name.n);
        next = unit + 1;
    }
    if (!ok)
        return err_input(err, "`%.*s` is no duration: write 1d2h3m4s5ms, any parts, in this order",
                         STR(text));
    if (!fits)
        return err_input(err, "`%.*s` is too long for a duration", STR(text));
    *out = total;
    return true;
}

void cedar_duration_print(struct buf *out, int64_t ms)
{
    buf_printf(out, "%lldms", (long long)ms);
}
