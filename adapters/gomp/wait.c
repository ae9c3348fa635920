/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE 1
#include "adapters/gomp/wait.h"

#include "adapters/gomp/task.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SPINS = 200, YIELDS = 20 };

/* Of who waits for events of tasks, ns: see omp_fulfill_event. */
#define NAP 1000000

static void sleep_on(const uint32_t *word, uint32_t seen, const struct timespec *timeout)
{
    int saved = errno;
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, timeout, NULL, 0);
    errno = saved;
}

void filch__omp_futex_wait(const uint32_t *word, uint32_t seen)
{
    sleep_on(word, seen, NULL);
}

void filch__omp_futex_wake(const uint32_t *word, int n)
{
    int saved = errno;
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
    errno = saved;
}

void filch__omp_lock_slow(uint32_t *lock)
{
    for (;;) {
        for (int i = 0; i < SPINS; i++) {
            uint32_t free = 0;
            if (filch__load_relaxed(lock) == 0 && filch__cas_acq_rel(lock, &free, 1u))
                return;
            filch__omp_pause();
        }
        sched_yield();
    }
}

void filch__omp_notify(struct filch__omp_region *r)
{
    /* Pairs with sleep_in: either it sees the change, or this sees the sleeper. */
    if (filch__load_seq_cst(&r->sleepers) == 0)
        return;
    filch__add_seq_cst(&r->events, 1u);
    filch__omp_futex_wake(&r->events, INT_MAX);
}

static bool run_one(struct filch__omp_self *self, enum filch__omp_help help, bool all)
{
    if (help == FILCH__OMP_ALL_TASKS)
        return filch__omp_run_any(self);
    return help == FILCH__OMP_DESCENDANTS && filch__omp_run_descendant(self, all);
}

/* Returns at the next event, or if there is something to do. */
static void sleep_in(struct filch__omp_self *self, enum filch__omp_help help, bool (*ready)(void *),
                     void *ctx)
{
    static const struct timespec nap = {0, NAP};
    struct filch__omp_region *r = self->region;
    filch__add_seq_cst(&r->sleepers, 1u);
    uint32_t seen = filch__load_seq_cst(&r->events);
    if (!ready(ctx) && !run_one(self, help, true))
        sleep_on(&r->events, seen, filch__load_relaxed(&r->detached) ? &nap : NULL);
    filch__sub_seq_cst(&r->sleepers, 1u);
}

void filch__omp_wait(struct filch__omp_self *self, enum filch__omp_help help,
                     bool (*ready)(void *ctx), void *ctx)
{
    for (int turn = 0; !ready(ctx); turn++) {
        if (run_one(self, help, false))
            turn = 0;
        else if (turn < SPINS)
            filch__omp_pause();
        else if (turn < SPINS + YIELDS)
            sched_yield();
        else
            sleep_in(self, help, ready, ctx);
    }
}
