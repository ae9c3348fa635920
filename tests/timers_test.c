/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers on runtimes of several sizes: each fires once and not before its time, whoever armed it
 * and whatever the workers do; a disarm wins or the fire does; the clock's thread comes, sleeps,
 * wakes and goes as promised.
 *
 * How late a timer fires is not looked at, but a case in which one does not fire at all hangs.
 */
#define _GNU_SOURCE 1
#include "sched/clock.h"
#include "sched/os/clock.h"
#include "sched/os/fault.h"
#include "sched/os/memory.h"
#include "sched/runtime.h"
#include "tests/support.h"

#include <dirent.h>
#include <sys/wait.h>

#define MS   INT64_C(1000000)
#define HOUR (3600 * 1000 * MS)

/* A timer that counts. */
struct alarm {
    struct filch__timer timer;
    int64_t when;
    uint32_t fired, after; /* times */
    uint32_t repeats;      /* how often `after` arms it again */
    filch_runtime *rt;
};

static bool count_fire(struct filch__timer *timer)
{
    struct alarm *a = (struct alarm *)timer;
    CHECK(filch__now() >= a->when);
    bool goes_on = a->timer.after != NULL;
    tally(&a->fired); /* afterwards a may be gone, unless it goes on */
    return goes_on;
}

static void arm_at(struct alarm *a, filch_runtime *rt, int64_t when)
{
    a->timer.fire = count_fire;
    a->when = when;
    a->rt = rt;
    filch__timer_arm(rt, &a->timer, when);
}

static void await_fire(struct alarm *a)
{
    SPIN_UNTIL(filch__load_acquire(&a->fired));
}

static filch_runtime *open_with_clock(int workers)
{
    filch_runtime *rt = runtime_open(workers);
    REQUIRE(filch__timers_start(rt) == 0);
    return rt;
}

/* Runs it on runtimes of each size, with a clock. */
static void on_each_size(void (*scene)(filch_runtime *rt, int workers))
{
    for (size_t i = 0; i < COUNT(worker_counts); i++) {
        filch_runtime *rt = open_with_clock(worker_counts[i]);
        scene(rt, worker_counts[i]);
        runtime_close(rt);
    }
}

/* ---- firing ---- */

enum { ALARMS = 300, TASKS = 6 };

struct many {
    filch_runtime *rt;
    uint64_t random;
};

/* Arms many for the next milliseconds, and some in the past, and waits for all of them. */
static void arm_many(struct many *m)
{
    struct alarm *alarm = calloc(ALARMS, sizeof *alarm);
    REQUIRE(alarm);
    for (int i = 0; i < ALARMS; i++) {
        int64_t away = test_random(&m->random, 4 * (uint32_t)MS);
        arm_at(&alarm[i], m->rt, filch__now() + (i % 10 ? away : -away));
    }
    for (int i = 0; i < ALARMS; i++)
        await_fire(&alarm[i]);
    for (int i = 0; i < ALARMS; i++) {
        CHECK(alarm[i].fired == 1);
        CHECK(!filch__timer_disarm(&alarm[i].timer));
    }
    free(alarm);
}

static int many_task(void *m)
{
    arm_many(m);
    return 0;
}

static void *many_thread(void *m)
{
    arm_many(m);
    return NULL;
}

static void fires(filch_runtime *rt, int workers)
{
    (void)workers;
    struct many m[TASKS + 2];
    filch_handle *task[TASKS];
    pthread_t thread[2];
    for (uint64_t i = 0; i < COUNT(m); i++)
        m[i] = (struct many){rt, test_seed() + i};
    for (int i = 0; i < TASKS; i++)
        spawn_on(rt, &task[i], many_task, &m[i]);
    for (int i = 0; i < 2; i++)
        thread[i] = thread_start(many_thread, &m[TASKS + i]);
    for (int i = 0; i < TASKS; i++)
        CHECK(join(task[i]) == 0);
    for (int i = 0; i < 2; i++)
        thread_join(thread[i]);
}

static void from_workers_and_threads(void)
{
    on_each_size(fires);
}

