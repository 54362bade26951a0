#include "net/chan.h"

#include "base/limits.h"
#include "os/fdpass.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    READ_BYTES = 64 << 10,
    READ_BYTES_BIG = 1 << 20, /* while a frame that is larger than a read is under way */
    FDS_QUEUED_MAX = 256,
};

struct fd_mark { /* fd leaves with the byte at this place of the stream */
    uint64_t at;
    int fd;
};

/* closing: no more callbacks but on_close. dead: the descriptor is closed and on_close is on its
 * way. */
struct chan {
    struct loop *loop;
    const struct chan_ops *ops;
    void *owner;
    int fd;
    struct watch *watch;
    struct buf in, out;
    struct fd_queue fds_in;
    struct fd_mark *marks; /* [mark_first, mark_end) wait to be sent, by place */
    size_t mark_first, mark_end, marks_cap;
    uint64_t sent; /* stream place of the first byte of `out` */
    struct deferred flush, ending;
    bool wipes;
    bool closing, dead, eof, deaf; /* deaf: the peer reads no more; what it sent still counts */
    bool has_err;
    struct err err;
};

static void release(struct chan *ch, struct buf *b)
{
    if (ch->wipes)
        buf_wipe(b);
    else
        buf_fini(b);
}

static void on_ending(void *arg)
{
    struct chan *ch = arg;
    if (ch->ops->on_close)
        ch->ops->on_close(ch, ch->has_err ? &ch->err : NULL);
    deferred_cancel(&ch->flush);
    release(ch, &ch->in);
    release(ch, &ch->out);
    free(ch->marks);
    free(ch);
}

static void drop_out(struct chan *ch)
{
    while (ch->mark_first < ch->mark_end)
        close(ch->marks[ch->mark_first++].fd);
    buf_clear(&ch->out);
}

static void end(struct chan *ch, const struct err *why)
{
    if (ch->dead)
        return;
    ch->dead = ch->closing = true;
    if (why) {
        ch->has_err = true;
        ch->err = *why;
    }
    watch_close(ch->watch);
    close(ch->fd);
    fd_queue_close(&ch->fds_in);
    drop_out(ch);
    loop_defer(ch->loop, &ch->ending, on_ending, ch);
}

/* ---- in ---- */

/* Every descriptor that has come belongs to a frame that is marked: to the one under way, since all
 * before it are done. */
static bool fds_accounted(const struct chan *ch, const struct frame *partial, struct err *err)
{
    unsigned max = 0;
    if (buf_len(&ch->in) >= FRAME_HEADER_BYTES)
        max = partial->flags & FRAME_FLAG_FD ? 1 : 0;
    else if (buf_len(&ch->in))
        max = 1;
    if (ch->fds_in.n > max)
        return err_peer(err, "a descriptor that belongs to no frame");
    return true;
}

/* Hands out all whole frames. */
static bool dispatch(struct chan *ch, struct err *err)
{
    struct frame f = {0};
    for (;;) {
        enum frame_result r = frame_read(buf_str(&ch->in), ch->ops->size_max, ch->owner, &f, err);
        if (r == FRAME_BAD)
            return false;
        if (r == FRAME_MORE)
            return fds_accounted(ch, &f, err);
        int fd = -1;
        if (f.flags & FRAME_FLAG_FD) {
            fd = fd_queue_take(&ch->fds_in);
            if (fd < 0)
                return err_peer(err, "frame of type %u came without its descriptor", f.type);
        }
        ch->ops->on_frame(ch, f.type, f.id, f.payload, fd);
        if (ch->closing)
            return true;
        buf_consume(&ch->in, frame_bytes(&f));
    }
}

static void on_readable(struct chan *ch)
{
    struct err err;
    size_t want = buf_len(&ch->in) > READ_BYTES ? READ_BYTES_BIG : READ_BYTES;
    switch (fdpass_recv(ch->fd, &ch->in, want, &ch->fds_in, &err)) {
    case IO_AGAIN:
        break;
    case IO_OK:
        if (!dispatch(ch, &err))
            end(ch, &err);
        else if (ch->wipes && !ch->closing && buf_len(&ch->in) == 0)
            buf_wipe(&ch->in);
        break;
    case IO_EOF:
        ch->eof = true;
        if (buf_len(&ch->in)) {
            (void)err_peer(&err, "the channel ended within a frame");
            end(ch, &err);
        } else {
            end(ch, NULL);
        }
        break;
    case IO_ERROR:
        end(ch, &err);
        break;
    }
}

/* ---- out ---- */

/* Bytes up to the next descriptor that is not at the very front. */
static size_t run_length(const struct chan *ch, bool at_mark)
{
    size_t n = buf_len(&ch->out);
    size_t next = ch->mark_first + (at_mark ? 1 : 0);
    if (next < ch->mark_end && ch->marks[next].at - ch->sent < n)
        n = (size_t)(ch->marks[next].at - ch->sent);
    return n;
}

