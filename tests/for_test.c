/* SPDX-License-Identifier: Apache-2.0 */
/* Parallel loops: each index once, whoever calls; bounds, tiles, caps, and that there is help. */
#include "tests/compute_check.h"

/* ---- each index once ---- */

enum { MOST = 5000 };

struct marks {
    int64_t first, last, grain;
    uint32_t mark[MOST];
};

static int mark_chunk(int64_t first, int64_t last, void *ctx)
{
    struct marks *m = ctx;
    CHECK(first < last && first >= m->first && last <= m->last);
    if (m->grain) {
        CHECK((uint64_t)last - (uint64_t)first <= (uint64_t)m->grain);
        CHECK(((uint64_t)first - (uint64_t)m->first) % (uint64_t)m->grain == 0);
    }
    for (int64_t i = first; i < last; i++)
        tally(&m->mark[i - m->first]);
    return 0;
}

static void check_marks(const struct marks *m, uint32_t expected)
{
    for (int64_t i = 0; i < m->last - m->first; i++)
        if (count_of(&m->mark[i]) != expected) {
            CHECK(!"each index once");
            return;
        }
}

static void mark_ranges(filch_runtime *rt)
{
    static const int64_t firsts[] = {0, 1, -7, INT64_MIN, INT64_MAX - MOST};
    static const int64_t lengths[] = {1, 2, 3, 15, 16, 17, 64, 1000, 4999};
    static const int64_t grains[] = {0, 1, 2, 7, 1000, 5000, INT64_MAX};
    filch_loop_options o = on(rt);
    struct marks *m = malloc(sizeof *m);
    REQUIRE(m);
    for (size_t f = 0; f < COUNT(firsts); f++)
        for (size_t l = 0; l < COUNT(lengths); l++)
            for (size_t g = 0; g < COUNT(grains); g++) {
                memset(m->mark, 0, sizeof m->mark);
                m->first = firsts[f], m->last = firsts[f] + lengths[l], m->grain = grains[g];
                CHECK(filch_for_with(&o, m->first, m->last, m->grain, mark_chunk, m) == 0);
                check_marks(m, 1);
            }
    free(m);
}

static void each_index_once(void)
{
    from_everywhere(mark_ranges);
}

static void several_threads_at_once(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        from_threads(rt, 3, mark_ranges);
        runtime_close(rt);
    }
}

static void on_the_default_runtime(void)
{
    struct marks m = {.last = 1000};
    CHECK(filch_for(0, 1000, 0, mark_chunk, &m) == 0);
    check_marks(&m, 1);
}

/* ---- bounds and wrong arguments ---- */

struct far {
    uint64_t sum; /* of lengths */
    uint32_t chunks;
};

static int add_length(int64_t first, int64_t last, void *ctx)
{
    struct far *f = ctx;
    CHECK(first < last);
    filch__add_relaxed(&f->sum, (uint64_t)last - (uint64_t)first);
    tally(&f->chunks);
    return 0;
}

static void far_ranges(filch_runtime *rt)
{
    filch_loop_options o = on(rt);
    struct far f = {0, 0};
    CHECK(filch_for_with(&o, INT64_MIN, INT64_MAX, INT64_C(1) << 60, add_length, &f) == 0);
    CHECK(f.sum == UINT64_MAX && f.chunks == 16);
    f = (struct far){0, 0};
    CHECK(filch_for_with(&o, INT64_MIN, INT64_MAX, INT64_MAX, add_length, &f) == 0);
    CHECK(f.sum == UINT64_MAX && f.chunks == 3);
    f = (struct far){0, 0};
    CHECK(filch_for_with(&o, -2, INT64_MAX, (INT64_C(1) << 56) + 3, add_length, &f) == 0);
    CHECK(f.sum == (uint64_t)INT64_MAX + 2);
    CHECK(filch_for_with(&o, INT64_MIN, INT64_MAX, 1, add_length, &f) == -EINVAL);
    f = (struct far){0, 0};
    CHECK(filch_for_with(&o, 5, 5, 1, add_length, &f) == 0);
    CHECK(filch_for_with(&o, 5, 4, 0, add_length, &f) == 0);
    CHECK(filch_for_with(&o, INT64_MAX, INT64_MIN, 3, add_length, &f) == 0);
    CHECK(f.chunks == 0);
}

static void bounds(void)
{
    from_everywhere(far_ranges);
}

