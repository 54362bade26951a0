/* format: policy text laid out anew, with every comment and with the same meaning.
 *
 * White space and line breaks are made anew; comments stay behind or in front of the token they
 * were written at, in their order. Strings keep their escapes. Of the rest, two things change:
 * a comma behind the last item of a list is dropped, and leading zeros of numbers are.
 * Formatting what was formatted changes nothing.
 *
 * The layout is that of the formatter of SDK 4.12, byte for byte where that one keeps the comments;
 * format_test.c lists the cases in which it loses one and we do not.
 *
 * The result is checked before it is given out: it is parsed again and must have the same policies
 * (same.h) and the same comments. If it had not, that would be a defect here, reported as a
 * diagnostic "format"; text that differs is never given out.
 *
 * Limits: those of the parser, for the result as well (an extreme indentation can pass
 * CEDAR_TEXT_BYTES_MAX), and LAYOUT_EVENTS_MAX for one policy, which is a megabyte or more of it:
 * beyond, the diagnostic is "too-long". Time and memory are linear in text and result. Pure;
 * thread-safe. */
#pragma once
#include "cedar/policy/parse.h"

struct cedar_format_options {
    uint32_t line_width;  /* columns a line should not pass; long words and comments do */
    int32_t indent_width; /* columns per level; below 0 it moves to the left */
};
#define CEDAR_FORMAT_DEFAULT ((struct cedar_format_options){.line_width = 80, .indent_width = 2})

/* False, with the parser's diagnostics, for text that is no policy set. options: NULL for the
 * default. *out lives in the arena. Initialises d. */
MUST_USE bool cedar_format(struct arena *a, str text, const struct cedar_format_options *options,
                           str *out, struct cedar_diags *d);
