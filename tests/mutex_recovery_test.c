/* SPDX-License-Identifier: Apache-2.0 */
/* The mutex: futures of it that go from one owner to another, and owners that end with it, at random
 * and all the time, among those who wait for it. */
#include "tests/mutex_check.h"

/* ---- whose a future's is ---- */

/* A task that is nothing but a lock ends when it has it. */
static void lock_as_a_task(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        filch_spawn_options o = {.runtime = rt};
        filch_mutex m = FILCH_MUTEX;
        filch_handle *h[2];
        CHECK(filch_mutex_lock(&m) == 0);
        for (int i = 0; i < 2; i++) {
            filch_lock_future lock = FILCH_LOCK_FUTURE(&m);
            REQUIRE(filch_spawn_future_with(&h[i], &o, &lock.future, sizeof lock) == 0);
        }
        CHECK(filch_mutex_unlock(&m) == 0);
        int first = join(h[0]), second = join(h[1]);
        CHECK(first + second == -EOWNERDEAD && first * second == 0);
        CHECK(filch_mutex_lock(&m) == -EOWNERDEAD);
        CHECK(filch_mutex_consistent(&m) == 0 && filch_mutex_unlock(&m) == 0);
        runtime_close(rt);
    }
}

/* Polled by a thread that is over, then by the caller: before it is handed over, or after it. */
static struct entry moved;

static int poll_moved(filch_mutex *m)
{
    (void)m;
    return entry_poll(&moved, &moved);
}

static void moved_futures(void)
{
    for (int after = 0; after < 2; after++) {
        filch_mutex m = FILCH_MUTEX;
        struct keeper owner, poller;
        moved = (struct entry)ENTRY(&m);
        keeper_open(&owner);
        keeper_open(&poller);
        CHECK(keep(&owner, filch_mutex_lock, &m) == 0);
        CHECK(keep(&poller, poll_moved, &m) == FILCH_PENDING);
        make_fair(&owner, &moved);
        CHECK(keep(&poller, poll_moved, &m) == FILCH_PENDING);
        if (after)
            CHECK(keep(&owner, filch_mutex_unlock, &m) == 0);
        CHECK(entry_poll(&moved, &moved) == (after ? 0 : FILCH_PENDING));
        keeper_close(&poller);
        keeper_open(&poller); /* perhaps in the place of the former */
        if (!after)
            CHECK(keep(&owner, filch_mutex_unlock, &m) == 0);
        CHECK(keep(&poller, filch_mutex_try_lock, &m) == -EBUSY);
        CHECK(keep(&poller, filch_mutex_unlock, &m) == -EPERM);
        CHECK(after || entry_poll(&moved, &moved) == 0);
        CHECK(keep(&poller, filch_mutex_unlock, &m) == -EPERM && filch_mutex_unlock(&m) == 0);
        keeper_close(&poller);
        keeper_close(&owner);
        CHECK(is_free(&m));
    }
}

/* ---- many mutexes ---- */

enum { MANY = 12 };

struct bunch {
    filch_mutex mutex[MANY];
    bool kept[MANY];
    uint64_t random;
};

static void shuffle(int *order, uint64_t *random)
{
    for (int i = 0; i < MANY; i++)
        order[i] = i;
    for (int i = MANY - 1; i > 0; i--) {
        int j = (int)test_random(random, (uint32_t)i + 1), last = order[i];
        order[i] = order[j];
        order[j] = last;
    }
}

/* Takes all, in any order, and ends with some. */
static int take_bunch(void *bunch)
{
    struct bunch *b = bunch;
    int order[MANY];
    shuffle(order, &b->random);
    for (int i = 0; i < MANY; i++)
        CHECK(filch_mutex_lock(&b->mutex[order[i]]) == 0);
    CHECK(filch_yield() == 0);
    shuffle(order, &b->random);
    for (int i = 0; i < MANY; i++) {
        b->kept[order[i]] = test_random(&b->random, 3) == 0;
        if (!b->kept[order[i]])
            CHECK(filch_mutex_unlock(&b->mutex[order[i]]) == 0);
    }
    return 0;
}

