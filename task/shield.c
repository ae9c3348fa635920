/* SPDX-License-Identifier: Apache-2.0 */
#include "task/region.h"

#include "sched/os/clock.h"
#include "task/cancel.h"

#include <errno.h>

_Static_assert(sizeof(struct filch__region) <= sizeof(filch_shield), "storage of a shield");

/* What has timers for it. */
static int runtime_for(struct filch__fiber *me, int64_t deadline, filch_runtime **rt)
{
    *rt = me ? me->rt : NULL;
    if (deadline == FILCH_NEVER)
        return 0;
    int rc = me ? 0 : filch__runtime_get(NULL, rt);
    return rc < 0 ? rc : filch__timers_start(*rt);
}

int filch_shield_begin(filch_shield *shield, int64_t deadline)
{
    struct filch__region *r = (struct filch__region *)(void *)shield;
    struct filch__fiber *me = filch__fiber_current();
    if (!shield)
        return -EINVAL;
    if (*filch__frames_home(me) == &r->frame)
        return -EBUSY;
    deadline = deadline ? deadline : FILCH_NEVER;
    int rc = runtime_for(me, deadline, &r->rt);
    if (rc < 0)
        return rc;
    r->frame.rt = NULL;
    filch__region_open(r, me, FILCH__FRAME_SHIELD);
    if (deadline == FILCH_NEVER)
        return 0;
    if (deadline <= filch__now())
        return filch__region_cancel(r, FILCH_CAUSE_DEADLINE, 0, "");
    filch__spin_lock(&r->lock);
    filch__region_set_deadline(r, deadline);
    filch__spin_unlock(&r->lock);
    return 0;
}

int filch_shield_end(filch_shield *shield)
{
    struct filch__region *r = (struct filch__region *)(void *)shield;
    struct filch__fiber *me = filch__fiber_current();
    if (!shield)
        return -EINVAL;
    int rc = filch__region_check(r, me);
    if (rc < 0)
        return rc;
    rc = filch__region_end(r, me);
    filch__frame_pop(me, &r->frame);
    return rc == 0 && filch__load_relaxed(&r->flag) ? -ETIMEDOUT : rc;
}