/* More at one time than are fired in one hold of a lock; each once. */
static void crowd(filch_runtime *rt, int workers)
{
    (void)workers;
    enum { CROWD = 5000 };
    struct alarm *alarm = calloc(CROWD, sizeof *alarm);
    REQUIRE(alarm);
    int64_t when = filch__now() + 5 * MS;
    for (int i = 0; i < CROWD; i++)
        arm_at(&alarm[i], rt, when);
    for (int i = 0; i < CROWD; i++)
        await_fire(&alarm[i]);
    for (int i = 0; i < CROWD; i++)
        CHECK(!filch__timer_disarm(&alarm[i].timer) && alarm[i].fired == 1);
    free(alarm);
}

static void many_at_once(void)
{
    on_each_size(crowd);
}

/* Armed by a task that then computes until they have fired. */
static int arm_and_compute(void *arg)
{
    struct alarm alarm[3] = {0};
    for (int i = 0; i < 3; i++)
        arm_at(&alarm[i], arg, filch__now() + i * MS);
    for (int i = 0; i < 3; i++)
        while (!filch__load_acquire(&alarm[i].fired))
            ;
    return 0;
}

static void busy(filch_runtime *rt, int workers)
{
    struct blockers b;
    block_workers(&b, rt, 1, workers);
    struct alarm alarm = {0};
    arm_at(&alarm, rt, filch__now() + MS);
    await_fire(&alarm);
    CHECK(filch__load_acquire(&b.running) == (uint32_t)workers);
    raise_flag(&b.released);
    drain(rt);
    for (int i = 0; i < 20; i++)
        CHECK(filch_run(rt, arm_and_compute, rt) == 0);
}

static void while_all_workers_compute(void)
{
    on_each_size(busy);
}

/* ---- after ---- */

static void count_after(struct filch__timer *timer)
{
    struct alarm *a = (struct alarm *)timer;
    CHECK(!filch__worker_current());
    CHECK(filch__load_acquire(&a->fired) == a->after + 1);
    CHECK(!filch__timer_disarm(timer)); /* it holds no lock */
    if (a->after < a->repeats) {
        filch__store_relaxed(&a->after, a->after + 1);
        arm_at(a, a->rt, filch__now() + a->after % 3 * 30000);
    } else {
        filch__store_release(&a->after, a->after + 1); /* a may be gone */
    }
}

static void repeat(filch_runtime *rt, int workers)
{
    (void)workers;
    struct alarm alarm[20];
    memset(alarm, 0, sizeof alarm);
    for (uint32_t i = 0; i < COUNT(alarm); i++) {
        alarm[i].timer.after = count_after;
        alarm[i].repeats = 10 * i;
        arm_at(&alarm[i], rt, filch__now());
    }
    for (uint32_t i = 0; i < COUNT(alarm); i++) {
        SPIN_UNTIL(filch__load_acquire(&alarm[i].after) == 10 * i + 1);
        CHECK(filch__load_acquire(&alarm[i].fired) == 10 * i + 1);
    }
}

static void after_arms_again(void)
{
    on_each_size(repeat);
}

/* ---- disarm ---- */

static void disarms(filch_runtime *rt, int workers)
{
    (void)workers;
    struct alarm alarm = {0};
    CHECK(!filch__timer_disarm(&alarm.timer)); /* never armed */
    int64_t times[] = {filch__now() + HOUR, filch__now() + 9000 * HOUR, FILCH_NEVER,
                       FILCH_NEVER - 1};
    for (size_t i = 0; i < COUNT(times); i++) {
        arm_at(&alarm, rt, times[i]);
        CHECK(filch__timer_disarm(&alarm.timer));
        CHECK(!filch__timer_disarm(&alarm.timer));
    }
    CHECK(!filch__load_acquire(&alarm.fired));
    arm_at(&alarm, rt, filch__now() + HOUR);
    CHECK(filch__timer_disarm(&alarm.timer));
    arm_at(&alarm, rt, INT64_MIN);
    await_fire(&alarm);
    CHECK(!filch__timer_disarm(&alarm.timer));
    CHECK(alarm.fired == 1);
}

