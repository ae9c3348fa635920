/* SPDX-License-Identifier: Apache-2.0 */
/* filch_run_n: exactly n calls, claimed in ascending order; numbers of participants. */
#include "tests/compute_check.h"

/* ---- calls ---- */

enum { CALLS = 3000 };

struct calls {
    uint32_t begun[CALLS];
    uint32_t count;
    int64_t n;
};

/* Whoever has claimed a lower index is about to begin: so this wait is short. */
static int call_in_order(int64_t index, int participant, void *ctx)
{
    struct calls *c = ctx;
    CHECK(index >= 0 && index < c->n && participant >= 0);
    tally(&c->begun[index]);
    tally(&c->count);
    for (int64_t i = index > 20 ? index - 20 : 0; i < index; i++)
        SPIN_UNTIL(count_of(&c->begun[i]));
    return 0;
}

static void call_each(filch_runtime *rt)
{
    static const int64_t counts[] = {1, 2, 3, 8, 9, 17, 1000, CALLS};
    filch_loop_options o = on(rt);
    struct calls *c = malloc(sizeof *c);
    REQUIRE(c);
    for (size_t i = 0; i < COUNT(counts); i++) {
        memset(c, 0, sizeof *c);
        c->n = counts[i];
        CHECK(filch_run_n_with(&o, c->n, call_in_order, c) == 0);
        CHECK(c->count == (uint32_t)c->n);
        for (int64_t k = 0; k < c->n; k++)
            CHECK(c->begun[k] == 1);
    }
    CHECK(filch_run_n_with(&o, 0, call_in_order, c) == 0);
    CHECK(filch_run_n_with(&o, -1, call_in_order, c) == 0);
    CHECK(filch_run_n_with(&o, INT64_MIN, call_in_order, c) == 0);
    CHECK(filch_run_n_with(&o, 5, NULL, c) == -EINVAL);
    o.participants = -3;
    CHECK(filch_run_n_with(&o, 5, call_in_order, c) == -EINVAL);
    CHECK(c->count == CALLS);
    free(c);
}

static void each_call_once_in_ascending_order(void)
{
    from_everywhere(call_each);
}

static void several_threads_at_once(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        from_threads(rt, 3, call_each);
        runtime_close(rt);
    }
}

static int fail_at(int64_t index, int participant, void *ctx)
{
    struct calls *c = ctx;
    (void)participant;
    tally(&c->count);
    tally(&c->begun[index]);
    return index == c->n ? -EDOM : 0;
}

static void fail_calls(filch_runtime *rt)
{
    filch_loop_options o = on(rt);
    static const int64_t at[] = {0, 1, 500, CALLS - 1};
    for (size_t i = 0; i < COUNT(at); i++) {
        struct calls c = {.n = at[i]};
        CHECK(filch_run_n_with(&o, CALLS, fail_at, &c) == -EDOM);
        for (int64_t k = 0; k <= at[i]; k++)
            CHECK(c.begun[k] == 1);
        struct calls d = {.n = at[i]};
        filch_loop_options alone = {.runtime = rt, .participants = 1};
        CHECK(filch_run_n_with(&alone, CALLS, fail_at, &d) == -EDOM);
        CHECK(d.count == at[i] + 1);
    }
}

static void a_failure_ends_it(void)
{
    from_everywhere(fail_calls);
}

struct chain {
    uint32_t done;
    uint32_t waits; /* in filch, else it spins */
};

/* Each waits for the end of all lower ones, as c-blosc2's delta decode does. */
static int follow(int64_t index, int participant, void *ctx)
{
    struct chain *c = ctx;
    (void)participant;
    while (count_of(&c->done) < index)
        if (c->waits)
            CHECK(filch_yield() == 0);
        else
            sched_yield();
    tally(&c->done);
    return 0;
}

