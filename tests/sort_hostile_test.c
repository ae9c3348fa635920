/* SPDX-License-Identifier: Apache-2.0 */
/* Sorts by comparisons that contradict each other or make up the worst order; cancels; no memory. */
#define _GNU_SOURCE 1
#include "sched/os/fault.h"
#include "tests/adapter_check.h"

#include <math.h>

/* ---- comparisons that are hostile ---- */

struct hostile {
    uint64_t state;
    uint64_t comparisons;
    uint64_t solid; /* of the killer: values given */
    uint64_t gas, candidate;
    pthread_mutex_t lock;
    uint64_t *value;
};

static int at_random(const void *a, const void *b, void *ctx)
{
    uint64_t z = filch__add_acq_rel(&((struct hostile *)ctx)->state, UINT64_C(0x9e3779b97f4a7c15));
    (void)a, (void)b;
    return (int)((z ^ z >> 29) % 3) - 1;
}

static int always_before(const void *a, const void *b, void *ctx)
{
    (void)a, (void)b, (void)ctx;
    return -1;
}

static int always_after(const void *a, const void *b, void *ctx)
{
    (void)a, (void)b, (void)ctx;
    return 1;
}

/* Makes up the order while it is asked, so that pivots are as bad as they can be. */
static int killer(const void *a, const void *b, void *ctx)
{
    struct hostile *h = ctx;
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    pthread_mutex_lock(&h->lock);
    h->comparisons++;
    if (h->value[x] == h->gas && h->value[y] == h->gas)
        h->value[x == h->candidate ? x : y] = h->solid++;
    if (h->value[x] == h->gas)
        h->candidate = x;
    else if (h->value[y] == h->gas)
        h->candidate = y;
    uint64_t left = h->value[x], right = h->value[y];
    pthread_mutex_unlock(&h->lock);
    return (left > right) - (left < right);
}

static bool is_permutation(const uint64_t *a, size_t n)
{
    bool *seen = calloc(n, 1), good = true;
    REQUIRE(seen);
    for (size_t i = 0; i < n; i++) {
        good = good && a[i] < n && !seen[a[i]];
        seen[a[i] < n ? a[i] : 0] = true;
    }
    free(seen);
    return good;
}

/* Elements of 24 bytes, and of 40: in place, and by pointers. */
static void contradict(filch_runtime *rt, filch_compare_fn *compare, size_t n, size_t words)
{
    struct hostile h = {.state = test_seed()};
    filch_loop_options o = {.runtime = rt};
    uint64_t *a = malloc(n * words * sizeof *a);
    REQUIRE(a);
    for (size_t i = 0; i < n * words; i++)
        a[i] = i / words;
    CHECK(filch_sort_with(&o, a, n, words * sizeof *a, compare, &h) == 0);
    for (size_t i = 0; i < n; i++) {
        for (size_t w = 1; w < words; w++)
            CHECK(a[i * words + w] == a[i * words]);
        a[i] = a[i * words];
    }
    CHECK(is_permutation(a, n));
    free(a);
}

static void comparisons_that_contradict_each_other(void)
{
    static const size_t lengths[] = {2, 3, 10, 30, 500, 20000, 100000};
    filch_compare_fn *compare[] = {at_random, always_before, always_after};
    for (size_t w = 0; w < 2; w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        for (size_t l = 0; l < COUNT(lengths) - (size_t)sized(1, 0, 0); l++)
            for (size_t c = 0; c < COUNT(compare); c++) {
                contradict(rt, compare[c], lengths[l], 1);
                contradict(rt, compare[c], lengths[l], 3);
                contradict(rt, compare[c], lengths[l], 5);
            }
        runtime_close(rt);
    }
}

/* Some partitions are allowed to be bad, then it must be O(n log n). */
static void killed(filch_runtime *rt, size_t n)
{
    struct hostile h = {.gas = n, .lock = PTHREAD_MUTEX_INITIALIZER};
    filch_loop_options o = {.runtime = rt};
    uint64_t *a = malloc(n * sizeof *a);
    h.value = malloc(n * sizeof *h.value);
    REQUIRE(a && h.value);
    for (size_t i = 0; i < n; i++) {
        a[i] = i;
        h.value[i] = n;
    }
    /* In no order, so that it does not end at the first look. */
    h.value[0] = 1;
    h.value[1] = 2;
    h.value[2] = 0;
    h.solid = 3;
    CHECK(filch_sort_with(&o, a, n, sizeof *a, killer, &h) == 0);
    CHECK(is_permutation(a, n));
    for (size_t i = 1; i < n; i++)
        CHECK(h.value[a[i - 1]] <= h.value[a[i]]);
    CHECK((double)h.comparisons < 6 * (double)n * log2((double)n));
    free(a);
    free(h.value);
}

static void orders_that_kill_quicksorts(void)
{
    for (size_t w = 0; w < 2; w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        killed(rt, 1000);
        killed(rt, 15000);
        killed(rt, (size_t)sized(50000, 300000, 1000000));
        runtime_close(rt);
    }
}

/* ---- failures ---- */

struct cancelling {
    filch_handle *self;
    uint64_t *a;
    size_t n, size;
    int64_t left; /* comparisons until the cancel */
    uint32_t ready;
};

static int cancel_at(const void *a, const void *b, void *ctx)
{
    struct cancelling *c = ctx;
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    if (filch__add_acq_rel(&c->left, (int64_t)-1) == 0) {
        SPIN_UNTIL(flag_up(&c->ready));
        CHECK(filch_abort(c->self) == 0);
    }
    x = x * UINT64_C(0x9e3779b97f4a7c15);
    y = y * UINT64_C(0x9e3779b97f4a7c15);
    return (x > y) - (x < y);
}

