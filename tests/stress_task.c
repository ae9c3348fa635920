/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything at once, by chance: tasks and threads spawn, join, detach, abort, yield and fork, in
 * trees, on runtimes of several sizes. What is done follows from the seed, when it happens does
 * not. Counters must come out, and the memory must come back. The argument is the duration in
 * seconds, for all runtimes together.
 */
#include "tests/support.h"

enum { FOREIGN = 3, CHILDREN = 6, DEPTH = 4 };

struct mix {
    filch_runtime *rt;
    uint32_t spawned, ran, args_dropped, results_made, results_gone, stop;
};

/* What each task gets, moved. */
struct node {
    struct mix *m;
    uint64_t random;
    int depth;
};

static struct mix *mix_of_results; /* a result holds no pointer; one mix at a time */

static void drop_arg(void *arg)
{
    struct node *n = arg;
    tally(&n->m->args_dropped);
}

static void drop_result(void *result)
{
    CHECK(*(uint32_t *)result == 0xf11c);
    tally(&mix_of_results->results_gone);
}

static void grow(struct node *n, bool in_task);

static int task(void *arg)
{
    struct node *n = arg;
    tally(&n->m->ran);
    grow(n, true);
    uint32_t *result = filch_result_buffer();
    if (n->random % 16 == 0)
        return -EIO;
    if (result) {
        *result = 0xf11c;
        tally(&n->m->results_made);
    }
    return (int)(n->random % 1000);
}

/* NULL where the task is detached from birth. */
static filch_handle *spawn_child(struct node *n, bool *has_result)
{
    struct mix *m = n->m;
    uint32_t dice = test_random(&n->random, 64);
    filch_spawn_options o = {.runtime = m->rt, .arg_size = sizeof *n, .arg_drop = drop_arg};
    if (dice % 4 == 1) {
        o.result_size = sizeof(uint32_t);
        o.result_drop = drop_result;
    }
    o.cancel_on_drop = dice % 8 == 2;
    o.worker = dice % 16 == 3 ? filch_runtime_workers(m->rt) : 0;
    o.stack_size = dice == 4 ? 2 * FILCH_STACK_DEFAULT : 0;
    o.name = dice % 16 == 5 ? "stress" : NULL;
    *has_result = o.result_size != 0;
    struct node child = {m, n->random ^ UINT64_C(0x5bd1e9955bd1e995) * dice, n->depth - 1};
    filch_handle *h = NULL;
    tally(&m->spawned);
    REQUIRE(filch_spawn_with(dice % 8 == 6 ? NULL : &h, &o, task, &child) == 0);
    return h;
}

/* Whoever is cancelled cannot wait: it detaches instead. */
static void finish_by_join(struct mix *m, filch_handle *h, bool take)
{
    int result = 0;
    uint32_t out = 0;
    int rc = take ? filch_join_into(h, &result, &out) : filch_join(h, &result);
    CHECK(rc == 0 || (rc == -ECANCELED && filch_cancelled()));
    if (rc < 0) {
        filch_detach(h);
        return;
    }
    CHECK(result >= 0 || result == -EIO || result == -ECANCELED);
    if (take && result >= 0) {
        CHECK(out == 0xf11c);
        tally(&m->results_gone);
    }
}

static void finish_child(struct node *n, filch_handle *h, bool has_result)
{
    filch_abort_handle *a = NULL;
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
    case 3:
        a = filch_abort_handle_of(h);
        break;
    case 4:
        (void)filch_finished(h);
        break;
    default:
        break;
    }
    finish_by_join(n->m, h, has_result && test_random(&n->random, 2));
    if (a) {
        CHECK(filch_abort_handle_abort(a) == 0);
        filch_abort_handle_drop(filch_abort_handle_clone(a));
        filch_abort_handle_drop(a);
    }
}

static int job(void *arg)
{
    struct node *n = arg;
    grow(n, true);
    return n->depth;
}

