/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parallel half of a sort: partitions by all participants together, until there are several
 * ranges for each; then each range is sorted by one participant (sort_engine.h). Loops only, so any
 * thread gets help, and a cap holds for the whole sort. Each loop leaves a permutation of the
 * elements, wherever it is cut short.
 */
#include <filch/atomic.h>
#include <filch/sort.h>
#include <string.h>

/* A sort of fewer elements is the caller's alone. */
#define FEW ((size_t)1 << 14)
/* Elements of a chunk, at least, in all loops. */
#define CHUNK ((size_t)1 << 13)
/* Enough for an even end with 16 workers, and for two ranges each with 64. */
#define RANGES_MAX           128
#define RANGES_EACH          8
#define PARTITION_CHUNKS_MAX 128
/* Not a failure of the sort: ends a loop that looks for order. */
#define DISORDER (-EILSEQ)

struct sort {
    const filch_loop_options *o;
    const struct filch__sort_kind *kind;
    void *ctx;
    char *base;
    size_t n;
    bool down; /* for in_order */
    int next;  /* of the ranges, to be claimed */
    int count; /* of the ranges */
    struct filch__sort_range range[RANGES_MAX];
};

static char *at(const struct sort *s, char *a, size_t i)
{
    return a + i * s->kind->size;
}

static void swap_bytes(char *a, char *b, size_t n)
{
    char held[256];
    for (size_t part; n > 0; a += part, b += part, n -= part) {
        part = n < sizeof held ? n : sizeof held;
        memcpy(held, a, part);
        memcpy(a, b, part);
        memcpy(b, held, part);
    }
}

/* ---- what is in order already ---- */

static int in_order_chunk(int64_t first, int64_t last, void *arg)
{
    const struct sort *s = arg;
    size_t n = (size_t)(last - first) + ((size_t)last < s->n);
    bool holds = s->kind->run(at(s, s->base, (size_t)first), n, s->down, s->ctx) == n;
    return holds ? 0 : DISORDER;
}

/* Reverses a part of the first half and its counterpart, which both descend, and swaps them. */
static int reverse_chunk(int64_t first, int64_t last, void *arg)
{
    const struct sort *s = arg;
    size_t n = (size_t)(last - first);
    char *a = at(s, s->base, (size_t)first), *b = at(s, s->base, s->n - (size_t)last);
    swap_bytes(a, b, n * s->kind->size);
    int rc = s->kind->serial(a, n, true, s->ctx);
    int rc2 = s->kind->serial(b, n, true, s->ctx);
    return rc < 0 ? rc : rc2;
}

/* 0: sorted. DISORDER: not in order, and not in the opposite one. */
static int sort_if_in_order(struct sort *s)
{
    size_t glance = CHUNK / 8;
    for (int down = 0; down < 2; down++) {
        if (s->kind->run(s->base, glance, down, s->ctx) < glance)
            continue;
        s->down = down;
        int rc = filch_for_with(s->o, 0, (int64_t)s->n, (int64_t)CHUNK, in_order_chunk, s);
        if (rc == 0 && down)
            rc = filch_for_with(s->o, 0, (int64_t)(s->n / 2), (int64_t)CHUNK, reverse_chunk, s);
        return rc;
    }
    return DISORDER;
}

/* ---- a partition by all ---- */

struct partition {
    const struct sort *s;
    char *a; /* the pivot is before it */
    size_t n;
    size_t chunks;
    size_t front;                     /* how many go to the front */
    size_t low[PARTITION_CHUNKS_MAX]; /* the same of each chunk */
    bool equal;
};

static size_t cut(const struct partition *p, size_t chunk)
{
    return p->n / p->chunks * chunk + p->n % p->chunks * chunk / p->chunks;
}

static int partition_chunk(int64_t first, int64_t last, void *arg)
{
    struct partition *p = arg;
    const struct sort *s = p->s;
    for (size_t c = (size_t)first; c < (size_t)last; c++) {
        size_t from = cut(p, c);
        p->low[c] = s->kind->partition(at(s, p->a, from), cut(p, c + 1) - from,
                                       p->a - s->kind->size, p->equal, s->ctx);
    }
    return 0;
}

/*
 * Chunks have their low elements first; some of those lie behind the front, and as many high ones
 * in it. Where number i of either is; *room: so many lie there in a row.
 */
static char *stray(const struct partition *p, size_t i, bool behind, size_t *room)
{
    for (size_t c = 0;; c++) {
        size_t from = cut(p, c), to = cut(p, c + 1), middle = from + p->low[c];
        if (behind) {
            from = from < p->front ? p->front : from;
            to = middle;
        } else {
            from = middle;
            to = to < p->front ? to : p->front;
        }
        size_t here = from < to ? to - from : 0;
        if (i < here) {
            *room = here - i;
            return at(p->s, p->a, from + i);
        }
        i -= here;
    }
}

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int swap_strays(int64_t first, int64_t last, void *arg)
{
    const struct partition *p = arg;
    for (size_t i = (size_t)first, n, m; i < (size_t)last; i += n) {
        char *high = stray(p, i, false, &n), *low = stray(p, i, true, &m);
        n = min(min(n, m), (size_t)last - i);
        swap_bytes(high, low, n * p->s->kind->size);
    }
    return 0;
}

