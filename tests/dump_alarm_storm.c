/* SPDX-License-Identifier: Apache-2.0 */
/* filch_dump raises no false alarm while tasks and threads lock, wait, join and end at full speed. */
#include "tests/graph_check.h"

enum { LOCKS = 4, WORKERS_OF_STORM = 12 };

static struct storm {
    filch_mutex lock[LOCKS];
    filch_rwlock rwlock;
    filch_semaphore semaphore;
    filch_channel ping, pong;
    filch_notify notify;
    uint32_t stop;
} storm;

static void lock_some(uint32_t n)
{
    int a = (int)(n % LOCKS), b = a + 1 + (int)(n / LOCKS % LOCKS);
    if (filch_mutex_lock(&storm.lock[a]) < 0) {
        CHECK(filch_cancelled());
        return;
    }
    if (b < LOCKS)
        unlock(&storm.lock[b], filch_mutex_lock(&storm.lock[b]));
    if (n % 3 == 0)
        (void)filch_yield();
    unlock(&storm.lock[a], 0);
}

static int lock_one(void *arg)
{
    lock_some((uint32_t)(uintptr_t)arg);
    return 0;
}

static void select_some(uint32_t n)
{
    filch_lock_future lock[2] = {FILCH_LOCK_FUTURE(&storm.lock[n % LOCKS]),
                                 FILCH_LOCK_FUTURE(&storm.lock[(n + 1) % LOCKS])};
    filch_sleep_future sleep = FILCH_SLEEP_FUTURE(filch_now() + 1000 * (int64_t)(n % 50));
    filch_future *any[] = {&lock[0].future, &lock[1].future, n % 2 ? &sleep.future : NULL};
    int first_one = filch_select(any, 3);
    CHECK(first_one >= 0);
    if (first_one < 2)
        unlock(&storm.lock[(n + (uint32_t)first_one) % LOCKS], 0);
    filch_future_drop_all(any, 3);
}

static void spawn_some(uint32_t n)
{
    filch_handle *h;
    filch_scope s;
    CHECK(filch_scope_open(&s, NULL) == 0);
    CHECK(filch_scope_spawn(&s, &h, lock_one, (void *)(uintptr_t)n) == 0);
    CHECK(filch_scope_spawn(&s, NULL, lock_one, (void *)(uintptr_t)(n / 7)) == 0);
    if (n % 2)
        CHECK(filch_mutex_lock(&storm.lock[LOCKS - 1]) >= 0);
    if (n % 2)
        unlock(&storm.lock[LOCKS - 1], 0);
    CHECK(filch_join(h, NULL) == 0);
    filch_lock_future lock = FILCH_LOCK_FUTURE(&storm.lock[n % LOCKS]);
    if (n % 5 == 0 && filch_scope_spawn(&s, &h, lock_one, (void *)(uintptr_t)n) == 0) {
        filch_abort(h);
        filch_detach(h);
    }
    unlock(&storm.lock[n % LOCKS], filch_await_until(&lock.future, filch_now() + 10000));
    (void)filch_scope_close(&s);
}

static int one_of_storm(void *arg)
{
    for (uint32_t n = (uint32_t)(uintptr_t)arg; !flag_up(&storm.stop); n += 13)
        switch (n % 5) {
        case 0:
            spawn_some(n);
            break;
        case 1:
            select_some(n);
            break;
        case 2:
            CHECK(filch_semaphore_acquire(&storm.semaphore, 1) == 0);
            lock_some(n);
            CHECK(filch_semaphore_release(&storm.semaphore, 1) == 0);
            break;
        case 3:
            CHECK(n % 2 ? filch_rwlock_write_lock(&storm.rwlock) == 0
                        : filch_rwlock_read_lock(&storm.rwlock) == 0);
            lock_some(n);
            CHECK(n % 2 ? filch_rwlock_write_unlock(&storm.rwlock) == 0
                        : filch_rwlock_read_unlock(&storm.rwlock) == 0);
            break;
        default:
            lock_some(n);
            break;
        }
    return 0;
}

static void *thread_of_storm(void *arg)
{
    for (uint32_t n = 1; !flag_up(&storm.stop); n++)
        lock_some(n);
    return arg;
}

static void dump_without_verdict(long times)
{
    for (long i = 0; i < times; i++) {
        int rc;
        char *text = dump_text(&rc);
        bool good = rc == 0 && verdicts(text) == 0;
        CHECK(good);
        if (!good)
            fprintf(stderr, "%s", text);
        free(text);
    }
}

static void test_storm(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = open_scene(worker_counts[w]);
        filch_handle *h[WORKERS_OF_STORM];
        storm = (struct storm){.semaphore = FILCH_SEMAPHORE(2)};
        for (int i = 0; i < WORKERS_OF_STORM; i++)
            spawn_on(rt, &h[i], one_of_storm, (void *)(uintptr_t)(1000 * i));
        pthread_t thread = thread_start(thread_of_storm, NULL);
        dump_without_verdict(sized(300, 1000, 10000));
        raise_flag(&storm.stop);
        for (int i = 0; i < WORKERS_OF_STORM; i++)
            CHECK(join(h[i]) == 0);
        thread_join(thread);
        close_scene(rt);
    }
}

/* Always one of two that can go on, and it feeds the other one. */
static int pinger(void *arg)
{
    (void)arg;
    while (!flag_up(&storm.stop)) {
        CHECK(filch_channel_send(&storm.ping, NULL) == 0);
        CHECK(filch_channel_receive(&storm.pong, NULL) == 0);
        CHECK(filch_notify_one(&storm.notify) == 0);
    }
    return filch_channel_close(&storm.ping);
}

static int ponger(void *arg)
{
    (void)arg;
    while (filch_channel_receive(&storm.ping, NULL) == 0) {
        CHECK(filch_channel_send(&storm.pong, NULL) == 0);
        CHECK(filch_notify_wait(&storm.notify) == 0);
    }
    return 0;
}

static void test_ping_pong(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = open_scene(worker_counts[w]);
        filch_channel_options o = {.capacity = w % 2};
        storm = (struct storm){.stop = 0};
        CHECK(filch_channel_create(&storm.ping, &o) == 0);
        CHECK(filch_channel_create(&storm.pong, &o) == 0);
        spawn_called(rt, 0, pinger, NULL);
        spawn_called(rt, 1, ponger, NULL);
        dump_without_verdict(sized(1000, 5000, 50000));
        raise_flag(&storm.stop);
        for (int i = 0; i < 2; i++) {
            CHECK(join(task[i]) == 0);
            task[i] = NULL;
        }
        close_scene(rt);
        CHECK(filch_channel_destroy(&storm.ping) == 0);
        CHECK(filch_channel_destroy(&storm.pong) == 0);
    }
}

int main(void)
{
    RUN(test_storm);
    RUN(test_ping_pong);
    return summary();
}
