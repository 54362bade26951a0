/* print: text for a person at a terminal.
 *
 * Much of what is shown was written by agents and by systems that nobody vouches for, so nothing of
 * it reaches the terminal raw: control characters, and characters that are invisible or change the
 * direction of what follows, are shown as \u and four digits. Pure but for table_print. */
#pragma once
#include "base/arena.h"
#include "base/json.h"

#include <stdio.h>

/* s with every unsafe character escaped. */
void put_safe(struct buf *out, str s);
str safe_dup(struct arena *a, str s);
/* JSON over several lines, indented by 2, each line after the first behind `indent` blanks. It is
 * still JSON with the same values. */
void put_pretty(struct buf *out, const json *v, unsigned indent);
/* An object as "name   value" lines; what is not a plain value as compact JSON. */
void put_members(struct buf *out, const json *obj);
/* Lines of both texts: " " the same, "-" only old, "+" only new. Far unchanged lines are left out.
 */
void put_diff(struct buf *out, str before, str after);

/* Rows of cells under headings; columns as wide as their widest cell, the last one free. */
struct table {
    struct arena *a;
    const char *const *heads;
    size_t columns;
    str *cells;
    size_t n, cap;
};
void table_add(struct table *t, str cell); /* the next cell, row by row; made safe */
void table_put(const struct table *t, struct buf *out);
void table_print(const struct table *t); /* to standard output; "none" without rows */
void print_buf(FILE *to, struct buf *b); /* and frees it */
