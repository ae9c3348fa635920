/* SPDX-License-Identifier: Apache-2.0 */
/* A cancel as foreign code sees it: by the flag, by the event, and by the end of a runtime. */
#include "tests/scope_check.h"

#include <poll.h>

enum { MS = 1000000 };

static int sleep_for_ever(void *arg)
{
    (void)arg;
    return filch_sleep_until(FILCH_NEVER);
}

static bool readable(int fd, int timeout)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout) == 1 && p.revents & POLLIN;
}

struct watched {
    filch_scope scope;
    const uint32_t *flag;
    int event;
    uint32_t started, open, seen, go;
};

static void *watch(void *arg)
{
    struct watched *w = arg;
    SPIN_UNTIL(flag_up(&w->open));
    CHECK(readable(w->event, -1) && filch__load_acquire(w->flag) != 0);
    CHECK(filch_scope_cancelled(&w->scope));
    CHECK(filch_scope_event(&w->scope) == w->event);
    raise_flag(&w->seen);
    return NULL;
}

/* Ends when the thread has seen the cancel, so the scope stays open so long. */
static int stay(void *arg)
{
    struct watched *w = arg;
    raise_flag(&w->started);
    while (!flag_up(&w->seen))
        if (filch_yield() < 0)
            sched_yield();
    return 0;
}

static int be_watched(void *arg)
{
    struct watched *w = arg;
    REQUIRE(filch_scope_open(&w->scope, &(filch_scope_options){.deadline = 0}) == 0);
    w->flag = filch_scope_flag(&w->scope);
    w->event = filch_scope_event(&w->scope);
    CHECK(w->flag && *w->flag == 0 && w->event >= 0 && !readable(w->event, 0));
    CHECK(filch_scope_flag(&w->scope) == w->flag && filch_scope_event(&w->scope) == w->event);
    CHECK(filch_scope_spawn(&w->scope, NULL, stay, w) == 0);
    while (!flag_up(&w->started))
        CHECK(filch_yield() == 0);
    raise_flag(&w->open);
    SPIN_UNTIL(flag_up(&w->go));
    int rc = filch_scope_close(&w->scope);
    CHECK(filch_scope_flag(&w->scope) == NULL && filch_scope_event(&w->scope) == -EINVAL);
    CHECK(filch_scope_cancelled(&w->scope));
    return rc;
}

/* By cancel, deadline, abort of the opener, and the runtime's end. */
static void flags_and_events(void)
{
    for (int i = 0; i < sized(36, 360, 3600); i++) {
        filch_runtime *rt = runtime_open(worker_counts[i % 3]);
        struct watched w = {.open = 0};
        filch_handle *h;
        int how = i / 3 % 4;
        pthread_t thread = thread_start(watch, &w);
        spawn_on(rt, &h, be_watched, &w);
        SPIN_UNTIL(flag_up(&w.open));
        if (i & 16)
            raise_flag(&w.go);
        if (how == 0)
            CHECK(filch_scope_cancel(&w.scope, 0) == 0);
        else if (how == 1)
            CHECK(filch_scope_set_deadline(&w.scope, filch_now() + MS / 8) == 0);
        else if (how == 2)
            CHECK(filch_abort(h) == 0);
        raise_flag(&w.go);
        if (how == 3)
            runtime_close(rt);
        thread_join(thread);
        CHECK(join(h) == (how == 1 ? -ETIMEDOUT : -ECANCELED));
        if (how != 3)
            runtime_close(rt);
    }
}

/* Asked for when it is cancelled already; never asked for; in an inner scope; many at once. */
static int late_events(void *arg)
{
    (void)arg;
    enum { N = 20 };
    filch_scope s[N];
    int event[N];
    for (int i = 0; i < N; i++)
        REQUIRE(filch_scope_open(&s[i], NULL) == 0);
    for (int i = 0; i < N; i += 2)
        event[i] = filch_scope_event(&s[i]);
    CHECK(filch_scope_cancel(&s[2], 0) == 0);
    for (int i = 0; i < N; i += 2)
        CHECK(event[i] >= 0 && readable(event[i], 0) == (i >= 2));
    for (int i = 1; i < N; i += 2)
        CHECK(readable(filch_scope_event(&s[i]), 0) == (i > 2));
    for (int i = N; i-- > 0;)
        CHECK(filch_scope_close(&s[i]) == (i < 2 ? 0 : -ECANCELED));
    for (int i = 0; i < N; i += 2) /* closed with the scope */
        CHECK(poll(&(struct pollfd){.fd = event[i], .events = POLLIN}, 1, 0) == 1);
    return 0;
}

/* Several threads ask for the event of one scope at once: all get the same. */
static void *ask(void *arg)
{
    struct watched *w = arg;
    SPIN_UNTIL(flag_up(&w->open));
    int event = filch_scope_event(&w->scope);
    int none = -1;
    if (!__atomic_compare_exchange_n(&w->event, &none, event, 0, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE))
        CHECK(none == event);
    tally(&w->seen);
    return NULL;
}

