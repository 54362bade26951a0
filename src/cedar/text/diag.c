#include "cedar/text/diag.h"

#include <stdarg.h>
#include <stdio.h>

enum { SHOWN_LINE_MAX = 160 };

void cedar_diags_init(struct cedar_diags *d, struct arena *a, str name, str source)
{
    *d = (struct cedar_diags){.arena = a, .name = name, .source = source};
}

static bool make_room(struct cedar_diags *d)
{
    if (d->count >= CEDAR_DIAGS_MAX)
        return false;
    ARENA_GROW(d->arena, d->items, d->count, d->cap);
    return true;
}

struct cedar_diag *cedar_diag(struct cedar_diags *d, enum cedar_severity severity, const char *code,
                              struct cedar_span span, const char *help, const char *fmt, ...)
{
    if (severity == CEDAR_ERROR)
        d->errors++;
    else
        d->warnings++;
    if (!make_room(d))
        return NULL;
    char text[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct cedar_diag *one = &d->items[d->count++];
    *one = (struct cedar_diag){
        .severity = severity,
        .code = code,
        .span = span,
        .text = str_dup(d->arena, str_z(text)),
        .help = str_dup(d->arena, str_z(help)),
    };
    return one;
}

struct cedar_place cedar_place(str source, uint32_t offset)
{
    struct cedar_place at = {1, 1};
    for (size_t i = 0; i < offset && i < source.n; i++) {
        if (source.p[i] == '\n')
            at = (struct cedar_place){at.line + 1, 1};
        else if ((source.p[i] & 0xc0) != 0x80)
            at.column++;
    }
    return at;
}

static str line_around(str source, size_t offset, size_t *start)
{
    size_t from = offset < source.n ? offset : source.n, to = from;
    while (from > 0 && source.p[from - 1] != '\n')
        from--;
    while (to < source.n && source.p[to] != '\n' && source.p[to] != '\r')
        to++;
    *start = from;
    return str_of(source.p + from, to - from);
}

/* The line with carets under the span; left out where it would not fit a terminal. */
static void print_excerpt(const struct cedar_diags *d, struct cedar_span span, struct buf *out)
{
    size_t start;
    if (span.start > d->source.n)
        return;
    str line = line_around(d->source, span.start, &start);
    if (line.n == 0 || line.n > SHOWN_LINE_MAX)
        return;
    buf_printf(out, "  %.*s\n  ", STR(line));
    size_t carets = 0;
    for (size_t i = 0; i <= line.n; i++) {
        size_t at = start + i;
        if (i < line.n && (line.p[i] & 0xc0) == 0x80)
            continue;
        if (at < span.start) {
            buf_putc(out, line.p[i] == '\t' ? '\t' : ' ');
        } else if (carets == 0 || (at < span.end && i < line.n)) {
            buf_putc(out, '^');
            carets++;
        }
    }
    buf_putc(out, '\n');
}

void cedar_diag_print(const struct cedar_diags *d, const struct cedar_diag *one, struct buf *out)
{
    struct cedar_place at = cedar_place(d->source, one->span.start);
    if (d->name.n)
        buf_printf(out, "%.*s:", STR(d->name));
    buf_printf(out, "%u:%u: %s: %.*s [%s]\n", at.line, at.column,
               one->severity == CEDAR_ERROR ? "error" : "warning", STR(one->text), one->code);
    print_excerpt(d, one->span, out);
    if (one->help.n)
        buf_printf(out, "  help: %.*s\n", STR(one->help));
}

void cedar_diags_print(const struct cedar_diags *d, struct buf *out)
{
    for (size_t i = 0; i < d->count; i++)
        cedar_diag_print(d, &d->items[i], out);
    size_t more = d->errors + d->warnings - d->count;
    if (more)
        buf_printf(out, "... and %zu more\n", more);
}
