# SPDX-License-Identifier: Apache-2.0
"""Runs the benchmark programs and prints what they measured. bench/run builds them and starts this.

Each runtime is one program, bench-RUNTIME in the build folder, called as

    bench-RUNTIME BENCH PARAM WORKERS

which times the workload itself, with the runtime started and warm, and prints one line of JSON:
{"value": <number in the benchmark's unit>, "check": "<result>"}. The check must equal the known
result. A compute library has a program of its own, bench-LIBRARY, which takes the number of threads
as its parameter, and learns from its environment (bench/compute.h) whether it runs on filch.

Runs are interleaved: within each repetition every runtime has its turn, so that a change in
the machine's mood touches all of them. A combination of benchmark, runtime and workers that has
used up its time budget gets fewer repetitions; the record says how many it had.

What there is to run stands in catalogue.py.

The exit status is 0 if every program ran and every result was right, and 1 otherwise.
"""

import argparse
import json
import math
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections import namedtuple

from catalogue import BENCHMARKS, FOREIGN, LIBRARIES, PEAK, RUNTIMES

# runs: repetitions at most. budget_s: a combination whose runs took this long gets no further one,
# once it has min_runs. limit_s: of one run; beyond it the program is stopped.
Plan = namedtuple("Plan", "runs min_runs budget_s limit_s")
FULL = Plan(5, 2, 30, 400)
QUICK = Plan(3, 1, 0.8, 60)

Key = namedtuple("Key", "bench param runtime workers unit")


class Failure(Exception):
    pass


class Samples:
    def __init__(self):
        self.values, self.peaks, self.spent, self.correct = [], [], 0.0, True


def stop(process):
    """Ends the program's process group, which the launcher leads."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def program_of(bench, runtime):
    return bench.library.name if bench.library else runtime.program or runtime.name


def program_path(build, program):
    return os.path.join(build, "bench-" + program)


def dropin_folder(build, library):
    return os.path.join(os.path.dirname(os.path.abspath(build)), "adapters", library.dropin[0])


def environment(build, bench, runtime, param):
    env = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
    env.update(runtime.env)
    library = bench.library
    if library and library.openmp:
        env["OMP_NUM_THREADS"] = str(param)
    if library and runtime.name == "filch":
        env["BENCH_ADAPTER"] = "filch"
        if library.dropin:
            folders = [dropin_folder(build, library), env.get("LD_LIBRARY_PATH")]
            env["LD_LIBRARY_PATH"] = ":".join(filter(None, folders))
    return env


def start(command, env, cpus):
    """The process inherits the CPUs from this one: libraries count them before main."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=env, start_new_session=True)
    finally:
        os.sched_setaffinity(0, mine)


def call(build, bench, runtime, param, workers, limit_s):
    """One run of a program; its value, check and peak memory in MiB."""
    command = [os.path.join(build, "launch"), program_path(build, program_of(bench, runtime))]
    command += [bench.name, str(param), str(workers)]
    cpus = sorted(os.sched_getaffinity(0))
    process = start(command, environment(build, bench, runtime, param),
                    cpus[:workers] if bench.library else cpus)
    try:
        out, err = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        raise Failure(f"did not end within {limit_s} s") from None
    finally:
        stop(process)
    if process.returncode != 0:
        status = process.returncode
        raise Failure(f"exit status {status}: {err.strip() or 'no message'}")
    return parse(out)


def parse(out):
    try:
        answer, usage = (json.loads(line) for line in out.splitlines())
        value, check, peak = answer["value"], answer["check"], usage["peak_kib"] / 1024
    except (ValueError, KeyError, TypeError) as e:
        raise Failure(f"malformed output {out!r}: {e}") from None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isinstance(check, str):
        raise Failure(f"malformed output {out!r}: not a number and a string")
    if not math.isfinite(value) or value < 0:
        raise Failure(f"malformed output {out!r}: not a measurement")
    return value, check, peak


class Progress:
    """One line on stderr that says what runs; overwritten on a terminal."""

    def __init__(self):
        self.tty = sys.stderr.isatty()

    def show(self, text):
        print(f"\r\x1b[K{text}" if self.tty else text, end="" if self.tty else "\n",
              file=sys.stderr, flush=True)

    def clear(self):
        if self.tty:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def say(self, text):
        self.clear()
        print(text, file=sys.stderr, flush=True)


