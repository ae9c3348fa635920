/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers on runtimes of several sizes: each fires once and not before its time, whoever armed it
 * and whatever the workers do; a disarm wins or the fire does.
 *
 * How late a timer fires is not looked at, but a case in which one does not fire at all hangs.
 */
#define _GNU_SOURCE 1
#include "tests/alarm.h"

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

static void count_after(void *alarm)
{
    struct alarm *a = alarm;
    CHECK(!filch__worker_current());
    CHECK(filch__load_acquire(&a->fired) == a->after + 1);
    CHECK(!filch__timer_disarm(&a->timer)); /* it holds no lock */
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
        alarm[i].later = count_after;
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

int main(void)
{
    RUN(from_workers_and_threads);
    RUN(many_at_once);
    RUN(while_all_workers_compute);
    RUN(after_arms_again);
    RUN(disarm_and_arm_again);
    RUN(armed_here_disarmed_there);
    run_case_within(300, "disarm_or_fire", disarm_or_fire);
    return summary();
}
