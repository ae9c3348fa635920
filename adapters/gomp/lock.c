/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks and critical sections. They hold the thread of who waits, and are no locks of filch's, which
 * suspend: code of OpenMP knows its thread by its number and its thread-locals, also after it had to
 * wait. The owner is another thread that runs, so it needs nothing of the waiter's.
 */
#include "adapters/gomp/wait.h"

enum { FREE, HELD, CONTENDED, SPINS = 100 };

static bool try_lock(uint32_t *lock)
{
    uint32_t seen = FREE;
    return filch__cas_acq_rel(lock, &seen, (uint32_t)HELD);
}

static void lock_slow(uint32_t *lock)
{
    for (int i = 0; i < SPINS; i++) {
        if (filch__load_relaxed(lock) == FREE && try_lock(lock))
            return;
        filch__omp_pause();
    }
    /* Who has slept does not know whether others still do. */
    while (filch__exchange_acquire(lock, (uint32_t)CONTENDED) != FREE)
        filch__omp_futex_wait(lock, CONTENDED);
}

static void lock(uint32_t *lock)
{
    if (filch__unlikely(!try_lock(lock)))
        lock_slow(lock);
}

static void unlock(uint32_t *lock)
{
    if (filch__exchange_acq_rel(lock, (uint32_t)FREE) == CONTENDED)
        filch__omp_futex_wake(lock, 1);
}

/* ---- constructs ---- */

static uint32_t unnamed __attribute__((aligned(64)));
static uint32_t of_atomics __attribute__((aligned(64)));

void GOMP_critical_start(void)
{
    lock(&unnamed);
}

void GOMP_critical_end(void)
{
    unlock(&unnamed);
}

/* The name is a word of the program's, zero at first. */
void GOMP_critical_name_start(void **name)
{
    lock((uint32_t *)(void *)name);
}

void GOMP_critical_name_end(void **name)
{
    unlock((uint32_t *)(void *)name);
}

void GOMP_atomic_start(void)
{
    lock(&of_atomics);
}

void GOMP_atomic_end(void)
{
    unlock(&of_atomics);
}

/* ---- <omp.h> ---- */

void omp_init_lock(uint32_t *lock)
{
    *lock = FREE;
}

void omp_init_lock_with_hint(uint32_t *lock, int hint)
{
    (void)hint;
    *lock = FREE;
}

void omp_destroy_lock(uint32_t *lock)
{
    (void)lock;
}

void omp_set_lock(uint32_t *l)
{
    lock(l);
}

void omp_unset_lock(uint32_t *l)
{
    unlock(l);
}

int omp_test_lock(uint32_t *l)
{
    return try_lock(l);
}

/* A nestable lock belongs to a task. Others may read the owner, but never find themselves. */
static bool is_mine(struct filch__omp_nest_lock *l, void *me)
{
    return filch__load_relaxed(&l->owner) == me;
}

static int own(struct filch__omp_nest_lock *l, void *me)
{
    filch__store_relaxed(&l->owner, me);
    return l->count = 1;
}

void omp_init_nest_lock(struct filch__omp_nest_lock *l)
{
    *l = (struct filch__omp_nest_lock){0};
}

void omp_init_nest_lock_with_hint(struct filch__omp_nest_lock *l, int hint)
{
    (void)hint;
    omp_init_nest_lock(l);
}

void omp_destroy_nest_lock(struct filch__omp_nest_lock *l)
{
    (void)l;
}

void omp_set_nest_lock(struct filch__omp_nest_lock *l)
{
    void *me = filch__omp_self()->task;
    if (is_mine(l, me)) {
        l->count++;
        return;
    }
    lock(&l->lock);
    own(l, me);
}

void omp_unset_nest_lock(struct filch__omp_nest_lock *l)
{
    if (--l->count > 0)
        return;
    filch__store_relaxed(&l->owner, NULL);
    unlock(&l->lock);
}

int omp_test_nest_lock(struct filch__omp_nest_lock *l)
{
    void *me = filch__omp_self()->task;
    if (is_mine(l, me))
        return ++l->count;
    return try_lock(&l->lock) ? own(l, me) : 0;
}
