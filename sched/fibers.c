/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/fibers.h"

#include "sched/forks.h"
#include "sched/os/chaos.h"
#include "sched/os/clock.h"
#include "sched/os/memory.h"
#include "sched/os/spin.h"
#include "sched/runtime.h"
#include "sched/switch.h"

#include <errno.h>
#include <string.h>

/*
 * Free fibers that a worker keeps with their stacks. To give a stack back costs some microseconds,
 * so after a burst that is done when the worker has nothing else to do, a few at a time; while it
 * is busy one stack goes for so many fibers that come back.
 */
#define CACHED 256
#define BUSY   64
/* Of those it keeps so many for ever; an eighth of the rest goes each time that it falls asleep. */
#define KEPT 32
/* Stacks given back before the next look for work. */
#define CHUNK 32

static struct filch__fiber *structure_create(struct filch_runtime *rt)
{
    struct filch__fiber *fiber = filch__alloc(rt->arena, sizeof *fiber, 64);
    if (!fiber)
        return NULL;
    memset(fiber, 0, sizeof *fiber);
    filch__forks_init(&fiber->forks, &rt->closing);
    fiber->rt = rt;
    fiber->resume.run = filch__fiber_run_resume;
    fiber->offer.run = filch__forks_run_offer;
    fiber->play.run = filch__forks_run_play;
    return fiber;
}

static void structure_shelve(struct filch_runtime *rt, struct filch__fiber *fiber, bool had_stack)
{
    pthread_mutex_lock(&rt->fibers_lock);
    fiber->next_free = rt->stackless;
    rt->stackless = fiber;
    rt->fibers_with_stack -= had_stack;
    pthread_mutex_unlock(&rt->fibers_lock);
}

static struct filch__fiber *structure_get(struct filch_runtime *rt)
{
    pthread_mutex_lock(&rt->fibers_lock);
    struct filch__fiber *fiber = rt->stackless;
    if (fiber) {
        rt->stackless = fiber->next_free;
    } else if ((fiber = structure_create(rt))) {
        fiber->next_all = rt->fibers;
        rt->fibers = fiber;
    }
    pthread_mutex_unlock(&rt->fibers_lock);
    return fiber;
}

struct filch__fiber *filch__fiber_acquire(struct filch_runtime *rt, struct filch__worker *w,
                                          size_t size)
{
    if (w && w->free && size == rt->stack_size) {
        struct filch__fiber *fiber = w->free;
        w->free = fiber->next_free;
        w->free_count--;
        return fiber;
    }
    struct filch__fiber *fiber = structure_get(rt);
    if (!fiber)
        return NULL;
    if (filch__stack_create(&fiber->stack, size) < 0) {
        fiber->stack.map = NULL;
        structure_shelve(rt, fiber, false);
        return NULL;
    }
    pthread_mutex_lock(&rt->fibers_lock);
    rt->fibers_with_stack++;
    pthread_mutex_unlock(&rt->fibers_lock);
    filch__context_init(&fiber->context, &fiber->stack, filch__worker_loop, fiber);
    fiber->own_size = size != rt->stack_size;
    filch__store_relaxed(&fiber->room, size);
    return fiber;
}

static void drop_stack(struct filch__fiber *fiber)
{
    filch__context_release(&fiber->context);
    filch__forks_reset(&fiber->forks);
    filch__stack_destroy(&fiber->stack);
    fiber->stack.map = NULL;
}

void filch__fiber_release(struct filch__worker *w, struct filch__fiber *fiber)
{
    fiber->pinned = NULL;
    if (filch__likely(!fiber->own_size)) {
        fiber->next_free = w->free;
        w->free = fiber;
        if (filch__likely(++w->free_count <= CACHED || ++w->beyond % BUSY))
            return;
        fiber = filch__fiber_acquire(w->rt, w, w->rt->stack_size);
    }
    drop_stack(fiber);
    structure_shelve(w->rt, fiber, true);
}

bool filch__fibers_shrink(struct filch__worker *w)
{
    bool burst = w->free_count > CACHED;
    uint32_t n = burst ? CHUNK : w->free_count > KEPT ? (w->free_count - KEPT + 7) / 8 : 0;
    for (; n > 0; n--) {
        struct filch__fiber *fiber = filch__fiber_acquire(w->rt, w, w->rt->stack_size);
        drop_stack(fiber);
        structure_shelve(w->rt, fiber, true);
    }
    return burst;
}

void filch__fibers_drop_stacks(struct filch_runtime *rt)
{
    for (struct filch__fiber *fiber = rt->fibers; fiber; fiber = fiber->next_all)
        if (fiber->stack.map)
            drop_stack(fiber);
}

void filch__fibers_free(struct filch_runtime *rt)
{
    for (struct filch__fiber *fiber = rt->fibers, *next; fiber; fiber = next) {
        next = fiber->next_all;
        filch__free(rt->arena, fiber, sizeof *fiber, 64);
    }
}

const char *(*filch__fiber_name)(const void *task);

