#include "cmd/args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct opt OWN[] = {{"operation", 'o', OPT_LIST, "B/T", "operation"},
                                 {"deadline", 0, OPT_VALUE, "LIFE", "deadline"},
                                 {"token", 't', OPT_FLAG, NULL, "token"},
                                 {0}};
static const struct opt SHARED[] = {{"config", 'c', OPT_VALUE, "FILE", "file"},
                                    {"deadline", 'd', OPT_FLAG, NULL, "hidden by the own one"},
                                    {0}};
static const struct opt *const TABLES[] = {OWN, SHARED, NULL};

#define WORDS(...) ((const char *[]){__VA_ARGS__})
#define COUNT(...) (int)(sizeof(WORDS(__VA_ARGS__)) / sizeof(char *))
#define PARSE(a, out, err, ...)                                                                    \
    args_parse(a, COUNT(__VA_ARGS__), (char **)WORDS(__VA_ARGS__), TABLES, out, err)

static void reads_options_and_positions_in_any_order(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct args args;
    struct err err;
    str *ops;
    (void)state;
    assert_true(PARSE(&a, &args, &err, "one", "--operation=x/y", "-c", "f.json", "--token", "two",
                      "--operation", "x/z", "-ofoo", "--", "--deadline"));
    assert_int_equal(args.pos_n, 3);
    assert_true(str_eq(args.pos[0], S("one")));
    assert_true(str_eq(args.pos[2], S("--deadline")));
    assert_int_equal(args_all(&args, &a, "operation", &ops), 3);
    assert_true(str_eq(ops[0], S("x/y")));
    assert_true(str_eq(ops[1], S("x/z")));
    assert_true(str_eq(ops[2], S("foo")));
    assert_true(str_eq(args_get(&args, "config"), S("f.json")));
    assert_true(args_has(&args, "token"));
    assert_false(args_has(&args, "deadline"));
    assert_int_equal(args_get(&args, "deadline").n, 0);
}

static void a_value_may_look_like_an_option(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct args args;
    struct err err;
    (void)state;
    assert_true(PARSE(&a, &args, &err, "--config", "-x", "-"));
    assert_true(str_eq(args_get(&args, "config"), S("-x")));
    assert_true(str_eq(args.pos[0], S("-")));
}

static void refuses_what_it_does_not_know(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct args args;
    struct err err;
    (void)state;
    assert_false(PARSE(&a, &args, &err, "--nothing"));
    assert_string_equal(err.text, "there is no option --nothing");
    assert_false(PARSE(&a, &args, &err, "-x"));
    assert_false(PARSE(&a, &args, &err, "--config"));
    assert_string_equal(err.text, "--config needs a value (FILE)");
    assert_false(PARSE(&a, &args, &err, "-ca", "-c", "b"));
    assert_string_equal(err.text, "-c is given twice");
    assert_false(PARSE(&a, &args, &err, "--token=yes"));
    assert_string_equal(err.text, "--token takes no value");
}

static void the_first_table_decides(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct args args;
    struct err err;
    (void)state;
    assert_true(PARSE(&a, &args, &err, "--deadline", "8h"));
    assert_true(str_eq(args_get(&args, "deadline"), S("8h")));
}

static void the_verb_is_found_behind_options(void **state)
{
    const char *argv[] = {"-c", "list", "--token", "show", "t1"};
    const char *none[] = {"--token"};
    int argc = 5, one = 1;
    (void)state;
    assert_string_equal(args_take_verb(&argc, (char **)argv, TABLES), "show");
    assert_int_equal(argc, 4);
    assert_string_equal(argv[3], "t1");
    assert_null(args_take_verb(&one, (char **)none, TABLES));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_options_and_positions_in_any_order),
        cmocka_unit_test(a_value_may_look_like_an_option),
        cmocka_unit_test(refuses_what_it_does_not_know),
        cmocka_unit_test(the_first_table_decides),
        cmocka_unit_test(the_verb_is_found_behind_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
