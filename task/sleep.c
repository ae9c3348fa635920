/* SPDX-License-Identifier: Apache-2.0 */
#include <filch/fork.h>
#include <filch/time.h>

#include "sched/os/clock.h"
#include "sched/timers.h"
#include "task/task.h"

#include <errno.h>

/* On the sleeper's stack. */
struct sleeper {
    struct filch__timer timer;
    struct filch__fiber *fiber;
    uint32_t fired;
};

/* A fiber that is claimed stands still, and so does the sleeper on its stack, until `after`. */
static bool fire(struct filch__timer *timer)
{
    struct sleeper *s = (struct sleeper *)(void *)timer;
    struct filch__fiber *fiber = s->fiber;
    filch__store_release(&s->fired, 1);
    return filch__unpark_claim(fiber);
}

static void after(struct filch__timer *timer)
{
    filch__unpark_claimed(((struct sleeper *)(void *)timer)->fiber);
}

/* Until the time has come (0), or the task is cancelled. */
static int suspend_until(struct sleeper *s)
{
    while (!filch__load_acquire(&s->fired)) {
        if (filch_cancelled())
            return -ECANCELED;
        int rc = filch__park();
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int sleep_on_fiber(struct filch__fiber *me, int64_t deadline)
{
    struct sleeper s = {.timer = {.fire = fire, .after = after}, .fiber = me};
    struct filch__strand strand;
    int rc = filch__timers_start(me->rt);
    if (rc < 0)
        return rc;
    filch__wait_begin(&strand, me, "a time", NULL);
    if (deadline != FILCH_NEVER)
        filch__timer_arm(me->rt, &s.timer, deadline);
    rc = suspend_until(&s);
    if (deadline != FILCH_NEVER)
        (void)filch__timer_disarm(&s.timer);
    filch__wait_end(&strand);
    return rc;
}

int filch_sleep_until(int64_t deadline)
{
    struct filch__fiber *me = filch__fiber_current();
    if (filch_cancelled())
        return -ECANCELED;
    if (deadline <= filch__now())
        return 0;
    if (me)
        return sleep_on_fiber(me, deadline);
    filch__os_sleep_until(deadline);
    return 0;
}

int filch_sleep(int64_t nanoseconds)
{
    int64_t now = filch__now();
    return filch_sleep_until(nanoseconds > FILCH_NEVER - now ? FILCH_NEVER : now + nanoseconds);
}

int64_t filch_now(void)
{
    return filch__now();
}
