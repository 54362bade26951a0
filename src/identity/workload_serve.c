/* For tests: the Workload API on a Unix socket, with SVIDs from a folder, in one poll loop.
 *
 *     workload_serve SOCKET FOLDER     serves FOLDER/1.leaf.der, 1.key.der, 1.bundle.der
 *     workload_serve memory N STREAMS  N connections of so many idle streams each, in this process
 *
 * Commands on standard input, one a line: rotate (serve 2.* from now on, and push), end (the
 * identity of all connections ends), nobody, starting, known, wit, quit. */
#include "identity/workload_api.h"
#include "identity/grpc_test.h"
#include "crypto/jwt.h"

#include <err.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ID S("spiffe://example.org/agent/one/1")
#define TD S("spiffe://example.org")

struct peer {
    struct serve *s;
    struct workload_conn *w;
    int fd;
    struct buf out;
};

struct serve {
    const char *folder;
    struct buf leaf, key_der, bundle, jwks;
    struct key *key;
    struct keyset keys;
    char kid[KEY_ID_LEN + 1];
    enum workload_peer who;
    bool wit;
    struct peer peers[1200];
    size_t n;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static void load_file(const struct serve *s, int version, const char *name, struct buf *out)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%d.%s.der", s->folder, version, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        err(1, "%s", path);
    buf_clear(out);
    char *p = buf_reserve(out, 64 << 10);
    ssize_t n = p ? read(fd, p, 64 << 10) : -1;
    if (n < 0)
        err(1, "%s", path);
    buf_commit(out, (size_t)n);
    close(fd);
}

static void load(struct serve *s, int version)
{
    struct err err;
    struct key *pub;
    uint8_t raw[KEY_RAW_MAX];
    load_file(s, version, "leaf", &s->leaf);
    load_file(s, version, "key", &s->key_der);
    load_file(s, version, "bundle", &s->bundle);
    key_free(s->key);
    keyset_fini(&s->keys);
    s->keys = (struct keyset){0};
    if (!key_from_pkcs8(buf_str(&s->key_der), &s->key, &err))
        errx(1, "%s", err.text);
    struct key_id id = key_id(s->key);
    memcpy(s->kid, id.s, sizeof s->kid);
    size_t n = key_to_raw(s->key, raw);
    if (!key_from_raw(KEY_ES256, str_of((char *)raw, n), &pub, &err) ||
        !keyset_add(&s->keys, pub, str_z(s->kid), &err))
        errx(1, "%s", err.text);
    buf_clear(&s->jwks);
    keyset_write(&s->keys, &s->jwks);
}

/* ---- answers ---- */

static void mint(struct serve *s, const struct workload_jwt_ask *ask, struct buf *token)
{
    struct err err;
    struct buf claims = {0};
    struct jw w = jw(&claims);
    jw_obj(&w);
    jw_kstr(&w, S("sub"), ID);
    jw_key(&w, S("aud"));
    jw_arr(&w);
    for (size_t i = 0; i < ask->audience.n; i++)
        jw_str(&w, ask->audience.at[i]);
    jw_end_arr(&w);
    jw_ki64(&w, S("iat"), time(NULL));
    jw_ki64(&w, S("exp"), time(NULL) + 300);
    jw_end_obj(&w);
    if (!jwt_sign(s->key, str_z(s->kid), S("JWT"), buf_str(&claims), token, &err))
        errx(1, "%s", err.text);
    buf_fini(&claims);
}

static void give(struct workload_call *c, const union workload_answer *a)
{
    struct err err;
    if (!workload_answer(c, a, &err))
        warnx("%s", err.text);
}

static void validate(struct serve *s, struct workload_call *c,
                     const struct workload_validate_ask *ask)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    struct jwt jwt;
    struct buf claims = {0};
    const struct jwt_want want = {.typ = S("JWT|JOSE|"),
                                  .iss_any = true,
                                  .aud = ask->audience,
                                  .aud_list = true,
                                  .now_s = time(NULL)};
    if (!jwt_verify(&a, ask->svid, &s->keys, &want, &jwt, &err) ||
        !proto_put_struct(&claims, jwt.claims, &err)) {
        workload_refuse(c, GRPC_INVALID_ARGUMENT, str_z(err.text));
    } else {
        give(c, &(union workload_answer){.validated = {jwt.sub, buf_str(&claims)}});
    }
    buf_fini(&claims);
}

