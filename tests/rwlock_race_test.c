/* SPDX-License-Identifier: Apache-2.0 */
/* The reader-writer lock in storms: readers that come while their bias is taken away, waits that
 * end at the moment of the grant, memory that goes with the last unlock. */
#include "tests/support.h"

/* What the tasks of a case share. */
struct arena {
    filch_rwlock lock;
    filch_runtime *rt;
    int64_t count, same; /* under the lock */
    long rounds;
    uint64_t random;
    uint32_t reading, writing, waiting, stop, done;
    uint32_t got, missed, biased;
};

static bool is_free(filch_rwlock *l)
{
    return filch_rwlock_try_write_lock(l) == 0 && filch_rwlock_write_unlock(l) == 0 &&
           filch_rwlock_read_unlock(l) == -EPERM;
}

static void enter(struct arena *a, bool writes)
{
    if (writes) {
        CHECK(filch__exchange_acq_rel(&a->writing, 1u) == 0);
        CHECK(filch__load_acquire(&a->reading) == 0);
    } else {
        tally(&a->reading);
        CHECK(filch__load_acquire(&a->writing) == 0);
    }
    CHECK(a->count == a->same);
}

/* A writer leaves it so that the next reads bring the bias back. */
static void leave(struct arena *a, bool writes)
{
    if (writes) {
        a->count++;
        a->lock.calm = 1 << 20;
        a->same++;
        CHECK(filch__exchange_acq_rel(&a->writing, 0u) == 1);
        CHECK(filch_rwlock_write_unlock(&a->lock) == 0);
    } else {
        CHECK(filch__sub_acq_rel(&a->reading, 1u) > 0);
        CHECK(filch_rwlock_read_unlock(&a->lock) == 0);
    }
}

static int lock(struct arena *a, bool writes)
{
    return writes ? filch_rwlock_write_lock(&a->lock) : filch_rwlock_read_lock(&a->lock);
}

/* On runtimes of each size, with an arena of its own: in a task, and on a thread. Free in the end.
 */
static void on_each(filch_fn *in_task, filch_fn *on_thread)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct arena a = {.lock = FILCH_RWLOCK, .rt = rt, .random = test_seed() + w};
        CHECK(!in_task || filch_run(rt, in_task, &a) == 0);
        CHECK(on_thread(&a) == 0);
        drain(rt);
        CHECK(is_free(&a.lock) && filch_rwlock_destroy(&a.lock) == 0);
        CHECK(a.count == a.same);
        runtime_close(rt);
    }
}

static void pause_a_little(uint64_t *random)
{
    for (uint32_t n = test_random(random, 1u << test_random(random, 12)); n > 0; n--)
        filch__fence_compiler();
}

/* ---- exclusion ---- */

/* Held over waits, now and then. */
static int read_and_write(void *arena)
{
    struct arena *a = arena;
    uint64_t random = test_seed() + filch__add_acq_rel(&a->waiting, 1u);
    long wrote = 0;
    for (long i = 0; i < a->rounds; i++) {
        bool writes = test_random(&random, 16) == 0;
        CHECK(lock(a, writes) == 0);
        enter(a, writes);
        if (!writes && filch__load_relaxed(&a->lock.biased))
            tally(&a->biased);
        if (i % 64 == 0)
            CHECK(filch_yield() == 0);
        else if (i % 1024 == 1)
            CHECK(filch_sleep(1) == 0);
        leave(a, writes);
        wrote += writes;
    }
    filch__add_acq_rel(&a->done, (uint32_t)wrote);
    return 0;
}

static void *read_and_write_thread(void *arena)
{
    (void)read_and_write(arena);
    return NULL;
}

