/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers: something to happen at a time, in the owner's memory.
 *
 * Each worker, and the threads outside together, have a wheel (wheel.h) with a lock; whoever arms a
 * timer puts it into the wheel of its own, so that arming and disarming touch one lock that hardly
 * anybody else wants. One thread of the runtime (clock.h) fires what is due in all of them, also
 * while every worker computes.
 *
 *     timer.fire = wake_me;
 *     filch__timer_arm(rt, &timer, deadline);
 *     ...
 *     filch__timer_disarm(&timer);   // afterwards the runtime does not know the timer any more
 *
 * Firing has two halves. `fire` is called with the wheel's lock held, so a disarm that comes later
 * finds it over: it must be short, take no lock, and touch no memory but what the timer's owner
 * keeps until the disarm has returned. After it the timer is not touched any more. What fire leaves
 * in *after, if anything, is called on the same thread without the lock; that its argument is still
 * there is up to a protocol of the owner's. Both run without a worker, and in a child of fork(2)
 * neither: there a timer is neither armed nor disarmed.
 */
#ifndef FILCH_SCHED_TIMERS_H
#define FILCH_SCHED_TIMERS_H

#include "sched/after.h"
#include "sched/wheel.h"

struct filch_runtime;

/* The timers of one worker, or of all threads that are none. */
struct filch__timers {
    uint32_t lock __attribute__((aligned(64)));
    int64_t next;             /* written under lock, read by the clock: wheel has nothing earlier */
    struct filch_runtime *rt; /* immutable */
    struct filch__wheel wheel; /* under lock */
};

/* Zero before its first arm. */
struct filch__timer {
    struct filch__wheel_entry entry; /* under the lock of the wheel that it is in */
    struct filch__timers *in;        /* where it was armed last; written by arm alone */
    /* Immutable while armed. */
    void (*fire)(struct filch__timer *timer, struct filch__after *after);
};

/*
 * Any thread, before the first arm: makes sure that somebody fires rt's timers. Cheap when that is
 * so. -ENOMEM, -EAGAIN: there is no thread to be had. -ESHUTDOWN: rt was lost to a fork(2).
 */
int filch__timers_start(struct filch_runtime *rt);

/*
 * Any thread; does not suspend, does not fail. when: nanoseconds of CLOCK_MONOTONIC; a past one
 * fires soon, FILCH_NEVER never. The timer is not armed, fire is set; arm and disarm of
 * one timer are ordered by their callers. Fires not before `when`. rt lasts until arm has returned,
 * even if the timer fires earlier: the caller is on a worker, or sees to it (admission.h).
 */
void filch__timer_arm(struct filch_runtime *rt, struct filch__timer *timer, int64_t when);

/*
 * Any thread, while rt lasts. True: it was armed and will not fire. False: it has fired, `fire` is
 * over, what it left may be still to come; or it was not armed.
 */
bool filch__timer_disarm(struct filch__timer *timer);

/* For the clock. */
void filch__timers_init(struct filch__timers *timers, struct filch_runtime *rt, int64_t now);
/* On the clock's thread: fires a batch of what is due; if more is, `next` is not later than now. */
void filch__timers_fire(struct filch__timers *timers, int64_t now);

#endif