static int sort_until_cancelled(void *arg)
{
    struct cancelling *c = arg;
    return filch_sort(c->a, c->n, c->size, cancel_at, c);
}

static void cancel_after(int workers, size_t words, int64_t comparisons)
{
    enum { N = 100000 };
    filch_runtime *rt = runtime_open(workers);
    struct cancelling c = {.n = N, .size = words * sizeof(uint64_t), .left = comparisons};
    c.a = malloc(N * c.size);
    REQUIRE(c.a);
    for (size_t i = 0; i < N * words; i++)
        c.a[i] = i / words;
    spawn_on(rt, &c.self, sort_until_cancelled, &c);
    raise_flag(&c.ready);
    int rc = join(c.self);
    CHECK(rc == -ECANCELED || (rc == 0 && comparisons > N));
    for (size_t i = 0; i < N; i++) {
        for (size_t w = 1; w < words; w++)
            CHECK(c.a[i * words + w] == c.a[i * words]);
        c.a[i] = c.a[i * words];
    }
    CHECK(is_permutation(c.a, N));
    free(c.a);
    runtime_close(rt);
}

static void cancelled_in_the_middle(void)
{
    static const int64_t when[] = {0, 10, 5000, 60000, 200000, 500000, 1000000, 1500000};
    for (size_t w = 0; w < COUNT(worker_counts); w++)
        for (size_t i = 0; i < COUNT(when); i++) {
            cancel_after(worker_counts[w], 1, when[i]);
            cancel_after(worker_counts[w], 5, when[i]);
        }
}

/* From outside, at a moment that nobody knows. */
static void cancelled_at_any_time(void)
{
    enum { N = 20000, WORDS = 5 };
    uint64_t state = test_seed();
    static uint64_t a[N * WORDS];
    filch_runtime *rt = runtime_open(2);
    for (long round = 0; round < sized(100, 300, 3000); round++) {
        struct cancelling c = {.a = a, .n = N, .size = WORDS * sizeof *a, .left = INT64_MAX};
        for (size_t i = 0; i < N * WORDS; i++)
            a[i] = i / WORDS;
        spawn_on(rt, &c.self, sort_until_cancelled, &c);
        int64_t end = filch_now() + test_random(&state, 3000000);
        SPIN_UNTIL(filch_now() > end || filch_finished(c.self));
        CHECK(filch_abort(c.self) == 0);
        int rc = join(c.self);
        CHECK(rc == 0 || rc == -ECANCELED);
        for (size_t i = 0; i < N; i++)
            a[i] = a[i * WORDS + i % WORDS];
        CHECK(is_permutation(a, N));
    }
    runtime_close(rt);
}

static void sort_in_vain(void)
{
    int64_t a[] = {3, 2, 1}, b[] = {3, 2, 1};
    CHECK(filch_sort_int64(NULL, a, 3) == -ECANCELED);
    CHECK(memcmp(a, b, sizeof a) == 0);
}

static void cancelled_before(void)
{
    in_cancelled_task_of_each(sort_in_vain);
    while_runtimes_close(sort_in_vain);
}

static int by_char(const void *a, const void *b, void *ctx)
{
    (void)ctx;
    return *(const char *)a - *(const char *)b;
}

static void wrong_arguments(void)
{
    char a[] = "cba";
    filch_loop_options o = {.participants = -1};
    CHECK(filch_sort(a, 3, 1, NULL, NULL) == -EINVAL);
    CHECK(filch_sort(a, 3, 0, by_char, NULL) == -EINVAL);
    CHECK(filch_sort(NULL, 3, 1, by_char, NULL) == -EINVAL);
    CHECK(filch_sort(a, SIZE_MAX / 2, 8, by_char, NULL) == -EINVAL);
    CHECK(filch_sort_with(&o, a, 3, 1, by_char, NULL) == -EINVAL);
    CHECK(filch_sort_int32(&o, (int32_t[2]){0}, 2) == -EINVAL);
    CHECK(filch_sort(NULL, 0, 1, by_char, NULL) == 0);
    CHECK(strcmp(a, "cba") == 0);
    CHECK(filch_sort(a, (size_t)PTRDIFF_MAX / 2, 1, by_char, NULL) == -ENOMEM);
    CHECK(strcmp(a, "cba") == 0);
    CHECK(filch_sort(a, 3, 1, by_char, NULL) == 0);
    CHECK(strcmp(a, "abc") == 0);
}

#ifdef FILCH_FAULTS
static int sort_without_memory(void *arg)
{
    char a[] = "cba";
    (void)arg;
    filch__fault_arm(FILCH__FAULT_ALLOC, 0, false);
    CHECK(filch_sort(a, 3, 1, by_char, NULL) == -ENOMEM);
    filch__fault_arm(FILCH__FAULT_ALLOC, -1, false);
    CHECK(strcmp(a, "cba") == 0);
    CHECK(filch_sort(a, 3, 1, by_char, NULL) == 0);
    CHECK(strcmp(a, "abc") == 0);
    return 0;
}

static void no_memory(void)
{
    in_task_of_each(sort_without_memory);
    sort_without_memory(NULL);
}
#endif

int main(void)
{
    RUN(comparisons_that_contradict_each_other);
    RUN(orders_that_kill_quicksorts);
    RUN(cancelled_in_the_middle);
    RUN(cancelled_at_any_time);
    RUN(cancelled_before);
    RUN(wrong_arguments);
#ifdef FILCH_FAULTS
    RUN(no_memory);
#endif
    return summary();
}
