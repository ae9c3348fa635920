/* SPDX-License-Identifier: Apache-2.0 */
/* Latches: the count, all let go at zero, used again, and their memory free at once. */
#include "tests/wait_check.h"

static int answers(void *rt)
{
    (void)rt;
    filch_latch l = FILCH_LATCH(2), most = FILCH_LATCH(UINT32_MAX);
    filch_latch_future none = FILCH_LATCH_FUTURE(NULL), f = FILCH_LATCH_FUTURE(&l);
    filch_latch_future late = FILCH_LATCH_FUTURE(&l), again = FILCH_LATCH_FUTURE(&l);
    CHECK(filch_latch_add(NULL, 1) == -EINVAL && filch_latch_done(NULL, 1) == -EINVAL);
    CHECK(filch_latch_wait(NULL) == -EINVAL && filch_await(&none.future) == -EINVAL);
    CHECK(filch_latch_destroy(NULL) == -EINVAL && filch_latch_count(NULL) == 0);
    CHECK(filch_latch_count(&l) == 2 && filch_await_until(&late.future, 0) == -ETIMEDOUT);
    CHECK(filch_latch_done(&l, 3) == -EINVAL && filch_latch_count(&l) == 2);
    CHECK(filch_latch_done(&l, 0) == 0 && filch_latch_add(&l, 0) == 0);
    CHECK(filch_latch_add(&most, 1) == -EOVERFLOW && filch_latch_count(&most) == UINT32_MAX);
    CHECK(filch_latch_add(&l, UINT32_MAX) == -EOVERFLOW && filch_latch_count(&l) == 2);
    CHECK(filch_latch_done(&most, UINT32_MAX) == 0 && filch_latch_wait(&most) == 0);
    CHECK(filch_latch_add(&most, UINT32_MAX) == 0 && filch_latch_count(&most) == UINT32_MAX);
    CHECK(filch_poll(&f.future, NULL) == FILCH_PENDING && filch_latch_destroy(&l) == -EBUSY);
    CHECK(filch_latch_add(&l, 5) == 0 && filch_latch_done(&l, 6) == 0);
    CHECK(filch_poll(&f.future, NULL) == FILCH_PENDING && filch_latch_count(&l) == 1);
    CHECK(filch_latch_done(&l, 2) == -EINVAL && filch_latch_done(&l, 1) == 0);
    CHECK(filch_latch_done(&l, 1) == -EINVAL && filch_latch_done(&l, 0) == 0);
    CHECK(filch_latch_add(&l, 1) == 0 && filch_poll(&again.future, NULL) == FILCH_PENDING);
    CHECK(filch_await(&f.future) == 0 && filch_await(&f.future) == -EALREADY); /* was let go */
    CHECK(filch_latch_destroy(&l) == -EBUSY && filch_future_drop(&again.future) == 0);
    CHECK(filch_latch_destroy(&l) == 0 && filch_latch_count(&l) == 0 && filch_latch_wait(&l) == 0);
    return 0;
}

static void answers_of_each_call(void)
{
    everywhere(answers);
}

/* Used again and again; some leave before it comes to zero, some before they have seen it. */
static int all(void *rt)
{
    (void)rt;
    enum { N = 50 };
    filch_latch l = FILCH_LATCH(0);
    filch_latch_future f[N];
    struct bell bell[N];
    for (int round = 0; round < 50; round++) {
        CHECK(filch_latch_add(&l, 3) == 0);
        for (int i = 0; i < N; i++) {
            f[i] = (filch_latch_future)FILCH_LATCH_FUTURE(&l);
            bell[i] = (struct bell){0};
            CHECK(poll_for(&f[i].future, &bell[i]) == FILCH_PENDING);
        }
        for (int i = 0; i < N; i += 2)
            CHECK(filch_future_drop(&f[i].future) == 0);
        CHECK(filch_latch_done(&l, 1) == 0 && filch_latch_done(&l, 1) == 0 && rung(&bell[1]) == 0);
        CHECK(filch_latch_done(&l, 1) == 0);
        for (int i = 0; i < N; i++)
            CHECK(rung(&bell[i]) == (uint32_t)i % 2);
        for (int i = 1; i < N; i += 2)
            CHECK(i % 4 == 1 ? poll_for(&f[i].future, &bell[i]) == 0
                             : filch_future_drop(&f[i].future) == 0);
        CHECK(filch_latch_destroy(&l) == 0);
    }
    return 0;
}

