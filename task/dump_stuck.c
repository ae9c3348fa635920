/* SPDX-License-Identifier: Apache-2.0 */
/* What a dump says last: which waits go round in a cycle, and what nobody brings any more. */
#include "sched/os/memory.h"
#include "task/dump_text.h"

#include <string.h>

/* Cycles that are printed, and how many of the nodes of one. */
#define CYCLES 16
#define HOPS   16
/* Things for which no task is left. */
#define UNFED 32

/* A search for the shortest way back; all by index of the record. */
struct search {
    uint32_t *edge; /* by which a node was reached first */
    uint32_t *queue;
    uint32_t *seen; /* in which round */
    uint32_t round;
    uint64_t steps; /* that are left for all searches: edges, times CYCLES */
};

static bool search_begin(const struct filch__snapshot *s, struct search *search)
{
    size_t size = s->count * sizeof(uint32_t);
    search->edge = filch__alloc(s->arena, size, 64);
    search->queue = filch__alloc(s->arena, size, 64);
    search->seen = filch__alloc(s->arena, size, 64);
    search->round = 0;
    search->steps = CYCLES * ((uint64_t)s->count + s->blame_count);
    if (search->seen)
        memset(search->seen, 0, size);
    return search->edge && search->queue && search->seen;
}

static void search_end(const struct filch__snapshot *s, struct search *search)
{
    size_t size = s->count * sizeof(uint32_t);
    filch__free(s->arena, search->edge, size, 64);
    filch__free(s->arena, search->queue, size, 64);
    filch__free(s->arena, search->seen, size, 64);
}

/* Whether there is a way, among stuck ones. Then each node on it was reached by search->edge. */
static bool find_way(const struct filch__snapshot *s, struct search *search, uint32_t from,
                     uint32_t to)
{
    uint32_t head = 0, tail = 0;
    search->round++;
    search->queue[tail++] = from;
    search->seen[from] = search->round;
    while (head < tail) {
        uint32_t at = search->queue[head++];
        if (at == to)
            return true;
        for (uint32_t e = filch__graph_first(s, at); e != FILCH__NOWHERE;
             e = filch__graph_next(s, e)) {
            uint32_t next = filch__graph_edge(s, e)->to;
            if (search->steps-- == 0) {
                search->steps = 0;
                return false;
            }
            if (search->seen[next] == search->round)
                continue;
            search->seen[next] = search->round;
            search->edge[next] = e;
            search->queue[tail++] = next;
        }
    }
    return false;
}

/* What stands in `queue` from now on: the edges of the cycle from `first` on. Their number. */
static uint32_t lay_out(const struct filch__snapshot *s, struct search *search, uint32_t first)
{
    const struct filch__edge *edge = filch__graph_edge(s, first);
    uint32_t n = 1, at = edge->from;
    for (; at != edge->to; at = filch__graph_edge(s, search->edge[at])->from)
        n++;
    search->queue[0] = first;
    at = edge->from;
    for (uint32_t i = n; i-- > 1; at = filch__graph_edge(s, search->edge[at])->from)
        search->queue[i] = search->edge[at];
    return n;
}

static int print_cycle(struct filch__snapshot *s, const uint32_t *edges, uint32_t n, FILE *stream)
{
    struct filch__line line = {.length = 0};
    int rc = 0;
    filch__say_text(&line, "deadlock: ");
    filch__say_node(s, &line, filch__graph_edge(s, edges[0])->from);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        struct filch__edge *edge = filch__graph_edge(s, edges[i]);
        const struct filch__blame *blame = &s->blames[edge->blame];
        edge->told = true;
        if (i == HOPS - 1 && n > HOPS)
            filch__say_text(&line, ", and %u more in between", n - HOPS);
        if (i >= HOPS - 1 && i < n - 1)
            continue;
        filch__say_text(&line, i == 0 ? " waits for " : ", which waits for ");
        filch__say_blame(s, &line, blame);
        if (blame->kind == FILCH__BLAME_SCOPE || blame->kind == FILCH__BLAME_CHILD ||
            blame->kind == FILCH__BLAME_JOB) {
            filch__say_text(&line, blame->kind == FILCH__BLAME_JOB ? ": " : " and its ");
            filch__say_node(s, &line, edge->to);
        }
        rc = filch__line_write_part(&line, stream);
    }
    return rc < 0 ? rc : filch__line_write(&line, stream);
}

