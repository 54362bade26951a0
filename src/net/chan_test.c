#include "net/net_test.h"

#include "base/limits.h"
#include "net/chan.h"
#include "os/fdpass.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { T_PING = 1, T_BIG = 2, T_FD = 3, T_ECHO = 4, T_CLOSE = 5 };

static uint32_t size_max(void *arg, uint16_t type)
{
    static const uint32_t MAX[] = {
        [T_PING] = 16, [T_BIG] = 8 << 20, [T_FD] = 64, [T_ECHO] = 1000, [T_CLOSE] = 1};
    (void)arg;
    return type < sizeof MAX / sizeof MAX[0] ? MAX[type] : 0;
}

struct side {
    struct chan *chan;
    size_t frames, bytes, fds, closed;
    uint64_t last_id;
    bool done, has_err, eof;
    size_t want;
    struct err err;
};

static void on_frame(struct chan *ch, uint16_t type, uint64_t id, str payload, int fd)
{
    struct side *s = chan_owner(ch);
    s->frames++;
    s->bytes += payload.n;
    assert_true(id == s->last_id + 1);
    s->last_id = id;
    assert_int_equal(fd >= 0, type == T_FD);
    if (fd >= 0) {
        s->fds++;
        char got[64];
        assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        ssize_t n = read(fd, got, sizeof got);
        assert_int_equal(
            n, payload.n); /* the pipe holds the same text as the frame: none was mixed up */
        assert_memory_equal(got, payload.p, payload.n);
        close(fd);
    }
    if (type == T_ECHO)
        chan_send(ch, T_PING, id, S("pong"), -1);
    if (type == T_CLOSE)
        chan_close(ch);
    if (s->want && s->frames == s->want)
        s->done = true;
}

static void on_close(struct chan *ch, const struct err *err)
{
    struct side *s = chan_owner(ch);
    s->closed++;
    s->done = true;
    s->eof = chan_is_eof(ch);
    if (err) {
        s->has_err = true;
        s->err = *err;
    }
}

static const struct chan_ops OPS = {
    .on_frame = on_frame, .on_close = on_close, .size_max = size_max};

static struct loop *begin(struct side *a, struct side *b)
{
    struct loop *l;
    struct err err;
    int pair[2];
    assert_true(loop_new(&l, &err));
    assert_true(fdpass_pair(pair, &err));
    assert_true(chan_new(l, pair[0], &OPS, a, &a->chan, &err));
    assert_true(chan_new(l, pair[1], &OPS, b, &b->chan, &err));
    return l;
}

static void finish(struct loop *l, struct side *a, struct side *b)
{
    if (!a->closed)
        chan_close(a->chan);
    if (!a->closed)
        chan_close(a->chan);
    test_run_for(l, 10);
    assert_int_equal(a->closed, 1);
    assert_int_equal(b->closed, 1);
    loop_free(l);
}

static int pipe_with(str text)
{
    int p[2];
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    assert_int_equal(write(p[1], text.p, text.n), text.n);
    close(p[1]);
    return p[0];
}

