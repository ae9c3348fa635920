/* SPDX-License-Identifier: Apache-2.0 */
/* Selects: who wins, what is left of the others, and how it ends where nobody does. */
#include "tests/future_check.h"

enum { N = 4 };

struct field {
    struct event event[N];
    struct wait wait[N];
    filch_future *futures[N];
};

static void field_init(struct field *f)
{
    for (int i = 0; i < N; i++) {
        f->event[i] = (struct event)EVENT;
        f->wait[i] = (struct wait)WAIT(&f->event[i]);
        f->futures[i] = &f->wait[i].future;
    }
}

/* Drops what is left; each was dropped once. */
static void field_end(struct field *f)
{
    filch_future_drop_all(f->futures, N);
    for (int i = 0; i < N; i++)
        CHECK(drops_of(&f->event[i]) == 1);
}

static uint32_t drops_in(const struct field *f)
{
    uint32_t sum = 0;
    for (int i = 0; i < N; i++)
        sum += drops_of(&f->event[i]);
    return sum;
}

struct setter {
    struct event *event;
    uint64_t random;
};

static void *set_later(void *arg)
{
    struct setter *s = arg;
    pause_a_little(&s->random);
    event_set(s->event, 10);
    return NULL;
}

/* One after the other; the rest stays, and is selected again. */
static int select_each(void *rt)
{
    (void)rt;
    uint64_t random = test_seed();
    for (int i = 0; i < sized(30, 200, 2000); i++) {
        struct field f;
        field_init(&f);
        for (int left = N; left > 0; left--) {
            int at = (int)test_random(&random, N);
            while (!f.futures[at])
                at = (at + 1) % N;
            struct setter s = {&f.event[at], random};
            pthread_t thread = thread_start(set_later, &s);
            CHECK(filch_select(f.futures, N) == at);
            CHECK(f.wait[at].future.result == 10 && filch_future_ended(f.futures[at]));
            thread_join(thread);
            CHECK(drops_in(&f) == (uint32_t)(N - left + 1));
            f.futures[at] = NULL;
        }
        CHECK(filch_select(f.futures, N) == -EINVAL);
    }
    return 0;
}

static void each_wins_in_turn(void)
{
    everywhere(select_each);
}

static int select_wrongly(void *rt)
{
    (void)rt;
    struct field f;
    field_init(&f);
    filch_future *none[] = {NULL, NULL}, *twice[] = {f.futures[0], f.futures[1], f.futures[0]};
    CHECK(filch_select(none, 2) == -EINVAL && filch_select(none, 0) == -EINVAL);
    CHECK(filch_select(NULL, 0) == -EINVAL && filch_select(NULL, 2) == -EINVAL);
    CHECK(filch_select(f.futures, (size_t)INT_MAX + 1) == -EINVAL);
    CHECK(filch_select(twice, 3) == -EBUSY);
    event_set(&f.event[3], 1);
    CHECK(filch_await(f.futures[3]) == 1);
    event_set(&f.event[0], 1);
    CHECK(filch_select(f.futures, N) == -EALREADY);
    CHECK(filch_select_until(f.futures, N, 0) == -EALREADY);
    for (int i = 0; i < 3; i++)
        CHECK(polls_of(&f.event[i]) == 0 && !filch_future_ended(f.futures[i]));
    CHECK(filch_select(f.futures, 3) == 0);
    field_end(&f);
    return 0;
}

static void bad_input(void)
{
    everywhere(select_wrongly);
}

/* Of four that are ready each wins about as often. */
static int select_ready(void *rt)
{
    (void)rt;
    enum { ROUNDS = 10000 };
    int won[N] = {0};
    for (int round = 0; round < ROUNDS; round++) {
        struct field f;
        field_init(&f);
        for (int i = 0; i < N; i++)
            event_set(&f.event[i], -i);
        int at = filch_select(f.futures, N);
        REQUIRE(at >= 0 && at < N);
        won[at]++;
        CHECK(f.futures[at]->result == -at && drops_in(&f) == 1);
        field_end(&f);
    }
    for (int i = 0; i < N; i++)
        CHECK(won[i] >= ROUNDS * 15 / 100 && won[i] <= ROUNDS * 35 / 100);
    return 0;
}

static void ready_ones_win_alike(void)
{
    everywhere(select_ready);
}

