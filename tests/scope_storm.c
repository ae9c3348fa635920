/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scopes at random: trees of scopes, shields, tasks, jobs, deferred functions and deadlines, with
 * failures, aborts and cancels from inside and from threads at any moment. What is done follows from
 * the seed, when it happens does not. Counters must come out, the memory must come back, and nothing
 * of a tree runs once its scope has closed.
 */
#include "tests/support.h"

enum { WIDTH = 6, DEPTH = 5, MAGIC = 0x5c09e };

struct storm {
    filch_runtime *rt;
    uint32_t spawned, ran, args_dropped, results_made, results_gone;
    uint32_t deferred, defers_ran;
    uint32_t outlived; /* tasks that ran when their scope had closed */
    uint32_t left;     /* tasks that may be spawned still */
};

static struct storm *storm; /* one at a time: a result holds no pointer */

/* In the frame of who opens a scope, whose children work on it until their end. */
struct grove {
    filch_scope scope;
    uint32_t open;    /* MAGIC while it is */
    uint32_t working; /* children that are between their begin and end */
};

/* What each task gets, moved. */
struct node {
    struct grove *grove;
    uint64_t random;
    int depth;
};

static void count_defer(void *arg)
{
    struct grove *g = arg;
    tally(&storm->defers_ran);
    if (g && filch__load_acquire(&g->open) != MAGIC)
        tally(&storm->outlived);
}

static void defer_one(struct grove *g)
{
    tally(&storm->deferred);
    CHECK(filch_defer(count_defer, g) == 0);
}

static void drop_arg(void *arg)
{
    struct node *n = arg;
    if (filch__load_acquire(&n->grove->open) != MAGIC)
        tally(&storm->outlived);
    tally(&storm->args_dropped);
}

static void drop_result(void *result)
{
    CHECK(*(uint32_t *)result == MAGIC);
    tally(&storm->results_gone);
}

static int grow(struct node *n);

static int task(void *arg)
{
    struct node *n = arg;
    struct grove *g = n->grove;
    filch__add_acq_rel(&g->working, 1u);
    tally(&storm->ran);
    if (test_random(&n->random, 4) == 0)
        defer_one(g);
    int rc = grow(n);
    uint32_t *result = filch_result_buffer();
    if (rc >= 0 && result) {
        *result = MAGIC;
        tally(&storm->results_made);
    }
    filch__sub_acq_rel(&g->working, 1u);
    if (filch__load_acquire(&g->open) != MAGIC)
        tally(&storm->outlived);
    return rc;
}

/* True: it was admitted. *h: its handle, or NULL. */
static bool spawn_child(struct node *n, struct grove *g, filch_handle **h)
{
    uint32_t dice = test_random(&n->random, 32);
    struct node child = {g, n->random * 3 + dice, n->depth - 1};
    filch_spawn_options o = {.arg_size = sizeof child, .arg_drop = drop_arg};
    *h = NULL;
    if ((int32_t)filch__sub_acq_rel(&storm->left, 1u) <= 0)
        return false;
    if (dice % 4 == 1) {
        o.result_size = sizeof(uint32_t);
        o.result_drop = drop_result;
    }
    if (dice == 3)
        o.worker = filch_runtime_workers(storm->rt);
    if (dice == 4)
        o.stack_size = 2 * FILCH_STACK_DEFAULT;
    if (dice % 8 == 5)
        o.name = "storm";
    if (dice % 16 == 7)
        o.cancel_on_drop = true;
    int rc = filch_scope_spawn_with(&g->scope, dice % 2 ? h : NULL, &o, task, &child);
    CHECK(rc == 0);
    if (rc == 0)
        tally(&storm->spawned);
    return rc == 0;
}

/* A cancelled caller cannot join: it detaches. */
static void join_child(filch_handle *h, bool into)
{
    uint32_t out = 0;
    int result = INT32_MIN;
    int rc = into ? filch_join_into(h, &result, &out) : filch_join(h, &result);
    CHECK(rc == 0 || (rc == -ECANCELED && filch_cancelled()));
    CHECK(rc < 0 || result != INT32_MIN);
    if (rc < 0)
        filch_detach(h);
    else if (into && out == MAGIC)
        tally(&storm->results_gone);
}

static void resolve(struct node *n, filch_handle *h)
{
    filch_abort_handle *a;
    switch (test_random(&n->random, 8)) {
    case 0:
        filch_detach(h);
        return;
    case 1:
        CHECK(filch_abort(h) == 0);
        break;
    case 2:
        a = filch_abort_handle_of(h);
        filch_detach(h);
        CHECK(filch_abort_handle_abort(a) == 0);
        filch_abort_handle_drop(a);
        return;
    default:
        break;
    }
    join_child(h, test_random(&n->random, 2));
}

