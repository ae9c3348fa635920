/* SPDX-License-Identifier: Apache-2.0 */
/* The mutex: what each call answers, one owner at a time, in order once the first has waited. */
#include "tests/mutex_check.h"

/* ---- answers ---- */

static int answers(void *arena)
{
    filch_mutex *m = &((struct arena *)arena)->mutex;
    filch_lock_future none = FILCH_LOCK_FUTURE(NULL), lock = FILCH_LOCK_FUTURE(m);
    filch_lock_future unused = FILCH_LOCK_FUTURE(m);
    CHECK(filch_mutex_lock(NULL) == -EINVAL && filch_mutex_try_lock(NULL) == -EINVAL);
    CHECK(filch_mutex_unlock(NULL) == -EINVAL && filch_mutex_consistent(NULL) == -EINVAL);
    CHECK(filch_mutex_destroy(NULL) == -EINVAL && filch_await(&none.future) == -EINVAL);
    CHECK(filch_mutex_unlock(m) == -EPERM && filch_mutex_consistent(m) == -EPERM);
    CHECK(filch_mutex_lock(m) == 0 && filch_mutex_try_lock(m) == -EBUSY);
    CHECK(filch_mutex_consistent(m) == -EINVAL);
    CHECK(filch_mutex_unlock(m) == 0 && is_free(m));
    CHECK(filch_await(&lock.future) == 0);
    CHECK(filch_await(&lock.future) == -EALREADY && filch_mutex_try_lock(m) == -EBUSY);
    CHECK(filch_future_drop(&lock.future) == 0); /* it has ended: the mutex stays taken */
    CHECK(filch_mutex_try_lock(m) == -EBUSY);
    CHECK(filch_mutex_unlock(m) == 0 && is_free(m));
    CHECK(filch_future_drop(&unused.future) == 0 && is_free(m));
    return 0;
}

static void answers_of_each_call(void)
{
    on_each(answers, answers);
}

/* What somebody else has. */
static int of_others(void *arena)
{
    filch_mutex *m = &((struct arena *)arena)->mutex;
    filch_lock_future late = FILCH_LOCK_FUTURE(m), pending = FILCH_LOCK_FUTURE(m);
    struct keeper k;
    keeper_open(&k);
    CHECK(keep(&k, filch_mutex_lock, m) == 0);
    CHECK(filch_mutex_try_lock(m) == -EBUSY && filch_mutex_unlock(m) == -EPERM);
    CHECK(filch_mutex_consistent(m) == -EPERM && filch_mutex_destroy(m) == -EBUSY);
    CHECK(filch_await_until(&late.future, 0) == -ETIMEDOUT);
    CHECK(filch_poll(&pending.future, NULL) == FILCH_PENDING);
    CHECK(filch_mutex_unlock(m) == -EPERM && keep(&k, filch_mutex_destroy, m) == -EBUSY);
    CHECK(keep(&k, filch_mutex_unlock, m) == 0 && keep(&k, filch_mutex_unlock, m) == -EPERM);
    CHECK(filch_mutex_destroy(m) == -EBUSY); /* it is free, but waited for */
    CHECK(filch_poll(&pending.future, NULL) == 0 && filch_mutex_destroy(m) == -EBUSY);
    CHECK(filch_mutex_unlock(m) == 0 && filch_mutex_destroy(m) == 0 && is_free(m));
    keeper_close(&k);
    return 0;
}

static void what_others_have(void)
{
    on_each(of_others, of_others);
}

/* ---- one's own ---- */

static int relock(void *arena)
{
    filch_mutex *m = &((struct arena *)arena)->mutex;
    filch_lock_future f[3] = {FILCH_LOCK_FUTURE(m), FILCH_LOCK_FUTURE(m), FILCH_LOCK_FUTURE(m)};
    filch_sleep_future never = FILCH_SLEEP_FUTURE(FILCH_NEVER);
    filch_future *either[] = {&f[1].future, &never.future};
    CHECK(filch_mutex_lock(m) == 0 && filch_mutex_lock(m) == -EDEADLK);
    CHECK(filch_await(&f[0].future) == -EDEADLK);
    CHECK(filch_select(either, 2) == 0 && f[1].future.result == -EDEADLK);
    CHECK(filch_future_drop(&never.future) == 0);
    CHECK(filch_await_until(&f[2].future, filch_now() + PATIENCE) == -EDEADLK);
    CHECK(filch_mutex_unlock(m) == 0 && is_free(m));
    return 0;
}

