/* SPDX-License-Identifier: Apache-2.0 */
/* The mutex: one owner at a time, in order, over waits, and never lost where waits for it end
 * early. */
#include "tests/support.h"

/* What the tasks of a case share. */
struct arena {
    filch_mutex mutex;
    filch_runtime *rt;
    int64_t count; /* under the mutex */
    long rounds;
    uint64_t random;
    uint32_t inside, waiting, stop, done;
    uint32_t got, missed;
};

static void enter(struct arena *a)
{
    CHECK(filch__exchange_acq_rel(&a->inside, 1u) == 0);
    CHECK(filch_mutex_try_lock(&a->mutex) == -EBUSY);
}

static int leave(void *arena)
{
    struct arena *a = arena;
    CHECK(filch__exchange_acq_rel(&a->inside, 0u) == 1);
    CHECK(filch_mutex_unlock(&a->mutex) == 0);
    return 0;
}

/* Free, and usable. */
static bool is_free(filch_mutex *m)
{
    return filch_mutex_try_lock(m) == 0 && filch_mutex_try_lock(m) == -EBUSY &&
           filch_mutex_unlock(m) == 0 && filch_mutex_unlock(m) == -EPERM;
}

/* On runtimes of each size, with an arena of its own: in a task, and on a thread. Free in the end.
 * */
static void on_each(filch_fn *in_task, filch_fn *on_thread)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct arena a = {.mutex = FILCH_MUTEX, .rt = rt, .random = test_seed() + w};
        CHECK(!in_task || filch_run(rt, in_task, &a) == 0);
        CHECK(on_thread(&a) == 0);
        drain(rt);
        CHECK(is_free(&a.mutex));
        runtime_close(rt);
    }
}

static void pause_a_little(uint64_t *random)
{
    for (uint32_t n = test_random(random, 1u << test_random(random, 12)); n > 0; n--)
        filch__fence_compiler();
}

/* ---- answers ---- */

static int answers(void *arena)
{
    filch_mutex *m = &((struct arena *)arena)->mutex;
    filch_lock_future none = FILCH_LOCK_FUTURE(NULL), lock = FILCH_LOCK_FUTURE(m);
    filch_lock_future unused = FILCH_LOCK_FUTURE(m), late = FILCH_LOCK_FUTURE(m);
    CHECK(filch_mutex_lock(NULL) == -EINVAL && filch_mutex_try_lock(NULL) == -EINVAL);
    CHECK(filch_mutex_unlock(NULL) == -EINVAL && filch_await(&none.future) == -EINVAL);
    CHECK(filch_mutex_unlock(m) == -EPERM);
    CHECK(filch_mutex_lock(m) == 0 && filch_mutex_try_lock(m) == -EBUSY);
    CHECK(filch_mutex_unlock(m) == 0 && is_free(m));
    CHECK(filch_await(&lock.future) == 0);
    CHECK(filch_await(&lock.future) == -EALREADY && filch_mutex_try_lock(m) == -EBUSY);
    CHECK(filch_future_drop(&lock.future) == 0); /* it has ended: the mutex stays taken */
    CHECK(filch_mutex_try_lock(m) == -EBUSY);
    CHECK(filch_await_until(&late.future, 0) == -ETIMEDOUT);
    CHECK(filch_mutex_unlock(m) == 0 && is_free(m));
    CHECK(filch_future_drop(&unused.future) == 0 && is_free(m));
    return 0;
}

static void answers_of_each_call(void)
{
    on_each(answers, answers);
}

/* ---- order ---- */

struct entry {
    filch_lock_future lock;
    uint32_t woken;
};

static void entry_wake(void *data)
{
    raise_flag(&((struct entry *)data)->woken);
}

static const filch_waker_ops entry_waker = {.wake = entry_wake};

static int entry_poll(struct entry *e, struct entry *wakes)
{
    return filch_poll(&e->lock.future, &(filch_waker){&entry_waker, wakes});
}

/* Whether the i-th leaves the queue before the mutex is given up, or once it was granted. */
enum leaving { STAYS, LEAVES, LEAVES_GRANTED };

