/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of sched/os, save memory, threads and CPUs, which have programs of their own. */
#define _GNU_SOURCE 1
#include "sched/os/clock.h"
#include "sched/os/fault.h"
#include "sched/os/futex.h"
#include "sched/os/membarrier.h"
#include "sched/os/random.h"
#include "sched/os/thread.h"
#include "tests/os_check.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

/* ---- futex ---- */

static void futex_returns_without_waiting(void)
{
    uint32_t word = 5;
    CHECK(filch__futex_wait(&word, 4, FILCH__NEVER) == 0);
    CHECK(filch__futex_wait(&word, 4, 0) == 0);
    CHECK(filch__futex_wait(&word, 5, 0) == -ETIMEDOUT);
    CHECK(filch__futex_wait(&word, 5, -1) == -ETIMEDOUT);
    CHECK(filch__futex_wait(&word, 5, INT64_MIN) == -ETIMEDOUT);
    CHECK(filch__futex_wait(&word, 5, filch__now()) == -ETIMEDOUT);
}

static void futex_waits_until_the_deadline(void)
{
    uint32_t word = 0;
    int64_t deadline = filch__now() + 20 * 1000 * 1000;
    int r;
    while ((r = filch__futex_wait(&word, 0, deadline)) == 0)
        ;
    CHECK(r == -ETIMEDOUT && filch__now() >= deadline);
}

enum { FUTEX_ROUNDS = 5000 };
static uint32_t ball;

static void *play(void *arg)
{
    uint32_t mine = (uint32_t)(uintptr_t)arg;
    for (int i = 0; i < FUTEX_ROUNDS; i++) {
        while (filch__load_acquire(&ball) != mine)
            CHECK(filch__futex_wait(&ball, 1 - mine, FILCH__NEVER) == 0);
        filch__store_release(&ball, 1 - mine);
        filch__futex_wake(&ball, 1);
    }
    return NULL;
}

static void futex_wakes(void)
{
    filch__thread other;
    ball = 0;
    CHECK(filch__thread_create(&other, play, (void *)1, 0, NULL) == 0);
    play((void *)0);
    filch__thread_join(&other);
    CHECK(ball == 0);
}

static uint32_t door, through;

static void *pass_door(void *arg)
{
    (void)arg;
    while (filch__load_acquire(&door) == 0)
        filch__futex_wait(&door, 0, FILCH__NEVER);
    filch__add_acq_rel(&through, 1u);
    return NULL;
}

static void futex_wakes_all(void)
{
    filch__thread thread[4];
    door = through = 0;
    for (int i = 0; i < 4; i++)
        CHECK(filch__thread_create(&thread[i], pass_door, NULL, 0, NULL) == 0);
    filch__store_release(&door, 1u);
    filch__futex_wake(&door, INT32_MAX);
    for (int i = 0; i < 4; i++)
        filch__thread_join(&thread[i]);
    CHECK(through == 4);
}

static void on_signal(int signal_number)
{
    (void)signal_number;
}
static uint32_t never_changed, interrupted;

static void *wait_for_signal(void *arg)
{
    sigset_t usr1;
    (void)arg;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
    CHECK(filch__futex_wait(&never_changed, 0, FILCH__NEVER) == 0);
    filch__store_release(&interrupted, 1u);
    return NULL;
}

static void futex_interrupted_is_no_error(void)
{
    struct sigaction before, action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, &before);
    filch__thread thread;
    interrupted = 0;
    CHECK(filch__thread_create(&thread, wait_for_signal, NULL, 0, NULL) == 0);
    while (filch__load_acquire(&interrupted) == 0) {
        pthread_kill(thread.id, SIGUSR1);
        filch__os_yield();
    }
    filch__thread_join(&thread);
    sigaction(SIGUSR1, &before, NULL);
}

static void futex_wake_of_memory_that_is_gone(void)
{
    uint32_t *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(word != MAP_FAILED && munmap(word, 4096) == 0);
    filch__futex_wake(word, 1);
}

/* ---- membarrier: the refused child comes first, for the answer never changes ---- */

static bool membarrier_without(void)
{
    return refuse(SYS_membarrier, ENOSYS, UINT32_MAX) && !filch__membarrier_available() &&
           !filch__membarrier_available();
}

static void membarrier_refused(void)
{
    CHECK(in_child(membarrier_without));
}

static bool membarrier_in_child(void)
{
    filch__membarrier();
    return filch__membarrier_available();
}

static void membarrier_lost(void)
{
    if (refuse(SYS_membarrier, EPERM, UINT32_MAX))
        filch__membarrier();
}

enum { DEKKER_ROUNDS = 10000 };

/*
 * Each side stores its flag, then reads the other's: both must not read 0. The light side has no
 * fence of the hardware.
 */
static struct {
    _Alignas(64) unsigned light, heavy;
    _Alignas(64) unsigned started, ended; /* thread arrivals, two a round */
    unsigned light_saw, heavy_saw;
} dekker;

static void *dekker_light(void *arg)
{
    (void)arg;
    for (unsigned i = 1; i <= DEKKER_ROUNDS; i++) {
        meet(&dekker.started, 2 * i);
        filch__store_relaxed(&dekker.light, i);
        filch__fence_compiler();
        dekker.light_saw = filch__load_relaxed(&dekker.heavy);
        meet(&dekker.ended, 2 * i);
    }
    return NULL;
}

