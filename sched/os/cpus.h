/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many CPUs this process may really use, which, and on which the caller runs.
 *
 * Two things bound it: the affinity mask names CPUs, and the quota of each control group above the
 * process bounds their time (v2 cpu.max, v1 cpu.cfs_quota_us). A container often has the first
 * wide open and the second tight. All callable from any thread; each call asks the system anew.
 */
#ifndef FILCH_SCHED_OS_CPUS_H
#define FILCH_SCHED_OS_CPUS_H

/* At least 1: the CPUs in the mask, or the quota in CPUs (1.5 counts as 2) where that is less. */
int filch__cpus_usable(void);

/*
 * Writes the first `max` ids in the caller's affinity mask, ascending, and returns how many it
 * wrote. -ENOMEM, or what sched_getaffinity refused with.
 */
int filch__cpus_list(int *cpus, int max);

/*
 * On which the calling thread runs, which may be another by now; < 0: not known. Some ns where the C
 * library knows it without a system call. Who waits for a thread that was seen on this very CPU does
 * better not to spin: it keeps it from running.
 */
int filch__cpu_here(void);

/*
 * The least CPU quota over the process's control group and all its ancestors that can be seen, in
 * CPUs rounded up, at least 1; `fallback` where there is no quota. The files are what
 * /proc/self/cgroup and /proc/self/mountinfo hold; root_prefix stands before each mount point (""
 * for the real system). What is missing or malformed sets no limit.
 */
int filch__cpus_cgroup_limit(const char *proc_self_cgroup, const char *proc_self_mountinfo,
                             const char *root_prefix, int fallback);

#endif
