/* SPDX-License-Identifier: Apache-2.0 */
/* The semaphore: in order of arrival, whatever is wanted, and no permit lost or made where waits
 * end early. */
#include "tests/support.h"

/* What the tasks of a case share. */
struct arena {
    filch_semaphore semaphore;
    filch_runtime *rt;
    uint64_t random;
    long rounds;
    uint32_t permits; /* that there are at rest */
    uint32_t out;     /* taken, as those who have them count */
    uint32_t waiting, stop, got, missed;
};

static bool is_at_rest(filch_semaphore *s, uint32_t permits)
{
    return filch_semaphore_available(s) == permits &&
           (permits == 0 || (filch_semaphore_try_acquire(s, permits) == 0 &&
                             filch_semaphore_release(s, permits) == 0));
}

/* On runtimes of each size, with an arena of its own: in a task, and on a thread. */
static void on_each(filch_fn *in_task, filch_fn *on_thread, uint32_t permits)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct arena a = {.semaphore = FILCH_SEMAPHORE(permits), .rt = rt, .permits = permits};
        a.random = test_seed() + w;
        CHECK(!in_task || filch_run(rt, in_task, &a) == 0);
        CHECK(on_thread(&a) == 0);
        drain(rt);
        CHECK(is_at_rest(&a.semaphore, permits));
        CHECK(filch_semaphore_destroy(&a.semaphore) == 0);
        CHECK(filch_semaphore_available(&a.semaphore) == 0);
        runtime_close(rt);
    }
}

static void pause_a_little(uint64_t *random)
{
    for (uint32_t n = test_random(random, 1u << test_random(random, 12)); n > 0; n--)
        filch__fence_compiler();
}

static void take_out(struct arena *a, uint32_t n)
{
    CHECK(filch__add_acq_rel(&a->out, n) + n <= a->permits);
}

static void give_back(struct arena *a, uint32_t n)
{
    CHECK(filch__sub_acq_rel(&a->out, n) >= n);
    CHECK(filch_semaphore_release(&a->semaphore, n) == 0);
}

/* ---- answers ---- */

static int answers(void *arena)
{
    filch_semaphore *s = &((struct arena *)arena)->semaphore, few = FILCH_SEMAPHORE(2), zero = {0};
    filch_semaphore most = FILCH_SEMAPHORE(FILCH_SEMAPHORE_MAX);
    filch_semaphore_future none = FILCH_SEMAPHORE_FUTURE(NULL, 1);
    filch_semaphore_future nothing = FILCH_SEMAPHORE_FUTURE(s, 0);
    filch_semaphore_future one = FILCH_SEMAPHORE_FUTURE(&few, 1);
    filch_semaphore_future late = FILCH_SEMAPHORE_FUTURE(&few, 2);
    filch_semaphore_future unused = FILCH_SEMAPHORE_FUTURE(&few, 2);
    CHECK(filch_semaphore_acquire(NULL, 1) == -EINVAL && filch_semaphore_acquire(s, 0) == -EINVAL);
    CHECK(filch_semaphore_try_acquire(NULL, 1) == -EINVAL);
    CHECK(filch_semaphore_try_acquire(s, 0) == -EINVAL);
    CHECK(filch_semaphore_release(NULL, 1) == -EINVAL && filch_semaphore_release(s, 0) == -EINVAL);
    CHECK(filch_semaphore_available(NULL) == -EINVAL && filch_semaphore_destroy(NULL) == -EINVAL);
    CHECK(filch_await(&none.future) == -EINVAL && filch_await(&nothing.future) == -EINVAL);
    CHECK(filch_semaphore_try_acquire(&zero, 1) == -EAGAIN &&
          filch_semaphore_available(&zero) == 0);
    CHECK(filch_semaphore_acquire(&few, 1) == 0 && filch_semaphore_available(&few) == 1);
    CHECK(filch_semaphore_try_acquire(&few, 2) == -EAGAIN);
    CHECK(filch_semaphore_try_acquire(&few, 1) == 0 && filch_semaphore_available(&few) == 0);
    CHECK(filch_semaphore_release(&few, 2) == 0 && filch_semaphore_available(&few) == 2);
    CHECK(filch_await(&one.future) == 0 && filch_await(&one.future) == -EALREADY);
    CHECK(filch_future_drop(&one.future) == 0 && filch_semaphore_available(&few) == 1);
    CHECK(filch_await_until(&late.future, 0) == -ETIMEDOUT && is_at_rest(&few, 1));
    CHECK(filch_future_drop(&unused.future) == 0 && is_at_rest(&few, 1));
    CHECK(filch_semaphore_release(&most, 1) == -EOVERFLOW);
    CHECK(filch_semaphore_release(&few, FILCH_SEMAPHORE_MAX) == -EOVERFLOW && is_at_rest(&few, 1));
    CHECK(filch_semaphore_release(&few, FILCH_SEMAPHORE_MAX - 1) == 0);
    CHECK(is_at_rest(&few, FILCH_SEMAPHORE_MAX) && is_at_rest(&most, FILCH_SEMAPHORE_MAX));
    return 0;
}

