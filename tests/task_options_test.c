/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What options give to a task: a name, room for a result, a worker, a stack. And what a runtime
 * says of itself.
 */
#define _GNU_SOURCE 1
#include "tests/support.h"

__attribute__((noinline)) static pthread_t thread_now(void)
{
    __asm__ volatile("");
    return pthread_self();
}

static int return_number(void *n)
{
    return (int)(intptr_t)n;
}

/* ---- name and result ---- */

static int check_name(void *expected)
{
    CHECK(strcmp(filch_task_name(), expected) == 0);
    CHECK(filch_yield() == 0);
    CHECK(strcmp(filch_task_name(), expected) == 0);
    return 0;
}

static int check_name_in_a_job(void *expected)
{
    filch_job job = FILCH_JOB(check_name, expected);
    filch_fork(&job);
    for (int i = 0; i < 20; i++)
        sched_yield();
    return filch_sync(&job);
}

static void names(void)
{
    static const char longest[] = "0123456789012345678901234567890"; /* 31 */
    filch_runtime *rt = runtime_open(2);
    char name[64] = "a task";
    filch_handle *h[4];
    filch_spawn_options o = {.runtime = rt, .name = name};
    REQUIRE(filch_spawn_with(&h[0], &o, check_name, "a task") == 0);
    REQUIRE(filch_spawn_with(&h[1], &o, check_name_in_a_job, "a task") == 0);
    snprintf(name, sizeof name, "%s and more", longest);
    REQUIRE(filch_spawn_with(&h[2], &o, check_name, (void *)(uintptr_t)longest) == 0);
    memset(name, 'x', sizeof name - 1);
    spawn_on(rt, &h[3], check_name, "");
    for (size_t i = 0; i < COUNT(h); i++)
        CHECK(join(h[i]) == 0);
    runtime_close(rt);
}

static int fill_buffer(void *size)
{
    unsigned char *buffer = filch_result_buffer();
    size_t n = (size_t)size;
    if (n == 0) {
        CHECK(buffer == NULL);
        return 0;
    }
    CHECK((uintptr_t)buffer % 16 == 0);
    for (size_t i = 0; i < n; i++)
        CHECK(buffer[i] == 0);
    CHECK(filch_yield() == 0);
    CHECK(filch_result_buffer() == buffer);
    memset(buffer, 0xa5, n);
    return 0;
}

static void result_buffers(void)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 1000, 100000, 0, 3};
    filch_runtime *rt = runtime_open(2);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        filch_spawn_options o = {.runtime = rt, .result_size = sizes[i]};
        filch_handle *h;
        unsigned char *out = malloc(sizes[i] + 1);
        REQUIRE(out != NULL);
        out[sizes[i]] = 0x77;
        REQUIRE(filch_spawn_with(&h, &o, fill_buffer, (void *)sizes[i]) == 0);
        CHECK(filch_join_into(h, NULL, out) == 0);
        for (size_t k = 0; k < sizes[i]; k++)
            CHECK(out[k] == 0xa5);
        CHECK(out[sizes[i]] == 0x77);
        free(out);
    }
    runtime_close(rt);
}

/* ---- pinned ---- */

static int name_thread(void *name)
{
    pthread_getname_np(thread_now(), name, 16);
    return 0;
}

static int stay_put(void *expected)
{
    char name[16];
    for (int i = 0; i < 50; i++) {
        name_thread(name);
        CHECK(strcmp(name, expected) == 0);
        filch_handle *h;
        if (i % 5 == 4) {
            REQUIRE(filch_spawn(&h, return_number, NULL) == 0);
            CHECK(filch_join(h, NULL) == 0);
        } else {
            CHECK(filch_yield() == 0);
        }
    }
    return 0;
}

static void pinned_tasks_stay(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        enum { EACH = 8 };
        int n = worker_counts[w];
        filch_runtime *rt;
        filch_options options = {.workers = n, .name = "a long prefix", .pin = w == 1};
        REQUIRE(filch_runtime_create(&rt, &options) == 0);
        filch_handle *h[8 * EACH];
        char names[8][24];
        for (int i = 0; i < n; i++)
            snprintf(names[i], sizeof names[0], "a long pre/%d", i);
        for (int i = 0; i < n * EACH; i++) {
            filch_spawn_options o = {.runtime = rt, .worker = i % n + 1};
            REQUIRE(filch_spawn_with(&h[i], &o, stay_put, names[i % n]) == 0);
        }
        for (int i = 0; i < n * EACH; i++)
            CHECK(join(h[i]) == 0);
        CHECK(filch_runtime_destroy(rt) == 0);
    }
}

static int look_at_affinity(void *arg)
{
    cpu_set_t *set = arg;
    return -pthread_getaffinity_np(thread_now(), sizeof *set, set);
}

static void pinned_workers(void)
{
    cpu_set_t all, set;
    REQUIRE(sched_getaffinity(0, sizeof all, &all) == 0);
    filch_runtime *rt;
    REQUIRE(filch_runtime_create(&rt, &(filch_options){.workers = 3, .pin = true}) == 0);
    for (int i = 0; i < 3; i++) {
        filch_handle *h;
        filch_spawn_options o = {.runtime = rt, .worker = i + 1};
        REQUIRE(filch_spawn_with(&h, &o, look_at_affinity, &set) == 0);
        CHECK(join(h) == 0);
        int nth = i % CPU_COUNT(&all), cpu = 0;
        for (; cpu < CPU_SETSIZE; cpu++)
            if (CPU_ISSET(cpu, &all) && nth-- == 0)
                break;
        CHECK(CPU_COUNT(&set) == 1 && CPU_ISSET(cpu, &set));
    }
    CHECK(filch_runtime_destroy(rt) == 0);
}

