#include "cmd/control.h"
#include "base/hex.h"
#include "base/limits.h"
#include "door/admin.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { KEY_FILE_BYTES_MAX = 4096 };

/* ---- lines ---- */

static bool send_all(int fd, str s, struct err *err)
{
    while (s.n) {
        ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_system(err, "the gateway closed the connection");
        s = str_skip(s, (size_t)n);
    }
    return true;
}

static bool receive(struct control *c, struct err *err)
{
    char *room = buf_reserve(&c->in, 64 << 10);
    if (!room)
        return err_limit(err, "the gateway's answer is too long");
    for (;;) {
        ssize_t n = recv(c->fd, room, 64 << 10, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return err_peer(err, "the gateway did not answer within %d s", CONTROL_WAIT_S);
        if (n < 0)
            return err_system(err, "cannot read the gateway's answer");
        if (n == 0)
            return err_peer(err, "the gateway closed the connection");
        buf_commit(&c->in, (size_t)n);
        return true;
    }
}

static bool read_line(struct control *c, const json **out, struct err *err)
{
    struct json_limits limits = {.bytes_max = HTTP_ANSWER_BYTES_MAX + (64 << 10), .depth_max = 80};
    size_t seen = 0;
    for (;;) {
        str in = buf_str(&c->in);
        ptrdiff_t end = str_find_char(in, '\n', seen);
        if (end >= 0) {
            bool ok = json_read(c->a, str_take(in, (size_t)end), &limits, out, err);
            buf_consume(&c->in, (size_t)end + 1);
            return ok || err_in(err, "the gateway's answer");
        }
        seen = in.n;
        if (!receive(c, err))
            return false;
    }
}

/* ---- opening ---- */

static bool connect_to(int fd, str path, struct err *err)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (path.n == 0 || path.n >= sizeof to.sun_path)
        return err_input(err, "the control socket's path must have 1 to %zu bytes",
                         sizeof to.sun_path - 1);
    memcpy(to.sun_path, path.p, path.n);
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0)
        return true;
    if (errno == ENOENT || errno == ECONNREFUSED)
        return err_notfound(err,
                            "the gateway is not running (nobody listens on %.*s); `ambit "
                            "serve` starts it",
                            STR(path));
    return err_system(err, "cannot connect to %.*s", STR(path));
}

bool control_open(struct control *c, struct arena *a, str socket_path, struct err *err)
{
    struct timeval wait = {.tv_sec = CONTROL_WAIT_S};
    const json *greeting;
    *c = (struct control){.a = a, .in = {.max = HTTP_ANSWER_BYTES_MAX + (128 << 10)}};
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return err_system(err, "cannot make a socket");
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    if (!connect_to(c->fd, socket_path, err) || !read_line(c, &greeting, err)) {
        control_close(c);
        return false;
    }
    c->nonce = json_get_str(greeting, S("nonce"));
    c->person = json_get_str(greeting, S("person"));
    c->version = json_get_str(greeting, S("ambit"));
    return true;
}

void control_close(struct control *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    buf_fini(&c->in);
    key_free(c->key);
    c->key = NULL;
}

/* ---- questions ---- */

static enum err_kind kind_of(str code)
{
    static const struct {
        const char *code;
        enum err_kind kind;
    } kinds[] = {{"input", ERR_INPUT},
                 {"denied", ERR_DENIED},
                 {"limit", ERR_LIMIT},
                 {"not_found", ERR_NOTFOUND},
                 {"peer", ERR_PEER}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (str_eq(code, str_z(kinds[i].code)))
            return kinds[i].kind;
    return ERR_SYSTEM;
}

bool control_call(struct control *c, str method, str params, const json **result, struct err *err)
{
    struct buf line = {.max = CONTROL_LINE_BYTES_MAX};
    struct jw w = jw(&line);
    const json *answer, *failed;
    int64_t id = ++c->last_id, got;
    jw_obj(&w);
    jw_ki64(&w, S("id"), id);
    jw_kstr(&w, S("method"), method);
    if (params.n) {
        jw_key(&w, S("params"));
        jw_raw(&w, params);
    }
    jw_end_obj(&w);
    buf_putc(&line, '\n');
    bool ok = line.over ? err_limit(err, "the request is over %d KiB", CONTROL_LINE_BYTES_MAX >> 10)
                        : send_all(c->fd, buf_str(&line), err);
    buf_fini(&line);
    if (!ok || !read_line(c, &answer, err))
        return false;
    failed = json_get(answer, S("error"));
    if (failed) {
        str text = json_get_str(failed, S("message"));
        err_input(err, "%.*s", STR(text.n ? text : S("refused")));
        err->kind = kind_of(json_get_str(failed, S("code")));
        return false;
    }
    *result = json_get(answer, S("result"));
    if (!*result || !json_i64(json_get(answer, S("id")), &got) || got != id)
        return err_peer(err, "the gateway's answer is to another question");
    return true;
}

/* ---- operators ---- */

bool control_login(struct control *c, str name, struct key *key, struct err *err)
{
    struct buf message = {0}, params = {0};
    struct jw w = jw(&params);
    uint8_t sig[SIG_LEN];
    const json *result;
    key_free(c->key);
    c->key = key;
    admin_login_message(c->nonce, name, &message);
    bool ok = key_sign(key, buf_str(&message), sig, err);
    jw_obj(&w);
    jw_kstr(&w, S("operator"), name);
    jw_kstr(&w, S("signature"), base64url_dup(c->a, str_of((const char *)sig, sizeof sig)));
    jw_end_obj(&w);
    ok = ok && control_call(c, S("login"), buf_str(&params), &result, err);
    if (ok)
        c->operator_name = str_dup(c->a, name);
    buf_fini(&message);
    buf_fini(&params);
    return ok;
}

static bool read_key_text(int fd, struct secret *text, size_t *out_n, struct err *err)
{
    size_t n = 0;
    for (;;) {
        ssize_t got = read(fd, text->p + n, text->n - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_system(err, "cannot read it");
        n += (size_t)got;
        if (got == 0)
            break;
        if (n == text->n)
            return err_limit(err, "it is too long for a key");
    }
    while (n && (text->p[n - 1] == '\n' || text->p[n - 1] == '\r'))
        n--;
    *out_n = n;
    return true;
}

/* The decoder wants an arena; its memory is wiped by hand, since the key passes through it. */
static bool key_of_text(str text, struct key **out, struct err *err)
{
    struct arena a = {0};
    str der = {0};
    bool ok = base64_decode(&a, text, &der) && key_from_pkcs8(der, out, err);
    if (!ok)
        err_input(err, "it is not a private key made by `ambit operator add`");
    if (der.n)
        crypto_wipe((char *)(uintptr_t)der.p, der.n);
    arena_fini(&a);
    return ok;
}

bool control_read_key(const char *path, struct key **out, struct err *err)
{
    struct stat st;
    struct secret *text = NULL;
    size_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_system(err, "cannot open the key %s", path);
    bool ok = fstat(fd, &st) == 0 || err_system(err, "cannot look at it");
    if (ok && (st.st_mode & 077))
        ok = err_denied(err,
                        "others may read it; `chmod 600 %s`, and make a new key if others "
                        "could have taken it",
                        path);
    ok = ok && secret_new(KEY_FILE_BYTES_MAX, &text, err) && read_key_text(fd, text, &n, err) &&
         key_of_text(str_of((const char *)text->p, n), out, err);
    secret_free(text);
    close(fd);
    return ok || err_in(err, "%s", path);
}
