/* SPDX-License-Identifier: Apache-2.0 */
/* Once and cells: one at a time, once in all, and where it fails the next in order. */
#include "tests/wait_check.h"

static int give(void *result)
{
    return *(int *)result;
}

static int call_again(void *once)
{
    int zero = 0;
    filch_once_future f = FILCH_ONCE_FUTURE(once);
    CHECK(filch_once_call(once, give, &zero) == -EDEADLK && filch_await(&f.future) == -EDEADLK);
    CHECK(!filch_once_done(once) && filch_once_destroy(once) == -EBUSY);
    return 3;
}

static int answers(void *rt)
{
    (void)rt;
    int failure = -EIO, success = 5;
    filch_once o = FILCH_ONCE;
    filch_once_future none = FILCH_ONCE_FUTURE(NULL), f = FILCH_ONCE_FUTURE(&o);
    filch_once_future unused = FILCH_ONCE_FUTURE(&o);
    CHECK(filch_once_call(NULL, give, &success) == -EINVAL);
    CHECK(filch_once_call(&o, NULL, &success) == -EINVAL && !filch_once_done(NULL));
    CHECK(filch_once_finish(NULL, 0) == -EINVAL && filch_once_destroy(NULL) == -EINVAL);
    CHECK(filch_await(&none.future) == -EINVAL && filch_once_finish(&o, 0) == -EPERM);
    CHECK(filch_once_call(&o, give, &failure) == -EIO && !filch_once_done(&o));
    CHECK(filch_await(&f.future) == 1 && filch_await(&f.future) == -EALREADY);
    CHECK(filch_once_destroy(&o) == -EBUSY && filch_once_finish(&o, -EIO) == 0);
    CHECK(filch_once_finish(&o, 0) == -EPERM && filch_once_destroy(&o) == 0);
    CHECK(filch_once_call(&o, call_again, &o) == 0 && filch_once_done(&o));
    CHECK(filch_once_call(&o, give, &failure) == 0 && filch_once_finish(&o, 0) == -EPERM);
    CHECK(filch_await(&unused.future) == 0);
    CHECK(filch_once_destroy(&o) == 0 && !filch_once_done(&o));
    CHECK(filch_once_call(&o, give, &success) == 0 && filch_once_done(&o));
    return 0;
}

static void answers_of_each_call(void)
{
    everywhere(answers);
}

/* ---- cells ---- */

static int point_to(void *thing, void **value)
{
    *value = thing;
    return 0;
}

static int fail(void *thing, void **value)
{
    *value = thing;
    return -EIO;
}

static int cells(void *rt)
{
    int thing;
    filch_cell c = FILCH_CELL;
    void *value = rt;
    CHECK(filch_cell_init(NULL, point_to, &thing, &value) == -EINVAL);
    CHECK(filch_cell_init(&c, NULL, &thing, &value) == -EINVAL);
    CHECK(filch_cell_init(&c, point_to, &thing, NULL) == -EINVAL && !filch_cell_get(NULL));
    CHECK(filch_cell_init(&c, fail, &thing, &value) == -EIO && !filch_cell_get(&c));
    CHECK(filch_cell_init(&c, point_to, NULL, &value) == -EINVAL && value == rt);
    CHECK(filch_cell_init(&c, point_to, &thing, &value) == 0 && value == &thing);
    value = rt;
    CHECK(filch_cell_init(&c, fail, NULL, &value) == 0 && value == &thing);
    CHECK(filch_cell_get(&c) == &thing);
    CHECK(filch_cell_destroy(NULL) == -EINVAL && filch_cell_destroy(&c) == 0 &&
          !filch_cell_get(&c));
    return 0;
}

static void cells_answer(void)
{
    everywhere(cells);
}

struct filling {
    filch_cell cell;
    uint32_t made, started;
    int64_t thing;
};

static int make(void *filling, void **value)
{
    struct filling *f = filling;
    CHECK(filch_yield() == 0);
    tally(&f->made);
    f->thing = 11;
    *value = &f->thing;
    return 0;
}

static int use_cell(void *filling)
{
    struct filling *f = filling;
    void *value = NULL;
    CHECK(filch_cell_init(&f->cell, make, f, &value) == 0 && value == &f->thing);
    CHECK(*(int64_t *)filch_cell_get(&f->cell) == 11);
    return 0;
}

