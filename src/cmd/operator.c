/* `ambit operator`: the keys with which people prove themselves where the kernel's word on them is
 * not enough. The private key is made here and never leaves this machine. */
#include "cmd/cli.h"
#include "base/hex.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct opt ADD_OPTS[] = {
    {"out", 0, OPT_VALUE, "FILE",
     "where the private key goes (default ~/.config/ambit/NAME.key; --key FILE means the same "
     "where --as is not given)"},
    {0}};

/* ~/.config and ~/.config/ambit, if they are not there. */
static bool make_folders(struct cli *c, str path)
{
    for (size_t i = 1; i < path.n; i++) {
        if (path.p[i] != '/')
            continue;
        str folder = str_dup(&c->arena, str_take(path, i));
        if (mkdir(folder.p, 0700) != 0 && errno != EEXIST)
            return err_system(&c->err, "cannot make %s", folder.p);
    }
    return true;
}

static bool write_text(int fd, str s, struct err *err)
{
    while (s.n) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_system(err, "cannot write the key");
        s = str_skip(s, (size_t)n);
    }
    return fsync(fd) == 0 || err_system(err, "cannot write the key");
}

static bool write_key(struct cli *c, const struct key *key, str path)
{
    struct secret *der;
    struct buf text = {.wipe = true};
    if (!key_to_pkcs8(key, &der, &c->err))
        return false;
    base64_encode(&text, secret_str(der));
    buf_putc(&text, '\n');
    secret_free(der);
    int fd = open(path.p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok = fd >= 0 ||
              err_system(&c->err, "cannot make the key file %s (an existing one is not replaced)",
                         path.p);
    bool made = ok;
    ok = ok && write_text(fd, buf_str(&text), &c->err);
    if (made)
        close(fd);
    if (made && !ok)
        unlink(path.p);
    buf_wipe(&text);
    return ok;
}

static bool send_key(struct cli *c, str name, const struct key *key)
{
    struct buf params = {0};
    struct jw w = jw(&params);
    uint8_t raw[KEY_RAW_MAX];
    size_t n = key_to_raw(key, raw);
    const json *result;
    jw_obj(&w);
    jw_kstr(&w, S("name"), name);
    jw_kstr(&w, S("publicKey"), base64url_dup(&c->arena, str_of((const char *)raw, n)));
    jw_end_obj(&w);
    return cli_call(c, S("operator.add"), &params, &result);
}

static int operator_add(struct cli *c)
{
    str name = c->args.pos[0], path = args_get(&c->args, "out");
    struct key *key;
    if (!conf_name_is_valid(name))
        return cli_usage(c, "a name is made of letters, digits, - _ .");
    if (!path.n && !args_has(&c->args, "as"))
        path = args_get(&c->args, "key");
    if (!path.n) {
        path = cli_key_path(c, name);
        if (!make_folders(c, path))
            return cli_failed(c);
    }
    if (!key_generate(KEY_ED25519, &key, &c->err))
        return cli_failed(c);
    int status = EXIT_FAILED;
    if (!write_key(c, key, path))
        cli_failed(c);
    else if (!send_key(c, name, key))
        unlink(path.p);
    else
        status = 0;
    key_free(key);
    if (status == 0 && c->json)
        printf("{\"ok\":true}\n");
    else if (status == 0)
        printf("operator %.*s is added; the private key is in %s: keep it, it is nowhere else\n",
               STR(name), path.p);
    return status;
}

static int operator_list(struct cli *c)
{
    const json *result, *name;
    if (!cli_call(c, S("operator.list"), NULL, &result))
        return EXIT_FAILED;
    if (c->json) {
        cli_print_json(result);
        return 0;
    }
    for (struct json_iter it = json_iter(json_get(result, S("operators")));
         json_next(&it, NULL, &name);)
        printf("%.*s\n", STR(json_str(name)));
    return 0;
}

static int operator_remove(struct cli *c)
{
    struct buf params = {0};
    struct jw w = jw(&params);
    const json *result;
    jw_obj(&w);
    jw_kstr(&w, S("name"), c->args.pos[0]);
    jw_end_obj(&w);
    if (!cli_call(c, S("operator.remove"), &params, &result))
        return EXIT_FAILED;
    if (c->json)
        cli_print_json(result);
    else
        printf("operator %.*s is removed\n", STR(c->args.pos[0]));
    return 0;
}

static const struct verb VERBS[] = {
    {"add", NEEDS_GATEWAY, 1, 1, "NAME [--out FILE]",
     "Make a key for a person of the configuration and register it.", "ambit operator add ann",
     ADD_OPTS, operator_add},
    {"list", NEEDS_GATEWAY, 0, 0, "", "Who has a key.", "ambit operator list", NULL, operator_list},
    {"remove", NEEDS_GATEWAY, 1, 1, "NAME", "Forget a person's key.", "ambit operator remove ann",
     NULL, operator_remove},
};

int cmd_operator(int argc, char **argv)
{
    return verbs_run("operator", VERBS, sizeof VERBS / sizeof VERBS[0], argc, argv);
}
