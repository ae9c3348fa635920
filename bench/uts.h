/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_UTS_H
#define BENCH_UTS_H

/* Unbalanced Tree Search: counting the nodes of a tree that exists only as a hash function.
 *
 * A node is a 20-byte SHA-1 state and a depth. Child i's state is SHA-1(parent's state, i as 32
 * bits big endian); the number of children is drawn from the node's own state. The shape of a
 * subtree cannot be known without walking it, and the sizes of the published trees are known
 * exactly. All functions are pure and may be called from any thread. */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uts_tree;

struct uts_node {
    uint8_t state[20];
    uint32_t depth;
};

/* The published tree of that name ("T1", "T2", "T3"), or NULL. */
const struct uts_tree *uts_find(const char *name);

void uts_root(const struct uts_tree *tree, struct uts_node *root);

/* At most UTS_CHILDREN_MAX, other than for the root of a binomial tree (T3: 2000). */
#define UTS_CHILDREN_MAX 100
unsigned uts_child_count(const struct uts_tree *tree, const struct uts_node *node);

/* `index` is below the parent's child count. */
void uts_child(const struct uts_node *parent, uint32_t index, struct uts_node *child);

#ifdef __cplusplus
}
#endif

#endif
