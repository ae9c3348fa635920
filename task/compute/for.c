/* SPDX-License-Identifier: Apache-2.0 */
/* The loops of <filch/loop.h>, each as units of a common one. */
#include "task/compute/loop.h"

#include <errno.h>

static const filch_loop_options defaults;

/* ---- one dimension ---- */

struct range {
    struct filch__loop loop; /* first */
    filch_for_fn *body;
    void *ctx;
    int64_t first, last;
    int64_t grain; /* indices of a unit */
};

/* `at` indices after first, as far as there are any. */
static int64_t index_at(const struct range *r, uint64_t at)
{
    return (int64_t)((uint64_t)r->first + at);
}

/* Where what begins at first ends: after `most`, or with the range. */
static int64_t end_of(int64_t first, int64_t last, int64_t most)
{
    return (uint64_t)last - (uint64_t)first > (uint64_t)most ? first + most : last;
}

/* Units are indices, and a claim is a chunk. */
static int run_indices(struct filch__loop *loop, uint64_t begin, uint64_t end, int participant)
{
    const struct range *r = (const struct range *)(const void *)loop;
    (void)participant;
    return r->body(index_at(r, begin), index_at(r, end), r->ctx);
}

/* Units are chunks. */
static int run_chunks(struct filch__loop *loop, uint64_t begin, uint64_t end, int participant)
{
    const struct range *r = (const struct range *)(const void *)loop;
    (void)participant;
    for (uint64_t unit = begin; unit < end; unit++) {
        if (unit > begin && filch__loop_has_failed(loop))
            return 0;
        if (unit > begin && filch__loop_is_cancelled(loop))
            return -ECANCELED;
        int64_t first = index_at(r, unit * (uint64_t)r->grain);
        int rc = r->body(first, end_of(first, r->last, r->grain), r->ctx);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int filch_for_with(const filch_loop_options *o, int64_t first, int64_t last, int64_t grain,
                   filch_for_fn *body, void *ctx)
{
    if (!body || grain < 0)
        return -EINVAL;
    if (first >= last)
        return 0;
    uint64_t n = (uint64_t)last - (uint64_t)first;
    uint64_t units = grain ? (n - 1) / (uint64_t)grain + 1 : n;
    if (units > INT64_MAX)
        return -EINVAL;
    struct range r; /* no initialiser: most of the loop is lanes, and few of them are used */
    r.body = body;
    r.ctx = ctx;
    r.first = first;
    r.last = last;
    r.grain = grain;
    r.loop.units = grain ? run_chunks : run_indices;
    r.loop.count = units;
    r.loop.numbered = r.loop.in_order = false;
    return filch__loop_run(&r.loop, o ? o : &defaults);
}

int filch_for(int64_t first, int64_t last, int64_t grain, filch_for_fn *body, void *ctx)
{
    return filch_for_with(NULL, first, last, grain, body, ctx);
}

/* ---- tiles ---- */

/* Of an automatic tile. */
#define TILE_INDICES 4096

struct tiles {
    struct filch__loop loop; /* first */
    filch_tile_fn *body;
    void *ctx;
    int dims;
    filch_span spans[FILCH_DIMS_MAX]; /* no tile is 0 */
    uint64_t counts[FILCH_DIMS_MAX];  /* of tiles */
};

static void set_tile(const struct tiles *t, int d, uint64_t place, filch_span *tile)
{
    const filch_span *span = &t->spans[d];
    tile[d].first = (int64_t)((uint64_t)span->first + place * (uint64_t)span->tile);
    tile[d].last = end_of(tile[d].first, span->last, span->tile);
    tile[d].tile = span->tile;
}

/* The places of tile `unit`; the last dimension varies fastest. */
static void locate(const struct tiles *t, uint64_t unit, uint64_t *place, filch_span *tile)
{
    for (int d = t->dims - 1; d >= 0; d--) {
        place[d] = unit % t->counts[d];
        unit /= t->counts[d];
        set_tile(t, d, place[d], tile);
    }
}

static void step_on(const struct tiles *t, uint64_t *place, filch_span *tile)
{
    for (int d = t->dims - 1; d >= 0; d--) {
        bool over = ++place[d] == t->counts[d];
        if (over)
            place[d] = 0;
        set_tile(t, d, place[d], tile);
        if (!over)
            return;
    }
}

static int run_tiles(struct filch__loop *loop, uint64_t begin, uint64_t end, int participant)
{
    const struct tiles *t = (const struct tiles *)(const void *)loop;
    uint64_t place[FILCH_DIMS_MAX];
    filch_span tile[FILCH_DIMS_MAX];
    (void)participant;
    locate(t, begin, place, tile);
    for (uint64_t unit = begin;;) {
        int rc = t->body(tile, t->ctx);
        if (rc < 0)
            return rc;
        if (++unit == end || filch__loop_has_failed(loop))
            return 0;
        if (filch__loop_is_cancelled(loop))
            return -ECANCELED;
        step_on(t, place, tile);
    }
}

static int64_t least(uint64_t a, uint64_t b)
{
    return (int64_t)(a < b ? a : b);
}

/* Edges for the dimensions that have none: the last one long, for what is fast there. */
static void choose_tiles(struct tiles *t, const uint64_t *lengths)
{
    static const int64_t edges[FILCH_DIMS_MAX][FILCH_DIMS_MAX] = {
        {TILE_INDICES}, {TILE_INDICES / 64, 64}, {8, 8, TILE_INDICES / 64}};
    for (int d = 0; d < t->dims; d++)
        if (!t->spans[d].tile)
            t->spans[d].tile = least((uint64_t)edges[t->dims - 1][d], lengths[d]);
}

/* 1: there are tiles; 0: there are none. */
static int count_tiles(struct tiles *t, const filch_span *spans)
{
    uint64_t lengths[FILCH_DIMS_MAX];
    bool empty = false;
    for (int d = 0; d < t->dims; d++) {
        if (spans[d].tile < 0)
            return -EINVAL;
        t->spans[d] = spans[d];
        lengths[d] = (uint64_t)spans[d].last - (uint64_t)spans[d].first;
        empty |= spans[d].first >= spans[d].last;
    }
    if (empty)
        return 0;
    choose_tiles(t, lengths);
    t->loop.count = 1;
    for (int d = 0; d < t->dims; d++) {
        t->counts[d] = (lengths[d] - 1) / (uint64_t)t->spans[d].tile + 1;
        if (t->counts[d] > INT64_MAX / t->loop.count)
            return -EINVAL;
        t->loop.count *= t->counts[d];
    }
    return 1;
}

int filch_for_tiles_with(const filch_loop_options *o, int dims, const filch_span *spans,
                         filch_tile_fn *body, void *ctx)
{
    if (!spans || !body || dims < 1 || dims > FILCH_DIMS_MAX)
        return -EINVAL;
    struct tiles t;
    t.body = body;
    t.ctx = ctx;
    t.dims = dims;
    int rc = count_tiles(&t, spans);
    if (rc <= 0)
        return rc;
    t.loop.units = run_tiles;
    t.loop.numbered = t.loop.in_order = false;
    return filch__loop_run(&t.loop, o ? o : &defaults);
}

int filch_for_tiles(int dims, const filch_span *spans, filch_tile_fn *body, void *ctx)
{
    return filch_for_tiles_with(NULL, dims, spans, body, ctx);
}

/* ---- n calls ---- */

struct calls {
    struct filch__loop loop; /* first */
    filch_run_n_fn *body;
    void *ctx;
};

static int run_call(struct filch__loop *loop, uint64_t begin, uint64_t end, int participant)
{
    const struct calls *c = (const struct calls *)(const void *)loop;
    (void)end;
    return c->body((int64_t)begin, participant, c->ctx);
}

int filch_run_n_with(const filch_loop_options *o, int64_t n, filch_run_n_fn *body, void *ctx)
{
    if (!body)
        return -EINVAL;
    if (n <= 0)
        return 0;
    struct calls c;
    c.body = body;
    c.ctx = ctx;
    c.loop.units = run_call;
    c.loop.count = (uint64_t)n;
    c.loop.numbered = c.loop.in_order = true;
    return filch__loop_run(&c.loop, o ? o : &defaults);
}

int filch_run_n(int64_t n, filch_run_n_fn *body, void *ctx)
{
    return filch_run_n_with(NULL, n, body, ctx);
}
