/* net_test: what the tests of this folder share: a loop that gives up, and TLS material made on the
 * spot. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "net/conn.h"
#include "net/timer.h"

/* Runs the loop until *done or 60 s have passed; true if done. */
bool test_run_until(struct loop *l, const bool *done);
void test_run_for(struct loop *l, int64_t ms);
struct addr test_loopback(uint16_t port);
/* A folder of this test under TMPDIR, and its removal with the files in it. */
void test_dir_make(char out[64]);
void test_dir_remove(const char *dir);

/* A certificate signed by `ca` (NULL: by itself, as a CA). */
struct test_cert {
    str cert_pem, key_pem;
    void *x509, *key; /* OpenSSL's */
};
struct test_cert_opts {
    const char *cn, *san; /* san as in openssl.cnf: "DNS:localhost,URI:spiffe://a/b" */
    bool is_expired;
};
struct test_cert *test_cert_new(const struct test_cert *ca, struct test_cert_opts o);
void test_cert_free(struct test_cert *c);