static void membarrier_orders(void)
{
    filch__thread thread;
    int missed = 0;
    dekker.light = dekker.heavy = dekker.started = dekker.ended = 0;
    CHECK(filch__thread_create(&thread, dekker_light, NULL, 0, NULL) == 0);
    for (unsigned i = 1; i <= DEKKER_ROUNDS; i++) {
        meet(&dekker.started, 2 * i);
        filch__store_relaxed(&dekker.heavy, i);
        filch__membarrier();
        dekker.heavy_saw = filch__load_relaxed(&dekker.light);
        meet(&dekker.ended, 2 * i);
        missed += dekker.light_saw != i && dekker.heavy_saw != i;
    }
    filch__thread_join(&thread);
    CHECK(missed == 0);
}

static void membarrier_works(void)
{
    if (!filch__membarrier_available()) {
        printf("       (no membarrier on this system)\n");
        return;
    }
    filch__membarrier();
    CHECK(in_child(membarrier_in_child));
    CHECK(dies(membarrier_lost, "filch: membarrier, once available, is refused\n"));
    membarrier_orders();
}

/* ---- clock, random ---- */

static void clock_is_monotonic_time(void)
{
    struct timespec t;
    int64_t before = filch__now();
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t after = filch__now(), between = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    CHECK(before <= between && between <= after);
    filch__cpu_relax();
    filch__os_yield();
}

static void random_is_splitmix64(void)
{
    uint64_t state = 1234567;
    CHECK(filch__random(&state) == UINT64_C(6457827717110365317));
    CHECK(filch__random(&state) == UINT64_C(3203168211198807973));
    CHECK(filch__random(&state) == UINT64_C(9817491932198370423));
}

static void random_below_is_even(void)
{
    uint64_t state = 0;
    unsigned count[7] = {0};
    for (int i = 0; i < 70000; i++) {
        uint32_t k = filch__random_below(&state, 7);
        CHECK(k < 7);
        count[k < 7 ? k : 0]++;
    }
    for (int k = 0; k < 7; k++)
        CHECK(count[k] > 9500 && count[k] < 10500);
    CHECK(filch__random_below(&state, 1) == 0);
}

/* ---- faults ---- */

#ifdef FILCH_FAULTS

static void fault_nth_and_sticky(void)
{
    filch__fault_arm(FILCH__FAULT_MMAP, 2, false);
    CHECK(!filch__fault_mmap() && !filch__fault_mmap() && filch__fault_mmap());
    CHECK(!filch__fault_mmap() && filch__fault_seen(FILCH__FAULT_MMAP) == 4);
    filch__fault_arm(FILCH__FAULT_MMAP, 1, true);
    CHECK(filch__fault_seen(FILCH__FAULT_MMAP) == 0);
    CHECK(!filch__fault_mmap() && filch__fault_mmap() && filch__fault_mmap());
    filch__fault_arm(FILCH__FAULT_MMAP, FILCH__FAULT_NTH_MAX, true);
    CHECK(!filch__fault_mmap());
    filch__fault_arm(FILCH__FAULT_MMAP, FILCH__FAULT_NTH_MAX + 1, true);
    CHECK(!filch__fault_mmap());
    filch__fault_arm(FILCH__FAULT_MMAP, -1, true);
    CHECK(!filch__fault_mmap() && filch__fault_seen(FILCH__FAULT_MMAP) == 1);
}

static unsigned fault_arrived, faults_hit;

static void *fault_many(void *arg)
{
    (void)arg;
    meet(&fault_arrived, 2);
    for (int i = 0; i < 20000; i++) {
        if (filch__fault_mmap())
            filch__add_relaxed(&faults_hit, 1u);
    }
    return NULL;
}

static void fault_exactly_one_among_threads(void)
{
    filch__thread other;
    fault_arrived = faults_hit = 0;
    filch__fault_arm(FILCH__FAULT_MMAP, 20000, false);
    CHECK(filch__thread_create(&other, fault_many, NULL, 0, NULL) == 0);
    fault_many(NULL);
    filch__thread_join(&other);
    CHECK(faults_hit == 1 && filch__fault_seen(FILCH__FAULT_MMAP) == 40000);
    filch__fault_arm(FILCH__FAULT_MMAP, -1, false);
}

static void fault_cases(void)
{
    run_case("fault: the nth, and all after it", fault_nth_and_sticky);
    run_case("fault: exactly one among threads", fault_exactly_one_among_threads);
}

#else

static void fault_off(void)
{
    CHECK(!filch__fault_alloc() && !filch__fault_mmap() && !filch__fault_thread());
}

static void fault_cases(void)
{
    run_case("fault: compiled out", fault_off);
}

#endif

int main(void)
{
    run_case("membarrier: refused by the system", membarrier_refused);
    run_case("membarrier: works, in a child too", membarrier_works);
    run_case("futex: returns without waiting", futex_returns_without_waiting);
    run_case("futex: waits until the deadline", futex_waits_until_the_deadline);
    run_case("futex: wakes", futex_wakes);
    run_case("futex: wakes all", futex_wakes_all);
    run_case("futex: interrupted is no error", futex_interrupted_is_no_error);
    run_case("futex: wake of memory that is gone", futex_wake_of_memory_that_is_gone);
    run_case("clock: monotonic time", clock_is_monotonic_time);
    run_case("random: SplitMix64", random_is_splitmix64);
    run_case("random: below is even", random_below_is_even);
    fault_cases();
    return summary();
}
