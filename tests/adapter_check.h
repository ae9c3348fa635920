/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the adapters' tests call a backend from: two threads at once, tasks that are cancelled,
 * runtimes that close.
 */
#ifndef FILCH_TESTS_ADAPTER_CHECK_H
#define FILCH_TESTS_ADAPTER_CHECK_H

#include "tests/support.h"

#include <dirent.h>
#include <sys/wait.h>

/* Of this process. */
static inline int threads_now(void)
{
    DIR *tasks = opendir("/proc/self/task");
    REQUIRE(tasks);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(tasks));)
        count += entry->d_name[0] != '.';
    closedir(tasks);
    return count;
}

struct compute__thread {
    void (*work)(void);
    uint32_t *ready;
};

static inline void *compute__thread_main(void *arg)
{
    struct compute__thread *thread = arg;
    tally(thread->ready);
    SPIN_UNTIL(filch__load_acquire(thread->ready) == 2);
    thread->work();
    return NULL;
}

static inline void on_two_threads(void (*work)(void))
{
    uint32_t ready = 0;
    struct compute__thread thread = {work, &ready};
    pthread_t a = thread_start(compute__thread_main, &thread);
    pthread_t b = thread_start(compute__thread_main, &thread);
    thread_join(a);
    thread_join(b);
}

struct compute__task {
    void (*work)(void);
    uint32_t started;
};

static inline int compute__cancelled_task(void *arg)
{
    struct compute__task *task = arg;
    raise_flag(&task->started);
    SPIN_UNTIL(filch_cancelled());
    task->work();
    return 0;
}

/* The caller is cancelled before it calls. */
static inline void in_cancelled_task_of_each(void (*work)(void))
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct compute__task task = {work, 0};
        filch_handle *h;
        spawn_on(rt, &h, compute__cancelled_task, &task);
        SPIN_UNTIL(flag_up(&task.started));
        CHECK(filch_abort(h) == 0);
        CHECK(join(h) == 0);
        runtime_close(rt);
    }
}

/* The runtime's end has begun when its task calls. */
static inline void while_runtimes_close(void (*work)(void))
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct compute__task task = {work, 0};
        spawn_on(rt, NULL, compute__cancelled_task, &task);
        SPIN_UNTIL(flag_up(&task.started));
        runtime_close(rt);
    }
}

/* In a child process: what runtimes there are were lost to the fork. */
static inline void in_forked_child(void (*work)(void))
{
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        alarm(30);
        filch__store_relaxed(&case_bad, 0u);
        work();
        _exit(filch__load_relaxed(&case_bad) != 0);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#endif