static void all_who_wait(void)
{
    everywhere(all);
}

static void done(void *latch)
{
    CHECK(filch_latch_done(latch, 1) == 0);
}

static void the_last_frees_it(void)
{
    for (int i = 0; i < 50; i++) {
        filch_latch *l = malloc(sizeof *l);
        struct parting p = {.memory = l};
        filch_latch_future f[MANY];
        *l = (filch_latch)FILCH_LATCH(1);
        for (int k = 0; k < MANY; k++) {
            f[k] = (filch_latch_future)FILCH_LATCH_FUTURE(l);
            parting_poll(&p, k, &f[k].future);
        }
        part(&p, done);
    }
}

static int wait_until(void *latch, int64_t deadline)
{
    filch_latch_future f = FILCH_LATCH_FUTURE(latch);
    return filch_await_until(&f.future, deadline);
}

static void done_for_a_moment(void *latch)
{
    done(latch);
    CHECK(filch_latch_add(latch, 1) == 0);
}

static void done_and_late(void)
{
    filch_latch l = FILCH_LATCH(1);
    struct tick t = {.wait = wait_until, .act = done_for_a_moment, .arg = &l};
    CHECK(at_once(&t) == 0 && filch_latch_count(&l) == 1);
}

static int wait_once(void *latch)
{
    return filch_latch_wait(latch);
}

static int done_with_it(void *latch)
{
    return filch_latch_done(latch, 1);
}

static void cancel_at_zero(struct meeting *m)
{
    CHECK(filch_latch_add(m->arg, 1) == 0);
    meeting_begin(m);
    meeting_end(m);
    CHECK(filch_latch_count(m->arg) == 0 && filch_latch_destroy(m->arg) == 0);
}

static void cancels_at_zero(void)
{
    filch_latch l = FILCH_LATCH(0);
    struct meeting m = {.wait = wait_once, .act = done_with_it, .arg = &l, .waiters = 3};
    meet_on_each(&m, cancel_at_zero);
}

/* ---- a wait group ---- */

struct group {
    filch_latch left;
    uint32_t ended;
};

static int member(void *group)
{
    struct group *g = group;
    tally(&g->ended);
    return filch_latch_done(&g->left, 1);
}

static void *member_thread(void *group)
{
    CHECK(member(group) == 0);
    return NULL;
}

/* Its memory goes as soon as the wait for it is over. */
static int group_up(void *rt)
{
    uint64_t random = test_seed();
    for (long i = 0; i < sized(300, 3000, 30000); i++) {
        struct group *g = malloc(sizeof *g);
        uint32_t members = 1 + test_random(&random, 8);
        pthread_t thread = 0;
        *g = (struct group){.left = FILCH_LATCH(0)};
        for (uint32_t k = 0; k < members; k++) {
            CHECK(filch_latch_add(&g->left, 1) == 0);
            if (k == 7)
                thread = thread_start(member_thread, g);
            else
                spawn_on(rt, NULL, member, g);
        }
        if (i % 2)
            pause_a_little(&random);
        CHECK(filch_latch_wait(&g->left) == 0 && filch__load_relaxed(&g->ended) == members);
        free(g);
        if (thread)
            thread_join(thread);
    }
    return 0;
}

static void memory_goes_at_once(void)
{
    everywhere(group_up);
}

int main(void)
{
    RUN(answers_of_each_call);
    RUN(all_who_wait);
    RUN(the_last_frees_it);
    RUN(done_and_late);
    RUN(memory_goes_at_once);
    run_case_within(300, "cancels_at_zero", cancels_at_zero);
    return summary();
}
