/* SPDX-License-Identifier: Apache-2.0 */
#include "task/compute/loop.h"

#include "sched/admission.h"
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
/* Claims at the end of a lane are not smaller than one in so many of others. */
#define ENDING 8
/* ns that a loop lasts before thieves find its strands at once. */
#define PRIVATE_TIME 500
/* A node with none below; participants of a caller outside are this and above. */
#define LEAF (1u << 30)

static const uint32_t never;

static void fail(struct filch__loop *loop, int rc)
{
    int32_t none = 0;
    (void)filch__cas_relaxed(&loop->failure, &none, rc);
}

static inline bool has_more(const struct filch__lane *lane)
{
    return filch__load_relaxed(&lane->next) < lane->end;
}

/* At least so many units that nobody has claimed. */
static inline bool has_left(const struct filch__loop *loop, uint64_t n)
{
    uint64_t left = 0;
    for (uint32_t i = 0; i < loop->lane_count && left < n; i++) {
        uint64_t next = filch__load_relaxed(&loop->lanes[i].next), end = loop->lanes[i].end;
        left += next < end ? end - next : 0;
    }
    return left >= n;
}

static bool is_unfinished(const struct filch__loop *loop)
{
    return has_left(loop, 1);
}

/* After a claim of `step` units that took so long; others may have changed it meanwhile. */
static void adapt(struct filch__loop *loop, uint64_t step, int64_t took)
{
    uint64_t to = took < CLAIM_TIME / 2 ? 2 * step : took > 2 * CLAIM_TIME ? step / 2 : step;
    to = to < 1 ? 1 : to > loop->step_max ? loop->step_max : to;
    if (to != step && filch__load_relaxed(&loop->step) == step)
        filch__store_relaxed(&loop->step, to);
}

/* How much of a lane to claim: what is left is shared with who comes to help, down to a point. */
static uint64_t portion(const struct filch__lane *lane, uint64_t step)
{
    uint64_t next = filch__load_relaxed(&lane->next);
    uint64_t half = next < lane->end ? (lane->end - next) / 2 : 0;
    uint64_t least = step / ENDING;
    half = half > least ? half : least;
    return half >= step ? step : half ? half : 1;
}

static inline bool stops(const struct filch__loop *loop)
{
    return filch__loop_has_failed(loop) || filch__loop_is_cancelled(loop);
}

/* False: nothing is left of the lane. */
static inline bool claim_from(struct filch__loop *loop, struct filch__lane *lane, uint64_t step,
                              int number)
{
    uint64_t at = filch__add_relaxed(&lane->next, step);
    if (at >= lane->end)
        return false;
    uint64_t end = step < lane->end - at ? at + step : lane->end;
    int rc = loop->units(loop, at, end, number);
    if (filch__unlikely(rc < 0))
        fail(loop, rc);
    return true;
}

/* The caller's number, where the loop has such: -EAGAIN: there is none left. */
static int number_in(const struct filch__loop *loop, const struct filch__part *part)
{
    return loop->numbered ? filch__participant_number(part->role) : 0;
}

struct strand {
    struct filch__loop *loop;
    uint32_t node;    /* of the heap; who has none below offers none */
    uint32_t offered; /* and not made public so far */
    uint64_t step;    /* of its last claim, 0 before */
    int64_t began, now;
};

/*
 * Where it lasts, thieves find the strands without asking. Who asks while this worker is in a body
 * has to force it, which takes some microseconds; but for a loop of nothing the price of a thief is
 * more than the loop, and of a last unit there is nothing to steal.
 */
static void make_public(struct strand *self)
{
    if (self->offered == 0 || self->now - self->began < PRIVATE_TIME || !has_left(self->loop, 2))
        return;
    self->offered = 0;
    (void)filch__split_expose_all(&filch__forks_current()->split, FILCH__UNIT_SLOT);
}

/* Between two claims, if time can make a difference. */
static inline void look_at_clock(struct strand *self)
{
    if (self->step == 0 || (self->offered == 0 && self->loop->step_max == 1))
        return;
    int64_t before = self->now;
    self->now = filch__now();
    adapt(self->loop, self->step, self->now - before);
    make_public(self);
}

static void claim_lane(struct strand *self, struct filch__lane *lane, int number)
{
    struct filch__loop *loop = self->loop;
    while (has_more(lane) && !stops(loop)) {
        look_at_clock(self);
        self->step = portion(lane, filch__load_relaxed(&loop->step));
        if (!claim_from(loop, lane, self->step, number)) {
            self->step = 0; /* nothing ran */
            break;
        }
    }
}

static void claim(struct strand *self, int number)
{
    struct filch__loop *loop = self->loop;
    self->began = self->now = filch__now();
    for (uint32_t i = 0; i < loop->lane_count; i++)
        claim_lane(self, &loop->lanes[(self->node + i) % loop->lane_count], number);
}

