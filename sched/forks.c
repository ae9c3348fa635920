/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/forks.h"

#include "sched/hold.h"
#include "sched/idle.h"
#include "sched/os/chaos.h"
#include "sched/os/clock.h"
#include "sched/os/die.h"
#include "sched/os/reserve.h"
#include "sched/runtime.h"
#include "sched/strand.h"

#include <errno.h>
#include <string.h>

/*
 * How often the owner looks for the end of a stolen job before it suspends: about as long as the
 * suspension and the resumption would take.
 */
#define LOOKS 100

static const uint32_t never;

#define NOWHERE(forks) ((uintptr_t) & (forks)->none)

/*
 * All threads outside fork on the first of them, without knowing of each other: of n that are just
 * between the stores of a fork the last may write n slots behind `none`. The others are that room.
 */
struct filch__forks filch__forks_foreign[1 + 256] = {{
    .split = {.tail = NOWHERE(filch__forks_foreign),
              .base = NOWHERE(filch__forks_foreign),
              .end = NOWHERE(filch__forks_foreign)},
    .cancelled = &never,
    .closing = &never,
}};

__thread struct filch__forks *filch__forks_self = filch__forks_foreign;

extern inline struct filch__forks *filch__forks_current(void);

__attribute__((noinline)) struct filch__forks *filch__forks_current_far(void)
{
    __asm__ volatile("");
    return filch__forks_self;
}

static void set_nowhere(struct filch__forks *forks)
{
    filch__store_relaxed(&forks->split.base, NOWHERE(forks));
    filch__store_relaxed(&forks->split.end, NOWHERE(forks));
    filch__store_relaxed(&forks->split.tail, NOWHERE(forks));
    filch__store_relaxed(&forks->split.limit, 0);
    forks->opened = false;
}

void filch__forks_init(struct filch__forks *forks, const uint32_t *closing)
{
    memset(forks, 0, sizeof *forks);
    forks->cancelled = &never;
    forks->closing = closing;
    set_nowhere(forks);
}

/* Between base and what is mapped: the slot at `end` is mapped too. */
static size_t slots_size(const struct filch__forks *forks)
{
    return forks->split.end - forks->split.base + sizeof(struct filch__slot);
}

void filch__forks_reset(struct filch__forks *forks)
{
    uintptr_t base = forks->split.base;
    size_t size = slots_size(forks);
    if (base != NOWHERE(forks)) {
        filch__split_close(&forks->split);
        filch__reserve_free((void *)base, size);
    }
    set_nowhere(forks);
}

/* The first fork of a fiber. Without memory all its forks stay nowhere: forks.h on positions. */
static void open_slots(struct filch__fiber *fiber)
{
    /* A slot for each 16 bytes of the stack: more than frames on it can fork. */
    size_t size = fiber->stack.size;
    size_t most = (size_t)(FILCH__SPLIT_CAPACITY - 1) * sizeof(struct filch__slot);
    size = size < most ? size : most;
    fiber->forks.opened = true;
    char *slots = filch__reserve(size);
    if (!slots)
        return;
    filch__split_close(&fiber->forks.split);
    filch__split_init(&fiber->forks.split, (uintptr_t)slots,
                      (uintptr_t)slots + size - sizeof(struct filch__slot));
}

/* The fork at `position`, which is nowhere, moves to the fork stack that was just opened. */
static uintptr_t move_first(struct filch__forks *forks)
{
    uintptr_t position = forks->split.base;
    struct filch__slot *slot = (struct filch__slot *)position;
    filch__store_relaxed(&slot->fn, filch__load_relaxed(&forks->none.fn));
    filch__store_relaxed(&slot->arg, filch__load_relaxed(&forks->none.arg));
    filch__store_release(&forks->split.tail, position + sizeof *slot);
    return position;
}

uintptr_t filch__fork_slow(uintptr_t position)
{
    struct filch__forks *forks = filch__forks_current();
    struct filch__split *s = &forks->split;
    struct filch__fiber *fiber = filch__fiber_current();
    if (fiber && !forks->opened) {
        open_slots(fiber);
        if (s->base != NOWHERE(forks))
            position = move_first(forks);
    }
    if (position >= s->end) {
        filch__store_relaxed(&s->tail, s->end);
        return s->end;
    }
    filch__split_raise_limit(s);
    (void)filch__worker_show_cpu(fiber->worker);
    filch__chaos_nap();
    filch__fence_seq_cst(); /* the limit was raised: idle.h */
    filch__idle_notify(fiber->rt);
    return position;
}

