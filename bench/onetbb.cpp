/* SPDX-License-Identifier: Apache-2.0 */

/* Peer: oneTBB by task_group, which was as fast as parallel_invoke with one worker and faster with
 * two. */

#include "bench/loops.h"

#include <optional>
#include <vector>

#include <tbb/global_control.h>
#include <tbb/parallel_sort.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>
#include <tbb/version.h>

namespace
{

struct runtime {
    tbb::global_control workers;
    tbb::global_control stack;
    tbb::task_arena arena;

    explicit runtime(unsigned n)
        : workers(tbb::global_control::max_allowed_parallelism, n),
          stack(tbb::global_control::thread_stack_size, std::size_t{16} << 20),
          arena(static_cast<int>(n))
    {
    }
};

std::optional<runtime> instance;

int fib(int n)
{
    if (n < 2)
        return n;
    int a;
    tbb::task_group group;
    group.run([=, &a] { a = fib(n - 1); });
    int b = fib(n - 2);
    group.wait();
    return a + b;
}

std::uint64_t skynet(std::uint64_t base, std::uint64_t leaves)
{
    if (leaves == 1)
        return base;
    std::uint64_t part[10];
    std::uint64_t step = leaves / 10;
    tbb::task_group group;
    for (std::uint64_t i = 0; i < 9; i++)
        group.run([=, &part] { part[i] = skynet(base + i * step, step); });
    part[9] = skynet(base + 9 * step, step);
    group.wait();
    std::uint64_t sum = 0;
    for (std::uint64_t p : part)
        sum += p;
    return sum;
}

std::uint64_t nqueens(const queens &board)
{
    if (board.row == board.n)
        return 1;
    queens child[QUEENS_MAX];
    std::uint64_t part[QUEENS_MAX];
    unsigned count = queens_children(&board, child);
    if (count == 0)
        return 0;
    tbb::task_group group;
    for (unsigned i = 0; i < count; i++)
        group.run([i, &part, &child] { part[i] = nqueens(child[i]); });
    group.wait();
    std::uint64_t sum = 0;
    for (unsigned i = 0; i < count; i++)
        sum += part[i];
    return sum;
}

void matmul(const block &m)
{
    if (m.n == MATMUL_LEAF) {
        block_leaf(&m);
        return;
    }
    for (int phase = 0; phase < 2; phase++) {
        block part[4];
        block_split(&m, phase, part);
        tbb::task_group group;
        for (int i = 0; i < 3; i++)
            group.run([i, &part] { matmul(part[i]); });
        matmul(part[3]);
        group.wait();
    }
}

std::uint64_t uts(const uts_tree *tree, const uts_node &node);

std::uint64_t uts_visit(const uts_tree *tree, const uts_node &parent, unsigned i)
{
    uts_node child;
    uts_child(&parent, i, &child);
    return uts(tree, child);
}

std::uint64_t uts(const uts_tree *tree, const uts_node &node)
{
    unsigned count = uts_child_count(tree, &node);
    if (count == 0)
        return 1;
    std::vector<std::uint64_t> part(count);
    tbb::task_group group;
    for (unsigned i = 0; i + 1 < count; i++)
        group.run([=, &part, &node] { part[i] = uts_visit(tree, node, i); });
    part[count - 1] = uts_visit(tree, node, count - 1);
    group.wait();
    std::uint64_t nodes = 1;
    for (std::uint64_t p : part)
        nodes += p;
    return nodes;
}

} // namespace

const char *peer_version(void)
{
    return "oneTBB " TBB_VERSION_STRING ", " BENCH_COMPILER;
}

int peer_start(unsigned workers)
{
    instance.emplace(workers);
    return 0;
}

void peer_stop(void)
{
    instance.reset();
}

int peer_fib(int n)
{
    return instance->arena.execute([=] { return fib(n); });
}

std::uint64_t peer_skynet(std::uint64_t leaves)
{
    return instance->arena.execute([=] { return skynet(0, leaves); });
}

std::uint64_t peer_nqueens(const queens *board)
{
    return instance->arena.execute([=] { return nqueens(*board); });
}

void peer_matmul(const block *m)
{
    instance->arena.execute([=] { matmul(*m); });
}

std::uint64_t peer_uts(const uts_tree *tree)
{
    uts_node root;
    uts_root(tree, &root);
    return instance->arena.execute([&] { return uts(tree, root); });
}

namespace
{

void sort(std::int64_t *base, std::size_t n)
{
    instance->arena.execute([=] { tbb::parallel_sort(base, base + n); });
}

int run_sort(std::uint64_t n, unsigned workers, bench_result *out)
{
    if (int rc = peer_start(workers))
        return rc;
    int rc = loops_sort(sort, n, out);
    peer_stop();
    return rc;
}

const bench_case own[] = {{"sort", run_sort}, {nullptr, nullptr}};

} // namespace

int main(int argc, char **argv)
{
    return bench_main(argc, argv, own);
}