static void on_ask(void *owner, struct workload_call *c, enum workload_method m,
                   const union workload_ask *ask)
{
    struct serve *s = ((struct peer *)owner)->s;
    const struct workload_x509_svid x509 = {ID, buf_str(&s->leaf), buf_str(&s->key_der),
                                            buf_str(&s->bundle), S("internal")};
    const struct proto_pair x509_bundle = {TD, buf_str(&s->bundle)};
    const struct proto_pair federated = {S("spiffe://other.example"), buf_str(&s->bundle)};
    const struct proto_pair jwt_bundle = {TD, buf_str(&s->jwks)};
    const struct workload_wit_svid wit = {ID, S("a.b.c"), S("{}"), (str){0}};
    struct buf token = {0};
    switch (m) {
    case WORKLOAD_FETCH_X509_SVID:
        give(c,
             &(union workload_answer){.x509 = {.svids = {&x509, 1}, .federated = {&federated, 1}}});
        break;
    case WORKLOAD_FETCH_X509_BUNDLES:
        give(c, &(union workload_answer){.x509_bundles = {.bundles = {&x509_bundle, 1}}});
        break;
    case WORKLOAD_FETCH_JWT_SVID:
        if (ask->jwt.spiffe_id.n && !str_eq(ask->jwt.spiffe_id, ID)) {
            workload_refuse(c, GRPC_PERMISSION_DENIED, S("not your identity"));
            break;
        }
        mint(s, &ask->jwt, &token);
        give(c, &(union workload_answer){
                    .jwt = {{&(struct workload_jwt_svid){ID, buf_str(&token), (str){0}}, 1}}});
        break;
    case WORKLOAD_VALIDATE_JWT_SVID:
        validate(s, c, &ask->validate);
        break;
    case WORKLOAD_FETCH_WIT_SVID:
        give(c, &(union workload_answer){.wit = {{&wit, 1}}});
        break;
    default:
        give(c, &(union workload_answer){.jwt_bundles = {{&jwt_bundle, 1}}});
    }
    buf_fini(&token);
}

static enum workload_peer who(void *owner)
{
    return ((struct peer *)owner)->s->who;
}

static const struct workload_ops ops = {who, on_ask, NULL};

/* ---- the loop ---- */

static void add_peer(struct serve *s, int fd)
{
    struct peer *p = &s->peers[s->n++];
    *p = (struct peer){.s = s, .fd = fd, .out = {.max = 128 << 10, .wipe = true}};
    p->w = workload_new(&(struct workload_opts){.wit = s->wit}, &ops, p, now_ms());
}

/* False: it is over. */
static bool run_peer(struct peer *p, bool readable)
{
    static char in[16 << 10];
    struct err err;
    bool more = true, waits = false;
    if (readable) {
        ssize_t n = recv(p->fd, in, sizeof in, MSG_DONTWAIT);
        if (n <= 0)
            return false;
        more = workload_feed(p->w, str_of(in, (size_t)n), now_ms(), &err);
    } else if (now_ms() >= workload_deadline(p->w)) {
        more = workload_tick(p->w, now_ms(), &err);
    }
    while (!waits) {
        workload_pull(p->w, &p->out);
        str out = buf_str(&p->out);
        if (!out.n)
            break;
        ssize_t n = send(p->fd, out.p, out.n, MSG_DONTWAIT | MSG_NOSIGNAL);
        waits = n < 0;
        buf_consume(&p->out, n > 0 ? (size_t)n : 0);
    }
    return more && (waits || !workload_is_done(p->w));
}

static void drop_peer(struct serve *s, size_t i)
{
    close(s->peers[i].fd);
    workload_free(s->peers[i].w);
    buf_wipe(&s->peers[i].out);
    /* Sessions point at their peer: the slot stays where it is and is left empty. */
    s->peers[i] = (struct peer){.fd = -1};
}

static bool command(struct serve *s, const char *line)
{
    if (strcmp(line, "rotate\n") == 0)
        load(s, 2);
    else if (strcmp(line, "nobody\n") == 0)
        s->who = WORKLOAD_NOBODY;
    else if (strcmp(line, "starting\n") == 0)
        s->who = WORKLOAD_NOT_READY;
    else if (strcmp(line, "known\n") == 0)
        s->who = WORKLOAD_KNOWN;
    else if (strcmp(line, "wit\n") == 0)
        s->wit = true;
    else if (strcmp(line, "end\n") != 0)
        return false;
    for (size_t i = 0; i < s->n; i++)
        if (s->peers[i].w && line[0] == 'r')
            workload_rotate(s->peers[i].w, ~0u, now_ms(), 20);
        else if (s->peers[i].w && line[0] == 'e')
            workload_end(s->peers[i].w);
    printf("done\n");
    fflush(stdout);
    return true;
}

