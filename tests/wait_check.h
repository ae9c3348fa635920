/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of primitives share: futures polled by hand, waits that are cancelled just when
 * they are granted, and waits that end in any way.
 */
#ifndef FILCH_TESTS_WAIT_CHECK_H
#define FILCH_TESTS_WAIT_CHECK_H

#include "sync/waiters.h"
#include "tests/future_check.h"

/* Counts its wakes; where to tells, goes on when another has answered. */
struct bell {
    uint32_t rung;
    uint32_t *tells, *answer;
};

static inline void bell_wake(void *data)
{
    struct bell *b = data;
    uint32_t *tells = b->tells, *answer = b->answer;
    tally(&b->rung);
    if (!tells)
        return;
    raise_flag(tells);
    SPIN_UNTIL(flag_up(answer));
}

static const filch_waker_ops bell_ops = {.wake = bell_wake};

static inline int poll_for(filch_future *f, struct bell *b)
{
    return filch_poll(f, &(filch_waker){&bell_ops, b});
}

static inline uint32_t rung(const struct bell *b)
{
    return filch__load_acquire(&b->rung);
}

/* ---- cancels at the grant ---- */

#define MEETING_MAX 4

/* Tasks wait; one of them, or all, are cancelled while `act` lets some go on. */
struct meeting {
    filch_fn *wait, *act; /* of arg */
    void *arg;
    int waiters;
    filch_runtime *rt;
    uint64_t random;
    bool whole; /* all are cancelled */
    int rc[MEETING_MAX];
    uint32_t waiting;
    filch_scope scope;
    filch_handle *h[MEETING_MAX];
};

static inline int meeting_wait(void *meeting)
{
    struct meeting *m = meeting;
    tally(&m->waiting);
    return m->wait(m->arg);
}

static inline void meeting_join(struct meeting *m, int first, int end)
{
    for (int i = first; i < end; i++)
        m->rc[i] = join(m->h[i]);
}

/* Up to the end of the first, rc[0], or of all; `act` is over. */
static inline void meeting_begin(struct meeting *m)
{
    filch_handle *actor = NULL;
    uint32_t order = test_random(&m->random, 4);
    m->whole = test_random(&m->random, 2);
    filch__store_release(&m->waiting, 0u);
    REQUIRE(filch_scope_open(&m->scope, &(filch_scope_options){.runtime = m->rt}) == 0);
    for (int i = 0; i < m->waiters; i++)
        REQUIRE(filch_scope_spawn(&m->scope, &m->h[i], meeting_wait, m) == 0);
    while (order && filch__load_acquire(&m->waiting) < (uint32_t)m->waiters)
        CHECK(filch_yield() == 0);
    if (order == 1)
        CHECK(m->act(m->arg) >= 0);
    else if (order < 3)
        spawn_on(m->rt, &actor, m->act, m->arg);
    pause_a_little(&m->random);
    CHECK(m->whole ? filch_scope_cancel(&m->scope, 0) == 0 : filch_abort(m->h[0]) == 0);
    if (order == 3)
        CHECK(m->act(m->arg) >= 0);
    if (m->whole) /* in it the caller's joins would be cancelled, too */
        CHECK(filch_scope_close(&m->scope) == -ECANCELED);
    if (actor)
        CHECK(join(actor) >= 0);
    meeting_join(m, 0, m->whole ? m->waiters : 1);
}

/* The others, which must not wait for ever. */
static inline void meeting_end(struct meeting *m)
{
    if (!m->whole) {
        meeting_join(m, 1, m->waiters);
        CHECK(filch_scope_close(&m->scope) == 0);
    }
    for (int i = 0; i < m->waiters; i++)
        CHECK(m->rc[i] >= 0 || (m->rc[i] == -ECANCELED && (m->whole || i == 0)));
}

/* round(meeting) again and again, on runtimes of each size, from a task and from a thread; a
 * million cancels at the full size. */
struct meetings {
    struct meeting *m;
    void (*round)(struct meeting *m);
};

static inline int meet_often(void *meetings)
{
    struct meetings *s = meetings;
    for (long i = 0; i < sized(250, 5000, 170000) && !filch__load_relaxed(&case_bad); i++)
        s->round(s->m);
    return 0;
}

static inline void meet_on_each(struct meeting *m, void (*round)(struct meeting *m))
{
    struct meetings s = {m, round};
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        m->rt = runtime_open(worker_counts[w]);
        m->random = test_seed() + w;
        CHECK(filch_run(m->rt, meet_often, &s) == 0);
        CHECK(meet_often(&s) == 0);
        drain(m->rt);
        runtime_close(m->rt);
    }
}

/* ---- waits that end in any way ---- */