static void *take_bunch_thread(void *bunch)
{
    (void)take_bunch(bunch);
    return NULL;
}

static void many_at_once(void)
{
    struct bunch b = {.random = test_seed()};
    filch_runtime *rt = runtime_open(2);
    for (int i = 0; i < sized(50, 1000, 10000); i++) {
        if (i % 2)
            CHECK(filch_run(rt, take_bunch, &b) == 0);
        else
            thread_join(thread_start(take_bunch_thread, &b));
        for (int k = 0; k < MANY; k++) {
            CHECK(filch_mutex_lock(&b.mutex[k]) == (b.kept[k] ? -EOWNERDEAD : 0));
            CHECK(filch_mutex_consistent(&b.mutex[k]) == (b.kept[k] ? 0 : -EINVAL));
            CHECK(filch_mutex_unlock(&b.mutex[k]) == 0);
        }
    }
    runtime_close(rt);
}

/* ---- each end is told once ---- */

struct estate {
    filch_mutex mutex;
    long ended, told; /* under the mutex */
    bool broken;      /* under the mutex */
    uint32_t inside, seeds;
    long rounds;
    filch_runtime *rt;
};

static int try_somehow(struct estate *e, uint64_t *random)
{
    filch_lock_future lock = FILCH_LOCK_FUTURE(&e->mutex);
    int64_t soon = filch_now() + test_random(random, 20000);
    int rc;
    switch (test_random(random, 4)) {
    case 0:
        return filch_mutex_lock(&e->mutex);
    case 1:
        return filch_mutex_try_lock(&e->mutex);
    case 2:
        return filch_await_until(&lock.future, soon);
    default:
        rc = filch_poll(&lock.future, NULL);
        if (rc != FILCH_PENDING)
            return rc;
        age(&lock);
        return filch_await_until(&lock.future, soon);
    }
}

/* True: the caller shall end, and has it. */
static bool inherit(struct estate *e, uint64_t *random)
{
    int rc = try_somehow(e, random);
    CHECK(rc == 0 || rc == -EOWNERDEAD || rc == -ETIMEDOUT || rc == -EBUSY);
    if (rc == -ETIMEDOUT || rc == -EBUSY)
        return false;
    CHECK(filch__exchange_acq_rel(&e->inside, 1u) == 0);
    CHECK((rc == -EOWNERDEAD) == e->broken);
    e->told += rc == -EOWNERDEAD;
    bool end = test_random(random, 4) == 0, right = test_random(random, 4) > 0;
    if (test_random(random, 8) == 0)
        (void)filch_yield();
    if (rc < 0 && (right || !end)) {
        CHECK(filch_mutex_consistent(&e->mutex) == 0);
        e->broken = false;
    }
    e->ended += end;
    e->broken |= end;
    CHECK(filch__exchange_acq_rel(&e->inside, 0u) == 1);
    CHECK(end || filch_mutex_unlock(&e->mutex) == 0);
    return end;
}

static int inherit_often(void *estate)
{
    struct estate *e = estate;
    uint64_t random = test_seed() + filch__add_acq_rel(&e->seeds, 1u);
    while (!inherit(e, &random))
        ;
    return 0;
}

static void *inherit_thread(void *estate)
{
    (void)inherit_often(estate);
    return NULL;
}

/* Jobs end, too, where they are stolen. */
static int inherit_in_job(void *estate)
{
    filch_job job = FILCH_JOB(inherit_often, estate);
    filch_fork(&job);
    (void)filch_yield();
    return filch_sync(&job);
}

static int inherit_poll(filch_future *self, const filch_waker *waker)
{
    struct estate *e = *(struct estate **)(void *)(self + 1);
    uint64_t random = test_seed() + filch__add_acq_rel(&e->seeds, 1u);
    filch_wake(waker);
    return inherit(e, &random) ? 0 : FILCH_PENDING;
}

static const filch_future_ops inherit_ops = {"an estate", inherit_poll, NULL};

