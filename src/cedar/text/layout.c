#include "cedar/text/layout.h"
#include "cedar/text/unicode.h"

enum kind {
    NOTHING = 0,
    TEXT,
    LINE,
    SOFT,
    HARD,
    GROUP,
    NEST,
    GROUP_END,
    NEST_END,
};

struct layout_event {
    const char *p; /* TEXT and breaks: what is written on one line */
    uint32_t n;
    enum kind kind;
    union {
        int32_t columns; /* NEST */
        uint32_t end;    /* GROUP: index of its end */
    };
    uint32_t flat; /* columns of everything before this event, were it on one line */
    uint32_t tail; /* columns from here to the next possible break */
    uint32_t hard; /* breaks before this event that are hard */
};

/* ---- writing ---- */

static str text_of(const struct layout_event *e)
{
    return str_of(e->p, e->n);
}

static size_t push(struct layout *l, enum kind kind, str text)
{
    if (l->count == LAYOUT_EVENTS_MAX || text.n > LAYOUT_EVENTS_MAX) {
        l->over = true;
        return 0;
    }
    if (l->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 256;
        struct layout_event *items = ARENA_ARRAY(l->arena, struct layout_event, l->cap);
        if (l->count)
            memcpy(items, l->items, l->count * sizeof *items);
        l->items = items;
    }
    l->items[l->count] = (struct layout_event){.p = text.p, .n = (uint32_t)text.n, .kind = kind};
    return l->count++;
}

void layout_text(struct layout *l, str s)
{
    push(l, TEXT, s);
}

void layout_line(struct layout *l)
{
    push(l, LINE, S(" "));
}

void layout_soft(struct layout *l)
{
    push(l, SOFT, S(""));
}

void layout_hard(struct layout *l)
{
    push(l, HARD, S(""));
}

size_t layout_mark(struct layout *l)
{
    return push(l, NOTHING, S(""));
}

void layout_group(struct layout *l, size_t mark)
{
    uint32_t end = (uint32_t)push(l, GROUP_END, S(""));
    l->items[mark].kind = GROUP;
    l->items[mark].end = end;
}

void layout_nest(struct layout *l, size_t mark, int32_t columns)
{
    push(l, NEST_END, S(""));
    l->items[mark].kind = NEST;
    l->items[mark].columns = columns;
}

/* ---- rendering ---- */

struct level {
    bool is_group;
    bool flat;
    size_t indent;
};

struct renderer {
    const struct layout *layout;
    struct buf *out;
    size_t start;      /* of our text in out */
    size_t line_start; /* of the present line in out */
    bool blank;        /* nothing but spaces on it yet */
    size_t column;
    struct level *levels; /* of all open groups and nests; [0] is outside of all */
    size_t depth, cap;
};

static bool is_break(const struct layout_event *e)
{
    return e->kind == LINE || e->kind == SOFT || e->kind == HARD;
}

static void measure(struct layout *l)
{
    uint32_t flat = 0, hard = 0, tail = 0;
    for (size_t i = 0; i < l->count; i++) {
        struct layout_event *e = &l->items[i];
        e->flat = flat;
        e->hard = hard;
        hard += e->kind == HARD;
        flat += (uint32_t)cedar_width(text_of(e));
    }
    for (size_t i = l->count; i-- > 0;) {
        struct layout_event *e = &l->items[i];
        uint32_t after = i + 1 < l->count ? e[1].flat : flat;
        tail = is_break(e) ? 0 : tail + (after - e->flat);
        e->tail = tail;
    }
}

static bool fits(const struct renderer *r, const struct layout_event *group, uint32_t width)
{
    const struct layout_event *end = &r->layout->items[group->end];
    return end->hard == group->hard && r->column + (end->flat - group->flat) + end->tail <= width;
}

static void enter(struct renderer *r, struct level made)
{
    if (++r->depth == r->cap) {
        struct level *levels = ARENA_ARRAY(r->layout->arena, struct level, r->cap * 2);
        memcpy(levels, r->levels, r->cap * sizeof *levels);
        r->levels = levels;
        r->cap *= 2;
    }
    r->levels[r->depth] = made;
}

static void spaces(struct buf *out, size_t n)
{
    char *p = buf_reserve(out, n);
    if (!p)
        return;
    memset(p, ' ', n);
    buf_commit(out, n);
}

/* The indentation of what stands behind the break at i. */
static size_t indent_after(const struct renderer *r, size_t i)
{
    size_t depth = r->depth;
    for (i++; i < r->layout->count; i++) {
        enum kind k = r->layout->items[i].kind;
        if (k != NOTHING && k != GROUP_END && k != NEST_END)
            break;
        if (k != NOTHING && depth > 0)
            depth--;
    }
    return r->levels[depth].indent;
}

static void new_line(struct renderer *r, size_t i)
{
    r->column = indent_after(r, i);
    if (r->blank) {
        buf_truncate(r->out, r->line_start);
    } else {
        buf_putc(r->out, '\n');
        r->line_start = buf_len(r->out);
    }
    r->blank = true;
    spaces(r->out, r->column);
}

static void put(struct renderer *r, const struct layout_event *e)
{
    for (size_t i = 0; r->blank && i < e->n; i++)
        r->blank = e->p[i] == ' ';
    buf_put(r->out, text_of(e));
    r->column += cedar_width(text_of(e));
}

static void render_one(struct renderer *r, size_t i, uint32_t width)
{
    const struct layout_event *e = &r->layout->items[i];
    struct level made = r->levels[r->depth];
    if (e->kind == TEXT || (is_break(e) && made.flat)) {
        put(r, e);
    } else if (is_break(e)) {
        new_line(r, i);
    } else if (e->kind == GROUP) {
        made.flat = made.flat || fits(r, e, width);
        enter(r, made);
    } else if (e->kind == NEST) {
        int64_t indent = (int64_t)made.indent + e->columns;
        made.indent = indent > 0 ? (size_t)indent : 0;
        enter(r, made);
    } else if (e->kind != NOTHING) {
        r->depth--;
    }
}

static void trim(struct renderer *r)
{
    str all = buf_str(r->out);
    while (all.n > r->start && (all.p[all.n - 1] == ' ' || all.p[all.n - 1] == '\n'))
        all.n--;
    buf_truncate(r->out, all.n);
}

bool layout_render(struct layout *l, uint32_t width, struct buf *out)
{
    enum { LEVELS = 64 };
    if (l->over)
        return false;
    struct renderer r = {.layout = l, .out = out, .start = buf_len(out), .blank = true};
    r.line_start = r.start;
    r.levels = ARENA_ARRAY(l->arena, struct level, LEVELS);
    r.cap = LEVELS;
    measure(l);
    for (size_t i = 0; i < l->count && !out->over; i++)
        render_one(&r, i, width);
    trim(&r);
    return !out->over;
}