/* With somebody in the queue. */
static int answers_while_waited(void *arena)
{
    (void)arena;
    filch_semaphore s = FILCH_SEMAPHORE(3);
    filch_semaphore_future f = FILCH_SEMAPHORE_FUTURE(&s, 5);
    CHECK(filch_poll(&f.future, NULL) == FILCH_PENDING && filch_semaphore_available(&s) == 3);
    CHECK(filch_semaphore_try_acquire(&s, 1) == -EAGAIN && filch_semaphore_destroy(&s) == -EBUSY);
    CHECK(filch_semaphore_release(&s, FILCH_SEMAPHORE_MAX - 2) == -EOVERFLOW);
    CHECK(filch_poll(&f.future, NULL) == FILCH_PENDING && filch_semaphore_available(&s) == 3);
    CHECK(filch_semaphore_release(&s, 4) == 0 && filch_semaphore_available(&s) == 2);
    CHECK(filch_semaphore_destroy(&s) == -EBUSY); /* promised, and not taken yet */
    CHECK(filch_await_until(&f.future, 0) == 0);  /* late, but it is there */
    CHECK(is_at_rest(&s, 2) && filch_semaphore_destroy(&s) == 0);
    return 0;
}

static void answers_of_each_call(void)
{
    on_each(answers, answers, 5);
    on_each(answers_while_waited, answers_while_waited, 0);
}

/* ---- against a model ---- */

enum { ENTRIES = 60 };

struct entry {
    filch_semaphore_future future;
    uint32_t woken;
    enum { UNUSED, WAITS, HAS } state; /* in the model */
    uint32_t arrival, wants;
};

static void entry_wake(void *data)
{
    raise_flag(&((struct entry *)data)->woken);
}

static const filch_waker_ops entry_waker = {.wake = entry_wake};

struct model {
    filch_semaphore semaphore;
    struct entry entries[ENTRIES];
    uint32_t permits, arrivals;
};

static struct entry *first_in(struct model *m)
{
    struct entry *first = NULL;
    for (int i = 0; i < ENTRIES; i++)
        if (m->entries[i].state == WAITS && (!first || m->entries[i].arrival < first->arrival))
            first = &m->entries[i];
    return first;
}

static void model_serve(struct model *m)
{
    for (struct entry *e; (e = first_in(m)) && e->wants <= m->permits; e->state = HAS)
        m->permits -= e->wants;
}

static int poll_entry(struct entry *e)
{
    return filch_poll(&e->future.future, &(filch_waker){&entry_waker, e});
}

static void arrive(struct model *m, struct entry *e, uint32_t wants)
{
    bool at_once = !first_in(m) && wants <= m->permits;
    *e = (struct entry){.arrival = m->arrivals++, .wants = wants};
    e->future = (filch_semaphore_future)FILCH_SEMAPHORE_FUTURE(&m->semaphore, wants);
    CHECK(poll_entry(e) == (at_once ? 0 : FILCH_PENDING));
    if (at_once)
        m->permits -= wants;
    else
        e->state = WAITS;
}

/* One that has arrived is polled again, or leaves. */
static void go_on(struct model *m, struct entry *e, uint64_t *random)
{
    if (test_random(random, 2)) {
        CHECK(filch_future_drop(&e->future.future) == 0);
        m->permits += e->state == HAS ? e->wants : 0;
        e->state = UNUSED;
    } else {
        CHECK(poll_entry(e) == (e->state == HAS ? 0 : FILCH_PENDING));
        if (e->state == HAS)
            e->state = UNUSED; /* its permits come back by a release */
    }
    model_serve(m);
}

static void compare(struct model *m)
{
    CHECK(filch_semaphore_available(&m->semaphore) == m->permits);
    for (int i = 0; i < ENTRIES; i++)
        if (m->entries[i].state != UNUSED)
            CHECK(flag_up(&m->entries[i].woken) == (m->entries[i].state == HAS));
}

