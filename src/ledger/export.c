#include "ledger/export.h"
#include "base/hex.h"
#include "crypto/merkle.h"

/* A line must stay one: canonical leaves hold no raw control characters. */
static bool is_one_line(str body)
{
    for (size_t i = 0; i < body.n; i++)
        if ((unsigned char)body.p[i] < 0x20)
            return false;
    return true;
}

bool export_leaf(struct arena *a, const struct store_leaf_row *row, const json **out,
                 struct err *err)
{
    unsigned long long index = row->index;
    struct hash h = merkle_leaf(row->body);
    const json *leaf;
    if (!str_eq(hash_str(&h), row->hash))
        return err_input(
            err, "leaf %llu is not what its hash says; look with `ambit ledger verify`", index);
    if (!is_one_line(row->body) || !json_read(a, row->body, NULL, &leaf, err) ||
        json_type(leaf) != JSON_OBJECT)
        return err_input(err, "leaf %llu is no record; look with `ambit ledger verify`", index);
    *out = leaf;
    return true;
}

bool export_jsonl(struct buf *out, struct arena *a, const struct store_leaf_row *row,
                  struct err *err)
{
    const json *leaf;
    if (!export_leaf(a, row, &leaf, err))
        return false;
    buf_printf(out, "{\"index\":%llu,\"hash\":\"", (unsigned long long)row->index);
    base64url_encode(out, row->hash);
    buf_put(out, S("\",\"record\":"));
    buf_put(out, row->body);
    buf_put(out, S("}\n"));
    return true;
}

void export_checkpoint(struct buf *out, const struct store_checkpoint *c)
{
    struct jw w = jw(out);
    jw_obj(&w);
    jw_key(&w, S("checkpoint"));
    jw_obj(&w);
    jw_ki64(&w, S("size"), c->size);
    jw_kstr(&w, S("note"), c->note);
    jw_end_obj(&w);
    jw_end_obj(&w);
    buf_putc(out, '\n');
}