static int print_more(const char *what, FILE *stream)
{
    struct filch__line line = {.length = 0};
    filch__say_text(&line, "%s: and more", what);
    return filch__line_write(&line, stream);
}

static int print_cycles(struct filch__snapshot *s, struct search *search, FILE *stream)
{
    int rc = 0, printed = 0;
    for (uint32_t i = 0; i < s->count && rc == 0; i++) {
        if (!filch__record_is_node(&s->records[i]) || !s->records[i].task.stuck)
            continue;
        for (uint32_t e = filch__graph_first(s, i); e != FILCH__NOWHERE && rc == 0;
             e = filch__graph_next(s, e)) {
            const struct filch__edge *edge = filch__graph_edge(s, e);
            if (edge->told || !find_way(s, search, edge->to, edge->from))
                continue;
            if (printed++ == CYCLES)
                return print_more("deadlock", stream);
            rc = print_cycle(s, search->queue, lay_out(s, search, e), stream);
        }
    }
    return rc;
}

/* ---- what nobody brings ---- */

static bool is_same(const struct filch__blame *a, const struct filch__blame *b)
{
    return a->kind == b->kind && a->object == b->object && strcmp(a->name, b->name) == 0;
}

/* Whether it is the first one of those for the same, and how many are behind it. */
static bool is_first(const struct filch__snapshot *s, uint32_t at, uint32_t *others)
{
    *others = 0;
    for (uint32_t n = 0; n < s->blame_count; n++) {
        if (n == at || !is_same(&s->blames[n], &s->blames[at]))
            continue;
        if (n < at)
            return false;
        ++*others;
    }
    return true;
}

/* Of node i. */
static int print_unfed(struct filch__snapshot *s, uint32_t i, uint32_t at, uint32_t others,
                       FILE *stream)
{
    struct filch__line line = {.length = 0};
    const struct filch__blame *blame = &s->blames[at];
    filch__say_text(&line, "no task is left for ");
    filch__say_blame(s, &line, blame);
    filch__say_text(&line, ": ");
    filch__say_node(s, &line, i);
    if (others)
        filch__say_text(&line, " and %u more wait", others);
    else
        filch__say_text(&line, " waits");
    filch__say_text(&line, "; only a thread outside could help");
    return filch__line_write(&line, stream);
}

/* All who wait for the same are told of at once. */
static int print_all_unfed(struct filch__snapshot *s, FILE *stream)
{
    int rc = 0, printed = 0;
    if (!filch__graph_is_still(s))
        return 0;
    for (uint32_t i = 0; i < s->count && rc == 0; i++) {
        const struct filch__record *r = &s->records[i];
        if (!filch__record_is_node(r) || !r->task.stuck)
            continue;
        for (uint32_t n = 0; n < r->task.wait.count && rc == 0; n++) {
            uint32_t at = r->task.wait.first + n, others;
            if (s->blames[at].kind != FILCH__BLAME_ANYBODY || !is_first(s, at, &others))
                continue;
            if (printed++ == UNFED)
                return print_more("no task is left", stream);
            rc = print_unfed(s, i, at, others, stream);
        }
    }
    return rc;
}

int filch__snapshot_print_stuck(struct filch__snapshot *s, FILE *stream)
{
    struct search search;
    int rc = 0;
    if (!s->graph)
        return 0;
    if (search_begin(s, &search))
        rc = print_cycles(s, &search, stream);
    else
        s->truncated = true;
    search_end(s, &search);
    return rc < 0 ? rc : print_all_unfed(s, stream);
}
