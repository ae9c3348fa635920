/* SPDX-License-Identifier: Apache-2.0 */

/* Peer: plain C, no tasks: the work itself. */

#include "bench/driver.h"

const char *peer_version(void)
{
    return "plain calls, " BENCH_COMPILER;
}

int peer_start(unsigned workers)
{
    (void)workers;
    return 0;
}

void peer_stop(void) {}

int peer_fib(int n)
{
    if (n < 2)
        return n;
    return peer_fib(n - 1) + peer_fib(n - 2);
}

static uint64_t skynet(uint64_t base, uint64_t leaves)
{
    if (leaves == 1)
        return base;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < 10; i++)
        sum += skynet(base + i * (leaves / 10), leaves / 10);
    return sum;
}

uint64_t peer_skynet(uint64_t leaves)
{
    return skynet(0, leaves);
}

uint64_t peer_nqueens(const struct queens *board)
{
    if (board->row == board->n)
        return 1;
    struct queens child[QUEENS_MAX];
    unsigned count = queens_children(board, child);
    uint64_t sum = 0;
    for (unsigned i = 0; i < count; i++)
        sum += peer_nqueens(&child[i]);
    return sum;
}

void peer_matmul(const struct block *m)
{
    if (m->n == MATMUL_LEAF) {
        block_leaf(m);
        return;
    }
    for (int phase = 0; phase < 2; phase++) {
        struct block part[4];
        block_split(m, phase, part);
        for (int i = 0; i < 4; i++)
            peer_matmul(&part[i]);
    }
}

static uint64_t uts(const struct uts_tree *tree, const struct uts_node *node)
{
    unsigned count = uts_child_count(tree, node);
    uint64_t nodes = 1;
    for (unsigned i = 0; i < count; i++) {
        struct uts_node child;
        uts_child(node, i, &child);
        nodes += uts(tree, &child);
    }
    return nodes;
}

uint64_t peer_uts(const struct uts_tree *tree)
{
    struct uts_node root;
    uts_root(tree, &root);
    return uts(tree, &root);
}