class Harness:
    def __init__(self, build, plan, progress):
        self.build, self.plan, self.progress = build, plan, progress
        self.samples = {}
        self.failures = []

    def run(self, schedule):
        for at, (bench, keys) in enumerate(schedule):
            for repetition in range(self.plan.runs):
                for key, runtime in keys:
                    if self.wanted(key, repetition):
                        self.progress.show(
                            f"[{at + 1}/{len(schedule)}] {key.bench} {key.param}, {key.runtime}, "
                            f"workers {key.workers}, repetition {repetition + 1}/{self.plan.runs}")
                        self.once(bench, key, runtime)
        self.progress.clear()

    def wanted(self, key, repetition):
        """False once a combination has failed or has used up its budget."""
        samples = self.samples.setdefault(key, Samples())
        if len(samples.values) < repetition:
            return False
        return repetition < self.plan.min_runs or samples.spent < self.plan.budget_s

    def once(self, bench, key, runtime):
        samples = self.samples[key]
        start = time.monotonic()
        try:
            value, check, peak = call(self.build, bench, runtime, key.param, key.workers,
                                      self.plan.limit_s)
        except Failure as failure:
            samples.correct = False
            self.fail(key, str(failure))
            return
        samples.spent += time.monotonic() - start
        samples.values.append(value)
        samples.peaks.append(peak)
        expected = bench.expected(key.param)
        if check != expected:
            samples.correct = False
            self.fail(key, f"wrong result {check!r}, expected {expected!r}")

    def fail(self, key, why):
        line = f"FAILED: {key.bench} {key.param}, {key.runtime}, workers {key.workers}: {why}"
        self.failures.append(line)
        self.progress.say(line)

    def records(self, wanted):
        for key, samples in self.samples.items():
            if not samples.values:
                continue
            if wanted(key.bench):
                yield record(key, key.bench, key.unit, samples.values, samples.correct)
            if key.bench in PEAK and wanted(PEAK[key.bench]):
                yield record(key, PEAK[key.bench], "MiB", samples.peaks, samples.correct)


def rounded(x):
    return float(f"{x:.6g}")


def record(key, bench, unit, values, correct):
    return {
        "bench": bench,
        "param": str(key.param),
        "runtime": key.runtime,
        "workers": key.workers,
        "unit": unit,
        "median": rounded(statistics.median(values)),
        "min": rounded(min(values)),
        "max": rounded(max(values)),
        "runs": len(values),
        "correct": correct,
    }


def figure(x):
    if x == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(x))))
    return f"{x:,.{min(digits, 4)}f}"


def table(harness):
    """The ratio is to filch with as many workers; serial's has filch with one worker beside it."""
    head = ("bench", "param", "workers", "runtime", "unit", "median", "min", "max", "runs", "peak MiB",
            "x filch")
    rows = [head]
    last = None
    for key, samples in sorted(harness.samples.items(), key=table_order):
        if not samples.values:
            continue
        own = harness.samples.get(key._replace(runtime="filch"))
        median = statistics.median(samples.values)
        ratio = "-"
        if own is not None and own.values and statistics.median(own.values) > 0:
            ratio = f"{median / statistics.median(own.values):.2f}"
        if last not in (None, key[:2]):
            rows.append(("",) * len(head))
        last = key[:2]
        rows.append((key.bench, str(key.param), str(key.workers), key.runtime, key.unit, figure(median),
                     figure(min(samples.values)), figure(max(samples.values)), str(len(samples.values)),
                     figure(statistics.median(samples.peaks)), ratio if samples.correct else "WRONG"))
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for row in rows:
        cells = (cell.ljust(w) if i in (0, 3, 4) else cell.rjust(w)
                 for i, (cell, w) in enumerate(zip(row, widths)))
        print("  ".join(cells).rstrip())


def table_order(item):
    key = item[0]
    names = [b.name for b in BENCHMARKS]
    params = [p for b in BENCHMARKS if b.name == key.bench for p in (b.full, b.quick)]
    runtimes = [r.name for r in RUNTIMES]
    return (names.index(key.bench), params.index(key.param), key.workers,
            runtimes.index(key.runtime))


def usable_cpus():
    return len(os.sched_getaffinity(0))


def cpu_model():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            for line in f:
                if line.startswith(("model name", "Model")):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return os.uname().machine


def installed(build):
    """The programs that were built, by name; a line for each that there could be."""
    found = set()
    print(f"{cpu_model()}, {usable_cpus()} usable CPUs")
    for name, what in [(r.name, r.what) for r in RUNTIMES if r.what] + [
            (library.name, library.what) for library in LIBRARIES.values()]:
        path = program_path(build, name)
        if not os.access(path, os.X_OK):
            print(f"  {name}: left out ({what})")
            continue
        version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
        print(f"  {name}: {version.stdout.strip()}")
        found.add(name)
    sys.stdout.flush()
    return found


