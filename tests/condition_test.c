/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions: the mutex is had again whatever happens, notifications go in order and are not lost
 * where waits for them end early. */
#include "tests/wait_check.h"

struct box {
    filch_mutex m;
    filch_condition c;
    int64_t things; /* under m */
    uint32_t inside;
};

#define BOX                                    \
    {                                          \
        .m = FILCH_MUTEX, .c = FILCH_CONDITION \
    }

static bool have(filch_mutex *m)
{
    return filch_mutex_try_lock(m) == -EBUSY && filch_mutex_unlock(m) == 0 &&
           filch_mutex_lock(m) == 0;
}

static int answers(void *rt)
{
    (void)rt;
    struct box b = BOX;
    filch_condition_future none = FILCH_CONDITION_FUTURE(NULL, &b.m);
    filch_condition_future no_mutex = FILCH_CONDITION_FUTURE(&b.c, NULL);
    filch_condition_future not_mine = FILCH_CONDITION_FUTURE(&b.c, &b.m);
    filch_condition_future f = FILCH_CONDITION_FUTURE(&b.c, &b.m);
    filch_condition_future unused = FILCH_CONDITION_FUTURE(&b.c, &b.m);
    CHECK(filch_condition_notify_one(NULL) == -EINVAL);
    CHECK(filch_condition_notify_all(NULL) == -EINVAL);
    CHECK(filch_condition_destroy(NULL) == -EINVAL && filch_condition_destroy(&b.c) == 0);
    CHECK(filch_condition_wait(NULL, &b.m) == -EINVAL);
    CHECK(filch_condition_wait(&b.c, NULL) == -EINVAL);
    CHECK(filch_await(&none.future) == -EINVAL && filch_await(&no_mutex.future) == -EINVAL);
    CHECK(filch_condition_wait(&b.c, &b.m) == -EPERM && filch_await(&not_mine.future) == -EPERM);
    CHECK(filch_condition_wait_until(&b.c, &b.m, 0) == -EPERM);
    CHECK(filch_condition_destroy(&b.c) == 0 && filch_mutex_lock(&b.m) == 0);
    CHECK(filch_condition_notify_one(&b.c) == 0 && filch_condition_notify_all(&b.c) == 0);
    CHECK(filch_condition_wait_until(&b.c, &b.m, 0) == -ETIMEDOUT && have(&b.m));
    CHECK(filch_condition_wait_until(&b.c, &b.m, filch_now() + 1000) == -ETIMEDOUT && have(&b.m));
    CHECK(filch_poll(&f.future, NULL) == FILCH_PENDING && filch_condition_destroy(&b.c) == -EBUSY);
    CHECK(filch_mutex_lock(&b.m) == 0 && filch_mutex_unlock(&b.m) == 0); /* it was given up */
    CHECK(filch_condition_notify_one(&b.c) == 0 && filch_condition_destroy(&b.c) == -EBUSY);
    CHECK(filch_await(&f.future) == 0 && filch_await(&f.future) == -EALREADY && have(&b.m));
    CHECK(filch_future_drop(&unused.future) == 0 && have(&b.m));
    CHECK(filch_mutex_unlock(&b.m) == 0 && filch_condition_destroy(&b.c) == 0);
    CHECK(filch_mutex_destroy(&b.m) == 0);
    return 0;
}

static void answers_of_each_call(void)
{
    everywhere(answers);
}

/* ---- order ---- */

static bool is_free(filch_mutex *m)
{
    return filch_mutex_try_lock(m) == 0 && filch_mutex_unlock(m) == 0;
}

/* Each of those who wait stays, leaves before, leaves once it was notified, or while it waits for
 * the mutex. */
static void queue(uint64_t *random)
{
    enum { N = 40 };
    struct box b = BOX;
    filch_condition_future f[N];
    struct bell bell[N] = {{0}};
    uint32_t how[N];
    for (int i = 0; i < N; i++) {
        f[i] = (filch_condition_future)FILCH_CONDITION_FUTURE(&b.c, &b.m);
        CHECK(filch_mutex_lock(&b.m) == 0);
        CHECK(poll_for(&f[i].future, &bell[i]) == FILCH_PENDING && is_free(&b.m));
        how[i] = test_random(random, 3);
    }
    for (int i = 0; i < N; i++)
        if (how[i] == 1)
            CHECK(filch_future_drop(&f[i].future) == 0);
    for (int i = 0, told = false; i < N; i++) {
        if (how[i] == 1)
            continue;
        CHECK(told || filch_condition_notify_one(&b.c) == 0);
        for (int j = i; j < N; j++)
            CHECK(rung(&bell[j]) == (j == i));
        told = how[i] == 2;
        if (told)
            CHECK(filch_future_drop(&f[i].future) == 0 && is_free(&b.m));
        else
            CHECK(poll_for(&f[i].future, &bell[i]) == 0 && filch_mutex_unlock(&b.m) == 0);
    }
    CHECK(filch_condition_destroy(&b.c) == 0 && is_free(&b.m));
}