/* ---- stacks ---- */

/* Touches each page of `size` bytes of stack, and waits with them. */
static int use_stack(void *size)
{
    size_t n = (size_t)size;
    volatile char *bytes = __builtin_alloca(n);
    for (size_t i = 0; i < n; i += 1024)
        bytes[i] = (char)(i / 1024);
    CHECK(filch_yield() == 0);
    for (size_t i = 0; i < n; i += 1024)
        CHECK(bytes[i] == (char)(i / 1024));
    return 0;
}

static void stack_sizes(void)
{
    static const size_t sizes[] = {(size_t)16 << 20, FILCH_STACK_DEFAULT, (size_t)256 << 10};
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        filch_handle *h[12];
        for (size_t i = 0; i < COUNT(h); i++) {
            size_t size = sizes[i % COUNT(sizes)];
            filch_spawn_options o = {.runtime = rt, .stack_size = size};
            REQUIRE(filch_spawn_with(&h[i], &o, use_stack, (void *)(size / 2)) == 0);
        }
        for (size_t i = 0; i < COUNT(h); i++)
            CHECK(join(h[i]) == 0);
        runtime_close(rt);
    }
    filch_runtime *rt;
    filch_options large = {.workers = 2, .stack_size = (size_t)16 << 20};
    REQUIRE(filch_runtime_create(&rt, &large) == 0);
    CHECK(filch_run(rt, use_stack, (void *)((size_t)8 << 20)) == 0);
    CHECK(filch_runtime_destroy(rt) == 0);
}

/* Returns when another worker has taken the job. */
static int fork_and_wait_for_a_thief(void *arg)
{
    (void)arg;
    struct blockers b = {.released = 1};
    filch_job job = FILCH_JOB(blocker, &b);
    filch_fork(&job);
    SPIN_UNTIL(filch__load_acquire(&b.running) != 0);
    return filch_sync(&job);
}

/* A stack of its own size goes with its task; the fiber's next one serves forks as well. */
static void forks_on_later_stacks_are_stolen(void)
{
    filch_runtime *rt = runtime_open(2);
    for (int i = 0; i < 50; i++) {
        filch_spawn_options o = {.runtime = rt, .stack_size = 2 * FILCH_STACK_DEFAULT};
        filch_handle *h;
        REQUIRE(filch_spawn_with(&h, &o, fork_and_wait_for_a_thief, NULL) == 0);
        CHECK(join(h) == 0);
    }
    runtime_close(rt);
}

/* ---- counts ---- */

static int spawn_some(void *arg)
{
    filch_handle *h[20];
    (void)arg;
    for (size_t i = 0; i < COUNT(h); i++)
        REQUIRE(filch_spawn(&h[i], return_number, NULL) == 0);
    for (size_t i = 0; i < COUNT(h); i++)
        CHECK(filch_join(h[i], NULL) == 0);
    return filch_yield();
}

static filch_stats stats_of_all(filch_runtime *rt)
{
    filch_stats sum = {0};
    for (int i = 0; i < filch_runtime_workers(rt); i++) {
        filch_stats s;
        CHECK(filch_runtime_stats(rt, i, &s) == 0);
        sum.spawns += s.spawns;
        sum.tasks += s.tasks;
        sum.forks_stolen += s.forks_stolen;
        sum.steals += s.steals;
        sum.switches += s.switches;
    }
    return sum;
}

static void counts_add_up(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        enum { TASKS = 30 };
        filch_runtime *rt = runtime_open(worker_counts[w]);
        filch_handle *h[TASKS];
        CHECK(filch_runtime_workers(rt) == worker_counts[w]);
        CHECK(totals_of(rt).tasks_live == 0 && totals_of(rt).failures == 0);
        CHECK(totals_of(rt).fibers >= (size_t)worker_counts[w]);
        CHECK(totals_of(rt).bytes > 0);
        for (int i = 0; i < TASKS; i++)
            spawn_on(rt, &h[i], spawn_some, NULL);
        for (int i = 0; i < TASKS; i++)
            CHECK(join(h[i]) == 0);
        drain(rt);
        filch_stats sum = stats_of_all(rt);
        CHECK(sum.spawns == TASKS * 20); /* the others were spawned from outside */
        CHECK(sum.tasks == TASKS * 21);
        CHECK(sum.switches > 0);
        CHECK(worker_counts[w] > 1 || (sum.forks_stolen == 0 && sum.steals == 0));
        if (worker_counts[w] == 2) {
            CHECK(filch_run(rt, fork_and_wait_for_a_thief, NULL) == 0);
            CHECK(stats_of_all(rt).forks_stolen == sum.forks_stolen + 1);
        }
        runtime_close(rt);
    }
}

int main(void)
{
    RUN(names);
    RUN(result_buffers);
    RUN(pinned_tasks_stay);
    RUN(pinned_workers);
    RUN(stack_sizes);
    RUN(forks_on_later_stacks_are_stolen);
    RUN(counts_add_up);
    return summary();
}
