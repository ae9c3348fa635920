/* SPDX-License-Identifier: Apache-2.0 */
/* Reductions: every index once and in order, the same bits whoever takes part, failures, cancels. */
#define _GNU_SOURCE 1
#include "sched/os/fault.h"
#include "tests/adapter_check.h"

/* ---- every index once, in order ---- */

/* The value is a range: operations on it do not commute, and tell where something is missing. */
struct stretch {
    int64_t first, last, grain;
    uint32_t chunks;
    char rest[20]; /* a size that is no power of two */
};

static void nothing(void *value, void *ctx)
{
    CHECK((uintptr_t)value % _Alignof(struct stretch) == 0);
    memset(value, 0xff, sizeof(struct stretch));
    ((struct stretch *)value)->chunks = 0;
    (void)ctx;
}

static int append(int64_t first, int64_t last, void *value, void *ctx)
{
    struct stretch *s = value;
    const struct stretch *whole = ctx;
    uint64_t length = (uint64_t)last - (uint64_t)first;
    CHECK(first < last && first >= whole->first && last <= whole->last);
    if (whole->grain > 0)
        CHECK(length == (uint64_t)whole->grain ||
              (last == whole->last && length < (uint64_t)whole->grain));
    if (s->chunks++ == 0)
        s->first = first;
    else
        CHECK(s->last == first);
    s->last = last;
    return 7;
}

static void join_stretches(void *left, const void *right, void *ctx)
{
    struct stretch *l = left;
    const struct stretch *r = right;
    (void)ctx;
    CHECK(l->chunks > 0 && r->chunks > 0 && l->last == r->first);
    l->last = r->last;
    l->chunks += r->chunks;
}

static const filch_reducer stretches = {sizeof(struct stretch), nothing, append, join_stretches};

static void cover(filch_runtime *rt, int64_t first, int64_t last, int64_t grain)
{
    struct stretch whole = {.first = first, .last = last, .grain = grain}, result = {.chunks = 99};
    filch_loop_options o = {.runtime = rt};
    CHECK(filch_reduce_with(&o, first, last, grain, &stretches, &result, &whole) == 0);
    uint64_t length = (uint64_t)last - (uint64_t)first;
    if (first >= last)
        CHECK(result.chunks == 0 && result.first == -1);
    else
        CHECK(result.first == first && result.last == last && result.chunks <= length);
    if (first < last && grain > 0)
        CHECK(result.chunks == (length - 1) / (uint64_t)grain + 1);
}

static int cover_all(void *rt)
{
    static const int64_t lengths[] = {0,   1,   2,   3,    5,    63,   64,   65,    255,
                                      256, 257, 500, 1023, 1024, 1025, 4097, 70000, 262145};
    static const int64_t grains[] = {0, 1, 2, 7, 64, 1000, INT64_MAX};
    for (size_t l = 0; l < COUNT(lengths); l++)
        for (size_t g = 0; g < COUNT(grains); g++)
            if (grains[g] == 0 || lengths[l] / grains[g] < sized(5000, 100000, 300000))
                cover(rt, -50, lengths[l] - 50, grains[g]);
    return 0;
}

static void every_index_once_in_order(void)
{
    in_task_of_each(cover_all);
}

static void every_index_once_from_a_thread(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        cover_all(rt);
        runtime_close(rt);
    }
    cover_all(NULL);
}

static void ends_of_the_number_line(void)
{
    cover(NULL, INT64_MIN, INT64_MAX, 0);
    cover(NULL, INT64_MIN, INT64_MAX, INT64_MAX);
    cover(NULL, INT64_MIN, INT64_MAX, INT64_C(1) << 50);
    cover(NULL, INT64_MAX - 5, INT64_MAX, 2);
    cover(NULL, INT64_MIN, INT64_MIN + 5, 0);
    cover(NULL, INT64_MIN, INT64_MIN + 5, INT64_MAX);
    cover(NULL, INT64_MAX, INT64_MIN, 1);
    cover(NULL, 10, -10, 0);
    cover(NULL, 3, 3, 0);
}

/* ---- the same bits ---- */

enum { NUMBERS = 50000 };
static double number[NUMBERS];

static int add(int64_t first, int64_t last, void *sum, void *x)
{
    double s = 0;
    for (int64_t i = first; i < last; i++)
        s += ((double *)x)[i];
    *(double *)sum += s;
    return 0;
}

static void plus(void *left, const void *right, void *x)
{
    (void)x;
    *(double *)left += *(const double *)right;
}

static const filch_reducer sum = {.size = sizeof(double), .body = add, .combine = plus};

struct summing {
    filch_loop_options o;
    int64_t n, grain;
    double result;
};

static int sum_up(void *arg)
{
    struct summing *s = arg;
    return filch_reduce_with(&s->o, 0, s->n, s->grain, &sum, &s->result, number);
}

static void *sum_up_on_thread(void *arg)
{
    CHECK(sum_up(arg) == 0);
    return NULL;
}

