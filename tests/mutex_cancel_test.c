/* SPDX-License-Identifier: Apache-2.0 */
/* The mutex: waits for it that end early, at the very moment that it comes. */
#include "tests/mutex_check.h"

#include <filch/scope.h>

/* ---- cancels ---- */

/* Waits for it as if it had done so for long: it is handed over. */
static int lock_impatiently(void *arena)
{
    struct arena *a = arena;
    filch_lock_future lock = FILCH_LOCK_FUTURE(&a->mutex);
    tally(&a->waiting);
    int rc = filch_poll(&lock.future, NULL);
    if (rc == FILCH_PENDING) {
        age(&lock);
        rc = filch_await(&lock.future);
    }
    if (rc == 0) {
        enter(a);
        (void)leave(a);
    }
    return rc;
}

struct cancel {
    filch_scope *scope; /* NULL: the task alone */
    filch_handle *h;
};

static int cancel(void *arg)
{
    struct cancel *c = arg;
    return c->scope ? filch_scope_cancel(c->scope, 0) : filch_abort(c->h);
}

/* The caller gets in again before those who were told: they look in vain. */
static void get_in_again(struct arena *a)
{
    (void)leave(a);
    int rc = filch_mutex_lock(&a->mutex);
    CHECK(rc == 0);
    enter(a);
}

/* Has the mutex; cancels of those who wait meet the unlock: by the caller, before it or after it,
 * or by somebody else. */
static void cancel_at_the_grant(struct arena *a)
{
    enum { WAITERS = 3 };
    filch_handle *h[WAITERS], *canceller = NULL;
    filch_scope s;
    uint32_t order = test_random(&a->random, 4), whole = test_random(&a->random, 2);
    filch_fn *how = test_random(&a->random, 2) ? lock_once : lock_impatiently;
    filch__store_release(&a->waiting, 0u);
    REQUIRE(filch_scope_open(&s, &(filch_scope_options){.runtime = a->rt}) == 0);
    CHECK(filch_mutex_try_lock(&a->mutex) == 0);
    enter(a);
    for (int i = 0; i < WAITERS; i++)
        CHECK(filch_scope_spawn(&s, &h[i], how, a) == 0);
    struct cancel c = {whole ? &s : NULL, h[test_random(&a->random, WAITERS)]};
    while (order && filch__load_acquire(&a->waiting) < WAITERS)
        CHECK(filch_yield() == 0);
    if (test_random(&a->random, 2))
        get_in_again(a);
    if (order == 1)
        (void)leave(a);
    if (order == 2)
        CHECK(filch_scope_spawn(&s, &canceller, cancel, &c) == 0);
    pause_a_little(&a->random);
    if (order != 2)
        CHECK(cancel(&c) == 0);
    if (order != 1)
        (void)leave(a);
    CHECK(filch_scope_close(&s) == (whole ? -ECANCELED : 0));
    CHECK(!canceller || join(canceller) == 0);
    for (int i = 0; i < WAITERS; i++) {
        bool may = whole || h[i] == c.h;
        int rc = join(h[i]);
        CHECK(rc == 0 || (rc == -ECANCELED && may));
        tally(rc == 0 ? &a->got : &a->missed);
    }
    CHECK(is_free(&a->mutex));
}

static int cancel_often(void *arena)
{
    for (long i = 0; i < sized(500, 5000, 40000) && !filch__load_relaxed(&case_bad); i++)
        cancel_at_the_grant(arena);
    return 0;
}

static void cancels_at_the_grant(void)
{
    on_each(cancel_often, cancel_often);
}

static int lock_cancelled(void *arena)
{
    struct arena *a = arena;
    filch_lock_future lock = FILCH_LOCK_FUTURE(&a->mutex);
    SPIN_UNTIL(filch_cancelled());
    CHECK(filch_mutex_lock(&a->mutex) == -ECANCELED && filch_mutex_lock(NULL) == -EINVAL);
    CHECK(filch_await(&lock.future) == -ECANCELED);
    CHECK(is_free(&a->mutex)); /* who only tries is not asked */
    return 0;
}

static int cancel_first(void *arena)
{
    struct arena *a = arena;
    filch_handle *h;
    spawn_on(a->rt, &h, lock_cancelled, a);
    SPIN_UNTIL(totals_of(a->rt).tasks_live > 0);
    CHECK(filch_abort(h) == 0);
    int rc = join(h);
    CHECK(rc == 0 || rc == -ECANCELED);
    return 0;
}

static void cancelled_before(void)
{
    on_each(NULL, cancel_first);
}

/* ---- deadlines and selects ---- */