static size_t open_fds(void)
{
    size_t n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void test_frames(void **state)
{
    struct side a = {0}, b = {.want = 1001};
    struct loop *l = begin(&a, &b);
    for (uint64_t i = 1; i <= 1000; i++)
        chan_send(a.chan, T_PING, i, S("0123456789"), -1);
    static char big[8 << 20];
    chan_send(a.chan, T_BIG, 1001, str_of(big, sizeof big), -1);
    assert_true(test_run_until(l, &b.done));
    assert_false(b.has_err);
    assert_int_equal(b.bytes, 10000 + sizeof big);
    b.done = false;
    chan_close(b.chan);
    assert_true(test_run_until(l, &a.done));
    assert_false(a.has_err);
    assert_true(a.eof);
    finish(l, &a, &b);
}

static void test_descriptors(void **state)
{
    size_t before = open_fds();
    struct side a = {0}, b = {.want = 300};
    struct loop *l = begin(&a, &b);
    srand(3);
    size_t fds = 0;
    for (uint64_t i = 1; i <= 300; i++) {
        char text[32];
        snprintf(text, sizeof text, "frame %llu", (unsigned long long)i);
        bool with = rand() % 3 == 0;
        fds += with;
        if (with)
            chan_send(a.chan, T_FD, i, str_z(text), pipe_with(str_z(text)));
        else
            chan_send(a.chan, T_PING, i, S("x"), -1);
    }
    assert_true(test_run_until(l, &b.done));
    assert_false(b.has_err);
    assert_int_equal(b.fds, fds);
    assert_true(fds > 50);
    finish(l, &a, &b);
    assert_int_equal(open_fds(), before);
}

/* What was queued before chan_close still arrives, and a close from within on_frame is fine. */
static void test_close_delivers(void **state)
{
    struct side a = {0}, b = {0};
    struct loop *l = begin(&a, &b);
    chan_send(a.chan, T_ECHO, 1, S("x"), -1);
    chan_send(a.chan, T_CLOSE, 2, S(""), -1);
    chan_send(a.chan, T_PING, 3, S("never seen"), -1);
    assert_true(test_run_until(l, &a.done));
    test_run_for(l, 10);
    assert_int_equal(b.frames, 2);
    assert_int_equal(a.frames, 1);
    assert_false(b.has_err);
    finish(l, &a, &b);
}

static void test_queue_limit(void **state)
{
    size_t before = open_fds();
    struct side a = {0}, b = {0};
    struct loop *l = begin(&a, &b);
    static char big[8 << 20];
    for (uint64_t i = 1; i <= 8; i++)
        chan_send(a.chan, T_BIG, i, str_of(big, sizeof big), -1);
    assert_int_equal(a.closed, 0);
    assert_true(chan_is_closing(a.chan));
    chan_send(a.chan, T_FD, 9, S("dropped"), pipe_with(S("dropped")));
    assert_true(test_run_until(l, &a.done));
    assert_int_equal(a.err.kind, ERR_LIMIT);
    test_run_for(l, 10);
    assert_int_equal(b.closed, 1);
    loop_free(l);
    assert_int_equal(open_fds(), before);
}

/* ---- a hostile peer ---- */

struct hostile {
    const char *name;
    const char *bytes;
    size_t n;
    unsigned fds;      /* in the first message */
    bool ends;         /* closes afterwards */
    const char *wants; /* in the error */
};

#define HEAD(size, type, flags)                                                                    \
    size "\0\0\0" type "\0" flags "\0"                                                             \
         "\1\0\0\0\0\0\0\0"
static const struct hostile HOSTILE[] = {
    {"type 0", HEAD("\1", "\0", "\0") "x", 17, 0, false, "type 0 is not allowed"},
    {"unknown type", HEAD("\1", "\77", "\0"), 16, 0, false, "not allowed"},
    {"over the size of its type", HEAD("\21", "\1", "\0"), 16, 0, false, "at most 16"},
    {"4 GiB", "\377\377\377\377\2\0\0\0\1\0\0\0\0\0\0\0", 16, 0, false, "at most"},
    {"unknown flag", HEAD("\1", "\1", "\2") "x", 17, 0, false, "unknown flags"},
    {"no descriptor", HEAD("\1", "\3", "\1") "x", 17, 0, false, "without its descriptor"},
    {"a descriptor nobody asked for", HEAD("\1", "\1", "\0") "x", 17, 1, false, "no frame"},
    {"the same before the frame is whole", HEAD("\4", "\1", "\0") "x", 17, 1, false, "no frame"},
    {"two descriptors", HEAD("\1", "\3", "\1") "x", 17, 2, false, "more than one"},
    {"twenty descriptors", HEAD("\1", "\3", "\1") "x", 17, 20, false, "more than one"},
    {"half a head", "\1\0\0", 3, 0, true, "within a frame"},
    {"half a frame", HEAD("\4", "\1", "\0") "x", 17, 0, true, "within a frame"},
};

static void send_hostile(int sock, const struct hostile *h)
{
    int fds[20];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof fds)];
    } control = {0};
    struct iovec iov = {(void *)(uintptr_t)h->bytes, h->n};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (h->fds) {
        for (unsigned i = 0; i < h->fds; i++)
            fds[i] = 0;
        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(h->fds * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(h->fds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, h->fds * sizeof(int));
    }
    assert_int_equal(sendmsg(sock, &msg, 0), h->n);
}

static void test_hostile(void **state)
{
    for (size_t i = 0; i < sizeof HOSTILE / sizeof HOSTILE[0]; i++) {
        const struct hostile *h = &HOSTILE[i];
        size_t before = open_fds();
        struct loop *l;
        struct err err;
        int pair[2];
        struct side a = {0};
        assert_true(loop_new(&l, &err));
        assert_true(fdpass_pair(pair, &err));
        assert_true(chan_new(l, pair[0], &OPS, &a, &a.chan, &err));
        send_hostile(pair[1], h);
        if (h->ends)
            close(pair[1]);
        bool ok = test_run_until(l, &a.done) && a.closed == 1 && a.has_err &&
                  a.err.kind == ERR_PEER && strstr(a.err.text, h->wants);
        if (!ok)
            fail_msg("%s: %s", h->name, a.has_err ? a.err.text : "accepted");
        if (!h->ends)
            close(pair[1]);
        loop_free(l);
        assert_int_equal(open_fds(), before);
    }
}

/* A peer that dies is noticed, and what it sent before still counts. */
static void test_peer_dies(void **state)
{
    struct loop *l;
    struct err err;
    int pair[2];
    struct side a = {0};
    assert_true(loop_new(&l, &err));
    assert_true(fdpass_pair(pair, &err));
    assert_true(chan_new(l, pair[0], &OPS, &a, &a.chan, &err));
    struct buf b = {.max = 100};
    frame_write(&b, T_ECHO, 0, 1, S("x"));
    frame_write(&b, T_ECHO, 0, 2, S("y"));
    assert_int_equal(write(pair[1], buf_str(&b).p, buf_len(&b)), buf_len(&b));
    close(pair[1]);
    chan_send(a.chan, T_PING, 1, S("to nobody"), -1);
    assert_true(test_run_until(l, &a.done));
    assert_int_equal(a.frames, 2);
    assert_int_equal(a.closed, 1);
    buf_fini(&b);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),         cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_close_delivers), cmocka_unit_test(test_queue_limit),
        cmocka_unit_test(test_hostile),        cmocka_unit_test(test_peer_dies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
