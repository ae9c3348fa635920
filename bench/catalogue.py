# SPDX-License-Identifier: Apache-2.0
"""The runtimes, the benchmarks, their parameters and the results that are right.

To add a benchmark, add a line to BENCHMARKS; to add a runtime, add one to RUNTIMES, name it in the
benchmarks that it has, and build its program in meson.build.
"""

from collections import namedtuple

# what: how to get it, for the line that says why it is left out. single: it has one thread, and is
# measured once whatever the worker counts are.
Runtime = namedtuple("Runtime", "name what env single")

RUNTIMES = [
    Runtime("filch", "the build of the library failed", {}, False),
    Runtime("serial", "needs gcc", {}, True),
    Runtime("openmp", "needs a C compiler with OpenMP", {"OMP_WAIT_POLICY": "passive"}, False),
    Runtime("onetbb", "needs g++ and libtbb-dev", {}, False),
    Runtime("rayon", "needs cargo and librust-rayon-dev", {}, False),
    Runtime("tokio", "needs cargo and librust-tokio-dev", {}, False),
    Runtime("go", "needs golang-go", {}, False),
    Runtime("libuv", "needs libuv1-dev", {}, True),
]

COMMON = ("filch", "serial", "openmp", "onetbb", "rayon")
OWN = ("filch",)
ASYNC = ("filch", "tokio", "go")
TIMERS = ASYNC + ("libuv",)

# param: what its program takes; of uts the nodes of the published tree, for the record alone.
# workers: None for each of --workers, or the one count that the benchmark is about.
# expected: from the parameter to the result that is right.
Benchmark = namedtuple("Benchmark", "name unit full quick expected runtimes workers")


def fib(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return str(a)


def constant(result):
    return lambda param: result


def rounds(param):
    return f"{param} of {param} on another thread"


QUEENS = {11: "2680", 14: "365596"}

BENCHMARKS = [
    Benchmark("fib", "ns/task", 42, 35, fib, COMMON, None),
    Benchmark("skynet", "s", 10**8, 10**6, lambda n: str(n * (n - 1) // 2), COMMON, None),
    Benchmark("nqueens", "s", 14, 11, QUEENS.get, COMMON, None),
    Benchmark("matmul", "s", 2048, 1024, constant("C*v = A*(B*v)"), COMMON, None),
    Benchmark("uts-T1", "s", 4130071, 4130071, str, COMMON, None),
    Benchmark("uts-T2", "s", 4117769, 4117769, str, COMMON, None),
    Benchmark("uts-T3", "s", 4112897, 4112897, str, COMMON, None),
    Benchmark("spawn-join", "ns/op", 10**6, 10**5, str, ASYNC, None),
    Benchmark("fib-spawn", "ns/op", 30, 25, fib, OWN, None),
    Benchmark("yield", "ns/op", 10**6, 10**5, lambda n: str(4 * n), ASYNC, 1),
    Benchmark("await-ready", "ns/op", 10**8, 10**7, str, ("filch", "tokio"), 1),
    Benchmark("select8", "ns/op", 10**6, 10**5, str, ASYNC, 1),
    Benchmark("sleep-start", "ns/op", 10**6, 10**5, str, ASYNC, None),
    Benchmark("abort", "ns/op", 10**6, 10**5, str, ASYNC, None),
    Benchmark("timer-arm-cancel", "ns/op", 10**7, 10**6, str, TIMERS, 1),
    Benchmark("timer-lateness-p99", "ns", 10**6, 10**5, str, TIMERS, None),
    Benchmark("fd-echo", "ns/op", 10**6, 10**5, str, ASYNC, None),
    Benchmark("ping-pong", "ns/op", 10**6, 10**5, str, ASYNC, None),
    Benchmark("mutex64", "ns/op", 64 * 10**5, 64 * 10**4, str, ASYNC, None),
    Benchmark("mutex-uncontended", "ns/op", 10**7, 10**6, str, ASYNC, 1),
    Benchmark("channel4x4", "ns/op", 10**7, 10**6, lambda n: str(n * (n + 1) // 2), ASYNC, None),
    Benchmark("rwlock-read", "ns/op", 10**7, 10**6, str, ASYNC, None),
    Benchmark("scope-open-close", "ns/op", 10**7, 10**6, str, OWN, 1),
    Benchmark("scope-spawn", "ns/op", 10**6, 10**5, str, OWN, None),
    Benchmark("scope-spawn-join", "ns/op", 10**6, 10**5, str, OWN, None),
    Benchmark("scope-cancel", "ns/op", 10**6, 1000, str, OWN, None),
    Benchmark("scope-cancel", "ns/op", 1000, 1000, str, OWN, None),
    Benchmark("steal", "ns", 10000, 1000, rounds, OWN, 2),
    Benchmark("busy-owner-steal", "ns", 50, 10, rounds, OWN, 2),
    Benchmark("wake", "ns", 200, 50, rounds, OWN, 2),
    Benchmark("bytes-task", "B", 10**6, 10**5, str, OWN, 1),
    Benchmark("bytes-sleeper", "B", 10**6, 10**5, str, ASYNC, 1),
    Benchmark("bytes-fiber-sleeper", "B", 10**6, 10**5, str, OWN, 1),
    Benchmark("idle", "% of a CPU", 10, 2, constant("idle"), OWN, 2),
]

# Also a record: the peak memory of one benchmark, in MiB.
PEAK = {"fib": "peak-fib"}