static void follow_each_other(filch_runtime *rt)
{
    filch_loop_options o = on(rt);
    for (uint32_t waits = 0; waits < 2; waits++) {
        struct chain c = {0, waits};
        CHECK(filch_run_n_with(&o, 200, follow, &c) == 0);
        CHECK(c.done == 200);
    }
}

static void calls_that_wait_for_lower_ones(void)
{
    from_everywhere(follow_each_other);
}

/* ---- numbers ---- */

/* Who has which number just now; of one runtime. */
struct numbers {
    filch_runtime *rt;
    uint32_t taken[64 + FILCH_PARTICIPANTS_MORE];
    uint32_t calls;
};

static void take_number(struct numbers *n, int participant)
{
    CHECK(participant >= 0 && participant < filch_participants(n->rt));
    CHECK(filch__exchange_acq_rel(&n->taken[participant], 1u) == 0);
    CHECK(filch_participant() == participant);
}

static void leave_number(struct numbers *n, int participant)
{
    CHECK(filch_participant() == participant);
    filch__store_release(&n->taken[participant], 0u);
    tally(&n->calls);
}

static int inner_call(int64_t index, int participant, void *ctx)
{
    struct numbers *n = ctx;
    (void)index;
    CHECK(filch_participant() == participant);
    tally(&n->calls);
    return 0;
}

/* A helper of the inner loop is none of the outer: it takes a number of its own. */
static int inner_checked(int64_t index, int participant, void *ctx)
{
    struct numbers *n = ctx;
    bool nested = flag_up(&n->taken[participant]);
    (void)index;
    if (!nested)
        tally(&n->calls);
    return 0;
}

static int numbered(int64_t index, int participant, void *ctx)
{
    struct numbers *n = ctx;
    filch_loop_options o = on(n->rt);
    take_number(n, participant);
    switch (index % 5) {
    case 0:
        CHECK(filch_yield() == 0);
        break;
    case 1:
        CHECK(filch_sleep(30 * US) == 0);
        break;
    case 2:
        CHECK(filch_run_n_with(&(filch_loop_options){.runtime = n->rt, .participants = 1}, 5,
                               inner_call, n) == 0);
        break;
    case 3:
        CHECK(filch_run_n_with(&o, 8, inner_checked, n) == 0);
        break;
    default:
        sched_yield();
    }
    leave_number(n, participant);
    return 0;
}

static int number_task(void *arg)
{
    struct numbers *n = arg;
    return filch_run_n(sized(50, 300, 3000), numbered, n);
}

static void *number_thread(void *arg)
{
    struct numbers *n = arg;
    filch_loop_options o = on(n->rt);
    CHECK(filch_run_n_with(&o, sized(50, 300, 3000), numbered, n) == 0);
    return NULL;
}

static void unique_among_all(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        struct numbers n = {.rt = runtime_open(worker_counts[w])};
        filch_handle *h[3];
        pthread_t thread[2];
        CHECK(filch_participants(n.rt) == worker_counts[w] + FILCH_PARTICIPANTS_MORE);
        for (size_t i = 0; i < COUNT(h); i++)
            spawn_on(n.rt, &h[i], number_task, &n);
        for (size_t i = 0; i < COUNT(thread); i++)
            thread[i] = thread_start(number_thread, &n);
        for (size_t i = 0; i < COUNT(h); i++)
            CHECK(join(h[i]) == 0);
        for (size_t i = 0; i < COUNT(thread); i++)
            thread_join(thread[i]);
        for (size_t i = 0; i < COUNT(n.taken); i++)
            CHECK(n.taken[i] == 0);
        runtime_close(n.rt);
    }
}

/* In a body of any loop; none elsewhere. */
static int ask_number(int64_t first, int64_t last, void *ctx)
{
    struct numbers *n = ctx;
    (void)first, (void)last;
    int number = filch_participant();
    take_number(n, number);
    if (is_task())
        CHECK(filch_yield() == 0);
    leave_number(n, number);
    return 0;
}