static int fill_often(void *rt)
{
    enum { N = 6 };
    for (long i = 0; i < sized(50, 1000, 10000); i++) {
        struct filling f = {.cell = FILCH_CELL};
        filch_handle *h[N];
        for (int k = 0; k < N; k++)
            spawn_on(rt, &h[k], use_cell, &f);
        (void)use_cell(&f);
        for (int k = 0; k < N; k++)
            CHECK(join(h[k]) == 0);
        CHECK(f.made == 1 && filch_cell_destroy(&f.cell) == 0);
    }
    return 0;
}

static void one_fills_it(void)
{
    everywhere(fill_often);
}

/* ---- order ---- */

struct line {
    filch_once o;
    filch_once_future f[40];
    struct bell bell[40];
    uint32_t begun[40]; /* flags */
    uint64_t random;
};

/* The i-th waits by hand, in a task of its own. */
struct place {
    struct line *line;
    int i;
    int result;
};

static int stand(void *place)
{
    struct place *p = place;
    struct line *l = p->line;
    filch_future *f = &l->f[p->i].future;
    CHECK(poll_for(f, &l->bell[p->i]) == FILCH_PENDING);
    raise_flag(&l->begun[p->i]);
    while (!rung(&l->bell[p->i]))
        CHECK(filch_yield() == 0);
    CHECK(filch_once_finish(&l->o, 0) == -EPERM); /* it was handed over, but not taken yet */
    if (p->result > 0)
        return filch_future_drop(f);
    int rc = poll_for(f, &l->bell[p->i]);
    if (rc == 1)
        CHECK(filch_once_finish(&l->o, p->result) == 0);
    return rc;
}

/* Each who gets it fails, or drops it; at last one has done it, and those behind see that. */
static int lines(void *rt)
{
    enum { N = 40 };
    struct line *l = calloc(1, sizeof *l);
    struct place p[N];
    filch_handle *h[N];
    l->random = test_seed();
    for (long round = 0; round < sized(2, 5, 50); round++) {
        filch_once_future first = FILCH_ONCE_FUTURE(&l->o);
        int done = (int)test_random(&l->random, N);
        CHECK(filch_await(&first.future) == 1);
        for (int i = 0; i < N; i++) {
            l->f[i] = (filch_once_future)FILCH_ONCE_FUTURE(&l->o);
            l->bell[i] = (struct bell){0};
            l->begun[i] = 0;
            p[i] = (struct place){l, i, i == done ? 0 : test_random(&l->random, 2) ? 1 : -EIO};
            spawn_on(rt, &h[i], stand, &p[i]);
            while (!flag_up(&l->begun[i]))
                CHECK(filch_yield() == 0);
        }
        CHECK(filch_once_finish(&l->o, -EIO) == 0);
        for (int i = 0; i < N; i++) {
            int rc = join(h[i]);
            CHECK(p[i].result > 0 ? rc == 0 : rc == (i <= done));
        }
        CHECK(filch_once_done(&l->o) && filch_once_destroy(&l->o) == 0);
    }
    free(l);
    return 0;
}

static void the_next_in_order(void)
{
    everywhere(lines);
}

static void finish(void *once)
{
    CHECK(filch_once_finish(once, 0) == 0);
}

/* ---- whoever has begun ends ---- */

static int begin_only(void *once)
{
    filch_once_future f = FILCH_ONCE_FUTURE(once);
    return filch_await(&f.future);
}

static void *begin_on_thread(void *once)
{
    CHECK(begin_only(once) == 1);
    return NULL;
}

static int begin_and_finish(void *once)
{
    int rc = begin_only(once);
    if (rc == 1)
        finish(once);
    return rc;
}

static int deaths(void *rt)
{
    enum { N = 5 };
    filch_once o = FILCH_ONCE;
    filch_handle *h[N], *last;
    for (int i = 0; i < N; i++)
        spawn_on(rt, &h[i], begin_only, &o);
    for (int i = 0; i < N; i++)
        CHECK(join(h[i]) == 1);
    thread_join(thread_start(begin_on_thread, &o));
    filch_once_future f = FILCH_ONCE_FUTURE(&o);
    REQUIRE(filch_spawn_future_with(&h[0], &(filch_spawn_options){.runtime = rt}, &f.future,
                                    sizeof f) == 0);
    CHECK(join(h[0]) == 1);
    spawn_on(rt, &last, begin_and_finish, &o);
    CHECK(join(last) == 1 && filch_once_done(&o) && filch_once_destroy(&o) == 0);
    return 0;
}

