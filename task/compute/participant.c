/* SPDX-License-Identifier: Apache-2.0 */
#include "task/compute/participant.h"

#include "sched/admission.h"

#include <filch/loop.h>

#include <errno.h>

_Static_assert(FILCH__PARTICIPANTS_MORE == FILCH_PARTICIPANTS_MORE, "as promised");

int filch__participant_number(struct filch__role *role)
{
    if (role->participant >= FILCH__PART_FIRST)
        return role->participant - FILCH__PART_FIRST;
    const struct filch__worker *w = filch__worker_of(role->rt);
    int32_t number = filch__seats_take(&role->rt->participants, w ? w->index : UINT32_MAX);
    if (number < 0)
        return -EAGAIN;
    role->participant = number + FILCH__PART_FIRST;
    return number;
}

void filch__participant_return(struct filch__role *role)
{
    filch__seats_leave(&role->rt->participants, role->participant - FILCH__PART_FIRST);
}

int filch_participant(void)
{
    struct filch__role *role = filch__role_here();
    return role->participant == FILCH__PART_NONE ? -EINVAL : filch__participant_number(role);
}

int filch_participants(filch_runtime *rt)
{
    int rc = filch__runtime_choose(rt, &rt);
    return rc < 0 ? rc : (int)rt->participants.count;
}

int filch_concurrency(filch_runtime *rt)
{
    if (filch__role_here()->teamed)
        return 1;
    int rc = filch__runtime_choose(rt, &rt);
    if (rc < 0)
        return rc;
    int64_t workers = rt->worker_count;
    int64_t idle =
        (int64_t)filch__load_relaxed(&rt->sleepers) + filch__load_relaxed(&rt->searching);
    int64_t called = filch__load_relaxed(&rt->calls.wanted);
    int64_t guests = filch__load_relaxed(&rt->guests);
    int64_t free = idle - called - guests + (filch__worker_of(rt) ? 1 : 0);
    return (int)(free < 1 ? 1 : free > workers ? workers : free);
}
