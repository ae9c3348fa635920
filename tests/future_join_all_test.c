/* SPDX-License-Identifier: Apache-2.0 */
/* All of several futures: results, which failure counts, side by side, and how it ends early. */
#include "tests/future_check.h"

enum { N = 5 };

struct group {
    struct event event[N];
    struct wait wait[N];
    filch_future *futures[N];
};

static void group_init(struct group *g)
{
    for (int i = 0; i < N; i++) {
        g->event[i] = (struct event)EVENT;
        g->wait[i] = (struct wait)WAIT(&g->event[i]);
        g->futures[i] = &g->wait[i].future;
    }
}

static void all_dropped(const struct group *g)
{
    for (int i = 0; i < N; i++)
        CHECK(drops_of(&g->event[i]) == 1 && filch_future_ended(&g->wait[i].future));
}

struct setting {
    struct group *g;
    int values[N];
    uint64_t random;
};

/* Sets all, in a random order. */
static void *set_all(void *arg)
{
    struct setting *s = arg;
    int order[N];
    for (int i = 0; i < N; i++) {
        int j = (int)test_random(&s->random, (uint32_t)i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    for (int i = 0; i < N; i++) {
        event_set(&s->g->event[order[i]], s->values[order[i]]);
        pause_a_little(&s->random);
    }
    return NULL;
}

static int join_groups(void *rt)
{
    (void)rt;
    uint64_t random = test_seed();
    for (int i = 0; i < sized(100, 800, 5000); i++) {
        struct group g;
        struct setting s = {.g = &g, .random = random};
        int first = 0;
        group_init(&g);
        for (int k = 0; k < N; k++) {
            s.values[k] = i % 3 == 0 ? k : (int)test_random(&random, 6) - 3;
            if (first == 0 && s.values[k] < 0)
                first = s.values[k];
        }
        pthread_t thread = thread_start(set_all, &s);
        CHECK(filch_join_all(g.futures, N) == first);
        thread_join(thread);
        for (int k = 0; k < N; k++)
            CHECK(g.futures[k]->result == s.values[k]);
        all_dropped(&g);
        CHECK(filch_join_all(g.futures, N) == -EALREADY);
    }
    return 0;
}

static void results_and_failures(void)
{
    everywhere(join_groups);
}

static int join_wrongly(void *rt)
{
    (void)rt;
    struct group g;
    filch_future *none[] = {NULL, NULL};
    group_init(&g);
    CHECK(filch_join_all(NULL, 0) == 0 && filch_join_all(none, 0) == 0);
    CHECK(filch_join_all(none, 2) == 0 && filch_join_all(NULL, 1) == -EINVAL);
    filch_future *twice[] = {g.futures[0], NULL, g.futures[0]};
    CHECK(filch_join_all(twice, 3) == -EBUSY);
    event_set(&g.event[4], 4);
    CHECK(filch_await(g.futures[4]) == 4);
    CHECK(filch_join_all(g.futures, N) == -EALREADY);
    for (int i = 0; i < N - 1; i++)
        CHECK(polls_of(&g.event[i]) == 0 && !filch_future_ended(g.futures[i]));
    for (int i = 0; i < N; i++)
        event_set(&g.event[i], i == 2 ? -EIO : i);
    filch_future *holes[] = {NULL, g.futures[0], NULL, g.futures[1], g.futures[2], g.futures[3]};
    CHECK(filch_join_all(holes, 6) == -EIO);
    for (int i = 0; i < N; i++)
        CHECK(polls_of(&g.event[i]) == 1);
    all_dropped(&g);
    return 0;
}

static void bad_input(void)
{
    everywhere(join_wrongly);
}

/* ---- side by side ---- */

/* Goes a step when the others have gone theirs: one after the other they would never end. */
struct stepper {
    filch_future future;
    int *steps; /* of all, each its own */
    int index, want;
};

static int poll_stepper(filch_future *self, const filch_waker *waker)
{
    struct stepper *s = (struct stepper *)(void *)self;
    int *mine = &s->steps[s->index];
    for (int i = 0; i < N; i++)
        if (s->steps[i] < *mine) {
            filch_wake(waker);
            return FILCH_PENDING;
        }
    filch_wake(waker);
    return ++*mine == s->want ? s->index : FILCH_PENDING;
}

static const filch_future_ops stepper_ops = {"steps", poll_stepper, NULL};

static int join_steppers(void *rt)
{
    (void)rt;
    int steps[N] = {0};
    struct stepper s[N];
    filch_future *futures[N];
    for (int i = 0; i < N; i++) {
        s[i] = (struct stepper){FILCH_FUTURE(&stepper_ops), steps, i, 1000};
        futures[i] = &s[i].future;
    }
    CHECK(filch_join_all(futures, N) == 0);
    for (int i = 0; i < N; i++)
        CHECK(steps[i] == 1000 && futures[i]->result == i);
    return 0;
}

static void side_by_side(void)
{
    everywhere(join_steppers);
}

/* Sleeps that overlap, and ends of tasks, of one call. */
static int return_number(void *n)
{
    return (int)(intptr_t)n;
}

static int join_mixture(void *rt)
{
    int64_t now = filch_now();
    filch_sleep_future a = FILCH_SLEEP_FUTURE(now + 300000), b = FILCH_SLEEP_FUTURE(now - 1);
    filch_handle *h;
    spawn_on(rt, &h, return_number, (void *)-6);
    filch_join_future j = FILCH_JOIN_FUTURE(h);
    filch_future *all[] = {&a.future, &b.future, &j.future};
    CHECK(filch_join_all(all, 3) == -6 && filch_now() >= now + 300000);
    CHECK(a.future.result == 0 && b.future.result == 0 && j.future.result == -6);
    return 0;
}

static void of_several_kinds(void)
{
    everywhere(join_mixture);
}

/* ---- cancelled ---- */

struct victim {
    struct group group;
    uint32_t go;
    bool before;
};

static int join_as_victim(void *arg)
{
    struct victim *v = arg;
    if (v->before)
        SPIN_UNTIL(flag_up(&v->go));
    CHECK(filch_join_all(v->group.futures, N) == -ECANCELED);
    all_dropped(&v->group);
    return 6;
}

static void cancelled_ones_are_dropped(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        for (int i = 0; i < sized(20, 100, 1000); i++) {
            filch_runtime *rt = runtime_open(worker_counts[w]);
            struct victim v = {.before = i & 1};
            filch_handle *h;
            group_init(&v.group);
            spawn_on(rt, &h, join_as_victim, &v);
            if (!v.before) {
                SPIN_UNTIL(polls_of(&v.group.event[N - 1]) > 0);
                event_set(&v.group.event[2], 3); /* one is ready, the others are not */
            }
            if (i & 2) {
                CHECK(filch_abort(h) == 0);
                raise_flag(&v.go);
                int rc = join(h);
                CHECK(rc == 6 || (v.before && rc == -ECANCELED));
                drain(rt);
                runtime_close(rt);
            } else {
                raise_flag(&v.go);
                runtime_close(rt);
                int rc = join(h);
                CHECK(rc == 6 || (v.before && rc == -ECANCELED));
            }
        }
    }
}

int main(void)
{
    (void)test_seed();
    RUN(results_and_failures);
    RUN(bad_input);
    RUN(side_by_side);
    RUN(of_several_kinds);
    RUN(cancelled_ones_are_dropped);
    return summary();
}