static void each_end_is_told_once(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        filch_spawn_options o = {.runtime = rt};
        struct estate e = {.mutex = FILCH_MUTEX, .rt = rt};
        for (long i = 0; i < sized(60, 500, 4000); i++) {
            struct {
                filch_future future;
                struct estate *estate;
            } f = {FILCH_FUTURE(&inherit_ops), &e};
            pthread_t thread = thread_start(inherit_thread, &e);
            for (int k = 0; k < 4; k++)
                spawn_on(rt, NULL, k % 2 ? inherit_in_job : inherit_often, &e);
            REQUIRE(filch_spawn_future_with(NULL, &o, &f.future, sizeof f) == 0);
            thread_join(thread);
        }
        drain(rt);
        int rc = filch_mutex_lock(&e.mutex);
        CHECK(rc == (e.broken ? -EOWNERDEAD : 0));
        CHECK(e.ended > 0 && e.told + (rc < 0) == e.ended);
        CHECK(rc == 0 || filch_mutex_consistent(&e.mutex) == 0);
        CHECK(filch_mutex_unlock(&e.mutex) == 0 && is_free(&e.mutex));
        runtime_close(rt);
    }
}

/* ---- beyond recovery ---- */

/* Who is told first leaves it as it is, and is gone; the last of those who are refused frees it. */
struct ruin {
    filch_mutex mutex;
    uint32_t left;
    uint32_t *freed;
};

/* How it ends for one who has tried. */
static void judge(struct ruin *r, int rc)
{
    uint32_t *freed = r->freed;
    CHECK(rc == -EOWNERDEAD || rc == -ENOTRECOVERABLE);
    if (rc == -EOWNERDEAD) {
        CHECK(filch_mutex_unlock(&r->mutex) == 0);
    } else if (filch__sub_acq_rel(&r->left, 1u) == 1) {
        CHECK(filch_mutex_destroy(&r->mutex) == 0);
        free(r);
        raise_flag(freed);
    }
}

static int wait_for_ruin(void *ruin)
{
    struct ruin *r = ruin;
    judge(r, filch_mutex_lock(&r->mutex));
    return 0;
}

static int look_for_ruin(void *ruin)
{
    struct ruin *r = ruin;
    filch_lock_future lock = FILCH_LOCK_FUTURE(&r->mutex);
    filch_future *f = &lock.future;
    int rc;
    while ((rc = filch_select_until(&f, 1, 0)) == -ETIMEDOUT) {
        (void)filch_yield();
        sched_yield();
    }
    CHECK(rc == 0);
    judge(r, f->result);
    return 0;
}

static int try_for_ruin(void *ruin)
{
    struct ruin *r = ruin;
    int rc;
    while ((rc = filch_mutex_try_lock(&r->mutex)) == -EBUSY) {
        (void)filch_yield();
        sched_yield();
    }
    judge(r, rc);
    return 0;
}

static int end_with(void *mutex)
{
    CHECK(filch_mutex_lock(mutex) == 0);
    return 0;
}

static int ruin_often(void *arena)
{
    static filch_fn *const ways[] = {wait_for_ruin, look_for_ruin, try_for_ruin};
    struct arena *a = arena;
    for (long i = 0; i < sized(60, 500, 4000); i++) {
        uint32_t freed = 0, users = 2 + test_random(&a->random, i % 8 ? 4 : 40);
        struct ruin *r = calloc(1, sizeof *r);
        REQUIRE(r);
        r->left = users - 1;
        r->freed = &freed;
        CHECK(filch_run(a->rt, end_with, &r->mutex) == 0);
        CHECK(filch_mutex_lock(&r->mutex) == -EOWNERDEAD);
        for (uint32_t k = 1; k < users; k++)
            spawn_on(a->rt, NULL, ways[test_random(&a->random, COUNT(ways))], r);
        CHECK(filch_yield() == 0);
        judge(r, -EOWNERDEAD);
        while (!flag_up(&freed)) {
            CHECK(filch_yield() == 0);
            sched_yield();
        }
    }
    return 0;
}

static void freed_by_the_last_refused(void)
{
    on_each(ruin_often, ruin_often);
}

int main(void)
{
    RUN(lock_as_a_task);
    RUN(moved_futures);
    RUN(many_at_once);
    RUN(each_end_is_told_once);
    RUN(freed_by_the_last_refused);
    return summary();
}
