/* SPDX-License-Identifier: Apache-2.0 */
/* Events: set and reset, all let go, and their memory free at once. */
#include "tests/wait_check.h"

static int answers(void *rt)
{
    (void)rt;
    filch_event e = FILCH_EVENT;
    filch_event_future none = FILCH_EVENT_FUTURE(NULL), f = FILCH_EVENT_FUTURE(&e);
    filch_event_future late = FILCH_EVENT_FUTURE(&e), unused = FILCH_EVENT_FUTURE(&e);
    CHECK(filch_event_set(NULL) == -EINVAL && filch_event_reset(NULL) == -EINVAL);
    CHECK(filch_event_wait(NULL) == -EINVAL && filch_await(&none.future) == -EINVAL);
    CHECK(filch_event_destroy(NULL) == -EINVAL && !filch_event_is_set(NULL));
    CHECK(!filch_event_is_set(&e) && filch_event_reset(&e) == 0);
    CHECK(filch_await_until(&late.future, 0) == -ETIMEDOUT);
    CHECK(filch_poll(&f.future, NULL) == FILCH_PENDING && filch_event_destroy(&e) == -EBUSY);
    CHECK(filch_event_set(&e) == 0 && filch_event_set(&e) == 0 && filch_event_is_set(&e));
    CHECK(filch_event_destroy(&e) == -EBUSY);
    CHECK(filch_event_reset(&e) == 0 && !filch_event_is_set(&e));
    CHECK(filch_await(&f.future) == 0 && filch_await(&f.future) == -EALREADY); /* was let go */
    CHECK(filch_event_set(&e) == 0 && filch_event_wait(&e) == 0 && filch_event_wait(&e) == 0);
    CHECK(filch_await(&unused.future) == 0);
    CHECK(filch_event_destroy(&e) == 0 && !filch_event_is_set(&e));
    return 0;
}

static void answers_of_each_call(void)
{
    everywhere(answers);
}

/* Some leave before it is set, some before they have seen it. */
static int all(void *rt)
{
    (void)rt;
    enum { N = 50 };
    filch_event e = FILCH_EVENT;
    filch_event_future f[N];
    struct bell bell[N] = {{0}}, moved = {0};
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < N; i++) {
            f[i] = (filch_event_future)FILCH_EVENT_FUTURE(&e);
            bell[i] = moved = (struct bell){0};
            CHECK(poll_for(&f[i].future, &bell[i]) == FILCH_PENDING);
        }
        CHECK(poll_for(&f[1].future, &moved) == FILCH_PENDING);
        for (int i = 0; i < N; i += 2)
            if (round % 3 || i % 5 == 0)
                CHECK(filch_future_drop(&f[i].future) == 0);
        CHECK(filch_event_set(&e) == 0);
        CHECK(round % 2 || filch_event_reset(&e) == 0);
        for (int i = 1; i < N; i += 2) {
            CHECK(rung(i == 1 ? &moved : &bell[i]) == 1);
            CHECK(i % 4 == 1 ? poll_for(&f[i].future, &bell[i]) == 0
                             : filch_future_drop(&f[i].future) == 0);
        }
        for (int i = 0; i < N; i += 2)
            CHECK(filch_future_drop(&f[i].future) == 0 && rung(&bell[i]) <= 1);
        CHECK(filch_event_destroy(&e) == 0);
    }
    return 0;
}

static void all_who_wait(void)
{
    everywhere(all);
}

static void set(void *event)
{
    CHECK(filch_event_set(event) == 0);
}

static void the_last_frees_it(void)
{
    for (int i = 0; i < 50; i++) {
        filch_event *e = malloc(sizeof *e);
        struct parting p = {.memory = e};
        filch_event_future f[MANY];
        *e = (filch_event)FILCH_EVENT;
        for (int k = 0; k < MANY; k++) {
            f[k] = (filch_event_future)FILCH_EVENT_FUTURE(e);
            parting_poll(&p, k, &f[k].future);
        }
        part(&p, set);
    }
}

static int wait_until(void *event, int64_t deadline)
{
    filch_event_future f = FILCH_EVENT_FUTURE(event);
    return filch_await_until(&f.future, deadline);
}

