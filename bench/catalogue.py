# SPDX-License-Identifier: Apache-2.0
"""The runtimes, the benchmarks, their parameters and the results that are right.

To add a benchmark, add a line to BENCHMARKS; to add a runtime, add one to RUNTIMES, name it in the
benchmarks that it has, and build its program in meson.build. A compute library is one of LIBRARIES.
"""

from collections import namedtuple

# what: how to get it, for the line that says why it is left out. single: it has one thread, and is
# measured once whatever the worker counts are. program: whose program it is, if not its own; with
# no `what` either it has none, and is a way to run the compute libraries.
Runtime = namedtuple("Runtime", "name what env single program", defaults=[{}, False, None])

PASSIVE = {"OMP_WAIT_POLICY": "passive"}
ACTIVE = {"OMP_WAIT_POLICY": "active"}


def schedule(kind):
    """A loop in OpenMP's program; its threads spin between loops, which is best for it."""
    return Runtime("openmp-" + kind, None, {**ACTIVE, "BENCH_SCHEDULE": kind}, program="openmp")


RUNTIMES = [
    Runtime("filch", "the build of the library failed"),
    Runtime("serial", "needs gcc", single=True),
    Runtime("openmp", "needs a C compiler with OpenMP", PASSIVE),
    Runtime("openmp-active", None, ACTIVE, program="openmp"),
    schedule("static"),
    schedule("dynamic"),
    schedule("guided"),
    Runtime("onetbb", "needs g++ and libtbb-dev"),
    Runtime("rayon", "needs cargo and librust-rayon-dev"),
    Runtime("tokio", "needs cargo and librust-tokio-dev"),
    Runtime("go", "needs golang-go"),
    Runtime("libuv", "needs libuv1-dev", single=True),
    Runtime("stock", None),
    Runtime("stock-passive", None, PASSIVE),
]

# A compute library, whose program runs it on filch or on its own pool ("stock").
# dropin: the folder, among the build's adapters, of what takes the place of its pool, and the file.
# openmp: its threads are libgomp's, and asked for in the environment.
Library = namedtuple("Library", "name what dropin openmp", defaults=[None, False])

GOMP = ("gomp", "libgomp.so.1")
LIBRARIES = {
    library.name: library
    for library in (
        Library("fftw", "needs libfftw3-dev"),
        Library("jxl", "needs libjxl-dev"),
        Library("xnnpack", "needs libxnnpack-dev and libpthreadpool-dev",
                ("pthreadpool", "libpthreadpool.so.0")),
        Library("openblas", "needs libopenblas-openmp-dev", GOMP, True),
        Library("blis", "needs libblis-openmp-dev", GOMP, True),
        Library("onednn", "needs libdnnl-dev", GOMP, True),
    )
}

# What would change what a program measures; it gets these from its runtime alone.
FOREIGN = ("OMP_", "GOMP_", "OPENBLAS_", "GOTO_", "BLIS_", "DNNL_", "ONEDNN_", "BENCH_",
           "LD_PRELOAD")

COMMON = ("filch", "serial", "openmp", "onetbb", "rayon")
OWN = ("filch",)
ASYNC = ("filch", "tokio", "go")
TIMERS = ASYNC + ("libuv",)
REGIONS = ("filch", "openmp", "openmp-active")
SCHEDULES = ("filch", "openmp-static", "openmp-dynamic", "openmp-guided")
STOCK = ("filch", "stock")
STOCK_OPENMP = ("filch", "stock", "stock-passive")

# param: what its program takes; of uts the nodes of the published tree, for the record alone.
# workers: None for each of --workers, or the one count that the benchmark is about.
# quick: None if --quick leaves it out. expected: from the parameter to the result that is right.
# library: whose program it is, if not the runtime's; it is left as many CPUs as there are workers.
Benchmark = namedtuple("Benchmark", "name unit full quick expected runtimes workers library",
                       defaults=[None])


def fib(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return str(a)


def constant(result):
    return lambda param: result


def compute(library, quick=(2, 8), name=None):
    """A compute library on two CPUs, asked for as many threads, twice and four times as many."""
    runtimes = STOCK_OPENMP if LIBRARIES[library].openmp else STOCK
    return [
        Benchmark(name or library, "ms", threads, threads if threads in quick else None,
                  constant("right"), runtimes, 2, LIBRARIES[library])
        for threads in (2, 4, 8)
    ]


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
    Benchmark("for-empty", "ns", 10**6, 10**5, str, REGIONS, 2),
    Benchmark("for-empty-cold", "ns", 200, 50, str, REGIONS, 2),
    Benchmark("for-flat", "ms", 10**6, 10**6, constant("right"), SCHEDULES, 2),
    Benchmark("for-unbalanced", "ms", 10**6, 10**5, constant("right"), SCHEDULES, 2),
    Benchmark("sort", "ms", 10**7, 10**6, constant("right"), ("filch", "onetbb"), None),
    *compute("fftw"),
    *compute("jxl"),
    *compute("xnnpack"),
    *compute("openblas"),
    *compute("blis"),
    *compute("onednn"),
    *compute("openblas", (2,), "openblas-neighbour"),
    *compute("blis", (2,), "blis-neighbour"),
]

# Also a record: the peak memory of one benchmark, in MiB.
PEAK = {"fib": "peak-fib"}
