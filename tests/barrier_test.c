/* SPDX-License-Identifier: Apache-2.0 */
/* Barriers: rounds of as many as it takes, those who leave before do not count, one is told it was
 * the last. */
#include "tests/wait_check.h"

static int answers(void *rt)
{
    (void)rt;
    filch_barrier none_come = FILCH_BARRIER(0), one = FILCH_BARRIER(1), two = FILCH_BARRIER(2);
    filch_barrier_future none = FILCH_BARRIER_FUTURE(NULL), f = FILCH_BARRIER_FUTURE(&two);
    filch_barrier_future late = FILCH_BARRIER_FUTURE(&two), zero = FILCH_BARRIER_FUTURE(&none_come);
    CHECK(filch_barrier_wait(NULL) == -EINVAL && filch_await(&none.future) == -EINVAL);
    CHECK(filch_barrier_wait(&none_come) == -EINVAL && filch_await(&zero.future) == -EINVAL);
    CHECK(filch_barrier_destroy(NULL) == -EINVAL && filch_barrier_destroy(&two) == 0);
    CHECK(filch_barrier_wait(&one) == 1 && filch_barrier_wait(&one) == 1);
    CHECK(filch_await_until(&late.future, 0) == -ETIMEDOUT); /* has not come */
    CHECK(filch_poll(&f.future, NULL) == FILCH_PENDING && filch_barrier_destroy(&two) == -EBUSY);
    CHECK(filch_barrier_wait(&two) == 1 && filch_barrier_destroy(&two) == -EBUSY);
    CHECK(filch_await(&f.future) == 0 && filch_await(&f.future) == -EALREADY);
    CHECK(filch_barrier_destroy(&two) == 0);
    return 0;
}

static void answers_of_each_call(void)
{
    everywhere(answers);
}

/* Each of those who come may leave before the round is complete, and then another one comes; or
 * once it is complete. */
static int rounds(void *rt)
{
    (void)rt;
    enum { N = 50 };
    filch_barrier b = FILCH_BARRIER(N);
    filch_barrier_future f[N];
    struct bell bell[N];
    uint64_t random = test_seed();
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < N; i++) {
            bool stays = i == N - 1 || test_random(&random, 3);
            f[i] = (filch_barrier_future)FILCH_BARRIER_FUTURE(&b);
            bell[i] = (struct bell){0};
            CHECK(poll_for(&f[i].future, &bell[i]) == (i == N - 1 ? 1 : FILCH_PENDING));
            CHECK(stays || filch_future_drop(&f[i].future) == 0);
            i -= !stays;
        }
        for (int i = 0; i < N - 1; i++) {
            CHECK(rung(&bell[i]) == 1 && filch_barrier_destroy(&b) == -EBUSY);
            CHECK(test_random(&random, 2) ? poll_for(&f[i].future, &bell[i]) == 0
                                          : filch_future_drop(&f[i].future) == 0);
        }
        CHECK(round % 2 || filch_barrier_destroy(&b) == 0);
    }
    return 0;
}

static void rounds_by_hand(void)
{
    everywhere(rounds);
}

static void come(void *barrier)
{
    CHECK(filch_barrier_wait(barrier) == 1);
}

/* Those who left when it was complete have not changed the next round. */
static void next_round(void *barrier)
{
    filch_barrier_future f[MANY + 1];
    for (int i = 0; i <= MANY; i++) {
        f[i] = (filch_barrier_future)FILCH_BARRIER_FUTURE(barrier);
        CHECK(filch_poll(&f[i].future, NULL) == (i < MANY ? FILCH_PENDING : 1));
    }
    for (int i = 0; i < MANY; i++)
        CHECK(filch_poll(&f[i].future, NULL) == 0);
    CHECK(filch_barrier_destroy(barrier) == 0);
}

static void the_last_frees_it(void)
{
    for (int i = 0; i < 50; i++) {
        filch_barrier *b = malloc(sizeof *b);
        struct parting p = {.memory = b, .check = next_round};
        filch_barrier_future f[MANY];
        *b = (filch_barrier)FILCH_BARRIER(MANY + 1);
        for (int k = 0; k < MANY; k++) {
            f[k] = (filch_barrier_future)FILCH_BARRIER_FUTURE(b);
            parting_poll(&p, k, &f[k].future);
        }
        part(&p, come);
    }
}

static int wait_until(void *barrier, int64_t deadline)
{
    filch_barrier_future f = FILCH_BARRIER_FUTURE(barrier);
    return filch_await_until(&f.future, deadline);
}

static void complete_and_late(void)
{
    filch_barrier b = FILCH_BARRIER(2);
    struct tick t = {.wait = wait_until, .act = come, .arg = &b};
    CHECK(at_once(&t) == 0 && filch_barrier_destroy(&b) == 0);
}

/* ---- cancels when it is complete ---- */

static int wait_once(void *barrier)
{
    return filch_barrier_wait(barrier);
}

/* The third party, which does not wait. */
struct third {
    filch_barrier b;
    filch_barrier_future f;
    struct bell bell;
    int rc;
};

static int wait_third(void *third)
{
    return wait_once(&((struct third *)third)->b);
}

static int come_third(void *third)
{
    struct third *t = third;
    t->rc = poll_for(&t->f.future, &t->bell);
    return 0;
}

/* Of one that has left, before the round was complete or after, while the other may have to come
 * yet. Whether it completed the round. */