/* ---- participants that are workers of the runtime ---- */

static int run_strand(void *arg);

/* Offers the strands below this one, works, and takes back what nobody has taken. */
static void work_and_offer(struct strand *self, int number)
{
    struct filch__loop *loop = self->loop;
    struct strand below[2];
    filch_job jobs[2];
    uint32_t n = 0;
    for (; n < 2 && 2 * self->node + 1 + n < loop->cap; n++) {
        below[n] = (struct strand){.loop = loop, .node = 2 * self->node + 1 + n};
        jobs[n] = (filch_job)FILCH_JOB(run_strand, &below[n]);
        filch_fork(&jobs[n]);
    }
    self->offered = n;
    claim(self, number);
    while (n-- > 0)
        if (loop->holds && self->node == 0)
            (void)filch__sync_skip_holding(jobs[n].position);
        else
            (void)filch__sync_skip(jobs[n].position);
}

/* By whom the caller does not wait for. */
static int run_strand(void *arg)
{
    struct strand *self = arg;
    struct filch__part part;
    if (stops(self->loop) || !is_unfinished(self->loop))
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
    struct filch__loop *loop = ((struct outside *)(void *)call)->loop;
    struct strand self = {.loop = loop, .node = LEAF + number};
    (void)run_strand(&self);
}

static void work_and_call(struct filch__loop *loop, struct filch__proxy *proxy, int number)
{
    struct strand self = {.loop = loop, .node = LEAF};
    struct outside outside = {.call = {.run = run_answer}, .loop = loop};
    filch__proxy_sign(proxy, &outside.call);
    if (loop->holds && outside.call.poster)
        outside.call.holder = outside.call.poster->worker;
    filch__call_post(&outside.call, loop->cap - 1);
    claim(&self, number);
    /* What cancels the caller may be what helpers do not see: the end of its own runtime. */
    if (filch__loop_is_cancelled(loop) && is_unfinished(loop))
        fail(loop, -ECANCELED);
    filch__proxy_close(proxy, &outside.call);
}

/*
 * A fiber that waits for helpers leaves its worker to them. A member of a team on a thread has none
 * to leave: where a helper waits, and the other members come to a barrier, that holds all workers.
 */
static bool may_call(const struct filch__loop *loop)
{
    return loop->cap > 1 && (filch__fiber_current() || !filch__role_here()->teamed);
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
    if (number >= 0 && may_call(loop))
        work_and_call(loop, &proxy, number);
    else if (number >= 0)
        claim(&(struct strand){.loop = loop, .node = LEAF}, number);
    filch__part_end(&part);
    filch__proxy_end(&proxy);
    return number;
}

/* ---- either ---- */

static int work_inside(struct filch__loop *loop)
{
    struct strand self = {.loop = loop, .node = loop->count > 1 ? 0 : LEAF};
    struct filch__part part;
    filch__part_begin(&part, loop->rt);
    int number = number_in(loop, &part);
    if (number >= 0)
        work_and_offer(&self, number);
    filch__part_end(&part);
    return number;
}

static void deal(struct filch__loop *loop)
{
    uint64_t lanes = loop->in_order ? 1 : loop->cap < FILCH__LANES ? loop->cap : FILCH__LANES;
    lanes = lanes < loop->count ? lanes : loop->count;
    uint64_t share = loop->count / lanes, more = loop->count % lanes, at = 0;
    for (uint64_t i = 0; i < lanes; i++) {
        loop->lanes[i].next = at;
        at += share + (i < more);
        loop->lanes[i].end = at;
    }
    loop->lane_count = (uint32_t)lanes;
    loop->step_max = loop->in_order ? 1 : loop->count / SHARES / loop->cap + 1;
    loop->step = 1;
    loop->failure = 0;
}

int filch__loop_run(struct filch__loop *loop, const filch_loop_options *o)
{
    int wanted = o ? o->participants : 0;
    if (wanted < 0)
        return -EINVAL;
    int rc = filch__runtime_choose(o ? o->runtime : NULL, &loop->rt);
    if (rc < 0)
        return rc;
    uint32_t workers = loop->rt->worker_count;
    loop->cap = wanted && (uint32_t)wanted < workers ? (uint32_t)wanted : workers;
    loop->cap = loop->count < loop->cap ? (uint32_t)loop->count : loop->cap;
    loop->cancelled = &never;
    loop->holds = o && o->hold_thread;
    deal(loop);
    if (filch__loop_is_cancelled(loop))
        return -ECANCELED;
    rc = filch__worker_of(loop->rt) ? work_inside(loop) : work_outside(loop);
    if (rc < 0)
        return rc;
    if (loop->failure)
        return loop->failure;
    return is_unfinished(loop) ? -ECANCELED : 0;
}
