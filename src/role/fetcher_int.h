/* fetcher_int: the fetcher's state, shared by its files and nobody else. */
#pragma once
#include "base/list.h"
#include "door/fetch.h"
#include "http/url.h"
#include "identity/x509_svid.h"
#include "role/role.h"

enum { SOURCE_ADDRS_MAX = 8 };

/* One of the configuration's issuers, and how it is reached. */
struct source {
    const struct conf_issuer *conf;
    bool has_url;
    struct url url;  /* of its location: the only scheme, host and port that are fetched from */
    str host;        /* as the Host field says it */
    struct tls *tls; /* https under authorities; https_spiffe makes its own for each request */
    struct addr addrs[SOURCE_ADDRS_MAX];
    size_t addrs_n, next;
};

struct fetcher {
    struct role_env *env;
    struct chan *core;
    struct source *sources; /* in the order of env->conf.issuers */
    struct list askings;    /* exchanges under way */
    struct list watches;    /* Workload APIs that are listened to */
};

/* fetcher.c. err NULL: document is what there is. */
void fetcher_answer(struct fetcher *f, uint64_t id, const struct source *s, uint32_t status,
                    str document, const struct err *err);

/* fetcher_watch.c: a Workload API's bundles, each state as it comes */
void fetcher_watch(struct fetcher *f, uint64_t id, struct source *s);
void fetcher_watches_drop(struct fetcher *f);
