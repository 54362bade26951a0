#include "cedar/text/unicode.h"

struct code_range {
    uint32_t first, last;
};
struct width_range {
    struct code_range range;
    uint8_t columns;
};
struct script_range {
    struct code_range range;
    uint16_t set;
};
struct script_set {
    uint64_t bits[3];
};

#include "cedar/text/unicode_tables.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

uint32_t cedar_code_point(str s, size_t *i)
{
    const unsigned char *p = (const unsigned char *)s.p + *i;
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (n > s.n - *i)
        n = s.n - *i; /* no UTF-8: wrong, but never beyond the end */
    uint32_t code = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t k = 1; k < n; k++)
        code = code << 6 | (p[k] & 0x3fu);
    *i += n;
    return code;
}

/* The row of a table of ranges that holds c; all rows begin with a code_range. */
static const void *find(const void *table, size_t count, size_t size, uint32_t c)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const void *row = (const char *)table + mid * size;
        const struct code_range *range = row;
        if (c < range->first)
            high = mid;
        else if (c > range->last)
            low = mid + 1;
        else
            return row;
    }
    return NULL;
}
#define FIND(table, c) find(table, COUNT(table), sizeof(table)[0], c)

size_t cedar_width(str s)
{
    size_t columns = 0;
    for (size_t i = 0; i < s.n;) {
        if (!(s.p[i] & 0x80)) {
            columns++;
            i++;
            continue;
        }
        const struct width_range *odd = FIND(width_ranges, cedar_code_point(s, &i));
        columns += odd ? odd->columns : 1;
    }
    return columns;
}

bool cedar_identifier_allows(uint32_t c)
{
    return c <= 0x7f ? c >= 0x20 && c != 0x7f : FIND(allowed_ranges, c) != NULL;
}

size_t cedar_script_clash(str s)
{
    struct script_set all = {{UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    for (size_t i = 0, start = 0; i < s.n; start = i) {
        const struct script_range *row = FIND(script_ranges, cedar_code_point(s, &i));
        for (size_t k = 0; row && k < 3; k++)
            all.bits[k] &= script_sets[row->set].bits[k];
        if ((all.bits[0] | all.bits[1] | all.bits[2]) == 0)
            return start;
    }
    return s.n;
}