static bool done(const struct filch__slot *slot)
{
    return filch__load_acquire(&slot->fn) == FILCH__DONE;
}

const struct filch__topic filch__topic_stolen_job = {"a stolen job", NULL};

static bool is_done(const void *slot)
{
    return done(slot);
}

/* The thief wakes the worker, which the fiber does not leave. */
static void hold_for_thief(struct filch__fiber *fiber, struct filch__slot *slot)
{
    struct filch__hold hold = {.looks = 0};
    filch__store_relaxed(&fiber->holds, fiber->worker);
    filch__fence_seq_cst(); /* as with `awaited` */
    while (!filch__hold_on(&hold, is_done, slot) && !filch__hold_is_spent(&hold))
        continue;
    filch__store_relaxed(&fiber->holds, NULL);
}

/* Until the job in the slot, which a thief has, is done. */
static void await_thief(struct filch__slot *slot, bool holds)
{
    for (uint32_t i = filch__chaos_among(0, LOOKS); i < LOOKS; i++) {
        if (done(slot))
            return;
        filch__cpu_relax();
    }
    struct filch__fiber *fiber = filch__fiber_current();
    filch__store_relaxed(&fiber->awaited, slot);
    filch__fiber_begin_wait(fiber, &filch__topic_stolen_job, slot);
    if (holds)
        hold_for_thief(fiber, slot);
    filch__fence_seq_cst();
    filch__chaos_nap();
    while (!done(slot))
        if (filch__park() < 0)
            filch__os_yield(); /* no fiber to go on with: wait here, the thief needs nothing of us
                                */
    filch__fiber_end_wait(fiber);
    filch__store_relaxed(&fiber->awaited, NULL);
}

static inline int64_t sync_slow(uintptr_t position, bool holds)
{
    struct filch__split *s = &filch__forks_current()->split;
    struct filch__slot *slot = (struct filch__slot *)position;
    filch__chaos_nap();
    if (position >= s->end || filch__split_settle(s, position, FILCH__UNIT_SLOT) == FILCH__POP_MINE)
        return FILCH__MINE;
    filch__store_relaxed(&s->tail, position + sizeof *slot);
    await_thief(slot, holds);
    int rc = (int)(intptr_t)filch__load_relaxed(&slot->arg);
    filch__store_relaxed(&s->tail, position);
    filch__split_rewind(s, position, FILCH__UNIT_SLOT);
    return rc;
}

int64_t filch__sync_slow(uintptr_t position)
{
    return sync_slow(position, false);
}

static inline int skip(uintptr_t position, bool holds)
{
    struct filch__split *s = &filch__forks_current()->split;
    filch__store_relaxed(&s->tail, position);
    filch__fence_compiler(); /* as in filch_sync */
    if (position >= filch__load_relaxed(&s->bound))
        return -ECANCELED;
    int64_t result = sync_slow(position, holds);
    return result == FILCH__MINE ? -ECANCELED : (int)result;
}

int filch__sync_skip(uintptr_t position)
{
    return skip(position, false);
}

int filch__sync_skip_holding(uintptr_t position)
{
    return skip(position, true);
}

/* A fiber with room for a job of the victim, if the thief's own has not enough. False: no memory. */
static bool make_stage(struct filch__fiber *victim, struct filch__worker *w,
                       struct filch__fiber **stage)
{
    size_t need = filch__load_relaxed(&victim->room);
    if (need <= w->rt->stack_size || (*stage && (*stage)->room >= need))
        return true;
    if (*stage)
        filch__fiber_release(w, *stage);
    *stage = filch__fiber_acquire(w->rt, NULL, need);
    return *stage;
}

