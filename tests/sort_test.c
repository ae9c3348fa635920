/* SPDX-License-Identifier: Apache-2.0 */
/* Sorts: all patterns, sizes and types, by comparisons too; on small stacks and inside of loops. */
#include "tests/support.h"

#include <math.h>

/* ---- patterns ---- */

enum pattern { RANDOM, UP, DOWN, SAME, PIPE, FEW, SWAPS, SAW, TAIL, PATTERNS };

static void fill(int64_t *a, size_t n, enum pattern p, uint64_t *state)
{
    for (size_t i = 0; i < n; i++) {
        int64_t x = (int64_t)i, random = (int64_t)test_random(state, UINT32_MAX);
        int64_t values[PATTERNS] = {
            [RANDOM] = (int64_t)((uint64_t)random * UINT64_C(0x9e3779b97f4a7c15)),
            [UP] = x,
            [DOWN] = -x,
            [SAME] = 7,
            [PIPE] = i < n / 2 ? x : (int64_t)n - x,
            [FEW] = random % 4,
            [SWAPS] = random % 100 == 0 ? random : x,
            [SAW] = x % 1000,
            [TAIL] = i + 10 < n ? x : random,
        };
        a[i] = values[p];
    }
}

static int by_int64(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Sizes around the places where methods change. */
static const size_t sizes[] = {0,   1,   2,    3,     4,     5,     19,    20,    21,     22,
                               100, 129, 1000, 16383, 16384, 16385, 16386, 40001, 100003, 300000};

struct sorting {
    filch_loop_options o;
    int64_t *a;
    size_t n;
};

static int sort_int64(void *arg)
{
    struct sorting *s = arg;
    return filch_sort_int64(&s->o, s->a, s->n);
}

static void check_int64(struct sorting *s, enum pattern p, bool in_task, uint64_t *state)
{
    int64_t *expected = malloc((s->n + 1) * sizeof *expected);
    REQUIRE(expected);
    fill(s->a, s->n, p, state);
    s->a[s->n] = 99;
    memcpy(expected, s->a, (s->n + 1) * sizeof *expected);
    qsort(expected, s->n, sizeof *expected, by_int64);
    CHECK((in_task ? filch_run(s->o.runtime, sort_int64, s) : sort_int64(s)) == 0);
    CHECK(memcmp(expected, s->a, (s->n + 1) * sizeof *expected) == 0);
    free(expected);
}

static void all_patterns_of_all_sizes(void)
{
    uint64_t state = test_seed();
    size_t most = (size_t)sized(50000, 300000, 300000);
    struct sorting s = {.a = malloc((most + 1) * sizeof *s.a)};
    REQUIRE(s.a);
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        s.o.runtime = runtime_open(worker_counts[w]);
        for (size_t i = 0; i < COUNT(sizes) && sizes[i] <= most; i++)
            for (int p = 0; p < PATTERNS; p++) {
                s.n = sizes[i];
                s.o.participants = (int)(i + (size_t)p) % 4;
                check_int64(&s, (enum pattern)p, p % 2, &state);
            }
        runtime_close(s.o.runtime);
    }
    free(s.a);
}

/* ---- types ---- */

