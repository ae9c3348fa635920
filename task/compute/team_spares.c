/* SPDX-License-Identifier: Apache-2.0 */
/* Members on spare threads: jobs of the pool, each of which has a thread of its own. */
#include "sched/os/memory.h"
#include "sched/runtime.h"
#include "task/compute/team.h"
#include "task/holder.h"

#include <errno.h>

/* So many ranks were got at once. */
struct filch__spare_member {
    struct filch__job job; /* first */
    struct filch__team *team;
    uint32_t rank;
    uint32_t count;                   /* of the first of them, as is this */
    struct filch__spare_member *next; /* those that were got before */
};

static int run(struct filch__job *job)
{
    struct filch__spare_member *self = (struct filch__spare_member *)(void *)job;
    filch__team_join_in(self->team, self->rank);
    filch__holder_leave(); /* the thread goes on to others */
    return 0;
}

/* Without the pool's lock, after the last touch of the job: the poster may go on, and free it. */
static void leave(void *call)
{
    (void)filch__call_leave(call);
}

static void done(struct filch__job *job, struct filch__after *after)
{
    struct filch__spare_member *self = (struct filch__spare_member *)(void *)job;
    *after = (struct filch__after){leave, &self->team->call};
}

static const struct filch__job_ops ops = {run, done};

int filch__spares_get(struct filch__team *team, uint32_t first, uint32_t count)
{
    filch_runtime *rt = team->call.rt;
    struct filch__spare_member *spares = filch__alloc(rt->arena, count * sizeof *spares, 64);
    int rc = spares ? 0 : -ENOMEM;
    if (rc == 0) {
        spares->count = count;
        spares->next = team->spares;
        team->spares = spares;
    }
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        spares[i].job = (struct filch__job){.ops = &ops};
        spares[i].team = team;
        spares[i].rank = first + i;
        (void)filch__add_acq_rel(&team->call.due, 1);
        rc = filch__pool_submit(rt, FILCH__POOL_SPARE, &spares[i].job);
        if (rc < 0)
            (void)filch__sub_acq_rel(&team->call.due, 1);
    }
    return rc;
}

void filch__spares_free(struct filch__team *team)
{
    for (struct filch__spare_member *spares; (spares = team->spares);) {
        team->spares = spares->next;
        filch__free(team->call.rt->arena, spares, spares->count * sizeof *spares, 64);
    }
}