static void who_has_begun_ends(void)
{
    everywhere(deaths);
}

/* ---- cancels at the end ---- */

struct attempt {
    filch_once o;
    uint32_t inside, runs, done;
    uint64_t random; /* of who runs it */
};

static int attempt_run(void *attempt)
{
    struct attempt *a = attempt;
    CHECK(filch__exchange_acq_rel(&a->inside, 1u) == 0 && !a->done);
    tally(&a->runs);
    int rc = 0;
    switch (test_random(&a->random, 4)) {
    case 0:
        rc = -EIO;
        break;
    case 1:
        rc = filch_yield(); /* where it is cancelled it fails by that */
        break;
    case 2:
        pause_a_little(&a->random);
    }
    a->done += rc >= 0;
    CHECK(filch__exchange_acq_rel(&a->inside, 0u) == 1);
    return rc;
}

static int attempt_call(void *attempt)
{
    struct attempt *a = attempt;
    int rc = filch_once_call(&a->o, attempt_run, a);
    return rc == -EIO ? EIO : rc;
}

/* By who cancels too, so in the scope that is cancelled. */
static int attempt_act(void *attempt)
{
    int rc = attempt_call(attempt);
    return rc == -ECANCELED ? 0 : rc;
}

static void cancel_at_the_end(struct meeting *m)
{
    struct attempt *a = m->arg;
    a->runs = a->done = 0;
    a->random = m->random;
    meeting_begin(m);
    meeting_end(m);
    CHECK(a->done <= 1 && filch_once_done(&a->o) == a->done);
    for (int i = 0; i < m->waiters; i++)
        CHECK(m->rc[i] != 0 || a->done);
    uint32_t runs = a->runs, done = a->done;
    CHECK(filch_once_call(&a->o, attempt_run, a) == 0 || !a->done);
    CHECK(a->runs == runs + !done && filch_once_destroy(&a->o) == 0);
}

static void cancels_at_the_end(void)
{
    struct attempt a = {.o = FILCH_ONCE};
    struct meeting m = {.wait = attempt_call, .act = attempt_act, .arg = &a, .waiters = 3};
    meet_on_each(&m, cancel_at_the_end);
}

/* ---- waits that end in any way ---- */

struct storm {
    filch_once o;
    uint32_t inside, runs, late, stop, started;
    long enough;
};

static int begin_somehow(void *storm)
{
    struct storm *s = storm;
    uint64_t random = test_seed() + filch__add_acq_rel(&s->started, 1u);
    while (!flag_up(&s->stop)) {
        filch_once_future f = FILCH_ONCE_FUTURE(&s->o);
        int rc = try_somehow(&f.future, &random);
        CHECK(rc == 1 || rc == -ETIMEDOUT);
        if (rc != 1) {
            tally(&s->late);
            continue;
        }
        CHECK(filch__exchange_acq_rel(&s->inside, 1u) == 0);
        tally(&s->runs);
        if (test_random(&random, 4) == 0)
            CHECK(filch_yield() == 0);
        CHECK(filch__exchange_acq_rel(&s->inside, 0u) == 1);
        CHECK(filch_once_finish(&s->o, -EIO) == 0);
    }
    return 0;
}

static bool enough_runs(void *storm)
{
    struct storm *s = storm;
    return filch__load_acquire(&s->runs) >= s->enough;
}

static void timeouts_and_selects_at_the_end(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct storm s = {.o = FILCH_ONCE, .enough = sized(2000, 20000, 300000)};
        crowd_on(rt, begin_somehow, &s, enough_runs, &s.stop);
        CHECK(filch_once_destroy(&s.o) == 0);
        runtime_close(rt);
    }
}

int main(void)
{
    RUN(answers_of_each_call);
    RUN(cells_answer);
    RUN(one_fills_it);
    RUN(the_next_in_order);
    RUN(who_has_begun_ends);
    run_case_within(300, "cancels_at_the_end", cancels_at_the_end);
    run_case_within(300, "timeouts_and_selects_at_the_end", timeouts_and_selects_at_the_end);
    return summary();
}