static int play(void *arena)
{
    struct arena *a = arena;
    struct model m = {.semaphore = FILCH_SEMAPHORE(4), .permits = 4};
    for (long i = 0; i < sized(3000, 100000, 400000) && !filch__load_relaxed(&case_bad); i++) {
        struct entry *e = &m.entries[test_random(&a->random, ENTRIES)];
        uint32_t what = test_random(&a->random, 64), n = 1 + test_random(&a->random, 8);
        if (what < 8) {
            n = what ? n : 8 * ENTRIES; /* for all */
            CHECK(filch_semaphore_release(&m.semaphore, n) == 0);
            m.permits += n;
            model_serve(&m);
        } else if (what < 12) {
            bool can = !first_in(&m) && n <= m.permits;
            CHECK(filch_semaphore_try_acquire(&m.semaphore, n) == (can ? 0 : -EAGAIN));
            m.permits -= can ? n : 0;
        } else if (e->state == UNUSED) {
            arrive(&m, e, n);
        } else if (what < 24) {
            go_on(&m, e, &a->random);
        }
        compare(&m);
    }
    for (int i = 0; i < ENTRIES; i++)
        if (m.entries[i].state != UNUSED)
            CHECK(filch_future_drop(&m.entries[i].future.future) == 0);
    CHECK(filch_semaphore_destroy(&m.semaphore) == 0);
    return 0;
}

static void as_the_model_says(void)
{
    on_each(play, play, 0);
}

/* ---- many ---- */

static int acquire_once(void *arena)
{
    struct arena *a = arena;
    uint32_t n = 1 + filch__add_acq_rel(&a->waiting, 1u) % 3;
    int rc = filch_semaphore_acquire(&a->semaphore, n);
    if (rc == 0) {
        take_out(a, n);
        CHECK(filch_yield() != -EINVAL);
        give_back(a, n);
    }
    return rc;
}

/* One release wakes them all. */
static int crowd_on(void *arena)
{
    struct arena *a = arena;
    enum { N = 200 };
    filch_handle *h[N];
    CHECK(filch_semaphore_acquire(&a->semaphore, a->permits) == 0);
    for (int i = 0; i < N; i++)
        spawn_on(a->rt, &h[i], acquire_once, a);
    SPIN_UNTIL(filch__load_acquire(&a->waiting) == N);
    CHECK(filch_semaphore_release(&a->semaphore, a->permits) == 0);
    for (int i = 0; i < N; i++)
        CHECK(join(h[i]) == 0);
    return 0;
}

static void one_release_for_a_crowd(void)
{
    on_each(NULL, crowd_on, 400);
    on_each(NULL, crowd_on, 3);
}

/* ---- waits that end early ---- */

static int release_all(void *arena)
{
    struct arena *a = arena;
    give_back(a, a->permits);
    return 0;
}

/* Has all; cancels of those who wait meet the release, by another task, or the caller. */
static void cancel_at_the_grant(struct arena *a)
{
    enum { WAITERS = 3 };
    filch_handle *h[WAITERS], *other = NULL;
    filch_scope s;
    uint32_t order = test_random(&a->random, 4), whole = test_random(&a->random, 2);
    filch__store_release(&a->waiting, test_random(&a->random, 3) * 4);
    uint32_t all = filch__load_relaxed(&a->waiting) + WAITERS;
    REQUIRE(filch_scope_open(&s, &(filch_scope_options){.runtime = a->rt}) == 0);
    CHECK(filch_semaphore_try_acquire(&a->semaphore, a->permits) == 0);
    take_out(a, a->permits);
    for (int i = 0; i < WAITERS; i++)
        CHECK(filch_scope_spawn(&s, &h[i], acquire_once, a) == 0);
    while (order && filch__load_acquire(&a->waiting) < all)
        CHECK(filch_yield() == 0);
    if (order == 1)
        (void)release_all(a);
    else if (order < 3)
        spawn_on(a->rt, &other, release_all, a);
    pause_a_little(&a->random);
    CHECK(whole ? filch_scope_cancel(&s, 0) == 0 : filch_abort(h[0]) == 0);
    if (order == 3)
        (void)release_all(a);
    CHECK(filch_scope_close(&s) == (whole ? -ECANCELED : 0));
    for (int i = 0; i < WAITERS; i++) {
        int rc = join(h[i]);
        CHECK(rc == 0 || (rc == -ECANCELED && (whole || i == 0)));
    }
    if (other)
        CHECK(join(other) == 0);
    CHECK(is_at_rest(&a->semaphore, a->permits));
}

static int cancel_often(void *arena)
{
    for (long i = 0; i < sized(400, 5000, 85000) && !filch__load_relaxed(&case_bad); i++)
        cancel_at_the_grant(arena);
    return 0;
}