static int select_in_vain(void *rt)
{
    (void)rt;
    const int64_t past[] = {INT64_MIN, 0, filch_now()};
    struct field f;
    field_init(&f);
    for (size_t i = 0; i < COUNT(past); i++)
        CHECK(filch_select_until(f.futures, N, past[i]) == -ETIMEDOUT);
    for (int i = 0; i < N; i++)
        CHECK(polls_of(&f.event[i]) == COUNT(past));
    for (int i = 0; i < 10; i++) {
        int64_t deadline = filch_now() + i * 20000;
        CHECK(filch_select_until(f.futures, N, deadline) == -ETIMEDOUT);
        CHECK(filch_now() >= deadline && drops_in(&f) == 0);
    }
    event_set(&f.event[2], 9);
    CHECK(filch_select_until(f.futures, N, INT64_MIN) == 2); /* one poll */
    field_end(&f);
    return 0;
}

static void deadlines(void)
{
    everywhere(select_in_vain);
}

/* ---- cancelled: all are as they were ---- */

struct victim {
    struct field field;
    uint32_t go, left, taken;
    bool before;
};

static int select_as_victim(void *arg)
{
    struct victim *v = arg;
    if (v->before)
        SPIN_UNTIL(flag_up(&v->go));
    int rc = filch_select(v->field.futures, N);
    CHECK(rc == -ECANCELED && drops_in(&v->field) == 0);
    for (int i = 0; i < N; i++)
        CHECK(!filch_future_ended(v->field.futures[i]));
    raise_flag(&v->left);
    SPIN_UNTIL(flag_up(&v->taken)); /* it has polled them, and is not over before another has */
    return 6;
}

static void cancelled_ones_leave_all(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        for (int i = 0; i < sized(20, 100, 1000); i++) {
            struct victim v = {.before = i & 1};
            filch_handle *h;
            field_init(&v.field);
            spawn_on(rt, &h, select_as_victim, &v);
            if (!v.before)
                for (int k = 0; k < N; k++)
                    SPIN_UNTIL(polls_of(&v.field.event[k]) > 0);
            CHECK(filch_abort(h) == 0);
            raise_flag(&v.go);
            SPIN_UNTIL(flag_up(&v.left) || filch_finished(h));
            /* The thread goes on with them. */
            CHECK(filch_select_until(v.field.futures, N, INT64_MIN) == -ETIMEDOUT);
            raise_flag(&v.taken);
            int rc = join(h);
            CHECK(rc == 6 || (v.before && rc == -ECANCELED));
            event_set(&v.field.event[i % N], 3);
            CHECK(filch_select(v.field.futures, N) == i % N);
            field_end(&v.field);
        }
        drain(rt);
        runtime_close(rt);
    }
}

/* ---- the winner at random, against the deadline ---- */

enum { SETTERS = 2 };

static int select_against_deadline(void *rt)
{
    (void)rt;
    uint64_t random = test_seed();
    for (int i = 0; i < sized(200, 1500, 10000) && !filch__load_relaxed(&case_bad); i++) {
        struct field f;
        struct setter s[SETTERS];
        pthread_t thread[SETTERS];
        field_init(&f);
        for (int k = 0; k < SETTERS; k++) {
            s[k] = (struct setter){&f.event[test_random(&random, N)], random + (uint64_t)k};
            thread[k] = thread_start(set_later, &s[k]);
        }
        int64_t deadline = filch_now() + test_random(&random, 150000);
        int rc = filch_select_until(f.futures, N, deadline);
        if (rc == -ETIMEDOUT) {
            CHECK(filch_now() >= deadline && drops_in(&f) == 0);
        } else {
            REQUIRE(rc >= 0 && rc < N);
            CHECK(s[0].event == &f.event[rc] || s[1].event == &f.event[rc]);
            CHECK(f.futures[rc]->result == 10 && drops_in(&f) == 1);
            f.futures[rc] = NULL;
        }
        for (int k = 0; k < SETTERS; k++)
            thread_join(thread[k]);
        /* What was set and has not won is not lost. */
        bool other = s[0].event != s[1].event || rc == -ETIMEDOUT;
        int again = other ? filch_select(f.futures, N) : -EINVAL;
        CHECK(!other || (again >= 0 && f.wait[again].future.result == 10));
        for (int k = 0; k < N; k++)
            f.futures[k] = &f.wait[k].future;
        field_end(&f);
    }
    return 0;
}

static void wakes_meet_deadlines(void)
{
    everywhere(select_against_deadline);
}

int main(void)
{
    (void)test_seed();
    RUN(wakes_meet_deadlines);
    RUN(each_wins_in_turn);
    RUN(cancelled_ones_leave_all);
    RUN(deadlines);
    RUN(bad_input);
    RUN(ready_ones_win_alike);
    return summary();
}
