/* clock: time in whole units, and its text form. Wall time is for records and expiry that crosses
 * processes; monotonic time is for waits and latencies. Thread-safe. */
#pragma once
#include "base/str.h"

int64_t clock_wall_ms(void); /* since 1970-01-01T00:00:00Z */
int64_t clock_wall_us(void);
int64_t clock_mono_us(void);
/* RFC 3339 in UTC with milliseconds: 2026-11-22T23:59:59.123Z (24 bytes and a NUL). */
enum { CLOCK_TEXT_SIZE = 32 };
str clock_text(int64_t wall_ms, char out[CLOCK_TEXT_SIZE]);
/* "90s", "15m", "8h", "2d" -> milliseconds; positive, one unit, at most ten years. */
bool clock_parse_duration(str s, int64_t *out_ms);
/* "YYYY-MM-DD" -> midnight UTC in ms. */
bool clock_parse_date(str s, int64_t *out_ms);