static void disarm_and_arm_again(void)
{
    on_each_size(disarms);
}

struct mover {
    filch_runtime *rt;
    struct alarm alarm;
};

static int arm_in_task(void *arg)
{
    struct mover *m = arg;
    arm_at(&m->alarm, m->rt, filch__now() + HOUR);
    return 0;
}

static int disarm_in_task(void *arg)
{
    struct mover *m = arg;
    return filch__timer_disarm(&m->alarm.timer);
}

static void move_about(filch_runtime *rt, int workers)
{
    (void)workers;
    struct mover m = {.rt = rt};
    for (int i = 0; i < 300; i++) {
        CHECK(filch_run(rt, arm_in_task, &m) == 0);
        CHECK(i % 2 ? filch__timer_disarm(&m.alarm.timer) : filch_run(rt, disarm_in_task, &m) == 1);
        arm_at(&m.alarm, rt, filch__now() + HOUR);
        CHECK(filch_run(rt, disarm_in_task, &m) == 1);
    }
    CHECK(m.alarm.fired == 0);
}

static void armed_here_disarmed_there(void)
{
    on_each_size(move_about);
}

/* Disarms about when it fires. Its memory is poisoned after a disarm, and reused. */
struct racer {
    filch_runtime *rt;
    uint64_t random;
    long races;
    uint64_t disarmed, fired;
};

static void race_once(struct racer *r, struct alarm *a)
{
    memset(a, 0, sizeof *a);
    uint32_t kind = test_random(&r->random, 100);
    int64_t now = filch__now(), when = now + test_random(&r->random, 60000);
    if (kind == 0)
        when = FILCH_NEVER;
    if (kind == 1)
        when = now - MS;
    arm_at(a, r->rt, when);
    int64_t until = now + test_random(&r->random, 120000);
    while (kind > 3 && filch__now() < until)
        if (filch__load_relaxed(&a->fired))
            break;
        else if (kind < 50)
            filch__os_yield();
    if (kind == 1)
        await_fire(a);
    bool disarmed = filch__timer_disarm(&a->timer);
    uint32_t fired = filch__load_acquire(&a->fired);
    CHECK(disarmed ? fired == 0 : fired == 1);
    CHECK(kind > 1 || disarmed == (kind == 0));
    r->disarmed += disarmed;
    r->fired += fired;
    memset(a, 0xa5, sizeof *a);
}

static void race(struct racer *r)
{
    enum { PLACES = 16 };
    struct alarm *place = calloc(PLACES, sizeof *place);
    struct alarm poison;
    REQUIRE(place);
    memset(place, 0xa5, PLACES * sizeof *place);
    memset(&poison, 0xa5, sizeof poison);
    for (long i = 0; i < r->races; i++) {
        struct alarm *a = &place[test_random(&r->random, PLACES)];
        CHECK(memcmp(a, &poison, sizeof poison) == 0);
        race_once(r, a);
    }
    free(place);
}

static void *race_thread(void *r)
{
    race(r);
    return NULL;
}

static int race_task(void *r)
{
    race(r);
    return 0;
}

static void races(filch_runtime *rt, int workers)
{
    (void)workers;
    enum { RACERS = 4 };
    struct racer r[RACERS];
    pthread_t thread[2];
    filch_handle *task[2];
    long each = sized(40000, 100000, 400000) / RACERS;
    for (uint64_t i = 0; i < RACERS; i++)
        r[i] = (struct racer){rt, test_seed() * 3 + i, each, 0, 0};
    for (int i = 0; i < 2; i++) {
        thread[i] = thread_start(race_thread, &r[i]);
        spawn_on(rt, &task[i], race_task, &r[2 + i]);
    }
    for (int i = 0; i < 2; i++) {
        thread_join(thread[i]);
        CHECK(join(task[i]) == 0);
    }
    uint64_t disarmed = 0, fired = 0;
    for (int i = 0; i < RACERS; i++) {
        disarmed += r[i].disarmed;
        fired += r[i].fired;
    }
    printf("       %" PRIu64 " disarmed, %" PRIu64 " fired\n", disarmed, fired);
    CHECK(disarmed + fired == (uint64_t)each * RACERS);
    CHECK(disarmed > 0 && fired > 0);
}

