/* SPDX-License-Identifier: Apache-2.0 */

/* OpenSSL 3 steers towards EVP, whose look-up of the algorithm costs more than hashing one block.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "bench/uts.h"

#include <math.h>
#include <openssl/sha.h>
#include <stddef.h>
#include <string.h>

enum uts_kind { UTS_BINOMIAL, UTS_FIXED, UTS_CYCLIC };

struct uts_tree {
    const char *name;
    enum uts_kind kind;
    double branching;     /* expected children; of the root alone in a binomial tree */
    uint32_t depth_limit; /* fixed: of the tree; cyclic: the period, and a fifth of the limit */
    double inner_chance;  /* binomial: that a node has inner_children, rather than none */
    uint32_t inner_children;
    uint32_t seed;
};

static const struct uts_tree trees[] = {
    {"T1", UTS_FIXED, 4, 10, 0, 0, 19},
    {"T2", UTS_CYCLIC, 6, 16, 0, 0, 502},
    {"T3", UTS_BINOMIAL, 2000, 0, 0.124875, 8, 42},
};

const struct uts_tree *uts_find(const char *name)
{
    for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
        if (strcmp(trees[i].name, name) == 0)
            return &trees[i];
    }
    return NULL;
}

static void put_be32(uint8_t *out, uint32_t x)
{
    out[0] = (uint8_t)(x >> 24);
    out[1] = (uint8_t)(x >> 16);
    out[2] = (uint8_t)(x >> 8);
    out[3] = (uint8_t)x;
}

static void hash(uint8_t out[20], const uint8_t *in, size_t n)
{
    SHA_CTX c;
    SHA1_Init(&c);
    SHA1_Update(&c, in, n);
    SHA1_Final(out, &c);
}

void uts_root(const struct uts_tree *tree, struct uts_node *root)
{
    uint8_t seed[20] = {0};
    put_be32(seed + 16, tree->seed);
    hash(root->state, seed, sizeof(seed));
    root->depth = 0;
}

void uts_child(const struct uts_node *parent, uint32_t index, struct uts_node *child)
{
    uint8_t in[24];
    memcpy(in, parent->state, 20);
    put_be32(in + 20, index);
    hash(child->state, in, sizeof(in));
    child->depth = parent->depth + 1;
}

/* Uniform in [0, 1): the low 31 bits of the state's last word. */
static double node_chance(const struct uts_node *node)
{
    const uint8_t *s = node->state + 16;
    uint32_t word = (uint32_t)s[0] << 24 | (uint32_t)s[1] << 16 | (uint32_t)s[2] << 8 | s[3];
    return (double)(word & 0x7fffffffu) / 2147483648.0;
}

static double expected_children(const struct uts_tree *tree, uint32_t depth)
{
    static const double pi = 3.141592653589793;
    if (depth == 0)
        return tree->branching;
    if (tree->kind == UTS_FIXED)
        return depth < tree->depth_limit ? tree->branching : 0;
    if (depth > 5 * tree->depth_limit)
        return 0;
    return pow(tree->branching, sin(2 * pi * (double)depth / (double)tree->depth_limit));
}

unsigned uts_child_count(const struct uts_tree *tree, const struct uts_node *node)
{
    if (tree->kind == UTS_BINOMIAL) {
        if (node->depth == 0)
            return (unsigned)tree->branching;
        return node_chance(node) < tree->inner_chance ? tree->inner_children : 0;
    }
    /* Geometric with the expected value as its mean. */
    double p = 1 / (1 + expected_children(tree, node->depth));
    double count = floor(log(1 - node_chance(node)) / log(1 - p));
    return count < UTS_CHILDREN_MAX ? (unsigned)count : UTS_CHILDREN_MAX;
}
