/* SPDX-License-Identifier: Apache-2.0 */

/* main of the filch program: its own benchmarks beside the common ones. */

#include "bench/filch_peer.h"

static const struct bench_case own[] = {
    {"spawn-join", filch_bench_spawn_join},
    {"fib-spawn", filch_bench_fib_spawn},
    {"yield", filch_bench_yield},
    {"bytes-task", filch_bench_bytes_task},
    {"scope-open-close", filch_bench_scope_open_close},
    {"scope-spawn", filch_bench_scope_spawn},
    {"scope-spawn-join", filch_bench_scope_spawn_join},
    {"scope-cancel", filch_bench_scope_cancel},
    {"await-ready", filch_bench_await_ready},
    {"select8", filch_bench_select8},
    {"timer-arm-cancel", filch_bench_timer_arm_cancel},
    {"sleep-start", filch_bench_sleep_start},
    {"abort", filch_bench_abort},
    {"bytes-sleeper", filch_bench_bytes_sleeper},
    {"bytes-fiber-sleeper", filch_bench_bytes_fiber_sleeper},
    {"timer-lateness-p99", filch_bench_timer_lateness},
    {"fd-echo", filch_bench_fd_echo},
    {"ping-pong", filch_bench_ping_pong},
    {"mutex64", filch_bench_mutex64},
    {"mutex-uncontended", filch_bench_mutex_uncontended},
    {"channel4x4", filch_bench_channel4x4},
    {"rwlock-read", filch_bench_rwlock_read},
    {"for-empty", filch_bench_for_empty},
    {"for-empty-cold", filch_bench_for_empty_cold},
    {"team-empty", filch_bench_team_empty},
    {"team-empty-cold", filch_bench_team_empty_cold},
    {"for-flat", filch_bench_for_flat},
    {"for-unbalanced", filch_bench_for_unbalanced},
    {"sort", filch_bench_sort},
    {"steal", filch_bench_steal},
    {"busy-owner-steal", filch_bench_busy_owner_steal},
    {"wake", filch_bench_wake},
    {"idle", filch_bench_idle},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return bench_main(argc, argv, own);
}