bool filch__fiber_describe(const void *addr, char *name, size_t cap)
{
    struct filch__fiber *fiber = filch__fiber_current();
    if (!fiber || !fiber->stack.map || !filch__stack_guard_hit(&fiber->stack, addr))
        return false;
    const char *known = fiber->task && filch__fiber_name ? filch__fiber_name(fiber->task) : "";
    size_t n = 0;
    for (; known[n] && n + 1 < cap; n++)
        name[n] = known[n];
    name[n] = 0;
    return true;
}

__attribute__((noinline)) void filch__forks_enter_far(struct filch__forks *forks)
{
    __asm__ volatile("");
    filch__forks_self = forks;
}

void filch__fiber_forget(void)
{
    filch__forks_enter(filch__forks_foreign);
}

void filch__fiber_release_left(struct filch__fiber *left)
{
    filch__fiber_release(left->worker, left);
}

/*
 * errno belongs to the thread, and its address is a constant to the compiler; a fiber's thread may
 * change over a switch. So it is reached by the address that the worker noted of its own.
 */
static inline void leave_to(struct filch__fiber *me, struct filch__fiber *to,
                            void (*hook)(struct filch__fiber *))
{
    int saved_errno = *me->worker->errno_at;
    filch__fiber_switch(me, to, hook);
    *me->worker->errno_at = saved_errno;
}

/* A token without cause, of a fiber that runs or stands still. */
static inline void wake_in_vain(struct filch__fiber *fiber)
{
    if (filch__chaos_wake() && !filch__load_relaxed(&fiber->deaf))
        filch__unpark(fiber);
}

void filch__unpark_claimed(struct filch__fiber *fiber)
{
    wake_in_vain(fiber);
    filch__submit_ready(fiber->rt, &fiber->resume, fiber->pinned);
}

static void queue_left(struct filch__fiber *left)
{
    filch__forks_offer(left);
    filch__unpark_claimed(left);
}

static void suspend_left(struct filch__fiber *left)
{
    filch__forks_offer(left);
    uint32_t running = FILCH__RUNNING;
    filch__chaos_nap();
    if (filch__cas_acq_rel(&left->wait, &running, FILCH__SUSPENDED))
        return;
    (void)filch__exchange_acq_rel(&left->wait, FILCH__RUNNING);
    filch__unpark_claimed(left);
}

/* Afterwards the worker has a free fiber to go on with. */
static bool can_leave(struct filch__worker *w)
{
    if (filch__likely(w->free))
        return true;
    struct filch__fiber *fiber = filch__fiber_acquire(w->rt, w, w->rt->stack_size);
    if (!fiber)
        return false;
    filch__fiber_release(w, fiber);
    return true;
}

/* The hand-over's way to suspend. */
static void suspend_left_plainly(struct filch__fiber *left)
{
    filch__forks_offer(left);
    filch__chaos_nap();
    filch__store_release(&left->wait, FILCH__SUSPENDED);
    filch__barrier_light();
    filch__chaos_nap();
    if (filch__likely(!filch__load_relaxed(&left->interrupted)))
        return;
    filch__unpark(left);
}

/* The same in a section of `lock`: nobody who needs it to go on does so before it is left. */
static void suspend_left_leaving(struct filch__fiber *left)
{
    uint32_t *lock = left->worker->left_lock;
    filch__store_release(&left->wait, FILCH__SUSPENDED);
    filch__barrier_light();
    filch__chaos_pause();
    bool interrupted = filch__load_relaxed(&left->interrupted);
    filch__spin_unlock(lock);
    if (filch__unlikely(interrupted))
        filch__unpark(left);
}

/* Leaves `me`, which comes back by `hook`; goes on with `next` if it is not NULL. */
static inline void leave(struct filch__fiber *me, struct filch__runnable *next,
                         void (*hook)(struct filch__fiber *))
{
    struct filch__worker *w = me->worker;
    struct filch__fiber *to;
    if (next && next->run == filch__fiber_run_resume) {
        to = filch__fiber_of_resume(next);
    } else {
        to = filch__fiber_acquire(w->rt, w, w->rt->stack_size);
        w->handoff = next;
    }
    leave_to(me, to, hook);
}

/* A fiber that has left and come back finds a free one: whoever brought it back left that. */
int filch__park_prepare(void)
{
    return can_leave(filch__fiber_current()->worker) ? 0 : -ENOMEM;
}

static bool take_token(struct filch__fiber *me)
{
    return filch__park_is_over(me) &&
           filch__exchange_acq_rel(&me->wait, FILCH__RUNNING) == FILCH__NOTIFIED;
}

int filch__park(void)
{
    struct filch__fiber *me = filch__fiber_current();
    filch__store_relaxed(&me->parks, me->parks + 1);
    wake_in_vain(me);
    if (take_token(me))
        return 0;
    if (!can_leave(me->worker))
        return -ENOMEM;
    if (!me->waiting.since)
        filch__store_relaxed(&me->waiting.since, -me->worker->clock);
    wake_in_vain(me);
    leave(me, filch__worker_pick(me->worker), suspend_left);
    return 0;
}