/* In a task, on this thread, and on two threads at once: four results. */
static void sum_everywhere(filch_runtime *rt, int cap, int64_t n, int64_t grain, double expected)
{
    struct summing s[4];
    for (int i = 0; i < 4; i++)
        s[i] = (struct summing){{.runtime = rt, .participants = cap}, n, grain, -1};
    CHECK(filch_run(rt, sum_up, &s[0]) == 0);
    CHECK(sum_up(&s[1]) == 0);
    pthread_t a = thread_start(sum_up_on_thread, &s[2]), b = thread_start(sum_up_on_thread, &s[3]);
    thread_join(a);
    thread_join(b);
    for (int i = 0; i < 4; i++)
        CHECK(memcmp(&s[i].result, &expected, sizeof expected) == 0);
}

static void the_same_bits_everywhere(void)
{
    static const int workers[] = {1, 2, 4, 8}, caps[] = {0, 1, 2, 3, 100};
    static const int64_t lengths[] = {1, 100, 777, 4000, NUMBERS},
                         grains[] = {0, 1, 10, 300, NUMBERS};
    uint64_t state = test_seed();
    for (int i = 0; i < NUMBERS; i++)
        number[i] = ((double)test_random(&state, 1u << 30) - (1 << 29)) *
                    (test_random(&state, 2) ? 1e-3 : 1e13);
    double expected[COUNT(lengths)][COUNT(grains)], plain = 0;
    bool differs = false;
    for (size_t w = 0; w < COUNT(workers); w++) {
        filch_runtime *rt = runtime_open(workers[w]);
        for (size_t l = 0; l < COUNT(lengths); l++)
            for (size_t g = 0; g < COUNT(grains); g++) {
                struct summing first = {
                    {.runtime = rt, .participants = 1}, lengths[l], grains[g], -1};
                CHECK(sum_up(&first) == 0);
                if (w == 0)
                    expected[l][g] = first.result;
                for (size_t c = 0; c < COUNT(caps); c++)
                    sum_everywhere(rt, caps[c], lengths[l], grains[g], expected[l][g]);
            }
        runtime_close(rt);
    }
    for (int i = 0; i < NUMBERS; i++)
        plain += number[i];
    for (size_t g = 0; g < COUNT(grains); g++)
        differs |= expected[COUNT(lengths) - 1][g] != plain;
    CHECK(differs); /* else any order would have passed */
}

/* ---- values of all sizes ---- */

struct sized_sum {
    size_t size;
    uint32_t misaligned;
};

static int count_bytes(int64_t first, int64_t last, void *value, void *ctx)
{
    struct sized_sum *s = ctx;
    size_t align = s->size & -s->size;
    if ((uintptr_t)value % (align < 64 ? align : 64) != 0)
        tally(&s->misaligned);
    for (size_t i = 0; i < s->size; i++)
        ((unsigned char *)value)[i] += (unsigned char)(last - first);
    return 0;
}

static void add_bytes(void *left, const void *right, void *ctx)
{
    for (size_t i = 0; i < ((struct sized_sum *)ctx)->size; i++)
        ((unsigned char *)left)[i] += ((const unsigned char *)right)[i];
}

static int all_value_sizes(void *rt)
{
    static const size_t sizes[] = {1, 2, 3, 8, 12, 63, 64, 65, 128, 1000, 4096, 4097, 10000};
    static unsigned char buffer[10001];
    (void)rt;
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (int64_t n = 1; n < 2000; n = n * 3 + 1) {
            struct sized_sum s = {.size = sizes[i]};
            filch_reducer r = {.size = s.size, .body = count_bytes, .combine = add_bytes};
            memset(buffer, 0xa5, sizeof buffer);
            CHECK(filch_reduce(0, n, 1, &r, buffer, &s) == 0);
            for (size_t b = 0; b < s.size; b++)
                CHECK(buffer[b] == (unsigned char)n);
            CHECK(buffer[s.size] == 0xa5 && s.misaligned == 0);
        }
    return 0;
}

static void values_of_all_sizes(void)
{
    in_task_of_each(all_value_sizes);
}

/* ---- bodies that wait, and reductions in bodies ---- */

static int add_rows(int64_t first, int64_t last, void *value, void *x)
{
    for (int64_t i = first; i < last; i++) {
        double row;
        CHECK(filch_yield() == 0);
        CHECK(filch_reduce(i * 100, (i + 1) * 100, 7, &sum, &row, x) == 0);
        *(double *)value += row;
    }
    return 0;
}

static int sum_rows(void *arg)
{
    static const filch_reducer rows = {.size = sizeof(double), .body = add_rows, .combine = plus};
    double result;
    (void)arg;
    for (int i = 0; i < NUMBERS; i++)
        number[i] = i;
    CHECK(filch_reduce(0, NUMBERS / 100, 3, &rows, &result, number) == 0);
    CHECK(result == (double)NUMBERS * (NUMBERS - 1) / 2);
    return 0;
}

static void bodies_that_wait_and_reduce(void)
{
    in_task_of_each(sum_rows);
}

/* ---- failures ---- */

struct trouble {
    int64_t where;
    filch_handle *self;
    uint32_t calls, begun;
    uint32_t ready;
};