#define CHECK_TYPE(name, type, random)                            \
    static int sort_##name(void *arg)                             \
    {                                                             \
        enum { N = 50000 };                                       \
        uint64_t state = test_seed();                             \
        type *a = malloc(N * sizeof *a);                          \
        REQUIRE(a);                                               \
        for (int i = 0; i < N; i++)                               \
            a[i] = (type)(random);                                \
        a[100] = (type)0;                                         \
        a[200] = (type)-1;                                        \
        CHECK(filch_sort_##name(NULL, a, N) == 0);                \
        for (int i = 1; i < N; i++)                               \
            CHECK(a[i - 1] <= a[i]);                              \
        CHECK(filch_sort_##name(NULL, a, 0) == 0);                \
        CHECK(filch_sort_##name(NULL, NULL, 0) == 0);             \
        CHECK(filch_sort_##name(NULL, NULL, 1) == -EINVAL);       \
        CHECK(filch_sort_##name(NULL, NULL, 1 << 20) == -EINVAL); \
        free(a);                                                  \
        (void)arg;                                                \
        return 0;                                                 \
    }

#define RANDOM_BITS \
    ((uint64_t)test_random(&state, UINT32_MAX) << 32 | test_random(&state, UINT32_MAX))

CHECK_TYPE(int32, int32_t, RANDOM_BITS)
CHECK_TYPE(uint32, uint32_t, RANDOM_BITS)
CHECK_TYPE(uint64, uint64_t, RANDOM_BITS)
CHECK_TYPE(float, float, (int64_t)RANDOM_BITS)
CHECK_TYPE(double, double, (int64_t)RANDOM_BITS)

static void numbers_of_all_types(void)
{
    in_task_of_each(sort_int32);
    in_task_of_each(sort_uint32);
    in_task_of_each(sort_uint64);
    in_task_of_each(sort_float);
    in_task_of_each(sort_double);
}

static void the_total_order_of_floating_point(void)
{
    double d[] = {NAN, 1, -0.0, INFINITY, 0.0, -1, -INFINITY, -NAN, 5e-324, -5e-324, 0.0, -0.0};
    CHECK(filch_sort_double(NULL, d, COUNT(d)) == 0);
    double expected[] = {-NAN, -INFINITY, -1,     -5e-324, -0.0,     -0.0,
                         0.0,  0.0,       5e-324, 1,       INFINITY, NAN};
    for (size_t i = 0; i < COUNT(d); i++)
        CHECK(memcmp(&d[i], &expected[i], sizeof d[i]) == 0);
    float f[] = {NAN, 1, -0.0F, 0.0F, -1, -INFINITY, -NAN};
    float in_order[] = {-NAN, -INFINITY, -1, -0.0F, 0.0F, 1, NAN};
    CHECK(filch_sort_float(NULL, f, COUNT(f)) == 0);
    for (size_t i = 0; i < COUNT(f); i++)
        CHECK(memcmp(&f[i], &in_order[i], sizeof f[i]) == 0);
}

/* ---- types of one's own ---- */

struct point {
    double x, y;
    int name;
};

struct way {
    double from_x, from_y;
};

static double distance(const struct point *p, const struct way *w)
{
    double x = p->x - w->from_x, y = p->y - w->from_y;
    return x * x + y * y;
}

static inline bool nearer(const struct point *a, const struct point *b, void *way)
{
    return distance(a, way) < distance(b, way);
}

FILCH_SORT_DEFINE(sort_points, struct point, nearer)

static int sort_own_type(void *arg)
{
    enum { N = 40000 };
    static bool seen[N];
    struct way way = {3, 4};
    uint64_t state = test_seed();
    struct point *p = malloc(N * sizeof *p);
    REQUIRE(p);
    for (int i = 0; i < N; i++)
        p[i] = (struct point){test_random(&state, 1000), test_random(&state, 1000), i};
    CHECK(sort_points(NULL, p, N, &way) == 0);
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < N; i++) {
        CHECK(i == 0 || distance(&p[i - 1], &way) <= distance(&p[i], &way));
        CHECK(!seen[p[i].name]);
        seen[p[i].name] = true;
    }
    free(p);
    (void)arg;
    return 0;
}

static void a_type_of_ones_own(void)
{
    in_task_of_each(sort_own_type);
    sort_own_type(NULL);
}

/* ---- by a comparison, of elements of all sizes ---- */

struct order {
    size_t size;
    uint32_t misaligned;
};

/* By the first bytes; the last one is the sum of the others. */
static size_t key_size(size_t size)
{
    return size > 1 ? size - 1 : 1;
}

static int by_bytes(const void *a, const void *b, void *ctx)
{
    struct order *o = ctx;
    size_t align = o->size & -o->size;
    if (((uintptr_t)a | (uintptr_t)b) % (align < 16 ? align : 16) != 0)
        tally(&o->misaligned);
    return memcmp(a, b, key_size(o->size));
}

static void fill_bytes(unsigned char *a, size_t n, size_t size, uint64_t *state)
{
    for (size_t i = 0; i < n; i++, a += size) {
        a[size - 1] = 0;
        for (size_t b = 0; b + 1 < size; b++) {
            a[b] = (unsigned char)test_random(state, b < 2 ? 256 : 2);
            a[size - 1] += a[b];
        }
        if (size == 1)
            a[0] = (unsigned char)test_random(state, 256);
    }
}

static void check_bytes(const unsigned char *a, size_t n, size_t size)
{
    for (size_t i = 0; i < n; i++, a += size) {
        unsigned char sum = 0;
        for (size_t b = 0; b + 1 < size; b++)
            sum += a[b];
        CHECK(size == 1 || sum == a[size - 1]);
        CHECK(i == 0 || memcmp(a - size, a, key_size(size)) <= 0);
    }
}

static int sort_all_element_sizes(void *rt)
{
    enum { MOST = 40000 };
    static _Alignas(64) unsigned char a[MOST * 100 + 1];
    static const size_t lengths[] = {1, 2, 30, 1000, 20000, MOST};
    uint64_t state = test_seed();
    for (size_t size = 1; size <= 100; size++) {
        struct order o = {.size = size};
        /* The long ones for few sizes, so that it takes no longer than the rest. */
        size_t kinds = size == 1 || size == 8 || size == 12 || size == 32 || size == 100 ? 6 : 4;
        for (size_t l = 0; l < kinds; l++) {
            size_t n = lengths[l];
            fill_bytes(a, n, size, &state);
            a[n * size] = 0xa5;
            CHECK(filch_sort(a, n, size, by_bytes, &o) == 0);
            CHECK(a[n * size] == 0xa5 && o.misaligned == 0);
            check_bytes(a, n, size);
        }
    }
    (void)rt;
    return 0;
}

static void elements_of_all_sizes(void)
{
    in_task_of_each(sort_all_element_sizes);
    sort_all_element_sizes(NULL);
}

/* ---- on little room, and inside of loops ---- */

static int sort_on_little_room(void *arg)
{
    enum { N = 100000 };
    uint64_t state = test_seed();
    struct sorting s = {.a = malloc(N * sizeof *s.a), .n = N};
    REQUIRE(s.a);
    for (int p = 0; p < PATTERNS; p++) {
        fill(s.a, N, (enum pattern)p, &state);
        CHECK(sort_int64(&s) == 0);
        for (size_t i = 1; i < N; i++)
            CHECK(s.a[i - 1] <= s.a[i]);
    }
    free(s.a);
    (void)arg;
    return 0;
}

static void stacks_of_64_kilobytes(void)
{
    filch_runtime *rt;
    filch_options o = {.workers = 4, .stack_size = 64 << 10};
    REQUIRE(filch_runtime_create(&rt, &o) == 0);
    CHECK(filch_run(rt, sort_on_little_room, NULL) == 0);
    CHECK(filch_runtime_destroy(rt) == 0);
}

static int sort_rows(int64_t first, int64_t last, void *a)
{
    enum { ROW = 20000 };
    for (int64_t i = first; i < last; i++)
        CHECK(filch_sort_int64(NULL, (int64_t *)a + i * ROW, ROW) == 0);
    return 0;
}

static int sort_in_loop(void *arg)
{
    enum { ROWS = 8, ROW = 20000 };
    uint64_t state = test_seed();
    int64_t *a = malloc(sizeof *a * ROWS * ROW);
    REQUIRE(a);
    fill(a, ROWS * ROW, RANDOM, &state);
    CHECK(filch_for(0, ROWS, 1, sort_rows, a) == 0);
    for (size_t i = 1; i < ROWS * ROW; i++)
        CHECK(i % ROW == 0 || a[i - 1] <= a[i]);
    free(a);
    (void)arg;
    return 0;
}

static void sorts_inside_of_loops(void)
{
    in_task_of_each(sort_in_loop);
    sort_in_loop(NULL);
}

int main(void)
{
    RUN(all_patterns_of_all_sizes);
    RUN(numbers_of_all_types);
    RUN(the_total_order_of_floating_point);
    RUN(a_type_of_ones_own);
    RUN(elements_of_all_sizes);
    RUN(stacks_of_64_kilobytes);
    RUN(sorts_inside_of_loops);
    return summary();
}
