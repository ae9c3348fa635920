/* SPDX-License-Identifier: Apache-2.0 */
/* Prefix sums: right, inclusive and exclusive, in place; the same bits whoever takes part; failures. */
#define _GNU_SOURCE 1
#include "sched/os/fault.h"
#include "tests/adapter_check.h"

/* ---- every index once, in order ---- */

enum { MARKS = 70000 };

struct stretch {
    int64_t first, last;
    bool any;
};

struct walk {
    int64_t first, last, grain;
    bool checks;
    uint8_t summed[MARKS], written[MARKS];
};

static void nothing(void *value, void *ctx)
{
    (void)ctx;
    *(struct stretch *)value = (struct stretch){0, 0, false};
}

/* The carry of a final body is all that lies before; others begin anywhere. */
static int walk_on(int64_t first, int64_t last, void *carry, bool final, void *ctx)
{
    struct stretch *s = carry;
    struct walk *w = ctx;
    uint64_t length = (uint64_t)last - (uint64_t)first;
    CHECK(first < last && first >= w->first && last <= w->last);
    CHECK(w->grain == 0 || length <= (uint64_t)w->grain);
    if (final)
        CHECK(first == w->first ? !s->any : s->any && s->first == w->first);
    CHECK(!s->any || s->last == first);
    *s = (struct stretch){s->any ? s->first : first, last, true};
    for (int64_t i = first; w->checks && i < last; i++)
        (final ? w->written : w->summed)[i - w->first]++;
    return 7;
}

static void join_stretches(void *left, const void *right, void *ctx)
{
    struct stretch *l = left;
    const struct stretch *r = right;
    (void)ctx;
    CHECK(r->any && (!l->any || l->last == r->first));
    *l = (struct stretch){l->any ? l->first : r->first, r->last, true};
}

static const filch_scanner stretches = {sizeof(struct stretch), nothing, walk_on, join_stretches};

static void walk(filch_runtime *rt, int64_t first, int64_t last, int64_t grain)
{
    static struct walk w;
    struct stretch total = {5, 5, true};
    uint64_t length = first < last ? (uint64_t)last - (uint64_t)first : 0;
    filch_loop_options o = {.runtime = rt};
    memset(&w, 0, sizeof w);
    w = (struct walk){.first = first, .last = last, .grain = grain, .checks = length <= MARKS};
    CHECK(filch_scan_with(&o, first, last, grain, &stretches, &total, &w) == 0);
    if (length == 0)
        CHECK(!total.any && total.first == 0);
    else
        CHECK(total.any && total.first == first && total.last == last);
    for (uint64_t i = 0; w.checks && i < length; i++)
        CHECK(w.written[i] == 1 && w.summed[i] <= 1);
}

static int walk_all(void *rt)
{
    static const int64_t lengths[] = {0,   1,   2,   3,    15,   16,   17,   63,
                                      256, 257, 500, 1023, 1024, 1025, 4097, MARKS};
    static const int64_t grains[] = {0, 1, 2, 7, 64, 1000, INT64_MAX};
    for (size_t l = 0; l < COUNT(lengths); l++)
        for (size_t g = 0; g < COUNT(grains); g++)
            if (grains[g] == 0 || lengths[l] / grains[g] < sized(5000, 100000, 100000))
                walk(rt, -50, lengths[l] - 50, grains[g]);
    return 0;
}

static void every_index_once_in_order(void)
{
    in_task_of_each(walk_all);
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        walk_all(rt);
        runtime_close(rt);
    }
}

static void ends_of_the_number_line(void)
{
    walk(NULL, INT64_MIN, INT64_MAX, 0);
    walk(NULL, INT64_MIN, INT64_MAX, INT64_MAX);
    walk(NULL, INT64_MAX - 5, INT64_MAX, 2);
    walk(NULL, INT64_MIN, INT64_MIN + 5, 0);
    walk(NULL, INT64_MAX, INT64_MIN, 1);
    walk(NULL, 10, -10, 0);
}

/* ---- sums ---- */

enum { NUMBERS = 50000 };

struct sums {
    filch_loop_options o;
    int64_t n, grain;
    bool exclusive;
    double total;
    double a[NUMBERS];
};

static double number[NUMBERS];

static int prefix(int64_t first, int64_t last, void *carry, bool final, void *ctx)
{
    struct sums *s = ctx;
    double sum = *(double *)carry;
    for (int64_t i = first; i < last; i++) {
        double before = sum;
        sum += s->a[i];
        if (final)
            s->a[i] = s->exclusive ? before : sum;
    }
    *(double *)carry = sum;
    return 0;
}

static void plus(void *left, const void *right, void *ctx)
{
    (void)ctx;
    *(double *)left += *(const double *)right;
}

static const filch_scanner sums = {.size = sizeof(double), .body = prefix, .combine = plus};

static int sum_up(void *arg)
{
    struct sums *s = arg;
    memcpy(s->a, number, sizeof number);
    return filch_scan_with(&s->o, 0, s->n, s->grain, &sums, &s->total, s);
}

