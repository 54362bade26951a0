/* store/row: one row of an answer, whatever database gave it, and how readings are made.
 *
 * A reading is a SELECT in the common subset of SQLite and PostgreSQL with parameters ?1, ?2 ...,
 * and a function that takes each row. Columns count from 0, in the order of the SELECT. Values live
 * until the function returns; inside it other readings on the same view are allowed. The typed
 * readings made of this are in store/read.h. Threads: that of the view. */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include "store/txn.h"

struct store_view;
struct store_row;

/* Text or bytes; NULL is empty. */
str store_row_str(const struct store_row *row, int col);
/* NULL is 0. */
int64_t store_row_i64(const struct store_row *row, int col);

/* One row; false ends the walk, which is no error. */
typedef bool store_row_fn(void *ctx, const struct store_row *row);
/* params[i] is ?i+1. Errors: what the database says, as store_open. */
MUST_USE bool store_walk(struct store_view *v, const char *sql, const struct store_param *params,
                         size_t n, store_row_fn *row, void *ctx, struct err *err);