static void disarm_or_fire(void)
{
    on_each_size(races);
}

/* ---- the clock ---- */

static void await_sleep(filch_runtime *rt, int64_t until)
{
    SPIN_UNTIL(filch__load_acquire(&rt->clock->sleeps_until) == until);
}

/* In ns: the time of a tick at or after t, as the clock sees it. */
static int64_t tick_after(int64_t t)
{
    int64_t tick = INT64_C(1) << FILCH__WHEEL_TICK_SHIFT;
    return (t + tick - 1) & -tick;
}

static void sleeps(filch_runtime *rt, int workers)
{
    (void)workers;
    struct filch__clock *clock = rt->clock;
    await_sleep(rt, FILCH_NEVER); /* no timer, no timeout */
    struct alarm late = {0}, later = {0}, soon = {0};
    int64_t hour = filch__now() + HOUR;
    arm_at(&late, rt, hour);
    await_sleep(rt, tick_after(hour));
    uint32_t bell = filch__load_acquire(&clock->bell);
    arm_at(&later, rt, hour + HOUR);
    CHECK(filch__load_acquire(&clock->bell) == bell); /* not woken */
    arm_at(&soon, rt, filch__now() + MS);
    CHECK(filch__load_acquire(&clock->bell) == bell + 1);
    await_fire(&soon);
    CHECK(filch__timer_disarm(&late.timer) && filch__timer_disarm(&later.timer));
    CHECK(late.fired == 0 && later.fired == 0 && soon.fired == 1);
}

static void sleeps_and_wakes(void)
{
    on_each_size(sleeps);
}

/* So many times the clock goes to sleep while somebody arms. */
static void wakes(filch_runtime *rt, int workers)
{
    (void)workers;
    for (long i = sized(3000, 10000, 100000); i > 0; i--) {
        struct alarm a = {0}, b = {0};
        if (i % 2)
            await_sleep(rt, FILCH_NEVER);
        arm_at(&a, rt, filch__now() + i % 7 * 10000);
        if (i % 3 == 0)
            arm_at(&b, rt, filch__now());
        await_fire(&a);
        if (i % 3 == 0)
            await_fire(&b);
        CHECK(!filch__timer_disarm(&a.timer) && !filch__timer_disarm(&b.timer));
    }
}

static void no_wake_is_lost(void)
{
    on_each_size(wakes);
}

static void no_wake_is_lost_fences(void)
{
    filch__asymmetric = false;
    on_each_size(wakes);
    filch__barrier_init_process();
}

/* Threads of this process with that name. */
static int threads_named(const char *name)
{
    DIR *dir = opendir("/proc/self/task");
    REQUIRE(dir);
    int n = 0;
    for (struct dirent *d; (d = readdir(dir));) {
        char path[300], line[64] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", d->d_name);
        FILE *f = fopen(path, "re");
        if (!f)
            continue;
        if (fgets(line, sizeof line, f))
            n += strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == '\n';
        fclose(f);
    }
    closedir(dir);
    return n;
}

struct starter {
    filch_runtime *rt;
    uint32_t *arrived;
};

static void *start_thread(void *arg)
{
    struct starter *s = arg;
    tally(s->arrived);
    SPIN_UNTIL(filch__load_acquire(s->arrived) == 4);
    CHECK(filch__timers_start(s->rt) == 0);
    struct alarm a = {0};
    arm_at(&a, s->rt, filch__now());
    await_fire(&a);
    return NULL;
}

