/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/clock.h"

#include "sched/os/futex.h"
#include "sched/os/memory.h"
#include "sched/runtime.h"

#include <errno.h>
#include <stdio.h>

/* Address space: what fires is short. */
#define CLOCK_STACK (256 * 1024)

static int64_t least_next(struct filch__clock *clock)
{
    int64_t least = FILCH_NEVER;
    for (uint32_t i = 0; i < clock->count; i++) {
        int64_t next = filch__load_relaxed(&clock->timers[i].next);
        if (next < least)
            least = next;
    }
    return least;
}

/* Fires all that is due, a batch of each wheel in turn. Returns the least `next`, which is later
 * than now. */
static int64_t fire_due(struct filch__clock *clock)
{
    for (;;) {
        int64_t now = filch__now();
        for (uint32_t i = 0; i < clock->count; i++)
            if (filch__load_relaxed(&clock->timers[i].next) <= now)
                filch__timers_fire(&clock->timers[i], now);
        int64_t least = least_next(clock);
        if (least > now)
            return least;
    }
}

/* bell: its value before the look that found nothing due before `until`. */
static void sleep_until(struct filch__clock *clock, uint32_t bell, int64_t until)
{
    filch__store_relaxed(&clock->sleeps_until, until);
    filch__barrier_heavy();
    if (least_next(clock) >= until)
        filch__futex_wait(&clock->bell, bell, until);
    filch__store_relaxed(&clock->sleeps_until, FILCH__CLOCK_AWAKE);
}

static void *clock_main(void *arg)
{
    struct filch__clock *clock = arg;
    filch__thread_be_punctual();
    for (;;) {
        /* Pairs with ring: what was written before the bell is seen after it. */
        uint32_t bell = filch__load_acquire(&clock->bell);
        if (filch__load_relaxed(&clock->stop))
            return NULL;
        int64_t until = fire_due(clock);
        sleep_until(clock, bell, until);
    }
}

static void ring(struct filch__clock *clock)
{
    filch__add_acq_rel(&clock->bell, 1);
    filch__futex_wake(&clock->bell, 1);
}

void filch__clock_wake(struct filch__clock *clock, int64_t sleeps)
{
    if (filch__cas_acq_rel(&clock->sleeps_until, &sleeps, FILCH__CLOCK_AWAKE))
        ring(clock);
}

static size_t size_for(uint32_t count)
{
    return sizeof(struct filch__clock) + count * sizeof(struct filch__timers);
}

/* Under the lock. */
static int create(struct filch_runtime *rt)
{
    uint32_t count = rt->worker_count + 1;
    struct filch__clock *clock = filch__alloc(rt->arena, size_for(count), 64);
    if (!clock)
        return -ENOMEM;
    *clock = (struct filch__clock){.sleeps_until = FILCH__CLOCK_AWAKE, .count = count};
    int64_t now = filch__now();
    for (uint32_t i = 0; i < count; i++)
        filch__timers_init(&clock->timers[i], rt, now);
    char name[32];
    snprintf(name, sizeof name, "%.10s/time", rt->name);
    int rc = filch__thread_create(&clock->thread, clock_main, clock, CLOCK_STACK, name);
    if (rc < 0) {
        filch__free(rt->arena, clock, size_for(count), 64);
        return rc;
    }
    /* Pairs with filch__timers_start. */
    filch__store_release(&rt->clock, clock);
    return 0;
}

int filch__clock_start(struct filch_runtime *rt)
{
    pthread_mutex_lock(&rt->clock_lock);
    int rc = rt->clock ? 0 : create(rt);
    pthread_mutex_unlock(&rt->clock_lock);
    return rc;
}

void filch__clock_end(struct filch_runtime *rt)
{
    struct filch__clock *clock = filch__load_acquire(&rt->clock);
    if (!clock)
        return;
    filch__store_relaxed(&clock->stop, 1);
    ring(clock);
    filch__thread_join(&clock->thread);
    filch__free(rt->arena, clock, size_for(clock->count), 64);
    rt->clock = NULL;
}
