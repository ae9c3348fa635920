/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What sort.h compiles into its caller: the sort that one participant does alone, with the
 * comparison inline. It is written for elements of k->size bytes; every call is inlined into a
 * function that knows the size and the comparison, and moves whole elements there.
 *
 * Quicksort by a partition without branches, insertion sort for few elements, heapsort once too many
 * partitions were lopsided: O(n log n) always, no recursion. Whatever the comparison answers, no
 * index leaves the range, and between any two steps the range is a permutation of what it was.
 */
#ifndef FILCH_SORT_ENGINE_H
#define FILCH_SORT_ENGINE_H

#include <errno.h>
#include <filch/fork.h>
#include <filch/loop.h>

#define FILCH__SORT_INLINE static inline __attribute__((always_inline))

/* Fewer are sorted by insertion. */
#define FILCH__SORT_FEW ((size_t)20)
/* More are looked at for a cancel before they are partitioned. */
#define FILCH__SORT_MANY ((size_t)4096)

/* a goes before b. */
typedef bool filch__sort_less(const void *a, const void *b, void *ctx);

struct filch__sorting {
    size_t size;
    filch__sort_less *less;
    void *ctx;
    void *held, *pivot; /* room for an element each */
};

FILCH__SORT_INLINE char *filch__sort_at(const struct filch__sorting *k, char *a, size_t i)
{
    return a + i * k->size;
}

FILCH__SORT_INLINE bool filch__sort_before(const struct filch__sorting *k, const void *a,
                                           const void *b)
{
    return k->less(a, b, k->ctx);
}

FILCH__SORT_INLINE void filch__sort_move(const struct filch__sorting *k, void *to, const void *from)
{
    __builtin_memmove(to, from, k->size);
}

FILCH__SORT_INLINE void filch__sort_swap(const struct filch__sorting *k, void *a, void *b)
{
    filch__sort_move(k, k->held, a);
    filch__sort_move(k, a, b);
    filch__sort_move(k, b, k->held);
}

/* How many elements from the start on are in order, or where `down` in strictly descending order.
 */
FILCH__SORT_INLINE size_t filch__sort_run(const struct filch__sorting *k, char *a, size_t n,
                                          bool down)
{
    size_t i = n > 0;
    while (i < n &&
           filch__sort_before(k, filch__sort_at(k, a, i), filch__sort_at(k, a, i - 1)) == down)
        i++;
    return i;
}

FILCH__SORT_INLINE void filch__sort_insert(const struct filch__sorting *k, char *a, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        size_t j = i;
        if (!filch__sort_before(k, filch__sort_at(k, a, i), filch__sort_at(k, a, i - 1)))
            continue;
        filch__sort_move(k, k->held, filch__sort_at(k, a, i));
        do {
            filch__sort_move(k, filch__sort_at(k, a, j), filch__sort_at(k, a, j - 1));
            j--;
        } while (j > 0 && filch__sort_before(k, k->held, filch__sort_at(k, a, j - 1)));
        filch__sort_move(k, filch__sort_at(k, a, j), k->held);
    }
}

/* Puts *held into the heap a[0, n), whose node i is free. */
FILCH__SORT_INLINE void filch__sort_sift(const struct filch__sorting *k, char *a, size_t i,
                                         size_t n)
{
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        child += child + 1 < n && filch__sort_before(k, filch__sort_at(k, a, child),
                                                     filch__sort_at(k, a, child + 1));
        if (!filch__sort_before(k, k->held, filch__sort_at(k, a, child)))
            break;
        filch__sort_move(k, filch__sort_at(k, a, i), filch__sort_at(k, a, child));
    }
    filch__sort_move(k, filch__sort_at(k, a, i), k->held);
}