static int never_tile(const filch_span *tile, void *ctx)
{
    (void)tile;
    tally(ctx);
    return 0;
}

static void wrong_arguments(filch_runtime *rt)
{
    uint32_t calls = 0;
    filch_loop_options o = on(rt), negative = {.runtime = rt, .participants = -1};
    filch_span spans[4] = {{0, 4, 1}, {0, 4, 1}, {0, 4, 1}, {0, 4, 1}};
    struct far f = {0, 0};
    CHECK(filch_for_with(&o, 0, 4, 1, NULL, NULL) == -EINVAL);
    CHECK(filch_for_with(&o, 0, 4, -1, add_length, &f) == -EINVAL);
    CHECK(filch_for_with(&o, 0, 4, INT64_MIN, add_length, &f) == -EINVAL);
    CHECK(filch_for_with(&negative, 0, 4, 1, add_length, &f) == -EINVAL);
    CHECK(filch_for_tiles_with(&o, 0, spans, never_tile, &calls) == -EINVAL);
    CHECK(filch_for_tiles_with(&o, 4, spans, never_tile, &calls) == -EINVAL);
    CHECK(filch_for_tiles_with(&o, 2, NULL, never_tile, &calls) == -EINVAL);
    CHECK(filch_for_tiles_with(&o, 2, spans, NULL, &calls) == -EINVAL);
    spans[1].tile = -1;
    CHECK(filch_for_tiles_with(&o, 2, spans, never_tile, &calls) == -EINVAL);
    spans[0] = spans[1] = (filch_span){0, INT64_MAX, 1};
    CHECK(filch_for_tiles_with(&o, 2, spans, never_tile, &calls) == -EINVAL);
    spans[0] = (filch_span){INT64_MIN, INT64_MAX, 1};
    CHECK(filch_for_tiles_with(&o, 1, spans, never_tile, &calls) == -EINVAL);
    CHECK(calls == 0 && f.chunks == 0);
}

static void bad_input(void)
{
    from_everywhere(wrong_arguments);
}

/* ---- tiles ---- */

struct space {
    int dims;
    filch_span spans[FILCH_DIMS_MAX];
    uint32_t mark[MOST];
};

static int mark_tile(const filch_span *tile, void *ctx)
{
    struct space *s = ctx;
    int64_t extent[FILCH_DIMS_MAX] = {1, 1, 1}, from[FILCH_DIMS_MAX] = {0}, to[] = {1, 1, 1};
    for (int d = 0; d < s->dims; d++) {
        const filch_span *all = &s->spans[d];
        CHECK(tile[d].first >= all->first && tile[d].first < tile[d].last);
        CHECK(tile[d].last <= all->last && tile[d].tile > 0);
        CHECK(all->tile == 0 || tile[d].tile == all->tile);
        CHECK((tile[d].first - all->first) % tile[d].tile == 0);
        CHECK(tile[d].last - tile[d].first == tile[d].tile || tile[d].last == all->last);
        extent[d] = all->last - all->first;
        from[d] = tile[d].first - all->first, to[d] = tile[d].last - all->first;
    }
    for (int64_t x = from[0]; x < to[0]; x++)
        for (int64_t y = from[1]; y < to[1]; y++)
            for (int64_t z = from[2]; z < to[2]; z++)
                tally(&s->mark[(x * extent[1] + y) * extent[2] + z]);
    return 0;
}

static void mark_space(filch_runtime *rt, struct space *s)
{
    filch_loop_options o = on(rt);
    int64_t volume = 1;
    for (int d = 0; d < s->dims; d++)
        volume *= s->spans[d].last - s->spans[d].first;
    REQUIRE(volume <= MOST);
    memset(s->mark, 0, sizeof s->mark);
    CHECK(filch_for_tiles_with(&o, s->dims, s->spans, mark_tile, s) == 0);
    for (int64_t i = 0; i < volume; i++)
        if (count_of(&s->mark[i]) != 1) {
            CHECK(!"each index of a space once");
            return;
        }
}