static void *sum_up_on_thread(void *arg)
{
    CHECK(sum_up(arg) == 0);
    return NULL;
}

/* Whole numbers: exact in any order. */
static void in_place_inclusive_and_exclusive(void)
{
    static struct sums s;
    for (int i = 0; i < NUMBERS; i++)
        number[i] = i % 1000 - 300;
    for (int n = 0; n <= NUMBERS; n = n * 2 + 1)
        for (int exclusive = 0; exclusive < 2; exclusive++) {
            s.n = n;
            s.grain = n % 3;
            s.exclusive = exclusive;
            CHECK(sum_up(&s) == 0);
            double sum = 0;
            for (int i = 0; i < n; i++) {
                double before = sum;
                sum += number[i];
                CHECK(s.a[i] == (exclusive ? before : sum));
            }
            CHECK(s.total == sum);
            CHECK(n == NUMBERS || s.a[n] == number[n]);
        }
    CHECK(filch_scan(0, 100, 0, &sums, NULL, &s) == 0);
}

static struct sums expected, got[4];

static void check_same(const struct sums *s)
{
    CHECK(memcmp(&s->total, &expected.total, sizeof s->total) == 0);
    CHECK(memcmp(s->a, expected.a, sizeof s->a) == 0);
}

static void sum_everywhere(filch_runtime *rt, int cap, int64_t n, int64_t grain)
{
    for (int i = 0; i < 4; i++) {
        got[i].o = (filch_loop_options){.runtime = rt, .participants = cap};
        got[i].n = n;
        got[i].grain = grain;
    }
    CHECK(filch_run(rt, sum_up, &got[0]) == 0);
    CHECK(sum_up(&got[1]) == 0);
    pthread_t a = thread_start(sum_up_on_thread, &got[2]);
    pthread_t b = thread_start(sum_up_on_thread, &got[3]);
    thread_join(a);
    thread_join(b);
    for (int i = 0; i < 4; i++)
        check_same(&got[i]);
}

static void the_same_bits_everywhere(void)
{
    static const int workers[] = {1, 2, 4, 8}, caps[] = {0, 1, 3};
    static const int64_t lengths[] = {100, 777, NUMBERS}, grains[] = {0, 1, 300};
    uint64_t state = test_seed();
    for (int i = 0; i < NUMBERS; i++)
        number[i] = ((double)test_random(&state, 1u << 30) - (1 << 29)) *
                    (test_random(&state, 2) ? 1e-3 : 1e13);
    filch_runtime *rt[COUNT(workers)];
    for (size_t w = 0; w < COUNT(workers); w++)
        REQUIRE(filch_runtime_create(&rt[w], &(filch_options){.workers = workers[w]}) == 0);
    for (size_t l = 0; l < COUNT(lengths); l++)
        for (size_t g = 0; g < COUNT(grains); g++) {
            expected.o = (filch_loop_options){.runtime = rt[0], .participants = 1};
            expected.n = lengths[l];
            expected.grain = grains[g];
            CHECK(sum_up(&expected) == 0);
            for (size_t w = 0; w < COUNT(workers); w++)
                for (size_t c = 0; c < COUNT(caps); c++)
                    sum_everywhere(rt[w], caps[c], lengths[l], grains[g]);
        }
    for (size_t w = 0; w < COUNT(workers); w++)
        CHECK(filch_runtime_destroy(rt[w]) == 0);
}

/* ---- blocks that come late: all that follows waits for nobody ---- */

struct late {
    uint32_t summed, others;
    bool yields;
};

static int late_start(int64_t first, int64_t last, void *carry, bool final, void *ctx)
{
    struct late *l = ctx;
    if (l->yields)
        CHECK(filch_yield() == 0);
    if (first == 0 && !final)
        SPIN_UNTIL(filch__load_acquire(&l->summed) >= l->others);
    else if (!final)
        tally(&l->summed);
    *(int64_t *)carry += last - first;
    CHECK(!final || *(int64_t *)carry == last);
    return 0;
}

static void add_lengths(void *left, const void *right, void *ctx)
{
    (void)ctx;
    *(int64_t *)left += *(const int64_t *)right;
}

/* The first block is summed when many others have been. */
static void the_first_block_comes_late(void)
{
    static const filch_scanner s = {.size = 8, .body = late_start, .combine = add_lengths};
    filch_runtime *rt = runtime_open(2);
    filch_loop_options o = {.runtime = rt};
    for (int yields = 0; yields < 2; yields++) {
        int64_t total;
        struct late l = {.others = 40, .yields = yields};
        CHECK(filch_scan_with(&o, 0, 100, 1, &s, &total, &l) == 0);
        CHECK(total == 100);
    }
    runtime_close(rt);
}

/* ---- failures ---- */

struct trouble {
    int64_t where;
    bool final;
    filch_handle *self;
    uint32_t calls, ready;
};

static bool is_there(const struct trouble *t, int64_t first, int64_t last, bool final)
{
    return first <= t->where && t->where < last && final == t->final;
}

