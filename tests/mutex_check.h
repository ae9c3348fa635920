/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of mutexes share: somebody else who has one, futures that wait for one, those who
 * count under one. */
#ifndef FILCH_TESTS_MUTEX_CHECK_H
#define FILCH_TESTS_MUTEX_CHECK_H

#include "sched/os/spin.h"
#include "tests/future_check.h"

#include <semaphore.h>

/* The first of the queue waits no longer, and is then handed the mutex. */
#define PATIENCE 1000000

/* ---- somebody else ---- */

/* A thread that does with mutexes what it is told to, as their owner. */
struct keeper {
    pthread_t thread;
    sem_t asked, answered;
    int (*what)(filch_mutex *); /* NULL: the thread ends */
    filch_mutex *mutex;
    int result;
};

static inline void *keeper_main(void *keeper)
{
    struct keeper *k = keeper;
    for (;;) {
        while (sem_wait(&k->asked) < 0)
            ;
        if (!k->what)
            return NULL;
        k->result = k->what(k->mutex);
        sem_post(&k->answered);
    }
}

static inline void keeper_open(struct keeper *k)
{
    REQUIRE(sem_init(&k->asked, 0, 0) == 0 && sem_init(&k->answered, 0, 0) == 0);
    k->thread = thread_start(keeper_main, k);
}

static inline void keeper_ask(struct keeper *k, int (*what)(filch_mutex *), filch_mutex *m)
{
    k->what = what;
    k->mutex = m;
    sem_post(&k->asked);
}

/* What the call by that thread returned. */
static inline int keeper_answer(struct keeper *k)
{
    while (sem_wait(&k->answered) < 0)
        ;
    return k->result;
}

static inline int keep(struct keeper *k, int (*what)(filch_mutex *), filch_mutex *m)
{
    keeper_ask(k, what, m);
    return keeper_answer(k);
}

/* The thread ends, with what it has. */
static inline void keeper_close(struct keeper *k)
{
    keeper_ask(k, NULL, NULL);
    thread_join(k->thread);
    sem_destroy(&k->asked);
    sem_destroy(&k->answered);
}

/* ---- futures that wait ---- */

struct entry {
    filch_lock_future lock;
    uint32_t woken;
};

#define ENTRY(mutex)                 \
    {                                \
        FILCH_LOCK_FUTURE(mutex), 0, \
    }

static inline void entry_wake(void *data)
{
    tally(&((struct entry *)data)->woken);
}

static const filch_waker_ops entry_waker = {.wake = entry_wake};

/* With `wakes` to be told. */
static inline int entry_poll(struct entry *e, struct entry *wakes)
{
    return filch_poll(&e->lock.future, &(filch_waker){&entry_waker, wakes});
}

static inline uint32_t woken(const struct entry *e)
{
    return filch__load_acquire(&e->woken);
}

/* Whether e, and nobody else, was woken since the last look at it. */
static inline bool woken_once(struct entry *e)
{
    return filch__exchange_acq_rel(&e->woken, 0u) == 1;
}

/* k has the mutex for which `first` waits first: it waits for long, and k gets in before it once
 * more. From now on the mutex is handed over. */
static inline void make_fair(struct keeper *k, struct entry *first)
{
    filch_mutex *m = first->lock.mutex;
    int64_t since = filch_now();
    while (filch_now() - since <= PATIENCE)
        ;
    CHECK(keep(k, filch_mutex_unlock, m) == 0);
    CHECK(keep(k, filch_mutex_try_lock, m) == 0);
    CHECK(woken_once(first));
    CHECK(entry_poll(first, first) == FILCH_PENDING);
}

/* Of one that may be pending: as if it had waited for long. */
static inline void age(filch_lock_future *f)
{
    filch__spin_lock(&f->mutex->queue.guard);
    f->since = 0;
    filch__spin_unlock(&f->mutex->queue.guard);
}

/* ---- who counts ---- */

/* What the tasks of a case share. */
struct arena {
    filch_mutex mutex;
    filch_runtime *rt;
    int64_t count; /* under the mutex */
    long rounds;
    uint64_t random;
    uint32_t inside, waiting, stop, done;
    uint32_t got, missed;
};

/* Has it. */
static inline void enter(struct arena *a)
{
    CHECK(filch__exchange_acq_rel(&a->inside, 1u) == 0);
    CHECK(filch_mutex_try_lock(&a->mutex) == -EBUSY);
}

static inline int leave(void *arena)
{
    struct arena *a = arena;
    CHECK(filch__exchange_acq_rel(&a->inside, 0u) == 1);
    CHECK(filch_mutex_unlock(&a->mutex) == 0);
    return 0;
}

static inline int lock_once(void *arena)
{
    struct arena *a = arena;
    tally(&a->waiting);
    int rc = filch_mutex_lock(&a->mutex);
    if (rc == 0) {
        enter(a);
        (void)leave(a);
    }
    return rc;
}

/* Free, consistent, and usable. */
static inline bool is_free(filch_mutex *m)
{
    return filch_mutex_try_lock(m) == 0 && filch_mutex_try_lock(m) == -EBUSY &&
           filch_mutex_unlock(m) == 0 && filch_mutex_unlock(m) == -EPERM;
}

/* On runtimes of each size, with an arena of its own: in a task, and on a thread. Free in the end.
 */
static inline void on_each(filch_fn *in_task, filch_fn *on_thread)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct arena a = {.mutex = FILCH_MUTEX, .rt = rt, .random = test_seed() + w};
        CHECK(!in_task || filch_run(rt, in_task, &a) == 0);
        CHECK(!on_thread || on_thread(&a) == 0);
        drain(rt);
        CHECK(is_free(&a.mutex));
        runtime_close(rt);
    }
}

#endif
