/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A task's state word: life, requests and references in one.
 *
 * Life:  0 (queued) -> RUNNING -> FINISHED.  Whether a running task is suspended is not the task's
 * state but that of its fibers (sched/fibers.h).
 *
 * References keep the memory: SCHEDULER (from the spawn until the scheduler is done with it),
 * HANDLE, and a count of abort handles. Who takes the last one away frees.
 *
 * Transitions, all read-modify-write with acquire and release, so that what one party wrote before
 * its transition is seen by who finds it in the word (finish / join: the result; abort / start:
 * what the aborter did before; add_joiner / finish: the joiner's address):
 *   start          scheduler  +RUNNING; SKIP if ABORT was there
 *   start_joined   handle     +RUNNING +JOINER, by a joiner that holds the queued task
 *   finish         scheduler  +FINISHED. With a joiner SCHEDULER stays until it was woken, and
 *                             without a handle until the result was dropped; of a scope's child,
 *                             until the scope knows; else it goes too, and after that nothing is
 *                             touched any more
 *   finish_joined  scheduler  +FINISHED -SCHEDULER, for a joiner that it has claimed
 *   finish_child   scheduler  +FINISHED -SCHEDULER, if nothing but RUNNING and HANDLE is there
 *   release        scheduler  -SCHEDULER
 *   add_joiner     handle     +JOINER, unless FINISHED
 *   remove_joiner  handle     -JOINER, unless FINISHED
 *   detach         handle     -HANDLE, unless FINISHED: who comes second of it and finish has the
 *                             result
 *   drop_handle    handle     -HANDLE, after FINISHED
 *   abort          anyone     +ABORT
 *   ref / unref    anyone     count of abort handles
 * A joiner that finds FINISHED waits until SCHEDULER is gone: then nobody touches the joiner's
 * stack or the task any more but holders of references.
 */
#ifndef FILCH_TASK_STATE_H
#define FILCH_TASK_STATE_H

#include <filch/atomic.h>
#include <filch/base.h>

enum {
    FILCH__TASK_RUNNING = 1u << 0,
    FILCH__TASK_FINISHED = 1u << 1,
    FILCH__TASK_ABORT = 1u << 2,
    FILCH__TASK_JOINER = 1u << 3,
    FILCH__TASK_HANDLE = 1u << 4,
    FILCH__TASK_SCHEDULER = 1u << 5,
    FILCH__TASK_REF = 1u << 6, /* one abort handle */
    FILCH__TASK_REFS = ~(FILCH__TASK_REF - 1) | FILCH__TASK_HANDLE | FILCH__TASK_SCHEDULER,
};

#define FILCH__MUST __attribute__((warn_unused_result)) static inline

enum filch__start { FILCH__START_RUN, FILCH__START_SKIP };

FILCH__MUST enum filch__start filch__state_start(uint32_t *state)
{
    uint32_t old = filch__or_acq_rel(state, FILCH__TASK_RUNNING);
    return old & FILCH__TASK_ABORT ? FILCH__START_SKIP : FILCH__START_RUN;
}

/* By a joiner that has taken the task out of the queue: start and add_joiner in one. SKIP: aborted,
 * nothing changed. */
FILCH__MUST enum filch__start filch__state_start_joined(uint32_t *state)
{
    uint32_t old = filch__load_relaxed(state);
    do
        if (old & FILCH__TASK_ABORT)
            return FILCH__START_SKIP;
    while (!filch__cas_acq_rel(state, &old, old | FILCH__TASK_RUNNING | FILCH__TASK_JOINER));
    return FILCH__START_RUN;
}

enum filch__finish {
    FILCH__FINISH_ABORTED, /* not finished: meet the aborter first, then finish again */
    FILCH__FINISH_LEAVE,   /* touch nothing any more; of a child: release */
    FILCH__FINISH_WAKE,    /* wake the joiner, then release */
    FILCH__FINISH_RESULT,  /* nobody will join: drop the result, then release */
};

/* met: the caller has met the aborter, if there was one. child: of a scope. */
FILCH__MUST enum filch__finish filch__state_finish(uint32_t *state, bool met, bool child)
{
    uint32_t old = filch__load_relaxed(state);
    for (;;) {
        if (old & FILCH__TASK_ABORT && !met)
            return FILCH__FINISH_ABORTED;
        uint32_t to = old | FILCH__TASK_FINISHED;
        enum filch__finish action = FILCH__FINISH_LEAVE;
        if (!(old & FILCH__TASK_HANDLE))
            action = FILCH__FINISH_RESULT;
        else if (old & FILCH__TASK_JOINER)
            action = FILCH__FINISH_WAKE;
        else if (!child)
            to &= ~(uint32_t)FILCH__TASK_SCHEDULER;
        if (filch__cas_acq_rel(state, &old, to))
            return action;
    }
}

/*
 * Whether finish and release may be one plain store: a joiner waits, whose fiber the caller has
 * claimed, and nobody else holds a reference. A handle in use by its joiner is used by others only
 * while the task cannot end (filch_abort in task.h), so nobody else writes the word any more.
 */
static inline bool filch__state_is_joined(const uint32_t *state)
{
    return filch__load_acquire(state) ==
           (FILCH__TASK_RUNNING | FILCH__TASK_JOINER | FILCH__TASK_HANDLE | FILCH__TASK_SCHEDULER);
}

/*
 * Whether a scope's running child is known to its scope alone: without handles nobody can add one. Then
 * its end needs no transition: out of the scope's list it belongs to the caller.
 */
static inline bool filch__state_is_alone(const uint32_t *state)
{
    return (filch__load_acquire(state) & FILCH__TASK_REFS) == FILCH__TASK_SCHEDULER;
}

/*
 * Of a child with a handle that nobody uses just now: finish and release in one. False: nothing
 * changed.
 */
FILCH__MUST bool filch__state_finish_child(uint32_t *state)
{
    uint32_t running = FILCH__TASK_RUNNING | FILCH__TASK_HANDLE | FILCH__TASK_SCHEDULER;
    return filch__cas_acq_rel(state, &running,
                              FILCH__TASK_RUNNING | FILCH__TASK_HANDLE | FILCH__TASK_FINISHED);
}

static inline void filch__state_finish_joined(uint32_t *state)
{
    filch__store_release(state, FILCH__TASK_RUNNING | FILCH__TASK_JOINER | FILCH__TASK_HANDLE |
                                    FILCH__TASK_FINISHED);
}

enum filch__last { FILCH__LAST_NOT, FILCH__LAST_FREE };

FILCH__MUST enum filch__last filch__state_release(uint32_t *state)
{
    uint32_t old = filch__and_acq_rel(state, ~(uint32_t)FILCH__TASK_SCHEDULER);
    return (old & FILCH__TASK_REFS) == FILCH__TASK_SCHEDULER ? FILCH__LAST_FREE : FILCH__LAST_NOT;
}

enum filch__joining { FILCH__JOIN_WAIT, FILCH__JOIN_FINISHED };

FILCH__MUST enum filch__joining filch__state_add_joiner(uint32_t *state)
{
    uint32_t old = filch__load_acquire(state);
    do
        if (old & FILCH__TASK_FINISHED)
            return FILCH__JOIN_FINISHED;
    while (!filch__cas_acq_rel(state, &old, old | FILCH__TASK_JOINER));
    return FILCH__JOIN_WAIT;
}

/* WAIT: the joiner is out of it; FINISHED: the end came first. */
FILCH__MUST enum filch__joining filch__state_remove_joiner(uint32_t *state)
{
    uint32_t old = filch__load_acquire(state);
    do
        if (old & FILCH__TASK_FINISHED)
            return FILCH__JOIN_FINISHED;
    while (!filch__cas_acq_rel(state, &old, old & ~(uint32_t)FILCH__TASK_JOINER));
    return FILCH__JOIN_WAIT;
}

enum filch__detach { FILCH__DETACH_DONE, FILCH__DETACH_FINISHED };

/* FINISHED: nothing changed; the result is the caller's to drop, before it drops the handle. */
FILCH__MUST enum filch__detach filch__state_detach(uint32_t *state)
{
    uint32_t old = filch__load_acquire(state);
    do
        if (old & FILCH__TASK_FINISHED)
            return FILCH__DETACH_FINISHED;
    while (!filch__cas_acq_rel(state, &old, old & ~(uint32_t)FILCH__TASK_HANDLE));
    return FILCH__DETACH_DONE;
}

/* Of a finished task whose result was moved or dropped. */
FILCH__MUST enum filch__last filch__state_drop_handle(uint32_t *state)
{
    if ((filch__load_acquire(state) & FILCH__TASK_REFS) == FILCH__TASK_HANDLE)
        return FILCH__LAST_FREE; /* the only reference left: nobody can add one */
    uint32_t old = filch__and_acq_rel(state, ~(uint32_t)FILCH__TASK_HANDLE);
    return (old & FILCH__TASK_REFS) == FILCH__TASK_HANDLE ? FILCH__LAST_FREE : FILCH__LAST_NOT;
}

enum filch__aborting { FILCH__ABORT_NOTHING, FILCH__ABORT_NOTIFY };

/* NOTIFY: it runs: wake what waits in it. */
FILCH__MUST enum filch__aborting filch__state_abort(uint32_t *state)
{
    uint32_t old = filch__or_acq_rel(state, FILCH__TASK_ABORT);
    uint32_t life = old & (FILCH__TASK_RUNNING | FILCH__TASK_FINISHED | FILCH__TASK_ABORT);
    return life == FILCH__TASK_RUNNING ? FILCH__ABORT_NOTIFY : FILCH__ABORT_NOTHING;
}

static inline void filch__state_ref(uint32_t *state)
{
    filch__add_relaxed(state, FILCH__TASK_REF);
}

FILCH__MUST enum filch__last filch__state_unref(uint32_t *state)
{
    uint32_t old = filch__sub_acq_rel(state, FILCH__TASK_REF);
    return (old & FILCH__TASK_REFS) == FILCH__TASK_REF ? FILCH__LAST_FREE : FILCH__LAST_NOT;
}

#endif