static int count_on(void *arena)
{
    struct arena *a = arena;
    enum { TASKS = 32, THREADS = 2 };
    pthread_t threads[THREADS];
    a->rounds = sized(150, 5000, 20000);
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(read_and_write_thread, a);
    for (int i = 0; i < TASKS; i++)
        spawn_on(a->rt, NULL, read_and_write, a);
    for (int i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    drain(a->rt);
    CHECK(a->count == a->done && a->biased > 0);
    return 0;
}

static void readers_and_writers(void)
{
    on_each(NULL, count_on);
}

/* ---- waits that end early ---- */

static int lock_once(void *arena)
{
    struct arena *a = arena;
    bool writes = filch__add_acq_rel(&a->waiting, 1u) % 3 == 2;
    int rc = lock(a, writes);
    if (rc == 0) {
        enter(a, writes);
        leave(a, writes);
    }
    return rc;
}

static int leave_writing(void *arena)
{
    leave(arena, true);
    return 0;
}

static int leave_reading(void *arena)
{
    leave(arena, false);
    return 0;
}

/* Has it; cancels of those who wait meet the unlock, by another (for reading), or the caller. */
static void cancel_at_the_grant(struct arena *a)
{
    enum { WAITERS = 3 };
    filch_handle *h[WAITERS], *other = NULL;
    filch_scope s;
    uint32_t order = test_random(&a->random, 4), whole = test_random(&a->random, 2);
    bool writes = test_random(&a->random, 2);
    filch__store_release(&a->waiting, test_random(&a->random, 3) + 3);
    uint32_t all = filch__load_relaxed(&a->waiting) + WAITERS;
    REQUIRE(filch_scope_open(&s, &(filch_scope_options){.runtime = a->rt}) == 0);
    CHECK(lock(a, writes) == 0);
    enter(a, writes);
    for (int i = 0; i < WAITERS; i++)
        CHECK(filch_scope_spawn(&s, &h[i], lock_once, a) == 0);
    while (order && filch__load_acquire(&a->waiting) < all)
        CHECK(filch_yield() == 0);
    if (order == 1)
        (void)(writes ? leave_writing : leave_reading)(a);
    else if (order == 2 && !writes)
        spawn_on(a->rt, &other, leave_reading, a);
    pause_a_little(&a->random);
    CHECK(whole ? filch_scope_cancel(&s, 0) == 0 : filch_abort(h[0]) == 0);
    if (order != 1 && !other)
        (void)(writes ? leave_writing : leave_reading)(a);
    CHECK(filch_scope_close(&s) == (whole ? -ECANCELED : 0));
    for (int i = 0; i < WAITERS; i++) {
        int rc = join(h[i]);
        CHECK(rc == 0 || (rc == -ECANCELED && (whole || i == 0)));
    }
    if (other)
        CHECK(join(other) == 0);
    CHECK(is_free(&a->lock));
}

static int cancel_often(void *arena)
{
    for (long i = 0; i < sized(400, 5000, 85000) && !filch__load_relaxed(&case_bad); i++)
        cancel_at_the_grant(arena);
    return 0;
}

static void cancels_at_the_grant(void)
{
    on_each(cancel_often, cancel_often);
}

/* Once, for a very short time. */
static int try_somehow(struct arena *a, bool writes, uint64_t *random)
{
    int64_t soon = filch_now() + test_random(random, 20000);
    filch_rwlock_future f = FILCH_RWLOCK_READ_FUTURE(&a->lock);
    filch_sleep_future pause = FILCH_SLEEP_FUTURE(soon);
    filch_future *either[] = {&f.future, &pause.future};
    int rc = 0;
    f.writes = writes;
    switch (test_random(random, 5)) {
    case 0:
        return lock(a, writes);
    case 1:
        return filch_await_until(&f.future, soon);
    case 2:
        rc = filch_select(either, 2);
        filch_future_drop_all(either, 2);
        return rc == 1 ? -ETIMEDOUT : rc;
    case 3:
        rc = writes ? filch_rwlock_try_write_lock(&a->lock) : filch_rwlock_try_read_lock(&a->lock);
        return rc == -EBUSY ? -ETIMEDOUT : rc;
    default:
        rc = filch_poll(&f.future, NULL);
        pause_a_little(random);
        CHECK(filch_future_drop(&f.future) == 0);
        return rc == FILCH_PENDING ? -ETIMEDOUT : rc;
    }
}

static int try_again_and_again(void *arena)
{
    struct arena *a = arena;
    uint64_t random = test_seed() + filch__add_acq_rel(&a->waiting, 1u);
    while (!flag_up(&a->stop)) {
        bool writes = test_random(&random, 4) == 0;
        int rc = try_somehow(a, writes, &random);
        CHECK(rc == 0 || rc == -ETIMEDOUT);
        tally(rc == 0 ? &a->got : &a->missed);
        if (rc == 0)
            enter(a, writes);
        if (test_random(&random, 16) == 0)
            CHECK(filch_yield() == 0);
        if (rc == 0)
            leave(a, writes);
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
    uint32_t enough = (uint32_t)sized(1000, 30000, 200000);
    pthread_t threads[THREADS];
    for (int i = 0; i < TASKS; i++)
        spawn_on(a->rt, NULL, try_again_and_again, a);
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(try_on_thread, a);
    SPIN_UNTIL(filch__load_acquire(&a->got) > enough &&
               filch__load_acquire(&a->missed) > enough / 4);
    raise_flag(&a->stop);
    for (int i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    return 0;
}

static void timeouts_and_selects_at_the_grant(void)
{
    on_each(NULL, try_on);
}

/* ---- memory ---- */

struct shared {
    filch_rwlock lock;
    int references; /* under the lock */
};

/* The last frees it, as soon as its unlock has returned. */
static int give_up(void *shared)
{
    struct shared *s = shared;
    CHECK(filch_rwlock_read_lock(&s->lock) == 0);
    CHECK(s->references > 0);
    CHECK(filch_rwlock_read_unlock(&s->lock) == 0);
    CHECK(filch_rwlock_write_lock(&s->lock) == 0);
    bool last = --s->references == 0;
    s->lock.calm = 1 << 20;
    CHECK(filch_rwlock_write_unlock(&s->lock) == 0);
    if (last)
        free(s);
    return 0;
}

static int free_often(void *arena)
{
    struct arena *a = arena;
    enum { USERS = 4 };
    for (long i = 0; i < sized(500, 20000, 500000); i++) {
        struct shared *s = malloc(sizeof *s);
        REQUIRE(s);
        *s = (struct shared){.lock = FILCH_RWLOCK, .references = USERS};
        for (int k = 1; k < USERS; k++)
            spawn_on(a->rt, NULL, give_up, s);
        (void)give_up(s);
    }
    return 0;
}

static void the_last_frees_it(void)
{
    on_each(free_often, free_often);
}

/* While tasks wait. */
static void the_runtime_ends(void)
{
    enum { TASKS = 20 };
    for (int i = 0; i < sized(30, 300, 3000); i++) {
        filch_runtime *rt = runtime_open(worker_counts[i % 3]);
        struct arena a = {.lock = FILCH_RWLOCK};
        filch_handle *h[TASKS];
        CHECK(lock(&a, true) == 0);
        enter(&a, true);
        for (int k = 0; k < TASKS; k++)
            spawn_on(rt, &h[k], lock_once, &a);
        if (i % 4)
            SPIN_UNTIL(filch__load_acquire(&a.waiting) == TASKS);
        runtime_close(rt);
        leave(&a, true);
        for (int k = 0; k < TASKS; k++)
            CHECK(join(h[k]) == -ECANCELED);
        CHECK(is_free(&a.lock));
    }
}

int main(void)
{
    RUN(readers_and_writers);
    RUN(cancels_at_the_grant);
    RUN(timeouts_and_selects_at_the_grant);
    RUN(the_last_frees_it);
    RUN(the_runtime_ends);
    return summary();
}
