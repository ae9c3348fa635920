/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that block, as futures on jobs of the pool. */
#include <filch/blocking.h>

#include "sched/os/futex.h"
#include "sched/pool.h"
#include "sched/runtime.h"
#include "task/alarm.h"
#include "task/holder.h"
#include "task/task.h"

#include <filch/fork.h>

#include <errno.h>

/* Before the signal is sent again, in ns: at first, and at most. */
#define PAUSE_FIRST INT64_C(1000000)
#define PAUSE_LAST  INT64_C(100000000)

static const char what[] = "a blocking call";
static const struct filch__topic topic = {what, NULL};

struct call {
    struct filch__job job;       /* first; its pool is NULL while and when no pool knows it */
    struct filch__signal signal; /* under the pool's lock until the job is DONE */
};

_Static_assert(sizeof(struct call) <= sizeof((filch_blocking_future *)0)->storage,
               "storage of a blocking call");

static struct call *call_of(filch_blocking_future *b)
{
    return (struct call *)(void *)b->storage;
}

static int run(struct filch__job *job)
{
    filch_blocking_future *b =
        (filch_blocking_future *)(void *)((char *)job - offsetof(filch_blocking_future, storage));
    int result = b->fn(b->arg);
    filch__holder_leave(); /* the thread goes on to others */
    return result;
}

static void done(struct filch__job *job, struct filch__after *after)
{
    filch__signal_fire(&((struct call *)(void *)job)->signal, after);
}

static int begin(filch_blocking_future *b, const filch_waker *waker)
{
    static const struct filch__job_ops ops = {run, done};
    struct call *c = call_of(b);
    filch_runtime *rt = NULL;
    int rc = filch__runtime_choose(NULL, &rt);
    if (rc < 0)
        return rc;
    c->job.ops = &ops;
    filch__signal_arm(&c->signal, waker);
    return filch__pool_submit(rt, FILCH__POOL_BLOCKING, &c->job);
}

/* It is DONE, which was seen under the lock: nobody touches it any more. */
static int collect(filch_blocking_future *b)
{
    struct call *c = call_of(b);
    filch__signal_settle(&c->signal);
    c->job.pool = NULL;
    b->started = c->job.thread;
    b->future.result = c->job.result == FILCH_PENDING ? -EOVERFLOW : c->job.result;
    return b->future.result;
}

/* ---- waiting for what cannot be left ---- */

/* What waits for a running one now. False: it has returned. *until: when to ask again. */
static bool ask(struct call *c, const filch_waker *waker, int64_t *pause, int64_t *until)
{
    bool in_region = false;
    filch__pool_lock(c->job.pool);
    bool runs = c->job.state == FILCH__JOB_RUNNING;
    if (runs) {
        c->signal.waker = *waker;
        in_region = filch__job_interrupt(&c->job);
    }
    filch__pool_unlock(c->job.pool);
    *until = in_region ? filch__now() + *pause : FILCH_NEVER;
    if (in_region)
        *pause = 2 * *pause < PAUSE_LAST ? 2 * *pause : PAUSE_LAST;
    return runs;
}

static void park(void)
{
    if (filch__park() < 0)
        filch__os_yield(); /* no fiber to go on with */
}

static void sleep_on_fiber(struct call *c, const filch_waker *waker, int64_t until)
{
    struct filch__alarm alarm = {.timer = {.fire = NULL}};
    if (until == FILCH_NEVER) {
        park();
        return;
    }
    /* Timers are there, since it has been in a region. */
    filch__alarm_arm(c->job.pool->rt, &alarm, waker, until);
    while (!filch__signal_rung(&c->signal) && !filch__signal_rung(&alarm.signal))
        park();
    (void)filch__alarm_disarm(&alarm);
}

