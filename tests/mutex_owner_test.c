/* SPDX-License-Identifier: Apache-2.0 */
/* The mutex: owners of each kind that end with it, and what those who come next are told. */
#include "tests/mutex_check.h"

/* ---- how owners end ---- */

struct grave {
    filch_mutex mutex;
    filch_runtime *rt; /* of the owner */
    filch_handle *h;
    pthread_t thread;
    uint32_t has, end; /* flags */
    int expected;      /* of the owner's lock */
};

static void has_it(struct grave *g)
{
    CHECK(filch_mutex_lock(&g->mutex) == g->expected);
    CHECK(filch_mutex_lock(&g->mutex) == -EDEADLK);
    raise_flag(&g->has);
}

/* A task that never waits: a plain call. */
static int without_waiting(void *grave)
{
    struct grave *g = grave;
    has_it(g);
    SPIN_UNTIL(flag_up(&g->end));
    return 0;
}

static int with_waits(void *grave)
{
    struct grave *g = grave;
    CHECK(filch_yield() == 0);
    has_it(g);
    CHECK(filch_sleep(1) == 0 && wait_for_flag(&g->end) == 0);
    CHECK(filch_mutex_try_lock(&g->mutex) == -EBUSY && filch_mutex_lock(&g->mutex) == -EDEADLK);
    return 0;
}

static int until_cancelled(void *grave)
{
    has_it(grave);
    CHECK(filch_sleep_until(FILCH_NEVER) == -ECANCELED);
    return -ECANCELED;
}

static void start_plain(struct grave *g)
{
    spawn_on(g->rt, &g->h, without_waiting, g);
}

static void start_waiting(struct grave *g)
{
    spawn_on(g->rt, &g->h, with_waits, g);
}

static void start_sleeping(struct grave *g)
{
    spawn_on(g->rt, &g->h, until_cancelled, g);
}

static void finish(struct grave *g)
{
    raise_flag(&g->end);
    CHECK(join(g->h) == 0);
}

static void finish_by_abort(struct grave *g)
{
    CHECK(filch_abort(g->h) == 0 && join(g->h) == -ECANCELED);
}

/* ---- a stolen job ---- */

struct stolen {
    struct grave *g;
    filch_mutex forkers;
};

static int job(void *stolen)
{
    struct stolen *s = stolen;
    CHECK(filch_mutex_unlock(&s->forkers) == -EPERM);
    return without_waiting(s->g);
}

/* The job's mutex is its own, and free when the job has ended, before its forker has. */
static int fork_and_wait(void *grave)
{
    struct stolen s = {grave, FILCH_MUTEX};
    filch_job forked = FILCH_JOB(job, &s);
    CHECK(filch_mutex_lock(&s.forkers) == 0);
    filch_fork(&forked);
    while (!flag_up(&s.g->has)) /* while it is suspended somebody steals it */
        CHECK(filch_sleep(10000) == 0);
    CHECK(filch_mutex_unlock(&s.g->mutex) == -EPERM);
    CHECK(filch_sync(&forked) == 0 && filch_mutex_unlock(&s.forkers) == 0);
    return 0;
}

static void start_forking(struct grave *g)
{
    spawn_on(g->rt, &g->h, fork_and_wait, g);
}

/* ---- a task without a stack ---- */

struct holding {
    filch_future future;
    struct grave *g;
};

/* Has it from poll to poll. */
static int poll_holding(filch_future *self, const filch_waker *waker)
{
    struct grave *g = ((struct holding *)(void *)self)->g;
    if (!flag_up(&g->has))
        has_it(g);
    CHECK(filch_mutex_consistent(&g->mutex) == (g->expected ? 0 : -EINVAL)); /* it is its own */
    g->expected = 0;
    filch_wake(waker);
    return flag_up(&g->end) ? 0 : FILCH_PENDING;
}

static const filch_future_ops holding_ops = {"an end", poll_holding, NULL};

static void start_stackless(struct grave *g)
{
    struct holding f = {FILCH_FUTURE(&holding_ops), g};
    filch_spawn_options o = {.runtime = g->rt};
    REQUIRE(filch_spawn_future_with(&g->h, &o, &f.future, sizeof f) == 0);
}