/* Its future waits; then it gets the mutex otherwise, where others wait behind, or before. */
static int relock_pending(void *arena)
{
    filch_mutex *m = &((struct arena *)arena)->mutex;
    for (int i = 0; i < 6; i++) {
        struct entry e[3] = {ENTRY(m), ENTRY(m), ENTRY(m)};
        int mine = i % 3;
        struct keeper k;
        keeper_open(&k);
        CHECK(keep(&k, filch_mutex_lock, m) == 0);
        for (int j = 0; j < 3; j++)
            CHECK(entry_poll(&e[j], &e[j]) == FILCH_PENDING);
        CHECK(keep(&k, filch_mutex_unlock, m) == 0 && filch_mutex_try_lock(m) == 0);
        CHECK((i < 3 ? entry_poll(&e[mine], &e[mine]) : filch_await(&e[mine].lock.future)) ==
              -EDEADLK);
        CHECK(filch_mutex_unlock(m) == 0);
        CHECK(woken(&e[0]) == 1 && woken(&e[1]) == (mine == 0));
        for (int j = 0; j < 3; j++) {
            if (j == mine)
                continue;
            CHECK(woken(&e[j]) == 1 && entry_poll(&e[j], &e[j]) == 0);
            CHECK(filch_mutex_unlock(m) == 0);
        }
        keeper_close(&k);
        CHECK(is_free(m));
    }
    return 0;
}

static void locking_twice(void)
{
    on_each(relock, relock);
    on_each(relock_pending, relock_pending);
}

/* Handed to a future of the caller's, which has not been polled since: it is not the caller's. */
static int before_the_poll(void *arena)
{
    filch_mutex *m = &((struct arena *)arena)->mutex;
    struct entry e = ENTRY(m);
    struct keeper k;
    keeper_open(&k);
    CHECK(keep(&k, filch_mutex_lock, m) == 0);
    CHECK(entry_poll(&e, &e) == FILCH_PENDING);
    make_fair(&k, &e);
    CHECK(keep(&k, filch_mutex_unlock, m) == 0 && woken_once(&e));
    CHECK(filch_mutex_unlock(m) == -EPERM && filch_mutex_consistent(m) == -EPERM);
    CHECK(filch_mutex_try_lock(m) == -EBUSY && filch_mutex_destroy(m) == -EBUSY);
    CHECK(entry_poll(&e, &e) == 0 && filch_mutex_unlock(m) == 0 && is_free(m));
    keeper_close(&k);
    return 0;
}

static void handed_over_and_not_taken(void)
{
    on_each(before_the_poll, before_the_poll);
}

/* ---- order ---- */

/* Whether the i-th leaves the queue before the mutex is given up, or once it was granted. */
enum leaving { STAYS, LEAVES, LEAVES_GRANTED };

/* kinds: 1, all stay; 3, some of each. */
static void queue(struct arena *a, struct keeper *k, uint32_t kinds)
{
    enum { N = 40, MOVED = 7 };
    filch_mutex *m = &a->mutex;
    struct entry e[N], moved = {.woken = 0};
    enum leaving how[N];
    bool kept = true, granted = false;
    CHECK(keep(k, filch_mutex_lock, m) == 0);
    for (int i = 0; i < N; i++) {
        e[i] = (struct entry)ENTRY(m);
        CHECK(entry_poll(&e[i], &e[i]) == FILCH_PENDING);
        how[i] = (enum leaving)test_random(&a->random, kinds);
    }
    CHECK(entry_poll(&e[MOVED], &moved) == FILCH_PENDING); /* keeps its place */
    make_fair(k, &e[0]);
    for (int i = 0; i < N; i++)
        if (how[i] == LEAVES)
            CHECK(filch_future_drop(&e[i].lock.future) == 0);
    for (int i = 0; i < N; i++) {
        if (how[i] == LEAVES)
            continue;
        if (!granted)
            CHECK((kept ? keep(k, filch_mutex_unlock, m) : filch_mutex_unlock(m)) == 0);
        kept = false;
        CHECK(filch_mutex_try_lock(m) == -EBUSY); /* it was handed over, not left free */
        for (int j = i; j < N; j++)
            CHECK(woken(j == MOVED ? &moved : &e[j]) == (j == i));
        granted = how[i] == LEAVES_GRANTED;
        if (granted)
            CHECK(filch_future_drop(&e[i].lock.future) == 0); /* hands it on */
        else
            CHECK(entry_poll(&e[i], &e[i]) == 0);
    }
    CHECK(!woken(&e[MOVED]));
    if (kept)
        CHECK(keep(k, filch_mutex_unlock, m) == 0);
    else if (!granted)
        CHECK(filch_mutex_unlock(m) == 0);
    CHECK(is_free(m));
}