static void events_asked_for(void)
{
    filch_runtime *rt = runtime_open(2);
    CHECK(filch_run(rt, late_events, NULL) == 0);
    for (int i = 0; i < sized(50, 500, 5000); i++) {
        struct watched w = {.event = -1};
        pthread_t threads[3];
        REQUIRE(filch_scope_open(&w.scope, &(filch_scope_options){.runtime = rt}) == 0);
        for (int k = 0; k < 3; k++)
            threads[k] = thread_start(ask, &w);
        raise_flag(&w.open);
        CHECK(filch_scope_cancel(&w.scope, 0) == 0);
        for (int k = 0; k < 3; k++)
            thread_join(threads[k]);
        CHECK(w.event >= 0 && readable(w.event, 0));
        CHECK(filch_scope_close(&w.scope) == -ECANCELED);
    }
    runtime_close(rt);
}

/* ---- the runtime of the children ends ---- */

static void *destroy(void *rt)
{
    CHECK(filch_runtime_destroy(rt) == 0);
    return NULL;
}

/* The opener is a thread: its close says that the children were cancelled, and the event too. */
static void the_childrens_runtime_ends(void)
{
    for (int i = 0; i < sized(30, 300, 3000); i++) {
        filch_runtime *rt = runtime_open(worker_counts[i % 3]);
        filch_scope s;
        REQUIRE(filch_scope_open(&s, &(filch_scope_options){.runtime = rt}) == 0);
        int event = i % 2 ? filch_scope_event(&s) : -1;
        CHECK(filch_scope_spawn(&s, NULL, sleep_for_ever, NULL) == 0);
        watchdog_watch(NULL);
        pthread_t thread = thread_start(destroy, rt);
        if (i % 2)
            CHECK(readable(event, -1));
        SPIN_UNTIL(filch_scope_spawn(&s, NULL, return_number, NULL) == -ESHUTDOWN);
        CHECK(filch_scope_close(&s) == -ECANCELED);
        CHECK(report_of(&s).cause.kind == FILCH_CAUSE_SHUTDOWN);
        thread_join(thread);
    }
}

/* Of a scope in a shield: the runtime's end is not told there, for it would be seen inside. */
struct shielded {
    uint32_t inside, go;
    filch_runtime *away; /* of the children, or NULL: the opener's own */
    int event;
};

static int watch_in_shield(void *arg)
{
    struct shielded *w = arg;
    filch_shield shield;
    filch_scope s;
    CHECK(filch_shield_begin(&shield, 0) == 0);
    REQUIRE(filch_scope_open(&s, NULL) == 0);
    const uint32_t *flag = filch_scope_flag(&s);
    w->event = filch_scope_event(&s);
    raise_flag(&w->inside);
    SPIN_UNTIL(flag_up(&w->go));
    CHECK(flag && filch__load_acquire(flag) == 0 && !readable(w->event, 0));
    CHECK(filch_checkpoint() == 0 && filch_sleep(1) == 0);
    CHECK(filch_scope_close(&s) == 0 && filch_shield_end(&shield) == 0);
    return filch_checkpoint();
}

/* The opener's runtime ends, not that of the children. */
static int watch_from_home(void *arg)
{
    struct shielded *w = arg;
    filch_scope s;
    REQUIRE(filch_scope_open(&s, &(filch_scope_options){.runtime = w->away}) == 0);
    w->event = filch_scope_event(&s);
    CHECK(filch_scope_spawn(&s, NULL, sleep_for_ever, NULL) == 0);
    raise_flag(&w->inside);
    CHECK(readable(w->event, -1) && filch_scope_cancelled(&s));
    CHECK(filch_sleep_until(FILCH_NEVER) == -ECANCELED);
    return filch_scope_close(&s);
}

static void the_openers_runtime_ends(void)
{
    for (int i = 0; i < sized(30, 300, 3000); i++) {
        filch_runtime *home = runtime_open(worker_counts[i % 3]), *away = runtime_open(1);
        struct shielded w = {.away = away};
        filch_handle *h;
        watchdog_watch(NULL);
        spawn_on(home, &h, i / 3 % 2 ? watch_in_shield : watch_from_home, &w);
        SPIN_UNTIL(flag_up(&w.inside));
        pthread_t thread = thread_start(destroy, home);
        filch_spawn_options o = {.runtime = home};
        SPIN_UNTIL(filch_spawn_with(NULL, &o, return_number, NULL) == -ESHUTDOWN);
        raise_flag(&w.go);
        CHECK(join(h) == -ECANCELED);
        thread_join(thread);
        CHECK(filch_runtime_destroy(away) == 0);
    }
}

int main(void)
{
    RUN(flags_and_events);
    RUN(events_asked_for);
    RUN(the_childrens_runtime_ends);
    RUN(the_openers_runtime_ends);
    return summary();
}
