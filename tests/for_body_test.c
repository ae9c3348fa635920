/* SPDX-License-Identifier: Apache-2.0 */
/* What the bodies of parallel loops may do, and who may call them from where. */
#include "tests/compute_check.h"

static int add_one(int64_t first, int64_t last, void *ctx)
{
    filch__add_relaxed((uint32_t *)ctx, (uint32_t)(last - first));
    return 0;
}

static int middle(int64_t first, int64_t last, void *ctx)
{
    for (int64_t i = first; i < last; i++)
        CHECK(filch_for(0, 10, i % 4, add_one, ctx) == 0);
    return 0;
}

static int outermost(int64_t first, int64_t last, void *ctx)
{
    for (int64_t i = first; i < last; i++)
        CHECK(filch_for(0, 20, 1, middle, ctx) == 0);
    return 0;
}

static void nest(filch_runtime *rt)
{
    uint32_t sum = 0;
    filch_loop_options o = on(rt);
    CHECK(filch_for_with(&o, 0, 30, 1, outermost, &sum) == 0);
    CHECK(sum == 6000);
}

static void nested(void)
{
    from_everywhere(nest);
}

struct sociable {
    filch_runtime *rt;
    filch_mutex mutex;
    filch_semaphore semaphore;
    filch_channel channel;
    uint32_t plain; /* under the mutex */
    uint32_t ran;
};

static int one_child(void *arg)
{
    struct sociable *s = arg;
    tally(&s->ran);
    return filch_yield();
}

static int fork_two(void *arg)
{
    filch_job job = FILCH_JOB(one_child, arg);
    filch_fork(&job);
    int rc = one_child(arg);
    int other = filch_sync(&job);
    return rc < 0 ? rc : other;
}

static void open_scope(struct sociable *s)
{
    filch_scope scope;
    CHECK(filch_scope_open(&scope, &(filch_scope_options){.runtime = s->rt}) == 0);
    CHECK(filch_scope_spawn(&scope, NULL, one_child, s) == 0);
    CHECK(filch_scope_spawn(&scope, NULL, one_child, s) == 0);
    CHECK(filch_scope_close(&scope) == 0);
}

static void spawn_and_join(struct sociable *s)
{
    filch_handle *h;
    spawn_on(s->rt, &h, one_child, s);
    CHECK(join(h) == 0);
    tally(&s->ran);
}

static int be_sociable(int64_t first, int64_t last, void *ctx)
{
    struct sociable *s = ctx;
    uint32_t item = (uint32_t)first;
    CHECK(last - first == 1);
    switch (first % 7) {
    case 0:
        CHECK(filch_sleep(20 * US) == 0);
        break;
    case 1:
        CHECK(filch_mutex_lock(&s->mutex) == 0);
        s->plain++;
        CHECK(filch_yield() == 0);
        s->plain++;
        CHECK(filch_mutex_unlock(&s->mutex) == 0);
        break;
    case 2:
        open_scope(s);
        return 0;
    case 3:
        spawn_and_join(s);
        return 0;
    case 4:
        CHECK(fork_two(s) == 0);
        return 0;
    case 5:
        CHECK(filch_channel_send(&s->channel, &item) == 0);
        CHECK(filch_channel_receive(&s->channel, &item) == 0);
        break;
    default:
        CHECK(filch_semaphore_acquire(&s->semaphore, 1) == 0);
        CHECK(filch_yield() == 0);
        CHECK(filch_semaphore_release(&s->semaphore, 1) == 0);
    }
    filch__add_acq_rel(&s->ran, 2u);
    return 0;
}

static void sociable(filch_runtime *rt)
{
    static filch_channel_options items = {.item_size = sizeof(uint32_t), .capacity = 64};
    uint32_t n = (uint32_t)sized(70, 210, 2100);
    struct sociable s = {.rt = rt, .mutex = FILCH_MUTEX, .semaphore = FILCH_SEMAPHORE(2)};
    filch_loop_options o = on(rt);
    CHECK(filch_channel_create(&s.channel, &items) == 0);
    CHECK(filch_for_with(&o, 0, n, 1, be_sociable, &s) == 0);
    CHECK(s.ran == 2 * n && s.plain == 2 * (n / 7));
    CHECK(filch_channel_destroy(&s.channel) == 0);
}

static void bodies_that_wait(void)
{
    from_everywhere(sociable);
}

static int loop_in_poll(filch_future *self, const filch_waker *waker)
{
    uint32_t sum = 0;
    (void)self, (void)waker;
    CHECK(filch_for(0, 50, 1, add_one, &sum) == 0);
    CHECK(filch_for(0, 7, 1, middle, &sum) == 0);
    return (int)sum;
}

static int loop_on_pool(void *arg)
{
    return loop_in_poll(NULL, arg);
}

static int unusual_callers(void *arg)
{
    static const filch_future_ops ops = {"a loop", loop_in_poll, NULL};
    filch_handle *h;
    (void)arg;
    from_polls(&ops, 10, 120);
    for (int i = 0; i < 5; i++)
        CHECK(filch_blocking(loop_on_pool, NULL) == 120);
    for (int i = 1; i <= 2; i++) {
        filch_spawn_options o = {.worker = 1, .stack_size = (size_t)i << 18};
        REQUIRE(filch_spawn_with(&h, &o, loop_on_pool, NULL) == 0);
        CHECK(join(h) == 120);
    }
    return 0;
}

static void polls_blocking_calls_and_pinned_tasks(void)
{
    in_task_of_each(unusual_callers);
}

int main(void)
{
    RUN(nested);
    RUN(bodies_that_wait);
    RUN(polls_blocking_calls_and_pinned_tasks);
    return summary();
}
