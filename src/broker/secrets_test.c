#include "broker/secrets.h"
#include "base/limits.h"
#include "crypto/seal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct place {
    char root[64], path[128];
    int keys, secrets;
};

static int open_place(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    snprintf(p->root, sizeof p->root, "/tmp/ambit-test-XXXXXX");
    assert_non_null(mkdtemp(p->root));
    snprintf(p->path, sizeof p->path, "%s/keys", p->root);
    assert_int_equal(mkdir(p->path, 0700), 0);
    p->keys = open(p->path, O_RDONLY | O_DIRECTORY);
    snprintf(p->path, sizeof p->path, "%s/secrets", p->root);
    assert_int_equal(mkdir(p->path, 0700), 0);
    p->secrets = open(p->path, O_RDONLY | O_DIRECTORY);
    *state = p;
    return 0;
}

static int close_place(void **state)
{
    struct place *p = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", p->root);
    close(p->keys);
    close(p->secrets);
    int status = system(command);
    free(p);
    return status;
}

static void test_set_get_remove(void **state)
{
    struct place *p = *state;
    struct secrets s;
    struct secret *got;
    struct secret_entry *list;
    struct arena a = {0};
    struct err err;
    size_t n;
    assert_true(secrets_open(&s, p->keys, p->secrets, (str){0}, &err));
    assert_false(secrets_get(&s, S("api"), &got, &err));
    assert_int_equal(err.kind, ERR_NOTFOUND);
    assert_non_null(strstr(err.text, "ambit secret set api"));
    assert_true(secrets_set(&s, S("api"), S("first"), &err));
    assert_true(secrets_set(&s, S("api"), S("second"), &err));
    assert_true(secrets_set(&s, S("Other.one"), S("x"), &err));
    assert_true(secrets_get(&s, S("api"), &got, &err));
    assert_true(str_eq(secret_str(got), S("second")));
    secret_free(got);
    assert_true(secrets_list(&s, &a, &list, &n, &err));
    assert_int_equal(n, 2);
    assert_true(str_eq(list[0].name, S("Other.one")) && str_eq(list[1].name, S("api")));
    assert_true(list[1].set_ms > 0);
    assert_true(secrets_remove(&s, S("api"), &err));
    assert_false(secrets_remove(&s, S("api"), &err));
    assert_int_equal(err.kind, ERR_NOTFOUND);
    assert_false(secrets_get(&s, S("api"), &got, &err));
    secrets_close(&s);
    arena_fini(&a);
}