static void set_for_a_moment(void *event)
{
    set(event);
    CHECK(filch_event_reset(event) == 0);
}

static void set_and_late(void)
{
    filch_event e = FILCH_EVENT;
    struct tick t = {.wait = wait_until, .act = set_for_a_moment, .arg = &e};
    CHECK(at_once(&t) == 0 && filch_event_destroy(&e) == 0);
}

static int wait_once(void *event)
{
    return filch_event_wait(event);
}

static int set_it(void *event)
{
    return filch_event_set(event);
}

static void cancel_at_the_set(struct meeting *m)
{
    meeting_begin(m);
    meeting_end(m);
    CHECK(filch_event_is_set(m->arg) && filch_event_destroy(m->arg) == 0);
}

static void cancels_at_the_set(void)
{
    filch_event e = FILCH_EVENT;
    struct meeting m = {.wait = wait_once, .act = set_it, .arg = &e, .waiters = 3};
    meet_on_each(&m, cancel_at_the_set);
}

/* ---- an event of a moment ---- */

struct brief {
    filch_event e;
    int64_t value;
    filch_runtime *rt;
};

static int set_brief(void *brief)
{
    struct brief *b = brief;
    b->value = 7;
    return filch_event_set(&b->e);
}

/* Its memory goes as soon as the wait for it is over. */
static int use_briefly(void *rt)
{
    uint64_t random = test_seed();
    for (long i = 0; i < sized(500, 5000, 50000); i++) {
        struct brief *b = malloc(sizeof *b);
        *b = (struct brief){.e = FILCH_EVENT};
        spawn_on(rt, NULL, set_brief, b);
        pause_a_little(&random);
        if (i % 2)
            CHECK(filch_event_wait(&b->e) == 0);
        else
            SPIN_UNTIL(filch_event_is_set(&b->e) || filch_yield() < 0);
        CHECK(b->value == 7);
        free(b);
    }
    return 0;
}

static void memory_goes_at_once(void)
{
    everywhere(use_briefly);
}

/* ---- rounds ---- */

/* Everybody sees every round, however the waits for it end. */
struct storm {
    filch_event go[2];
    uint32_t round, seen, stop, started;
    uint32_t late;
    long rounds;
};

static int follow(void *storm)
{
    struct storm *s = storm;
    uint64_t random = test_seed() + filch__add_acq_rel(&s->started, 1u);
    for (uint32_t mine = 0; !flag_up(&s->stop);) {
        filch_event_future f = FILCH_EVENT_FUTURE(&s->go[mine % 2]);
        int rc = try_somehow(&f.future, &random);
        CHECK(rc == 0 || rc == -ETIMEDOUT);
        if (rc < 0) {
            tally(&s->late);
            continue;
        }
        CHECK(filch__load_acquire(&s->round) == mine + 1);
        mine++;
        tally(&s->seen);
    }
    return 0;
}

static bool next_round(void *storm)
{
    struct storm *s = storm;
    if (filch__load_acquire(&s->seen) != s->round * CROWD)
        return false;
    if (s->round >= s->rounds)
        return true;
    CHECK(filch_event_reset(&s->go[(s->round + 1) % 2]) == 0);
    uint32_t at = filch__add_acq_rel(&s->round, 1u);
    set(&s->go[at % 2]);
    return false;
}

static void timeouts_and_selects_at_the_set(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct storm s = {.go = {FILCH_EVENT, FILCH_EVENT}, .rounds = sized(60, 300, 5000)};
        crowd_on(rt, follow, &s, next_round, &s.stop);
        CHECK(filch_event_destroy(&s.go[0]) == 0 && filch_event_destroy(&s.go[1]) == 0);
        runtime_close(rt);
    }
}

int main(void)
{
    RUN(answers_of_each_call);
    RUN(all_who_wait);
    RUN(the_last_frees_it);
    RUN(set_and_late);
    RUN(memory_goes_at_once);
    run_case_within(300, "cancels_at_the_set", cancels_at_the_set);
    run_case_within(300, "timeouts_and_selects_at_the_set", timeouts_and_selects_at_the_set);
    return summary();
}