static void fork_children(struct node *n)
{
    struct node left = {n->m, n->random + 1, n->depth - 1};
    struct node right = {n->m, n->random + 2, n->depth - 1};
    filch_job a = FILCH_JOB(job, &left), b = FILCH_JOB(job, &right);
    filch_fork(&a);
    filch_fork(&b);
    if (n->random & 1)
        (void)filch_yield();
    CHECK(filch_sync(&b) == right.depth);
    CHECK(filch_sync(&a) == left.depth);
}

/* What one task, job or thread does. */
static void grow(struct node *n, bool in_task)
{
    filch_handle *h[CHILDREN];
    bool has_result[CHILDREN];
    uint32_t count = n->depth > 0 ? test_random(&n->random, CHILDREN) : 0;
    for (uint32_t i = 0; i < count; i++)
        h[i] = spawn_child(n, &has_result[i]);
    uint32_t dice = test_random(&n->random, 4);
    if (in_task && dice < 2) {
        int rc = filch_yield();
        CHECK(rc == 0 || (rc == -ECANCELED && filch_checkpoint() == rc));
    } else if (dice == 2 && n->depth > 1) {
        fork_children(n);
    }
    for (uint32_t i = count; i-- > 0;)
        if (h[i])
            finish_child(n, h[i], has_result[i]);
}

static void *foreign(void *arg)
{
    struct node *n = arg;
    while (!flag_up(&n->m->stop)) {
        struct node tree = {n->m, n->random, DEPTH};
        grow(&tree, false);
        (void)test_random(&n->random, 2);
    }
    return NULL;
}

static double seconds = 2;

static void check_counts(const struct mix *m)
{
    CHECK(m->args_dropped == m->spawned);
    CHECK(m->ran <= m->spawned);
    CHECK(m->results_gone == m->results_made);
}

static void stress(int workers)
{
    struct mix m = {.rt = runtime_open(workers)};
    struct node nodes[FOREIGN];
    size_t warm = 0;
    mix_of_results = &m;
    int64_t start = watchdog_now(), length = (int64_t)(seconds / COUNT(worker_counts) * 1e9);
    for (int round = 0; round < 4 || watchdog_now() - start < length; round++) {
        pthread_t threads[FOREIGN];
        m.stop = 0;
        for (int i = 0; i < FOREIGN; i++) {
            nodes[i] = (struct node){&m, test_seed() + (uint64_t)(round * FOREIGN + i), 0};
            threads[i] = thread_start(foreign, &nodes[i]);
        }
        for (int64_t at = watchdog_now(); watchdog_now() - at < length / 8;)
            CHECK(filch_runtime_workers(m.rt) == workers && totals_of(m.rt).tasks_live >= 0);
        raise_flag(&m.stop);
        for (int i = 0; i < FOREIGN; i++)
            thread_join(threads[i]);
        drain(m.rt);
        check_counts(&m);
        size_t bytes = totals_of(m.rt).bytes;
        if (round < 2)
            warm = bytes;
        CHECK(bytes <= warm + ((size_t)1 << 20)); /* fibers and queues have found their size */
    }
    printf("       %d workers: %u tasks, %u ran\n", workers, m.spawned, m.ran);
    runtime_close(m.rt);
    check_counts(&m);
}

static void on_1_worker(void)
{
    stress(1);
}

static void on_2_workers(void)
{
    stress(2);
}

static void on_8_workers(void)
{
    stress(8);
}

int main(int argc, char **argv)
{
    seconds = argc > 1                ? atof(argv[1])
              : test_size_is("quick") ? 0.5
              : test_size_is("full")  ? 60
                                      : 2;
    (void)test_seed();
    run_case_within(60 + (int)seconds, "on_1_worker", on_1_worker);
    run_case_within(60 + (int)seconds, "on_2_workers", on_2_workers);
    run_case_within(60 + (int)seconds, "on_8_workers", on_8_workers);
    return summary();
}