void filch__park_for(struct filch__runnable *first)
{
    struct filch__fiber *me = filch__fiber_current();
    struct filch__worker *w = me->worker;
    filch__store_relaxed(&me->parks, me->parks + 1);
    w->handoff = first;
    filch__store_relaxed(&me->waiting.since, -w->clock);
    leave_to(me, filch__fiber_acquire(w->rt, w, w->rt->stack_size), suspend_left_plainly);
    if (filch__unlikely(filch__load_relaxed(&me->interrupted)))
        (void)filch__exchange_acq_rel(&me->interrupted, 0);
}

static void offer_left(struct filch__fiber *left)
{
    filch__forks_offer(left);
}

/* What it went aside from before, it goes back to afterwards. */
bool filch__fiber_run_aside(struct filch__runnable *r)
{
    struct filch__fiber *me = filch__fiber_current();
    struct filch__worker *w = me->worker;
    struct filch__fiber *outer = w->aside;
    w->aside = me;
    w->handoff = r;
    leave_to(me, filch__fiber_acquire(w->rt, w, w->rt->stack_size), offer_left);
    w->aside = outer;
    return !w->left_aside;
}

bool filch__park_leaving(uint32_t *lock)
{
    struct filch__fiber *me = filch__fiber_current();
    struct filch__worker *w = me->worker;
    if (filch__park_is_over(me) || !w->free || filch__forks_count(me))
        return false;
    struct filch__runnable *next = filch__worker_pick_ready(w);
    if (!next)
        return false;
    filch__store_relaxed(&me->parks, me->parks + 1);
    filch__store_relaxed(&me->waiting.since, -w->clock);
    w->left_lock = lock;
    leave(me, next, suspend_left_leaving);
    if (filch__unlikely(filch__load_relaxed(&me->interrupted)))
        (void)filch__exchange_acq_rel(&me->interrupted, 0);
    return true;
}

struct filch__fiber *filch__park_next(struct filch__worker *w)
{
    return w->free;
}

int filch__fiber_yield(void)
{
    struct filch__fiber *me = filch__fiber_current();
    if (!can_leave(me->worker))
        return -ENOMEM;
    struct filch__runnable *next = filch__worker_pick(me->worker);
    if (next || filch__chaos_stray(me->rt->worker_count))
        leave(me, next, queue_left);
    return 0;
}

bool filch__unpark_claim(struct filch__fiber *fiber)
{
    uint32_t wait = filch__load_relaxed(&fiber->wait);
    for (;;) {
        bool suspended = wait == FILCH__SUSPENDED;
        uint32_t to = suspended ? FILCH__RUNNING : FILCH__NOTIFIED;
        filch__chaos_pause();
        if (filch__cas_acq_rel(&fiber->wait, &wait, to))
            return suspended;
    }
}

void filch__unpark(struct filch__fiber *fiber)
{
    if (filch__unpark_claim(fiber))
        filch__unpark_claimed(fiber);
}

enum filch__interrupt filch__interrupt_begin(struct filch__fiber *fiber)
{
    if (filch__load_seq_cst(&fiber->deaf))
        return FILCH__INTERRUPT_NOTHING;
    if (filch__unpark_claim(fiber))
        return FILCH__INTERRUPT_WAKE;
    filch__chaos_pause();
    filch__store_release(&fiber->interrupted, 1);
    return FILCH__INTERRUPT_END;
}

void filch__interrupt_end(struct filch__fiber *fiber)
{
    uint32_t suspended = FILCH__SUSPENDED;
    filch__chaos_pause();
    if (filch__cas_acq_rel(&fiber->wait, &suspended, FILCH__RUNNING))
        filch__unpark_claimed(fiber);
}

struct filch__fiber *filch__unpark_next(struct filch__fiber *fiber)
{
    struct filch__worker *w = filch__worker_current();
    if (fiber->rt == w->rt && (!fiber->pinned || fiber->pinned == w) &&
        !filch__chaos_stray(w->rt->worker_count))
        return fiber;
    filch__unpark_claimed(fiber);
    return NULL;
}

void filch__holder_orphan_all(struct filch__holder *h)
{
    while (h->held) {
        struct filch__held *held = h->held;
        h->held = held->next;
        held->orphan(held);
    }
}

void filch__fiber_clear_task(struct filch__fiber *fiber)
{
    filch__holder_end(&fiber->holder);
    filch__fp_control_restore(&fiber->worker->fp);
    filch__store_relaxed(&fiber->task, NULL);
    fiber->pinned = NULL;
    fiber->forks.cancelled = filch__forks_foreign->cancelled;
    if (filch__unlikely(fiber->frame != NULL)) { /* a stolen job's: not opened here */
        filch__store_relaxed(&fiber->frame, NULL);
        fiber->forks.closing = &fiber->rt->closing;
    }
}

struct filch__fiber *filch__fiber_run_resume(struct filch__runnable *r)
{
    return filch__fiber_of_resume(r);
}