enum filch__steal filch__forks_steal(struct filch__fiber *victim, struct filch__worker *w,
                                     struct filch__loot *loot)
{
    uint64_t word;
    uint32_t one;
    struct filch__split *s = &victim->forks.split;
    struct filch__fiber *stage = NULL;
    if (filch__chaos_miss())
        return FILCH__STEAL_BUSY;
    if (filch__unlikely(filch__load_relaxed(&victim->room) > w->rt->stack_size) &&
        filch__forks_count(victim) && !make_stage(victim, w, &stage))
        return FILCH__STEAL_BUSY;
    enum filch__steal rc = filch__split_steal(s, w->index, FILCH__UNIT_SLOT, 1, &word, &one);
    if (rc != FILCH__STEAL_TAKEN) {
        if (stage)
            filch__fiber_release(w, stage);
        return rc;
    }
    filch__chaos_nap();
    /* The victim may have got another stack since the first look; now it keeps the one it has. */
    while (!make_stage(victim, w, &stage))
        filch__os_yield();
    FILCH__COUNT(w, forks_stolen);
    uintptr_t position =
        filch__load_relaxed(&s->base) + filch__word_head(word) * sizeof(struct filch__slot);
    *loot = (struct filch__loot){victim, (struct filch__slot *)position, stage};
    return rc;
}

/* On a fiber with room for it. */
static struct filch__fiber *run_job(struct filch__fiber *victim, struct filch__slot *slot)
{
    struct filch__fiber *me = filch__fiber_here();
    struct filch__frame *frame = filch__frame_of_job(victim, (uintptr_t)slot);
    filch__store_relaxed(&me->loot_slot, slot);
    filch__strand_begin(me, victim->task, victim->cancelled, frame,
                        filch__load_relaxed(&victim->role.teamed));
    int rc = filch__load_relaxed(&slot->fn)(filch__load_relaxed(&slot->arg));
    filch__strand_end(me, frame);
    filch__store_relaxed(&me->loot_slot, NULL);
    filch__store_relaxed(&slot->arg, (void *)(intptr_t)rc);
    filch__chaos_nap();
    (void)filch__exchange_seq_cst(&slot->fn, FILCH__DONE);
    filch__chaos_nap();
    if (filch__load_seq_cst(&victim->awaited) != slot)
        return NULL;
    struct filch__worker *holds = filch__load_relaxed(&victim->holds);
    if (filch__unlikely(holds != NULL))
        filch__hold_ring(holds);
    return filch__unpark_claim(victim) ? filch__unpark_next(victim) : NULL;
}

struct filch__fiber *filch__forks_run(const struct filch__loot *loot)
{
    struct filch__fiber *stage = loot->stage;
    if (filch__likely(!stage))
        return run_job(loot->victim, loot->slot);
    stage->loot_victim = loot->victim;
    filch__store_relaxed(&stage->loot_slot, loot->slot);
    filch__worker_current()->handoff = &stage->play;
    return stage;
}

struct filch__fiber *filch__forks_run_play(struct filch__runnable *r)
{
    struct filch__fiber *stage =
        (struct filch__fiber *)(void *)((char *)r - offsetof(struct filch__fiber, play));
    return run_job(stage->loot_victim, stage->loot_slot);
}

void filch__forks_offer_now(struct filch__fiber *fiber)
{
    if (filch__split_expose_all(&fiber->forks.split, FILCH__UNIT_SLOT) &&
        !filch__exchange_acq_rel(&fiber->offered, 1))
        filch__submit_spawn(fiber->rt, &fiber->offer, NULL);
}

/* Run function of `offer`: takes one job of a suspended fiber, and offers what is left. */
struct filch__fiber *filch__forks_run_offer(struct filch__runnable *r)
{
    struct filch__fiber *victim =
        (struct filch__fiber *)(void *)((char *)r - offsetof(struct filch__fiber, offer));
    struct filch__worker *w = filch__worker_current();
    struct filch__loot loot;
    /* Before the look: a fiber that suspends again from now on queues the offer itself. */
    (void)filch__exchange_acq_rel(&victim->offered, 0);
    enum filch__steal rc = filch__forks_steal(victim, w, &loot);
    if (rc != FILCH__STEAL_EMPTY && filch__forks_count(victim) &&
        !filch__exchange_acq_rel(&victim->offered, 1))
        filch__submit_spawn(victim->rt, &victim->offer, NULL);
    return rc == FILCH__STEAL_TAKEN ? filch__forks_run(&loot) : NULL;
}
