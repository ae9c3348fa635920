/* SPDX-License-Identifier: Apache-2.0 */

/* Peer: OpenMP tasks as the compiler ships them (GCC: libgomp). The harness sets
 * OMP_WAIT_POLICY=passive: by default libgomp's idle thread spins on the team's lock, which made
 * fib with two threads 2.7 times slower. */

#include "bench/driver.h"

#include <omp.h>

static int fib(int n)
{
    if (n < 2)
        return n;
    int a;
    int b;
#pragma omp task shared(a) firstprivate(n)
    a = fib(n - 1);
    b = fib(n - 2);
#pragma omp taskwait
    return a + b;
}

static uint64_t skynet(uint64_t base, uint64_t leaves)
{
    if (leaves == 1)
        return base;
    uint64_t part[10];
    uint64_t step = leaves / 10;
    for (uint64_t i = 0; i < 9; i++) {
#pragma omp task shared(part) firstprivate(base, step, i)
        part[i] = skynet(base + i * step, step);
    }
    part[9] = skynet(base + 9 * step, step);
#pragma omp taskwait
    uint64_t sum = 0;
    for (int i = 0; i < 10; i++)
        sum += part[i];
    return sum;
}

static uint64_t nqueens(const struct queens *board)
{
    if (board->row == board->n)
        return 1;
    struct queens child[QUEENS_MAX];
    uint64_t part[QUEENS_MAX];
    unsigned count = queens_children(board, child);
    for (unsigned i = 0; i < count; i++) {
#pragma omp task shared(part, child) firstprivate(i)
        part[i] = nqueens(&child[i]);
    }
#pragma omp taskwait
    uint64_t sum = 0;
    for (unsigned i = 0; i < count; i++)
        sum += part[i];
    return sum;
}

static void matmul(const struct block *m)
{
    if (m->n == MATMUL_LEAF) {
        block_leaf(m);
        return;
    }
    for (int phase = 0; phase < 2; phase++) {
        struct block part[4];
        block_split(m, phase, part);
        for (int i = 0; i < 3; i++) {
#pragma omp task shared(part) firstprivate(i)
            matmul(&part[i]);
        }
        matmul(&part[3]);
#pragma omp taskwait
    }
}

static uint64_t uts(const struct uts_tree *tree, const struct uts_node *node);

static uint64_t uts_visit(const struct uts_tree *tree, const struct uts_node *parent, unsigned i)
{
    struct uts_node child;
    uts_child(parent, i, &child);
    return uts(tree, &child);
}

static uint64_t uts(const struct uts_tree *tree, const struct uts_node *node)
{
    unsigned count = uts_child_count(tree, node);
    if (count == 0)
        return 1;
    uint64_t part[count];
    for (unsigned i = 0; i + 1 < count; i++) {
#pragma omp task shared(part) firstprivate(tree, node, i)
        part[i] = uts_visit(tree, node, i);
    }
    part[count - 1] = uts_visit(tree, node, count - 1);
#pragma omp taskwait
    uint64_t nodes = 1;
    for (unsigned i = 0; i < count; i++)
        nodes += part[i];
    return nodes;
}

const char *peer_version(void)
{
    return "OpenMP tasks, " BENCH_COMPILER;
}

int peer_start(unsigned workers)
{
    omp_set_dynamic(0);
    omp_set_num_threads((int)workers);
    return 0;
}

void peer_stop(void) {}

int peer_fib(int n)
{
    int result;
#pragma omp parallel
#pragma omp single
    result = fib(n);
    return result;
}

uint64_t peer_skynet(uint64_t leaves)
{
    uint64_t result;
#pragma omp parallel
#pragma omp single
    result = skynet(0, leaves);
    return result;
}

uint64_t peer_nqueens(const struct queens *board)
{
    uint64_t result;
#pragma omp parallel
#pragma omp single
    result = nqueens(board);
    return result;
}

void peer_matmul(const struct block *m)
{
#pragma omp parallel
#pragma omp single
    matmul(m);
}

uint64_t peer_uts(const struct uts_tree *tree)
{
    struct uts_node root;
    uint64_t result;
    uts_root(tree, &root);
#pragma omp parallel
#pragma omp single
    result = uts(tree, &root);
    return result;
}
