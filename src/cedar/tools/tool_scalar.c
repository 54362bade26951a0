/* Texts that become decimals, times and spans of time: exactly, or not at all. */
#include "cedar/tools/tool_parts.h"
#include "cedar/value/ext.h"

enum { EXPONENT_MAX = 400, DECIMAL_PLACES = 4 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

struct cursor {
    str s;
};

static bool take(struct cursor *c, char wanted)
{
    if (c->s.n == 0 || c->s.p[0] != wanted)
        return false;
    c->s = str_skip(c->s, 1);
    return true;
}

/* The digits at its head, perhaps none. */
static str digits(struct cursor *c)
{
    size_t n = 0;
    while (n < c->s.n && is_digit(c->s.p[n]))
        n++;
    str out = str_take(c->s, n);
    c->s = str_skip(c->s, n);
    return out;
}

static bool small_number(str s, int64_t max, int64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < s.n; i++) {
        *out = *out * 10 + (s.p[i] - '0');
        if (*out > max)
            return false;
    }
    return s.n > 0;
}

/* ---- decimals ---- */

/* value * 10 ^ up, or without the zeros at its end; false if that is not exact. */
static bool shift(int64_t *value, int64_t up)
{
    for (; up > 0 && *value; up--)
        if (__builtin_mul_overflow(*value, 10, value))
            return false;
    for (; up < 0 && *value; up++) {
        if (*value % 10)
            return false;
        *value /= 10;
    }
    return true;
}

bool tool_exact_decimal(str text, int64_t *out)
{
    struct cursor c = {text};
    int64_t value = 0, exponent = 0;
    bool minus = take(&c, '-'), down;
    str whole = digits(&c), fraction = {0};
    if (whole.n == 0 || (take(&c, '.') && (fraction = digits(&c)).n == 0))
        return false;
    if (take(&c, 'e') || take(&c, 'E')) {
        down = take(&c, '-');
        if ((!down && take(&c, '+') && c.s.n == 0) ||
            !small_number(digits(&c), EXPONENT_MAX, &exponent))
            return false;
        exponent = down ? -exponent : exponent;
    }
    while (fraction.n && fraction.p[fraction.n - 1] == '0')
        fraction.n--;
    for (size_t i = 0; i < whole.n + fraction.n; i++) {
        int digit = (i < whole.n ? whole.p[i] : fraction.p[i - whole.n]) - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, digit, &value)) /* below zero there is one more */
            return false;
    }
    if (c.s.n || !shift(&value, DECIMAL_PLACES + exponent - (int64_t)fraction.n) ||
        (!minus && value == INT64_MIN))
        return false;
    *out = minus ? value : -value;
    return true;
}

/* ---- dates ---- */

/* What Cedar reads is stricter: three digits of a second, no colon in an offset. */
bool tool_datetime(str text, int64_t *out)
{
    char room[40];
    struct err err;
    if (text.n < 10)
        return false;
    str date = str_take(text, text.n > 19 ? 19 : text.n);
    struct cursor c = {str_skip(text, date.n)};
    if (date.n < 19)
        return c.s.n == 0 && cedar_datetime_read(text, out, &err);
    str fraction = {0};
    if (take(&c, '.') && (fraction = digits(&c)).n == 0)
        return false;
    for (; fraction.n > 3; fraction.n--)
        if (fraction.p[fraction.n - 1] != '0')
            return false;
    if (c.s.n == 6 && c.s.p[3] == ':')
        c.s = str_of(
            memcpy(room + 30, (char[]){c.s.p[0], c.s.p[1], c.s.p[2], c.s.p[4], c.s.p[5]}, 5), 5);
    if (c.s.n == 0 || c.s.n > 5)
        return false;
    memcpy(room, date.p, date.n);
    size_t n = date.n;
    if (fraction.n) {
        memcpy(room + n, ".000", 4);
        memcpy(room + n + 1, fraction.p, fraction.n);
        n += 4;
    }
    memmove(room + n, c.s.p, c.s.n);
    return cedar_datetime_read(str_of(room, n + c.s.n), out, &err);
}

/* ---- durations ---- */

/* The fraction of a second, in milliseconds. */
static bool milliseconds(str fraction, int64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < fraction.n; i++) {
        if (i >= 3 && fraction.p[i] != '0')
            return false;
        *out = i < 3 ? *out * 10 + (fraction.p[i] - '0') : *out;
    }
    for (size_t i = fraction.n; i < 3; i++)
        *out *= 10;
    return true;
}

bool tool_duration(str text, int64_t *out)
{
    static const struct {
        char unit;
        bool time;
        int64_t ms;
    } units[] = {{'W', false, 604800000},
                 {'D', false, 86400000},
                 {'H', true, 3600000},
                 {'M', true, 60000},
                 {'S', true, 1000}};
    struct cursor c = {text};
    int64_t total = 0, n, ms = 0, product;
    size_t next = 0;
    bool time = false;
    if (!take(&c, 'P') || c.s.n == 0)
        return false;
    while (c.s.n) {
        if (!time && take(&c, 'T'))
            time = true;
        str whole = digits(&c), fraction = {0};
        if ((take(&c, '.') || take(&c, ',')) && (fraction = digits(&c)).n == 0)
            return false;
        while (next < 5 && (c.s.n == 0 || c.s.p[0] != units[next].unit || units[next].time != time))
            next++;
        if (next == 5 || !take(&c, units[next].unit) || (fraction.n && units[next].unit != 'S') ||
            !small_number(whole, INT64_MAX / 20, &n) || !milliseconds(fraction, &ms) ||
            __builtin_mul_overflow(n, units[next].ms, &product) ||
            __builtin_add_overflow(product, ms, &product) ||
            __builtin_add_overflow(total, product, &total) || (next == 0 && c.s.n))
            return false;
        next++;
    }
    *out = total;
    return true;
}
