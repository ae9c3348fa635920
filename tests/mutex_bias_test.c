/* SPDX-License-Identifier: Apache-2.0 */
/* The mutex that a single thread has had so often that it is its own, until another one comes. */
#include "sync/bias.h"
#include "tests/mutex_check.h"

#define OFTEN (FILCH__BIAS_COUNT + 5)

static bool is_biased(const filch_mutex *m)
{
    return filch__load_acquire(&m->state) & FILCH__BIASED;
}

static bool none_is_ending(void)
{
    for (size_t i = 0; i < FILCH__BIAS_LISTS; i++)
        if (filch__load_acquire(&filch__bias_lists[i].count))
            return false;
    return true;
}

static void take_often(filch_mutex *m, int n)
{
    for (int i = 0; i < n; i++)
        CHECK(filch_mutex_lock(m) == 0 && filch_mutex_unlock(m) == 0);
}

/* Where the kernel has no asymmetric barrier there is no bias. */
static bool bias_of(filch_mutex *m)
{
    take_often(m, OFTEN);
    CHECK(is_biased(m) == filch__asymmetric);
    return is_biased(m);
}

/* ---- answers ---- */

static int answers(void *arg)
{
    filch_mutex m = FILCH_MUTEX;
    (void)arg;
    (void)bias_of(&m);
    filch_lock_future f = FILCH_LOCK_FUTURE(&m), twice = FILCH_LOCK_FUTURE(&m);
    CHECK(filch_mutex_unlock(&m) == -EPERM && filch_mutex_consistent(&m) == -EPERM);
    CHECK(filch_await(&f.future) == 0);
    CHECK(filch_mutex_lock(&m) == -EDEADLK && filch_mutex_try_lock(&m) == -EBUSY);
    CHECK(filch_await(&twice.future) == -EDEADLK);
    CHECK(filch_mutex_consistent(&m) == -EINVAL);
    CHECK(is_biased(&m) == filch__asymmetric);
    CHECK(filch_mutex_destroy(&m) == -EBUSY);
    CHECK(filch_mutex_unlock(&m) == 0 && filch_mutex_unlock(&m) == -EPERM);
    CHECK(filch_mutex_destroy(&m) == 0 && is_free(&m));
    take_often(&m, 3 * OFTEN);
    return 0;
}

static void answers_of_each_call(void)
{
    filch_mutex m = FILCH_MUTEX;
    in_task_of_each(answers);
    CHECK(answers(NULL) == 0);
    /* Released as one, a mutex is free for all, and never biased again. */
    struct keeper k;
    keeper_open(&k);
    (void)bias_of(&m);
    CHECK(keep(&k, filch_mutex_lock, &m) == 0 && !is_biased(&m));
    CHECK(filch_mutex_try_lock(&m) == -EBUSY);
    CHECK(keep(&k, filch_mutex_unlock, &m) == 0);
    take_often(&m, 3 * OFTEN);
    CHECK(!is_biased(&m) && is_free(&m));
    keeper_close(&k);
}

/* Another one comes while it is held. */
static void others_while_it_is_held(void)
{
    struct keeper k;
    keeper_open(&k);
    for (int how = 0; how < 3; how++) {
        filch_mutex m = FILCH_MUTEX;
        struct entry e = ENTRY(&m);
        (void)bias_of(&m);
        CHECK(filch_mutex_lock(&m) == 0);
        CHECK(keep(&k, filch_mutex_try_lock, &m) == -EBUSY && !is_biased(&m));
        CHECK(keep(&k, filch_mutex_unlock, &m) == -EPERM);
        CHECK(filch_mutex_lock(&m) == -EDEADLK && filch_mutex_try_lock(&m) == -EBUSY);
        CHECK(filch_mutex_destroy(&m) == -EBUSY);
        if (how == 1)
            keeper_ask(&k, filch_mutex_lock, &m);
        if (how == 1)
            SPIN_UNTIL(filch__load_acquire(&m.state) & 1); /* WAITED */
        CHECK(filch_mutex_unlock(&m) == 0);
        if (how == 1)
            CHECK(keeper_answer(&k) == 0 && keep(&k, filch_mutex_unlock, &m) == 0);
        CHECK(how != 2 || entry_poll(&e, &e) == 0);
        CHECK(how != 2 || filch_mutex_unlock(&m) == 0);
        CHECK(is_free(&m) && none_is_ending());
    }
    keeper_close(&k);
}

/* A task has it while it waits, and goes on elsewhere. */
static int held_over_waits(void *arena)
{
    struct arena *a = arena;
    for (int i = 0; i < 50; i++) {
        CHECK(filch_mutex_lock(&a->mutex) == 0);
        enter(a);
        CHECK(filch_yield() == 0);
        (void)leave(a);
    }
    return 0;
}

static int over_waits(void *arena)
{
    struct arena *a = arena;
    for (long i = 0; i < sized(30, 300, 2000); i++) {
        filch_handle *h[4];
        a->mutex = (filch_mutex)FILCH_MUTEX;
        take_often(&a->mutex, OFTEN); /* biased to some worker, or to this thread */
        for (size_t k = 0; k < COUNT(h); k++)
            spawn_on(a->rt, &h[k], held_over_waits, a);
        for (size_t k = 0; k < COUNT(h); k++)
            CHECK(join(h[k]) == 0);
        CHECK(is_free(&a->mutex));
    }
    return 0;
}