/* ---- threads ---- */

static void *thread_with_it(void *grave)
{
    (void)without_waiting(grave);
    return NULL;
}

static void start_thread(struct grave *g)
{
    g->thread = thread_start(thread_with_it, g);
}

/* The thread takes it when all of it that knows filch has ended. */
static pthread_key_t late_key;

static void take_late(void *grave)
{
    static __thread bool again;
    if (!again && pthread_setspecific(late_key, grave) == 0)
        again = true;
    else
        (void)without_waiting(grave);
}

static void *thread_that_takes_late(void *grave)
{
    filch_mutex first = FILCH_MUTEX;
    CHECK(is_free(&first));
    CHECK(pthread_setspecific(late_key, grave) == 0);
    return NULL;
}

static void start_late_thread(struct grave *g)
{
    g->thread = thread_start(thread_that_takes_late, g);
}

static void finish_thread(struct grave *g)
{
    raise_flag(&g->end);
    thread_join(g->thread);
}

/* ---- each way ---- */

static const struct way {
    void (*start)(struct grave *);
    void (*finish)(struct grave *); /* NULL: the runtime ends */
} ways[] = {
    {start_plain, finish},
    {start_waiting, finish},
    {start_sleeping, finish_by_abort},
    {start_sleeping, NULL},
    {start_forking, finish},
    {start_stackless, finish},
    {start_stackless, finish_by_abort},
    {start_stackless, NULL},
    {start_thread, finish_thread},
    {start_late_thread, finish_thread},
};

static void begin(struct grave *g, const struct way *way, int workers)
{
    g->has = g->end = 0;
    g->rt = runtime_open(workers);
    way->start(g);
    SPIN_UNTIL(flag_up(&g->has));
}

static void end(struct grave *g, const struct way *way)
{
    if (way->finish)
        way->finish(g);
    runtime_close(g->rt);
    if (!way->finish)
        CHECK(join(g->h) == -ECANCELED);
}

static void in_each_way(void (*next)(struct grave *, const struct way *, int workers))
{
    for (size_t w = 0; w < COUNT(worker_counts); w++)
        for (size_t i = 0; i < COUNT(ways) && !filch__load_relaxed(&case_bad); i++) {
            struct grave g = {.mutex = FILCH_MUTEX};
            next(&g, &ways[i], worker_counts[w]);
            CHECK(is_free(&g.mutex));
            if (filch__load_relaxed(&case_bad))
                fprintf(stderr, "way %zu, %d workers\n", i, worker_counts[w]);
        }
}

/* ---- who comes next ---- */

static void make_consistent(filch_mutex *m)
{
    CHECK(filch_mutex_lock(m) == -EDEADLK && filch_mutex_try_lock(m) == -EBUSY);
    CHECK(filch_mutex_consistent(m) == 0 && filch_mutex_consistent(m) == -EINVAL);
    CHECK(filch_mutex_unlock(m) == 0 && filch_mutex_consistent(m) == -EPERM);
}

static void is_ruined(filch_mutex *m)
{
    filch_lock_future f[2] = {FILCH_LOCK_FUTURE(m), FILCH_LOCK_FUTURE(m)};
    CHECK(filch_mutex_lock(m) == -ENOTRECOVERABLE && filch_mutex_try_lock(m) == -ENOTRECOVERABLE);
    CHECK(filch_await(&f[0].future) == -ENOTRECOVERABLE);
    CHECK(filch_await_until(&f[1].future, 0) == -ENOTRECOVERABLE);
    CHECK(filch_mutex_unlock(m) == -EPERM && filch_mutex_consistent(m) == -EPERM);
    CHECK(filch_mutex_destroy(m) == 0);
}

static void put_right(struct grave *g, const struct way *way, int workers)
{
    begin(g, way, workers);
    CHECK(filch_mutex_unlock(&g->mutex) == -EPERM && filch_mutex_destroy(&g->mutex) == -EBUSY);
    end(g, way);
    CHECK(filch_mutex_lock(&g->mutex) == -EOWNERDEAD);
    make_consistent(&g->mutex);
}