/* Another opening finds the same key; the plain value is nowhere in the folder. */
static void test_sealed_and_lasting(void **state)
{
    struct place *p = *state;
    struct secrets s;
    struct secret *got;
    struct stat st;
    struct err err;
    char bytes[256];
    assert_true(secrets_open(&s, p->keys, p->secrets, (str){0}, &err));
    assert_true(secrets_set(&s, S("api"), S("in plain sight"), &err));
    secrets_close(&s);
    assert_int_equal(fstatat(p->keys, "seal.key", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, SEAL_MASTER_LEN);
    int fd = openat(p->secrets, "api", O_RDONLY);
    ssize_t n = read(fd, bytes, sizeof bytes);
    close(fd);
    assert_true(n > 0 && str_find(str_of(bytes, (size_t)n), S("plain")) < 0);
    assert_true(secrets_open(&s, p->keys, p->secrets, (str){0}, &err));
    assert_true(secrets_get(&s, S("api"), &got, &err));
    assert_true(str_eq(secret_str(got), S("in plain sight")));
    secret_free(got);
    secrets_close(&s);
}

/* A reader that has read a secret before sees at once that its file was replaced, or opened to
 * others. */
static void test_replaced(void **state)
{
    struct place *p = *state;
    struct secrets reader, writer;
    struct secret *got;
    struct err err;
    assert_true(secrets_open(&reader, p->keys, p->secrets, (str){0}, &err));
    assert_true(secrets_open(&writer, p->keys, p->secrets, (str){0}, &err));
    for (int i = 0; i < 100; i++) {
        char value[] = "value 00";
        value[6] = (char)('0' + i / 10);
        value[7] = (char)('0' + i % 10);
        assert_true(secrets_set(&writer, S("api"), str_z(value), &err));
        for (int k = 0; k < 2; k++) {
            assert_true(secrets_get(&reader, S("api"), &got, &err));
            assert_true(str_eq(secret_str(got), str_z(value)));
            secret_free(got);
        }
    }
    assert_int_equal(fchmodat(p->secrets, "api", 0644, 0), 0);
    assert_false(secrets_get(&reader, S("api"), &got, &err));
    assert_int_equal(err.kind, ERR_DENIED);
    assert_true(secrets_remove(&writer, S("api"), &err));
    assert_false(secrets_get(&reader, S("api"), &got, &err));
    assert_int_equal(err.kind, ERR_NOTFOUND);
    secrets_close(&reader);
    secrets_close(&writer);
}

static void test_refused(void **state)
{
    struct place *p = *state;
    struct secrets s;
    struct secret *got;
    struct err err;
    char other[SEAL_MASTER_LEN] = {1};
    static char large[SECRET_BYTES_MAX + 1];
    static const char *const names[] = {"", ".hidden", "../keys/seal.key", "a/b", "a b"};
    memset(large, 'x', sizeof large);
    assert_true(secrets_open(&s, p->keys, p->secrets, (str){0}, &err));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_false(secrets_set(&s, str_z(names[i]), S("v"), &err));
        assert_false(secrets_get(&s, str_z(names[i]), &got, &err));
        assert_false(secrets_remove(&s, str_z(names[i]), &err));
    }
    assert_false(secrets_set(&s, S("a"), S(""), &err));
    assert_false(secrets_set(&s, S("a"), S("two\r\nlines"), &err));
    assert_false(secrets_set(&s, S("a"), S("nul\0inside"), &err));
    assert_false(secrets_set(&s, S("a"), str_of(large, sizeof large), &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_true(secrets_set(&s, S("a"), str_of(large, sizeof large - 1), &err));
    /* A sealed file under another name is another secret. */
    assert_int_equal(renameat(p->secrets, "a", p->secrets, "b"), 0);
    assert_false(secrets_get(&s, S("b"), &got, &err));
    assert_int_equal(err.kind, ERR_DENIED);
    assert_true(secrets_set(&s, S("c"), S("v"), &err));
    secrets_close(&s);
    /* Under another key. */
    assert_true(secrets_open(&s, p->keys, p->secrets, str_of(other, sizeof other), &err));
    assert_false(secrets_get(&s, S("c"), &got, &err));
    assert_int_equal(err.kind, ERR_DENIED);
    secrets_close(&s);
    /* Readable by others. */
    assert_int_equal(fchmodat(p->keys, "seal.key", 0644, 0), 0);
    assert_false(secrets_open(&s, p->keys, p->secrets, (str){0}, &err));
    assert_int_equal(err.kind, ERR_DENIED);
    /* Cut short. */
    assert_int_equal(fchmodat(p->keys, "seal.key", 0600, 0), 0);
    int fd = openat(p->keys, "seal.key", O_WRONLY | O_TRUNC);
    close(fd);
    assert_false(secrets_open(&s, p->keys, p->secrets, (str){0}, &err));
    assert_int_equal(err.kind, ERR_INPUT);
}

static void test_environment_key(void **state)
{
    struct place *p = *state;
    struct secret *key;
    struct err err;
    char path[160];
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_true(secrets_environment_key(&key, &err));
    assert_null(key);
    setenv("CREDENTIALS_DIRECTORY", p->root, 1);
    assert_true(secrets_environment_key(&key, &err));
    assert_null(key);
    snprintf(path, sizeof path, "%s/ambit-seal-key", p->root);
    FILE *f = fopen(path, "w");
    fputs("01234567890123456789012345678901", f);
    fclose(f);
    assert_true(secrets_environment_key(&key, &err));
    assert_int_equal(key->n, SEAL_MASTER_LEN);
    secret_free(key);
    f = fopen(path, "a");
    fputs("x", f);
    fclose(f);
    assert_false(secrets_environment_key(&key, &err));
    unsetenv("CREDENTIALS_DIRECTORY");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_set_get_remove, open_place, close_place),
        cmocka_unit_test_setup_teardown(test_sealed_and_lasting, open_place, close_place),
        cmocka_unit_test_setup_teardown(test_replaced, open_place, close_place),
        cmocka_unit_test_setup_teardown(test_refused, open_place, close_place),
        cmocka_unit_test_setup_teardown(test_environment_key, open_place, close_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
