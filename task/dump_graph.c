/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wait-for graph of a dump: who is stuck.
 *
 * A node can go on if it runs or is ready, waits for something outside or until a time, or if who is
 * to end its wait can go on: one of them, or all where it waits for all. What anybody may bring, it
 * gets if there is anybody who can go on. All others are stuck. Who is not known counts as one who
 * can go on, so what is missing in the snapshot makes nobody stuck.
 *
 * Nodes were not looked at in one moment. So those that seem stuck are looked at again, twice: at
 * first whether they wait as before and for the same ones, then whether they have not stirred. What
 * passes has stood still from the last look of the first round to the first one of the last, and was
 * seen as it stood in between. Who owns something while he stands still has not got it, or lost
 * it, meanwhile; but for who has just been given what he waits for, which is not a cycle.
 */
#include "sched/admission.h"
#include "sched/os/memory.h"
#include "task/dump.h"

#include <string.h>

struct node {
    uint32_t first_from, first_to; /* edges */
    uint32_t left;                 /* edges, and what anybody may bring, before it can go on */
    uint32_t anybody;              /* how many of these the latter are */
    uint32_t awaited_by;           /* of a region */
    uint32_t next;                 /* that can go on, and has not told those who wait for it */
    bool goes_on;
};

struct filch__graph {
    struct node *nodes; /* by index of the record */
    uint32_t count, edge_count, edge_capacity, first;
    struct filch__edge *edges;
    uint32_t *slots; /* a hash table over holders and stolen jobs, as of the snapshot */
    uint32_t slot_count;
    bool still; /* nobody goes on */
};

/* ---- memory ---- */

static size_t slots_size(const struct filch__graph *g)
{
    return g->slot_count * sizeof *g->slots;
}

static bool allocate(struct filch__snapshot *s)
{
    struct filch__graph *g = filch__alloc(s->arena, sizeof *g, 64);
    if (!(s->graph = g))
        return false;
    memset(g, 0, sizeof *g);
    g->count = s->count;
    g->edge_capacity = s->blame_count + s->count + 1; /* each child of a scope is one more */
    g->slot_count = 4 * s->capacity;                  /* two keys of each record */
    g->nodes = filch__alloc(s->arena, g->count * sizeof *g->nodes, 64);
    g->edges = filch__alloc(s->arena, g->edge_capacity * sizeof *g->edges, 64);
    g->slots = filch__alloc(s->arena, slots_size(g), 64);
    return g->nodes && g->edges && g->slots;
}

void filch__graph_free(struct filch__snapshot *s)
{
    struct filch__graph *g = s->graph;
    if (!g)
        return;
    filch__free(s->arena, g->nodes, g->count * sizeof *g->nodes, 64);
    filch__free(s->arena, g->edges, g->edge_capacity * sizeof *g->edges, 64);
    filch__free(s->arena, g->slots, slots_size(g), 64);
    filch__free(s->arena, g, sizeof *g, 64);
    s->graph = NULL;
}

/* ---- holders and stolen jobs ---- */

static bool has_key(const struct filch__record *r, const void *key)
{
    return r->task.holder == key || r->task.loot == key;
}