static void poll_once(struct serve *s, int listener)
{
    static struct pollfd fds[1202];
    int64_t at = now_ms() + 1000;
    fds[0] = (struct pollfd){STDIN_FILENO, POLLIN, 0};
    fds[1] = (struct pollfd){s->n < 1200 ? listener : -1, POLLIN, 0};
    for (size_t i = 0; i < s->n; i++) {
        struct peer *p = &s->peers[i];
        short events = buf_len(&p->out) ? POLLIN | POLLOUT : POLLIN;
        fds[2 + i] = (struct pollfd){p->fd, events, 0};
        if (p->w && workload_deadline(p->w) < at)
            at = workload_deadline(p->w);
    }
    size_t n = s->n;
    int64_t wait = at - now_ms();
    if (poll(fds, 2 + n, wait > 0 ? (int)wait : 0) < 0)
        err(1, "poll");
    for (size_t i = 0; i < n; i++)
        if (s->peers[i].w && !run_peer(&s->peers[i], fds[2 + i].revents & (POLLIN | POLLHUP)))
            drop_peer(s, i);
    if (fds[1].revents & POLLIN)
        add_peer(s, accept(listener, NULL, NULL));
}

static int serve(const char *socket_path, const char *folder)
{
    static struct serve s;
    char line[100];
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    s.folder = folder;
    s.who = WORKLOAD_KNOWN;
    s.key_der.wipe = true;
    load(&s, 1);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if ((size_t)snprintf(addr.sun_path, sizeof addr.sun_path, "%s", socket_path) >=
            sizeof addr.sun_path ||
        bind(listener, (struct sockaddr *)&addr, sizeof addr) != 0 || listen(listener, 1200) != 0)
        err(1, "%s", socket_path);
    setvbuf(stdin, NULL, _IONBF, 0);
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        struct pollfd in = {STDIN_FILENO, POLLIN, 0};
        if (poll(&in, 1, 0) > 0 && (!fgets(line, sizeof line, stdin) || !command(&s, line)))
            break;
        poll_once(&s, listener);
    }
    for (size_t i = 0; i < s.n; i++)
        if (s.peers[i].w)
            drop_peer(&s, i);
    key_free(s.key);
    keyset_fini(&s.keys);
    buf_wipe(&s.key_der);
    buf_fini(&s.leaf);
    buf_fini(&s.bundle);
    buf_fini(&s.jwks);
    return 0;
}

/* ---- memory ---- */

static size_t resident(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f || fscanf(f, "%*u %lu", &pages) != 1)
        err(1, "/proc/self/statm");
    fclose(f);
    return pages * 4096;
}

static int memory(unsigned conns, unsigned streams)
{
    static struct serve s;
    static char der[3000]; /* a chain of two, a key and a bundle have about this size */
    struct err err;
    s.who = WORKLOAD_KNOWN;
    buf_put(&s.leaf, str_of(der, 1200));
    buf_put(&s.key_der, str_of(der, 138));
    buf_put(&s.bundle, str_of(der, 1600));
    if (conns > 1200 || streams > GRPC_STREAMS_MAX)
        errx(2, "at most 1200 connections of %d streams", (int)GRPC_STREAMS_MAX);
    struct client *clients = calloc(1, sizeof *clients);
    if (!clients)
        abort();
    memset(s.peers, 0, sizeof s.peers);
    malloc_trim(0);
    size_t before = resident();
    for (unsigned i = 0; i < conns; i++) {
        add_peer(&s, -1);
        put_preface(&clients->in);
        for (unsigned k = 0; k < streams; k++)
            put_call(&clients->in, 1 + 2 * k, S("/SpiffeWorkloadAPI/FetchX509SVID"),
                     S("workload.spiffe.io"), S("true"), (str){0});
        put_frame(&clients->in, SETTINGS, ACK, 0, (str){0});
        put_frame(&clients->in, WINDOW, 0, 0, S("\0\x7f\0\0"));
        if (!workload_feed(s.peers[i].w, buf_str(&clients->in), 1, &err))
            errx(1, "%s", err.text);
        buf_clear(&clients->in);
        do {
            buf_wipe(&s.peers[i].out);
            workload_pull(s.peers[i].w, &s.peers[i].out);
        } while (buf_len(&s.peers[i].out));
    }
    size_t open = 0;
    for (unsigned i = 0; i < conns; i++)
        open += workload_streams(s.peers[i].w);
    malloc_trim(0);
    double used = (double)(resident() - before);
    printf("%u connections, %zu idle streams: %.1f MB resident, %.1f KB each connection\n", conns,
           open, used / 1e6, used / 1e3 / conns);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "memory") == 0)
        return memory((unsigned)atoi(argv[2]), (unsigned)atoi(argv[3]));
    if (argc != 3)
        errx(2, "usage: workload_serve SOCKET FOLDER | memory CONNECTIONS STREAMS");
    return serve(argv[1], argv[2]);
}