/* kinds: 1, all stay; 3, some of each. */
static void queue(struct arena *a, uint32_t kinds)
{
    enum { N = 40, MOVED = 7 };
    filch_mutex *m = &a->mutex;
    struct entry e[N], moved = {.woken = 0};
    enum leaving how[N];
    CHECK(filch_mutex_lock(m) == 0);
    for (int i = 0; i < N; i++) {
        e[i] = (struct entry){.lock = FILCH_LOCK_FUTURE(m)};
        CHECK(entry_poll(&e[i], &e[i]) == FILCH_PENDING);
        how[i] = (enum leaving)test_random(&a->random, kinds);
    }
    CHECK(entry_poll(&e[MOVED], &moved) == FILCH_PENDING); /* keeps its place */
    for (int i = 0; i < N; i++)
        if (how[i] == LEAVES)
            CHECK(filch_future_drop(&e[i].lock.future) == 0);
    for (int i = 0, granted = false; i < N; i++) {
        if (how[i] == LEAVES)
            continue;
        if (!granted)
            CHECK(filch_mutex_unlock(m) == 0);
        CHECK(filch_mutex_try_lock(m) == -EBUSY); /* it was handed over, not left free */
        for (int j = i; j < N; j++)
            CHECK(flag_up(j == MOVED ? &moved.woken : &e[j].woken) == (j == i));
        granted = how[i] == LEAVES_GRANTED;
        if (granted)
            CHECK(filch_future_drop(&e[i].lock.future) == 0); /* hands it on */
        else
            CHECK(entry_poll(&e[i], &e[i]) == 0);
    }
    CHECK(!flag_up(&e[MOVED].woken));
    (void)filch_mutex_unlock(m);
    CHECK(is_free(m));
}

static int queues(void *arena)
{
    for (int i = 0; i < 100; i++)
        queue(arena, i ? 3 : 1);
    return 0;
}

static void in_order_of_coming(void)
{
    on_each(queues, queues);
}

/* ---- exclusion ---- */

/* Held over waits, now and then. */
static int count_up(void *arena)
{
    struct arena *a = arena;
    for (long i = 0; i < a->rounds; i++) {
        CHECK(filch_mutex_lock(&a->mutex) == 0);
        enter(a);
        int64_t count = a->count;
        if (i % 64 == 0)
            CHECK(filch_yield() == 0);
        else if (i % 1024 == 1)
            CHECK(filch_sleep(1) == 0);
        a->count = count + 1;
        (void)leave(a);
    }
    tally(&a->done);
    return 0;
}

static void *count_up_thread(void *arena)
{
    (void)count_up(arena);
    return NULL;
}