/* Soon: its result, or -ETIMEDOUT; it has ended. */
static inline int try_somehow(filch_future *f, uint64_t *random)
{
    int64_t soon = filch_now() + test_random(random, 20000);
    filch_sleep_future pause = FILCH_SLEEP_FUTURE(soon);
    filch_future *either[] = {f, &pause.future};
    int rc;
    switch (test_random(random, 3)) {
    case 0:
        return filch_await_until(f, soon);
    case 1:
        rc = filch_select(either, 2);
        filch_future_drop_all(either, 2);
        return rc == 1 ? -ETIMEDOUT : rc < 0 ? rc : f->result;
    default:
        rc = filch_poll(f, NULL);
        pause_a_little(random);
        CHECK(filch_future_drop(f) == 0);
        return rc == FILCH_PENDING ? -ETIMEDOUT : rc;
    }
}

/* Six tasks and two threads run fn(arg), until `over` says so, which is asked again and again. */
static inline void *crowd_thread(void *call)
{
    CHECK(((filch_fn **)call)[0](((void **)call)[1]) == 0);
    return NULL;
}

enum { CROWD = 8 };

static inline void crowd_on(filch_runtime *rt, filch_fn *fn, void *arg, bool (*over)(void *arg),
                            uint32_t *stop)
{
    union {
        filch_fn *fn;
        void *word;
    } f = {fn};
    void *call[] = {f.word, arg};
    pthread_t threads[2];
    for (int i = 0; i < CROWD - 2; i++)
        spawn_on(rt, NULL, fn, arg);
    for (int i = 0; i < 2; i++)
        threads[i] = thread_start(crowd_thread, call);
    SPIN_UNTIL(over(arg) || filch__load_relaxed(&case_bad));
    raise_flag(stop);
    for (int i = 0; i < 2; i++)
        thread_join(threads[i]);
    drain(rt);
}

/* ---- a grant and a deadline at once ---- */

struct tick {
    int (*wait)(void *arg, int64_t deadline);
    void (*act)(void *arg);
    void *arg;
    int64_t deadline;
    bool acted, over; /* of the only worker */
};

static inline int tick_act(void *tick)
{
    struct tick *t = tick;
    if (t->over)
        return 0;
    SPIN_UNTIL(filch_now() > t->deadline + 1000000);
    t->acted = true;
    t->act(t->arg);
    return 0;
}

static inline int tick_wait(void *tick)
{
    struct tick *t = tick;
    t->acted = t->over = false;
    CHECK(filch_spawn(NULL, tick_act, t) == 0);
    t->deadline = filch_now() + 1000000;
    int rc = t->wait(t->arg, t->deadline);
    t->over = true;
    if (!t->acted)
        return rc;
    CHECK(rc == 0);
    int64_t later = filch_now() + 1000000; /* nothing is left of the deadline or of the grant */
    CHECK(t->wait(t->arg, later) == -ETIMEDOUT && filch_now() >= later);
    return rc;
}

/* The only worker is kept busy over the deadline, and the grant comes after that, before the waiter
 * has been seen to: it has what it waited for. If the deadline passes before the worker is busy it
 * was late, and tries again. */
static inline int at_once(struct tick *t)
{
    filch_runtime *rt = runtime_open(1);
    int rc;
    do {
        rc = filch_run(rt, tick_wait, t);
        drain(rt);
        CHECK(t->acted || rc == -ETIMEDOUT);
    } while (!t->acted);
    runtime_close(rt);
    return rc;
}

/* ---- leaving while all are told ---- */

/* The first part is what is told at once. */
enum { MANY = 60, FIRST_PART = FILCH__WAKES };

/* Of so many that wait all are told, in parts; between the first and the next part the others
 * leave. Then what was waited for is freed. */
struct parting {
    filch_future *f[MANY];
    struct bell bell[MANY];
    uint32_t told, answer;
    void *memory;
    void (*check)(void *memory); /* before that, or NULL */
};

static inline void *parting_leave(void *parting)
{
    struct parting *p = parting;
    SPIN_UNTIL(flag_up(&p->told));
    for (int i = FIRST_PART; i < MANY; i++) {
        if (i == MANY - 1)
            raise_flag(&p->answer); /* the last one waits until it is told */
        CHECK(filch_future_drop(p->f[i]) == 0);
    }
    for (int i = 0; i < FIRST_PART; i++)
        while (filch_poll(p->f[i], &(filch_waker){&bell_ops, &p->bell[i]}) == FILCH_PENDING)
            sched_yield();
    if (p->check)
        p->check(p->memory);
    free(p->memory);
    return NULL;
}

/* f are pending, with their bells; tell() lets all go. */
static inline void part(struct parting *p, void (*tell)(void *memory))
{
    pthread_t thread = thread_start(parting_leave, p);
    tell(p->memory);
    thread_join(thread);
    for (int i = 0; i < MANY; i++)
        CHECK(rung(&p->bell[i]) == (i < FIRST_PART || i == MANY - 1));
}

/* The first bell rings in the first part. */
static inline void parting_poll(struct parting *p, int i, filch_future *f)
{
    p->f[i] = f;
    p->bell[i] = (struct bell){.tells = i ? NULL : &p->told, .answer = &p->answer};
    CHECK(poll_for(f, &p->bell[i]) == FILCH_PENDING);
}

#endif