static void held_over_waits_elsewhere(void)
{
    on_each(over_waits, over_waits);
}

/* ---- owners that end ---- */

static int take_and_end(void *m)
{
    (void)bias_of(m);
    CHECK(filch_mutex_lock(m) == 0);
    return 0;
}

static void *end_on_thread(void *m)
{
    (void)take_and_end(m);
    return NULL;
}

static void owners_that_end(void)
{
    for (int on_thread = 0; on_thread < 2; on_thread++) {
        filch_runtime *rt = runtime_open(2);
        filch_mutex m = FILCH_MUTEX;
        filch_handle *h;
        if (on_thread) {
            thread_join(thread_start(end_on_thread, &m));
        } else {
            spawn_on(rt, &h, take_and_end, &m);
            CHECK(join(h) == 0);
        }
        CHECK(filch_mutex_lock(&m) == -EOWNERDEAD);
        CHECK(filch_mutex_consistent(&m) == 0 && filch_mutex_unlock(&m) == 0);
        CHECK(is_free(&m) && none_is_ending());
        runtime_close(rt);
    }
}

/* ---- the moment when another one comes ---- */

/* Two share a mutex; each uses it so often, and the last frees it at once. */
struct shared {
    filch_mutex mutex;
    int64_t count;
    int users; /* under the mutex */
    int rounds;
};

static uint32_t freed;

static int use(void *shared)
{
    struct shared *s = shared;
    bool last = false;
    for (int rounds = s->rounds; rounds > 0 && !last; rounds--) {
        REQUIRE(filch_mutex_lock(&s->mutex) == 0);
        int64_t count = s->count;
        s->count = -1;
        filch__fence_compiler();
        CHECK(s->count == -1 && count >= 0);
        s->count = count + 1;
        last = rounds == 1 && --s->users == 0;
        CHECK(filch_mutex_unlock(&s->mutex) == 0);
    }
    if (last) {
        CHECK(s->count == 2 * (int64_t)s->rounds);
        free(s);
        tally(&freed);
    }
    return 0;
}

static void *use_on_thread(void *shared)
{
    (void)use(shared);
    return NULL;
}

struct meeting {
    struct shared *shared[64];
    uint32_t turn; /* how many were handed over */
    uint32_t stop;
};

/* The second user of each. */
static void *come(void *meeting)
{
    struct meeting *m = meeting;
    for (uint32_t i = 0;; i++) {
        SPIN_UNTIL(filch__load_acquire(&m->turn) > i || flag_up(&m->stop));
        if (filch__load_acquire(&m->turn) <= i)
            return NULL;
        (void)use(m->shared[i % COUNT(m->shared)]);
    }
}

static int meet(void *arg)
{
    filch_runtime *rt = arg;
    uint64_t random = test_seed();
    struct meeting m = {.turn = 0};
    uint32_t rounds = (uint32_t)sized(2000, 30000, 300000);
    pthread_t thread = thread_start(come, &m);
    filch__store_relaxed(&freed, 0u);
    (void)rt;
    for (uint32_t i = 0; i < rounds; i++) {
        struct shared *s = malloc(sizeof *s);
        REQUIRE(s);
        *s = (struct shared){.mutex = FILCH_MUTEX, .users = 2, .rounds = 3 + (int)i % 5};
        take_often(&s->mutex, OFTEN);
        m.shared[i % COUNT(m.shared)] = s;
        filch__store_release(&m.turn, i + 1);
        pause_a_little(&random);
        (void)use(s);
        SPIN_UNTIL(filch__load_acquire(&freed) + COUNT(m.shared) / 2 > i);
    }
    SPIN_UNTIL(filch__load_acquire(&freed) == rounds);
    raise_flag(&m.stop);
    thread_join(thread);
    CHECK(none_is_ending());
    return 0;
}

static void another_comes(void)
{
    filch_runtime *rt = runtime_open(2);
    CHECK(meet(rt) == 0);
    CHECK(filch_run(rt, meet, rt) == 0);
    runtime_close(rt);
}

/* The first is on a worker, where more of its kind have the bias of the same thread. */
static int crowd_of_one_thread(void *arg)
{
    filch_runtime *rt = arg;
    for (long i = 0; i < sized(300, 3000, 30000); i++) {
        struct shared *s = malloc(sizeof *s);
        filch_handle *h;
        REQUIRE(s);
        *s = (struct shared){.mutex = FILCH_MUTEX, .users = 2, .rounds = 40};
        spawn_on(rt, &h, use, s);
        pthread_t thread = thread_start(use_on_thread, s);
        CHECK(join(h) == 0);
        thread_join(thread);
    }
    return 0;
}

static void a_thread_and_a_task(void)
{
    filch_runtime *rt = runtime_open(1);
    CHECK(crowd_of_one_thread(rt) == 0);
    runtime_close(rt);
}

int main(void)
{
    filch_runtime *rt = runtime_open(1); /* biases begin with the first runtime */
    RUN(answers_of_each_call);
    RUN(others_while_it_is_held);
    RUN(held_over_waits_elsewhere);
    RUN(owners_that_end);
    RUN(another_comes);
    RUN(a_thread_and_a_task);
    runtime_close(rt);
    return summary();
}