FILCH__SORT_INLINE void filch__sort_heap(const struct filch__sorting *k, char *a, size_t n)
{
    for (size_t i = n / 2; i-- > 0;) {
        filch__sort_move(k, k->held, filch__sort_at(k, a, i));
        filch__sort_sift(k, a, i, n);
    }
    while (n-- > 1) {
        filch__sort_move(k, k->held, filch__sort_at(k, a, n));
        filch__sort_move(k, filch__sort_at(k, a, n), a);
        filch__sort_sift(k, a, 0, n);
    }
}

/*
 * Brings those that go before *pivot to the front, or where `equal` those that do not go after it,
 * and returns their number. pivot is no element of a.
 *
 * [0, front) goes to the front, [front, i) does not; one place of these is free, and its element is
 * held. Each step moves two elements, whatever the answer is: nothing to mispredict.
 */
FILCH__SORT_INLINE size_t filch__sort_partition(const struct filch__sorting *k, char *a, size_t n,
                                                const void *pivot, bool equal)
{
    if (n == 0)
        return 0;
    char *front = a, *gap = a, *end = filch__sort_at(k, a, n);
    filch__sort_move(k, k->pivot, pivot);
    filch__sort_move(k, k->held, a);
    for (char *x = a + k->size; x != end; x += k->size) {
        bool moves =
            equal ? !filch__sort_before(k, k->pivot, x) : filch__sort_before(k, x, k->pivot);
        filch__sort_move(k, gap, front);
        filch__sort_move(k, front, x);
        gap = x;
        front += moves ? k->size : 0;
    }
    filch__sort_move(k, gap, front);
    filch__sort_move(k, front, k->held);
    front +=
        (equal ? !filch__sort_before(k, k->pivot, front) : filch__sort_before(k, front, k->pivot))
            ? k->size
            : 0;
    return (size_t)(front - a) / k->size;
}

FILCH__SORT_INLINE char *filch__sort_median(const struct filch__sorting *k, char *a, char *b,
                                            char *c)
{
    bool ab = filch__sort_before(k, a, b), bc = filch__sort_before(k, b, c);
    if (ab == bc)
        return b;
    return ab == filch__sort_before(k, a, c) ? c : a;
}

/* Some element; `state` makes a sequence of them. */
FILCH__SORT_INLINE char *filch__sort_any(const struct filch__sorting *k, char *a, size_t n,
                                         uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    uint64_t random = *state >> 32, size = n;
    return filch__sort_at(k, a, size >> 32 ? random * (size >> 32) : (random * size) >> 32);
}

/* Swaps an element near the median to a[0]. */
FILCH__SORT_INLINE void filch__sort_choose(const struct filch__sorting *k, char *a, size_t n,
                                           uint64_t *state)
{
    char *of[3];
    for (int i = 0; i < 3; i++) {
        of[i] = filch__sort_any(k, a, n, state);
        if (n > 128)
            of[i] = filch__sort_median(k, of[i], filch__sort_any(k, a, n, state),
                                       filch__sort_any(k, a, n, state));
    }
    filch__sort_swap(k, a, filch__sort_median(k, of[0], of[1], of[2]));
}

/* A range that is still to be sorted. */
struct filch__sort_range {
    char *a;
    size_t n;
    int lopsided; /* so many more partitions may be */
    bool first;   /* of all; else a[-1] is in its place, and goes after none of these */
};

/* One step: splits *r, and returns the part that *r is not any more. Both may be empty. */
FILCH__SORT_INLINE struct filch__sort_range
filch__sort_split(const struct filch__sorting *k, struct filch__sort_range *r, uint64_t *state)
{
    char *a = r->a;
    size_t n = r->n;
    struct filch__sort_range rest = *r;
    filch__sort_choose(k, a, n, state);
    if (!r->first && !filch__sort_before(k, a - k->size, a)) {
        /* The pivot is the least: those equal to it are in their places. */
        size_t done = 1 + filch__sort_partition(k, a + k->size, n - 1, a, true);
        r->lopsided -= done < n / 8;
        r->a = filch__sort_at(k, a, done);
        r->n = n - done;
        rest.n = 0;
        return rest;
    }
    size_t left = filch__sort_partition(k, a + k->size, n - 1, a, false), right = n - 1 - left;
    filch__sort_swap(k, a, filch__sort_at(k, a, left));
    r->lopsided -= (left < right ? left : right) < n / 8;
    r->n = left;
    rest.a = filch__sort_at(k, a, left + 1);
    rest.n = right;
    rest.lopsided = r->lopsided;
    rest.first = false;
    return rest;
}

