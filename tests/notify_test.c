/* SPDX-License-Identifier: Apache-2.0 */
/* Notifications: to one in order, kept for one, to all; none lost or doubled where waits end early. */
#include "tests/wait_check.h"

static bool is_kept(filch_notify *n)
{
    filch_notify_future f = FILCH_NOTIFY_FUTURE(n);
    int rc = filch_poll(&f.future, NULL);
    CHECK(rc == 0 || rc == FILCH_PENDING);
    CHECK(filch_future_drop(&f.future) == 0);
    return rc == 0;
}

static int answers(void *rt)
{
    (void)rt;
    filch_notify n = FILCH_NOTIFY;
    filch_notify_future none = FILCH_NOTIFY_FUTURE(NULL), f = FILCH_NOTIFY_FUTURE(&n);
    filch_notify_future late = FILCH_NOTIFY_FUTURE(&n);
    CHECK(filch_notify_one(NULL) == -EINVAL && filch_notify_all(NULL) == -EINVAL);
    CHECK(filch_notify_wait(NULL) == -EINVAL && filch_await(&none.future) == -EINVAL);
    CHECK(filch_notify_destroy(NULL) == -EINVAL && filch_notify_destroy(&n) == 0);
    CHECK(filch_notify_all(&n) == 0 && !is_kept(&n));
    CHECK(filch_notify_one(&n) == 0 && filch_notify_one(&n) == 0);
    CHECK(is_kept(&n) && !is_kept(&n)); /* at most one */
    CHECK(filch_notify_one(&n) == 0 && filch_notify_wait(&n) == 0 && !is_kept(&n));
    CHECK(filch_notify_one(&n) == 0 && filch_notify_all(&n) == 0 && is_kept(&n));
    CHECK(filch_await_until(&late.future, 0) == -ETIMEDOUT && !is_kept(&n));
    CHECK(filch_poll(&f.future, NULL) == FILCH_PENDING);
    CHECK(filch_notify_destroy(&n) == -EBUSY);
    CHECK(filch_notify_one(&n) == 0 && filch_notify_destroy(&n) == -EBUSY);
    CHECK(filch_await(&f.future) == 0 && filch_await(&f.future) == -EALREADY);
    CHECK(filch_notify_one(&n) == 0 && filch_notify_destroy(&n) == 0 && !is_kept(&n));
    return 0;
}

static void answers_of_each_call(void)
{
    everywhere(answers);
}

/* Each of n that wait stays, leaves first, or leaves once it was notified. */
static void queue(uint64_t *random)
{
    enum { N = 40 };
    filch_notify n = FILCH_NOTIFY;
    filch_notify_future f[N];
    struct bell bell[N] = {{0}};
    uint32_t how[N], left = 0;
    for (int i = 0; i < N; i++) {
        f[i] = (filch_notify_future)FILCH_NOTIFY_FUTURE(&n);
        CHECK(poll_for(&f[i].future, &bell[i]) == FILCH_PENDING);
        how[i] = test_random(random, 3);
    }
    for (int i = 0; i < N; i++)
        if (how[i] == 1)
            CHECK(filch_future_drop(&f[i].future) == 0);
    for (int i = 0; i < N; i++) {
        if (how[i] == 1)
            continue;
        if (!left)
            CHECK(filch_notify_one(&n) == 0);
        for (int j = i; j < N; j++)
            CHECK(rung(&bell[j]) == (j == i));
        left = how[i] == 2;
        CHECK(left ? filch_future_drop(&f[i].future) == 0 : poll_for(&f[i].future, &bell[i]) == 0);
    }
    CHECK(is_kept(&n) == left); /* handed on by the last */
    CHECK(filch_notify_destroy(&n) == 0);
}

static int queues(void *rt)
{
    (void)rt;
    uint64_t random = test_seed();
    for (int i = 0; i < 200; i++)
        queue(&random);
    return 0;
}

static void in_order_of_coming(void)
{
    everywhere(queues);
}

/* Those who wait, and no others; a drop of one hands nothing on. */
static int all(void *rt)
{
    (void)rt;
    enum { N = 50 };
    filch_notify n = FILCH_NOTIFY;
    filch_notify_future f[N + 1];
    struct bell bell[N + 1] = {{0}};
    for (int i = 0; i <= N; i++) {
        f[i] = (filch_notify_future)FILCH_NOTIFY_FUTURE(&n);
        if (i == N)
            CHECK(filch_notify_all(&n) == 0);
        CHECK(poll_for(&f[i].future, &bell[i]) == FILCH_PENDING);
    }
    for (int i = 0; i <= N; i++) {
        CHECK(rung(&bell[i]) == (i < N));
        CHECK(i % 2 ? poll_for(&f[i].future, &bell[i]) == 0 : filch_future_drop(&f[i].future) == 0);
    }
    CHECK(!is_kept(&n) && filch_notify_destroy(&n) == 0);
    return 0;
}