static int queues(void *arena)
{
    struct keeper k;
    keeper_open(&k);
    for (int i = 0; i < sized(5, 30, 300); i++)
        queue(arena, &k, i ? 3 : 1);
    keeper_close(&k);
    return 0;
}

static void in_order_of_coming(void)
{
    on_each(queues, queues);
}

/* Nobody has waited for long: who comes later may be before them, and they are told once. */
static int get_in_before(void *arena)
{
    filch_mutex *m = &((struct arena *)arena)->mutex;
    struct entry e[3] = {ENTRY(m), ENTRY(m), ENTRY(m)};
    struct keeper k;
    keeper_open(&k);
    CHECK(keep(&k, filch_mutex_lock, m) == 0);
    for (int j = 0; j < 3; j++)
        CHECK(entry_poll(&e[j], &e[j]) == FILCH_PENDING);
    for (int i = 0; i < 3; i++) {
        CHECK(keep(&k, filch_mutex_unlock, m) == 0);
        CHECK(keep(&k, filch_mutex_lock, m) == 0);
    }
    CHECK(woken(&e[0]) == 1 && !woken(&e[1]));
    /* The one that was told goes: while somebody has it nobody else is told. */
    CHECK(filch_future_drop(&e[0].lock.future) == 0 && !woken(&e[1]));
    CHECK(keep(&k, filch_mutex_unlock, m) == 0 && woken(&e[1]) == 1);
    /* Another one goes while it is free: the next is told instead. */
    CHECK(!woken(&e[2]) && filch_future_drop(&e[1].lock.future) == 0 && woken(&e[2]) == 1);
    CHECK(filch_mutex_try_lock(m) == 0 && filch_mutex_unlock(m) == 0);
    CHECK(entry_poll(&e[2], &e[2]) == 0 && filch_mutex_unlock(m) == 0);
    keeper_close(&k);
    return 0;
}

static void others_get_in_before(void)
{
    on_each(get_in_before, get_in_before);
}

/* Fair for as long as the first has waited too long, and no longer. */
static int fair_and_unfair(void *arena)
{
    filch_mutex *m = &((struct arena *)arena)->mutex;
    bool seen = false;
    struct keeper k;
    keeper_open(&k);
    while (!seen) {
        struct entry e[2] = {ENTRY(m), ENTRY(m)};
        CHECK(keep(&k, filch_mutex_lock, m) == 0);
        CHECK(entry_poll(&e[0], &e[0]) == FILCH_PENDING);
        make_fair(&k, &e[0]);
        int64_t since = filch_now();
        CHECK(entry_poll(&e[1], &e[1]) == FILCH_PENDING);
        CHECK(keep(&k, filch_mutex_unlock, m) == 0 && woken_once(&e[0]));
        seen = filch_now() - since <= PATIENCE;
        CHECK(entry_poll(&e[0], &e[0]) == 0 && filch_mutex_unlock(m) == 0 && woken_once(&e[1]));
        int rc = keep(&k, filch_mutex_try_lock, m); /* the second had not waited for long */
        CHECK(rc == 0 || (rc == -EBUSY && !seen));
        CHECK(rc < 0 || keep(&k, filch_mutex_unlock, m) == 0);
        CHECK(entry_poll(&e[1], &e[1]) == 0 && filch_mutex_unlock(m) == 0 && is_free(m));
    }
    keeper_close(&k);
    return 0;
}

static void fairness_ends(void)
{
    on_each(fair_and_unfair, fair_and_unfair);
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

int main(void)
{
    RUN(answers_of_each_call);
    RUN(what_others_have);
    RUN(locking_twice);
    RUN(handed_over_and_not_taken);
    RUN(in_order_of_coming);
    RUN(others_get_in_before);
    RUN(fairness_ends);
    RUN(tasks_and_threads_count);
    RUN(workers_stay_free);
    return summary();
}
