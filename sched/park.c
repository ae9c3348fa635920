/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "sched/park.h"

#include "sched/os/clock.h"
#include "sched/os/futex.h"

#include <filch/base.h>

#include <ck_ec.h>
#include <limits.h>
#include <time.h>

#define NS_PER_S 1000000000

static int64_t to_ns(const struct timespec *t)
{
    return t ? (int64_t)t->tv_sec * NS_PER_S + t->tv_nsec : FILCH_NEVER;
}

static int gettime(const struct ck_ec_ops *ops, struct timespec *out)
{
    (void)ops;
    int64_t now = filch__now();
    *out = (struct timespec){.tv_sec = now / NS_PER_S, .tv_nsec = now % NS_PER_S};
    return 0;
}

static void wait32(const struct ck_ec_wait_state *state, const uint32_t *word, uint32_t expected,
                   const struct timespec *deadline)
{
    (void)state;
    filch__futex_wait((uint32_t *)word, expected, to_ns(deadline));
}

static void wake32(const struct ck_ec_ops *ops, const uint32_t *word)
{
    (void)ops;
    filch__futex_wake((uint32_t *)word, INT_MAX);
}

static const struct ck_ec_ops ops = {.gettime = gettime, .wait32 = wait32, .wake32 = wake32};
static const struct ck_ec_mode mode = {.ops = &ops, .single_producer = false};

_Static_assert(sizeof(struct ck_ec32) == sizeof(struct filch__parker), "same storage");

static struct ck_ec32 *count_of(struct filch__parker *p)
{
    return (struct ck_ec32 *)(void *)p;
}

void filch__parker_init(struct filch__parker *p)
{
    ck_ec_init(count_of(p), 0);
}

uint32_t filch__parker_key(struct filch__parker *p)
{
    return ck_ec_value(count_of(p));
}

/*
 * ck_ec wakes up now and then, first after initial_wait_ns and after a second never again, and looks
 * at the deadline only then. With several producers no wake is lost, so it need wake up at the deadline
 * alone; and a timer that is due before the next tick has to be set in the clock, which a virtual
 * machine does in some 10 us.
 */
void filch__parker_wait(struct filch__parker *p, uint32_t key, int64_t deadline)
{
    int64_t left = deadline - filch__now();
    struct timespec at = {.tv_sec = deadline / NS_PER_S, .tv_nsec = deadline % NS_PER_S};
    struct ck_ec_ops until = ops;
    until.initial_wait_ns = (uint32_t)(left < 1 ? 1 : left < NS_PER_S ? left : NS_PER_S);
    ck_ec_wait(count_of(p), &(struct ck_ec_mode){.ops = &until}, key,
               deadline == FILCH_NEVER ? NULL : &at);
}

void filch__parker_wake(struct filch__parker *p)
{
    ck_ec_inc(count_of(p), &mode);
}
