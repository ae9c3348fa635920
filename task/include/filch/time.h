/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time: nanoseconds of CLOCK_MONOTONIC. A deadline is a point in time, FILCH_NEVER none.
 *
 *     int64_t next = filch_now();
 *     while (filch_sleep_until(next += SECOND) == 0)
 *         tick();
 */
#ifndef FILCH_TIME_H
#define FILCH_TIME_H

#include <filch/future.h>

FILCH_BEGIN_DECLS

/* Any thread or task. */
FILCH_API int64_t filch_now(void);

/*
 * Waits for so many nanoseconds, or until that time. In a task: suspends; 0 or less, or a time that
 * has passed, is a checkpoint. On another thread: blocks it. 0: the time has come. -ECANCELED: the
 * caller was cancelled before. -ENOMEM: no stack to go on with. -EAGAIN: no thread for the timers.
 */
FILCH_API int filch_sleep(int64_t nanoseconds);
FILCH_API int filch_sleep_until(int64_t deadline);

/* A time as a future: 0 when it has come. Off tasks its timer is the default runtime's. -ENOMEM,
 * -EAGAIN as above. */
typedef struct filch_sleep_future {
    filch_future future;
    int64_t deadline;
    uint64_t storage[8];
} filch_sleep_future;

extern FILCH_API const filch_future_ops filch_sleep_future_ops;

#define FILCH_SLEEP_FUTURE(deadline)                       \
    {                                                      \
        FILCH_FUTURE(&filch_sleep_future_ops), (deadline), \
        {                                                  \
            0                                              \
        }                                                  \
    }

/*
 * Ticks: times at equal distances, as one future after the other.
 *
 *     filch_interval beat;
 *     filch_interval_init(&beat, SECOND, FILCH_TICK_SKIP);
 *     while (filch_await(filch_interval_tick(&beat)) >= 0)
 *         pump();
 */
typedef enum filch_tick_policy {
    FILCH_TICK_BURST, /* none is left out: those that were missed come at once */
    FILCH_TICK_SKIP,  /* those that were missed are left out; the others are on time */
    FILCH_TICK_DELAY, /* the next is a period after the one that came late */
} filch_tick_policy;

typedef struct filch_interval {
    filch_sleep_future tick;
    int64_t period, next;
    filch_tick_policy policy;
} filch_interval;

/* The first tick is a period from now. -EINVAL: period is not positive, or no such policy. */
FILCH_API int filch_interval_init(filch_interval *i, int64_t period, filch_tick_policy policy);

/*
 * The next tick; when it is ready its result is how many were missed and left out before it. While
 * it is pending (a select that another branch won) it is the same future, and the interval stays in
 * place; drop it before the interval's memory goes.
 */
FILCH_API filch_future *filch_interval_tick(filch_interval *i);

FILCH_END_DECLS

#endif