/* 0 or -ECANCELED. */
FILCH__SORT_INLINE int filch__sort_serial(const struct filch__sorting *k, char *a, size_t n,
                                          bool first)
{
    if (filch__sort_run(k, a, n, false) == n)
        return 0;
    if (filch__sort_run(k, a, n, true) == n) {
        for (size_t i = 0, j = n - 1; i < j; i++, j--)
            filch__sort_swap(k, filch__sort_at(k, a, i), filch__sort_at(k, a, j));
        return 0;
    }
    /* The smaller part is sorted first: there are never more than log2 n. */
    struct filch__sort_range stack[64], r = {a, n, 64 - __builtin_clzll(n), first};
    int waiting = 0;
    uint64_t state = n;
    for (;;) {
        while (r.n > FILCH__SORT_FEW && r.lopsided > 0) {
            if (r.n > FILCH__SORT_MANY && filch_cancelled())
                return -ECANCELED;
            struct filch__sort_range rest = filch__sort_split(k, &r, &state);
            if (rest.n == 0)
                continue;
            bool swap = rest.n < r.n;
            stack[waiting++] = swap ? r : rest;
            r = swap ? rest : r;
        }
        if (r.n > FILCH__SORT_FEW)
            filch__sort_heap(k, r.a, r.n);
        else
            filch__sort_insert(k, r.a, r.n);
        if (waiting == 0)
            return 0;
        r = stack[--waiting];
    }
}

/* The functions of one kind of elements, for what works on it in parallel. */
struct filch__sort_kind {
    size_t size;
    filch__sort_less *less;
    size_t (*run)(char *a, size_t n, bool down, void *ctx);
    size_t (*partition)(char *a, size_t n, const void *pivot, bool equal, void *ctx);
    int (*serial)(char *a, size_t n, bool first, void *ctx);
};

#define FILCH__SORT_KIND(name, type, before)                                                    \
    static bool name##_less(const void *a, const void *b, void *ctx)                            \
    {                                                                                           \
        (void)ctx;                                                                              \
        return before((type const *)a, (type const *)b, ctx);                                   \
    }                                                                                           \
    static size_t name##_run(char *a, size_t n, bool down, void *ctx)                           \
    {                                                                                           \
        const struct filch__sorting k = {sizeof(type), name##_less, ctx, NULL, NULL};           \
        return filch__sort_run(&k, a, n, down);                                                 \
    }                                                                                           \
    static size_t name##_partition(char *a, size_t n, const void *pivot, bool equal, void *ctx) \
    {                                                                                           \
        type room[2] __attribute__((aligned(64)));                                              \
        const struct filch__sorting k = {sizeof(type), name##_less, ctx, &room[0], &room[1]};   \
        return equal ? filch__sort_partition(&k, a, n, pivot, true)                             \
                     : filch__sort_partition(&k, a, n, pivot, false);                           \
    }                                                                                           \
    static int name##_serial(char *a, size_t n, bool first, void *ctx)                          \
    {                                                                                           \
        type room[2] __attribute__((aligned(64)));                                              \
        const struct filch__sorting k = {sizeof(type), name##_less, ctx, &room[0], &room[1]};   \
        return filch__sort_serial(&k, a, n, first);                                             \
    }                                                                                           \
    static const struct filch__sort_kind name##_kind = {sizeof(type), name##_less, name##_run,  \
                                                        name##_partition, name##_serial};

#endif