static int queues(void *rt)
{
    (void)rt;
    uint64_t random = test_seed();
    for (int i = 0; i < 200; i++)
        queue(&random);
    return 0;
}

static void in_order_of_coming(void)
{
    everywhere(queues);
}

/* ---- while the mutex is somebody else's ---- */

struct holding {
    struct box b;
    uint32_t held, release, dies;
};

static int hold(void *holding)
{
    struct holding *h = holding;
    CHECK(filch_mutex_lock(&h->b.m) == 0);
    raise_flag(&h->held);
    while (!flag_up(&h->release))
        CHECK(filch_yield() == 0);
    return h->dies ? 0 : filch_mutex_unlock(&h->b.m);
}

static void hold_on(struct holding *h, filch_runtime *rt, filch_handle **task)
{
    h->held = h->release = 0;
    spawn_on(rt, task, hold, h);
    while (!flag_up(&h->held))
        CHECK(filch_yield() == 0);
}

static void let_go(struct holding *h, filch_handle *task)
{
    raise_flag(&h->release);
    CHECK(join(task) == 0);
}

/* Notified, the mutex is held by another: dropped there it has no part in it, and the next is
 * notified; not dropped it has the mutex, broken or not. */
static int waits_for_the_mutex(void *rt)
{
    struct holding h = {.b = BOX};
    filch_condition_future f[3];
    struct bell bell[3] = {{0}};
    filch_handle *task;
    for (int i = 0; i < 3; i++) {
        f[i] = (filch_condition_future)FILCH_CONDITION_FUTURE(&h.b.c, &h.b.m);
        CHECK(filch_mutex_lock(&h.b.m) == 0);
        CHECK(poll_for(&f[i].future, &bell[i]) == FILCH_PENDING);
    }
    hold_on(&h, rt, &task);
    CHECK(filch_condition_notify_one(&h.b.c) == 0 && rung(&bell[0]) == 1);
    CHECK(poll_for(&f[0].future, &bell[0]) == FILCH_PENDING && rung(&bell[1]) == 0);
    CHECK(filch_future_drop(&f[0].future) == 0 && rung(&bell[1]) == 1); /* handed on */
    CHECK(poll_for(&f[1].future, &bell[1]) == FILCH_PENDING && rung(&bell[2]) == 0);
    let_go(&h, task);
    CHECK(rung(&bell[1]) == 2 && poll_for(&f[1].future, &bell[1]) == 0 && have(&h.b.m));
    CHECK(filch_mutex_unlock(&h.b.m) == 0 && rung(&bell[2]) == 0);
    h.dies = true;
    hold_on(&h, rt, &task);
    let_go(&h, task);
    CHECK(filch_condition_notify_one(&h.b.c) == 0);
    CHECK(poll_for(&f[2].future, &bell[2]) == -EOWNERDEAD);
    CHECK(filch_mutex_consistent(&h.b.m) == 0 && filch_mutex_unlock(&h.b.m) == 0);
    CHECK(filch_condition_destroy(&h.b.c) == 0 && filch_mutex_destroy(&h.b.m) == 0);
    return 0;
}

/* A mutex that is beyond recovery: the notification reaches one after the other. */
static int ruined(void *rt)
{
    struct holding h = {.b = BOX, .dies = true};
    filch_condition_future f = FILCH_CONDITION_FUTURE(&h.b.c, &h.b.m), g = f;
    struct bell bell[2] = {{0}};
    filch_handle *task;
    CHECK(filch_mutex_lock(&h.b.m) == 0 && poll_for(&f.future, &bell[0]) == FILCH_PENDING);
    CHECK(filch_mutex_lock(&h.b.m) == 0 && poll_for(&g.future, &bell[1]) == FILCH_PENDING);
    hold_on(&h, rt, &task);
    let_go(&h, task);
    CHECK(filch_mutex_lock(&h.b.m) == -EOWNERDEAD);
    CHECK(filch_condition_wait_until(&h.b.c, &h.b.m, 0) == -ENOTRECOVERABLE);
    CHECK(filch_condition_notify_one(&h.b.c) == 0 && rung(&bell[0]) == 1 && rung(&bell[1]) == 0);
    CHECK(poll_for(&f.future, &bell[0]) == -ENOTRECOVERABLE && rung(&bell[1]) == 1);
    CHECK(poll_for(&g.future, &bell[1]) == -ENOTRECOVERABLE);
    CHECK(filch_condition_destroy(&h.b.c) == 0);
    return 0;
}

