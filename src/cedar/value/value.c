#include "cedar/value/value.h"

#include "cedar/value/ext.h"
#include "cedar/text/lex.h"

const struct cedar_value cedar_empty_record = {.kind = CEDAR_RECORD};

static const char *const kind_names[] = {
    [CEDAR_NONE] = "nothing",      [CEDAR_BOOL] = "bool",       [CEDAR_LONG] = "long",
    [CEDAR_STRING] = "string",     [CEDAR_ENTITY] = "entity",   [CEDAR_SET] = "set",
    [CEDAR_RECORD] = "record",     [CEDAR_DECIMAL] = "decimal", [CEDAR_DATETIME] = "datetime",
    [CEDAR_DURATION] = "duration", [CEDAR_IPADDR] = "ipaddr",
};

const char *cedar_kind_name(enum cedar_kind k)
{
    return kind_names[k];
}

/* ---- names ---- */

static ptrdiff_t last_separator(str type)
{
    for (size_t i = type.n; i >= 2; i--) {
        if (type.p[i - 1] == ':' && type.p[i - 2] == ':')
            return (ptrdiff_t)i;
    }
    return -1;
}

str cedar_name_base(str type)
{
    ptrdiff_t i = last_separator(type);
    return i < 0 ? type : str_skip(type, (size_t)i);
}

str cedar_name_space(str type)
{
    ptrdiff_t i = last_separator(type);
    return i < 0 ? (str){0} : str_take(type, (size_t)i - 2);
}

bool cedar_is_type_name(str s)
{
    for (;;) {
        ptrdiff_t i = str_find(s, S("::"));
        str part = i < 0 ? s : str_take(s, (size_t)i);
        if (!cedar_is_ident(part) || cedar_is_reserved(part))
            return false;
        if (i < 0)
            return true;
        s = str_skip(s, (size_t)i + 2);
    }
}

int cedar_uid_cmp(const struct cedar_uid *a, const struct cedar_uid *b)
{
    int c = a == b ? 0 : str_cmp(a->type, b->type);
    return c ? c : str_cmp(a->id, b->id);
}

bool cedar_uid_read(struct arena *a, str text, struct cedar_uid *out, struct err *err)
{
    ptrdiff_t quote = str_find_char(text, '"', 0);
    struct cedar_uid made;
    struct cedar_span bad;
    if (quote < 3 || !str_ends(str_take(text, (size_t)quote), S("::")) ||
        text.n < (size_t)quote + 2 || text.p[text.n - 1] != '"')
        return err_input(err, "`%.*s` is no entity: write Type::\"id\"", STR(text));
    made.type = str_take(text, (size_t)quote - 2);
    str raw = str_of(text.p + quote + 1, text.n - (size_t)quote - 2);
    for (size_t i = 0; i < raw.n; i++) {
        if (raw.p[i] == '"')
            return err_input(err, "`%.*s`: a quote inside the id must be \\\"", STR(text));
        i += raw.p[i] == '\\';
    }
    if (!cedar_is_type_name(made.type) || !str_is_utf8(raw) ||
        !cedar_unescape(a, raw, &made.id, &bad))
        return err_input(err, "`%.*s` is no entity: write Type::\"id\"", STR(text));
    *out = made;
    return true;
}

/* ---- order ---- */

static int cmp_i64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int cmp_ip(const struct cedar_ip *a, const struct cedar_ip *b)
{
    if (a->is_v6 != b->is_v6)
        return a->is_v6 ? 1 : -1;
    int c = memcmp(a->bytes, b->bytes, a->is_v6 ? 16 : 4);
    return c ? c : (int)a->prefix - (int)b->prefix;
}

static int cmp_elements(const struct cedar_value *a, const struct cedar_value *b)
{
    for (uint32_t i = 0; i < a->n && i < b->n; i++) {
        int c = cedar_value_cmp(&a->items[i], &b->items[i]);
        if (c)
            return c;
    }
    return cmp_i64(a->n, b->n);
}

static int cmp_fields(const struct cedar_value *a, const struct cedar_value *b)
{
    for (uint32_t i = 0; i < a->n && i < b->n; i++) {
        int c = str_cmp(a->fields[i].name, b->fields[i].name);
        if (!c)
            c = cedar_value_cmp(&a->fields[i].value, &b->fields[i].value);
        if (c)
            return c;
    }
    return cmp_i64(a->n, b->n);
}

