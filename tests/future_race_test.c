/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A wake, a deadline, an abort, at the same time: one of them decides, and what the await says is
 * true. And wakes between the poll and the suspension.
 */
#include "tests/future_check.h"

#include <filch/scope.h>

struct round {
    struct event event;
    uint32_t go, done;
    int64_t delay; /* ns from go to the deadline; 0: none */
    bool abort, in_scope;
    uint64_t random;
    int rc;
};

/* The other party: one for all rounds. */
struct rival {
    struct round *round;
    uint32_t turn, stop;
};

static void *rival_main(void *arg)
{
    struct rival *r = arg;
    for (uint32_t turn = 1;; turn++) {
        SPIN_UNTIL(filch__load_acquire(&r->turn) == turn);
        if (flag_up(&r->stop))
            return NULL;
        struct round *round = r->round;
        SPIN_UNTIL(flag_up(&round->go));
        pause_a_little(&round->random);
        event_set(&round->event, 5);
        raise_flag(&round->done);
    }
}

static int await_round(void *arg)
{
    struct round *r = arg;
    struct wait wait = WAIT(&r->event);
    raise_flag(&r->go);
    int64_t deadline = r->delay ? filch_now() + r->delay : FILCH_NEVER;
    r->rc = filch_await_until(&wait.future, deadline);
    bool aborted = filch_cancelled();
    uint32_t polls = polls_of(&r->event);
    CHECK(filch_await(&wait.future) == -EALREADY && drops_of(&r->event) == 1);
    if (r->rc == 5)
        CHECK(flag_up(&r->event.ready));
    else
        CHECK(!flag_up(&r->event.ready));
    if (r->rc == -ETIMEDOUT)
        CHECK(r->delay && filch_now() >= deadline);
    if (r->rc == -ECANCELED)
        CHECK(aborted);
    CHECK(r->rc == 5 || r->rc == -ETIMEDOUT || r->rc == -ECANCELED);
    SPIN_UNTIL(flag_up(&r->done));
    CHECK(polls_of(&r->event) == polls); /* never again */
    return 5;
}

static void run_round(filch_runtime *rt, struct round *r)
{
    filch_handle *h;
    filch_scope s;
    if (r->in_scope) {
        filch_scope_options o = {.runtime = rt, .deadline = filch_now() + r->delay};
        REQUIRE(filch_scope_open(&s, &o) == 0);
        r->delay = 0;
        REQUIRE(filch_scope_spawn(&s, &h, await_round, r) == 0);
    } else {
        spawn_on(rt, &h, await_round, r);
    }
    if (r->abort) {
        filch_abort_handle *a = filch_abort_handle_of(h);
        SPIN_UNTIL(flag_up(&r->go));
        pause_a_little(&r->random);
        CHECK(filch_abort_handle_abort(a) == 0);
        filch_abort_handle_drop(a);
    }
    int rc = join(h);
    bool started = flag_up(&r->go);
    CHECK(rc == 5 ? started : rc == -ECANCELED && !started && r->in_scope);
    raise_flag(&r->go); /* for the rival, if nobody else has */
    if (r->in_scope) {
        rc = filch_scope_close(&s);
        CHECK(rc == 0 || rc == -ETIMEDOUT);
        CHECK(rc == -ETIMEDOUT || r->rc == 5);
    }
    SPIN_UNTIL(flag_up(&r->done));
}

static void all_at_once(bool deadline, bool abort, bool in_scope)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        uint64_t random = test_seed() + w;
        struct rival rival = {.round = NULL};
        pthread_t thread = thread_start(rival_main, &rival);
        for (int i = 0; i < sized(300, 1200, 5000) && !filch__load_relaxed(&case_bad); i++) {
            struct round r = {.event = EVENT, .abort = abort, .in_scope = in_scope};
            r.random = random + (uint64_t)i;
            r.delay = deadline ? 1 + test_random(&random, 60000) : 0;
            rival.round = &r;
            filch__add_acq_rel(&rival.turn, 1u);
            run_round(rt, &r);
        }
        raise_flag(&rival.stop);
        filch__add_acq_rel(&rival.turn, 1u);
        thread_join(thread);
        drain(rt);
        runtime_close(rt);
    }
}