static void the_mutex_of_another(void)
{
    everywhere(waits_for_the_mutex);
    everywhere(ruined);
}

/* Cancelled, it has the mutex again, though that took a while. */
static int wait_in_vain(void *holding)
{
    struct holding *h = holding;
    CHECK(filch_mutex_lock(&h->b.m) == 0);
    int rc = filch_condition_wait(&h->b.c, &h->b.m);
    CHECK(filch__exchange_acq_rel(&h->b.inside, 1u) == 0 && filch_cancelled());
    CHECK(filch_condition_wait(&h->b.c, &h->b.m) == -ECANCELED); /* and did not give it up */
    CHECK(filch_mutex_try_lock(&h->b.m) == -EBUSY);
    CHECK(filch__exchange_acq_rel(&h->b.inside, 0u) == 1);
    CHECK(filch_mutex_unlock(&h->b.m) == 0);
    return rc;
}

static bool is_waited_for(filch_condition *c)
{
    return filch_condition_destroy(c) == -EBUSY;
}

static int cancelled(void *rt)
{
    struct holding h = {.b = BOX};
    filch_handle *waiter, *holder;
    spawn_on(rt, &waiter, wait_in_vain, &h);
    while (!is_waited_for(&h.b.c))
        CHECK(filch_yield() == 0);
    hold_on(&h, rt, &holder);
    CHECK(filch_abort(waiter) == 0);
    while (is_waited_for(&h.b.c))
        CHECK(filch_yield() == 0);
    for (int i = 0; i < 100; i++)
        CHECK(filch_yield() == 0 && !filch_finished(waiter));
    let_go(&h, holder);
    CHECK(join(waiter) == -ECANCELED && is_free(&h.b.m));
    return 0;
}

static void cancelled_while_another_has_it(void)
{
    everywhere(cancelled);
}

/* ---- all at once ---- */

static void tell_all(void *box)
{
    CHECK(filch_condition_notify_all(&((struct box *)box)->c) == 0);
}

/* The bells of those who were told do not ring for the mutex, which is free. */
static void *part_of_box(void *parting)
{
    struct parting *p = parting;
    struct box *b = p->memory;
    SPIN_UNTIL(flag_up(&p->told));
    for (int i = FIRST_PART; i < MANY; i++) {
        if (i == MANY - 1)
            raise_flag(&p->answer);
        CHECK(filch_future_drop(p->f[i]) == 0);
    }
    for (int i = 0; i < FIRST_PART; i++) {
        while (poll_for(p->f[i], &p->bell[i]) == FILCH_PENDING)
            sched_yield();
        CHECK(filch_mutex_unlock(&b->m) == 0);
    }
    free(b);
    return NULL;
}

static void the_last_frees_it(void)
{
    for (int i = 0; i < 50; i++) {
        struct box *b = malloc(sizeof *b);
        struct parting p = {.memory = b};
        filch_condition_future f[MANY];
        *b = (struct box)BOX;
        for (int k = 0; k < MANY; k++) {
            f[k] = (filch_condition_future)FILCH_CONDITION_FUTURE(&b->c, &b->m);
            CHECK(filch_mutex_lock(&b->m) == 0);
            parting_poll(&p, k, &f[k].future);
        }
        pthread_t thread = thread_start(part_of_box, &p);
        tell_all(b);
        thread_join(thread);
    }
}

/* ---- deadlines ---- */

static int wait_until(void *box, int64_t deadline)
{
    struct box *b = box;
    CHECK(filch_mutex_lock(&b->m) == 0);
    int rc = filch_condition_wait_until(&b->c, &b->m, deadline);
    CHECK(have(&b->m) && filch_mutex_unlock(&b->m) == 0);
    return rc;
}

static void tell_one(void *box)
{
    CHECK(filch_condition_notify_one(&((struct box *)box)->c) == 0);
}

static void notified_and_late(void)
{
    struct box b = BOX;
    struct tick one = {.wait = wait_until, .act = tell_one, .arg = &b},
                all = {.wait = wait_until, .act = tell_all, .arg = &b};
    CHECK(at_once(&one) == 0 && at_once(&all) == 0 && filch_condition_destroy(&b.c) == 0);
}

/* ---- things in a box ---- */

