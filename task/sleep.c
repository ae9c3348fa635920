/* SPDX-License-Identifier: Apache-2.0 */
#include <filch/fork.h>
#include <filch/time.h>

#include "sched/os/clock.h"
#include "task/alarm.h"
#include "task/task.h"

#include <errno.h>

/* Until the time has come (0), or the task is cancelled. */
static int suspend_until(const struct filch__alarm *alarm)
{
    while (!filch__signal_rung(&alarm->signal)) {
        if (filch_cancelled())
            return -ECANCELED;
        int rc = filch__park();
        if (rc < 0)
            return rc;
    }
    return 0;
}

static const struct filch__topic topic = {"a time", NULL};

static int sleep_on_fiber(struct filch__fiber *me, int64_t deadline)
{
    struct filch__alarm alarm = {.timer = {.fire = NULL}};
    filch_waker waker = filch__waker_of(me);
    struct filch__strand strand;
    int rc = filch__timers_start(me->rt);
    if (rc < 0)
        return rc;
    filch__wait_begin(&strand, me, &topic, NULL);
    filch__alarm_arm(me->rt, &alarm, &waker, deadline);
    rc = suspend_until(&alarm);
    (void)filch__alarm_disarm(&alarm);
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