static int partition(struct partition *p)
{
    const struct sort *s = p->s;
    size_t strays = 0;
    p->chunks = min(p->n / CHUNK + 1, PARTITION_CHUNKS_MAX);
    int rc = filch_for_with(s->o, 0, (int64_t)p->chunks, 1, partition_chunk, p);
    if (rc < 0)
        return rc;
    p->front = 0;
    for (size_t c = 0; c < p->chunks; c++)
        p->front += p->low[c];
    for (size_t c = 0; c < p->chunks; c++) {
        size_t middle = cut(p, c) + p->low[c], end = min(cut(p, c + 1), p->front);
        strays += middle < end ? end - middle : 0;
    }
    return filch_for_with(s->o, 0, (int64_t)strays, (int64_t)CHUNK, swap_strays, p);
}

/* ---- ranges ---- */

/* Brings an element near the median of the range to its start. */
static void choose(const struct sort *s, const struct filch__sort_range *r)
{
    enum { SAMPLE = 31 };
    char *sample[SAMPLE];
    for (int i = 0; i < SAMPLE; i++) {
        /* One from each part of the range, at a place in it that looks random. */
        size_t part = r->n / SAMPLE;
        size_t any = (size_t)((uint32_t)(r->n + (size_t)i) * UINT32_C(2654435769) >> 8) % part;
        char *a = at(s, r->a, (size_t)i * part + any);
        int j = i;
        for (; j > 0 && s->kind->less(a, sample[j - 1], s->ctx); j--)
            sample[j] = sample[j - 1];
        sample[j] = a;
    }
    if (sample[SAMPLE / 2] != r->a)
        swap_bytes(sample[SAMPLE / 2], r->a, s->kind->size);
}

/* Makes two of one: as filch__sort_split. */
static int split(struct sort *s, struct filch__sort_range *r)
{
    size_t size = s->kind->size;
    choose(s, r);
    struct partition p = {.s = s, .a = r->a + size, .n = r->n - 1};
    p.equal = !r->first && !s->kind->less(r->a - size, r->a, s->ctx);
    int rc = partition(&p);
    if (rc < 0)
        return rc;
    if (p.equal) {
        r->a = at(s, p.a, p.front);
        r->lopsided -= p.front < r->n / 8;
        r->n = p.n - p.front;
        return 0;
    }
    r->lopsided -= min(p.front, p.n - p.front) < r->n / 8;
    char *pivot = at(s, r->a, p.front);
    if (pivot != r->a)
        swap_bytes(r->a, pivot, size);
    s->range[s->count++] =
        (struct filch__sort_range){pivot + size, p.n - p.front, r->lopsided, false};
    r->n = p.front;
    return 0;
}

/* The largest first, so that the end is even. */
static void order_ranges(struct sort *s)
{
    for (int i = 1; i < s->count; i++) {
        struct filch__sort_range r = s->range[i];
        int j = i;
        for (; j > 0 && r.n > s->range[j - 1].n; j--)
            s->range[j] = s->range[j - 1];
        s->range[j] = r;
    }
}

static int sort_ranges(int64_t first, int64_t last, void *arg)
{
    struct sort *s = arg;
    for (; first < last; first++) {
        const struct filch__sort_range *r = &s->range[filch__add_acq_rel(&s->next, 1)];
        int rc = s->kind->serial(r->a, r->n, r->first, s->ctx);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int sort_by_ranges(struct sort *s, size_t enough)
{
    s->count = 1;
    s->range[0] = (struct filch__sort_range){s->base, s->n, 8, true};
    for (int i = 0; i < s->count; i++) {
        struct filch__sort_range *r = &s->range[i];
        while (r->n > enough && r->lopsided > 0 && s->count < RANGES_MAX) {
            int rc = split(s, r);
            if (rc < 0)
                return rc;
        }
    }
    order_ranges(s);
    return filch_for_with(s->o, 0, s->count, 1, sort_ranges, s);
}

/* At most so many take part. */
static int participants_of(const filch_loop_options *o)
{
    int numbers = filch_participants(o ? o->runtime : NULL);
    int workers = numbers - FILCH_PARTICIPANTS_MORE, wanted = o ? o->participants : 0;
    if (numbers < 0)
        return numbers;
    return wanted > 0 && wanted < workers ? wanted : workers;
}

int filch__sort(const filch_loop_options *o, char *base, size_t n,
                const struct filch__sort_kind *kind, void *ctx)
{
    if ((n > 0 && !base) || (o && o->participants < 0))
        return -EINVAL;
    if (n < 2)
        return 0;
    if (filch_cancelled())
        return -ECANCELED;
    int participants = n > FEW ? participants_of(o) : 1;
    if (participants < 0)
        return participants;
    if (participants == 1)
        return kind->serial(base, n, true, ctx);

    struct sort s = {.o = o, .kind = kind, .ctx = ctx, .base = base, .n = n};
    int rc = sort_if_in_order(&s);
    if (rc != DISORDER)
        return rc;
    size_t enough = n / ((size_t)participants * RANGES_EACH);
    return sort_by_ranges(&s, enough > CHUNK ? enough : CHUNK);
}
