/* SPDX-License-Identifier: Apache-2.0 */
/* Many fibers alive at once, and their memory given back afterwards. */
#define _GNU_SOURCE 1
#include "sched/fiber/stack.h"
#include "tests/support.h"

enum { MANY = 200000 };

static struct {
    uint32_t wanted, started;
    uint32_t refused; /* yields for which there was no stack */
    uint32_t wrong;
} live;

static void live_init(uint32_t wanted)
{
    memset(&live, 0, sizeof live);
    live.wanted = wanted;
}

/* Stays alive until all are, or one more cannot be. */
static int stay(void *arg)
{
    volatile uint32_t *mark = &(uint32_t){(uint32_t)(uintptr_t)arg};
    filch__add_acq_rel(&live.started, 1u);
    while (filch__load_acquire(&live.started) < live.wanted &&
           !filch__load_acquire(&live.refused)) {
        int rc = filch_yield();
        if (rc == -ENOMEM)
            filch__add_acq_rel(&live.refused, 1u);
        else if (rc < 0)
            return rc;
    }
    if (*mark != (uint32_t)(uintptr_t)arg)
        filch__add_acq_rel(&live.wrong, 1u);
    return 0;
}

static long kib_of(const char *file, const char *key)
{
    char line[256];
    long kib = -1;
    FILE *f = fopen(file, "r");
    while (f && kib < 0 && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0)
            kib = strtol(line + strlen(key), NULL, 10);
    if (f)
        fclose(f);
    return kib;
}

static long resident_kib(void)
{
    return kib_of("/proc/self/status", "VmRSS:");
}

/* As many as this machine's memory holds: each costs two or three pages, page tables included. */
static uint32_t how_many(void)
{
    long n = sized(MANY / 4, MANY, MANY);
    if (WITH_TSAN)
        n = 2000; /* of its 8,000 or so threads */
    else if (RUNNING_ON_VALGRIND)
        n = 300;
    else if (WITH_ASAN)
        n = 5000;
    long fit = kib_of("/proc/meminfo", "MemAvailable:") / 16;
    if (fit < n) {
        printf("       (memory for %ld fibers only)\n", fit);
        n = fit;
    }
    return (uint32_t)n;
}

static void many_live_fibers(void)
{
    uint32_t n = how_many();
    live_init(n);
    filch_handle **h = malloc(n * sizeof(filch_handle *));
    REQUIRE(h);
    memset(h, 0, n * sizeof(filch_handle *));
    filch_runtime *rt = runtime_open(2);
    long before = resident_kib();
    clock_t begin = clock();
    for (uint32_t i = 0; i < n; i++)
        spawn_on(rt, &h[i], stay, (void *)(uintptr_t)i);
    SPIN_UNTIL(filch__load_acquire(&live.started) == n || filch__load_acquire(&live.refused));
    long peak = resident_kib();
    for (uint32_t i = 0; i < n; i++)
        CHECK(join(h[i]) == 0);
    drain(rt);
    SPIN_UNTIL(totals_of(rt).fibers < 1000); /* idle workers give stacks back */
    double took = (double)(clock() - begin) / CLOCKS_PER_SEC;
    long after = resident_kib();
    size_t fibers = totals_of(rt).fibers;
    runtime_close(rt);
    printf(
        "       %u live, %u refused; %ld MiB, then %ld MiB, then %ld MiB; %zu fibers kept; %.2f s "
        "of CPU time\n",
        n, live.refused, before / 1024, peak / 1024, after / 1024, fibers, took);
    CHECK(live.wrong == 0);
    CHECK(live.started == n);
    CHECK(live.refused == 0 || !filch__stack_guards_are_cheap());
    /* The structures of the fibers stay, their stacks do not. */
    CHECK(instrumented() || after - before < (peak - before) / 4);
    free(h);
}

/* Burst after burst: no burst costs what the one before gave back. */
static void bursts(void)
{
    uint32_t n = how_many() / 20;
    filch_handle **h = malloc(n * sizeof(filch_handle *));
    REQUIRE(h);
    filch_runtime *rt = runtime_open(2);
    long first = 0;
    for (int burst = 0; burst < 10; burst++) {
        live_init(n);
        for (uint32_t i = 0; i < n; i++)
            spawn_on(rt, &h[i], stay, (void *)(uintptr_t)i);
        for (uint32_t i = 0; i < n; i++)
            CHECK(join(h[i]) == 0);
        drain(rt);
        CHECK(live.started == n && live.wrong == 0);
        CHECK(live.refused == 0 || !filch__stack_guards_are_cheap());
        SPIN_UNTIL(totals_of(rt).fibers < 1000); /* idle workers give stacks back */
        if (burst == 1)
            first = resident_kib();
    }
    CHECK(instrumented() || resident_kib() - first < 64 * 1024);
    runtime_close(rt);
    free(h);
}

int main(void)
{
    run_case_within(120, "many_live_fibers", many_live_fibers);
    run_case_within(120, "bursts", bursts);
    return summary();
}