static int count_on(void *arena)
{
    struct arena *a = arena;
    enum { TASKS = 64, THREADS = 2 };
    pthread_t threads[THREADS];
    a->rounds = sized(200, 5000, 10000);
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(count_up_thread, a);
    for (int i = 0; i < TASKS; i++)
        spawn_on(a->rt, NULL, count_up, a);
    for (int i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    drain(a->rt);
    CHECK(a->done == TASKS + THREADS && a->count == a->rounds * (TASKS + THREADS));
    return 0;
}

static void tasks_and_threads_count(void)
{
    on_each(NULL, count_on);
}

/* Many wait for it: the workers are free meanwhile. */
static int lock_once(void *arena)
{
    struct arena *a = arena;
    tally(&a->waiting);
    int rc = filch_mutex_lock(&a->mutex);
    if (rc == 0) {
        enter(a);
        (void)leave(a);
    }
    return rc;
}

static int crowd_on(void *arena)
{
    struct arena *a = arena;
    enum { N = 200 };
    filch_handle *h[N];
    CHECK(filch_mutex_lock(&a->mutex) == 0);
    for (int i = 0; i < N; i++)
        spawn_on(a->rt, &h[i], lock_once, a);
    SPIN_UNTIL(filch__load_acquire(&a->waiting) == N);
    CHECK(filch_mutex_unlock(&a->mutex) == 0);
    for (int i = 0; i < N; i++)
        CHECK(join(h[i]) == 0);
    return 0;
}

static void workers_stay_free(void)
{
    on_each(NULL, crowd_on);
}

/* ---- waits that end early ---- */

/* Has the mutex; cancels of those who wait meet the unlock, which another task does, or the caller.
 * */
static void cancel_at_the_grant(struct arena *a)
{
    enum { WAITERS = 2 };
    filch_handle *h[WAITERS], *unlocker = NULL;
    filch_scope s;
    uint32_t order = test_random(&a->random, 4), whole = test_random(&a->random, 2);
    filch__store_release(&a->waiting, 0u);
    REQUIRE(filch_scope_open(&s, &(filch_scope_options){.runtime = a->rt}) == 0);
    CHECK(filch_mutex_try_lock(&a->mutex) == 0);
    enter(a);
    for (int i = 0; i < WAITERS; i++)
        CHECK(filch_scope_spawn(&s, &h[i], lock_once, a) == 0);
    while (order && filch__load_acquire(&a->waiting) < WAITERS)
        CHECK(filch_yield() == 0);
    if (order == 1)
        (void)leave(a);
    else if (order < 3)
        spawn_on(a->rt, &unlocker, leave, a);
    pause_a_little(&a->random);
    CHECK(whole ? filch_scope_cancel(&s, 0) == 0 : filch_abort(h[0]) == 0);
    if (order == 3)
        (void)leave(a);
    CHECK(filch_scope_close(&s) == (whole ? -ECANCELED : 0));
    for (int i = 0; i < WAITERS; i++) {
        int rc = join(h[i]);
        CHECK(rc == 0 || (rc == -ECANCELED && (whole || i == 0)));
        tally(rc == 0 ? &a->got : &a->missed);
    }
    if (unlocker)
        CHECK(join(unlocker) == 0);
    CHECK(is_free(&a->mutex));
}

static int cancel_often(void *arena)
{
    for (long i = 0; i < sized(500, 5000, 60000) && !filch__load_relaxed(&case_bad); i++)
        cancel_at_the_grant(arena);
    return 0;
}

static void cancels_at_the_grant(void)
{
    on_each(cancel_often, cancel_often);
}

/* Once, for a very short time. */
static int try_somehow(struct arena *a, uint64_t *random)
{
    int64_t soon = filch_now() + test_random(random, 20000);
    filch_lock_future lock = FILCH_LOCK_FUTURE(&a->mutex);
    filch_sleep_future pause = FILCH_SLEEP_FUTURE(soon);
    filch_future *either[] = {&lock.future, &pause.future};
    int rc = 0;
    switch (test_random(random, 4)) {
    case 0:
        return filch_mutex_lock(&a->mutex);
    case 1:
        return filch_await_until(&lock.future, soon);
    case 2:
        rc = filch_select(either, 2);
        filch_future_drop_all(either, 2);
        return rc == 1 ? -ETIMEDOUT : rc;
    default:
        rc = filch_poll(&lock.future, NULL);
        pause_a_little(random);
        CHECK(filch_future_drop(&lock.future) == 0);
        return rc == FILCH_PENDING ? -ETIMEDOUT : rc;
    }
}

static int try_again_and_again(void *arena)
{
    struct arena *a = arena;
    uint64_t random = test_seed() + filch__add_acq_rel(&a->waiting, 1u);
    while (!flag_up(&a->stop)) {
        int rc = try_somehow(a, &random);
        CHECK(rc == 0 || rc == -ETIMEDOUT);
        tally(rc == 0 ? &a->got : &a->missed);
        if (rc == 0)
            enter(a);
        if (test_random(&random, 16) == 0)
            CHECK(filch_yield() == 0);
        if (rc == 0)
            (void)leave(a);
    }
    return 0;
}

static void *try_on_thread(void *arena)
{
    (void)try_again_and_again(arena);
    return NULL;
}

static int try_on(void *arena)
{
    struct arena *a = arena;
    enum { TASKS = 6, THREADS = 2 };
    uint32_t enough = (uint32_t)sized(2000, 80000, 400000);
    pthread_t threads[THREADS];
    for (int i = 0; i < TASKS; i++)
        spawn_on(a->rt, NULL, try_again_and_again, a);
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(try_on_thread, a);
    SPIN_UNTIL(filch__load_acquire(&a->got) > enough &&
               filch__load_acquire(&a->missed) > enough / 8);
    raise_flag(&a->stop);
    for (int i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    return 0;
}

static void timeouts_and_selects_at_the_grant(void)
{
    on_each(NULL, try_on);
}

static void *leave_on_thread(void *arena)
{
    struct arena *a = arena;
    pause_a_little(&a->random);
    (void)leave(a);
    return NULL;
}

/* While tasks wait; somebody unlocks meanwhile, or afterwards. */
static void the_runtime_ends(void)
{
    enum { TASKS = 20 };
    uint64_t random = test_seed();
    for (int i = 0; i < sized(30, 300, 3000); i++) {
        filch_runtime *rt = runtime_open(worker_counts[i % 3]);
        struct arena a = {.mutex = FILCH_MUTEX, .random = test_random(&random, 1000)};
        filch_handle *h[TASKS];
        pthread_t thread = 0;
        CHECK(filch_mutex_lock(&a.mutex) == 0);
        enter(&a);
        for (int k = 0; k < TASKS; k++)
            spawn_on(rt, &h[k], lock_once, &a);
        if (i % 4)
            SPIN_UNTIL(filch__load_acquire(&a.waiting) == TASKS);
        if (i % 2)
            thread = thread_start(leave_on_thread, &a);
        runtime_close(rt);
        if (i % 2)
            thread_join(thread);
        else
            (void)leave(&a);
        for (int k = 0; k < TASKS; k++) {
            int rc = join(h[k]);
            CHECK(rc == -ECANCELED || (rc == 0 && i % 2));
        }
        CHECK(is_free(&a.mutex));
    }
}

int main(void)
{
    RUN(answers_of_each_call);
    RUN(in_order_of_coming);
    RUN(tasks_and_threads_count);
    RUN(workers_stay_free);
    RUN(cancels_at_the_grant);
    RUN(timeouts_and_selects_at_the_grant);
    RUN(the_runtime_ends);
    return summary();
}