static void flush(struct chan *ch)
{
    while (buf_len(&ch->out)) {
        bool at_mark = ch->mark_first < ch->mark_end && ch->marks[ch->mark_first].at == ch->sent;
        str run = str_take(buf_str(&ch->out), run_length(ch, at_mark));
        size_t n;
        struct err err;
        enum io r = fdpass_send(ch->fd, run, at_mark ? ch->marks[ch->mark_first].fd : -1, &n, &err);
        if (r == IO_AGAIN)
            break;
        if (r != IO_OK) {
            /* The peer's last frames may still wait to be read; their end will be seen there. */
            ch->deaf = true;
            drop_out(ch);
            break;
        }
        if (at_mark)
            close(ch->marks[ch->mark_first++].fd);
        ch->sent += n;
        buf_consume(&ch->out, n);
    }
    if (ch->mark_first == ch->mark_end)
        ch->mark_first = ch->mark_end = 0;
    if (buf_len(&ch->out) == 0 && (ch->wipes || ch->out.cap > READ_BYTES_BIG))
        release(ch, &ch->out);
    watch_set(ch->watch, WATCH_READ | (buf_len(&ch->out) ? WATCH_WRITE : 0U));
}

static void on_flush(void *arg)
{
    struct chan *ch = arg;
    if (ch->dead)
        return;
    flush(ch);
    if (ch->closing)
        end(ch, NULL);
}

static void on_watch(void *arg, unsigned events)
{
    struct chan *ch = arg;
    if (!ch->closing && (events & WATCH_WRITE))
        flush(ch);
    if (!ch->closing && (events & WATCH_READ))
        on_readable(ch);
}

static bool add_mark(struct chan *ch, int fd)
{
    if (ch->mark_end - ch->mark_first >= FDS_QUEUED_MAX)
        return false;
    if (ch->mark_end == ch->marks_cap) {
        if (ch->mark_first) {
            ch->mark_end -= ch->mark_first;
            memmove(ch->marks, ch->marks + ch->mark_first, ch->mark_end * sizeof *ch->marks);
            ch->mark_first = 0;
        } else {
            ch->marks_cap = ch->marks_cap ? 2 * ch->marks_cap : 8;
            ch->marks = realloc(ch->marks, ch->marks_cap * sizeof *ch->marks);
            if (!ch->marks)
                abort();
        }
    }
    ch->marks[ch->mark_end++] = (struct fd_mark){ch->sent + buf_len(&ch->out), fd};
    return true;
}

void chan_send(struct chan *ch, uint16_t type, uint64_t id, str payload, int fd)
{
    if (ch->closing || ch->deaf) {
        if (fd >= 0)
            close(fd);
        return;
    }
    bool fits = true;
    if (fd >= 0 && !add_mark(ch, fd)) {
        close(fd);
        fits = false;
    }
    if (fits)
        frame_write(&ch->out, type, fd >= 0 ? FRAME_FLAG_FD : 0, id, payload);
    if (!fits || ch->out.over) {
        struct err err;
        (void)err_limit(&err, "the peer does not read: %zu bytes wait", buf_len(&ch->out));
        end(ch, &err);
        return;
    }
    loop_defer_flush(ch->loop, &ch->flush, on_flush, ch);
}

/* ---- life ---- */

bool chan_new(struct loop *l, int fd, const struct chan_ops *ops, void *owner, struct chan **out,
              struct err *err)
{
    struct chan *ch = calloc(1, sizeof *ch);
    if (!ch)
        abort();
    ch->loop = l;
    ch->ops = ops;
    ch->owner = owner;
    ch->fd = fd;
    ch->in.max = IPC_FRAME_BYTES_MAX + FRAME_HEADER_BYTES + READ_BYTES_BIG;
    ch->out.max = IPC_QUEUE_BYTES_MAX;
    if (!watch_new(l, fd, WATCH_READ, on_watch, ch, &ch->watch, err)) {
        close(fd);
        free(ch);
        return false;
    }
    *out = ch;
    return true;
}

void *chan_owner(const struct chan *ch)
{
    return ch->owner;
}

size_t chan_out_len(const struct chan *ch)
{
    return buf_len(&ch->out);
}

void chan_wipe_after_use(struct chan *ch)
{
    ch->wipes = true;
}

void chan_close(struct chan *ch)
{
    if (ch->closing)
        return;
    ch->closing = true;
    loop_defer_flush(ch->loop, &ch->flush, on_flush, ch);
}

bool chan_is_closing(const struct chan *ch)
{
    return ch->closing;
}

bool chan_is_eof(const struct chan *ch)
{
    return ch->eof;
}
