/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loops, teams, forks and waits in random trees, from tasks and threads at once, that fail and are
 * cancelled all the time. What has returned 0 has done all of its part.
 */
#include "tests/compute_check.h"

enum { CALLERS = 4, DEEP = 3 };

struct storm {
    filch_runtime *rt;
    uint32_t calls; /* so far */
    uint32_t over;  /* everything has returned */
};

/* A part of the tree. */
struct node {
    struct storm *storm;
    uint64_t random; /* where its children's numbers begin; immutable */
    int depth;
    uint32_t wanted, done; /* of its units */
    int fails_at;          /* a unit, or -1 */
};

static int grow(const struct node *parent, uint64_t unit);

static int unit(struct node *n, uint64_t number)
{
    CHECK(!flag_up(&n->storm->over));
    tally(&n->storm->calls);
    int rc = n->depth < DEEP ? grow(n, number) : 0;
    if ((int)number == n->fails_at)
        rc = -EDOM;
    tally(&n->done);
    return rc == -ENOMEM || rc == -EAGAIN ? 0 : rc;
}

static int chunk_of_node(int64_t first, int64_t last, void *ctx)
{
    int rc = 0;
    for (; rc >= 0 && first < last; first++)
        rc = unit(ctx, (uint64_t)first);
    return rc;
}

static int call_of_node(int64_t index, int participant, void *ctx)
{
    CHECK(participant >= 0 && filch_participant() == participant);
    return unit(ctx, (uint64_t)index);
}

static int member_of_node(filch_member *me, void *ctx)
{
    struct node *n = ctx;
    CHECK(me->size == (int)n->wanted && filch_team_member() == me);
    int rc = filch_team_barrier(me);
    if (rc == 0)
        rc = unit(n, (uint64_t)me->rank);
    if (rc >= 0)
        rc = filch_team_barrier(me);
    if (rc == 0)
        CHECK(count_of(&n->done) == n->wanted);
    return rc;
}

struct job {
    struct node *node;
    uint64_t number;
};

static int job_of_node(void *arg)
{
    struct job *j = arg;
    return unit(j->node, j->number);
}

static int fork_pair(struct node *n)
{
    struct job job[2] = {{n, 0}, {n, 1}};
    return filch_invoke2(job_of_node, &job[0], job_of_node, &job[1]);
}

static int in_scope(struct node *n, int64_t deadline)
{
    filch_scope s;
    filch_scope_options o = {.runtime = n->storm->rt, .deadline = deadline};
    int rc = filch_scope_open(&s, &o);
    if (rc < 0)
        return 0;
    filch_loop_options lo = {.runtime = n->storm->rt};
    int inner = filch_for_with(&lo, 0, n->wanted, 1, chunk_of_node, n);
    CHECK(inner == 0 || inner == -EDOM || inner == -ECANCELED || inner == -ESHUTDOWN);
    (void)filch_scope_close(&s);
    return inner == -ECANCELED || inner == -ESHUTDOWN ? filch_checkpoint() : inner;
}

