/* SPDX-License-Identifier: Apache-2.0 */

/* OpenMP's loops, and main of its program. BENCH_SCHEDULE in the environment chooses the schedule of a
 * loop: static, dynamic or guided, each with the chunk that it has by itself. */

#include "bench/loops.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void empty(void)
{
#pragma omp parallel num_threads(2)
    __asm__ volatile("");
}

static void idle(int64_t nanoseconds)
{
    struct timespec t = {.tv_nsec = nanoseconds};
    nanosleep(&t, NULL);
}

static void flat_static(double *x, int64_t n)
{
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        x[i] = loops_flop(x[i]);
}

static void flat_dynamic(double *x, int64_t n)
{
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < n; i++)
        x[i] = loops_flop(x[i]);
}

static void flat_guided(double *x, int64_t n)
{
#pragma omp parallel for schedule(guided)
    for (int64_t i = 0; i < n; i++)
        x[i] = loops_flop(x[i]);
}

static void unbalanced_static(uint32_t *counts, int64_t n)
{
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        counts[i] = loops_escape(i);
}

static void unbalanced_dynamic(uint32_t *counts, int64_t n)
{
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < n; i++)
        counts[i] = loops_escape(i);
}

static void unbalanced_guided(uint32_t *counts, int64_t n)
{
#pragma omp parallel for schedule(guided)
    for (int64_t i = 0; i < n; i++)
        counts[i] = loops_escape(i);
}

static const struct schedule {
    const char *name;
    struct loops loops;
} schedules[] = {
    {"static", {empty, flat_static, unbalanced_static, idle}},
    {"dynamic", {empty, flat_dynamic, unbalanced_dynamic, idle}},
    {"guided", {empty, flat_guided, unbalanced_guided, idle}},
};

static const struct loops *chosen(unsigned workers)
{
    const char *wanted = getenv("BENCH_SCHEDULE");
    omp_set_dynamic(0);
    omp_set_num_threads((int)workers);
    for (size_t i = 0; wanted && i < sizeof(schedules) / sizeof(*schedules); i++)
        if (strcmp(schedules[i].name, wanted) == 0)
            return &schedules[i].loops;
    return &schedules[0].loops;
}

static int run_empty(uint64_t n, unsigned workers, struct bench_result *out)
{
    return loops_for_empty(chosen(workers), n, out);
}

static int run_empty_cold(uint64_t n, unsigned workers, struct bench_result *out)
{
    return loops_for_empty_cold(chosen(workers), n, out);
}

static int run_flat(uint64_t n, unsigned workers, struct bench_result *out)
{
    return loops_for_flat(chosen(workers), n, out);
}

static int run_unbalanced(uint64_t n, unsigned workers, struct bench_result *out)
{
    return loops_for_unbalanced(chosen(workers), n, out);
}

static const struct bench_case own[] = {
    {"for-empty", run_empty},
    {"for-empty-cold", run_empty_cold},
    {"for-flat", run_flat},
    {"for-unbalanced", run_unbalanced},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return bench_main(argc, argv, own);
}
