/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of sched/os: threads and affinity masks. The fault case needs -DFILCH_FAULTS. */
#define _GNU_SOURCE 1
#include "sched/os/cpus.h"
#include "sched/os/fault.h"
#include "sched/os/futex.h"
#include "sched/os/thread.h"
#include "tests/os_check.h"

#include <errno.h>
#include <sys/syscall.h>

/* ---- threads ---- */

static struct {
    void *arg;
    char name[16];
    size_t stack;
    sigset_t mask;
} seen;

static void *look(void *arg)
{
    seen.arg = arg;
    pthread_getname_np(pthread_self(), seen.name, sizeof seen.name);
    pthread_attr_t attr;
    void *base;
    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
        pthread_attr_getstack(&attr, &base, &seen.stack);
        pthread_attr_destroy(&attr);
    }
    pthread_sigmask(SIG_SETMASK, NULL, &seen.mask);
    return arg;
}

static void thread_argument_name_and_stack(void)
{
    filch__thread t;
    CHECK(filch__thread_create(&t, look, &t, 4 << 20, "filch-a-long-name") == 0);
    filch__thread_join(&t);
    CHECK(seen.arg == &t && strcmp(seen.name, "filch-a-long-na") == 0 && seen.stack >= 4 << 20);
    char mine[16];
    pthread_getname_np(pthread_self(), mine, sizeof mine);
    CHECK(filch__thread_create(&t, look, NULL, 1, NULL) == 0); /* rounded up to what is needed */
    filch__thread_join(&t);
    CHECK(seen.arg == NULL && strcmp(seen.name, mine) == 0 && seen.stack > 1);
}

static void thread_blocks_signals(void)
{
    static const int open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF};
    sigset_t before, after, original;
    sigemptyset(&before);
    sigaddset(&before, SIGUSR1);
    sigaddset(&before, SIGPROF);
    pthread_sigmask(SIG_SETMASK, &before, &original);
    filch__thread t;
    CHECK(filch__thread_create(&t, look, NULL, 0, "mask") == 0);
    filch__thread_join(&t);
    pthread_sigmask(SIG_SETMASK, &original, &after);
    for (int s = 1; s < SIGRTMAX; s++) {
        CHECK(sigismember(&before, s) == sigismember(&after, s));
        if (s >= 32 && s < SIGRTMIN)
            continue; /* the C library's own */
        bool is_open = s == SIGKILL || s == SIGSTOP;
        for (size_t i = 0; i < sizeof open / sizeof *open; i++)
            is_open |= open[i] == s;
        CHECK(sigismember(&seen.mask, s) == !is_open);
    }
}

static void thread_refused(void)
{
    filch__thread t, before;
    memset(&t, 0x5a, sizeof t);
    before = t;
    CHECK(filch__thread_create(&t, look, NULL, SIZE_MAX, "x") == -EINVAL);
    CHECK(memcmp(&t, &before, sizeof t) == 0);
    CHECK(filch__thread_create(&t, look, NULL, (size_t)1 << 50, "x") < 0);
    CHECK(memcmp(&t, &before, sizeof t) == 0);
}

static void join_self(void)
{
    filch__thread t = {.id = pthread_self()};
    filch__thread_join(&t);
}

static void thread_join_of_self_dies(void)
{
    /* ThreadSanitizer ends such a join itself, in its own words. */
    CHECK(WITH_TSAN || dies(join_self, "filch: join of a thread that cannot be joined\n"));
}

/* ---- CPUs ---- */

static uint32_t may_look;
static int pinned_list[2], pinned_count, pinned_usable, pinned_here;

static void *look_at_cpus(void *arg)
{
    if (arg != NULL)
        CHECK(filch__thread_pin(NULL, *(int *)arg) == 0);
    while (filch__load_acquire(&may_look) == 0)
        filch__futex_wait(&may_look, 0, FILCH__NEVER);
    pinned_count = filch__cpus_list(pinned_list, 2);
    pinned_usable = filch__cpus_usable();
    pinned_here = filch__cpu_here();
    return NULL;
}