/* A wait of any kind, which may be cut short. */
static void wait_somehow(struct node *n)
{
    int rc = 0;
    switch (test_random(&n->random, 8)) {
    case 0:
        rc = filch_sleep((int64_t)test_random(&n->random, 20000));
        break;
    case 1:
        rc = filch_yield();
        break;
    case 2:
        rc = filch_checkpoint();
        break;
    default:
        break;
    }
    CHECK(rc == 0 || (rc == -ECANCELED && filch_cancelled()));
}

static int job(void *arg)
{
    struct node *n = arg;
    if (test_random(&n->random, 4) == 0 && filch_task_name())
        defer_one(NULL);
    wait_somehow(n);
    return grow(n);
}

static void cancel_by_chance(struct node *n, struct grove *g)
{
    uint32_t dice = test_random(&n->random, 24);
    if (dice == 0)
        CHECK(filch_scope_cancel(&g->scope, 1) == 0);
    else if (dice == 1)
        (void)filch_scope_set_deadline(&g->scope,
                                       filch_now() + (int64_t)test_random(&n->random, 50000));
    else if (dice == 2) /* of the scope that the caller is a child of */
        CHECK(filch_scope_cancel(&n->grove->scope, 2) == 0);
}

static void spawn_children(struct node *n, struct grove *g)
{
    filch_handle *h[WIDTH];
    uint32_t count = test_random(&n->random, WIDTH);
    for (uint32_t i = 0; i < count; i++) {
        (void)spawn_child(n, g, &h[i]);
        cancel_by_chance(n, g);
    }
    struct node left = {n->grove, n->random + 1, n->depth - 1};
    filch_job forked = FILCH_JOB(job, &left);
    bool forks = test_random(&n->random, 4) == 0;
    if (forks)
        filch_fork(&forked);
    wait_somehow(n);
    for (uint32_t i = count; i-- > 0;)
        if (h[i])
            resolve(n, h[i]);
    if (forks)
        (void)filch_sync(&forked);
}

static void take_some(struct grove *g, uint32_t most)
{
    filch_handle *h;
    while (most-- > 0 && filch_scope_next(&g->scope, &h) == 0)
        join_child(h, most % 2);
}

/* Opens a scope, fills it, closes it. */
static int plant(struct node *n)
{
    struct grove g = {.open = MAGIC};
    uint32_t dice = test_random(&n->random, 32);
    filch_scope_options o = {.name = "grove", .policy = (filch_policy)(dice % 3)};
    o.collect = dice % 4 == 1;
    o.deadline = dice % 8 == 2 ? filch_now() + (int64_t)test_random(&n->random, 100000) : 0;
    o.grace = dice % 16 == 3 ? FILCH_NEVER : 0;
    o.runtime = storm->rt;
    REQUIRE(filch_scope_open(&g.scope, &o) == 0);
    if (dice % 4 == 2) {
        tally(&storm->deferred);
        CHECK(filch_scope_defer(&g.scope, count_defer, &g) == 0);
    }
    spawn_children(n, &g);
    if (o.collect)
        take_some(&g, test_random(&n->random, WIDTH));
    int rc = filch_scope_close(&g.scope);
    CHECK(filch__load_acquire(&g.working) == 0);
    filch__store_release(&g.open, 0u);
    filch_report r;
    CHECK(filch_scope_report(&g.scope, &r) == 0 && r.result == rc);
    CHECK(r.ended == r.succeeded + r.failed + r.cancelled);
    CHECK(rc == 0 || rc == -EIO || rc == -ECANCELED || rc == -ETIMEDOUT);
    CHECK(rc != -EIO || r.failed > 0);
    return rc;
}

/* What a task, a job or a thread does. */
static int grow(struct node *n)
{
    uint32_t dice = test_random(&n->random, 16);
    filch_shield shield;
    if (n->depth <= 0) {
        wait_somehow(n);
        return dice == 0 ? -EIO : dice == 1 ? -ECANCELED : (int)dice;
    }
    bool shielded = dice % 8 == 3;
    if (shielded)
        REQUIRE(filch_shield_begin(&shield, dice == 3 ? filch_now() + 50000 : 0) == 0);
    int rc = plant(n);
    if (shielded) {
        int end = filch_shield_end(&shield);
        CHECK(end == 0 || end == -ETIMEDOUT);
    }
    return rc == -EIO ? (int)dice : rc;
}

/* A task, outside of any scope, that is perhaps aborted. */
static int root(void *arg)
{
    return grow(arg);
}