static void wake_meets_deadline(void)
{
    all_at_once(true, false, false);
}

static void wake_meets_abort(void)
{
    all_at_once(false, true, false);
}

static void wake_meets_deadline_and_abort(void)
{
    all_at_once(true, true, false);
}

static void wake_meets_deadline_of_a_scope(void)
{
    all_at_once(true, false, true);
}

/* ---- on threads ---- */

static void *set_soon(void *arg)
{
    struct round *r = arg;
    pause_a_little(&r->random);
    event_set(&r->event, 5);
    return NULL;
}

static void wake_meets_deadline_on_a_thread(void)
{
    uint64_t random = test_seed();
    for (int i = 0; i < sized(500, 2000, 8000) && !filch__load_relaxed(&case_bad); i++) {
        struct round r = {.event = EVENT, .random = random};
        struct wait wait = WAIT(&r.event);
        pthread_t thread = thread_start(set_soon, &r);
        int64_t deadline = filch_now() + test_random(&random, 150000);
        int rc = filch_await_until(&wait.future, deadline);
        CHECK(rc == 5 || (rc == -ETIMEDOUT && filch_now() >= deadline));
        CHECK(drops_of(&r.event) == 1 && flag_up(&r.event.ready) == (rc == 5));
        thread_join(thread);
    }
}

/* ---- between the poll and the suspension ---- */

/* Wakes in its poll: by what it got, by a clone, or by a thread or task that is told there. */
struct hasty {
    filch_future future;
    struct event event;
    int how;
    long left;
    uint32_t *tell;
};

static int poll_hasty(filch_future *self, const filch_waker *waker)
{
    struct hasty *h = (struct hasty *)(void *)self;
    if (h->left-- == 0)
        return 3;
    if (h->how == 0)
        filch_wake(waker);
    if (h->how == 1) {
        filch_waker clone = filch_waker_clone(waker);
        filch_wake(&clone);
        filch_waker_drop(&clone);
    }
    if (h->how == 2) {
        pthread_mutex_lock(&h->event.lock);
        h->event.waker = *waker;
        pthread_mutex_unlock(&h->event.lock);
        tally(h->tell);
    }
    return FILCH_PENDING;
}

static void drop_hasty(filch_future *self)
{
    struct hasty *h = (struct hasty *)(void *)self;
    pthread_mutex_lock(&h->event.lock);
    h->event.waker = (filch_waker){NULL, NULL};
    pthread_mutex_unlock(&h->event.lock);
}

static const filch_future_ops hasty_ops = {"a hasty one", poll_hasty, drop_hasty};

struct told {
    struct hasty *hasty;
    uint32_t polls, end;
};

/* One wake for each poll, as soon as it may be. */
static void *wake_when_told(void *arg)
{
    struct told *t = arg;
    for (uint32_t seen = 0;;) {
        SPIN_UNTIL(filch__load_acquire(&t->polls) > seen || flag_up(&t->end));
        if (flag_up(&t->end))
            return NULL;
        seen++;
        event_wake(&t->hasty->event);
    }
}

static int await_hasty(void *rt)
{
    (void)rt;
    for (int how = 0; how < 3; how++) {
        struct told told = {.polls = 0};
        struct hasty h = {FILCH_FUTURE(&hasty_ops), EVENT, how, sized(2000, 6000, 30000),
                          &told.polls};
        told.hasty = &h;
        pthread_t thread = thread_start(wake_when_told, &told);
        CHECK((how & 1 ? filch_await_until(&h.future, FILCH_NEVER - 1) : filch_await(&h.future)) ==
              3);
        raise_flag(&told.end);
        thread_join(thread);
    }
    return 0;
}

static void wakes_in_the_poll_and_after(void)
{
    everywhere(await_hasty);
}

int main(void)
{
    (void)test_seed();
    RUN(wake_meets_deadline);
    RUN(wake_meets_abort);
    RUN(wake_meets_deadline_and_abort);
    RUN(wake_meets_deadline_of_a_scope);
    RUN(wake_meets_deadline_on_a_thread);
    RUN(wakes_in_the_poll_and_after);
    return summary();
}
