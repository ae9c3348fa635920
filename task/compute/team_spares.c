/* SPDX-License-Identifier: Apache-2.0 */
/* Members on spare threads: jobs of the pool, each of which has a thread of its own. */
#include "sched/os/futex.h"
#include "sched/os/memory.h"
#include "sched/runtime.h"
#include "task/compute/team.h"
#include "task/holder.h"

#include <errno.h>
#include <limits.h>

struct filch__spare_member {
    struct filch__job job; /* first */
    struct filch__team *team;
    uint32_t rank;
};

static int run(struct filch__job *job)
{
    struct filch__spare_member *self = (struct filch__spare_member *)(void *)job;
    struct filch__team *team = self->team;
    uint32_t gate;
    while ((gate = filch__load_acquire(&team->gate)) == FILCH__GATE_SHUT)
        (void)filch__futex_wait(&team->gate, FILCH__GATE_SHUT, FILCH_NEVER);
    if (gate == FILCH__GATE_OPEN)
        filch__team_run_member(team, self->rank);
    filch__holder_leave(); /* the thread goes on to others */
    return 0;
}

/* Under the pool's lock. The poster may go on, and free the job. */
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

static size_t bytes(const struct filch__team *team)
{
    return team->spares * sizeof(struct filch__spare_member);
}

/* The team of which `got` have been got does not come about. */
static void send_home(struct filch__team *team)
{
    filch__spares_open(team, FILCH__GATE_REFUSED);
    while (!filch__call_is_over(&team->call))
        filch__call_wait(&team->call, FILCH_NEVER);
}

int filch__spares_get(struct filch__team *team, uint32_t first, struct filch__spare_member **out)
{
    filch_runtime *rt = team->call.rt;
    struct filch__spare_member *spares = filch__alloc(rt->arena, bytes(team), 64);
    int rc = spares ? 0 : -ENOMEM;
    for (uint32_t i = 0; rc == 0 && i < team->spares; i++) {
        spares[i] =
            (struct filch__spare_member){.job = {.ops = &ops}, .team = team, .rank = first + i};
        (void)filch__add_acq_rel(&team->call.due, 1);
        rc = filch__pool_submit(rt, FILCH__POOL_SPARE, &spares[i].job);
        if (rc < 0)
            (void)filch__sub_acq_rel(&team->call.due, 1);
    }
    if (rc == 0) {
        *out = spares;
        return 0;
    }
    if (spares) {
        send_home(team);
        filch__spares_free(team, spares);
    }
    return rc;
}

void filch__spares_open(struct filch__team *team, enum filch__gate gate)
{
    filch__store_release(&team->gate, gate);
    filch__futex_wake(&team->gate, INT_MAX);
}

void filch__spares_free(struct filch__team *team, struct filch__spare_member *spares)
{
    filch__free(team->call.rt->arena, spares, bytes(team), 64);
}