def lacks_dropin(build, library, runtime):
    return (library is not None and library.dropin is not None and runtime.name == "filch"
            and not os.path.exists(os.path.join(dropin_folder(build, library), library.dropin[1])))


def make_schedule(build, selected, quick, workers, programs):
    schedule = []
    lacking = set()
    for bench in selected:
        counts = [bench.workers] if bench.workers else workers
        if max(counts) > usable_cpus() and bench.workers:
            print(f"  {bench.name}: left out (needs {bench.workers} CPUs)")
            continue
        param = bench.quick if quick else bench.full
        if param is None:
            continue
        keys = []
        for count in counts:
            for runtime in RUNTIMES:
                if runtime.name not in bench.runtimes or program_of(bench, runtime) not in programs:
                    continue
                if lacks_dropin(build, bench.library, runtime):
                    lacking.add(bench.library)
                    continue
                if runtime.single and count != counts[0]:
                    continue
                used = 1 if runtime.single else count
                keys.append((Key(bench.name, param, runtime.name, used, bench.unit), runtime))
        schedule.append((bench, keys))
    for library in sorted(lacking, key=lambda library: library.name):
        print(f"  {library.name}: not on filch (its {library.dropin[1]} was not built)")
    return schedule


def worker_counts(text):
    try:
        counts = sorted({int(part) for part in text.split(",")})
    except ValueError:
        counts = [0]
    if counts[0] < 1 or counts[-1] > 1024:
        raise argparse.ArgumentTypeError(f"'{text}' is not a list of counts such as 1,2,4")
    return counts


def regex(text):
    try:
        return re.compile(text)
    except re.error as e:
        raise argparse.ArgumentTypeError(f"'{text}': {e}") from None


def arguments():
    parser = argparse.ArgumentParser(prog="bench/run", description="Builds and runs the benchmarks.")
    parser.add_argument("--quick", action="store_true", help="small parameters: about a minute")
    parser.add_argument("--filter", type=regex, default=re.compile(""), metavar="REGEX",
                        help="only benchmarks whose name the regex is found in")
    parser.add_argument("--workers", type=worker_counts, metavar="LIST",
                        help="worker counts, as 1,2,4 (default: 1,2, as far as there are CPUs)")
    parser.add_argument("--json", metavar="FILE", help="where the records go, one a line "
                        "(default: results.json in the build folder)")
    parser.add_argument("--list", action="store_true", help="list the benchmarks and run none")
    parser.add_argument("--build", metavar="DIR", required=True, help=argparse.SUPPRESS)
    return parser.parse_args()


def list_benchmarks(selected, quick):
    for b in selected:
        names = [b.name] + ([PEAK[b.name]] if b.name in PEAK else [])
        param = b.quick if quick else b.full
        if param is None:
            continue
        print(f"{' '.join(names):18} {param:>10}  {b.unit:11} {' '.join(b.runtimes)}")


def interrupt(signum, frame):
    raise KeyboardInterrupt


def main():
    signal.signal(signal.SIGTERM, interrupt)  # so that the program that runs is stopped as well
    args = arguments()

    def wanted(name):
        return bool(args.filter.search(name))

    selected = [b for b in BENCHMARKS if wanted(b.name) or wanted(PEAK.get(b.name, b.name))]
    if not selected:
        print(f"no benchmark matches '{args.filter.pattern}'", file=sys.stderr)
        return 2
    if args.list:
        list_benchmarks(selected, args.quick)
        return 0
    path = os.path.abspath(args.json or os.path.join(args.build, "results.json"))
    programs = installed(args.build)
    workers = args.workers or [n for n in (1, 2) if n <= usable_cpus()]
    schedule = make_schedule(args.build, selected, args.quick, workers, programs)
    harness = Harness(args.build, QUICK if args.quick else FULL, Progress())
    with open(path, "w", encoding="utf-8") as f:
        try:
            harness.run(schedule)
        except KeyboardInterrupt:
            harness.failures.append("FAILED: interrupted")
        for r in harness.records(wanted):
            f.write(json.dumps(r, separators=(",", ":")) + "\n")
    table(harness)
    for line in harness.failures:
        print(line)
    print(f"records: {path}")
    if "filch" not in programs:
        print("FAILED: filch was not built")
        return 1
    return 1 if harness.failures else 0


if __name__ == "__main__":
    sys.exit(main())