int cedar_value_cmp(const struct cedar_value *a, const struct cedar_value *b)
{
    if (a->kind != b->kind)
        return (int)a->kind - (int)b->kind;
    switch ((enum cedar_kind)a->kind) {
    case CEDAR_NONE:
        return 0;
    case CEDAR_BOOL:
        return (int)a->b - (int)b->b;
    case CEDAR_LONG:
    case CEDAR_DECIMAL:
    case CEDAR_DATETIME:
    case CEDAR_DURATION:
        return cmp_i64(a->i, b->i);
    case CEDAR_STRING:
        return str_cmp(cedar_str(*a), cedar_str(*b));
    case CEDAR_ENTITY:
        return cedar_uid_cmp(a->uid, b->uid);
    case CEDAR_SET:
        return cmp_elements(a, b);
    case CEDAR_RECORD:
        return cmp_fields(a, b);
    case CEDAR_IPADDR:
        return cmp_ip(a->ip, b->ip);
    }
    return 0;
}

bool cedar_value_eq(const struct cedar_value *a, const struct cedar_value *b)
{
    if (a->kind != b->kind || (a->kind >= CEDAR_SET && a->kind <= CEDAR_RECORD && a->n != b->n))
        return false;
    if (a->kind == CEDAR_STRING)
        return same_bytes(cedar_str(*a), cedar_str(*b));
    if (a->kind == CEDAR_ENTITY)
        return cedar_uid_eq(a->uid, b->uid);
    return cedar_value_cmp(a, b) == 0;
}

static void sift_down(void *base, size_t from, size_t n, cedar_less_fn *less, cedar_swap_fn *swap)
{
    for (size_t at = from;;) {
        size_t kid = 2 * at + 1;
        if (kid >= n)
            return;
        if (kid + 1 < n && less(base, kid, kid + 1))
            kid++;
        if (!less(base, at, kid))
            return;
        swap(base, at, kid);
        at = kid;
    }
}

void cedar_heap_sort(void *base, size_t n, cedar_less_fn *less, cedar_swap_fn *swap)
{
    for (size_t i = n / 2; i-- > 0;)
        sift_down(base, i, n, less, swap);
    for (size_t end = n; end-- > 1;) {
        swap(base, 0, end);
        sift_down(base, 0, end, less, swap);
    }
}

static bool item_less(const void *base, size_t i, size_t j)
{
    const struct cedar_value *items = base;
    return cedar_value_cmp(&items[i], &items[j]) < 0;
}
static void item_swap(void *base, size_t i, size_t j)
{
    struct cedar_value *items = base, t = items[i];
    items[i] = items[j];
    items[j] = t;
}
static bool field_less(const void *base, size_t i, size_t j)
{
    const struct cedar_field *fields = base;
    return str_cmp(fields[i].name, fields[j].name) < 0;
}
static void field_swap(void *base, size_t i, size_t j)
{
    struct cedar_field *fields = base, t = fields[i];
    fields[i] = fields[j];
    fields[j] = t;
}

static bool is_sorted(const void *base, size_t n, cedar_less_fn *less)
{
    for (size_t i = 1; i < n; i++) {
        if (!less(base, i - 1, i))
            return false;
    }
    return true;
}

struct cedar_value cedar_set_of(struct cedar_value *items, size_t n)
{
    size_t kept = n > 0;
    if (!is_sorted(items, n, item_less))
        cedar_heap_sort(items, n, item_less, item_swap);
    for (size_t i = 1; i < n; i++) {
        if (cedar_value_cmp(&items[kept - 1], &items[i]) != 0)
            items[kept++] = items[i];
    }
    return (struct cedar_value){.kind = CEDAR_SET, .n = (uint32_t)kept, .items = items};
}

bool cedar_record_of(struct cedar_field *fields, size_t n, struct cedar_value *out)
{
    if (!is_sorted(fields, n, field_less)) {
        cedar_heap_sort(fields, n, field_less, field_swap);
        if (!is_sorted(fields, n, field_less))
            return false;
    }
    *out = (struct cedar_value){.kind = CEDAR_RECORD, .n = (uint32_t)n, .fields = fields};
    return true;
}

/* ---- looking up ---- */