static void *thread_main(void *arg)
{
    struct node *n = arg;
    while ((int32_t)filch__load_acquire(&storm->left) > 0) {
        struct grove none = {.open = MAGIC};
        struct node tree = {&none, n->random, DEPTH};
        filch_handle *h;
        uint32_t dice = test_random(&n->random, 4);
        REQUIRE(filch_scope_open(&none.scope, &(filch_scope_options){.runtime = storm->rt}) == 0);
        if (dice == 0) {
            (void)plant(&tree);
        } else {
            spawn_on(storm->rt, &h, root, &tree);
            for (uint32_t k = test_random(&n->random, 2000); k > 0; k--)
                filch__fence_compiler();
            if (dice == 1)
                CHECK(filch_abort(h) == 0);
            int rc = join(h);
            CHECK(rc >= 0 || rc == -ECANCELED || rc == -ETIMEDOUT || rc == -EIO);
        }
        CHECK(filch_scope_close(&none.scope) == 0 || filch_scope_cancelled(&none.scope));
        CHECK(none.working == 0);
    }
    return NULL;
}

static void rage(int workers)
{
    enum { THREADS = 2 };
    struct storm s = {.rt = runtime_open(workers)};
    size_t warm = 0;
    storm = &s;
    for (int round = 0; round < 4; round++) {
        pthread_t threads[THREADS];
        struct node nodes[THREADS];
        filch__store_release(&s.left, (uint32_t)sized(3000, 84000, 84000));
        for (int i = 0; i < THREADS; i++) {
            nodes[i] = (struct node){.random = test_seed() + (uint64_t)(round * THREADS + i)};
            threads[i] = thread_start(thread_main, &nodes[i]);
        }
        for (int i = 0; i < THREADS; i++)
            thread_join(threads[i]);
        drain(s.rt);
        CHECK(s.args_dropped == s.spawned && s.ran <= s.spawned);
        CHECK(s.results_gone == s.results_made && s.defers_ran == s.deferred);
        CHECK(s.outlived == 0 && totals_of(s.rt).tasks_live == 0);
        if (round == 1)
            warm = totals_of(s.rt).bytes;
        CHECK(round < 2 || totals_of(s.rt).bytes <= warm + ((size_t)1 << 20));
    }
    printf("       %d workers: %u tasks, %u ran, %u deferred\n", workers, s.spawned, s.ran,
           s.deferred);
    runtime_close(s.rt);
}

static void on_1_worker(void)
{
    rage(1);
}

static void on_2_workers(void)
{
    rage(2);
}

static void on_8_workers(void)
{
    rage(8);
}

/* ---- nothing runs after the close ---- */

struct touch {
    uint32_t inside, touches;
};

static int touch_until_the_end(void *arg)
{
    struct touch *t = arg;
    filch__add_acq_rel(&t->inside, 1u);
    int rc = 0;
    for (int i = 0; i < 5 && rc == 0; i++) {
        tally(&t->touches);
        rc = filch_yield();
    }
    tally(&t->touches);
    filch__sub_acq_rel(&t->inside, 1u);
    return rc;
}

static int open_and_close(void *arg)
{
    uint64_t random = *(uint64_t *)arg;
    for (long i = 0; i < sized(500, 10000, 100000); i++) {
        struct touch t = {0};
        filch_scope s;
        uint32_t dice = test_random(&random, 8), children = test_random(&random, 6);
        int64_t deadline = dice == 0 ? filch_now() + (int64_t)test_random(&random, 20000) : 0;
        REQUIRE(filch_scope_open(&s, &(filch_scope_options){.deadline = deadline}) == 0);
        for (uint32_t k = 0; k < children; k++)
            CHECK(filch_scope_spawn(&s, NULL, touch_until_the_end, &t) == 0);
        if (dice == 1)
            CHECK(filch_yield() == 0);
        if (dice < 3)
            CHECK(filch_scope_cancel(&s, 0) == 0);
        (void)filch_scope_close(&s);
        CHECK(filch__load_acquire(&t.inside) == 0);
        uint32_t touches = filch__load_acquire(&t.touches);
        memset(&t, 0x55, sizeof t); /* whoever comes later changes this */
        CHECK(touches <= 6 * children && filch_checkpoint() == 0);
        CHECK(filch__load_acquire(&t.inside) == 0x55555555 &&
              filch__load_acquire(&t.touches) == 0x55555555);
    }
    return 0;
}

static void nothing_runs_after_the_close(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        uint64_t seed = test_seed() + w;
        CHECK(filch_run(rt, open_and_close, &seed) == 0);
        drain(rt);
        runtime_close(rt);
    }
}

int main(void)
{
    (void)test_seed();
    RUN(on_1_worker);
    RUN(on_2_workers);
    RUN(on_8_workers);
    RUN(nothing_runs_after_the_close);
    return summary();
}
