/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/os/chaos.h"

#ifdef FILCH_CHAOS

#include "sched/os/clock.h"
#include "sched/os/random.h"

#include <filch/atomic.h>
#include <stdlib.h>

/* Once in so many calls, when it is wildest. Powers of two, so that one number decides all. */
#define RELAX 8
#define YIELD 32
#define SLEEP 512
#define MISS  2
#define WAKE  4
#define STRAY 2

/* Most turns of a pause, and nanoseconds of a nap; the system adds its slack to the latter. */
#define TURNS 64
#define NAP   20000

/*
 * Each thread has its own weather, for so many numbers: all is 4^calm times rarer. So threads differ
 * in speed, and what is seldom is not always hidden by what is frequent.
 */
#define SPELL 1024
#define CALMS 4

static struct {
    uint64_t seed;    /* written before there are threads */
    uint32_t threads; /* that have drawn */
} chaos;

static _Thread_local struct {
    uint64_t state; /* 0: has not drawn */
    uint32_t left;  /* of the spell */
    uint32_t shift; /* 2 * calm */
} mine __attribute__((tls_model("initial-exec")));

__attribute__((constructor)) static void choose_seed(void)
{
    const char *wanted = getenv("FILCH_CHAOS_SEED");
    chaos.seed = wanted ? strtoull(wanted, NULL, 0) : (uint64_t)filch__now() ^ (uintptr_t)&wanted;
}

/*
 * A number whose remainder by each rate above decides. Not inline, so that no caller keeps the
 * address of `mine` over its own move to another thread. A signal handler that draws in the midst of
 * this makes a number come twice, or a spell longer, which is as good.
 */
__attribute__((noinline)) static uint64_t draw(uint32_t *shift)
{
    if (!mine.state) {
        uint64_t mixed = chaos.seed + filch__add_relaxed(&chaos.threads, 1u);
        mine.state = filch__random(&mixed) | 1;
    }
    if (mine.left-- == 0) {
        mine.left = SPELL;
        mine.shift = 2 * filch__random_below(&mine.state, CALMS);
    }
    *shift = mine.shift;
    return filch__random(&mine.state);
}

static bool hits(uint64_t drawn, uint32_t shift, uint32_t rate)
{
    return (drawn & (((uint64_t)rate << shift) - 1)) == 0;
}

static bool once_in(uint32_t rate)
{
    uint32_t shift;
    uint64_t drawn = draw(&shift);
    return hits(drawn, shift, rate);
}

static void let_pass(bool asleep)
{
    uint32_t shift;
    uint64_t drawn = draw(&shift);
    if (!hits(drawn, shift, RELAX))
        return;
    if (asleep && hits(drawn, shift, SLEEP))
        filch__os_sleep_until(filch__now() + (int64_t)((drawn >> 32) % NAP));
    else if (hits(drawn, shift, YIELD))
        filch__os_yield();
    else
        for (uint64_t turns = (drawn >> 32) % TURNS; turns > 0; turns--)
            filch__cpu_relax();
}

void filch__chaos_pause(void)
{
    let_pass(false);
}

void filch__chaos_nap(void)
{
    let_pass(true);
}

bool filch__chaos_miss(void)
{
    return once_in(MISS);
}

bool filch__chaos_wake(void)
{
    return once_in(WAKE);
}

bool filch__chaos_stray(uint32_t workers)
{
    return workers > 1 && once_in(STRAY);
}

uint32_t filch__chaos_among(uint32_t usual, uint32_t n)
{
    uint32_t shift;
    uint64_t drawn = draw(&shift);
    return hits(drawn, shift, 1) ? (uint32_t)((drawn >> 32) % n) : usual;
}

#endif