const struct cedar_value *cedar_record_get(const struct cedar_value *record, str name)
{
    enum { FEW = 12 };
    if (record->kind != CEDAR_RECORD)
        return NULL;
    size_t low = 0, high = record->n;
    for (; high <= FEW && low < high; low++) {
        if (same_bytes(record->fields[low].name, name))
            return &record->fields[low].value;
    }
    while (low < high) {
        size_t mid = (low + high) / 2;
        int c = str_cmp(name, record->fields[mid].name);
        if (c == 0)
            return &record->fields[mid].value;
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

bool cedar_set_has(const struct cedar_value *set, const struct cedar_value *v)
{
    size_t low = 0, high = set->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int c = cedar_value_cmp(v, &set->items[mid]);
        if (c == 0)
            return true;
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return false;
}

/* ---- copying ---- */

struct cedar_value cedar_value_copy(struct arena *a, struct cedar_value v)
{
    if (v.kind == CEDAR_STRING) {
        v.s = str_dup(a, cedar_str(v)).p;
    } else if (v.kind == CEDAR_ENTITY) {
        struct cedar_uid *uid = ARENA_NEW(a, struct cedar_uid);
        *uid = (struct cedar_uid){str_dup(a, v.uid->type), str_dup(a, v.uid->id)};
        v.uid = uid;
    } else if (v.kind == CEDAR_IPADDR) {
        v.ip = arena_dup(a, v.ip, sizeof *v.ip);
    } else if (v.kind == CEDAR_SET) {
        struct cedar_value *items = ARENA_ARRAY(a, struct cedar_value, v.n);
        for (uint32_t i = 0; i < v.n; i++)
            items[i] = cedar_value_copy(a, v.items[i]);
        v.items = items;
    } else if (v.kind == CEDAR_RECORD) {
        struct cedar_field *fields = ARENA_ARRAY(a, struct cedar_field, v.n);
        for (uint32_t i = 0; i < v.n; i++)
            fields[i] = (struct cedar_field){str_dup(a, v.fields[i].name),
                                             cedar_value_copy(a, v.fields[i].value)};
        v.fields = fields;
    }
    return v;
}

/* ---- printing ---- */

void cedar_uid_print(struct buf *out, const struct cedar_uid *uid)
{
    buf_put(out, uid->type);
    buf_put(out, S("::"));
    cedar_quote(out, uid->id);
}

static void print_items(struct buf *out, const struct cedar_value *v)
{
    buf_putc(out, '[');
    for (uint32_t i = 0; i < v->n; i++) {
        if (i)
            buf_put(out, S(", "));
        cedar_value_print(out, &v->items[i]);
    }
    buf_putc(out, ']');
}

static void print_fields(struct buf *out, const struct cedar_value *v)
{
    buf_putc(out, '{');
    for (uint32_t i = 0; i < v->n; i++) {
        if (i)
            buf_put(out, S(", "));
        cedar_quote(out, v->fields[i].name);
        buf_put(out, S(": "));
        cedar_value_print(out, &v->fields[i].value);
    }
    buf_putc(out, '}');
}

static void print_scaled(struct buf *out, const char *fn, void (*print)(struct buf *, int64_t),
                         int64_t v)
{
    buf_printf(out, "%s(\"", fn);
    print(out, v);
    buf_put(out, S("\")"));
}

/* Years that have no four digits are reached from the epoch. */
static void print_datetime(struct buf *out, int64_t ms)
{
    if (cedar_datetime_has_text(ms))
        print_scaled(out, "datetime", cedar_datetime_print, ms);
    else
        buf_printf(out, "datetime(\"1970-01-01\").offset(duration(\"%lldms\"))", (long long)ms);
}

void cedar_value_print(struct buf *out, const struct cedar_value *v)
{
    switch ((enum cedar_kind)v->kind) {
    case CEDAR_NONE:
        break;
    case CEDAR_BOOL:
        buf_put(out, v->b ? S("true") : S("false"));
        break;
    case CEDAR_LONG:
        buf_i64(out, v->i);
        break;
    case CEDAR_STRING:
        cedar_quote(out, cedar_str(*v));
        break;
    case CEDAR_ENTITY:
        cedar_uid_print(out, v->uid);
        break;
    case CEDAR_SET:
        print_items(out, v);
        break;
    case CEDAR_RECORD:
        print_fields(out, v);
        break;
    case CEDAR_DECIMAL:
        print_scaled(out, "decimal", cedar_decimal_print, v->i);
        break;
    case CEDAR_DATETIME:
        print_datetime(out, v->i);
        break;
    case CEDAR_DURATION:
        print_scaled(out, "duration", cedar_duration_print, v->i);
        break;
    case CEDAR_IPADDR:
        buf_put(out, S("ip(\""));
        cedar_ip_print(out, v->ip);
        buf_put(out, S("\")"));
        break;
    }
}