static void left_as_it_is(struct grave *g, const struct way *way, int workers)
{
    begin(g, way, workers);
    end(g, way);
    CHECK(filch_mutex_try_lock(&g->mutex) == -EOWNERDEAD && filch_mutex_unlock(&g->mutex) == 0);
    is_ruined(&g->mutex);
    begin(g, way, workers); /* it is as a new one */
    end(g, way);
    CHECK(filch_mutex_destroy(&g->mutex) == 0); /* free: nobody has it */
}

/* Who was told so ends with it, too. */
static void ends_again(struct grave *g, const struct way *way, int workers)
{
    filch_lock_future lock = FILCH_LOCK_FUTURE(&g->mutex);
    begin(g, way, workers);
    end(g, way);
    g->expected = -EOWNERDEAD;
    begin(g, way, workers);
    end(g, way);
    CHECK(filch_await(&lock.future) == -EOWNERDEAD);
    make_consistent(&g->mutex);
}

static void when_an_owner_ends(void)
{
    in_each_way(put_right);
    in_each_way(left_as_it_is);
    in_each_way(ends_again);
}

/* ---- who waits ---- */

enum { CROWD = 40 };

static void gather(struct entry *e, filch_mutex *m)
{
    for (int i = 0; i < CROWD; i++) {
        e[i] = (struct entry)ENTRY(m);
        CHECK(entry_poll(&e[i], &e[i]) == FILCH_PENDING);
    }
}

/* The first is told; if it goes, the next. */
static void crowd_puts_right(struct grave *g, const struct way *way, int workers)
{
    struct entry e[CROWD];
    begin(g, way, workers);
    gather(e, &g->mutex);
    end(g, way);
    CHECK(woken(&e[0]) == 1 && !woken(&e[1]) && filch_future_drop(&e[0].lock.future) == 0);
    CHECK(woken(&e[1]) == 1 && !woken(&e[2]) && entry_poll(&e[1], &e[1]) == -EOWNERDEAD);
    make_consistent(&g->mutex);
    for (int i = 2; i < CROWD; i++)
        CHECK(woken(&e[i]) == 1 && entry_poll(&e[i], &e[i]) == 0 &&
              filch_mutex_unlock(&g->mutex) == 0);
}

static void crowd_is_refused(struct grave *g, const struct way *way, int workers)
{
    struct entry e[CROWD];
    begin(g, way, workers);
    gather(e, &g->mutex);
    end(g, way);
    CHECK(entry_poll(&e[0], &e[0]) == -EOWNERDEAD && filch_mutex_unlock(&g->mutex) == 0);
    CHECK(filch_mutex_destroy(&g->mutex) == 0); /* those below wait for nothing any more */
    for (int i = 1; i < CROWD; i++)
        CHECK(woken(&e[i]) == 1 && (i % 2 ? entry_poll(&e[i], &e[i]) == -ENOTRECOVERABLE
                                          : filch_future_drop(&e[i].lock.future) == 0));
}

/* It is handed over: those who do not want it any more hand on what they should know. */
static void heirs_that_go(void)
{
    filch_mutex m = FILCH_MUTEX;
    struct entry e[CROWD];
    struct keeper k;
    keeper_open(&k);
    CHECK(keep(&k, filch_mutex_lock, &m) == 0);
    gather(e, &m);
    make_fair(&k, &e[0]);
    keeper_close(&k);
    for (int i = 0; i < CROWD - 1; i++)
        CHECK(woken(&e[i]) == 1 && filch_future_drop(&e[i].lock.future) == 0);
    CHECK(entry_poll(&e[CROWD - 1], &e[CROWD - 1]) == -EOWNERDEAD);
    make_consistent(&m);
    CHECK(is_free(&m));
}

static void those_who_wait(void)
{
    in_each_way(crowd_puts_right);
    in_each_way(crowd_is_refused);
    heirs_that_go();
}

int main(void)
{
    REQUIRE(pthread_key_create(&late_key, take_late) == 0);
    RUN(when_an_owner_ends);
    RUN(those_who_wait);
    return summary();
}
