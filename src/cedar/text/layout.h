/* layout: text that finds its own line breaks within a width.
 *
 * What is to be written is a flat list of events: pieces of text, places where a line may break,
 * groups and nests around them. layout_render decides each group once, outermost first: if all of
 * it fits on the present line, together with what must follow it up to the next possible break, it
 * stays on one line; otherwise every break that is directly in it becomes a new line and the groups
 * inside are decided one by one. A hard break never fits. Everything outside of groups breaks.
 *
 * A new line is indented by the nests that are open where the next text or the next begin of a
 * group or nest stands: a nest that ends right behind a break does not indent that line, one that
 * begins there does so from the line after it. Lines that would be blank are left out, so breaks
 * may be asked for twice.
 *
 * Time and memory are linear in the events, whatever the width. Owns no text: pieces are borrowed.
 * One thread at a time; zero, with an arena, is ready. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct layout_event;

enum { LAYOUT_EVENTS_MAX = 1 << 22 }; /* also bytes of one piece of text */

struct layout {
    struct arena *arena;
    struct layout_event *items;
    size_t count, cap;
    bool over; /* more events than LAYOUT_EVENTS_MAX: what was added is not complete */
};

void layout_text(struct layout *l, str s); /* as it is, line breaks in it included */
void layout_line(struct layout *l);        /* a space, or a new line */
void layout_soft(struct layout *l);        /* nothing, or a new line */
void layout_hard(struct layout *l);        /* a new line */

/* Something may turn out to be a group only after it was written: mark where it begins, then end
 * the group with that mark. A mark that no group ends is nothing. */
size_t layout_mark(struct layout *l);
void layout_group(struct layout *l, size_t mark);
/* The same for what is indented by so many columns more (or fewer: never below 0). Nothing may be
 * nested that is empty. */
void layout_nest(struct layout *l, size_t mark, int32_t columns);

/* Appends to out, without white space at the end. False, with nothing or a part of it appended, if
 * there were too many events or out is full. */
MUST_USE bool layout_render(struct layout *l, uint32_t width, struct buf *out);