static void cpus_pinned(void)
{
    int cpus[1024], n = filch__cpus_list(cpus, 1024);
    for (int i = 0; i < n; i++) {
        filch__thread t;
        may_look = 1;
        CHECK(filch__thread_create(&t, look_at_cpus, &cpus[i], 0, NULL) == 0);
        filch__thread_join(&t);
        CHECK(pinned_count == 1 && pinned_list[0] == cpus[i] && pinned_usable == 1);
        CHECK(pinned_here == cpus[i]);
        may_look = 0;
        CHECK(filch__thread_create(&t, look_at_cpus, NULL, 0, NULL) == 0);
        CHECK(filch__thread_pin(&t, cpus[i]) == 0);
        filch__store_release(&may_look, 1u);
        filch__futex_wake(&may_look, 1);
        filch__thread_join(&t);
        CHECK(pinned_count == 1 && pinned_list[0] == cpus[i] && pinned_usable == 1);
        CHECK(pinned_here == cpus[i]);
    }
    CHECK(filch__thread_pin(NULL, -1) == -EINVAL);
    CHECK(filch__thread_pin(NULL, 1 << 19) == -EINVAL);
    CHECK(filch__cpus_list(cpus, 1024) == n);
}

static void cpus_list_and_count(void)
{
    static cpu_set_t set;
    int cpus[1025], n = filch__cpus_list(cpus, 1024);
    CHECK(sched_getaffinity(0, sizeof set, &set) == 0 && n == CPU_COUNT(&set));
    for (int i = 0; i < n; i++)
        CHECK(CPU_ISSET(cpus[i], &set) && (i == 0 || cpus[i - 1] < cpus[i]));
    CHECK(filch__cpus_usable() >= 1 && filch__cpus_usable() <= n);
    cpus[n - 1] = -7;
    CHECK(filch__cpus_list(cpus, n - 1) == n - 1 && cpus[n - 1] == -7);
    CHECK(filch__cpus_list(NULL, 0) == 0);
}

/* As on a machine whose kernel counts more than 8,000 CPUs. */
static bool cpus_large_mask(void)
{
    int before[64], after[64], n = filch__cpus_list(before, 64), usable = filch__cpus_usable();
    return refuse(SYS_sched_getaffinity, EINVAL, 1024) && filch__cpus_list(after, 64) == n &&
           memcmp(before, after, (size_t)n * sizeof *before) == 0 && filch__cpus_usable() == usable;
}

static bool cpus_no_mask(void)
{
    int cpu;
    return refuse(SYS_sched_getaffinity, EPERM, UINT32_MAX) &&
           filch__cpus_list(&cpu, 1) == -EPERM && filch__cpus_usable() >= 1;
}

static bool cpus_endless_mask(void)
{
    int cpu;
    return refuse(SYS_sched_getaffinity, EINVAL, UINT32_MAX) &&
           filch__cpus_list(&cpu, 1) == -EINVAL && filch__cpus_usable() >= 1;
}

static void cpus_odd_masks(void)
{
    CHECK(in_child(cpus_large_mask));
    CHECK(in_child(cpus_no_mask));
    CHECK(in_child(cpus_endless_mask));
}

#ifdef FILCH_FAULTS

static void threads_and_cpus_refused(void)
{
    filch__thread t, before;
    memset(&t, 0x5a, sizeof t);
    before = t;
    filch__fault_arm(FILCH__FAULT_THREAD, 0, false);
    CHECK(filch__thread_create(&t, look, NULL, 0, NULL) == -EAGAIN);
    CHECK(memcmp(&t, &before, sizeof t) == 0);
    CHECK(filch__thread_create(&t, look, NULL, 0, NULL) == 0);
    filch__thread_join(&t);
    filch__fault_arm(FILCH__FAULT_THREAD, -1, false);
    filch__fault_arm(FILCH__FAULT_ALLOC, 0, true);
    int cpu = -7;
    CHECK(filch__cpus_list(&cpu, 1) == -ENOMEM && cpu == -7);
    CHECK(filch__cpus_usable() >= 1);
    CHECK(filch__thread_pin(NULL, 0) == -ENOMEM);
    filch__fault_arm(FILCH__FAULT_ALLOC, -1, false);
}

static void fault_cases(void)
{
    run_case("fault: threads and cpus", threads_and_cpus_refused);
}

#else

static void fault_cases(void) {}

#endif

int main(void)
{
    run_case("thread: argument, name and stack", thread_argument_name_and_stack);
    run_case("thread: blocks signals", thread_blocks_signals);
    run_case("thread: refused", thread_refused);
    run_case("thread: join of self dies", thread_join_of_self_dies);
    run_case("cpus: list and count", cpus_list_and_count);
    run_case("cpus: pinned", cpus_pinned);
    run_case("cpus: odd masks", cpus_odd_masks);
    fault_cases();
    return summary();
}