static uint32_t *slot_of(const struct filch__snapshot *s, const void *key)
{
    const struct filch__graph *g = s->graph;
    uint32_t at = (uint32_t)(((uintptr_t)key >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 32);
    while (g->slots[at & (g->slot_count - 1)] &&
           !has_key(&s->records[g->slots[at & (g->slot_count - 1)] - 1], key))
        at++;
    return &g->slots[at & (g->slot_count - 1)];
}

static void enter_keys(struct filch__snapshot *s)
{
    memset(s->graph->slots, 0, slots_size(s->graph));
    for (uint32_t i = 0; i < s->count; i++) {
        const struct filch__record *r = &s->records[i];
        if (!filch__record_is_node(r))
            continue;
        if (r->task.holder)
            *slot_of(s, r->task.holder) = i + 1;
        if (r->task.loot)
            *slot_of(s, r->task.loot) = i + 1;
    }
}

uint32_t filch__graph_find(const struct filch__snapshot *s, const struct filch__blame *blame)
{
    uint32_t found;
    if (!blame->who)
        return FILCH__NOWHERE;
    switch (blame->kind) {
    case FILCH__BLAME_TASK:
    case FILCH__BLAME_SCOPE:
    case FILCH__BLAME_CHILD:
        return filch__snapshot_find(s, blame->who);
    case FILCH__BLAME_HOLDER:
    case FILCH__BLAME_JOB:
        found = s->graph ? *slot_of(s, blame->who) : 0;
        return found ? found - 1 : FILCH__NOWHERE;
    default:
        return FILCH__NOWHERE;
    }
}

/* ---- edges ---- */

static void add_edge(struct filch__graph *g, uint32_t from, uint32_t to, uint32_t blame)
{
    struct filch__edge *e = &g->edges[g->edge_count];
    *e = (struct filch__edge){.from = from,
                              .to = to,
                              .next_from = g->nodes[from].first_from,
                              .next_to = g->nodes[to].first_to,
                              .blame = blame};
    g->nodes[from].first_from = g->nodes[to].first_to = g->edge_count++;
    g->nodes[from].left++;
}

static void go_on(struct filch__graph *g, uint32_t i)
{
    if (g->nodes[i].goes_on)
        return;
    g->nodes[i].goes_on = true;
    g->nodes[i].next = g->first;
    g->first = i;
}

/* Of a wait for any, or for all: one that is known not to hinder it. */
static void grant(const struct filch__snapshot *s, uint32_t i)
{
    if (!s->records[i].task.wait.all)
        go_on(s->graph, i);
}

/* Edges to children come when all waits for scopes are known. */
static void add_blame(struct filch__snapshot *s, uint32_t i, uint32_t at)
{
    struct filch__graph *g = s->graph;
    const struct filch__blame *blame = &s->blames[at];
    uint32_t to = filch__graph_find(s, blame);
    switch (blame->kind) {
    case FILCH__BLAME_OUTSIDE:
        grant(s, i);
        break;
    case FILCH__BLAME_ANYBODY:
        g->nodes[i].left++;
        g->nodes[i].anybody++;
        break;
    case FILCH__BLAME_SCOPE:
    case FILCH__BLAME_CHILD:
        if (to == FILCH__NOWHERE || s->records[to].kind != FILCH__RECORD_REGION)
            grant(s, i);
        else
            g->nodes[to].awaited_by = i;
        break;
    default:
        if (to == FILCH__NOWHERE || to == i || !filch__record_is_node(&s->records[to]))
            grant(s, i);
        else
            add_edge(g, i, to, at);
        break;
    }
}

static void add_node(struct filch__snapshot *s, uint32_t i)
{
    const struct filch__record *r = &s->records[i];
    const struct filch__wait_record *wait = &r->task.wait;
    if (r->task.moves || !wait->count || wait->timed || (wait->more && !wait->all))
        go_on(s->graph, i);
    for (uint32_t n = 0; n < wait->count; n++)
        add_blame(s, i, wait->first + n);
}

static void add_child(struct filch__snapshot *s, uint32_t i)
{
    const struct filch__record *r = &s->records[i];
    uint32_t scope = r->parent ? filch__snapshot_find(s, r->parent) : FILCH__NOWHERE;
    if (r->kind != FILCH__RECORD_TASK || scope == FILCH__NOWHERE)
        return;
    uint32_t opener = s->graph->nodes[scope].awaited_by;
    if (opener != FILCH__NOWHERE)
        add_edge(s->graph, opener, i, s->records[opener].task.wait.first);
}

/* A wait for a child goes on too, if not all children are known. */
static void check_opener(struct filch__snapshot *s, uint32_t region)
{
    struct filch__graph *g = s->graph;
    uint32_t opener = g->nodes[region].awaited_by;
    if (opener == FILCH__NOWHERE)
        return;
    const struct filch__wait_record *wait = &s->records[opener].task.wait;
    bool any = s->blames[wait->first].kind == FILCH__BLAME_CHILD;
    if (any && g->nodes[opener].left < s->records[region].region.live)
        go_on(g, opener);
}

/* ---- who can go on ---- */

static bool waits_for_all(const struct filch__snapshot *s, uint32_t i)
{
    const struct filch__wait_record *wait = &s->records[i].task.wait;
    return wait->all || s->blames[wait->first].kind == FILCH__BLAME_SCOPE;
}

static void got(struct filch__snapshot *s, uint32_t i, uint32_t n)
{
    struct node *node = &s->graph->nodes[i];
    node->left -= n;
    if (!node->left || !waits_for_all(s, i))
        go_on(s->graph, i);
}

/* Those who can go on let those go on who wait for them. */
static void spread(struct filch__snapshot *s)
{
    struct filch__graph *g = s->graph;
    while (g->first != FILCH__NOWHERE) {
        uint32_t i = g->first;
        g->first = g->nodes[i].next;
        for (uint32_t e = g->nodes[i].first_to; e != FILCH__NOWHERE; e = g->edges[e].next_to)
            if (!g->nodes[g->edges[e].from].goes_on)
                got(s, g->edges[e].from, 1);
    }
}

/* What is there beside the nodes that may do something: a deadline of a scope, a task that was not
 * found, a runtime that ends. */
static bool is_busy(const struct filch__snapshot *s)
{
    for (uint32_t i = 0; i < s->count; i++) {
        const struct filch__record *r = &s->records[i];
        if (r->kind == FILCH__RECORD_REGION && !r->cause && r->region.deadline != FILCH_NEVER)
            return true;
        if (r->kind == FILCH__RECORD_RUNTIME && (r->runtime.live > 0 || r->runtime.closing))
            return true;
        if (filch__record_is_node(r) && s->graph->nodes[i].goes_on)
            return true;
    }
    return false;
}

static void judge(struct filch__snapshot *s)
{
    struct filch__graph *g = s->graph;
    g->edge_count = 0;
    g->first = FILCH__NOWHERE;
    for (uint32_t i = 0; i < s->count; i++)
        g->nodes[i] = (struct node){
            .first_from = FILCH__NOWHERE, .first_to = FILCH__NOWHERE, .awaited_by = FILCH__NOWHERE};
    for (uint32_t i = 0; i < s->count; i++)
        if (filch__record_is_node(&s->records[i]))
            add_node(s, i);
    for (uint32_t i = 0; i < s->count; i++)
        add_child(s, i);
    for (uint32_t i = 0; i < s->count; i++) {
        check_opener(s, i);
        if (filch__record_is_node(&s->records[i]) && !g->nodes[i].left)
            go_on(g, i);
    }
    spread(s);
    g->still = !is_busy(s);
    for (uint32_t i = 0; i < s->count && !g->still; i++)
        if (g->nodes[i].anybody && !g->nodes[i].goes_on)
            got(s, i, g->nodes[i].anybody);
    spread(s);
    for (uint32_t i = 0; i < s->count; i++)
        if (filch__record_is_node(&s->records[i]))
            s->records[i].task.stuck = !g->nodes[i].goes_on;
}

/* ---- again ---- */

static bool look_again(struct filch__snapshot *s, bool closely)
{
    bool moves = false;
    for (uint32_t i = 0; i < s->count; i++) {
        struct filch__record *r = &s->records[i];
        if (!filch__record_is_node(r) || !r->task.stuck ||
            filch__snapshot_look_again(s, i, closely))
            continue;
        r->task.moves = moves = true;
    }
    return moves;
}

/* How many live beside the stuck tasks of each runtime. */
static void count_others(struct filch__snapshot *s)
{
    for (uint32_t i = 0; i < s->count; i++) {
        struct filch__record *r = &s->records[i];
        if (r->kind == FILCH__RECORD_RUNTIME)
            r->runtime.live = filch__admission_live(r->self);
    }
    for (uint32_t i = 0; i < s->count; i++) {
        const struct filch__record *r = &s->records[i];
        uint32_t rt = filch__snapshot_find(s, r->rt);
        bool counts = r->kind == FILCH__RECORD_REGION
                          ? r->region.admitted
                          : r->kind == FILCH__RECORD_TASK && r->task.stuck;
        if (counts && rt != FILCH__NOWHERE)
            s->records[rt].runtime.live--;
    }
}

static bool is_any_stuck(const struct filch__snapshot *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (filch__record_is_node(&s->records[i]) && s->records[i].task.stuck)
            return true;
    return false;
}

void filch__graph_build(struct filch__snapshot *s)
{
    if (s->truncated || !s->count)
        return;
    if (!allocate(s)) {
        filch__graph_free(s);
        s->truncated = true;
        return;
    }
    enter_keys(s);
    judge(s);
    if (!is_any_stuck(s))
        return;
    bool moves = look_again(s, true);
    if (s->graph->still)
        count_others(s);
    moves |= look_again(s, false);
    if (moves || s->graph->still)
        judge(s);
}

bool filch__graph_is_still(const struct filch__snapshot *s)
{
    return s->graph && s->graph->still;
}

/* The next edge, from e on, to one that is stuck. */
static uint32_t stuck_from(const struct filch__snapshot *s, uint32_t e)
{
    while (e != FILCH__NOWHERE && !s->records[s->graph->edges[e].to].task.stuck)
        e = s->graph->edges[e].next_from;
    return e;
}

uint32_t filch__graph_first(const struct filch__snapshot *s, uint32_t from)
{
    return stuck_from(s, s->graph->nodes[from].first_from);
}

uint32_t filch__graph_next(const struct filch__snapshot *s, uint32_t edge)
{
    return stuck_from(s, s->graph->edges[edge].next_from);
}

struct filch__edge *filch__graph_edge(const struct filch__snapshot *s, uint32_t edge)
{
    return &s->graph->edges[edge];
}
