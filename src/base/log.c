#include "base/log.h"
#include "base/clock.h"
#include "base/json.h"

#include <unistd.h>

/* The one piece of process-wide state: set once before any line is written, read afterwards. */
static const char *the_role = "ambit";
static enum log_level the_level = LOG_INFO;

static const char *const LEVELS[] = {"error", "warn", "info", "debug"};

void log_init(const char *role, enum log_level level)
{
    the_role = role;
    the_level = level;
}

bool log_level_parse(str s, enum log_level *out)
{
    for (unsigned i = 0; i < sizeof LEVELS / sizeof LEVELS[0]; i++)
        if (str_eq(s, str_z(LEVELS[i]))) {
            *out = (enum log_level)i;
            return true;
        }
    return false;
}

void log_write(enum log_level level, const char *message, const struct log_field *fields)
{
    if (level > the_level)
        return;
    char time[CLOCK_TEXT_SIZE];
    struct buf line = {.max = 8192};
    struct jw w = jw(&line);
    jw_obj(&w);
    jw_kstr(&w, S("time"), clock_text(clock_wall_ms(), time));
    jw_kstr(&w, S("level"), str_z(LEVELS[level]));
    jw_kstr(&w, S("role"), str_z(the_role));
    jw_kstr(&w, S("message"), str_z(message));
    for (const struct log_field *f = fields; f->name; f++) {
        if (f->is_number)
            jw_ki64(&w, str_z(f->name), f->number);
        else
            jw_kstr(&w, str_z(f->name), str_take(f->text, 2000));
    }
    jw_end_obj(&w);
    buf_putc(&line, '\n');
    str s = buf_str(&line);
    while (s.n) {
        ssize_t n = write(STDERR_FILENO, s.p, s.n);
        if (n <= 0)
            break;
        s = str_skip(s, (size_t)n);
    }
    buf_fini(&line);
}
