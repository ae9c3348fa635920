/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of futures share: an event, and a future that waits for it. The event outlives the
 * future, which may be moved; it counts polls and drops, and knows when one of them must not come.
 * Who fires holds the event's lock, and so does the future's drop: a borrowed waker is used while
 * it is good and no longer.
 */
#ifndef FILCH_TESTS_FUTURE_CHECK_H
#define FILCH_TESTS_FUTURE_CHECK_H

#include "tests/support.h"

struct event {
    pthread_mutex_t lock;
    filch_waker waker; /* under the lock: what the last poll got */
    bool set;          /* under the lock */
    int value;         /* under the lock */
    uint32_t polls, drops;
    uint32_t in_use; /* by a poll or a drop */
    uint32_t ready;  /* the future has given its result */
};

#define EVENT                             \
    {                                     \
        .lock = PTHREAD_MUTEX_INITIALIZER \
    }

struct wait {
    filch_future future;
    struct event *event;
};

static inline void event_enter(struct event *e)
{
    CHECK(filch__exchange_acq_rel(&e->in_use, 1u) == 0);
    CHECK(filch__load_acquire(&e->drops) == 0);
}

static inline void event_leave(struct event *e)
{
    CHECK(filch__exchange_acq_rel(&e->in_use, 0u) == 1);
}

static inline int wait_poll(filch_future *self, const filch_waker *waker)
{
    struct event *e = ((struct wait *)(void *)self)->event;
    event_enter(e);
    CHECK(!flag_up(&e->ready));
    pthread_mutex_lock(&e->lock);
    int rc = e->set ? e->value : FILCH_PENDING;
    e->waker = *waker;
    pthread_mutex_unlock(&e->lock);
    if (rc != FILCH_PENDING)
        raise_flag(&e->ready);
    event_leave(e);
    tally(&e->polls);
    return rc;
}

static inline void wait_drop(filch_future *self)
{
    struct event *e = ((struct wait *)(void *)self)->event;
    event_enter(e);
    pthread_mutex_lock(&e->lock);
    e->waker = (filch_waker){NULL, NULL};
    pthread_mutex_unlock(&e->lock);
    event_leave(e);
    tally(&e->drops);
}

static const filch_future_ops wait_ops = {"an event", wait_poll, wait_drop};

#define WAIT(event)                      \
    {                                    \
        FILCH_FUTURE(&wait_ops), (event) \
    }

/* Any thread or task. A wake with nothing to be found. */
static inline void event_wake(struct event *e)
{
    pthread_mutex_lock(&e->lock);
    filch_wake(&e->waker);
    pthread_mutex_unlock(&e->lock);
}

static inline void event_set_silently(struct event *e, int value)
{
    pthread_mutex_lock(&e->lock);
    e->set = true;
    e->value = value;
    pthread_mutex_unlock(&e->lock);
}

static inline void event_set(struct event *e, int value)
{
    pthread_mutex_lock(&e->lock);
    e->set = true;
    e->value = value;
    filch_wake(&e->waker);
    pthread_mutex_unlock(&e->lock);
}

/* Of a pending one's waker. */
static inline filch_waker event_clone(struct event *e)
{
    pthread_mutex_lock(&e->lock);
    filch_waker w = filch_waker_clone(&e->waker);
    pthread_mutex_unlock(&e->lock);
    return w;
}

static inline uint32_t polls_of(const struct event *e)
{
    return filch__load_acquire(&e->polls);
}

static inline uint32_t drops_of(const struct event *e)
{
    return filch__load_acquire(&e->drops);
}

/* The same, and on the calling thread. */
static inline void everywhere(filch_fn *fn)
{
    in_task_of_each(fn);
    filch_runtime *rt = runtime_open(2);
    CHECK(fn(rt) == 0);
    drain(rt);
    runtime_close(rt);
}

/* Spends a random time, of some microseconds at most. */
static inline void pause_a_little(uint64_t *random)
{
    for (uint32_t n = test_random(random, 1u << test_random(random, 12)); n > 0; n--)
        filch__fence_compiler();
}

#endif