static void all_who_wait_now(void)
{
    everywhere(all);
}

static void tell_all(void *notify)
{
    CHECK(filch_notify_all(notify) == 0);
}

static void the_last_frees_it(void)
{
    for (int i = 0; i < 50; i++) {
        filch_notify *n = malloc(sizeof *n);
        struct parting p = {.memory = n};
        filch_notify_future f[MANY];
        *n = (filch_notify)FILCH_NOTIFY;
        for (int k = 0; k < MANY; k++) {
            f[k] = (filch_notify_future)FILCH_NOTIFY_FUTURE(n);
            parting_poll(&p, k, &f[k].future);
        }
        part(&p, tell_all);
    }
}

static int wait_until(void *notify, int64_t deadline)
{
    filch_notify_future f = FILCH_NOTIFY_FUTURE(notify);
    return filch_await_until(&f.future, deadline);
}

static void tell_one(void *notify)
{
    CHECK(filch_notify_one(notify) == 0);
}

static void notified_and_late(void)
{
    filch_notify n = FILCH_NOTIFY;
    struct tick one = {.wait = wait_until, .act = tell_one, .arg = &n},
                all_of = {.wait = wait_until, .act = tell_all, .arg = &n};
    CHECK(at_once(&one) == 0 && !is_kept(&n));
    CHECK(at_once(&all_of) == 0 && !is_kept(&n));
}

/* One notification for two: it reaches one of them, or is kept. */
static int wait_once(void *notify)
{
    return filch_notify_wait(notify);
}

static int one(void *notify)
{
    return filch_notify_one(notify);
}

static void cancel_at_the_notification(struct meeting *m)
{
    filch_notify *n = m->arg;
    meeting_begin(m);
    if (!m->whole && m->rc[0] == 0)
        tell_one(n); /* the other one got none so far */
    meeting_end(m);
    int got = (m->rc[0] == 0) + (m->rc[1] == 0), kept = is_kept(n);
    CHECK(m->whole ? got + kept == 1 : m->rc[1] == 0 && !kept);
    CHECK(filch_notify_destroy(n) == 0);
}

static void cancels_at_the_notification(void)
{
    filch_notify n = FILCH_NOTIFY;
    struct meeting m = {.wait = wait_once, .act = one, .arg = &n, .waiters = 2};
    meet_on_each(&m, cancel_at_the_notification);
}

/* Each is used up once before the next one. */
struct storm {
    filch_notify n;
    uint32_t sent, used, late, stop, started;
    long enough;
};

static int use_up(void *storm)
{
    struct storm *s = storm;
    uint64_t random = test_seed() + filch__add_acq_rel(&s->started, 1u);
    while (!flag_up(&s->stop)) {
        filch_notify_future f = FILCH_NOTIFY_FUTURE(&s->n);
        int rc = try_somehow(&f.future, &random);
        CHECK(rc == 0 || rc == -ETIMEDOUT);
        tally(rc == 0 ? &s->used : &s->late);
        if (test_random(&random, 16) == 0)
            CHECK(filch_yield() == 0);
    }
    return 0;
}

static bool send_next(void *storm)
{
    struct storm *s = storm;
    uint32_t used = filch__load_acquire(&s->used);
    CHECK(used <= s->sent);
    if (used != s->sent)
        return false;
    if (used >= s->enough)
        return true;
    s->sent++;
    tell_one(&s->n);
    return false;
}

static void timeouts_and_selects_at_the_notification(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct storm s = {.n = FILCH_NOTIFY, .enough = sized(500, 2000, 20000)};
        crowd_on(rt, use_up, &s, send_next, &s.stop);
        CHECK(!is_kept(&s.n) && filch_notify_destroy(&s.n) == 0);
        runtime_close(rt);
    }
}

int main(void)
{
    RUN(answers_of_each_call);
    RUN(in_order_of_coming);
    RUN(all_who_wait_now);
    RUN(the_last_frees_it);
    RUN(notified_and_late);
    run_case_within(300, "cancels_at_the_notification", cancels_at_the_notification);
    run_case_within(300, "timeouts_and_selects_at_the_notification",
                    timeouts_and_selects_at_the_notification);
    return summary();
}
