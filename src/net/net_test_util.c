#include "net/net_test.h"

#include <dirent.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void on_give_up(void *arg)
{
    *(bool *)arg = true;
}

static void run(struct loop *l, const bool *done, int64_t ms)
{
    bool over = false;
    struct timer t = {0};
    timer_start(&t, l, ms, on_give_up, &over);
    while (!over && !(done && *done))
        loop_step(l, true);
    timer_stop(&t);
}

bool test_run_until(struct loop *l, const bool *done)
{
    run(l, done, 60000);
    return *done;
}

void test_run_for(struct loop *l, int64_t ms)
{
    run(l, NULL, ms);
}

struct addr test_loopback(uint16_t port)
{
    struct addr a;
    struct err err;
    assert_true(addr_from(S("127.0.0.1"), port, &a, &err));
    return a;
}

void test_dir_make(char out[64])
{
    const char *tmp = getenv("TMPDIR");
    if (!tmp || strlen(tmp) > 40)
        tmp = "/tmp";
    snprintf(out, 64, "%s/net_test.XXXXXX", tmp);
    assert_non_null(mkdtemp(out));
}

void test_dir_remove(const char *dir)
{
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.')
            unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    rmdir(dir);
}

static str pem_of(BIO *b)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);
    char *copy = malloc((size_t)n + 1);
    assert_non_null(copy);
    memcpy(copy, p, (size_t)n);
    copy[n] = 0;
    BIO_free(b);
    return str_of(copy, (size_t)n);
}

static void add_ext(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(e);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
}

struct test_cert *test_cert_new(const struct test_cert *ca, struct test_cert_opts o)
{
    static long serial = 1000;
    struct test_cert *c = calloc(1, sizeof *c);
    assert_non_null(c);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x), o.is_expired ? -7200 : -60);
    X509_gmtime_adj(X509_getm_notAfter(x), o.is_expired ? -3600 : 3600);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                               (const unsigned char *)o.cn, -1, -1, 0);
    X509 *issuer = ca ? ca->x509 : x;
    X509_set_issuer_name(x, X509_get_subject_name(issuer));
    add_ext(x, issuer, NID_basic_constraints, ca ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (o.san)
        add_ext(x, issuer, NID_subject_alt_name, o.san);
    assert_true(X509_sign(x, ca ? ca->key : key, EVP_sha256()) > 0);
    BIO *b = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(b, x);
    c->cert_pem = pem_of(b);
    b = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(b, key, NULL, NULL, 0, NULL, NULL);
    c->key_pem = pem_of(b);
    c->x509 = x;
    c->key = key;
    return c;
}

void test_cert_free(struct test_cert *c)
{
    X509_free(c->x509);
    EVP_PKEY_free(c->key);
    free((void *)(uintptr_t)c->cert_pem.p);
    free((void *)(uintptr_t)c->key_pem.p);
    free(c);
}