static int ask_in_team(filch_member *me, void *ctx)
{
    if (me->rank == 0)
        return ask_number(0, 1, ctx);
    CHECK(filch_participant() == -EINVAL);
    return 0;
}

static int open_team(int64_t first, int64_t last, void *ctx)
{
    struct numbers *n = ctx;
    (void)first, (void)last;
    return filch_team_with(&(filch_team_options){.runtime = n->rt}, 2, ask_in_team, n);
}

static void ask_numbers(filch_runtime *rt)
{
    struct numbers n = {.rt = rt};
    filch_loop_options o = on(rt);
    CHECK(filch_participant() == -EINVAL);
    for (int i = 0; i < 20; i++)
        CHECK(filch_for_with(&o, 0, 40, 1, ask_number, &n) == 0);
    CHECK(filch_participant() == -EINVAL);
    if (!is_task())
        return;
    /* A number that was got in a member belongs to the loop around. */
    for (int i = 0; i < 2 * FILCH_PARTICIPANTS_MORE; i++)
        CHECK(filch_for_with(&(filch_loop_options){.runtime = rt, .participants = 1}, 0, 1, 1,
                             open_team, &n) == 0);
}

static void in_bodies_of_any_loop(void)
{
    from_everywhere(ask_numbers);
    CHECK(filch_participants(NULL) > FILCH_PARTICIPANTS_MORE);
}

/* ---- none left ---- */

enum { WAITERS = FILCH_PARTICIPANTS_MORE + 20 };

struct crowd {
    uint32_t inside, refused, go;
};

static int hold_number(int64_t index, int participant, void *ctx)
{
    struct crowd *c = ctx;
    (void)index, (void)participant;
    tally(&c->inside);
    while (!flag_up(&c->go))
        CHECK(filch_yield() == 0);
    return 0;
}

static int one_of_crowd(void *arg)
{
    struct crowd *c = arg;
    int rc = filch_run_n_with(&(filch_loop_options){.participants = 1}, 1, hold_number, c);
    CHECK(rc == 0 || rc == -EAGAIN);
    if (rc == -EAGAIN)
        tally(&c->refused);
    return 0;
}

static int no_number(int64_t first, int64_t last, void *ctx)
{
    (void)first, (void)last;
    tally(ctx);
    CHECK(filch_participant() == -EAGAIN);
    return 0;
}

static void numbers_run_out(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        filch_loop_options o = on(rt);
        filch_handle *h[WAITERS];
        struct crowd c = {0, 0, 0};
        uint32_t calls = 0;
        for (int i = 0; i < WAITERS; i++)
            spawn_on(rt, &h[i], one_of_crowd, &c);
        SPIN_UNTIL(count_of(&c.inside) + count_of(&c.refused) == WAITERS);
        /* Some workers' own number may have been nobody's first choice. */
        CHECK(c.inside >= FILCH_PARTICIPANTS_MORE && c.refused > 0);
        CHECK(c.inside <= (uint32_t)filch_participants(rt));
        struct crowd d = {0, 0, 1};
        CHECK(filch_run_n_with(&o, 3, hold_number, &d) == -EAGAIN && d.inside == 0);
        o.participants = 1;
        CHECK(filch_for_with(&o, 0, 3, 1, no_number, &calls) == 0 && calls == 3);
        raise_flag(&c.go);
        for (int i = 0; i < WAITERS; i++)
            CHECK(join(h[i]) == 0);
        CHECK(filch_run_n_with(&o, 3, hold_number, &d) == 0 && d.inside == 3);
        runtime_close(rt);
    }
}

int main(void)
{
    RUN(each_call_once_in_ascending_order);
    RUN(several_threads_at_once);
    RUN(a_failure_ends_it);
    RUN(calls_that_wait_for_lower_ones);
    RUN(unique_among_all);
    RUN(in_bodies_of_any_loop);
    RUN(numbers_run_out);
    return summary();
}