static int fail_there(int64_t first, int64_t last, void *value, void *ctx)
{
    struct trouble *t = ctx;
    (void)value;
    tally(&t->calls);
    return first <= t->where && t->where < last ? -EDOM : 0;
}

static void no_matter(void *left, const void *right, void *ctx)
{
    (void)left, (void)right, (void)ctx;
}

static const filch_reducer failing = {.size = 4, .body = fail_there, .combine = no_matter};

static int fail_everywhere(void *rt)
{
    (void)rt;
    for (int64_t where = 0; where < 3000; where = where * 2 + 1)
        for (int64_t grain = 0; grain < 3; grain++) {
            int result = 1234;
            struct trouble t = {.where = where};
            CHECK(filch_reduce(0, 3000, grain, &failing, &result, &t) == -EDOM);
            CHECK(result == 1234 && t.calls <= 3000);
        }
    return 0;
}

static void bodies_that_fail(void)
{
    in_task_of_each(fail_everywhere);
    fail_everywhere(NULL);
    /* Alone, what comes after the failure is not begun, also within a block. */
    int result = 1234;
    struct trouble t = {.where = 50001};
    filch_loop_options o = {.participants = 1};
    CHECK(filch_reduce_with(&o, 0, 100000, 1, &failing, &result, &t) == -EDOM);
    CHECK(result == 1234 && t.calls == 50002);
}

static int cancel_there(int64_t first, int64_t last, void *value, void *ctx)
{
    struct trouble *t = ctx;
    (void)value;
    tally(&t->calls);
    if (first <= t->where && t->where < last) {
        SPIN_UNTIL(flag_up(&t->ready));
        CHECK(filch_abort(t->self) == 0);
    }
    return 0;
}

static int reduce_until_cancelled(void *arg)
{
    static const filch_reducer r = {.size = 4, .body = cancel_there, .combine = no_matter};
    int result = 1234;
    int rc = filch_reduce(0, 100000, 1, &r, &result, arg);
    CHECK(result == 1234);
    return rc;
}

static void cancelled_in_the_middle(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct trouble t = {.where = 5000};
        spawn_on(rt, &t.self, reduce_until_cancelled, &t);
        raise_flag(&t.ready);
        CHECK(join(t.self) == -ECANCELED);
        CHECK(t.calls > 5000 || worker_counts[w] > 1);
        CHECK(t.calls < 100000 && (worker_counts[w] > 1 || t.calls == 5001));
        runtime_close(rt);
    }
}

static void reduce_in_vain(void)
{
    double result = 5;
    int rc = filch_reduce(0, NUMBERS, 0, &sum, &result, number);
    CHECK((rc == -ECANCELED || rc == -ESHUTDOWN) && result == 5);
}

static void cancelled_before(void)
{
    in_cancelled_task_of_each(reduce_in_vain);
    while_runtimes_close(reduce_in_vain);
}

static void wrong_arguments(void)
{
    double result = 5;
    filch_reducer r = sum;
    CHECK(filch_reduce(0, 10, 0, NULL, &result, number) == -EINVAL);
    CHECK(filch_reduce(0, 10, 0, &r, NULL, number) == -EINVAL);
    CHECK(filch_reduce(0, 10, -1, &r, &result, number) == -EINVAL);
    CHECK(filch_reduce_with(&(filch_loop_options){.participants = -1}, 0, 10, 0, &r, &result,
                            number) == -EINVAL);
    r.size = 0;
    CHECK(filch_reduce(0, 10, 0, &r, &result, number) == -EINVAL);
    r.size = SIZE_MAX / 2;
    CHECK(filch_reduce(0, 10, 0, &r, &result, number) == -ENOMEM);
    r = sum;
    r.body = NULL;
    CHECK(filch_reduce(0, 10, 0, &r, &result, number) == -EINVAL);
    r = sum;
    r.combine = NULL;
    CHECK(filch_reduce(0, 10, 0, &r, &result, number) == -EINVAL);
    CHECK(result == 5);
}

#ifdef FILCH_FAULTS
static int sum_without_memory(void *arg)
{
    (void)arg;
    double result = 5;
    filch__fault_arm(FILCH__FAULT_ALLOC, 0, false);
    int rc = filch_reduce(0, NUMBERS, 0, &sum, &result, number);
    filch__fault_arm(FILCH__FAULT_ALLOC, -1, false);
    CHECK(rc == -ENOMEM && result == 5);
    CHECK(filch_reduce(0, NUMBERS, 0, &sum, &result, number) == 0);
    return 0;
}

static void no_memory(void)
{
    in_task_of_each(sum_without_memory);
    sum_without_memory(NULL);
}
#endif

int main(void)
{
    RUN(every_index_once_in_order);
    RUN(every_index_once_from_a_thread);
    RUN(ends_of_the_number_line);
    RUN(the_same_bits_everywhere);
    RUN(values_of_all_sizes);
    RUN(bodies_that_wait_and_reduce);
    RUN(bodies_that_fail);
    RUN(cancelled_in_the_middle);
    RUN(cancelled_before);
    RUN(wrong_arguments);
#ifdef FILCH_FAULTS
    RUN(no_memory);
#endif
    return summary();
}
