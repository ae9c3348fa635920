/* SPDX-License-Identifier: Apache-2.0 */

/* The common benchmarks on filch: fork-join with the frame's own storage. */

#include "bench/filch_peer.h"

static filch_runtime *runtime;

struct range {
    uint64_t base;
    uint64_t leaves;
    uint64_t sum;
};

static int skynet(void *p)
{
    struct range *r = p;
    if (r->leaves == 1) {
        r->sum = r->base;
        return 0;
    }
    struct range part[10];
    filch_job job[9];
    uint64_t step = r->leaves / 10;
    for (uint64_t i = 0; i < 10; i++)
        part[i] = (struct range){r->base + i * step, step, 0};
    for (int i = 0; i < 9; i++) {
        job[i] = (filch_job)FILCH_JOB(skynet, &part[i]);
        filch_fork(&job[i]);
    }
    skynet(&part[9]);
    uint64_t sum = part[9].sum;
    for (int i = 8; i >= 0; i--) {
        filch_sync(&job[i]);
        sum += part[i].sum;
    }
    r->sum = sum;
    return 0;
}

/* The counts of nqueens and uts fit the result that a job carries. */

static int nqueens(void *p)
{
    const struct queens *board = p;
    if (board->row == board->n)
        return 1;
    struct queens child[QUEENS_MAX];
    filch_job job[QUEENS_MAX];
    unsigned count = queens_children(board, child);
    for (unsigned i = 0; i < count; i++) {
        job[i] = (filch_job)FILCH_JOB(nqueens, &child[i]);
        filch_fork(&job[i]);
    }
    int sum = 0;
    for (unsigned i = count; i-- > 0;)
        sum += filch_sync(&job[i]);
    return sum;
}

static int matmul(void *p)
{
    const struct block *m = p;
    if (m->n == MATMUL_LEAF) {
        block_leaf(m);
        return 0;
    }
    for (int phase = 0; phase < 2; phase++) {
        struct block part[4];
        filch_job job[3];
        block_split(m, phase, part);
        for (int i = 0; i < 3; i++) {
            job[i] = (filch_job)FILCH_JOB(matmul, &part[i]);
            filch_fork(&job[i]);
        }
        matmul(&part[3]);
        for (int i = 2; i >= 0; i--)
            filch_sync(&job[i]);
    }
    return 0;
}

struct uts_task {
    const struct uts_tree *tree;
    struct uts_node node;
};

/* The children `first` to `first + count - 1` of a node. */
struct uts_children {
    const struct uts_task *parent;
    uint32_t first;
    uint32_t count;
};

static int uts_children(void *p);

static int uts(const struct uts_task *task)
{
    struct uts_children all = {task, 0, uts_child_count(task->tree, &task->node)};
    return all.count == 0 ? 1 : 1 + uts_children(&all);
}

/* By halves, so that a frame has one job however many children a node has. */
static int uts_children(void *p)
{
    const struct uts_children *c = p;
    if (c->count == 1) {
        struct uts_task child = {.tree = c->parent->tree};
        uts_child(&c->parent->node, c->first, &child.node);
        return uts(&child);
    }
    uint32_t half = c->count / 2;
    struct uts_children left = {c->parent, c->first, half};
    struct uts_children right = {c->parent, c->first + half, c->count - half};
    filch_job job = FILCH_JOB(uts_children, &right);
    filch_fork(&job);
    int nodes = uts_children(&left);
    return nodes + filch_sync(&job);
}

static int uts_start(void *p)
{
    return uts(p);
}

const char *peer_version(void)
{
    return "filch, " BENCH_COMPILER;
}

int peer_start(unsigned workers)
{
    runtime = filch_bench_runtime(workers);
    return 0;
}

void peer_stop(void)
{
    must(filch_runtime_destroy(runtime), "destroy");
}

static int run(filch_fn *fn, const void *arg)
{
    int rc = filch_run(runtime, fn, (void *)(uintptr_t)arg);
    must(rc, "run");
    return rc;
}

int peer_fib(int n)
{
    return run(fib_task, (void *)(intptr_t)n);
}

uint64_t peer_skynet(uint64_t leaves)
{
    struct range all = {0, leaves, 0};
    run(skynet, &all);
    return all.sum;
}

uint64_t peer_nqueens(const struct queens *board)
{
    return (uint64_t)run(nqueens, board);
}

void peer_matmul(const struct block *m)
{
    run(matmul, m);
}

uint64_t peer_uts(const struct uts_tree *tree)
{
    struct uts_task root = {.tree = tree};
    uts_root(tree, &root.node);
    return (uint64_t)run(uts_start, &root);
}