static void cancels_at_the_grant(void)
{
    on_each(cancel_often, cancel_often, 4);
}

/* Once, for a very short time. */
static int try_somehow(struct arena *a, uint32_t n, uint64_t *random)
{
    int64_t soon = filch_now() + test_random(random, 20000);
    filch_semaphore_future acquire = FILCH_SEMAPHORE_FUTURE(&a->semaphore, n);
    filch_sleep_future pause = FILCH_SLEEP_FUTURE(soon);
    filch_future *either[] = {&acquire.future, &pause.future};
    int rc = 0;
    switch (test_random(random, 4)) {
    case 0:
        return filch_semaphore_acquire(&a->semaphore, n);
    case 1:
        return filch_await_until(&acquire.future, soon);
    case 2:
        rc = filch_select(either, 2);
        filch_future_drop_all(either, 2);
        return rc == 1 ? -ETIMEDOUT : rc;
    default:
        rc = filch_poll(&acquire.future, NULL);
        pause_a_little(random);
        CHECK(filch_future_drop(&acquire.future) == 0);
        return rc == FILCH_PENDING ? -ETIMEDOUT : rc;
    }
}

static int try_again_and_again(void *arena)
{
    struct arena *a = arena;
    uint64_t random = test_seed() + filch__add_acq_rel(&a->waiting, 1u);
    while (!flag_up(&a->stop)) {
        uint32_t n = 1 + test_random(&random, a->permits);
        int rc = try_somehow(a, n, &random);
        CHECK(rc == 0 || rc == -ETIMEDOUT);
        tally(rc == 0 ? &a->got : &a->missed);
        if (rc == 0)
            take_out(a, n);
        if (test_random(&random, 16) == 0)
            CHECK(filch_yield() == 0);
        if (rc == 0)
            give_back(a, n);
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
    SPIN_UNTIL(filch__load_acquire(&a->got) > enough && filch__load_acquire(&a->missed) > enough);
    raise_flag(&a->stop);
    for (int i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    return 0;
}

static void timeouts_and_selects_at_the_grant(void)
{
    on_each(NULL, try_on, 5);
}

/* ---- memory ---- */

static int release_in_part(void *semaphore)
{
    CHECK(filch_semaphore_release(semaphore, 1) == 0);
    return 0;
}

/* Who has acquired all frees it, while the last release may not have returned. */
static int free_at_once(void *arena)
{
    struct arena *a = arena;
    enum { PARTS = 3 };
    for (long i = 0; i < sized(300, 2000, 50000); i++) {
        filch_semaphore *s = malloc(sizeof *s);
        REQUIRE(s);
        *s = (filch_semaphore)FILCH_SEMAPHORE(0);
        filch_semaphore_future f = FILCH_SEMAPHORE_FUTURE(s, PARTS);
        for (int k = 0; k < PARTS; k++)
            spawn_on(a->rt, NULL, release_in_part, s);
        int64_t soon = filch_now() + test_random(&a->random, 20000);
        if (test_random(&a->random, 2) == 0 || filch_await_until(&f.future, soon) < 0)
            CHECK(filch_semaphore_acquire(s, PARTS) == 0);
        free(s);
    }
    return 0;
}

static void the_last_permit_frees_it(void)
{
    on_each(free_at_once, free_at_once, 0);
}

/* While tasks wait. */
static void the_runtime_ends(void)
{
    enum { TASKS = 20 };
    for (int i = 0; i < sized(30, 300, 3000); i++) {
        filch_runtime *rt = runtime_open(worker_counts[i % 3]);
        struct arena a = {.semaphore = FILCH_SEMAPHORE(0), .permits = 100};
        filch_handle *h[TASKS];
        for (int k = 0; k < TASKS; k++)
            spawn_on(rt, &h[k], acquire_once, &a);
        if (i % 4)
            SPIN_UNTIL(filch__load_acquire(&a.waiting) == TASKS);
        runtime_close(rt);
        for (int k = 0; k < TASKS; k++)
            CHECK(join(h[k]) == -ECANCELED);
        CHECK(is_at_rest(&a.semaphore, 0) && filch_semaphore_destroy(&a.semaphore) == 0);
    }
}

int main(void)
{
    RUN(answers_of_each_call);
    RUN(as_the_model_says);
    RUN(one_release_for_a_crowd);
    RUN(cancels_at_the_grant);
    RUN(timeouts_and_selects_at_the_grant);
    RUN(the_last_permit_frees_it);
    RUN(the_runtime_ends);
    return summary();
}
