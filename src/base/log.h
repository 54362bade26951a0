/* log: one JSON object per line on standard error: time, level, role, message, fields.
 *
 * Values are what callers pass; callers never pass a secret, a token or an argument of a call (ids
 * and digests instead). Only roles and commands log; libraries return errors. Thread-safe: one
 * write(2) a line. */
#pragma once
#include "base/err.h"
#include "base/str.h"

enum log_level { LOG_ERROR = 0, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log_field {
    const char *name; /* NULL ends the list */
    str text;
    int64_t number;
    bool is_number;
};

/* role: name on every line; level: the least important that is written. Called once at start. */
void log_init(const char *role, enum log_level level);
bool log_level_parse(str s, enum log_level *out);
void log_write(enum log_level level, const char *message, const struct log_field *fields);

/* log_info("task opened", LOG_STR("task", id), LOG_NUM("calls", 20)) */
#define LOG_STR(n, s) ((struct log_field){.name = (n), .text = (s)})
#define LOG_NUM(n, v) ((struct log_field){.name = (n), .number = (v), .is_number = true})
#define LOG_ERR(e)    ((struct log_field){.name = "error", .text = str_z((e)->text)})
#define log_at(level, message, ...)                                                                \
    log_write(level, message, (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})
#define log_error(message, ...) log_at(LOG_ERROR, message, __VA_ARGS__)
#define log_warn(message, ...)  log_at(LOG_WARN, message, __VA_ARGS__)
#define log_info(message, ...)  log_at(LOG_INFO, message, __VA_ARGS__)
#define log_debug(message, ...) log_at(LOG_DEBUG, message, __VA_ARGS__)
