#include "net/net_test.h"

#include "base/clock.h"
#include "net/timer.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- timers ---- */

enum { MANY = 5000 };
struct run;
struct item {
    struct timer timer;
    struct run *run;
    int64_t due_us;
    bool must_not;
};
struct run {
    struct item items[MANY];
    size_t fired, wanted;
    int64_t last_due_ms;
    bool done;
};

static void on_item(void *arg)
{
    struct item *it = arg;
    assert_false(it->must_not);
    assert_false(timer_is_armed(&it->timer));
    assert_true(it->timer.due_ms >= it->run->last_due_ms);
    it->run->last_due_ms = it->timer.due_ms;
    assert_true(clock_mono_us() + 1000 >= it->due_us);
    if (++it->run->fired == it->run->wanted)
        it->run->done = true;
}

static void start(struct run *r, struct loop *l, size_t i, int64_t ms)
{
    r->items[i].run = r;
    r->items[i].due_us = loop_now_ms(l) * 1000 + ms * 1000;
    timer_start(&r->items[i].timer, l, ms, on_item, &r->items[i]);
}

/* Started in random order, moved both ways, a third stopped: each of the rest fires once, in order,
 * not early. */
static void test_many(void **state)
{
    struct loop *l;
    struct err err;
    assert_true(loop_new(&l, &err));
    struct run *r = calloc(1, sizeof *r);
    assert_non_null(r);
    srand(7);
    for (size_t i = 0; i < MANY; i++)
        start(r, l, i, 50 + rand() % 400);
    for (size_t i = 0; i < MANY; i += 2)
        start(r, l, i, 20 + rand() % 400);
    r->wanted = MANY;
    for (size_t i = 0; i < MANY; i += 3) {
        timer_stop(&r->items[i].timer);
        timer_stop(&r->items[i].timer);
        r->items[i].must_not = true;
        r->wanted--;
    }
    assert_true(test_run_until(l, &r->done));
    test_run_for(l, 30);
    assert_int_equal(r->fired, r->wanted);
    free(r);
    loop_free(l);
}

struct again {
    struct timer timer;
    struct loop *loop;
    unsigned n;
    bool done;
};

static void on_again(void *arg)
{
    struct again *a = arg;
    if (++a->n == 5)
        a->done = true;
    else
        timer_start(&a->timer, a->loop, 0, on_again, a);
}

static void test_restart_in_callback(void **state)
{
    struct again a = {0};
    struct err err;
    assert_true(loop_new(&a.loop, &err));
    timer_start(&a.timer, a.loop, 0, on_again, &a);
    assert_int_equal(a.n, 0);
    assert_true(test_run_until(a.loop, &a.done));
    assert_int_equal(a.n, 5);
    loop_free(a.loop);
}

/* ---- deferred calls, watches, signals ---- */

struct order {
    struct loop *loop;
    struct deferred a, b, f, cancelled;
    char text[16];
    size_t n;
};

static void on_b(void *arg)
{
    struct order *o = arg;
    o->text[o->n++] = 'b';
}

static void on_a(void *arg)
{
    struct order *o = arg;
    o->text[o->n++] = 'a';
    loop_defer(o->loop, &o->b, on_b, o);
    deferred_cancel(&o->cancelled);
}

static void on_f(void *arg)
{
    struct order *o = arg;
    o->text[o->n++] = 'f';
}

static void on_never(void *arg)
{
    fail();
}

static void test_deferred_order(void **state)
{
    struct order o = {0};
    struct err err;
    assert_true(loop_new(&o.loop, &err));
    loop_defer_flush(o.loop, &o.f, on_f, &o);
    loop_defer(o.loop, &o.a, on_a, &o);
    loop_defer(o.loop, &o.a, on_a, &o);
    loop_defer(o.loop, &o.cancelled, on_never, &o);
    loop_run(o.loop); /* ends by itself */
    assert_string_equal(o.text, "abf");
    loop_free(o.loop);
}

struct spin {
    struct loop *loop;
    struct deferred d;
    unsigned long n;
    bool done;
};

static void on_spin(void *arg)
{
    struct spin *s = arg;
    s->n++;
    if (!s->done)
        loop_defer(s->loop, &s->d, on_spin, s);
}

static void on_spun(void *arg)
{
    ((struct spin *)arg)->done = true;
}

/* Calls that always defer another do not lock out a timer. */
static void test_deferred_without_end(void **state)
{
    struct spin s = {0};
    struct timer t = {0};
    struct err err;
    assert_true(loop_new(&s.loop, &err));
    loop_defer(s.loop, &s.d, on_spin, &s);
    timer_start(&t, s.loop, 20, on_spun, &s);
    loop_run(s.loop);
    assert_true(s.done && s.n > 10);
    loop_free(s.loop);
}

struct watching {
    int fd;
    struct watch *watch;
    unsigned events, signals;
    bool done;
};

static void on_event(void *arg, unsigned events)
{
    struct watching *w = arg;
    uint64_t v;
    w->events |= events;
    assert_int_equal(read(w->fd, &v, sizeof v), sizeof v);
    watch_close(w->watch);
    watch_close(w->watch);
    w->done = true;
}

static void on_sig(void *arg, int signo)
{
    struct watching *w = arg;
    assert_int_equal(signo, SIGUSR1);
    w->signals++;
    w->done = true;
}

static void test_watch_and_signal(void **state)
{
    struct loop *l;
    struct err err;
    assert_true(loop_new(&l, &err));
    struct watching w = {.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    assert_true(watch_new(l, w.fd, 0, on_event, &w, &w.watch, &err));
    uint64_t one = 1;
    assert_int_equal(write(w.fd, &one, sizeof one), sizeof one);
    test_run_for(l, 10);
    assert_int_equal(w.events, 0); /* nothing was asked for */
    watch_set(w.watch, WATCH_READ);
    assert_true(test_run_until(l, &w.done));
    assert_int_equal(w.events, WATCH_READ);
    close(w.fd);

    struct loop_signal *s;
    w.done = false;
    assert_true(loop_signal_new(l, SIGUSR1, on_sig, &w, &s, &err));
    raise(SIGUSR1);
    assert_true(test_run_until(l, &w.done));
    assert_int_equal(w.signals, 1);
    loop_signal_close(s);
    assert_false(watch_new(l, -1, WATCH_READ, on_event, &w, &w.watch, &err));
    assert_int_equal(err.kind, ERR_SYSTEM);
    loop_free(l);
}

static void on_stop(void *arg)
{
    loop_stop(arg);
}

static void test_stop(void **state)
{
    struct loop *l;
    struct err err;
    assert_true(loop_new(&l, &err));
    struct timer late = {0}, soon = {0};
    timer_start(&late, l, 60000, on_never, NULL);
    timer_start(&soon, l, 10, on_stop, l);
    loop_run(l);
    loop_stop(l); /* ahead of a run: that run returns at once */
    loop_run(l);
    timer_stop(&late);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_restart_in_callback),
        cmocka_unit_test(test_deferred_order),
        cmocka_unit_test(test_deferred_without_end),
        cmocka_unit_test(test_watch_and_signal),
        cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
