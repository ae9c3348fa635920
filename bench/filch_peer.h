/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_FILCH_PEER_H
#define BENCH_FILCH_PEER_H

/* What the files of the filch program share: the benchmarks that only filch has, and the checks of
 * the calls that must not fail. The common ones are in filch_forkjoin.c. */

#include "bench/driver.h"

#include <filch/filch.h>

/* filch_tasks.c: the cost of tasks with handles. */
bench_fn filch_bench_spawn_join;
bench_fn filch_bench_fib_spawn;
bench_fn filch_bench_yield;
bench_fn filch_bench_bytes_task;

/* Bytes of this process in memory. */
int64_t filch_bench_resident(void);

/* filch_futures.c: the cost of waiting. */
bench_fn filch_bench_await_ready;
bench_fn filch_bench_select8;
bench_fn filch_bench_timer_arm_cancel;

/* filch_sleepers.c: many that sleep. */
bench_fn filch_bench_sleep_start;
bench_fn filch_bench_abort;
bench_fn filch_bench_bytes_sleeper;
bench_fn filch_bench_bytes_fiber_sleeper;
bench_fn filch_bench_timer_lateness;

/* filch_echo.c */
bench_fn filch_bench_fd_echo;

/* filch_sync.c: locks and channels. */
bench_fn filch_bench_ping_pong;
bench_fn filch_bench_mutex64;
bench_fn filch_bench_mutex_uncontended;
bench_fn filch_bench_channel4x4;
bench_fn filch_bench_rwlock_read;

/* filch_loops.c */
bench_fn filch_bench_for_empty;
bench_fn filch_bench_for_empty_cold;
bench_fn filch_bench_team_empty;
bench_fn filch_bench_team_empty_cold;
bench_fn filch_bench_for_flat;
bench_fn filch_bench_for_unbalanced;
bench_fn filch_bench_sort;

/* filch_scopes.c */
bench_fn filch_bench_scope_open_close;
bench_fn filch_bench_scope_spawn;
bench_fn filch_bench_scope_spawn_join;
bench_fn filch_bench_scope_cancel;

/* filch_fib.c: a filch_fn whose argument is n in the pointer. */
int fib_task(void *n);

/* filch_latency.c: the time until something runs, and the cost of nothing to run. */
bench_fn filch_bench_steal;
bench_fn filch_bench_busy_owner_steal;
bench_fn filch_bench_wake;
bench_fn filch_bench_idle;

/* Ends the program where a call failed that no benchmark can go on without. */
static inline void must(int rc, const char *what)
{
    if (rc < 0)
        bench_fail(what, rc);
}

/* A started runtime, or the end of the program. */
static inline filch_runtime *filch_bench_runtime(unsigned workers)
{
    filch_runtime *rt;
    must(filch_runtime_create(&rt, &(filch_options){.workers = (int)workers}), "create");
    return rt;
}

#endif