static int take_thing(void *box)
{
    struct box *b = box;
    int rc = filch_mutex_lock(&b->m);
    if (rc < 0)
        return rc;
    while (rc == 0 && b->things == 0)
        rc = filch_condition_wait(&b->c, &b->m);
    CHECK(filch__exchange_acq_rel(&b->inside, 1u) == 0);
    if (rc == 0)
        b->things--;
    CHECK(filch__exchange_acq_rel(&b->inside, 0u) == 1);
    CHECK(filch_mutex_unlock(&b->m) == 0);
    return rc;
}

/* Not cut short, as it may be in the scope that is cancelled. */
static int put_thing(void *box)
{
    struct box *b = box;
    int rc;
    while ((rc = filch_mutex_try_lock(&b->m)) == -EBUSY)
        sched_yield();
    CHECK(rc == 0);
    b->things++;
    CHECK(filch_mutex_unlock(&b->m) == 0);
    return filch_condition_notify_one(&b->c);
}

/* One thing for two: one of them gets it, or it stays. */
static void cancel_at_the_notification(struct meeting *m)
{
    struct box *b = m->arg;
    meeting_begin(m);
    if (!m->whole && m->rc[0] == 0)
        CHECK(put_thing(b) == 0); /* the other one got none so far */
    meeting_end(m);
    int got = (m->rc[0] == 0) + (m->rc[1] == 0);
    CHECK(m->whole ? got + b->things == 1 : m->rc[1] == 0 && b->things == 0);
    b->things = 0;
    CHECK(filch_condition_destroy(&b->c) == 0 && filch_mutex_destroy(&b->m) == 0);
}

static void cancels_at_the_notification(void)
{
    struct box b = BOX;
    struct meeting m = {.wait = take_thing, .act = put_thing, .arg = &b, .waiters = 2};
    meet_on_each(&m, cancel_at_the_notification);
}

/* Each thing is taken before the next is put, once those who look for it have to be notified. */
struct storm {
    struct box b;
    int64_t put; /* of one thread */
    uint32_t taken, late, stop, started;
    long enough;
};

/* With the mutex, or not: have. */
static int wait_somehow(struct box *b, uint64_t *random, bool *has)
{
    *has = true;
    if (test_random(random, 2))
        return filch_condition_wait_until(&b->c, &b->m, filch_now() + test_random(random, 20000));
    filch_condition_future f = FILCH_CONDITION_FUTURE(&b->c, &b->m);
    CHECK(filch_poll(&f.future, NULL) == FILCH_PENDING); /* so that it gives it up in any case */
    int rc = try_somehow(&f.future, random);
    *has = rc == 0;
    return rc;
}

static int take_things(void *storm)
{
    struct storm *s = storm;
    struct box *b = &s->b;
    uint64_t random = test_seed() + filch__add_acq_rel(&s->started, 1u);
    while (!flag_up(&s->stop)) {
        bool has = filch_mutex_lock(&b->m) == 0;
        int rc = b->things ? 0 : wait_somehow(b, &random, &has);
        CHECK(rc == 0 || rc == -ETIMEDOUT);
        if (!has) {
            tally(&s->late);
            continue;
        }
        CHECK(filch__exchange_acq_rel(&b->inside, 1u) == 0);
        if (b->things) {
            b->things--;
            tally(&s->taken);
        }
        if (test_random(&random, 8) == 0)
            CHECK(filch_yield() == 0);
        CHECK(filch__exchange_acq_rel(&b->inside, 0u) == 1);
        CHECK(filch_mutex_unlock(&b->m) == 0);
    }
    return 0;
}

static bool put_next(void *storm)
{
    struct storm *s = storm;
    if (filch__load_acquire(&s->taken) != s->put)
        return false;
    if (s->put >= s->enough)
        return true;
    s->put++;
    CHECK(put_thing(&s->b) == 0);
    return false;
}

static void timeouts_and_selects_at_the_notification(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct storm s = {.b = BOX, .enough = sized(300, 2000, 20000)};
        crowd_on(rt, take_things, &s, put_next, &s.stop);
        CHECK(filch_condition_destroy(&s.b.c) == 0 && is_free(&s.b.m));
        runtime_close(rt);
    }
}

int main(void)
{
    RUN(answers_of_each_call);
    RUN(in_order_of_coming);
    RUN(the_mutex_of_another);
    RUN(cancelled_while_another_has_it);
    RUN(the_last_frees_it);
    RUN(notified_and_late);
    run_case_within(300, "cancels_at_the_notification", cancels_at_the_notification);
    run_case_within(300, "timeouts_and_selects_at_the_notification",
                    timeouts_and_selects_at_the_notification);
    return summary();
}