/* One thing of a random kind, in unit `number` of the parent. */
static int grow(const struct node *parent, uint64_t number)
{
    uint64_t random = parent->random + number * UINT64_C(0x9e3779b97f4a7c15) + 1;
    struct node n = {.storm = parent->storm, .depth = parent->depth + 1, .fails_at = -1};
    n.wanted = 1 + test_random(&random, 12);
    n.fails_at = test_random(&random, 40) == 0 ? (int)test_random(&random, n.wanted) : -1;
    uint32_t kind = test_random(&random, 9), cap = test_random(&random, 4);
    int64_t grain = test_random(&random, 4);
    n.random = random;
    filch_runtime *rt = n.storm->rt;
    filch_loop_options lo = {.runtime = rt, .participants = (int)cap};
    filch_team_options to = {.runtime = rt};
    int rc;
    switch (kind) {
    case 0:
    case 1:
        rc = filch_for_with(&lo, 0, n.wanted, grain, chunk_of_node, &n);
        break;
    case 2:
    case 3:
        rc = filch_run_n_with(&lo, n.wanted, call_of_node, &n);
        break;
    case 4:
        n.wanted = 1 + n.wanted % 5;
        n.fails_at = n.fails_at < (int)n.wanted ? n.fails_at : -1;
        rc = filch_team_with(&to, (int)n.wanted, member_of_node, &n);
        break;
    case 5:
        n.wanted = 2;
        n.fails_at = n.fails_at < 2 ? n.fails_at : -1;
        rc = fork_pair(&n);
        break;
    case 6:
        return in_scope(&n, filch_now() + 300 * US);
    case 7:
        return is_task() ? filch_sleep(20 * US) : 0;
    default:
        return is_task() ? filch_yield() : 0;
    }
    CHECK(rc == 0 || rc == -EDOM || rc == -ECANCELED || rc == -EAGAIN || rc == -ENOMEM ||
          rc == -ESHUTDOWN);
    CHECK(rc != 0 || (count_of(&n.done) == n.wanted && n.fails_at < 0));
    return rc == -ESHUTDOWN ? -ECANCELED : rc;
}

struct caller_of_storm {
    struct storm *storm;
    uint64_t random;
};

static int storm_task(void *arg)
{
    struct caller_of_storm *c = arg;
    struct node root = {.storm = c->storm, .random = c->random, .fails_at = -1};
    return grow(&root, 0);
}

static void *storm_thread(void *arg)
{
    (void)storm_task(arg);
    return NULL;
}

/* While all of it goes on. */
static void dump_to_nowhere(void)
{
    FILE *nowhere = fopen("/dev/null", "we");
    REQUIRE(nowhere);
    CHECK(filch_dump(nowhere) == 0);
    fclose(nowhere);
}

static void blow(filch_runtime *rt, filch_runtime *other, uint64_t *random, bool destroy)
{
    struct storm s = {.rt = rt};
    struct caller_of_storm c[CALLERS + 2];
    filch_handle *h[CALLERS];
    pthread_t thread[2];
    for (int i = 0; i < CALLERS + 2; i++)
        c[i] = (struct caller_of_storm){&s, test_random(random, UINT32_MAX)};
    for (int i = 0; i < CALLERS; i++)
        spawn_on(i ? rt : other, &h[i], storm_task, &c[i]);
    for (int i = 0; i < 2; i++)
        thread[i] = thread_start(storm_thread, &c[CALLERS + i]);
    spin_for((int64_t)test_random(random, 400000));
    if (test_random(random, 4) == 0)
        dump_to_nowhere();
    for (int i = 0; i < CALLERS; i++)
        if (test_random(random, 2))
            CHECK(filch_abort(h[i]) == 0);
    for (int i = 0; i < 2 && destroy; i++) /* their calls may be the first that are refused */
        thread_join(thread[i]);
    if (destroy)
        runtime_close(rt);
    for (int i = 0; i < CALLERS; i++)
        (void)join(h[i]);
    for (int i = 0; i < 2 && !destroy; i++)
        thread_join(thread[i]);
    raise_flag(&s.over);
}

static void storms(void)
{
    uint64_t random = test_seed();
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]), *other = runtime_quiet(2);
        for (long i = 0; i < sized(6, 60, 1000) && !filch__load_relaxed(&case_bad); i++)
            blow(rt, other, &random, false);
        drain(rt);
        CHECK(filch_runtime_destroy(other) == 0);
        runtime_close(rt);
    }
}

static void storms_and_the_runtimes_end(void)
{
    uint64_t random = test_seed() + 1;
    for (long i = 0; i < sized(6, 60, 1000) && !filch__load_relaxed(&case_bad); i++) {
        filch_runtime *rt = runtime_open(worker_counts[i % 3]), *other = runtime_quiet(2);
        blow(rt, other, &random, true);
        CHECK(filch_runtime_destroy(other) == 0);
    }
}

int main(void)
{
    RUN(storms);
    RUN(storms_and_the_runtimes_end);
    return summary();
}