static int fail_there(int64_t first, int64_t last, void *carry, bool final, void *ctx)
{
    struct trouble *t = ctx;
    (void)carry;
    tally(&t->calls);
    return is_there(t, first, last, final) ? -EDOM : 0;
}

static void no_matter(void *left, const void *right, void *ctx)
{
    (void)left, (void)right, (void)ctx;
}

static int fail_everywhere(void *rt)
{
    static const filch_scanner s = {.size = 4, .body = fail_there, .combine = no_matter};
    (void)rt;
    for (int64_t where = 0; where < 2900; where = where * 2 + 1)
        for (int final = 0; final < 2; final++)
            for (int64_t grain = 0; grain < 3; grain++) {
                int total = 1234;
                struct trouble t = {.where = where, .final = final};
                CHECK(filch_scan(0, 3000, grain, &s, &total, &t) == -EDOM);
                CHECK(total == 1234 && t.calls <= 6000);
            }
    return 0;
}

static void bodies_that_fail(void)
{
    in_task_of_each(fail_everywhere);
    fail_everywhere(NULL);
}

static int cancel_there(int64_t first, int64_t last, void *carry, bool final, void *ctx)
{
    struct trouble *t = ctx;
    (void)carry;
    tally(&t->calls);
    if (is_there(t, first, last, final)) {
        SPIN_UNTIL(flag_up(&t->ready));
        CHECK(filch_abort(t->self) == 0);
    }
    return 0;
}

static int scan_until_cancelled(void *arg)
{
    static const filch_scanner s = {.size = 4, .body = cancel_there, .combine = no_matter};
    int total = 1234;
    int rc = filch_scan(0, 100000, 1, &s, &total, arg);
    CHECK(total == 1234);
    return rc;
}

static void cancelled_in_the_middle(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++)
        for (int final = 0; final < 2; final++) {
            filch_runtime *rt = runtime_open(worker_counts[w]);
            struct trouble t = {.where = 5000, .final = final};
            spawn_on(rt, &t.self, scan_until_cancelled, &t);
            raise_flag(&t.ready);
            CHECK(join(t.self) == -ECANCELED);
            CHECK(t.calls < 200000);
            runtime_close(rt);
        }
}

static void scan_in_vain(void)
{
    static struct sums s;
    s.total = 5;
    int rc = filch_scan(0, NUMBERS, 0, &sums, &s.total, &s);
    CHECK((rc == -ECANCELED || rc == -ESHUTDOWN) && s.total == 5);
}

static void cancelled_before(void)
{
    in_cancelled_task_of_each(scan_in_vain);
    while_runtimes_close(scan_in_vain);
}

static void wrong_arguments(void)
{
    static struct sums s;
    filch_scanner x = sums;
    s.total = 5;
    CHECK(filch_scan(0, 10, 0, NULL, &s.total, &s) == -EINVAL);
    CHECK(filch_scan(0, 10, -1, &x, &s.total, &s) == -EINVAL);
    CHECK(filch_scan_with(&(filch_loop_options){.participants = -1}, 0, 10, 0, &x, &s.total, &s) ==
          -EINVAL);
    x.size = 0;
    CHECK(filch_scan(0, 10, 0, &x, &s.total, &s) == -EINVAL);
    x.size = SIZE_MAX / 2;
    CHECK(filch_scan(0, 10, 0, &x, &s.total, &s) == -ENOMEM);
    x = sums;
    x.body = NULL;
    CHECK(filch_scan(0, 10, 0, &x, &s.total, &s) == -EINVAL);
    x = sums;
    x.combine = NULL;
    CHECK(filch_scan(0, 10, 0, &x, &s.total, &s) == -EINVAL);
    CHECK(s.total == 5);
}

#ifdef FILCH_FAULTS
static int scan_without_memory(void *arg)
{
    static struct sums s;
    (void)arg;
    s.total = 5;
    filch__fault_arm(FILCH__FAULT_ALLOC, 0, false);
    int rc = filch_scan(0, NUMBERS, 0, &sums, &s.total, &s);
    filch__fault_arm(FILCH__FAULT_ALLOC, -1, false);
    CHECK(rc == -ENOMEM && s.total == 5);
    CHECK(filch_scan(0, NUMBERS, 0, &sums, &s.total, &s) == 0);
    return 0;
}

static void no_memory(void)
{
    in_task_of_each(scan_without_memory);
    scan_without_memory(NULL);
}
#endif

int main(void)
{
    RUN(every_index_once_in_order);
    RUN(ends_of_the_number_line);
    RUN(in_place_inclusive_and_exclusive);
    RUN(the_same_bits_everywhere);
    RUN(the_first_block_comes_late);
    RUN(bodies_that_fail);
    RUN(cancelled_in_the_middle);
    RUN(cancelled_before);
    RUN(wrong_arguments);
#ifdef FILCH_FAULTS
    RUN(no_memory);
#endif
    return summary();
}
