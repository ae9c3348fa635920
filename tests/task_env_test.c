/* SPDX-License-Identifier: Apache-2.0 */
/* errno and the floating-point control words: a task's own, wherever it runs, and no other's. */
#include "tests/support.h"

#include <fenv.h>

#if defined(__x86_64__)
#define CONTROL_BITS 0xffc0u /* of MXCSR: all but the status flags */

static inline unsigned control_get(void)
{
    return __builtin_ia32_stmxcsr() & CONTROL_BITS;
}

static inline void control_set(unsigned control)
{
    __builtin_ia32_ldmxcsr(control);
}

/* Flush to zero, denormals are zero, and a rounding mode: what kernels like to set. */
static unsigned control_number(int i)
{
    return 0x1f80u | (i & 1 ? 0x8040u : 0) | (unsigned)(i / 2 % 4) << 13;
}
#elif defined(__aarch64__)
static inline unsigned control_get(void)
{
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return (unsigned)fpcr;
}

static inline void control_set(unsigned control)
{
    uint64_t fpcr = control;
    __asm__ volatile("msr fpcr, %0" : : "r"(fpcr));
}

static unsigned control_number(int i)
{
    return (i & 1 ? 1u << 24 : 0) | (unsigned)(i / 2 % 4) << 22;
}
#else
static unsigned control_get(void)
{
    return (unsigned)fegetround();
}

static void control_set(unsigned control)
{
    fesetround((int)control);
}

static unsigned control_number(int i)
{
    return (unsigned)(i & 1 ? FE_UPWARD : FE_TONEAREST);
}
#endif

static const int rounding[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};

/* A compiler may keep errno's address over a call that changes the thread. */
__attribute__((noinline)) static int errno_now(void)
{
    __asm__ volatile("");
    return errno;
}

__attribute__((noinline)) static void errno_become(int value)
{
    __asm__ volatile("");
    errno = value;
}

__attribute__((noinline)) static pthread_t thread_now(void)
{
    __asm__ volatile("");
    return pthread_self();
}

/* ---- over suspension and migration ---- */

struct own {
    int number;
    uint32_t migrations;
};

static int return_number(void *n)
{
    return (int)(intptr_t)n;
}

static int keep_environment(void *arg)
{
    struct own *o = arg;
    pthread_t last = thread_now();
    errno_become(1000 + o->number);
    unsigned control = control_number(o->number);
    control_set(control);
    for (int i = 0; i < 200; i++) {
        if (i % 8 == 7) {
            filch_handle *h;
            REQUIRE(filch_spawn(&h, return_number, NULL) == 0);
            CHECK(filch_join(h, NULL) == 0);
        } else {
            CHECK(filch_yield() == 0);
        }
        CHECK(errno_now() == 1000 + o->number);
        CHECK(control_get() == control);
        pthread_t here = thread_now();
        o->migrations += !pthread_equal(here, last);
        last = here;
    }
    return 0;
}

static void environment_stays_with_the_task(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        enum { TASKS = 64 };
        uint32_t migrations = 0;
        filch_runtime *rt = runtime_open(worker_counts[w]);
        /* Migration is the scheduler's choice: repeated until there was some. */
        do {
            struct own own[TASKS];
            filch_handle *h[TASKS];
            for (int i = 0; i < TASKS; i++) {
                own[i] = (struct own){.number = i};
                spawn_on(rt, &h[i], keep_environment, &own[i]);
            }
            for (int i = 0; i < TASKS; i++) {
                CHECK(join(h[i]) == 0);
                migrations += own[i].migrations;
            }
        } while (worker_counts[w] > 1 && migrations == 0);
        CHECK(worker_counts[w] > 1 || migrations == 0);
        runtime_close(rt);
    }
}

/* ---- from one task to the next ---- */

static int change_rounding(void *arg)
{
    intptr_t i = (intptr_t)arg;
    CHECK(fegetround() == FE_TONEAREST);
    CHECK(control_get() == control_number(0));
    CHECK(fesetround(rounding[i % 4]) == 0);
    control_set(control_number((int)i));
    if (i % 3 == 0)
        CHECK(filch_yield() == 0);
    CHECK(control_get() == control_number((int)i));
    return 0;
}

static int change_rounding_in_a_job(void *arg)
{
    filch_job job = FILCH_JOB(change_rounding, arg);
    filch_fork(&job);
    if ((intptr_t)arg % 2)
        for (int i = 0; i < 30; i++)
            sched_yield(); /* time for a thief */
    CHECK(control_get() == control_number(0));
    int rc = filch_sync(&job);
    control_set(control_number(0));
    return rc;
}

static void rounding_does_not_leak(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        filch_handle *h[64];
        for (int round = 0; round < 10; round++) {
            filch_fn *fn = round % 2 ? change_rounding_in_a_job : change_rounding;
            for (size_t i = 0; i < COUNT(h); i++)
                spawn_on(rt, &h[i], fn, (void *)i);
            for (size_t i = 0; i < COUNT(h); i++)
                CHECK(join(h[i]) == 0);
        }
        runtime_close(rt);
    }
    CHECK(fegetround() == FE_TONEAREST);
}

int main(void)
{
    RUN(environment_stays_with_the_task);
    RUN(rounding_does_not_leak);
    return summary();
}
