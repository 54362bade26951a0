/* testdata: third-party test data for the test programs: unpacked from an archive outside the
 * repository into a temporary directory. For tests only. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"

enum { TESTDATA_SKIPPED = 77 }; /* exit code that Meson reads as "skipped" */

struct testdata {
    char dir[128];
    bool temporary;
};

/* dir: an unpacked directory; NULL: the one that $AMBIT_CEDAR_DATA names (./test unpacks once for
 * all programs), else $AMBIT_SHARED/cedar/cedar-testdata.tar.xz, unpacked for this program alone.
 * False, with a printed reason, when there is none. */
MUST_USE bool testdata_open(struct testdata *t, const char *dir);
void testdata_close(struct testdata *t);
/* Text of <dir>/<sub>/<name><suffix>; false if there is no such file. */
MUST_USE bool testdata_read(const struct testdata *t, struct arena *a, const char *sub, str name,
                            const char *suffix, str *out);
/* As JSON; NULL if there is no such file or it is no JSON. */
const json *testdata_json(const struct testdata *t, struct arena *a, const char *sub, str name,
                          const char *suffix);
/* Calls fn for every file of <dir>/<sub> that ends with suffix, without the suffix, sorted. */
void testdata_each(const struct testdata *t, const char *sub, const char *suffix,
                   void (*fn)(void *ctx, str name), void *ctx);