static void mark_spaces(filch_runtime *rt)
{
    static const int64_t edges[] = {1, 2, 5, 17}, tiles[] = {0, 1, 3, 100, INT64_MAX};
    struct space *s = malloc(sizeof *s);
    REQUIRE(s);
    for (size_t t = 0; t < COUNT(tiles); t++)
        for (size_t i = 0; i < COUNT(edges) * COUNT(edges) * COUNT(edges); i++)
            for (s->dims = 1; s->dims <= FILCH_DIMS_MAX; s->dims++) {
                s->spans[0] = (filch_span){-3, edges[i % 4] - 3, tiles[t]};
                s->spans[1] = (filch_span){INT64_MIN, INT64_MIN + edges[i / 4 % 4], tiles[t]};
                s->spans[2] = (filch_span){INT64_MAX - edges[i / 16], INT64_MAX,
                                           tiles[(t + i) % COUNT(tiles)]};
                mark_space(rt, s);
            }
    free(s);
    filch_span empty[2] = {{0, 9, 2}, {3, 3, 1}};
    uint32_t calls = 0;
    filch_loop_options o = on(rt);
    CHECK(filch_for_tiles_with(&o, 2, empty, never_tile, &calls) == 0 && calls == 0);
    empty[1].last = -5;
    CHECK(filch_for_tiles_with(&o, 2, empty, never_tile, &calls) == 0 && calls == 0);
}

static void tiles(void)
{
    from_everywhere(mark_spaces);
}

/* ---- caps, and that there is help ---- */

static int stay_a_little(int64_t first, int64_t last, void *ctx)
{
    (void)first, (void)last;
    inside_enter(ctx);
    sched_yield();
    if (is_task())
        (void)filch_yield();
    inside_leave(ctx);
    return 0;
}

static void capped(filch_runtime *rt)
{
    for (int cap = 1; cap <= 9; cap++) {
        struct inside in = {0, 0, 0};
        filch_loop_options o = {.runtime = rt, .participants = cap};
        int workers = filch_runtime_workers(rt), least = cap < workers ? cap : workers;
        CHECK(filch_for_with(&o, 0, 60, 1, stay_a_little, &in) == 0);
        CHECK(in.most <= (uint32_t)least && in.ever == 60 && in.now == 0);
    }
}

static void caps(void)
{
    from_everywhere(capped);
}

/* So many are inside at the same time, or nobody gets out. */
struct meeting {
    uint32_t inside, wanted;
};

static int meet(int64_t first, int64_t last, void *ctx)
{
    struct meeting *m = ctx;
    CHECK(last - first == 1);
    tally(&m->inside);
    SPIN_UNTIL(count_of(&m->inside) >= m->wanted);
    return 0;
}

static void all_meet(filch_runtime *rt)
{
    uint32_t workers = (uint32_t)filch_runtime_workers(rt);
    filch_loop_options o = on(rt);
    for (int i = 0; i < sized(5, 20, 100); i++) {
        struct meeting m = {0, workers};
        CHECK(filch_for_with(&o, 0, workers, 1, meet, &m) == 0);
    }
}

static void idle_workers_come(void)
{
    from_everywhere(all_meet);
}

/* The rest is up to the caller: all workers are busy with what waits for it. */
struct rest {
    uint32_t left;
    pthread_t caller;
};

static int run_the_rest(int64_t first, int64_t last, void *ctx)
{
    struct rest *r = ctx;
    filch__sub_acq_rel(&r->left, (uint32_t)(last - first));
    if (!pthread_equal(pthread_self(), r->caller))
        SPIN_UNTIL(count_of(&r->left) == 0);
    return 0;
}

static int wait_for_rest(void *rest)
{
    struct rest *r = rest;
    tally(&r->left);
    SPIN_UNTIL(count_of(&r->left) == 0);
    return 0;
}

static void a_thread_takes_part(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        filch_loop_options o = on(rt);
        struct rest r = {(uint32_t)worker_counts[w], pthread_self()};
        CHECK(filch_for_with(&o, 0, worker_counts[w], 1, run_the_rest, &r) == 0);
        r.left = 1; /* all workers wait for the loop */
        for (int i = 0; i < worker_counts[w]; i++)
            spawn_on(rt, NULL, wait_for_rest, &r);
        SPIN_UNTIL(count_of(&r.left) == 1 + (uint32_t)worker_counts[w]);
        CHECK(filch_for_with(&o, 0, 1 + worker_counts[w], 1, run_the_rest, &r) == 0);
        runtime_close(rt);
    }
}

int main(void)
{
    RUN(each_index_once);
    RUN(several_threads_at_once);
    RUN(on_the_default_runtime);
    RUN(bounds);
    RUN(bad_input);
    RUN(tiles);
    RUN(caps);
    RUN(idle_workers_come);
    RUN(a_thread_takes_part);
    return summary();
}
