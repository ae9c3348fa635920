/* SPDX-License-Identifier: Apache-2.0 */
#include "task/compute/loop.h"

#include "sched/os/clock.h"
#include "task/compute/participant.h"
#include "task/compute/proxy.h"

#include <errno.h>

/*
 * ns that a claim shall take: long against what it costs to claim and to look at the clock, some
 * 50 ns, and short against what a loop should take to be worth a second worker.
 */
#define CLAIM_TIME 10000
/* Of a participant's even share no claim is more than one in so many. */
#define SHARES 16

static const uint32_t never;

static void fail(struct filch__loop *loop, int rc)
{
    int32_t none = 0;
    (void)filch__cas_relaxed(&loop->failure, &none, rc);
}

static inline bool has_more(const struct filch__loop *loop)
{
    return filch__load_relaxed(&loop->next) < loop->count && !filch__loop_has_failed(loop);
}

/* After a claim of `step` units that took so long; others may have changed it meanwhile. */
static void adapt(struct filch__loop *loop, uint64_t step, int64_t took)
{
    uint64_t to = took < CLAIM_TIME / 2 ? 2 * step : took > 2 * CLAIM_TIME ? step / 2 : step;
    to = to < 1 ? 1 : to > loop->step_max ? loop->step_max : to;
    if (to != step && filch__load_relaxed(&loop->step) == step)
        filch__store_relaxed(&loop->step, to);
}

static void claim_alone(struct filch__loop *loop, int participant)
{
    while (has_more(loop) && !filch__loop_is_cancelled(loop)) {
        uint64_t at = filch__add_relaxed(&loop->next, 1);
        int rc = at < loop->count ? loop->units(loop, at, at + 1, participant) : 0;
        if (filch__unlikely(rc < 0))
            fail(loop, rc);
    }
}

static void claim_some(struct filch__loop *loop, int participant)
{
    int64_t began = filch__now();
    while (has_more(loop) && !filch__loop_is_cancelled(loop)) {
        uint64_t step = filch__load_relaxed(&loop->step);
        uint64_t at = filch__add_relaxed(&loop->next, step);
        if (at >= loop->count)
            break;
        uint64_t end = step < loop->count - at ? at + step : loop->count;
        int rc = loop->units(loop, at, end, participant);
        if (filch__unlikely(rc < 0))
            fail(loop, rc);
        int64_t ended = filch__now();
        adapt(loop, step, ended - began);
        began = ended;
    }
}

/* The caller's number, where the loop has such: -EAGAIN: there is none left. */
static int number_in(const struct filch__loop *loop, const struct filch__part *part)
{
    return loop->numbered ? filch__participant_number(part->role) : 0;
}

static void claim(struct filch__loop *loop, int number)
{
    if (loop->step_max == 1)
        claim_alone(loop, number);
    else
        claim_some(loop, number);
}

/* ---- participants that are workers of the runtime ---- */

struct strand {
    struct filch__loop *loop;
    uint32_t node; /* of the heap */
};

/* A node with none below. */
#define LEAF (UINT32_MAX / 4)

static int run_strand(void *arg);

/* Offers the strands below this one, works, and takes back what nobody has taken. */
static void work_and_offer(const struct strand *self, int number)
{
    struct filch__loop *loop = self->loop;
    struct strand below[2];
    filch_job jobs[2];
    int offered = 0;
    for (; offered < 2 && 2 * self->node + 1 + (uint32_t)offered < loop->cap; offered++) {
        below[offered] = (struct strand){loop, 2 * self->node + 1 + (uint32_t)offered};
        jobs[offered] = (filch_job)FILCH_JOB(run_strand, &below[offered]);
        filch_fork(&jobs[offered]);
    }
    claim(loop, number);
    while (offered > 0)
        (void)filch__sync_skip(jobs[--offered].position);
}

/* By whom the caller does not wait for. */
static int run_strand(void *arg)
{
    struct strand *self = arg;
    struct filch__part part;
    if (!has_more(self->loop))
        return 0;
    filch__part_begin(&part, self->loop->rt);
    int number = number_in(self->loop, &part);
    if (number >= 0)
        work_and_offer(self, number);
    filch__part_end(&part);
    return 0;
}

/* ---- participants of a caller outside ---- */

struct outside {
    struct filch__call call; /* first */
    struct filch__loop *loop;
};

static void run_answer(struct filch__call *call, uint32_t number)
{
    (void)number;
    struct strand self = {((struct outside *)(void *)call)->loop, LEAF};
    (void)run_strand(&self);
}

static void work_and_call(struct filch__loop *loop, const struct filch__proxy *proxy, int number)
{
    struct outside outside = {.call = {.run = run_answer}, .loop = loop};
    filch__proxy_sign(proxy, &outside.call);
    filch__call_post(&outside.call, loop->cap - 1);
    claim(loop, number);
    filch__call_close(&outside.call);
}

static int work_outside(struct filch__loop *loop)
{
    struct filch__part part;
    struct filch__proxy proxy;
    int rc = filch__proxy_begin(&proxy, loop->rt, filch__fiber_current());
    if (rc < 0)
        return rc;
    loop->cancelled = proxy.cancelled;
    filch__part_begin(&part, loop->rt);
    int number = number_in(loop, &part);
    if (number >= 0 && loop->cap > 1 && loop->count > 1)
        work_and_call(loop, &proxy, number);
    else if (number >= 0)
        claim(loop, number);
    filch__part_end(&part);
    filch__proxy_end(&proxy);
    return number;
}

/* ---- either ---- */

static int work_inside(struct filch__loop *loop)
{
    struct strand self = {loop, loop->count > 1 ? 0 : LEAF};
    struct filch__part part;
    filch__part_begin(&part, loop->rt);
    int number = number_in(loop, &part);
    if (number >= 0)
        work_and_offer(&self, number);
    filch__part_end(&part);
    return number;
}

static uint64_t step_max(const struct filch__loop *loop)
{
    uint64_t most = loop->count / SHARES / loop->cap;
    return most ? most : 1;
}

int filch__loop_run(struct filch__loop *loop, const filch_loop_options *o, bool alone)
{
    struct filch__worker *w = filch__worker_current();
    int wanted = o ? o->participants : 0;
    if (wanted < 0)
        return -EINVAL;
    int rc = filch__runtime_get(w && !(o && o->runtime) ? w->rt : o ? o->runtime : NULL, &loop->rt);
    if (rc < 0)
        return rc;
    uint32_t workers = loop->rt->worker_count;
    loop->cap = wanted && (uint32_t)wanted < workers ? (uint32_t)wanted : workers;
    loop->cancelled = &never;
    loop->step_max = alone ? 1 : step_max(loop);
    loop->next = 0;
    loop->step = 1;
    loop->failure = 0;
    if (filch__loop_is_cancelled(loop))
        return -ECANCELED;
    rc = w && w->rt == loop->rt ? work_inside(loop) : work_outside(loop);
    if (rc < 0)
        return rc;
    if (loop->failure)
        return loop->failure;
    return loop->next < loop->count ? -ECANCELED : 0;
}