static int take_the_place(struct third *t)
{
    int rc = 0;
    while (rc != 1 && t->rc != 1 && !rung(&t->bell)) {
        filch_barrier_future f = FILCH_BARRIER_FUTURE(&t->b);
        rc = filch_poll(&f.future, NULL);
        CHECK(rc == FILCH_PENDING || rc == 1);
        CHECK(filch_yield() == 0 && filch_future_drop(&f.future) == 0);
    }
    return rc == 1;
}

/* Two wait and the third comes; of the two one leaves, or both. Those who have left do not count:
 * as many more as it then takes complete the round. */
static void cancel_when_complete(struct meeting *m)
{
    struct third *t = m->arg;
    t->f = (filch_barrier_future)FILCH_BARRIER_FUTURE(&t->b);
    t->bell = (struct bell){0};
    meeting_begin(m);
    filch_barrier_future more[2] = {FILCH_BARRIER_FUTURE(&t->b), FILCH_BARRIER_FUTURE(&t->b)};
    int last = (t->rc == 1) + (m->rc[0] == 1);
    if (!m->whole && m->rc[0] < 0)
        last += take_the_place(t);
    meeting_end(m);
    last += m->rc[1] == 1;
    if (t->rc == FILCH_PENDING)
        t->rc = filch_poll(&t->f.future, NULL);
    CHECK(last == (t->rc != FILCH_PENDING));
    CHECK(t->rc != FILCH_PENDING || (m->whole && m->rc[0] < 0 && m->rc[1] < 0));
    if (t->rc == FILCH_PENDING) {
        CHECK(filch_poll(&more[0].future, NULL) == FILCH_PENDING);
        CHECK(filch_poll(&more[1].future, NULL) == 1);
        CHECK(filch_poll(&more[0].future, NULL) == 0 && filch_poll(&t->f.future, NULL) == 0);
    }
    CHECK(filch_barrier_destroy(&t->b) == 0);
}

static void cancels_when_complete(void)
{
    struct third t = {.b = FILCH_BARRIER(3)};
    struct meeting m = {.wait = wait_third, .act = come_third, .arg = &t, .waiters = 2};
    meet_on_each(&m, cancel_when_complete);
}

/* ---- steps ---- */

enum { PARTIES = 8 };

struct steps {
    filch_barrier b;
    uint32_t at[PARTIES], next, last, ended;
    long n;
};

static int step(void *steps)
{
    struct steps *s = steps;
    uint32_t me = filch__add_acq_rel(&s->next, 1u);
    for (uint32_t i = 1; i <= s->n; i++) {
        filch__store_relaxed(&s->at[me], i);
        int rc = filch_barrier_wait(&s->b);
        CHECK(rc == 0 || rc == 1);
        if (rc == 1)
            tally(&s->last);
        for (int k = 0; k < PARTIES; k++) {
            uint32_t at = filch__load_relaxed(&s->at[k]);
            CHECK(at == i || at == i + 1);
        }
    }
    tally(&s->ended);
    return 0;
}

static void *step_thread(void *steps)
{
    (void)step(steps);
    return NULL;
}

static void tasks_and_threads_in_step(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct steps s = {.b = FILCH_BARRIER(PARTIES), .n = sized(200, 2000, 20000)};
        pthread_t threads[2];
        for (int i = 0; i < PARTIES - 2; i++)
            spawn_on(rt, NULL, step, &s);
        for (int i = 0; i < 2; i++)
            threads[i] = thread_start(step_thread, &s);
        for (int i = 0; i < 2; i++)
            thread_join(threads[i]);
        drain(rt);
        CHECK(s.last == s.n && s.ended == PARTIES && filch_barrier_destroy(&s.b) == 0);
        runtime_close(rt);
    }
}

/* ---- some come for a short time only ---- */

struct storm {
    filch_barrier b;
    uint32_t last, through, late, stop, started;
    long rounds;
};

static int come_somehow(void *storm)
{
    struct storm *s = storm;
    uint64_t random = test_seed() + filch__add_acq_rel(&s->started, 1u);
    while (!flag_up(&s->stop)) {
        filch_barrier_future f = FILCH_BARRIER_FUTURE(&s->b);
        int rc = try_somehow(&f.future, &random);
        CHECK(rc == 0 || rc == 1 || rc == -ETIMEDOUT);
        tally(rc == 1 ? &s->last : rc == 0 ? &s->through : &s->late);
    }
    return 0;
}

static bool enough_rounds(void *storm)
{
    struct storm *s = storm;
    return filch__load_acquire(&s->last) >= s->rounds;
}

/* Who was let go without having seen it counts as late here, so `through` is a bound. */
static void timeouts_and_selects_when_complete(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct storm s = {.b = FILCH_BARRIER(3), .rounds = sized(300, 3000, 100000)};
        crowd_on(rt, come_somehow, &s, enough_rounds, &s.stop);
        CHECK(s.through <= 2 * s.last && s.last <= s.through + s.late);
        CHECK(filch_barrier_destroy(&s.b) == 0);
        runtime_close(rt);
    }
}

int main(void)
{
    RUN(answers_of_each_call);
    RUN(rounds_by_hand);
    RUN(the_last_frees_it);
    RUN(complete_and_late);
    RUN(tasks_and_threads_in_step);
    run_case_within(300, "cancels_when_complete", cancels_when_complete);
    run_case_within(300, "timeouts_and_selects_when_complete", timeouts_and_selects_when_complete);
    return summary();
}