static void await_on_fiber(struct call *c, struct filch__fiber *me)
{
    filch_waker waker = filch__waker_of(me);
    int64_t pause = PAUSE_FIRST, until;
    filch__fiber_begin_wait(me, &topic, NULL);
    filch__fiber_set_deaf(me);
    while (ask(c, &waker, &pause, &until))
        sleep_on_fiber(c, &waker, until);
    filch__fiber_clear_deaf(me);
    filch__fiber_end_wait(me);
}

static void wake_word(void *data)
{
    uint32_t *word = data;
    filch__store_release(word, 1);
    filch__futex_wake(word, 1);
}

static void await_on_thread(struct call *c)
{
    static const filch_waker_ops ops = {wake_word, NULL, NULL};
    uint32_t word = 0;
    filch_waker waker = {&ops, &word};
    int64_t pause = PAUSE_FIRST, until;
    while (ask(c, &waker, &pause, &until))
        (void)filch__futex_wait(&word, 0, until);
    filch__signal_settle(&c->signal); /* before the word goes */
}

/* -ECANCELED: fn was not called, and never will be. Else what came of it, when it has returned. */
static int end(filch_blocking_future *b)
{
    struct call *c = call_of(b);
    struct filch__pool *pool = c->job.pool;
    filch__pool_lock(pool);
    bool withdrawn = filch__job_withdraw(&c->job);
    bool running = c->job.state == FILCH__JOB_RUNNING;
    filch__pool_unlock(pool);
    if (withdrawn) {
        c->job.pool = NULL;
        return -ECANCELED;
    }
    struct filch__fiber *me = running ? filch__fiber_current() : NULL;
    if (me)
        await_on_fiber(c, me);
    else if (running)
        await_on_thread(c);
    return collect(b);
}

/* ---- the future ---- */

static bool is_lost(const struct call *c)
{
    return filch__load_relaxed(&c->job.pool->rt->lost);
}

static int poll_blocking(filch_future *self, const filch_waker *waker)
{
    filch_blocking_future *b = (filch_blocking_future *)(void *)self;
    struct call *c = call_of(b);
    if (!b->fn)
        return -EINVAL;
    if (!c->job.pool) {
        int rc = begin(b, waker);
        return rc < 0 ? rc : FILCH_PENDING;
    }
    if (is_lost(c))
        return -ESHUTDOWN;
    filch__pool_lock(c->job.pool);
    bool ended = c->job.state == FILCH__JOB_DONE;
    if (!ended)
        c->signal.waker = *waker;
    filch__pool_unlock(c->job.pool);
    return ended ? collect(b) : FILCH_PENDING;
}

static void drop_blocking(filch_future *self)
{
    filch_blocking_future *b = (filch_blocking_future *)(void *)self;
    struct call *c = call_of(b);
    if (c->job.pool && !is_lost(c))
        (void)end(b);
}

FILCH_API const filch_future_ops filch_blocking_future_ops = {what, poll_blocking, drop_blocking};

/* ---- the call ---- */

int filch_blocking(filch_fn *fn, void *arg)
{
    if (!fn)
        return -EINVAL;
    struct filch__fiber *me = filch__fiber_current();
    if (!me)
        return fn(arg);
    if (filch_cancelled())
        return -ECANCELED;
    filch_blocking_future b = FILCH_BLOCKING_FUTURE(fn, arg);
    filch_waker waker = filch__waker_of(me);
    struct filch__strand strand;
    call_of(&b)->job.waiter = &me->forks;
    int rc = filch__park_prepare();
    if (rc == 0)
        rc = begin(&b, &waker);
    if (rc < 0)
        return rc;
    filch__wait_begin(&strand, me, &topic, NULL);
    while (!filch__signal_rung(&call_of(&b)->signal) && !filch_cancelled())
        park();
    filch__wait_end(&strand);
    return end(&b);
}

int filch_interruptible_begin(void)
{
    return filch__pool_region_begin();
}

void filch_interruptible_end(void)
{
    filch__pool_region_end();
}
