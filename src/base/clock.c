#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t now_us(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_wall_us(void)
{
    return now_us(CLOCK_REALTIME);
}

int64_t clock_wall_ms(void)
{
    return now_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_mono_us(void)
{
    return now_us(CLOCK_MONOTONIC);
}

static char *digits_of(char *at, unsigned n, unsigned v)
{
    for (unsigned i = n; i-- > 0; v /= 10)
        at[i] = (char)('0' + v % 10);
    return at + n;
}

/* By hand: strftime and snprintf were most of the cost of writing a record. */
str clock_text(int64_t wall_ms, char out[CLOCK_TEXT_SIZE])
{
    time_t sec = (time_t)(wall_ms / 1000);
    struct tm tm;
    gmtime_r(&sec, &tm);
    if (wall_ms < 0 || tm.tm_year > 9999 - 1900) { /* no time of ours */
        wall_ms = sec = 0;
        gmtime_r(&sec, &tm);
    }
    char *at = digits_of(out, 4, (unsigned)tm.tm_year + 1900);
    *at++ = '-';
    at = digits_of(at, 2, (unsigned)tm.tm_mon + 1);
    *at++ = '-';
    at = digits_of(at, 2, (unsigned)tm.tm_mday);
    *at++ = 'T';
    at = digits_of(at, 2, (unsigned)tm.tm_hour);
    *at++ = ':';
    at = digits_of(at, 2, (unsigned)tm.tm_min);
    *at++ = ':';
    at = digits_of(at, 2, (unsigned)tm.tm_sec);
    *at++ = '.';
    at = digits_of(at, 3, (unsigned)(wall_ms % 1000));
    *at++ = 'Z';
    *at = 0;
    return str_of(out, (size_t)(at - out));
}

bool clock_parse_duration(str s, int64_t *out_ms)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    int64_t n;
    if (s.n < 2 || !str_to_i64(str_take(s, s.n - 1), &n) || n <= 0)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (units[i].unit == s.p[s.n - 1]) {
            if (n > (int64_t)3650 * 86400000 / units[i].ms)
                return false;
            *out_ms = n * units[i].ms;
            return true;
        }
    return false;
}

static bool digits(str s, int *out)
{
    int v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        v = v * 10 + (s.p[i] - '0');
    }
    *out = v;
    return true;
}

bool clock_parse_date(str s, int64_t *out_ms)
{
    struct tm tm = {0};
    int y, m, d;
    if (s.n != 10 || s.p[4] != '-' || s.p[7] != '-' || !digits(str_take(s, 4), &y) ||
        !digits(str_take(str_skip(s, 5), 2), &m) || !digits(str_skip(s, 8), &d))
        return false;
    tm.tm_year = y - 1900;
    tm.tm_mon = m - 1;
    tm.tm_mday = d;
    struct tm asked = tm;
    time_t t = timegm(&tm);
    if (tm.tm_mon != asked.tm_mon || tm.tm_mday != asked.tm_mday)
        return false;
    *out_ms = (int64_t)t * 1000;
    return true;
}