static void one_clock(void)
{
    for (int round = 0; round < 50; round++) {
        filch_runtime *rt;
        filch_options o = {.workers = 1, .name = "a-long-name-of-it"};
        REQUIRE(filch_runtime_create(&rt, &o) == 0);
        CHECK(!rt->clock);
        size_t before = filch__arena_live(rt->arena);
        uint32_t arrived = 0;
        struct starter s = {rt, &arrived};
        pthread_t thread[4];
        for (int i = 0; i < 4; i++)
            thread[i] = thread_start(start_thread, &s);
        for (int i = 0; i < 4; i++)
            thread_join(thread[i]);
        CHECK(threads_named("a-long-nam/time") == 1);
        CHECK(filch__arena_live(rt->arena) > before);
        CHECK(filch_runtime_destroy(rt) == 0);
        CHECK(threads_named("a-long-nam/time") == 0);
    }
}

/* In all states: the thread starts, sleeps, is about to fire. */
static void destroyed(void)
{
    for (int round = 0; round < 300; round++) {
        filch_runtime *rt = open_with_clock(worker_counts[round % 3]);
        struct alarm a = {0};
        if (round % 4 == 1)
            await_sleep(rt, FILCH_NEVER);
        if (round % 4 > 1)
            arm_at(&a, rt, filch__now() + (round % 4 == 2 ? HOUR : 20000));
        if (round % 4 > 1)
            CHECK(filch__timer_disarm(&a.timer) == !filch__load_acquire(&a.fired));
        runtime_close(rt);
    }
}

/* Nothing of it is touched there; a new one works. */
static void lost_to_fork(void)
{
    filch_runtime *rt = open_with_clock(2);
    pid_t pid = fork();
    if (pid == 0) {
        bool good = filch__timers_start(rt) == -ESHUTDOWN;
        filch_runtime *mine;
        struct alarm a = {0};
        good = good && filch_runtime_create(&mine, NULL) == 0 && filch__timers_start(mine) == 0;
        if (good) {
            arm_at(&a, mine, filch__now() + MS);
            await_fire(&a);
            good = filch_runtime_destroy(mine) == 0;
        }
        _exit(good ? 0 : 1);
    }
    int status;
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
    runtime_close(rt);
}

#ifdef FILCH_FAULTS
static void refused_once(filch_runtime *rt, enum filch__fault_kind kind, int error)
{
    size_t before = filch__arena_live(rt->arena);
    filch__fault_arm(kind, 0, false);
    CHECK(filch__timers_start(rt) == error);
    filch__fault_arm(kind, -1, false);
    CHECK(!rt->clock && filch__arena_live(rt->arena) == before);
}

static void refused(void)
{
    for (size_t i = 0; i < COUNT(worker_counts); i++) {
        filch_runtime *rt = runtime_open(worker_counts[i]);
        for (int k = 0; k < 3; k++) {
            refused_once(rt, FILCH__FAULT_ALLOC, -ENOMEM);
            refused_once(rt, FILCH__FAULT_THREAD, -EAGAIN);
        }
        if (i > 0) {
            CHECK(filch__timers_start(rt) == 0);
            struct alarm a = {0};
            arm_at(&a, rt, filch__now() + MS);
            await_fire(&a);
            filch__fault_arm(FILCH__FAULT_ALLOC, 0, true);
            filch__fault_arm(FILCH__FAULT_THREAD, 0, true);
            CHECK(filch__timers_start(rt) == 0); /* nothing is asked for any more */
            filch__fault_arm(FILCH__FAULT_ALLOC, -1, false);
            filch__fault_arm(FILCH__FAULT_THREAD, -1, false);
        }
        runtime_close(rt);
    }
}
#endif

int main(void)
{
    RUN(from_workers_and_threads);
    RUN(many_at_once);
    RUN(while_all_workers_compute);
    RUN(after_arms_again);
    RUN(disarm_and_arm_again);
    RUN(armed_here_disarmed_there);
    run_case_within(300, "disarm_or_fire", disarm_or_fire);
    RUN(sleeps_and_wakes);
    run_case_within(300, "no_wake_is_lost", no_wake_is_lost);
    run_case_within(300, "no_wake_is_lost_fences", no_wake_is_lost_fences);
    RUN(one_clock);
    RUN(destroyed);
    RUN(lost_to_fork);
#ifdef FILCH_FAULTS
    RUN(refused);
#endif
    return summary();
}