/* Once, for a very short time. */
static int try_somehow(struct arena *a, uint64_t *random)
{
    int64_t soon = filch_now() + test_random(random, 20000);
    filch_lock_future lock = FILCH_LOCK_FUTURE(&a->mutex);
    filch_sleep_future pause = FILCH_SLEEP_FUTURE(soon);
    filch_future *either[] = {&lock.future, &pause.future};
    int rc = 0;
    switch (test_random(random, 5)) {
    case 0:
        return filch_mutex_lock(&a->mutex);
    case 1:
        return filch_await_until(&lock.future, soon);
    case 2:
        rc = filch_select(either, 2);
        filch_future_drop_all(either, 2);
        return rc == 1 ? -ETIMEDOUT : rc;
    case 3:
        rc = filch_poll(&lock.future, NULL);
        if (rc == FILCH_PENDING) {
            age(&lock);
            rc = filch_await_until(&lock.future, soon);
        }
        return rc;
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

/* ---- the runtime's end ---- */

/* Another owner, until it is told. */
struct owner {
    struct arena arena;
    uint32_t has, go;
};

static void *own(void *owner)
{
    struct owner *o = owner;
    CHECK(filch_mutex_lock(&o->arena.mutex) == 0);
    enter(&o->arena);
    raise_flag(&o->has);
    SPIN_UNTIL(flag_up(&o->go));
    pause_a_little(&o->arena.random);
    (void)leave(&o->arena);
    return NULL;
}

/* While tasks wait; somebody unlocks meanwhile, or afterwards. */
static void the_runtime_ends(void)
{
    enum { TASKS = 20 };
    uint64_t random = test_seed();
    for (int i = 0; i < sized(30, 300, 3000); i++) {
        filch_runtime *rt = runtime_open(worker_counts[i % 3]);
        struct owner o = {{.mutex = FILCH_MUTEX, .random = test_random(&random, 1000)}, 0, 0};
        filch_handle *h[TASKS];
        pthread_t thread = thread_start(own, &o);
        SPIN_UNTIL(flag_up(&o.has));
        for (int k = 0; k < TASKS; k++)
            spawn_on(rt, &h[k], k % 2 ? lock_once : lock_impatiently, &o.arena);
        if (i % 4)
            SPIN_UNTIL(filch__load_acquire(&o.arena.waiting) == TASKS);
        if (i % 2)
            raise_flag(&o.go);
        runtime_close(rt);
        raise_flag(&o.go);
        thread_join(thread);
        for (int k = 0; k < TASKS; k++) {
            int rc = join(h[k]);
            CHECK(rc == -ECANCELED || (rc == 0 && i % 2));
        }
        CHECK(is_free(&o.arena.mutex));
    }
}

/* ---- memory ---- */

/* A mutex in memory that its last owner frees at once, whoever may have unlocked it before. */
struct box {
    filch_mutex mutex;
    int left; /* under the mutex */
    uint32_t *freed;
};

static void use_box(struct box *b)
{
    uint32_t *freed = b->freed;
    bool last = --b->left == 0;
    CHECK(filch_mutex_unlock(&b->mutex) == 0);
    if (last) {
        free(b);
        raise_flag(freed);
    }
}

/* One poll, with the waker of the caller itself. */
static int look(filch_lock_future *lock)
{
    filch_future *f = &lock->future;
    int rc = filch_select_until(&f, 1, 0);
    CHECK(rc == 0 || rc == -ETIMEDOUT);
    return rc == 0 ? f->result : FILCH_PENDING;
}

/* Looks without being told to. */
static int poll_box(void *box)
{
    struct box *b = box;
    filch_lock_future lock = FILCH_LOCK_FUTURE(&b->mutex);
    int rc = look(&lock);
    if (rc == FILCH_PENDING)
        age(&lock);
    for (int looks = 1; rc == FILCH_PENDING; looks++) {
        if (looks % 8 == 0) {
            (void)filch_yield();
            sched_yield();
        }
        rc = look(&lock);
    }
    CHECK(rc == 0);
    use_box(b);
    return 0;
}

static int wait_for_box(void *box)
{
    struct box *b = box;
    CHECK(filch_mutex_lock(&b->mutex) == 0);
    use_box(b);
    return 0;
}

static int free_boxes(void *arena)
{
    struct arena *a = arena;
    enum { USERS = 3 };
    for (long i = 0; i < sized(50, 300, 3000); i++) {
        uint32_t freed = 0, how = test_random(&a->random, 1u << (USERS + 1));
        struct box *b = calloc(1, sizeof *b);
        REQUIRE(b);
        b->left = 2 + USERS;
        b->freed = &freed;
        CHECK(filch_mutex_lock(&b->mutex) == 0);
        for (int k = 0; k < USERS; k++)
            spawn_on(a->rt, NULL, how >> k & 1 ? poll_box : wait_for_box, b);
        if (test_random(&a->random, 4)) { /* they wait, and the first looks in vain */
            CHECK(filch_yield() == 0);
            CHECK(filch_mutex_unlock(&b->mutex) == 0 && filch_mutex_lock(&b->mutex) == 0);
            CHECK(filch_yield() == 0);
        }
        pause_a_little(&a->random);
        use_box(b);
        (void)(how >> USERS & 1 ? poll_box : wait_for_box)(b);
        while (!flag_up(&freed))
            CHECK(filch_yield() == 0);
    }
    return 0;
}

static void freed_by_the_last_owner(void)
{
    on_each(free_boxes, free_boxes);
}

/* The same, by a task that looks all the time while it is handed over. */
static int free_handed_over(void *arena)
{
    (void)arena;
    struct keeper k;
    keeper_open(&k);
    for (long i = 0; i < sized(500, 5000, 50000); i++) {
        filch_mutex *m = calloc(1, sizeof *m);
        REQUIRE(m);
        filch_lock_future lock = FILCH_LOCK_FUTURE(m);
        CHECK(keep(&k, filch_mutex_lock, m) == 0 && look(&lock) == FILCH_PENDING);
        age(&lock);
        CHECK(keep(&k, filch_mutex_unlock, m) == 0 && keep(&k, filch_mutex_lock, m) == 0);
        CHECK(look(&lock) == FILCH_PENDING);
        keeper_ask(&k, filch_mutex_unlock, m);
        while (look(&lock) == FILCH_PENDING)
            ;
        CHECK(filch_mutex_unlock(m) == 0);
        free(m);
        CHECK(keeper_answer(&k) == 0);
    }
    keeper_close(&k);
    return 0;
}

static void freed_when_handed_over(void)
{
    on_each(free_handed_over, NULL);
}

int main(void)
{
    RUN(cancels_at_the_grant);
    RUN(cancelled_before);
    RUN(timeouts_and_selects_at_the_grant);
    RUN(the_runtime_ends);
    RUN(freed_by_the_last_owner);
    RUN(freed_when_handed_over);
    return summary();
}
